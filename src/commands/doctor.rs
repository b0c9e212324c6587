//! `execenv doctor`.

mod agents;
pub(crate) mod document;
mod finding;
mod group;
mod left;
mod programs;
mod repairs;
mod sandboxes;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;

use document::{CodexSandbox, DoctorDocument, LiveReport, LockReach};
use finding::{About, Finding};
use group::{Group, Line, Mark};
use programs::Seen;
use repairs::Repairs;
use sandboxes::Sandboxes;

use crate::environment::health::{Complaint, HeldEnv, Problem, Repair, examine};
use crate::environment::trash::{delete, half_deleted};
use crate::environment::{Deletion, WorkspacesRoot, is_root_exposed, sweep_run_folders};
use crate::failure::Code;
use crate::gc::sweep_staging;
use crate::invocation::Context;
use crate::layout::names;
use crate::output::{Answer, Screen, counted, escape, shell_quote, stopped_after};
use crate::provider;
use crate::run::temporary_places;
use crate::supervise::host;
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

/// The most environments that are named because they are in use.
const MOST_HELD: usize = 10;

/// The version of the answer.
const SCHEMA: u32 = 1;

pub(crate) fn run(args: &DoctorArgs, context: &Context) -> Result<Answer> {
    let programs = if args.fix { Vec::new() } else { programs::programs(context) };
    let mut groups = Vec::new();
    let (mut namespaces, mut sandboxes) = (None, None);
    if !args.fix {
        let bwrap = programs.iter().find(|seen| seen.name == "bwrap" && seen.path.is_some());
        let path = bwrap.and_then(|seen| seen.path.as_deref());
        namespaces = host::can_use_namespaces(path, &context.settings.inherited);
        let found = Sandboxes::look(bwrap.map(|seen| seen.version.clone()), namespaces);
        let mut machine = Group::new("This machine");
        machine.extend(programs::tools(&programs));
        machine.extend(found.lines());
        let mut agents = programs::agents(&programs);
        agents.extend(codex_sandbox(&programs, namespaces));
        agents.extend(claude_as_root(&programs, context));
        groups.extend([machine, agents]);
        sandboxes = Some(found);
    } else {
        sweep_run_folders(&temporary_places(&context.settings.inherited));
    }
    let Looked { root, findings, environments, locks, held } = look(args.fix, context)?;
    let left = findings.iter().filter(|problem| !problem.fixed).count();
    groups.extend(of_root(root, &findings, environments, &held));
    let text = group::text(&groups, &verdict(&findings, left, args.fix), Screen::of_stdout());
    let document = DoctorDocument {
        schema: SCHEMA,
        root: context.root.path().to_string_lossy().into_owned(),
        programs: programs.iter().map(Seen::report).collect(),
        codex_sandbox: CodexSandbox { namespaces },
        sandboxes: sandboxes.as_ref().map(Sandboxes::report),
        environments,
        locks,
        problems: findings.iter().map(Finding::report).collect(),
        live: held.iter().map(LiveReport::of).collect(),
    };
    let json = serde_json::to_value(document).context("encode the answer")?;
    let answer = Answer::new(text, json).with_status((left > 0).then_some(Code::Incomplete));
    Ok(match findings.len() - left {
        0 => answer,
        fixed => {
            let what = format!("{} fixed", counted(fixed as u64, "problem is", "problems are"));
            answer.after(what, "`execenv doctor` shows what is left")
        }
    })
}

/// What was found in the workspaces root.
#[derive(Default)]
struct Looked {
    /// Lines on the root itself.
    root: Vec<Line>,
    findings: Vec<Finding>,
    environments: usize,
    locks: Option<LockReach>,
    /// Environments that are in use.
    held: Vec<HeldEnv>,
}

fn look(fix: bool, context: &Context) -> Result<Looked> {
    let shown = escape(&context.root.path().display().to_string());
    let mut looked = Looked::default();
    let Some(tree) = context.root.open()? else {
        let line =
            Line::new(Mark::Ok, format!("{shown} does not exist; the first `execenv prepare` creates it"));
        return Ok(Looked { root: vec![line], ..looked });
    };
    for workspace in context.root.workspaces(&tree)? {
        looked.environments += context.root.keys(&tree, &workspace).map_or(0, |keys| keys.len());
    }
    (looked.findings, looked.held) = examine_root(fix, context, &tree)?;
    looked.root.push(Line::new(Mark::Ok, shown));
    looked.locks = reach_of_locks(&tree, &mut looked.root);
    if is_root_exposed(&tree) {
        let what =
            "its file system keeps no file modes: other users can read the secrets and conversations in it";
        looked
            .root
            .push(Line::new(Mark::Warn, what).todo("name a root on another one with `--workspaces-root`"));
    }
    Ok(looked)
}

/// The groups of what lies in the workspaces root.
fn of_root(root: Vec<Line>, findings: &[Finding], environments: usize, held: &[HeldEnv]) -> [Group; 5] {
    let group = |title, about| {
        let mut group = Group::new(title);
        group.extend(findings.iter().filter(|finding| finding.about() == about).map(Finding::line));
        group
    };
    let mut of_root = Group::new("Workspaces root");
    of_root.extend(root);
    of_root.extend(findings.iter().filter(|finding| finding.about() == About::Root).map(Finding::line));
    let mut all = Group::new("Environments");
    let live = match held.len() {
        0 => "none in use".to_owned(),
        count => format!("{count} in use"),
    };
    all.push(Line::new(
        Mark::Ok,
        format!("{}, {live}", counted(environments as u64, "environment", "environments")),
    ));
    for HeldEnv { path, holder } in held.iter().take(MOST_HELD) {
        let by = holder
            .as_ref()
            .map_or_else(|| "a process that the system does not name".to_owned(), ToString::to_string);
        all.push(Line::new(Mark::Ok, format!("in use: {} by {by}", escape(&path.display().to_string()))));
    }
    if held.len() > MOST_HELD {
        all.push(Line::new(Mark::Ok, group::more(held.len() - MOST_HELD, "more in use", "more in use")));
    }
    all.extend(findings.iter().filter(|finding| finding.about() == About::Environments).map(Finding::line));
    [
        of_root,
        all,
        group("Runs that died", About::Runs),
        group("Repositories", About::Repositories),
        group("Trash", About::Trash),
    ]
}

/// The last line on the environments.
fn verdict(problems: &[Finding], left: usize, fix: bool) -> String {
    let repairable = problems.iter().filter(|problem| !problem.fixed && problem.repair.is_some()).count();
    match (problems.len(), left) {
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
    }
}

/// Whether Codex can sandbox its commands on this system (decision D9). Said only when Codex is installed and cannot.
fn codex_sandbox(programs: &[Seen], namespaces: Option<bool>) -> Option<Line> {
    let has_codex = programs.iter().any(|seen| seen.name == provider::codex::NAME && seen.path.is_some());
    (has_codex && namespaces == Some(false)).then(|| {
        let what = "codex: this system does not support its sandbox, so commands may fail in `workspace-write`";
        Line::new(Mark::Warn, what).todo(
            "`--codex-sandbox danger-full-access` runs without, and lets the agent read and change all that you can",
        )
    })
}

/// Claude Code does not run unattended as root unless it is told to. It is the same check as before a run.
fn claude_as_root(programs: &[Seen], context: &Context) -> Option<Line> {
    let has_claude = programs.iter().any(|seen| seen.name == provider::claude::NAME && seen.path.is_some());
    let is_root = rustix::process::geteuid().is_root();
    let refused = provider::claude::launch::check_root(is_root, &context.settings.inherited).err()?;
    has_claude.then(|| {
        Line::new(Mark::Warn, format!("claude: {}", refused.message)).todo(refused.hint.unwrap_or_default())
    })
}

/// How far locks reach on the root's file system. Printed only where other machines may mount it and do not see them.
fn reach_of_locks(tree: &Tree, lines: &mut Vec<Line>) -> Option<LockReach> {
    let mount = mount_of(tree).ok()?;
    if mount.reach == Reach::ThisMachine {
        let what = format!(
            "locks on its file system ({}) reach this machine only; a run on another machine counts as alive until 10 minutes \
             after its last sign of life",
            escape(&mount.kind)
        );
        lines.push(Line::new(Mark::Note, what).todo("use one root per machine: `--workspaces-root`"));
    }
    Some(LockReach { reach: mount.reach.word(), file_system: mount.kind })
}

fn examine_root(fix: bool, context: &Context, tree: &Tree) -> Result<(Vec<Finding>, Vec<HeldEnv>)> {
    let mut findings = Vec::new();
    if !WorkspacesRoot::is_marked(tree)? {
        return Ok((vec![not_marked(fix, context.root.path(), tree)?], Vec::new()));
    }
    let git = context.git();
    let deletion = Deletion::new(&git, &context.keys, &context.hooks.trusted, &context.stop);
    for leftover in sweep_staging(&context.root, tree, fix.then_some(&deletion), context.now)? {
        let repair = match leftover.whole {
            true => Repair { would: "moves it to the trash", done: "moved to the trash" },
            false => Repair { would: "removes it", done: "removed" },
        };
        let what = "`prepare` was interrupted while it built this".to_owned();
        let path = leftover.path;
        findings.push(Finding {
            about: About::Environments,
            path,
            complaint: "half_made",
            what,
            repair: Some(repair),
            fixed: fix,
            todo: None,
            dead: None,
        });
    }
    for name in half_deleted(tree)? {
        let fixed = fix && !context.is_stopped() && delete(tree, &name, &deletion).is_ok();
        let path = context.root.path().join(names::TRASH).join(&name);
        let what = "its deletion was interrupted".to_owned();
        let repair = Some(Repair { would: "finishes it", done: "finished it" });
        let (about, complaint) = (About::Trash, "half_deleted");
        findings.push(Finding { about, path, complaint, what, repair, fixed, todo: None, dead: None });
    }
    findings.extend(left::findings(fix, context, tree)?);
    let trust = context.trust(None);
    let mut repairs = Repairs { git: &git, trust, now: context.now, dead_runs: HashMap::new() };
    let examined = examine(&context.root, tree, fix, &mut repairs, trust, &context.stop)?;
    if examined.seen < examined.all {
        log::warn!("{}", stopped_after(examined.seen, examined.all, "environments"));
    }
    for Problem { path, complaint, fixed, note, hint } in examined.problems {
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
        let about = if complaint == Complaint::CrashedRun { About::Runs } else { About::Environments };
        let todo = hint.or_else(|| todo(complaint, &path, &what));
        findings.push(Finding { about, path, complaint: complaint.word(), what, repair, fixed, todo, dead });
    }
    Ok((findings, examined.held))
}

/// What a person can do where `--fix` can do nothing. Some of what is found says so itself.
fn todo(complaint: Complaint, path: &Path, what: &str) -> Option<String> {
    let env = shell_quote(&path.display().to_string());
    match complaint {
        Complaint::Unreadable if !what.contains("`execenv ") => {
            Some(format!("look at that file; `execenv cleanup --all {env}` removes the environment"))
        }
        Complaint::UnfinishedSetup => {
            Some(format!("`execenv reuse {env}` runs it again; with `--no-setup` it goes on without it"))
        }
        Complaint::NewerRecord => {
            Some("update execenv; `execenv --version` prints which one this is".to_owned())
        }
        Complaint::NoRecord | Complaint::VanishedWorkDir => {
            Some(format!("`execenv cleanup --all {env}` removes what is left"))
        }
        _ => None,
    }
}

/// A root without its marker. An empty one gets it, as from the next `prepare`; in any other only the user knows whether it is
/// a root.
fn not_marked(fix: bool, root: &Path, tree: &Tree) -> Result<Finding> {
    let finding = |what, repair, fixed, todo| Finding {
        about: About::Root,
        path: root.to_owned(),
        complaint: "not_marked",
        what,
        repair,
        fixed,
        todo,
        dead: None,
    };
    if WorkspacesRoot::is_empty(tree).with_context(|| format!("list {}", root.display()))? {
        let repair = Repair { would: "marks it", done: "marked it" };
        let what = "it is empty and has no marker file, so `gc` refuses it".to_owned();
        return Ok(match if fix { WorkspacesRoot::mark(tree) } else { Ok(()) } {
            Ok(()) => finding(what, Some(repair), fix, None),
            Err(error) => finding(format!("{what}; it cannot be marked: {error}"), None, false, None),
        });
    }
    let mark = shell_quote(&root.join(names::MARK).display().to_string());
    let what = "it has no marker file, so `gc` refuses it".to_owned();
    Ok(finding(what, None, false, Some(format!("if it is a workspaces root: `touch {mark}`"))))
}
