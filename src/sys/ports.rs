//! TCP ports of this machine: whether one is free, and which process has it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;

/// Where a program may listen: the port must be free on each of these.
const ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// Whether a program can listen on a port now: this one tries, and lets go of it again. A machine without IPv6 has only the
/// other addresses.
pub fn is_free(port: u16) -> bool {
    ADDRESSES.iter().all(|address| match TcpListener::bind((*address, port)) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied),
    })
}

/// The ports from which the kernel gives one to whoever asks for any: another program may get such a port at each moment.
pub fn given_by_kernel() -> Option<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// The process that listens on a port: its number and the name of its program, as far as this user can see it.
pub fn listener(port: u16) -> Option<(i32, String)> {
    let inodes: BTreeSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(|line| inode(line, port)).collect::<Vec<_>>())
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let pid = pids.find(|pid| has_one_of(*pid, &inodes))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim_end().to_owned()))
}

/// The inode of the socket in a line of the kernel's table, if it listens on this port.
fn inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let its = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    (its == port && *state == LISTENS).then(|| (*inode).to_owned())
}

fn has_one_of(pid: i32, inodes: &BTreeSet<String>) -> bool {
    let Ok(handles) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    handles.flatten().filter_map(|handle| fs::read_link(handle.path()).ok()).any(|target| {
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_which_a_program_listens_is_not_free_on_any_address() {
        for address in ["127.0.0.1", "0.0.0.0"] {
            let listening = TcpListener::bind((address, 0)).unwrap();
            let port = listening.local_addr().unwrap().port();
            assert!(!is_free(port), "{address}");
            let own = i32::try_from(std::process::id()).unwrap();
            if cfg!(target_os = "linux") {
                assert_eq!(listener(port).unwrap().0, own);
            }
        }
    }

    #[test]
    fn the_kernel_s_table_is_read_by_port_and_state() {
        let line =
            "   0: 0100007F:4E21 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 12345 1 x";
        assert_eq!(inode(line, 20001).as_deref(), Some("12345"));
        assert_eq!(inode(line, 20002), None);
        assert_eq!(inode(&line.replace(" 0A ", " 01 "), 20001), None);
        assert_eq!(inode("", 20001), None);
    }
}
