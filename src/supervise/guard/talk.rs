//! What the run and the guard say to each other: one JSON value a line, over one socket.
//!
//! The first thing that the run sends is handles: on the environment's lock, of the agent's output, errors and input,
//! without the input where it is empty, and on the slots of the run. The order to start a program is followed by a block: its path, its folder, its
//! arguments and its variables, each ended by a zero byte. They may hold secrets, and are as long as the system allows, so
//! that they cannot be arguments of the guard.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::supervise::outcome::Exit;
use crate::supervise::sandbox::NoSandbox;
use crate::sys::child::Program;

/// What the run wants of the guard. No further order, and no [`Order::End`] before that: the run was killed, or has no agent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Start the agent, with the streams that were sent.
    Start {
        /// The run's process.
        run: i32,
        /// The run's id: what the agent leaves carries it.
        run_id: String,
        /// The time between SIGTERM and SIGKILL if the run is killed, in milliseconds.
        grace_ms: u64,
        /// How many of the handles after the first are the agent's streams.
        streams: usize,
        /// How many strings of the block are arguments.
        args: usize,
        /// The arguments are those of a stage, which becomes the agent in its sandbox.
        is_staged: bool,
        /// The limit on its memory.
        memory: Option<u64>,
        /// The process group that it belongs to, on a person's terminal; `None`: one of its own.
        group: Option<i32>,
        /// How long the block is.
        length: usize,
    },
    /// The run stops itself for its user.
    Pause,
    /// The run goes on.
    Resume,
    /// The agent's group has ended: end the rest, and yourself.
    End,
}

/// What the guard tells the run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The agent runs, with this number.
    Started(i32),
    /// The agent could not be started: the system's number of the error, and its text.
    NotStarted(Option<i32>, String),
    /// The agent's sandbox could not be built: why, as far as the stage knows.
    NoSandbox(String),
    /// The agent's process has ended: its exit status, or the signal. It is not reaped yet.
    Exited(Option<i32>, Option<i32>),
    /// So many processes had left the agent's group; none is left.
    Ended(usize),
}

impl Report {
    pub(super) fn not_started(error: &io::Error) -> Report {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<NoSandbox>()) {
            Some(NoSandbox(why)) => Report::NoSandbox(why.clone()),
            None => Report::NotStarted(error.raw_os_error(), error.to_string()),
        }
    }

    pub(super) fn exited(exit: Exit) -> Report {
        Report::Exited(exit.code, exit.signal)
    }
}

/// Says one thing, in one write.
pub(super) fn say(mut to: impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Hears one thing. `None`: the other end is closed.
pub(super) fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    hear_line(from, &mut line)?;
    parse(&line)
}

/// Reads on in a line, of which a part may be there already: a wait with a limit can end within it.
pub(super) fn hear_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    from.read_until(b'\n', line).map(drop)
}

/// What a line says. `None`: it is empty, or cut off.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<Option<T>> {
    if line.ends_with(b"\n") { Ok(Some(serde_json::from_slice(line)?)) } else { Ok(None) }
}

/// The block of a program.
///
/// # Errors
/// Where a string of it has a zero byte: such a program cannot be started.
pub(super) fn block(program: &Program<'_>) -> io::Result<Vec<u8>> {
    let folder = program.dir.unwrap_or(Path::new("/"));
    let fixed = [program.path.as_os_str(), folder.as_os_str()];
    let args = program.args.iter().map(OsString::as_os_str);
    let env = program.env.iter().flat_map(|(name, value)| [name.as_os_str(), value.as_os_str()]);
    let mut block = Vec::new();
    for text in fixed.into_iter().chain(args).chain(env).map(OsStr::as_bytes) {
        if text.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "nul byte found in provided data"));
        }
        block.extend_from_slice(text);
        block.push(0);
    }
    Ok(block)
}

/// A program that came in a block.
#[derive(Debug)]
pub(super) struct Ordered {
    strings: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Ordered {
    /// Reads a block.
    pub(super) fn read(from: &mut impl Read, length: usize, args: usize) -> io::Result<Ordered> {
        let mut block = vec![0; length];
        from.read_exact(&mut block)?;
        let mut texts = block.split(|byte| *byte == 0).map(|text| OsString::from_vec(text.to_vec()));
        let strings: Vec<_> = texts.by_ref().take(2 + args).collect();
        let mut env = Vec::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            env.push((name, value));
        }
        if strings.len() < 2 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(Ordered { strings, env }) }
    }

    pub(super) fn program(&self) -> Program<'_> {
        Program {
            path: Path::new(&self.strings[0]),
            dir: Some(Path::new(&self.strings[1])),
            args: &self.strings[2..],
            env: &self.env,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_arrives_as_it_was_sent() {
        let odd = OsString::from_vec(b"\xff\n".to_vec());
        for args in [vec![], vec!["".into(), "a b".into(), odd.clone()]] {
            for env in [vec![], vec![("A".into(), "".into()), (odd.clone(), "=\n".into())]] {
                let program =
                    Program { path: Path::new("/p"), dir: Some(Path::new("/d")), args: &args, env: &env };
                let block = block(&program).unwrap();
                let read = Ordered::read(&mut &block[..], block.len(), args.len()).unwrap();
                let read = read.program();
                assert_eq!((read.path, read.dir), (program.path, program.dir));
                assert_eq!((read.args, read.env), (&args[..], &env[..]));
            }
        }
        let args = ["a\0b".into()];
        let program = Program { path: Path::new("/p"), dir: None, args: &args, env: &[] };
        assert_eq!(block(&program).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
