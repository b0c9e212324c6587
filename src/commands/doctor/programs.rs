//! The programs that `doctor` looks for: git and the like, and agent CLIs.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::agents;
use super::document::{LoginReport, ProgramReport};
use super::group::{Group, Line, Mark};
use crate::invocation::Context;
use crate::output::{Cell, Screen, Table, escape};
use crate::provider::login::{self, Login};
use crate::provider::version::probe_version;
use crate::provider::{self, Provider};
use crate::supervise::find_program;

/// Programs that are not agents.
const TOOLS: [&str; 3] = ["git", "gh", "bwrap"];

/// What a first run would lack: an agent CLI, or a login to one.
fn lacking(programs: &[Seen]) -> Option<Line> {
    let mut agents = programs.iter().filter(|seen| seen.row.is_some() && seen.path.is_some()).peekable();
    if agents.peek().is_none() {
        let line = Line::new(Mark::Warn, "no agent CLI was found");
        return Some(
            line.todo("install one (Claude Code, Codex …), or run any program: `execenv run ENV -- PROGRAM`"),
        );
    }
    // An agent whose login execenv cannot see may have one.
    let may_have_login = agents.any(|seen| !matches!(seen.login, Some(None)));
    (!may_have_login).then(|| {
        Line::new(Mark::Warn, "no login to an agent CLI was found").todo("log in to one before its first run")
    })
}

/// A program that was looked for.
pub(super) struct Seen {
    pub(super) name: &'static str,
    wanted: &'static str,
    row: Option<&'static Provider>,
    pub(super) path: Option<PathBuf>,
    pub(super) version: Option<String>,
    too_old: bool,
    login: Option<Option<Login>>,
}

impl Seen {
    fn minimum(&self) -> Option<String> {
        let minimum = self.row.and_then(|row| row.program).and_then(|program| program.minimum)?;
        Some(minimum.to_string())
    }

    /// The line of a program that was found.
    fn line(&self) -> Line {
        let path = self.path.as_ref().map(|path| escape(&path.display().to_string())).unwrap_or_default();
        let version = self.version.as_deref().unwrap_or("of an unknown version");
        let what = format!("{} {version}, {path}", self.name);
        if self.too_old {
            let least = self.minimum().unwrap_or_default();
            return Line::new(Mark::Warn, format!("{what}; too old"))
                .todo(format!("update it to {least} or later"));
        }
        match &self.login {
            None => Line::new(Mark::Ok, what),
            Some(None) => Line::new(Mark::Note, format!("{what}; no login found")).todo(format!(
                "`{}`, and log in there; a login in the system's key store may not be seen",
                self.wanted
            )),
            Some(Some(login)) => {
                Line::new(Mark::Ok, format!("{what}; login by {}", escape(&shown_login(login))))
            }
        }
    }

    pub(super) fn report(&self) -> ProgramReport {
        ProgramReport {
            name: self.name,
            program: self.wanted,
            found: self.path.is_some(),
            path: self.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            version: self.version.clone(),
            too_old: self.too_old,
            minimum: self.minimum(),
            agent: self.row.map(agents::report),
            login: self
                .login
                .as_ref()
                .map(|login| LoginReport { seen: login.is_some(), by: login.as_ref().map(shown_login) }),
        }
    }
}

/// Looks for programs. A repair needs none of them, so `--fix` does not query their versions.
pub(super) fn programs(context: &Context) -> Vec<Seen> {
    let variable = |name: &str| {
        context.settings.inherited.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let path = variable("PATH").unwrap_or_default();
    let mut all: Vec<Seen> = Vec::new();
    let tools = TOOLS.iter().map(|name| (*name, *name, None));
    let agents = provider::all().filter_map(|row| Some((row.name, row.program?.name, Some(row))));
    for (name, wanted, row) in tools.chain(agents) {
        if all.iter().any(|seen| seen.wanted == wanted) {
            continue;
        }
        let program = row.and_then(|row| row.program);
        let by_variable = program.map(|program| program.path_variable);
        let found = find_program(None, by_variable.and_then(variable), wanted, OsStr::new(&path)).ok();
        let version =
            found.as_ref().and_then(|path| probe_version(path, &context.settings.inherited).ok().flatten());
        let too_old = row.zip(version).is_some_and(|(row, version)| row.check_version(version).is_err());
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let login = row.and_then(|row| login::find(row, context.settings.home.as_deref(), &text));
        let version = version.map(|version| version.to_string());
        all.push(Seen { name, wanted, row, path: found, version, too_old, login });
    }
    all
}

/// The lines of what is no agent.
pub(super) fn tools(programs: &[Seen]) -> Vec<Line> {
    let tools = programs.iter().filter(|seen| seen.row.is_none() && seen.name != "bwrap");
    let line = |seen: &Seen| match (&seen.path, seen.name) {
        (Some(_), _) => seen.line(),
        (None, "git") => {
            Line::new(Mark::Fail, "git is not in PATH: worktrees, checkpoints and repositories need it")
                .todo("install git 2.38 or later")
        }
        (None, name) => Line::new(Mark::Note, format!("{name} is not in PATH: `publish --to pr` needs it"))
            .todo("install it (https://cli.github.com), then `gh auth login`"),
    };
    tools.map(line).collect()
}

/// The group of the agent CLIs: those that were found, and what execenv makes of them.
pub(super) fn agents(programs: &[Seen]) -> Group {
    let mut group = Group::new("Agent CLIs");
    let agents: Vec<&Seen> = programs.iter().filter(|seen| seen.row.is_some()).collect();
    let (found, missing): (Vec<&Seen>, Vec<&Seen>) = agents.into_iter().partition(|seen| seen.path.is_some());
    group.extend(found.iter().map(|seen| seen.line()));
    group.extend(lacking(programs));
    if !found.is_empty() {
        let mut table = Table::new(agents::COLUMNS);
        for row in found.iter().filter_map(|seen| seen.row) {
            table.row(agents::row(row).map(Cell::from));
        }
        let screen = Screen::of_stdout();
        let width = screen.width.map(|width| width.saturating_sub(2));
        group.table(table.text(Screen { width, ..screen }));
    }
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|seen| seen.name).collect();
        group.push(Line::new(Mark::Aside, format!("not found: {}", names.join(", "))));
    }
    group
}

fn shown_login(login: &Login) -> String {
    match login {
        Login::Variable(name) => format!("variable {name}"),
        Login::File(path) => format!("file {}", path.display()),
    }
}
