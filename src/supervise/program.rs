//! Finds a program, and explains why one did not start.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

use crate::failure::{Code, Failure};

/// Finds a program: the one of the flag, else of the variable, else `name` in `path`. A path is taken as it is, and never
/// replaced by another program of that name.
///
/// # Errors
/// [`Code::AgentNotFound`], or [`Code::AgentNotStarted`] for a file that may not be executed.
pub fn find_program(
    explicit: Option<&Path>,
    variable: Option<OsString>,
    name: &str,
    path: &OsStr,
) -> Result<PathBuf, Failure> {
    let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    let wanted = explicit.map(Path::to_path_buf).or(variable).unwrap_or_else(|| name.into());
    let hint =
        "install it, or give its path: `--agent-bin PATH`; `execenv doctor` shows which programs are found";
    if wanted.as_os_str().as_encoded_bytes().contains(&b'/') {
        let absolute = std::path::absolute(&wanted).unwrap_or(wanted);
        return match executable(&absolute) {
            Ok(()) => Ok(absolute),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                Err(Failure::new(Code::AgentNotFound, format!("{} does not exist", absolute.display()))
                    .hint(hint))
            }
            Err(error) => Err(not_executable(&absolute, error)),
        };
    }
    let mut denied = None;
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let candidate = dir.join(&wanted);
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => denied = denied.or(Some((candidate, error))),
        }
    }
    Err(match denied {
        Some((candidate, error)) => not_executable(&candidate, error),
        None => {
            Failure::new(Code::AgentNotFound, format!("`{}` is not in PATH", wanted.display())).hint(hint)
        }
    })
}

fn executable(path: &Path) -> Result<(), Errno> {
    let meta = path.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    if !meta.is_file() {
        return Err(Errno::ISDIR);
    }
    rustix::fs::access(path, Access::EXEC_OK)
}

fn not_executable(path: &Path, error: Errno) -> Failure {
    let why = if error == Errno::ISDIR {
        "it is not a file".to_owned()
    } else {
        io::Error::from(error).to_string()
    };
    Failure::new(Code::AgentNotStarted, format!("{} cannot be executed: {why}", path.display()))
        .hint(format!("`ls -l {}` shows its mode", path.display()))
}

/// The failure of a program that was found and did not start.
pub(super) fn not_started(program: &Path, work_dir: &Path, error: io::Error) -> anyhow::Error {
    let shown = program.display();
    let failure = match Errno::from_io_error(&error) {
        _ if !work_dir.is_dir() => Failure::new(
            Code::WorkDirGone,
            format!("the work dir {} no longer exists", work_dir.display()),
        ),
        Some(Errno::NOENT) if program.exists() => {
            Failure::new(Code::AgentNotStarted, format!("{shown} cannot start: its interpreter is missing"))
                .hint(format!("`head -1 {shown}` names the interpreter"))
        }
        Some(Errno::NOENT | Errno::NOTDIR) => {
            Failure::new(Code::AgentNotFound, format!("{shown} does not exist"))
        }
        Some(Errno::NOEXEC) => Failure::new(
            Code::AgentNotStarted,
            format!("{shown} is not a program that this system can execute"),
        )
        .hint("an npm package whose install script was blocked leaves such a stub: install it again with scripts allowed"),
        Some(Errno::TOOBIG) => {
            Failure::new(Code::AgentNotStarted, format!("{shown}: the arguments and variables are too long"))
        }
        _ => Failure::new(Code::AgentNotStarted, format!("{shown} cannot be started")),
    };
    anyhow::Error::new(error).context(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_or_missed_with_the_right_code() {
        let path = OsStr::new("/usr/bin:/bin");
        assert!(find_program(None, None, "sh", path).unwrap().ends_with("sh"));
        assert!(find_program(None, Some("/bin/sh".into()), "no-such", path).is_ok());
        let code =
            |explicit: &str| find_program(Some(Path::new(explicit)), None, "sh", path).unwrap_err().code;
        assert_eq!(code("/no/such/program"), Code::AgentNotFound);
        assert_eq!(code("no-such-program"), Code::AgentNotFound);
        assert_eq!(code("/etc/passwd"), Code::AgentNotStarted);
        assert_eq!(code("/etc/"), Code::AgentNotStarted);
    }
}
