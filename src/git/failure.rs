//! A call to git that did not succeed, as a value.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// How much of the end of a stream a failure keeps, in bytes.
const KEPT: usize = 4 << 10;

/// What the system says of a full disk, and of a quota that is used up, in the language that git is started with.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// A call to git that did not succeed. It displays git's own words.
#[derive(Debug)]
pub struct GitFailure {
    /// The program that was started.
    pub program: Box<Path>,
    /// Its arguments, without the settings that every call gets.
    pub arguments: Box<[OsString]>,
    /// The folder it ran in.
    pub dir: Box<Path>,
    /// The end of its standard output.
    pub stdout: Box<str>,
    /// The end of its standard error.
    pub stderr: Box<str>,
    /// How it ended.
    pub end: GitEnd,
}

/// How a call to git ended that did not succeed.
#[derive(Debug)]
pub enum GitEnd {
    /// It exited with a status other than 0, or a signal ended it.
    Exited(ExitStatus),
    /// It took longer than this and was killed. It may have left lock files.
    TimedOut(Duration),
    /// This process was asked to stop and ended it. It may have left lock files.
    Stopped,
    /// It waited for a file that is none, and was killed. It may have left lock files.
    Stuck,
    /// It succeeded, but printed more than execenv reads.
    TooLong,
    /// It could not be started, or its output could not be read.
    Io(std::io::Error),
}

impl GitFailure {
    /// The failure of git in an error's chain, if there is one.
    pub fn find(error: &anyhow::Error) -> Option<&GitFailure> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// Whether execenv ended the call before git did. Then git may have left lock files.
    pub fn was_cut_off(&self) -> bool {
        match &self.end {
            GitEnd::TimedOut(_) | GitEnd::Stopped | GitEnd::Stuck => true,
            GitEnd::Io(error) => error.kind() == std::io::ErrorKind::TimedOut, // something held its output open
            GitEnd::Exited(_) | GitEnd::TooLong => false,
        }
    }
}

impl GitFailure {
    /// Whether git itself has refused, with words of its own: neither a signal, nor a limit, nor a full disk ended it.
    pub fn is_refusal(&self) -> bool {
        matches!(&self.end, GitEnd::Exited(status) if status.code().is_some()) && !self.is_of_full_disk()
    }

    /// Whether git has found the disk full. It exits as for any other reason, and says so in the system's words.
    pub fn is_of_full_disk(&self) -> bool {
        FULL.iter().any(|words| self.stderr.contains(words))
    }
}

/// Whether an error comes from a call to git that execenv ended before git did.
pub fn was_cut_off(error: &anyhow::Error) -> bool {
    GitFailure::find(error).is_some_and(GitFailure::was_cut_off)
}

impl fmt::Display for GitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Settings may stand before the command.
        let mut words = self.arguments.iter().map(|word| word.to_string_lossy());
        let mut command = words.next().unwrap_or_default();
        while command == "-c" {
            command = words.nth(1).unwrap_or_default();
        }
        write!(f, "`git {command}` in {}", self.dir.display())?;
        let words = self.stderr.trim();
        match &self.end {
            GitEnd::Exited(_) if !words.is_empty() => return write!(f, ": {words}"),
            GitEnd::Exited(status) => match status.signal() {
                Some(signal) => write!(f, " was ended by signal {signal}"),
                None => write!(f, " ended with status {}", status.code().unwrap_or_default()),
            },
            GitEnd::TimedOut(limit) => write!(f, " took longer than {} s", limit.as_secs_f32()),
            GitEnd::Stopped => f.write_str(" was stopped"),
            GitEnd::Stuck => f.write_str(" waited for something that is not a file"),
            GitEnd::TooLong => f.write_str(" printed more than execenv reads"),
            GitEnd::Io(error) => write!(f, ": {error}"),
        }?;
        if words.is_empty() { Ok(()) } else { write!(f, ": {words}") }
    }
}

impl Error for GitFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.end {
            GitEnd::Io(error) => error.source(), // the error itself is displayed
            _ => None,
        }
    }
}

/// The end of a stream as text.
pub(super) fn end_of(stream: &[u8]) -> Box<str> {
    String::from_utf8_lossy(&stream[stream.len().saturating_sub(KEPT)..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stderr: &str, end: GitEnd) -> GitFailure {
        GitFailure {
            program: Path::new("/usr/bin/git").into(),
            arguments: ["rev-list".into(), "--all".into()].into(),
            dir: Path::new("/r").into(),
            stdout: "".into(),
            stderr: stderr.into(),
            end,
        }
    }

    #[test]
    fn a_failure_displays_gits_own_words() {
        let exited = |wait_status| GitEnd::Exited(ExitStatus::from_raw(wait_status));
        for (stderr, end, expected) in [
            ("fatal: bad object\n", exited(128 << 8), "`git rev-list` in /r: fatal: bad object"),
            ("", exited(1 << 8), "`git rev-list` in /r ended with status 1"),
            ("", exited(9), "`git rev-list` in /r was ended by signal 9"),
            (
                "waiting\n",
                GitEnd::TimedOut(Duration::from_millis(1500)),
                "`git rev-list` in /r took longer than 1.5 s: waiting",
            ),
            ("", GitEnd::Stopped, "`git rev-list` in /r was stopped"),
            ("", GitEnd::Io(std::io::ErrorKind::NotFound.into()), "`git rev-list` in /r: entity not found"),
        ] {
            assert_eq!(failure(stderr, end).to_string(), expected);
        }
    }

    #[test]
    fn a_full_disk_is_no_refusal() {
        let exited = || GitEnd::Exited(ExitStatus::from_raw(128 << 8));
        for (stderr, end, expected) in [
            ("error: Entry 'a' not uptodate. Cannot merge.", exited(), true),
            ("fatal: write error: No space left on device", exited(), false),
            ("error: unable to write file s/1: Disk quota exceeded", exited(), false),
            ("", GitEnd::Exited(ExitStatus::from_raw(9)), false),
            ("", GitEnd::Stopped, false),
        ] {
            assert_eq!(failure(stderr, end).is_refusal(), expected, "{stderr}");
        }
    }

    #[test]
    fn a_failure_is_found_below_its_context() {
        let timed_out = failure("", GitEnd::TimedOut(Duration::ZERO));
        assert!(was_cut_off(&anyhow::Error::new(timed_out).context("look at it")));
        let refused = failure("no", GitEnd::Exited(ExitStatus::from_raw(256)));
        assert!(!was_cut_off(&anyhow::Error::new(refused)));
        assert!(!was_cut_off(&anyhow::anyhow!("took longer")));
    }

    #[test]
    fn only_the_end_of_a_long_stream_is_kept() {
        let long = [vec![b'x'; 10 << 10], b"the end".to_vec()].concat();
        let kept = end_of(&long);
        assert!(kept.len() == KEPT && kept.ends_with("the end"));
    }
}
