//! `execenv demo`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::environment::EnvLock;
use crate::failure::{Code, Failure};
use crate::invocation::Context;
use crate::output::{Format, escape, line};
use crate::supervise::find_program;
use crate::sys::child::{self, Program};
use crate::sys::tree::Tree;

/// Show the five steps with a built-in task; needs no account, server or agent CLI
///
/// Runs the real commands on a small project in a new folder in the system's temporary folder, with `sh` as the agent:
/// shows the project before, during and after, also when execenv is killed, and removes the folder.
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

/// The program that plays the agent: it finds its instructions and its skill, and writes a file.
const AGENT: &str = "grep answer.txt CLAUDE.md; ls .claude/skills; echo hello > answer.txt";
/// The same for the run that is killed.
const KILLED_AGENT: &str = "echo half an answer > half.txt; sleep 600";
/// How long the demo waits for the agent that is killed, and for its end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key of the task's environment.
const KEY: &str = "0000000de300";

/// One step of the demo.
enum Step {
    /// What comes now.
    Title(&'static str),
    /// A command of execenv.
    Execenv(&'static [&'static str]),
    /// A command of the shell; `diff` ends with 1 when it finds something.
    Shell(&'static str),
    /// A run that is killed while its agent is at work.
    KilledRun,
}

use Step::{Execenv, KilledRun, Shell, Title};

const STEPS: &[Step] = &[
    Title("your project, before"),
    Shell("find project -type f | sort"),
    Title("prepare: one task's instructions and skills go into the project"),
    Execenv(&["prepare", "--task", "task.json", "--local-dir", "project"]),
    Shell("find project -type f | sort"),
    Title("run: an agent works with them (here: a line of shell)"),
    Execenv(&["run", KEY, "--", "sh", "-c", AGENT]),
    Title("reuse: the next task document; the agent's work stays"),
    Execenv(&["reuse", KEY, "--task", "task.json"]),
    Title("a run whose execenv is killed: no process is left, and the crash is seen"),
    KilledRun,
    Execenv(&["list"]),
    Title("cleanup: what execenv wrote goes; what the agent wrote stays"),
    Execenv(&["cleanup", KEY]),
    Execenv(&["verify", KEY]),
    Shell("diff -r before project"),
    Title("gc: an old environment goes to the trash, from where it can be restored"),
    Execenv(&["gc", "--ttl", "0", "--orphan-ttl", "0"]),
];

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

/// Runs all steps.
fn walk_through(folder: &Path, tree: &Tree, context: &Context) -> Result<()> {
    tree.create_unseen(Path::new("task.json"), TASK.as_bytes(), 0o644)?;
    for project in ["project", "before"] {
        tree.make_dir(Path::new(project), 0o755)?;
        for (name, text) in [("CLAUDE.md", "My own rules.\n"), ("app.py", "print('hello')\n")] {
            tree.create_unseen(&Path::new(project).join(name), text.as_bytes(), 0o644)?;
        }
    }
    let demo = Demo { folder, tree, context, env: variables(folder, context) };
    for step in STEPS {
        match step {
            Title(title) => line(&format!("\n# {title}"))?,
            Execenv(words) => demo.execenv(words)?,
            Shell(command) => demo.shell(command)?,
            KilledRun => demo.killed_run()?,
        }
    }
    line("\nThat was the whole life of an environment. `execenv --help` lists all commands.")
}

/// The variables of the commands: those of this process, without execenv's own.
fn variables(folder: &Path, context: &Context) -> Vec<(OsString, OsString)> {
    let inherited = context.settings.inherited.iter();
    let foreign = inherited.filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"EXECENV_")).cloned();
    let root = ("EXECENV_WORKSPACES_ROOT".into(), folder.join("workspaces").into());
    // The order of names is the same for everybody.
    foreign.chain([root, ("LC_ALL".into(), "C".into())]).collect()
}

struct Demo<'a> {
    folder: &'a Path,
    tree: &'a Tree,
    context: &'a Context,
    env: Vec<(OsString, OsString)>,
}

impl Demo<'_> {
    fn execenv(&self, words: &[&str]) -> Result<()> {
        line(&format!("$ execenv {}", shown(words)))?;
        let (exe, args) = this_program(words)?;
        let program = Program { path: &exe, args: &args, dir: Some(self.folder), env: &self.env };
        let status = child::run_inherited(program).with_context(|| format!("start {}", exe.display()))?;
        ensure!(status.success(), "`execenv {}` ended with {status}", shown(words));
        Ok(())
    }

    fn shell(&self, command: &str) -> Result<()> {
        line(&format!("$ {command}"))?;
        let path = self.context.settings.variable("PATH").unwrap_or_default();
        let shell = find_program(None, None, "sh", path.as_ref())?;
        let args = ["-c".into(), command.into()];
        let program = Program { path: &shell, args: &args, dir: Some(self.folder), env: &self.env };
        child::run_inherited(program).with_context(|| format!("start {}", shell.display()))?;
        Ok(())
    }

    /// Starts a run, kills its execenv as soon as the agent has written a file, and waits until the agent is gone.
    fn killed_run(&self) -> Result<()> {
        let words = ["run", KEY, "--", "sh", "-c", KILLED_AGENT];
        line(&format!("$ execenv {} &", shown(&words)))?;
        let (exe, args) = this_program(&words)?;
        let program = Program { path: &exe, args: &args, dir: Some(self.folder), env: &self.env };
        let mut run = child::start(program, Stdio::null(), Stdio::null(), Stdio::null())
            .with_context(|| format!("start {}", exe.display()))?;
        let half = Path::new("project/half.txt");
        let has_begun = wait_until(|| matches!(self.tree.kind(half), Ok(Some(_))));
        line("$ kill -9 $!")?;
        run.kill().context("kill the run")?;
        run.wait().context("wait for the run")?;
        ensure!(has_begun, "the agent of the run that was to be killed has not started");
        let env = self.tree.subtree(&Path::new("workspaces/default").join(KEY))?;
        ensure!(wait_until(|| EnvLock::try_acquire(&env, false).is_ok()), "the agent outlives its run");
        Ok(())
    }
}

/// Waits for something; `false`: it has not happened.
fn wait_until(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn this_program(words: &[&str]) -> Result<(PathBuf, Vec<OsString>)> {
    let exe = std::env::current_exe().context("find the program's own file")?;
    Ok((exe, words.iter().map(OsString::from).collect()))
}

fn shown(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| {
        let plain =
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=".contains(&b));
        if plain { (*word).to_owned() } else { crate::output::shell_quote(word) }
    });
    escape(&quoted.collect::<Vec<_>>().join(" "))
}
