//! This program in the place of another one: a child that is killed with its parent, a process that becomes a program.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::{Program, command, limited};

/// The status of a shell that cannot start a program.
const NOT_STARTED: u8 = 127;

/// This program's file, also where another one has its path by now.
pub(super) const ITSELF: &str = "/proc/self/exe";
/// The hidden subcommand that a bound child begins as.
const BOUND_WORD: &str = "__bound";

/// The arguments with which this program becomes another one that is killed with its parent. A child can only ask for that
/// itself, and the kernel keeps the wish when the child turns into another program. `None`: no such thing on this system.
pub(super) fn bound_words(program: Program<'_>) -> Option<Vec<OsString>> {
    // A unit test is no execenv.
    if !cfg!(target_os = "linux") || cfg!(test) {
        return None;
    }
    let parent = rustix::process::getpid().as_raw_nonzero().to_string();
    let words = [BOUND_WORD.into(), parent.into(), program.path.into()];
    Some(words.into_iter().chain(program.args.iter().cloned()).collect())
}

/// The entry of a bound child: `execenv __bound PARENT PROGRAM ARGUMENT…` becomes that program. `None` for any other command
/// line; a status only where it could not be started.
pub fn bound(arguments: &[OsString]) -> Option<u8> {
    let [_, word, parent, path, args @ ..] = arguments else { return None };
    (word == BOUND_WORD).then(|| {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
            log::debug!("it will outlive its parent: {error}");
        }
        // The parent may be gone already.
        let is_there = rustix::process::getppid()
            .is_some_and(|now| parent.to_str() == Some(&now.as_raw_nonzero().to_string()));
        if is_there {
            let error = become_program(Path::new(path), args);
            let _ = writeln!(io::stderr(), "{}: {error}", path.display());
        }
        NOT_STARTED
    })
}

/// Becomes another program, with the same variables, folder and streams. Returns only why it could not.
pub fn become_program(path: &Path, args: &[OsString]) -> io::Error {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    std::os::unix::process::CommandExt::exec(Command::new(path).args(args))
}

/// Starts this program itself again, as a process of this one's group, with one more open file for it. It keeps to `memory` as by
/// [`start_limited`](super::start_limited).
///
/// # Errors
/// As [`start`](super::start).
pub fn start_itself(
    program: Program<'_>,
    memory: Option<u64>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
) -> io::Result<Child> {
    let program = Program { path: Path::new(ITSELF), ..program };
    limited(memory, || command(program).stdin(stdin).stdout(stdout).stderr(stderr).spawn())
}
