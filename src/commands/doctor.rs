//! `execenv doctor`.

mod agents;
pub(crate) mod document;
mod finding;
mod left;
mod repairs;
mod sandboxes;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use document::{CodexSandbox, DoctorDocument, LockReach, LoginReport, ProgramReport};
use finding::Finding;
use repairs::Repairs;
use sandboxes::Sandboxes;

use crate::environment::health::{Complaint, Problem, Repair, examine};
use crate::environment::trash::{delete, half_deleted};
use crate::environment::{Deletion, WorkspacesRoot, is_root_exposed, sweep_run_folders};
use crate::failure::Code;
use crate::gc::sweep_staging;
use crate::invocation::Context;
use crate::layout::names;
use crate::output::{Answer, columns, counted, escape, shell_quote, stopped_after};
use crate::provider::login::{self, Login};
use crate::provider::version::probe_version;
use crate::provider::{self, Provider};
use crate::run::temporary_places;
use crate::supervise::{find_program, host};
use crate::sys::mounts::{Reach, mount_of};
use crate::sys::tree::Tree;

/// Check programs, logins, the workspaces root and crashed environments
///
/// `doctor` looks for each program's login where the program stores it, and never reads it; a login in the system's key
/// store may not be seen.
///
/// With --fix, it removes half-made environments, checkouts and clones, and undoes what interrupted commands have left. Of a run
/// that died it ends the processes, saves the work as a checkpoint, rebuilds the result from the log as far as that goes, and
/// prints the command that goes on. Status 1: a problem remains.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv doctor
  execenv doctor --fix
  execenv doctor -o json | jq '.programs[] | select(.found)'")]
pub struct DoctorArgs {
    /// Fix what can be fixed
    #[arg(long)]
    pub fix: bool,
}

/// The version of the answer.
const SCHEMA: u32 = 1;

/// Programs that are not agents.
const TOOLS: [&str; 3] = ["git", "gh", "bwrap"];

pub(crate) fn run(args: &DoctorArgs, context: &Context) -> Result<Answer> {
    let programs = if args.fix { Vec::new() } else { programs(context) };
    let mut lines = Vec::new();
    if !args.fix {
        lines.extend(program_lines(&programs));
    }
    let namespaces = if args.fix { None } else { codex_sandbox(context, &programs, &mut lines) };
    let sandboxes = (!args.fix).then(|| {
        let bwrap = programs.iter().find(|seen| seen.name == "bwrap" && seen.path.is_some());
        Sandboxes::look(bwrap.map(|seen| seen.version.clone()), namespaces)
    });
    lines.extend(sandboxes.iter().flat_map(Sandboxes::lines));
    if args.fix {
        sweep_run_folders(&temporary_places(&context.settings.inherited));
    }
    let mut problems = Vec::new();
    let mut environments = 0;
    let shown = escape(&context.root.path().display().to_string());
    let mut locks = None;
    match context.root.open()? {
        None => lines.push(format!("workspaces root {shown}: does not exist; `execenv prepare` creates it")),
        Some(tree) => {
            for workspace in context.root.workspaces(&tree)? {
                environments += context.root.keys(&tree, &workspace).map_or(0, |keys| keys.len());
            }
            let counted = counted(environments as u64, "environment", "environments");
            lines.push(format!("workspaces root {shown}: {counted}"));
            problems = examine_root(args.fix, context, &tree)?;
            locks = reach_of_locks(&tree, &mut lines);
            if is_root_exposed(&tree) {
                lines.push(
                    "the file system of the workspaces root keeps no file modes: other users can read the secrets and \
                     conversations in it. Name a root on another one with `--workspaces-root`"
                        .to_owned(),
                );
            }
        }
    }
    let rows: Vec<[String; 4]> = problems.iter().map(Finding::row).collect();
    if !rows.is_empty() {
        lines.push(columns(&rows));
    }
    let left = problems.iter().filter(|problem| !problem.fixed).count();
    lines.extend(verdict(&problems, left, args.fix));
    if !args.fix {
        lines.extend(missing(&programs));
    }
    let document = DoctorDocument {
        schema: SCHEMA,
        root: context.root.path().to_string_lossy().into_owned(),
        programs: programs.iter().map(Seen::report).collect(),
        codex_sandbox: CodexSandbox { namespaces },
        sandboxes: sandboxes.as_ref().map(Sandboxes::report),
        environments,
        locks,
        problems: problems.iter().map(Finding::report).collect(),
    };
    let json = serde_json::to_value(document).context("encode the answer")?;
    let answer = Answer::new(lines.join("\n"), json).with_status((left > 0).then_some(Code::Incomplete));
    Ok(match problems.len() - left {
        0 => answer,
        fixed => {
            let what = format!("{} fixed", counted(fixed as u64, "problem is", "problems are"));
            answer.after(what, "`execenv doctor` shows what is left")
        }
    })
}

/// The last line on the environments.
fn verdict(problems: &[Finding], left: usize, fix: bool) -> Option<String> {
    let repairable = problems.iter().filter(|problem| !problem.fixed && problem.repair.is_some()).count();
    Some(match (problems.len(), left) {
        (0, _) => "no problems with the environments".to_owned(),
        (n, 0) => format!("{n} fixed"),
        (n, left) if fix => format!("{} fixed, {left} left", n - left),
        (n, _) if repairable == 0 => counted(n as u64, "problem", "problems"),
        (n, _) => {
            let all = counted(n as u64, "problem", "problems");
            format!(
                "{all}; `execenv doctor --fix` fixes {}",
                if repairable == n { "all".into() } else { repairable.to_string() }
            )
        }
    })
}

/// What a first run would lack: an agent CLI, or a login to one.
fn missing(programs: &[Seen]) -> Option<String> {
    let mut agents = programs.iter().filter(|seen| seen.row.is_some() && seen.path.is_some()).peekable();
    if agents.peek().is_none() {
        return Some(
            "no agent CLI was found: install one (Claude Code, Codex …), or run any program: `execenv run ENV -- PROGRAM`"
                .to_owned(),
        );
    }
    // An agent whose login execenv cannot see may have one.
    let may_have_login = agents.any(|seen| !matches!(seen.login, Some(None)));
    (!may_have_login)
        .then(|| "no login to an agent CLI was found: log in to one before its first run".to_owned())
}

/// A program that was looked for.
struct Seen {
    name: &'static str,
    wanted: &'static str,
    row: Option<&'static Provider>,
    path: Option<PathBuf>,
    version: Option<String>,
    too_old: bool,
    login: Option<Option<Login>>,
}

impl Seen {
    fn minimum(&self) -> Option<String> {
        let minimum = self.row.and_then(|row| row.program).and_then(|program| program.minimum)?;
        Some(minimum.to_string())
    }

    fn row(&self) -> [String; 4] {
        let path = self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let mut notes = Vec::new();
        if self.too_old {
            notes.push(format!("too old, needs {}", self.minimum().unwrap_or_default()));
        }
        match &self.login {
            None => {}
            Some(None) => notes.push("no login found".to_owned()),
            Some(Some(login)) => notes.push(format!("login by {}", escape(&shown_login(login)))),
        }
        let version = self.version.as_deref().unwrap_or("unknown");
        [self.name.to_owned(), version.to_owned(), escape(&path), notes.join("; ")]
    }

    fn report(&self) -> ProgramReport {
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
fn programs(context: &Context) -> Vec<Seen> {
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

/// The programs that were found, one a line, then the names of the others.
fn program_lines(programs: &[Seen]) -> Vec<String> {
    let header = ["PROGRAM", "VERSION", "PATH", "NOTES"].map(str::to_owned);
    let rows = programs.iter().filter(|seen| seen.path.is_some()).map(Seen::row);
    let mut lines = vec![columns(&std::iter::once(header).chain(rows).collect::<Vec<_>>())];
    let found = programs.iter().filter(|seen| seen.path.is_some()).filter_map(|seen| seen.row);
    let rows: Vec<_> = found.map(agents::row).collect();
    if !rows.is_empty() {
        let header = agents::HEADER.map(str::to_owned);
        lines.push(columns(&std::iter::once(header).chain(rows).collect::<Vec<_>>()));
    }
    let missing: Vec<&str> =
        programs.iter().filter(|seen| seen.path.is_none()).map(|seen| seen.name).collect();
    if !missing.is_empty() {
        lines.push(format!("not found: {}", missing.join(", ")));
    }
    lines
}

fn shown_login(login: &Login) -> String {
    match login {
        Login::Variable(name) => format!("variable {name}"),
        Login::File(path) => format!("file {}", path.display()),
    }
}

/// Whether Codex can sandbox its commands on this system (decision D9). Printed only when Codex is installed and cannot.
fn codex_sandbox(context: &Context, programs: &[Seen], lines: &mut Vec<String>) -> Option<bool> {
    let path_of = |name: &str| programs.iter().find(|program| program.name == name)?.path.as_deref();
    let can = host::can_use_namespaces(path_of("bwrap"), &context.settings.inherited);
    if can == Some(false) && path_of(provider::codex::NAME).is_some() {
        lines.push(
            "codex: this system does not support its sandbox, so commands may fail in `workspace-write`; \
             `--codex-sandbox danger-full-access` runs without, and lets the agent read and change all that you can"
                .to_owned(),
        );
    }
    can
}

/// How far locks reach on the root's file system. Printed only where other machines may mount it and do not see them.
fn reach_of_locks(tree: &Tree, lines: &mut Vec<String>) -> Option<LockReach> {
    let mount = mount_of(tree).ok()?;
    if mount.reach == Reach::ThisMachine {
        lines.push(format!(
            "locks on the file system of the workspaces root ({}) reach this machine only: use one root per machine. A run \
             on another machine counts as alive until 10 minutes after its last sign of life",
            escape(&mount.kind)
        ));
    }
    Some(LockReach { reach: mount.reach.word(), file_system: mount.kind })
}

fn examine_root(fix: bool, context: &Context, tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if !WorkspacesRoot::is_marked(tree)? {
        return Ok(vec![not_marked(fix, context.root.path(), tree)?]);
    }
    let git = context.git();
    let deletion = Deletion::new(&git, &context.keys, &context.stop);
    for leftover in sweep_staging(&context.root, tree, fix.then_some(&deletion), context.now)? {
        let repair = match leftover.whole {
            true => Repair { would: "moves it to the trash", done: "moved to the trash" },
            false => Repair { would: "removes it", done: "removed" },
        };
        let what = "`prepare` was interrupted while it built this".to_owned();
        let path = leftover.path;
        findings.push(Finding {
            path,
            complaint: "half_made",
            what,
            repair: Some(repair),
            fixed: fix,
            dead: None,
        });
    }
    for name in half_deleted(tree)? {
        let fixed = fix && !context.is_stopped() && delete(tree, &name, &deletion).is_ok();
        let path = context.root.path().join(names::TRASH).join(&name);
        let what = "its deletion was interrupted".to_owned();
        let repair = Some(Repair { would: "finishes it", done: "finished it" });
        findings.push(Finding { path, complaint: "half_deleted", what, repair, fixed, dead: None });
    }
    findings.extend(left::findings(fix, context, tree)?);
    let trust = context.trust(None);
    let mut repairs = Repairs { git: &git, trust, now: context.now, dead_runs: HashMap::new() };
    let examined = examine(&context.root, tree, fix, &mut repairs, trust, &context.stop)?;
    if examined.seen < examined.all {
        log::warn!("{}", stopped_after(examined.seen, examined.all, "environments"));
    }
    for Problem { path, complaint, fixed, note } in examined.problems {
        let mut what = complaint.what().to_owned();
        if !note.is_empty() {
            what.push_str(&format!(" ({note})"));
        }
        let mut dead = None;
        if complaint == Complaint::CrashedRun {
            let (words, found) = repairs.of_dead_run(&path);
            what.push_str(&words);
            dead = found;
        }
        let repair = complaint.repair();
        findings.push(Finding { path, complaint: complaint.word(), what, repair, fixed, dead });
    }
    Ok(findings)
}

/// A root without its marker. An empty one gets it, as from the next `prepare`; in any other only the user knows whether it is
/// a root.
fn not_marked(fix: bool, root: &Path, tree: &Tree) -> Result<Finding> {
    let finding = |what, repair, fixed| Finding {
        path: root.to_owned(),
        complaint: "not_marked",
        what,
        repair,
        fixed,
        dead: None,
    };
    if WorkspacesRoot::is_empty(tree).with_context(|| format!("list {}", root.display()))? {
        let repair = Repair { would: "marks it", done: "marked it" };
        let what = "it is empty and has no marker file, so `gc` refuses it".to_owned();
        return Ok(match if fix { WorkspacesRoot::mark(tree) } else { Ok(()) } {
            Ok(()) => finding(what, Some(repair), fix),
            Err(error) => finding(format!("{what}; it cannot be marked: {error}"), None, false),
        });
    }
    let mark = shell_quote(&root.join(names::MARK).display().to_string());
    let what =
        format!("it has no marker file, so `gc` refuses it; if it is a workspaces root: `touch {mark}`");
    Ok(finding(what, None, false))
}
