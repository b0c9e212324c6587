//! Which sandboxes of `run --sandbox` this system can build.

use super::document::SandboxReport;
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
    pub(super) fn lines(&self) -> [String; 2] {
        let bwrap = match (&self.bwrap, self.namespaces) {
            (None, _) => "no: bubblewrap is not installed".to_owned(),
            (Some(_), Some(false)) => "no: the system lets this user make no namespaces".to_owned(),
            (Some(version), _) => {
                format!("yes (bubblewrap {})", version.as_deref().unwrap_or("of an unknown version"))
            }
        };
        let network = match self.namespaces {
            Some(false) => "; `--sandbox-net off` no: it needs namespaces",
            Some(true) => "; `--sandbox-net off` yes",
            None => "; `--sandbox-net off` not known: it needs namespaces",
        };
        let landlock = match self.landlock {
            0 => "no: the system has no Landlock, or it is switched off".to_owned(),
            version if version < LEAST_LANDLOCK => {
                format!("no: Landlock has version {version}, and {LEAST_LANDLOCK} is needed (Linux 6.12)")
            }
            version => format!("yes (Landlock version {version}){network}"),
        };
        [format!("`run --sandbox bwrap`: {bwrap}"), format!("`run --sandbox landlock`: {landlock}")]
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
                ["yes (bubblewrap 0.8.0)", "yes (Landlock version 7); `--sandbox-net off` yes"],
            ),
            (None, None, 0, ["bubblewrap is not installed", "no Landlock"]),
            (some("0.8.0"), Some(false), 6, ["no namespaces", "`--sandbox-net off` no"]),
            (Some(None), None, 4, ["of an unknown version", "Landlock has version 4, and 6 is needed"]),
        ] {
            let lines = Sandboxes { bwrap, namespaces, landlock }.lines();
            for (line, expected) in lines.iter().zip(expected) {
                assert!(line.contains(expected), "{line}");
            }
        }
    }
}
