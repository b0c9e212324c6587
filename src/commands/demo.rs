//! `execenv demo`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::failure::{Code, Failure};
use crate::invocation::Context;
use crate::output::{Format, escape, line};
use crate::sys::child::{self, Program};
use crate::sys::tree::Tree;

/// Show the five steps with a built-in task; needs no account, server or agent CLI
///
/// Runs the real commands in a new folder in the system's temporary folder, with `sh` as the agent, prints each command
/// and its output, and removes the folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv demo
  execenv demo --keep")]
pub struct DemoArgs {
    /// Keep the folder
    #[arg(long)]
    pub keep: bool,
}

/// The embedded task.
const TASK: &str = r##"{
  "id": "00000000-0000-4000-8000-0000000de300",
  "provider": "claude",
  "agent": {
    "name": "Demo",
    "instructions": "Write your answer to answer.txt.",
    "skills": [{"name": "Greeting", "description": "how to say hello", "content": "Say hello, once.\n"}]
  }
}
"##;

/// The command that plays the agent: it reads the brief, finds the skill and writes a file.
const AGENT: &str =
    "grep -c BEGIN CLAUDE.md && ls .claude/skills && echo 'hello from the agent' | tee answer.txt";

/// One step: what it is, the command's words, and whether it may be shown shortened.
fn steps(project: &str, env: &str) -> Vec<(&'static str, Vec<String>)> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        ("prepare: an isolated environment for one task", words(&["prepare", "--task", "task.json"])),
        ("run: a program in it, as the agent", words(&["run", env, "--", "sh", "-c", AGENT])),
        ("show: the record has the result", words(&["show", env])),
        ("reuse: new context, the agent's work stays", words(&["reuse", env, "--task", "task.json"])),
        ("… the file is still there", words(&["show", env, "--file", "answer.txt"])),
        ("cleanup: removes the work dir, keeps output and logs", words(&["cleanup", "-v", env])),
        (
            "the same in your own project folder: prepare",
            words(&["prepare", "--task-id", "local", "--provider", "claude", "--local-dir", project]),
        ),
        ("… cleanup", words(&["cleanup", "-v", "local"])),
        ("… verify: the folder is as before", words(&["verify", "local"])),
        ("gc: moves old environments to the trash", words(&["gc", "--ttl", "0", "--orphan-ttl", "0"])),
        ("… from which they can be restored", words(&["trash", "list"])),
    ]
}

pub(crate) fn run(args: &DemoArgs, context: &Context) -> Result<u8> {
    if context.settings.output != Format::Text {
        return Err(Failure::new(Code::Usage, "`demo` prints text only").hint("omit `--output`").into());
    }
    let temporary = std::env::temp_dir().canonicalize().context("find the folder for temporary files")?;
    let parent = Tree::open(&temporary)?;
    let name = PathBuf::from(format!("execenv-demo-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]));
    parent.make_dir(&name, 0o700).with_context(|| format!("make a folder in {}", temporary.display()))?;
    let folder = temporary.join(&name);
    let done = walk_through(&folder, &parent.subtree(&name)?, context);
    if args.keep {
        line(&format!("\nkept: {}", folder.display()))?;
    } else {
        parent.remove_all(&name).with_context(|| format!("remove {}", folder.display()))?;
    }
    done.map(|()| 0)
}

fn walk_through(folder: &Path, tree: &Tree, context: &Context) -> Result<()> {
    tree.create_unseen(Path::new("task.json"), TASK.as_bytes(), 0o644)?;
    tree.make_dir(Path::new("project"), 0o755)?;
    tree.create_unseen(Path::new("project/CLAUDE.md"), b"My own rules.\n", 0o644)?;
    let root = folder.join("workspaces");
    let env = root.join("default/0000000de300").display().to_string();
    for (what, words) in steps("project", &env) {
        line(&format!("\n# {what}\n$ execenv {}", shown(&words)))?;
        execenv(folder, &root, &words, context)?;
    }
    line("\nThat was the whole life of an environment. `execenv --help` lists all commands.")
}

fn execenv(folder: &Path, root: &Path, words: &[String], context: &Context) -> Result<()> {
    let exe = std::env::current_exe().context("find the program's own file")?;
    let mut env: Vec<(OsString, OsString)> = context
        .settings
        .inherited
        .iter()
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"EXECENV_"))
        .cloned()
        .collect();
    env.push(("EXECENV_WORKSPACES_ROOT".into(), root.into()));
    let args: Vec<OsString> = words.iter().map(OsString::from).collect();
    let program = Program { path: &exe, args: &args, dir: Some(folder), env: &env };
    let status = child::run_inherited(program).with_context(|| format!("start {}", exe.display()))?;
    ensure!(status.success(), "`execenv {}` ended with {status}", shown(words));
    Ok(())
}

fn shown(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain =
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=".contains(&b));
        if plain { word.clone() } else { crate::output::shell_quote(word) }
    });
    escape(&quoted.collect::<Vec<_>>().join(" "))
}
