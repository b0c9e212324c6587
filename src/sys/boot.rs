//! Which boot of the machine this is.

/// The id of this boot; empty where the system has none.
///
/// Numbers that the kernel gives anew after each boot (devices, processes) mean the same only while it is the same.
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
