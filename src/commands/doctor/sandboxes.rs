//! Which sandboxes of `run --sandbox` this system can build.

use super::document::SandboxReport;
use super::group::{Line, Mark};
use crate::run::LEAST_LANDLOCK;
use crate::sys::confine::landlock_version;

/// What is known of them.
pub(super) struct Sandboxes {
    /// The version of bubblewrap; the outer `None`: it is not here.
    pub(super) bwrap: Option<Option<String>>,
    /// Whether this user can make namespaces; `None`: not known.
    pub(super) namespaces: Option<bool>,
    landlock: i32,
}

impl Sandboxes {
    /// Asks the system for its version of Landlock.
    pub(super) fn look(bwrap: Option<Option<String>>, namespaces: Option<bool>) -> Sandboxes {
        Sandboxes { bwrap, namespaces, landlock: landlock_version() }
    }

    /// The lines of the answer.
    pub(super) fn lines(&self) -> [Line; 2] {
        let bwrap = match (&self.bwrap, self.namespaces) {
            (None, _) => Line::new(Mark::Note, "`run --sandbox bwrap` does not work: bubblewrap is not installed")
                .todo("install the package `bubblewrap`"),
            (Some(_), Some(false)) => {
                Line::new(Mark::Note, "`run --sandbox bwrap` does not work: the system lets this user make no namespaces")
                    .todo("allow it: `sysctl kernel.unprivileged_userns_clone=1` (Debian), `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu)")
            }
            (Some(version), _) => {
                let version = version.as_deref().unwrap_or("of an unknown version");
                Line::new(Mark::Ok, format!("`run --sandbox bwrap` works (bubblewrap {version})"))
            }
        };
        let network = match self.namespaces {
            Some(false) => ", but not with `--sandbox-net off`, which needs namespaces",
            Some(true) => ", also with `--sandbox-net off`",
            None => {
                "; `--sandbox-net off` needs namespaces, and whether this user can make some is not known"
            }
        };
        let newer = "use `run --sandbox bwrap`, or Linux 6.12 or later";
        let landlock = match self.landlock {
            0 => {
                let why = "`run --sandbox landlock` does not work: the system has no Landlock, or it is switched off";
                Line::new(Mark::Note, why).todo(newer)
            }
            version if version < LEAST_LANDLOCK => {
                let why = format!(
                    "does not work: Landlock has version {version}, and {LEAST_LANDLOCK} is needed (Linux 6.12)"
                );
                Line::new(Mark::Note, format!("`run --sandbox landlock` {why}")).todo(newer)
            }
            version => Line::new(
                Mark::Ok,
                format!("`run --sandbox landlock` works (Landlock version {version}){network}"),
            ),
        };
        [bwrap, landlock]
    }

    /// The same for programs.
    pub(super) fn report(&self) -> SandboxReport {
        SandboxReport {
            bwrap: self.bwrap.is_some() && self.namespaces != Some(false),
            landlock: self.landlock >= LEAST_LANDLOCK,
            landlock_version: self.landlock,
            namespaces: self.namespaces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_says_what_it_lacks() {
        let some = |version: &str| Some(Some(version.to_owned()));
        for (bwrap, namespaces, landlock, expected) in [
            (
                some("0.8.0"),
                Some(true),
                7,
                ["works (bubblewrap 0.8.0)", "works (Landlock version 7), also with `--sandbox-net off`"],
            ),
            (None, None, 0, ["bubblewrap is not installed", "no Landlock"]),
            (some("0.8.0"), Some(false), 6, ["no namespaces", "but not with `--sandbox-net off`"]),
            (Some(None), None, 4, ["of an unknown version", "Landlock has version 4, and 6 is needed"]),
        ] {
            let lines = Sandboxes { bwrap, namespaces, landlock }.lines();
            for (line, expected) in lines.iter().zip(expected) {
                assert!(format!("{line:?}").contains(expected), "{line:?}");
            }
        }
    }
}
