//! Signals as a person at a prompt has them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

/// A shell starts what runs in its background with SIGINT and SIGQUIT ignored, and so would be every child of the
/// tests, which then rightly ignore them. What is caught here is not ignored there: a new program begins with the
/// system's own way.
pub(crate) fn heed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT] {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
            }
        }
    });
}
