//! The status of an environment, the same wherever one is shown.

use super::record::{EnvStatus, Meta};

impl Meta {
    /// The status as the record has it. Another tool records only the end of a run.
    pub fn status(&self) -> EnvStatus {
        match &self.own {
            Some(own) => own.status,
            None if self.completed_at.is_some() => EnvStatus::Completed,
            None => EnvStatus::Unknown,
        }
    }
}

impl EnvStatus {
    /// The status that other processes see, from the recorded one: an active run without a lock has crashed, and what
    /// another tool recorded (`is_foreign`) is of the run before the one that holds the lock.
    #[must_use]
    pub fn seen(self, is_foreign: bool, is_live: bool) -> EnvStatus {
        match self {
            _ if is_foreign && is_live => EnvStatus::Running,
            status if status.is_active() && !is_live && is_foreign => EnvStatus::Unknown,
            status if status.is_active() && !is_live => EnvStatus::Crashed,
            status => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_decides_what_an_active_or_foreign_record_means() {
        use EnvStatus::*;
        for (recorded, is_foreign, is_live, seen) in [
            (Prepared, false, false, Prepared),
            (Prepared, false, true, Prepared),
            (Starting, false, true, Starting),
            (Running, false, true, Running),
            (Running, false, false, Crashed),
            (Paused, false, true, Paused),
            (Paused, false, false, Crashed),
            (Starting, false, false, Crashed),
            (Completed, false, true, Completed),
            (Cleaned, false, true, Cleaned),
            (Completed, true, true, Running),
            (Unknown, true, true, Running),
            (Completed, true, false, Completed),
            (Unknown, true, false, Unknown),
        ] {
            assert_eq!(recorded.seen(is_foreign, is_live), seen, "{recorded:?} {is_foreign} {is_live}");
        }
    }
}
