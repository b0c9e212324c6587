//! The stages, each a process of its own: `execenv __stage PIPE KIND COUNT WORD… PROGRAM ARGUMENT…`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::told::Told;
use super::{BWRAP, COPIED, INSIDE, LANDLOCK, NO_NETWORK, STAGE_WORD, WRITE};
use crate::sys::child;
use crate::sys::confine::Right;
use crate::sys::jail;

/// The entry of a stage. `None` for any other command line; a status only where the agent did not start.
pub fn main(arguments: &[OsString]) -> Option<u8> {
    let [_, word, pipe, kind, count, words @ ..] = arguments else { return None };
    (word == STAGE_WORD).then(|| {
        let number = |word: &OsStr| word.to_str().and_then(|word| word.parse().ok());
        let (Some(pipe), Some(count)) = (number(pipe).and_then(jail::handed), number(count)) else {
            return 2;
        };
        let Some((own, program)) =
            usize::try_from(count).ok().and_then(|count| words.split_at_checked(count))
        else {
            return 2;
        };
        let (pipe, number) = pipe;
        let mut told = Told::by(pipe);
        let stage = Stage { pipe: number, own, program };
        if let Err(why) = stage.build(kind, &mut told) {
            told.not_built(&why);
        }
        NOT_BUILT
    })
}

/// A word of bubblewrap's; for a file to copy, the number of it, which is opened. One that cannot be read is empty.
fn with_file(word: &OsStr, open: &mut Vec<OwnedFd>) -> OsString {
    let Some(path) = word.as_bytes().strip_prefix(COPIED.as_bytes()) else { return word.to_owned() };
    let file = File::open(OsStr::from_bytes(path)).or_else(|_| File::open("/dev/null"));
    let Some(file) = file.ok().and_then(|file| rustix::io::dup(file).ok()) else { return word.to_owned() };
    let number = file.as_raw_fd().to_string();
    open.push(file);
    number.into()
}

/// The status of a stage that could not become the agent. The guard does not go by it.
const NOT_BUILT: u8 = 125;

struct Stage<'a> {
    /// The number of the pipe to the guard.
    pipe: i32,
    /// The words of the kind.
    own: &'a [OsString],
    /// The program with its arguments.
    program: &'a [OsString],
}

impl Stage<'_> {
    /// Returns only why it failed; a program that cannot be started is told already.
    fn build(&self, kind: &OsStr, told: &mut Told) -> Result<(), String> {
        if kind == INSIDE {
            return self.inside(told);
        }
        // It leads no group, so it may.
        rustix::process::setsid().map_err(|error| format!("a session of its own: {error}"))?;
        jail::leave_keyring();
        jail::close_others();
        match kind.to_str() {
            Some(BWRAP) => self.become_bwrap(told),
            Some(LANDLOCK) => self.confine(told),
            _ => Err("this version does not know its kind".to_owned()),
        }
    }

    /// Bubblewrap starts this executable again, which is open: its path may be hidden, or another's by then.
    fn become_bwrap(&self, told: &Told) -> Result<(), String> {
        let (bwrap, args) = self.own.split_first().ok_or("no program")?;
        let itself = File::open("/proc/self/exe").and_then(|file| Ok(rustix::io::dup(file)?));
        let itself = itself.map_err(|error| format!("open execenv: {error}"))?;
        let number = itself.as_raw_fd().to_string();
        let mut open = Vec::new();
        let mut all: Vec<OsString> = args.iter().map(|word| with_file(word, &mut open)).collect();
        let inside = [
            "--",
            &format!("/proc/self/fd/{number}"),
            STAGE_WORD,
            &self.pipe.to_string(),
            INSIDE,
            "1",
            &number,
        ];
        all.extend(inside.map(OsString::from));
        all.extend(self.program.iter().cloned());
        jail::keep_through_start(told.pipe());
        jail::ignore_requests();
        Err(format!("{}: {}", bwrap.display(), child::become_program(Path::new(bwrap), &all)))
    }

    fn inside(&self, told: &mut Told) -> Result<(), String> {
        let itself = self.own.first().and_then(|word| word.to_str()?.parse().ok());
        drop(itself.and_then(jail::handed));
        jail::heed_requests();
        jail::leave_sockets_without_path(); // where it cannot, the run has said so
        match jail::forbid(true) {
            Err(error) if error.kind() != std::io::ErrorKind::Unsupported => {
                return Err(format!("the filter of system calls: {error}"));
            }
            _ => {}
        }
        self.start(told)
    }

    fn confine(&self, told: &mut Told) -> Result<(), String> {
        let (network, paths) = self.own.split_first().ok_or("no word on the network")?;
        if network == NO_NETWORK {
            jail::leave_network().map_err(|error| {
                format!("without a network it needs a user and a network namespace, and the system allows none: {error}")
            })?;
        }
        jail::drop_capabilities().map_err(|error| format!("give up capabilities: {error}"))?;
        let rights: Vec<(PathBuf, Right)> = paths
            .iter()
            .filter_map(|word| {
                let (mark, path) = word.as_bytes().split_first()?;
                let right = if *mark == WRITE { Right::Write } else { Right::Read };
                Some((PathBuf::from(OsStr::from_bytes(path)), right))
            })
            .collect();
        jail::confine(&rights).map_err(|error| format!("Landlock: {error}"))?;
        jail::forbid(false).map_err(|error| format!("the filter of system calls: {error}"))?;
        self.start(told)
    }

    fn start(&self, told: &mut Told) -> Result<(), String> {
        let (program, args) = self.program.split_first().ok_or("no program")?;
        told.begins();
        let error = child::become_program(Path::new(program), args);
        told.not_started(&error);
        Ok(())
    }
}
