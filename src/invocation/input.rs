//! What a command reads from outside: files that options name, and standard input. Every input has a limit, and one
//! that is longer is refused, never cut.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use anyhow::Result;

use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};
use crate::run::LONGEST_MESSAGE;
use crate::sys::tree::Tree;

/// A kind of input: how messages name it, how long it may be, and the code of its failures.
#[derive(Clone, Copy, Debug)]
pub struct UserInput {
    /// What it is: "the prompt".
    pub noun: &'static str,
    /// The longest that is accepted, in bytes.
    pub limit: u64,
    code: Code,
    /// What to do when it cannot be read.
    hint: &'static str,
    /// Whether the path `-` means standard input.
    has_stdin: bool,
}

const MIB: u64 = 1 << 20;

impl UserInput {
    /// The task document, `--task`.
    pub const TASK: UserInput = UserInput {
        noun: "the task document",
        limit: 16 * MIB,
        code: Code::BadDocument,
        hint: "check the path given to `--task` and its permissions; `-` reads standard input",
        has_stdin: true,
    };
    /// The agent's instructions, `--instructions`.
    pub const INSTRUCTIONS: UserInput = UserInput {
        noun: "the instructions",
        hint: "check the path given to `--instructions` and its permissions",
        has_stdin: false,
        ..UserInput::TASK
    };
    /// The text of a pull request, `--body-file`.
    pub const BODY: UserInput = UserInput {
        noun: "the text of the pull request",
        limit: MIB,
        hint: "check the path given to `--body-file` and its permissions; `-` reads standard input",
        has_stdin: true,
        ..UserInput::TASK
    };
    /// The MCP servers of the task, `--mcp-config`.
    pub const MCP_CONFIG: UserInput = UserInput {
        noun: "the MCP configuration",
        hint: "check the path given to `--mcp-config` and its permissions",
        ..UserInput::INSTRUCTIONS
    };
    /// The `SKILL.md` of a skill, in a folder that `--skills` names.
    pub const SKILL_FILE: UserInput = UserInput {
        noun: "the skill file",
        limit: 8 * MIB,
        hint: "check the file and its permissions",
        ..UserInput::INSTRUCTIONS
    };
    /// A file beside it: a script, a font, a picture.
    pub const SKILL_ASSET: UserInput = UserInput { limit: 64 * MIB, ..UserInput::SKILL_FILE };
    /// The prompt of a run, `--prompt-file`.
    pub const PROMPT: UserInput = UserInput {
        noun: "the prompt",
        code: Code::Usage,
        hint: "check the path given to `--prompt-file` and its permissions; `-` reads standard input",
        ..UserInput::TASK
    };
    /// The record of an earlier conversation, `--history`.
    pub const HISTORY: UserInput = UserInput {
        noun: "the history",
        hint: "check the path given to `--history` and its permissions",
        ..UserInput::PROMPT
    };
    /// A message for a running agent, `send ENV -`.
    pub const MESSAGE: UserInput = UserInput {
        noun: "the message",
        limit: LONGEST_MESSAGE as u64,
        hint: "give it on standard input, or as the argument",
        ..UserInput::PROMPT
    };
    /// What is added to the agent's system prompt, `--system-prompt-file`.
    pub const SYSTEM_PROMPT: UserInput = UserInput {
        noun: "the system prompt",
        code: Code::Usage,
        hint: "check the path given to `--system-prompt-file` and its permissions",
        ..UserInput::INSTRUCTIONS
    };
    /// Variables for the agent, `--env-file`.
    pub const ENV_FILE: UserInput = UserInput {
        noun: "the list of variables",
        hint: "check the path given to `--env-file` and its permissions",
        ..UserInput::SYSTEM_PROMPT
    };
    /// A patch, `restore --from`.
    pub const PATCH: UserInput = UserInput {
        noun: "the patch",
        limit: 256 * MIB,
        code: Code::Usage,
        hint: "`--from` takes the number of a checkpoint, or a file with a patch",
        has_stdin: true,
    };
    /// The server's token, `--token-file`.
    pub const TOKEN: UserInput = UserInput {
        noun: "the token",
        limit: MIB,
        hint: "`--token-file` takes a text file that holds the token on one line",
        ..UserInput::SYSTEM_PROMPT
    };
    /// The event of an agent CLI's hook, always on standard input.
    pub const HOOK: UserInput = UserInput {
        noun: "the event of the hook",
        limit: MIB,
        hint: "the settings file of the agent CLI calls this command: see `execenv man hook`",
        ..UserInput::TASK
    };
    /// The configuration file, `--config`.
    pub const CONFIG: UserInput = UserInput {
        noun: "the configuration",
        limit: MIB,
        code: Code::BadConfig,
        hint: "`--config FILE` and EXECENV_CONFIG take a JSON file",
        has_stdin: false,
    };
    /// The login that `multica login` stores.
    pub const LOGIN: UserInput = UserInput {
        noun: "multica's login",
        hint: "log in with `multica login`, or use `--server URL`",
        ..UserInput::CONFIG
    };

    /// Reads the file at `path`, or standard input where this input allows `-`. Relative paths start at `cwd`.
    ///
    /// # Errors
    /// A failure with status 2 that names the input when it cannot be read or is longer than [`UserInput::limit`].
    pub fn read(self, path: &Path, cwd: &CurrentFolder) -> Result<Vec<u8>> {
        self.checked(path, cwd, self.open(path, cwd)?)
    }

    /// The same for an input that may be missing.
    ///
    /// # Errors
    /// As [`UserInput::read`], but for a file that does not exist.
    pub fn read_if_exists(self, path: &Path, cwd: &CurrentFolder) -> Result<Option<Vec<u8>>> {
        match self.open(path, cwd)? {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => self.checked(path, cwd, read).map(Some),
        }
    }

    /// The same for text.
    ///
    /// # Errors
    /// As [`UserInput::read`], and when it is not UTF-8.
    pub fn read_text(self, path: &Path, cwd: &CurrentFolder) -> Result<String> {
        String::from_utf8(self.read(path, cwd)?)
            .map_err(|_| self.failure(format!("{} is not UTF-8 text", self.name(path, cwd))).into())
    }

    /// Reads a file below an open folder, through no link.
    ///
    /// # Errors
    /// As [`UserInput::read`].
    pub fn read_in(self, folder: &Tree, relative: &Path) -> Result<Vec<u8>> {
        let read = match folder.read(relative, self.limit) {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => Err(ErrorKind::NotFound.into()),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Ok(None),
            Err(error) => Err(error),
        };
        self.checked(relative, &CurrentFolder::new(Ok(folder.path().to_owned())), read)
    }

    /// The same for text.
    ///
    /// # Errors
    /// As [`UserInput::read_text`].
    pub fn read_text_in(self, folder: &Tree, relative: &Path) -> Result<String> {
        String::from_utf8(self.read_in(folder, relative)?).map_err(|_| {
            let shown = folder.path().join(relative);
            self.failure(format!("{} in {} is not UTF-8 text", self.noun, shown.display())).into()
        })
    }

    /// Where an input comes from: a path, or "standard input".
    pub fn place(self, path: &Path, cwd: &CurrentFolder) -> String {
        if self.is_stdin(path) {
            return "standard input".into();
        }
        cwd.shown(path)
    }

    fn is_stdin(self, path: &Path) -> bool {
        self.has_stdin && path == Path::new("-")
    }

    /// The whole input; `None` when it is longer than the limit.
    fn open(self, path: &Path, cwd: &CurrentFolder) -> Result<io::Result<Option<Vec<u8>>>, Failure> {
        if self.is_stdin(path) {
            return Ok(self.bounded(io::stdin().lock(), 0));
        }
        let path = cwd.join(path)?;
        Ok(File::open(path).and_then(|file| {
            let expected = file.metadata()?.len();
            self.bounded(file, expected)
        }))
    }

    fn checked(self, path: &Path, cwd: &CurrentFolder, read: io::Result<Option<Vec<u8>>>) -> Result<Vec<u8>> {
        let name = || self.name(path, cwd);
        match read {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                let message = format!("{} is longer than {} MiB", name(), self.limit / MIB);
                let hint = "shorten it, or check that this is the right file";
                Err(Failure::new(self.code, message).hint(hint).into())
            }
            Err(error) => Err(self.failure(format!("cannot read {}: {error}", name())).into()),
        }
    }

    /// `expected` is a guess of the length: with room for it a file takes two reads, not one for each doubling.
    fn bounded(self, input: impl Read, expected: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(usize::try_from(expected.min(self.limit)).unwrap_or(0) + 1);
        input.take(self.limit + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= self.limit).then_some(bytes))
    }

    fn name(self, path: &Path, cwd: &CurrentFolder) -> String {
        let preposition = if self.is_stdin(path) { "on" } else { "in" };
        format!("{} {preposition} {}", self.noun, self.place(path, cwd))
    }

    fn failure(self, message: String) -> Failure {
        Failure::new(self.code, message).hint(self.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_whole_or_refused() {
        let input = UserInput { limit: 4 * MIB, ..UserInput::TASK };
        let whole = vec![b'x'; 4 << 20];
        assert_eq!(input.bounded(&whole[..], 4 * MIB).unwrap().as_deref(), Some(&whole[..]));
        assert_eq!(input.bounded(io::repeat(b'x'), 0).unwrap(), None);
        let error = input.checked(Path::new("-"), &CurrentFolder::new(Ok("/".into())), Ok(None)).unwrap_err();
        let failure = Failure::find(&error).unwrap();
        assert_eq!(failure.message, "the task document on standard input is longer than 4 MiB");
        assert_eq!(failure.code.status(), 2);
    }

    #[test]
    fn a_missing_file_is_status_2_and_names_option_and_path() {
        let (path, cwd) = (Path::new("none"), &CurrentFolder::new(Ok("/nowhere".into())));
        let error = UserInput::TOKEN.read(path, cwd).unwrap_err();
        let failure = Failure::find(&error).unwrap();
        assert!(failure.message.starts_with("cannot read the token in /nowhere/none: "), "{failure}");
        assert!(failure.hint.as_deref().unwrap().contains("`--token-file`"));
        assert_eq!(failure.code.status(), 2);
        assert_eq!(UserInput::CONFIG.read_if_exists(path, cwd).unwrap(), None);
    }
}
