//! `execenv doctor`.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::environment::WorkspacesRoot;
use crate::environment::health::{Problem, examine};
use crate::environment::trash::{delete, half_deleted};
use crate::failure::Code;
use crate::gc::sweep_staging;
use crate::invocation::Context;
use crate::layout::names;
use crate::output::{Answer, escape};
use crate::provider;
use crate::provider::login::{self, Login};
use crate::provider::version::probe_version;
use crate::supervise::{self, find_program, host};
use crate::sys::tree::Tree;

/// Check programs, logins, the workspaces root and crashed environments
///
/// `doctor` looks for each program's login where the program stores it, and never reads it; a login in the system's key
/// store may not be seen.
///
/// With --fix, it removes half-made environments, undoes interrupted preparations and records dead runs as crashed.
/// Status 1: a problem remains.
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

/// Programs that are not agents.
const TOOLS: [&str; 3] = ["git", "gh", "bwrap"];

pub(crate) fn run(args: &DoctorArgs, context: &Context) -> Result<Answer> {
    let mut lines = Vec::new();
    let programs = programs(context, args.fix, &mut lines);
    let namespaces = if args.fix { None } else { codex_sandbox(context, &programs, &mut lines) };
    let mut problems = Vec::new();
    let mut environments = 0;
    match context.root.open()? {
        None => lines.push(format!(
            "root\t{}\tdoes not exist yet",
            escape(&context.root.path().display().to_string())
        )),
        Some(tree) => {
            for workspace in context.root.workspaces(&tree)? {
                environments += context.root.keys(&tree, &workspace).map_or(0, |keys| keys.len());
            }
            problems = examine_root(args.fix, context, &tree, &mut lines)?;
        }
    }
    let left = problems.iter().filter(|problem| problem["fixed"] != json!(true)).count();
    lines.push(match (problems.len(), left) {
        (0, _) => "no problems".to_owned(),
        (n, 0) => format!("{n} fixed"),
        (n, left) if args.fix => format!("{} fixed, {left} left", n - left),
        (_, left) => format!("{left} problems; `execenv doctor --fix` fixes what can be fixed"),
    });
    let json = json!({
        "schema": 1,
        "root": context.root.path(),
        "programs": programs,
        "codex_sandbox": {"namespaces": namespaces},
        "environments": environments,
        "problems": problems,
    });
    Ok(Answer::new(lines.join("\n"), json).with_status((left > 0).then_some(Code::Incomplete)))
}

/// Which programs are installed. A repair needs none of them, so `--fix` does not query their versions.
fn programs(context: &Context, fix: bool, lines: &mut Vec<String>) -> Vec<Value> {
    if fix {
        return Vec::new();
    }
    let variable = |name: &str| {
        context.settings.inherited.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let path = variable("PATH").unwrap_or_default();
    let mut seen = Vec::new();
    let mut all = Vec::new();
    let tools = TOOLS.iter().map(|name| (*name, *name, None));
    let agents = provider::all().filter_map(|row| Some((row.name, row.program?.name, Some(row))));
    for (name, wanted, row) in tools.chain(agents) {
        if seen.contains(&wanted) {
            continue;
        }
        seen.push(wanted);
        let program = row.and_then(|row| row.program);
        let by_variable = program.map(|program| program.path_variable);
        let found = find_program(None, by_variable.and_then(variable), wanted, OsStr::new(&path));
        let (shown, version) = match &found {
            Err(_) => ("-".to_owned(), None),
            Ok(path) => {
                let version = probe_version(path, &context.settings.inherited).ok().flatten();
                (path.display().to_string(), version)
            }
        };
        let too_old = row.zip(version).is_some_and(|(row, version)| row.check_version(version).is_err());
        let version = version.map(|version| version.to_string());
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let login = row.and_then(|row| login::find(row, context.settings.home.as_deref(), &text));
        let old = if too_old { "\ttoo old" } else { "" };
        let state = if found.is_ok() { version.as_deref().unwrap_or("version unknown") } else { "not found" };
        let of_login = if found.is_ok() { seen_login(&login) } else { String::new() };
        lines.push(format!("{name}\t{state}\t{}{old}{of_login}", escape(&shown)));
        all.push(json!({
            "name": name,
            "program": wanted,
            "found": found.is_ok(),
            "path": found.ok(),
            "version": version,
            "too_old": too_old,
            "minimum": program.and_then(|program| program.minimum).map(|version| version.to_string()),
            "login": login.map(|seen| json!({"seen": seen.is_some(), "by": seen.as_ref().map(shown_login)})),
        }));
    }
    all
}

fn shown_login(login: &Login) -> String {
    match login {
        Login::Variable(name) => format!("variable {name}"),
        Login::File(path) => format!("file {}", path.display()),
    }
}

/// The end of a program's line.
fn seen_login(login: &Option<Option<Login>>) -> String {
    match login {
        None => String::new(),
        Some(None) => "\tno login found".to_owned(),
        Some(Some(login)) => format!("\tlogin by {}", escape(&shown_login(login))),
    }
}

/// Whether Codex can sandbox its commands on this system (decision D9). Printed only when Codex is installed and cannot.
fn codex_sandbox(context: &Context, programs: &[Value], lines: &mut Vec<String>) -> Option<bool> {
    let path_of = |name: &str| programs.iter().find(|program| program["name"] == name)?["path"].as_str();
    let can = host::can_use_namespaces(path_of("bwrap").map(Path::new), &context.settings.inherited);
    if can == Some(false) && path_of(provider::codex::NAME).is_some() {
        lines.push(
            "codex\tthis system does not support its sandbox, so commands may fail in `workspace-write`; \
             `--codex-sandbox danger-full-access` runs without, and lets the agent read and change all that you can"
                .to_owned(),
        );
    }
    can
}

fn examine_root(fix: bool, context: &Context, tree: &Tree, lines: &mut Vec<String>) -> Result<Vec<Value>> {
    let shown = escape(&context.root.path().display().to_string());
    let mut problems = Vec::new();
    let mut problem = |path: &Path, complaint: &str, fixed: bool, note: &str, lines: &mut Vec<String>| {
        let state = if fixed { "fixed" } else { "problem" };
        let path_text = escape(&path.display().to_string());
        lines.push(format!("{state}\t{complaint}\t{path_text}\t{}", escape(note)));
        problems.push(
            json!({"path": path.to_string_lossy(), "complaint": complaint, "fixed": fixed, "note": note}),
        );
    };
    if WorkspacesRoot::is_marked(tree)? {
        lines.push(format!("root\t{shown}"));
    } else {
        problem(
            context.root.path(),
            "not_marked",
            false,
            "this folder has no marker file, so `gc` refuses it",
            lines,
        );
        return Ok(problems);
    }
    for leftover in sweep_staging(&context.root, tree, fix, context.now)? {
        let note = if leftover.whole { "moved to the trash by --fix" } else { "removed by --fix" };
        problem(&leftover.path, "half_made", fix, note, lines);
    }
    for name in half_deleted(tree)? {
        let gone = fix && delete(tree, &name).is_ok();
        let path = context.root.path().join(names::TRASH).join(&name);
        problem(&path, "half_deleted", gone, "its deletion was interrupted; --fix finishes it", lines);
    }
    for Problem { path, complaint, fixed, mut note, run_id } in
        examine(&context.root, tree, fix, context.now)?
    {
        if let Some(run_id) = run_id.filter(|_| fixed) {
            let killed = supervise::end_leftovers(&run_id);
            note.push_str(&format!(", {killed} processes ended"));
        }
        problem(&path, complaint.word(), fixed, &note, lines);
    }
    Ok(problems)
}
