//! Signals to this process. A handler only sets a flag; the supervision loop looks at the flags.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

/// The flags of the caught signals.
#[derive(Debug, Default)]
pub struct Interrupts {
    ends: Vec<(i32, Arc<AtomicBool>)>,
    stop: Option<Arc<AtomicBool>>,
    /// A flag of the command's, which stays set, and whether it was seen.
    of_command: Option<(Arc<AtomicBool>, AtomicBool)>,
}

impl Interrupts {
    /// No signal is caught: the command has caught them, and sets this flag.
    pub fn of_command(stop: Arc<AtomicBool>) -> Self {
        Self { of_command: Some((stop, AtomicBool::new(false))), ..Self::default() }
    }

    /// Flags that no signal sets.
    pub fn none() -> Self {
        Self::default()
    }

    /// Catches SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP for the rest of the process's life. A signal that was ignored
    /// at the start (`nohup`) stays ignored.
    ///
    /// # Errors
    /// Where a handler cannot be installed.
    pub fn install() -> io::Result<Self> {
        let ignored = Ignored::read();
        let catch = |signal: i32| -> io::Result<Option<Arc<AtomicBool>>> {
            if ignored.has(signal) {
                return Ok(None);
            }
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            Ok(Some(flag))
        };
        let mut ends = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            ends.extend(catch(signal)?.map(|flag| (signal, flag)));
        }
        Ok(Self { ends, stop: catch(SIGTSTP)?, of_command: None })
    }

    /// The signal that asked for the end since the last call. Several at once count as one: a service manager sends SIGTERM
    /// and SIGHUP together, and means one request.
    pub fn take_end(&self) -> Option<i32> {
        let mut seen = None;
        for (signal, flag) in &self.ends {
            if flag.swap(false, Ordering::AcqRel) {
                seen = seen.or(Some(*signal));
            }
        }
        if let Some((stop, is_seen)) = &self.of_command
            && stop.load(Ordering::Relaxed)
            && !is_seen.swap(true, Ordering::Relaxed)
        {
            seen = seen.or(Some(SIGTERM));
        }
        seen
    }

    /// Whether a pause (Ctrl-Z) was asked for since the last call.
    pub fn take_pause(&self) -> bool {
        self.stop.as_ref().is_some_and(|flag| flag.swap(false, Ordering::AcqRel))
    }
}

/// The signals that this process ignores, as under `nohup`; none where that is unknown.
#[derive(Clone, Copy, Debug)]
pub struct Ignored(u64);

impl Ignored {
    /// Those of this moment: bits of a mask, the lowest for signal 1.
    pub fn read() -> Self {
        // The file has no length to go by; a read that finds no room is made again and again.
        let mut status = String::with_capacity(4 << 10);
        let read = File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut status));
        let mask = read.ok().and_then(|_| status.lines().find_map(|line| line.strip_prefix("SigIgn:")));
        Ignored(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0))
    }

    /// Whether `signal` is among them.
    pub fn has(self, signal: i32) -> bool {
        self.0 & (1 << (signal - 1)) != 0
    }
}
