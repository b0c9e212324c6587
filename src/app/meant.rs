//! What a wrong word of the command line was probably meant to be: words of other tools, and close ones of ours.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::formats::closest;

/// Words that other tools use, the commands here in which they are tried, and what to type instead. No command: any.
/// A word that begins with `-` is an option, any other a command.
const ELSEWHERE: &[(&[&str], &str, &str)] = &[
    (&["init", "new", "create", "setup", "add"], "", "`execenv prepare` creates an environment"),
    (
        &["rm", "remove", "delete", "destroy", "down", "teardown"],
        "",
        "`execenv cleanup ENV` removes a work dir, with `--all` the whole environment; `execenv gc` removes old ones",
    ),
    (&["prune", "collect", "sweep"], "", "`execenv gc` removes old environments"),
    (&["start", "exec", "launch"], "", "`execenv run ENV -- PROGRAM` runs a program in an environment"),
    (&["sh", "enter", "attach"], "", "`execenv shell ENV` opens a shell in its work dir"),
    (&["ps", "status", "ls"], "", "`execenv list` lists the environments, `execenv show ENV` shows one"),
    (&["info", "inspect", "describe", "get"], "", "`execenv show ENV` shows one environment"),
    (
        &["log", "tail", "transcript"],
        "",
        "`execenv logs ENV` prints what its agent did, with `-f` until the run ends",
    ),
    (&["allow"], "", "`execenv trust DIR` allows the setup and teardown commands of a repository"),
    (&["undo", "undelete"], "", "`execenv trash restore ENV` restores what was removed"),
    (&["empty"], "", "`execenv trash empty` deletes what is in the trash"),
    (&["check"], "", "`execenv verify ENV` checks a work dir, `execenv doctor` this machine"),
    (&["version"], "", "`execenv --version` prints it"),
    (&["settings", "set"], "", "`execenv config` shows the settings and where each comes from"),
    (
        &["kill", "cancel", "interrupt", "abort"],
        "",
        "`execenv stop ENV` ends the agent of a run, `execenv stop --all` those of all",
    ),
    (
        &["unpause", "continue"],
        "",
        "`execenv resume ENV` lets a paused agent go on; `execenv run ENV --resume` its session",
    ),
    (&["message", "tell", "say"], "", "`execenv send ENV TEXT` gives a running agent a message"),
    (
        &["rm", "delete", "remove", "purge", "clear"],
        "trash",
        "`execenv trash empty` deletes what is in the trash",
    ),
    (&["ls", "show"], "trash", "`execenv trash list` lists it"),
    (
        &["get", "set", "list", "show"],
        "config",
        "`execenv config` shows all settings; change them in its file",
    ),
    (&["--json"], "", "`-o json`"),
    (&["--format", "--out"], "", "`-o json` or `-o text`"),
    (
        &["--root", "--workspace-root", "--dir"],
        "",
        "`--workspaces-root DIR` names the folder of all environments",
    ),
    (
        &["--dir", "--cwd", "--path", "--folder", "--project", "--work-dir", "-C"],
        "prepare",
        "`--local-dir DIR` lets the agent work in a folder of yours",
    ),
    (&["--repository", "--git"], "prepare", "`--repo DIR` makes the work dir a git worktree of a repository"),
    (
        &["--branch", "--ref"],
        "prepare",
        "`--repo DIR --base REF` makes a worktree that begins from a branch, a tag or a commit",
    ),
    (
        &["--prompt", "--model", "--timeout", "--env", "--max-turns", "-p", "-m"],
        "prepare",
        "that is an option of `execenv run`",
    ),
    (
        &["--agent", "--cli", "--tool"],
        "prepare",
        "`--provider NAME` names the agent CLI, `--agent-name` the agent",
    ),
    (&["--name"], "prepare", "`--task-id ID` names the task, `--agent-name NAME` the agent"),
    (&["--id"], "prepare", "`--task-id ID`"),
    (
        &["--force", "-f", "--overwrite"],
        "prepare",
        "`--replace` replaces an existing environment of the task",
    ),
    (&["--mcp", "--mcp-servers"], "prepare", "`--mcp-config FILE` names the servers"),
    (&["--file", "--document", "--input", "-f", "-t"], "prepare", "`--task FILE` reads a task document"),
    (&["-p"], "run", "`--prompt TEXT`"),
    (&["-m"], "run", "`--model NAME`"),
    (&["-c", "--continue"], "run", "`--resume` continues the last conversation"),
    (&["-e"], "run", "`--env NAME=VALUE`"),
    (&["--args"], "run", "`--agent-arg ARG`, once for each argument"),
    (
        &["--agent", "--program", "--command"],
        "run",
        "`-- PROGRAM` runs another program, `--agent-bin` names the agent's",
    ),
    (
        &["--dry-run", "-n"],
        "cleanup",
        "there is no dry run; with `--trash`, `execenv trash restore` brings it back",
    ),
    (&["-f"], "cleanup", "`--force`"),
    (&["-a"], "cleanup", "`--all`"),
    (&["-y", "--yes"], "cleanup", "`cleanup` does not ask; `--force` also deletes unsaved work"),
    (
        &["--older-than", "--age", "--days", "--keep", "--max-age"],
        "gc",
        "`--ttl DURATION`, `--orphan-ttl DURATION` and `--completed-ttl DURATION` are the age limits",
    ),
    (&["-n", "--check", "--preview"], "gc", "`--dry-run`"),
    (&["--max-size", "--limit", "--quota", "--size"], "gc", "`--max-total SIZE` bounds the whole root"),
    (
        &["--force", "--all", "-f", "-a"],
        "gc",
        "`execenv cleanup --all ENV` removes one environment whatever its age",
    ),
    (&["--all", "-a", "-l", "--long"], "list", "`execenv list` lists all; `--sizes` adds their sizes"),
    (&["--status"], "list", "`execenv list --filter status=failed` lists those with that status"),
    (&["--repair"], "doctor", "`--fix`"),
];

/// Where a wrong command line stands in the grammar.
pub(super) struct Place<'a> {
    /// The words of the command, without `execenv`.
    pub(super) names: Vec<String>,
    /// The command.
    pub(super) command: &'a clap::Command,
    /// The words of the command line.
    pub(super) words: &'a [&'a str],
}

impl Place<'_> {
    /// A way out of the mistake, if one is certain enough.
    pub(super) fn hint(&self, error: &clap::Error) -> Option<String> {
        match error.kind() {
            ErrorKind::InvalidSubcommand => {
                let wrong = word(error, ContextKind::InvalidSubcommand)?;
                let known = self.command.get_subcommands().map(clap::Command::get_name);
                self.elsewhere(wrong).or_else(|| closest(wrong, known).map(did_you_mean))
            }
            ErrorKind::InvalidValue => {
                let wrong = word(error, ContextKind::InvalidValue).filter(|word| !word.is_empty())?;
                closest(wrong, words(error, ContextKind::ValidValue)).map(did_you_mean)
            }
            ErrorKind::UnknownArgument => self.of_argument(word(error, ContextKind::InvalidArg)?),
            ErrorKind::MissingRequiredArgument => {
                let missing = words(error, ContextKind::InvalidArg);
                let is_env = missing.iter().any(|argument| argument.contains("<ENV>"));
                is_env.then(|| "`execenv list` shows the environments".to_owned())
            }
            _ => None,
        }
    }

    fn of_argument(&self, wrong: &str) -> Option<String> {
        let option = wrong.split('=').next().unwrap_or(wrong);
        if option.starts_with('-') {
            let long = self.command.get_arguments().filter_map(clap::Arg::get_long);
            let known: Vec<String> = long.map(|long| format!("--{long}")).collect();
            let close = || closest(option, known.iter().map(String::as_str)).map(did_you_mean);
            return self.elsewhere(option).or_else(close);
        }
        let name = self.names.join(" ");
        let before = self.words.iter().position(|word| *word == wrong).and_then(|place| place.checked_sub(1));
        match name.as_str() {
            "run" if before.is_some_and(|before| self.words[before] == "--resume") => {
                Some(format!("`--resume={wrong}`: the value follows an `=`"))
            }
            "run" => Some(format!(
                "put `--` before the program: `execenv run ENV -- {wrong} …`; a prompt goes to `--prompt`"
            )),
            "prepare" | "reuse" if wrong.ends_with(".json") => {
                Some(format!("`--task {wrong}` reads a task document"))
            }
            "prepare" => Some(format!(
                "`--local-dir {wrong}` lets the agent work in that folder; `--task FILE` reads a task document"
            )),
            "list" => Some(format!(
                "`execenv show {wrong}` shows one environment; `--workspace ID` lists one workspace"
            )),
            "gc" => Some(format!(
                "`execenv gc --explain {wrong}` explains, `execenv cleanup --all {wrong}` removes one environment"
            )),
            "doctor" | "du" => {
                Some(format!("`execenv {name}` looks at all; `execenv show {wrong}` shows one environment"))
            }
            "config" => {
                self.elsewhere(wrong).or_else(|| Some("`execenv config` shows all settings".to_owned()))
            }
            "branch" | "checkpoint" | "clone" | "diff" | "publish" | "restore" | "show" | "verify"
            | "reuse" => Some(format!("`execenv {name}` takes one environment")),
            _ => None,
        }
    }

    /// The way out for a word of another tool: first that of this command, then that of any.
    fn elsewhere(&self, wrong: &str) -> Option<String> {
        let here = self.names.first().map_or("", String::as_str);
        let found = |command: &str| {
            let row = ELSEWHERE.iter().find(|(words, of, _)| *of == command && words.contains(&wrong))?;
            Some(row.2.to_owned())
        };
        // A command of the first level is none of the second.
        let anywhere = || if here.is_empty() || wrong.starts_with('-') { found("") } else { None };
        if here.is_empty() { anywhere() } else { found(here).or_else(anywhere) }
    }
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

fn word(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    words(error, kind).into_iter().next()
}

fn words(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word],
        Some(ContextValue::Strings(words)) => words.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Cli;
    use clap::CommandFactory;

    #[test]
    fn a_word_of_another_tool_is_none_of_ours_there() {
        let mut grammar = Cli::command();
        grammar.build();
        for (words, command, _) in ELSEWHERE {
            let place = if command.is_empty() { &grammar } else { grammar.find_subcommand(command).unwrap() };
            for word in *words {
                let is_option = place.get_arguments().any(|argument| {
                    argument.get_long().is_some_and(|long| *word == format!("--{long}"))
                        || argument.get_short().is_some_and(|short| *word == format!("-{short}"))
                });
                assert!(!is_option, "`{word}` is an option of `{command}`");
                assert!(place.find_subcommand(word).is_none(), "`{word}` is a command of `{command}`");
            }
        }
    }

    #[test]
    fn every_command_that_a_way_out_names_exists() {
        let mut grammar = Cli::command();
        grammar.build();
        for (_, _, way_out) in ELSEWHERE {
            for command in way_out.split("`execenv ").skip(1) {
                let mut place = &grammar;
                for word in
                    command.split(['`', ' ']).take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
                {
                    if word.is_empty() || place.get_subcommands().next().is_none() {
                        break;
                    }
                    place = place.find_subcommand(word).unwrap_or_else(|| panic!("{way_out}: {word}"));
                }
            }
        }
    }
}
