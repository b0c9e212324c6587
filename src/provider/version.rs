//! Versions of agent CLIs: finding one in a text, and asking a program for its own.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Code, Failure};
use crate::sys::child::{self, Program};

/// A version of three numbers, as agent CLIs print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The first `N.N.N` in a text, with or without a `v` before it.
pub fn find_version(text: &str) -> Option<Version> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter(|word| word.contains('.')).find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// Refuses a version that is too old.
///
/// # Errors
/// [`Code::AgentNotStarted`], with both versions.
pub(super) fn check_minimum(program: &str, found: Version, minimum: Version) -> Result<(), Failure> {
    if found >= minimum {
        return Ok(());
    }
    let message = format!("{program} {found} is below the minimum supported version {minimum}");
    Err(Failure::new(Code::AgentNotStarted, message).hint(format!("update it: `{program} update`")))
}

/// How long a program may take to print its version.
pub(super) const PROBE: Duration = Duration::from_secs(10);

/// Runs `PROGRAM --version` for at most ten seconds and looks for a version in what it prints. `None`: it printed none.
///
/// # Errors
/// Where it cannot be started or does not end in time.
pub fn probe_version(program: &Path, env: &[(OsString, OsString)]) -> io::Result<Option<Version>> {
    let args = [OsString::from("--version")];
    let captured = child::capture(Program { path: program, args: &args, dir: None, env }, PROBE)?;
    let texts = [captured.stdout, captured.stderr];
    Ok(texts.iter().find_map(|text| find_version(&String::from_utf8_lossy(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_and_compared() {
        let cases = [
            ("2.1.329 (Claude Code)", Some(Version(2, 1, 329))),
            ("codex-cli v0.100.0\n", Some(Version(0, 100, 0))),
            ("node 24\nx 1.2", None),
            ("1.2.3.4", Some(Version(1, 2, 3))),
            ("v1.2.3-beta.4", Some(Version(1, 2, 3))),
            ("1.2 then 3.4.5", Some(Version(3, 4, 5))),
            ("1.2", None),
            ("", None),
            ("1.99999999999999999999.2", None),
        ];
        for (text, version) in cases {
            assert_eq!(find_version(text), version, "{text}");
        }
        let check = |provider: &str, version| crate::provider::find(provider).unwrap().check_version(version);
        assert!(check("claude", Version(2, 0, 0)).is_ok());
        assert!(check("claude", Version(1, 99, 9)).is_err());
        assert!(check("command", Version(0, 0, 1)).is_ok());
    }

    #[test]
    fn a_probe_reads_what_is_printed() {
        let env = [(OsString::from("PATH"), OsString::from("/usr/bin:/bin"))];
        assert!(probe_version(Path::new("/no/such"), &env).is_err());
        let git = ["/usr/bin/git", "/usr/local/bin/git", "/bin/git"]
            .into_iter()
            .map(Path::new)
            .find(|path| path.exists());
        assert!(probe_version(git.unwrap(), &env).unwrap().is_some());
    }
}
