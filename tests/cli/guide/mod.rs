//! Every example of `docs/guide.md` runs, from top to bottom in one shell, with a script in the place of the agent CLI, and prints what
//! the guide shows. The word behind the fence says what becomes of a block; an unknown one fails, so none is left out silently.

mod shown;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::CommandFactory;
use execenv::internals::Cli;

use crate::support::TestEnv;
use crate::support::guide::{Part, parts};

/// What becomes of a block.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
enum Kind {
    /// `sh`: its commands succeed, and warn of nothing.
    Commands,
    /// `sh script`: the same in a shell of its own.
    Script,
    /// `sh job`: the same, as an engine starts it for the first task.
    Job,
    /// `sh elsewhere`: it needs what is not on every machine. Its command lines are parsed.
    Elsewhere,
    /// `console`: what each command prints stands below it.
    Transcript,
    /// `json FILE`: the content of a file that later blocks read.
    File(String),
    /// `yaml`: a part of a file of another program's.
    Other,
}

struct Block {
    line: usize,
    kind: Kind,
    text: String,
}

fn blocks() -> Vec<Block> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    let blocks = parts(&guide).into_iter().filter_map(|part| match part {
        Part::Block { line, info, text } => Some((line, info, text)),
        _ => None,
    });
    let kind = |line: usize, info: &str| match info.split(' ').collect::<Vec<_>>()[..] {
        ["sh"] => Kind::Commands,
        ["sh", "script"] => Kind::Script,
        ["sh", "job"] => Kind::Job,
        ["sh", "elsewhere"] => Kind::Elsewhere,
        ["console"] => Kind::Transcript,
        ["json", file] => Kind::File(file.to_owned()),
        ["yaml"] => Kind::Other,
        _ => panic!("docs/guide.md:{line}: what is to become of a block `{info}`?"),
    };
    blocks.map(|(line, info, text)| Block { line, kind: kind(line, &info), text }).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The commands of a transcript, each with the lines as they stand there; the others are what is printed.
fn commands(transcript: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut is_command = false;
    for line in transcript.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((line.to_owned(), command.to_owned()));
            is_command = true;
        } else if let Some(more) = line.strip_prefix("> ").filter(|_| is_command) {
            let (shown, command) = commands.last_mut().unwrap();
            *shown += &format!("\n{line}");
            *command += &format!("\n{more}");
        } else {
            is_command = false;
        }
    }
    commands
}

/// Lines that wait for what must happen; a minute and more is enough on any machine.
fn until(condition: &str) -> String {
    format!("n=0; until {condition} || [ $((n += 1)) -gt 3000 ]; do sleep 0.02; done\n")
}

/// The blocks as one script, which prints a line before each. A command that is left in the background has begun its work
/// when the next one is started.
fn script(blocks: &[Block]) -> String {
    let mut script = String::from("set +e\n");
    for Block { line, kind, text } in blocks {
        script += &format!("echo '== block {line}'\n");
        match kind {
            Kind::Commands => script += &format!("set -e\n{text}set +e\n"),
            Kind::Script | Kind::Job => script += &format!("(set -e; N=1\n{text}) || exit\n"),
            Kind::Transcript => {
                for (shown, command) in commands(text) {
                    let is_background = command.ends_with('&');
                    script += &format!("printf '%s\\n' {}\n", quoted(&shown));
                    script +=
                        if is_background { "rm -f ~/agent-is-on\n" } else { "(exit \"${status:-0}\")\n" };
                    // The shell would tell that it was killed, when it happens to see it. The guard needs a moment for the agent.
                    script += &match command.starts_with("kill ") {
                        true => format!(
                            "{{ {command}; wait; }} 2> /dev/null\n{}",
                            until("execenv show \"$env\" -o json | grep -q '\"live\":false'")
                        ),
                        false => format!("{command}\nstatus=$?\n"),
                    };
                    if is_background {
                        script += &until("[ -e ~/agent-is-on ]");
                    }
                }
            }
            Kind::File(name) => script += &format!("printf %s {} > {name}\n", quoted(text)),
            Kind::Elsewhere | Kind::Other => {}
        }
    }
    script + "echo '== block end'\n"
}

#[test]
fn each_example_runs_and_prints_what_the_guide_shows() {
    let t = TestEnv::new();
    let blocks = blocks();
    let agent = t.write("bin/claude", include_str!("claude.sh"));
    fs::set_permissions(agent, fs::Permissions::from_mode(0o755)).unwrap();
    t.write("script", script(&blocks));
    let run = t.sh("export PATH=\"$TMP/bin:$PATH\"; exec bash \"$TMP/script\" 2>&1").cwd(&t.home);
    let run = run.var("TMP", &t.tmp).var("IS_SANDBOX", "1");
    let variables = ["EXECENV_WORKSPACES_ROOT", "EXECENV_KEY_FILE", "EXECENV_TEST_NOW"];
    let done = variables.iter().fold(run, |run, name| run.without(name)).run().status(0);
    let printed = done.stdout.replace(t.home.to_str().unwrap(), "/home/ada");
    let mut printed: BTreeMap<&str, &str> = format!("\n{printed}")
        .leak()
        .split("\n== block ")
        .skip(1)
        .map(|part| part.split_once('\n').unwrap_or((part, "")))
        .collect();
    assert!(printed.remove("end").is_some(), "{done}");
    assert_eq!(printed.len(), blocks.len(), "{done}");
    let mut wrong = Vec::new();
    for Block { line, kind, text } in &blocks {
        let printed = printed[&*line.to_string()];
        let is_right = match kind {
            Kind::Transcript => shown::is_as(text, printed),
            _ => !printed
                .lines()
                .any(|line| ["error: ", "warning: "].iter().any(|word| line.starts_with(word))),
        };
        if !is_right {
            wrong.push(format!("docs/guide.md:{line}: it shows\n{text}--- and this is printed\n{printed}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} blocks\n{}", wrong.len(), wrong.join("\n"));
}

/// How many blocks of each kind there are: one that does not run is added here, and so with a thought.
#[test]
fn nearly_all_examples_run() {
    let mut counts = BTreeMap::new();
    for block in blocks() {
        let kind = match block.kind {
            Kind::File(_) => "file",
            Kind::Elsewhere => "parsed only",
            Kind::Other => "not execenv's",
            Kind::Commands | Kind::Script | Kind::Job | Kind::Transcript => "run",
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    let run = counts.remove("run").unwrap();
    assert!(run >= RUN, "only {run} examples run");
    assert_eq!(counts, BTreeMap::from([("file", 3), ("not execenv's", 1), ("parsed only", 2)]));
}

/// Blocks that run, at least.
const RUN: usize = 25;

#[test]
fn command_lines_of_what_needs_more_are_understood() {
    let mut count = 0;
    for Block { line, kind, text } in blocks() {
        let lines = text.lines().filter(|_| kind == Kind::Elsewhere);
        for words in lines.filter_map(shown::command_line) {
            count += 1;
            if let Err(error) = Cli::command().try_get_matches_from(&words) {
                panic!("docs/guide.md:{line}: {words:?}: {error}");
            }
        }
    }
    assert!(count >= 2, "only {count} command lines were found");
}
