//! The types of a provider's row.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::description::Description;
use super::launch::Dialect;
use super::plan::{Home, HomePlan, HomeRequest};
use super::version::{self, Version};
use crate::failure::Failure;
use crate::sys::tree::Tree;

/// Everything that execenv knows about one agent CLI.
#[derive(Debug)]
pub struct Provider {
    /// Its name in task documents and for `--provider`.
    pub name: &'static str,
    /// The folder where the CLI looks for skills, relative to the work dir. `None`: it looks in its home only.
    pub skills_dir: Option<&'static str>,
    /// The file in the work dir that the CLI reads when it starts.
    pub brief_file: Option<&'static str>,
    /// The prompt repeats the brief, because the CLI does not always read the file.
    pub inline_brief: bool,
    /// The executable; `None` where it is unknown, or is whatever the user names.
    pub program: Option<Program>,
    /// How the task's MCP servers reach the agent.
    pub mcp: McpChannel,
    /// Plans what the environment needs besides the context in the work dir.
    pub plan: Option<PlanHome>,
    /// The files, relative to the work dir, that its plan puts there besides skills and brief.
    pub sidecars: &'static [&'static str],
    /// The folders among its homes in the env root.
    pub folders: &'static [HomeFolder],
    /// Folders outside of the env root that it writes in: its conversations, and what it keeps of itself.
    pub writes: &'static [LoginFile],
    /// Folders of its settings in which it also makes files: in a sandbox it gets copies of them, where it can.
    pub scratch: &'static [LoginFile],
    /// How to see whether the user is logged in.
    pub login: Option<LoginPlaces>,
    /// What an agent's error says to type when a login is missing.
    pub login_hint: Option<&'static str>,
    /// The arguments by which the CLI logs in without a terminal: it prints an address, and reads a code from standard input.
    pub auth_login: Option<&'static [&'static str]>,
    /// Every variable that its plan can set: what else a record names was put there by another program.
    pub exports: &'static [&'static str],
    /// Variables that the environment sets and a task may not: with other values the CLI would leave its home.
    pub own_variables: &'static [&'static str],
    /// Variables of a task that only its plan reads: the agent does not get them.
    pub plan_variables: &'static [&'static str],
    /// Arguments that `run` sets itself and removes from the user's.
    pub own_arguments: &'static [OwnArgument],
    /// Whether this program lacks what the first dialect needs: the second one is used then.
    pub lacks_first: fn(&Path) -> bool,
    /// How `run` can start and read it; the first is used unless another one is asked for. Empty: `run` needs a program
    /// after `--`.
    pub dialects: &'static [Dialect],
    /// It cannot resume a session by its command line.
    pub forgets_sessions: bool,
    /// The CLI's own sandbox for what its tools do.
    pub own_sandbox: OwnSandbox,
    /// How to start it, where the user has described it.
    pub described: Option<&'static Description>,
}

/// Plans a provider's homes; reads the user's set-up, changes nothing.
pub type PlanHome = fn(&HomeRequest<'_>) -> Result<HomePlan>;

/// An agent's executable.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name on `PATH`.
    pub name: &'static str,
    /// The variable that names another one.
    pub path_variable: &'static str,
    /// The oldest version that execenv works with; `None`: any.
    pub minimum: Option<Version>,
}

/// Whether a CLI confines what its tools do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnSandbox {
    /// Not looked at.
    Unknown,
    /// It has no sandbox.
    None,
    /// The user's own settings decide; execenv changes nothing.
    AsTheUserSetIt,
    /// Its plan sets the sandbox, as an option of execenv's says.
    SetByExecenv,
}

/// How a provider learns of the MCP servers that a task manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpChannel {
    /// Its plan passes them.
    Planned,
    /// Its command line takes a file ([`super::mcp_file`]).
    File,
    /// The program that opens the agent's session (ACP) must name them; the agent also sees those of its own configuration.
    Session,
    /// The CLI has no MCP client: a task may manage an empty set only.
    Never,
    /// Unknown: a task that manages servers is refused.
    Unknown,
}

/// A home in the env root that is a folder: some of its files are execenv's, the rest is the agent's. Whether another
/// provider's environment keeps the rest is in its row of [`crate::layout`].
#[derive(Debug)]
pub struct HomeFolder {
    /// Its name in the env root.
    pub name: &'static str,
    /// Files without which the agent would run with another set-up than the task asks for. They may hold secrets.
    pub own_files: &'static [&'static str],
    /// Files that are links to the user's logins, besides those with a [telling name](HomeFolder::is_login).
    pub logins: &'static [&'static str],
    /// The keys of those files that are the login, where their other keys are settings. Empty: the whole file is a login.
    pub login_keys: &'static [&'static str],
    /// Plans the home without its secrets. `None`: there is nothing to change.
    pub without_secrets: fn(&Tree, &HomeFolder) -> Result<Option<Home>>,
}

/// Parts of the names of files that hold logins.
const LOGIN_WORDS: [&str; 4] = ["auth", "credential", "oauth", "token"];

impl HomeFolder {
    /// Whether a file of this name in the home holds a login: where it is no link, the agent has replaced the link to the
    /// user's login by a copy, or has made a login of its own.
    pub fn is_login(&self, name: &OsStr) -> bool {
        let lower = name.to_string_lossy().to_ascii_lowercase();
        LOGIN_WORDS.iter().any(|word| lower.contains(word)) || self.logins.iter().any(|login| name == *login)
    }

    /// The keys of a login file that are the login; `None`: all of it.
    pub fn login_keys(&self, name: &OsStr) -> Option<&'static [&'static str]> {
        let is_listed = self.logins.iter().any(|login| name == *login);
        Some(self.login_keys).filter(|keys| is_listed && !keys.is_empty())
    }
}

/// Where a CLI's login shows.
#[derive(Clone, Copy, Debug)]
pub struct LoginPlaces {
    /// Variables that hold a key.
    pub variables: &'static [&'static str],
    /// A file that holds the login.
    pub file: Option<LoginFile>,
}

/// A login file below a folder that a variable names, else below a folder of the user's home.
#[derive(Clone, Copy, Debug)]
pub struct LoginFile {
    /// The variable.
    pub variable: &'static str,
    /// The folder, relative to the user's home.
    pub below_home: &'static str,
    /// The file, relative to the folder.
    pub file: &'static str,
}

/// An argument that `run` sets itself, and what follows it on a command line.
pub type OwnArgument = (&'static str, Takes);

/// What follows an argument on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A value.
    Value,
    /// A value, unless the next argument is a flag.
    Optional,
}

impl Provider {
    /// Whether `run` can resume its sessions.
    pub fn resumes(&self) -> bool {
        let has_place = self.described.is_none_or(Description::resumes);
        !self.dialects.is_empty() && !self.forgets_sessions && has_place
    }

    /// Refuses a version of the program that is too old.
    ///
    /// # Errors
    /// As [`version::check_minimum`].
    pub fn check_version(&self, found: Version) -> Result<(), Failure> {
        let Some(program) = self.program else { return Ok(()) };
        match program.minimum {
            Some(minimum) => version::check_minimum(program.name, found, minimum),
            None => Ok(()),
        }
    }
}

impl LoginFile {
    /// The file's path: below the folder that the variable names, else below the user's home.
    pub fn path(&self, home: Option<&Path>, variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
        let named = variable(self.variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        Some(named.or_else(|| Some(home?.join(self.below_home)))?.join(self.file))
    }
}

/// The steps in which a row is written down.
impl Provider {
    /// Skills in a folder of the work dir, the brief in `AGENTS.md`, nothing else.
    pub(super) const fn new(name: &'static str, skills_dir: &'static str) -> Provider {
        Provider {
            name,
            skills_dir: Some(skills_dir),
            brief_file: Some("AGENTS.md"),
            inline_brief: false,
            program: None,
            mcp: McpChannel::Unknown,
            plan: None,
            sidecars: &[],
            folders: &[],
            writes: &[],
            scratch: &[],
            login: None,
            login_hint: None,
            auth_login: None,
            exports: &[],
            own_variables: &[],
            plan_variables: &[],
            own_arguments: &[],
            lacks_first: |_| false,
            dialects: &[],
            forgets_sessions: false,
            own_sandbox: OwnSandbox::Unknown,
            described: None,
        }
    }

    pub(super) const fn skills_in_home(self) -> Provider {
        Provider { skills_dir: None, ..self }
    }

    pub(super) const fn brief(self, file: &'static str) -> Provider {
        Provider { brief_file: Some(file), ..self }
    }

    pub(super) const fn no_brief(self) -> Provider {
        Provider { brief_file: None, ..self }
    }

    pub(super) const fn inline_brief(self) -> Provider {
        Provider { inline_brief: true, ..self }
    }

    pub(super) const fn program(self, name: &'static str, path_variable: &'static str) -> Provider {
        Provider { program: Some(Program { name, path_variable, minimum: None }), ..self }
    }

    /// After [`Self::program`].
    pub(super) const fn minimum(self, minimum: Version) -> Provider {
        match self.program {
            Some(program) => {
                Provider { program: Some(Program { minimum: Some(minimum), ..program }), ..self }
            }
            None => panic!("a minimum version needs a program"),
        }
    }

    pub(super) const fn mcp(self, mcp: McpChannel) -> Provider {
        Provider { mcp, ..self }
    }

    pub(super) const fn plan(self, plan: PlanHome) -> Provider {
        Provider { plan: Some(plan), ..self }
    }

    pub(super) const fn sidecars(self, sidecars: &'static [&'static str]) -> Provider {
        Provider { sidecars, ..self }
    }

    pub(super) const fn folders(self, folders: &'static [HomeFolder]) -> Provider {
        Provider { folders, ..self }
    }

    pub(super) const fn login(self, variables: &'static [&'static str], file: Option<LoginFile>) -> Provider {
        Provider { login: Some(LoginPlaces { variables, file }), ..self }
    }

    pub(super) const fn writes(self, folders: &'static [LoginFile]) -> Provider {
        Provider { writes: folders, ..self }
    }

    pub(super) const fn scratch(self, folders: &'static [LoginFile]) -> Provider {
        Provider { scratch: folders, ..self }
    }

    pub(super) const fn login_hint(self, hint: &'static str) -> Provider {
        Provider { login_hint: Some(hint), ..self }
    }

    pub(super) const fn auth_login(self, args: &'static [&'static str]) -> Provider {
        Provider { auth_login: Some(args), ..self }
    }

    pub(super) const fn exports(self, names: &'static [&'static str]) -> Provider {
        Provider { exports: names, ..self }
    }

    pub(super) const fn own_variables(self, variables: &'static [&'static str]) -> Provider {
        Provider { own_variables: variables, ..self }
    }

    pub(super) const fn plan_variables(self, variables: &'static [&'static str]) -> Provider {
        Provider { plan_variables: variables, ..self }
    }

    pub(super) const fn own_arguments(self, arguments: &'static [OwnArgument]) -> Provider {
        Provider { own_arguments: arguments, ..self }
    }

    pub(super) const fn forgets_sessions(self) -> Provider {
        Provider { forgets_sessions: true, ..self }
    }

    pub(super) const fn own_sandbox(self, sandbox: OwnSandbox) -> Provider {
        Provider { own_sandbox: sandbox, ..self }
    }

    pub(super) const fn lacks_first(self, probe: fn(&Path) -> bool) -> Provider {
        Provider { lacks_first: probe, ..self }
    }

    pub(super) const fn dialects(self, dialects: &'static [Dialect]) -> Provider {
        Provider { dialects, ..self }
    }
}

/// A folder for [`Provider::writes`].
pub(super) const fn below(
    variable: &'static str,
    below_home: &'static str,
    folder: &'static str,
) -> LoginFile {
    LoginFile { variable, below_home, file: folder }
}

/// A login file for [`Provider::login`].
pub(super) const fn login_file(
    variable: &'static str,
    below_home: &'static str,
    file: &'static str,
) -> Option<LoginFile> {
    Some(LoginFile { variable, below_home, file })
}
