//! `execenv man`.

use anyhow::{Context as _, Result};
use clap::Args;
use clap_mangen::Man;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::gc::Reason;
use crate::invocation::SETTINGS;
use crate::output::Answer;

/// The date of the pages. Fixed, so that they change only when a command changes.
const DATE: &str = "2026-11-21";

/// Print a manual page in roff, for `man -l -`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv man | man -l -
  execenv man gc > ~/.local/share/man/man1/execenv-gc.1")]
pub struct ManArgs {
    /// Command, such as `gc` or `trash restore` [default: execenv itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

pub(super) fn run(args: &ManArgs, grammar: clap::Command) -> Result<Answer> {
    let wanted = args.command.iter().fold("execenv".to_owned(), |name, word| format!("{name}-{word}"));
    let pages = pages(grammar)?;
    let page = pages.iter().find(|(name, _)| *name == wanted).ok_or_else(|| {
        Failure::new(Code::Usage, format!("there is no command `{}`", args.command.join(" ")))
            .hint("`execenv --help` lists the commands")
    })?;
    Ok(Answer::new(page.1.trim_end(), json!({"schema": 1, "name": page.0, "roff": page.1})))
}

/// Every page by its name; `tests/cli/generated.rs` compares the files in `man/` with them.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn pages(mut root: clap::Command) -> Result<Vec<(String, String)>> {
    root.build();
    let mut pages = vec![("execenv".to_owned(), page(root.clone(), &(settings(None) + &tables()))?)];
    below(&root, "execenv", &mut pages)?;
    Ok(pages)
}

fn below(command: &clap::Command, prefix: &str, pages: &mut Vec<(String, String)>) -> Result<()> {
    for command in
        command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let name = format!("{prefix}-{}", command.get_name());
        let extra = match name.as_str() {
            "execenv-gc" => reasons() + &settings(Some("gc")) + &gc_fields(),
            "execenv-run" => settings(Some("run")),
            "execenv-prepare" | "execenv-reuse" => settings(Some("prepare")) + &document_fields(),
            _ => String::new(),
        };
        let shown = command.clone().name(name.clone()).version(env!("CARGO_PKG_VERSION"));
        pages.push((name.clone(), page(shown, &extra)?));
        below(command, &name, pages)?;
    }
    Ok(())
}

fn page(command: clap::Command, extra: &str) -> Result<String> {
    let mut bytes = Vec::new();
    Man::new(command)
        .date(DATE)
        .manual("execenv manual")
        .render(&mut bytes)
        .context("render a manual page")?;
    let text = String::from_utf8(bytes).context("render a manual page")?;
    // clap_mangen calls the section of the examples EXTRA.
    let text = text.replacen(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n", 1);
    Ok(text.replacen(".SH EXTRA\nExample:\n", ".SH EXAMPLES\n", 1) + extra)
}

fn tables() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n.TP\n0\ndone\n");
    for code in Code::ALL {
        text.push_str(&format!(".TP\n{} \\fI{}\\fR\n{}\n", code.status(), code.word(), roff(code.meaning())));
    }
    text.push_str(".PP\n\\fBrun\\fR also returns the agent's own status; 128+N if signal N ended the agent; 1 if the agent ended with 0 but reported a failure.\n");
    text.push_str(".SH FILES\n.TP\n\\fI<env root>/.gc_meta.json\\fR\nrecord of the environment\n.TP\n\\fI<env root>/.multica_sidecar_manifest.json\\fR\nlist of the files that execenv wrote into the work dir\n.TP\n\\fI<env root>/output/result.json\\fR\nresult of the last run\n.TP\n\\fI<env root>/logs/agent.ndjson\\fR\noutput of the agent\n");
    text
}

/// The fields of the task document that execenv uses, with their meaning.
const FIELDS: [(&str, &str); 36] = [
    ("id, workspace_id", "ids of the task and its workspace: 1 to 128 letters, digits, `.`, `_`, `-`"),
    ("provider", "agent CLI the environment is for"),
    ("agent.id, agent.name", "the agent that does the task"),
    ("agent.instructions", "instructions for the agent, at the start of the brief"),
    ("agent.skills[]", "name, description, content (the text of SKILL.md), files[] of path and content"),
    (
        "agent.mcp_config",
        "an object with mcpServers: the agent sees only these servers; absent or null: the user's own",
    ),
    ("agent.custom_env", "variables for the agent, name to value"),
    ("agent.custom_args", "additional arguments for the agent's program"),
    ("agent.model", "the model"),
    (
        "agent.disabled_runtime_skills[]",
        "skills of the user that are hidden from this agent: root (provider, universal), key, name, plugin",
    ),
    ("agent.runtime_config", "settings of the provider's runtime: OpenClaw's `mode` and `gateway`"),
    ("issue_id", "issue the task works on"),
    ("trigger_comment_id, trigger_thread_id", "comment that triggered the task, and its thread"),
    ("trigger_comment_content", "text of that comment, quoted in the prompt"),
    ("trigger_author_type, trigger_author_name", "author of that comment"),
    (
        "new_comment_count, new_comments_since",
        "number of comments since the last run, and since when (RFC 3339)",
    ),
    ("handoff_note", "note of the person who assigned the issue"),
    ("is_squad_leader", "true: the agent leads a squad"),
    ("chat_session_id, chat_message", "chat session, and the message to answer"),
    ("quick_create_prompt", "sentence from which the agent creates an issue"),
    ("autopilot_run_id, autopilot_id", "run of an autopilot, and the autopilot"),
    ("autopilot_title, autopilot_description", "its title and instructions"),
    ("autopilot_source", "manual, schedule, webhook or api"),
    ("autopilot_trigger_payload", "any JSON"),
    ("repos[]", "url, description, ref: repositories that the agent may check out"),
    ("project_id, project_title", "the project"),
    ("project_description", "what the project is about"),
    ("project_resources[]", "id, resource_type, resource_ref (any JSON), label"),
    ("workspace_context", "text of an administrator for every agent"),
    ("requesting_user_name", "person on whose behalf the task runs"),
    ("requesting_user_profile_description", "profile of that person"),
    ("initiator_type, initiator_id", "who triggered the task: `member` or `agent`, and the id"),
    ("initiator_name, initiator_email", "name and email address of that member or agent"),
    ("prior_session_id", "session to resume; used for codex, whose task gets a copy of that conversation"),
    ("prior_work_dir", "accepted for multica's daemon; execenv does not use it"),
    ("agent_id", "id of the agent where `agent` is absent"),
];

fn document_fields() -> String {
    let mut text = String::from(
        ".SH \"TASK DOCUMENT\"\nOne JSON object with any of these fields. Unknown fields are ignored with a warning; a value of the wrong type is an error that names the field and the line.\n",
    );
    for (names, meaning) in FIELDS {
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(names), roff(meaning)));
    }
    text
}

/// The settings of a command, or all of them, with their variables and defaults.
fn settings(command: Option<&str>) -> String {
    let mut text = String::from(
        ".SH SETTINGS\nKeys of the configuration file: one JSON object, by default ~/.config/execenv/config.json. Precedence: option, environment variable, configuration file, default. \\fBexecenv config\\fR shows each value and where it comes from.\n",
    );
    for row in SETTINGS.iter().filter(|row| command.is_none_or(|command| row.command == command)) {
        let default = match (row.default, row.key) {
            ("", "workspaces_root") => "~/.local/share/execenv/workspaces",
            ("", _) => "none",
            (default, _) => default,
        };
        let option = if row.option.is_empty() { String::new() } else { format!("; option {}", row.option) };
        let line = format!("{}{option}; variables {}; default {default}", row.help, row.variables.join(", "));
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", row.key, roff(&line)));
    }
    text
}

/// The keys of `gc -o json` that need an explanation.
const GC_FIELDS: [(&str, &str); 16] = [
    (
        "decisions[]",
        "one for each environment: root_dir, kind, action, reason, outcome, evidence, bytes, error",
    ),
    ("decisions[].action", "skip, clean, orphan or clean_artifacts: what was decided"),
    (
        "decisions[].outcome",
        "result: removed, trashed, failed, raced, retained_live, retained_dirty, retained_unpushed, retained_unreadable; null: not touched, or dry run",
    ),
    ("scanned", "number of environments examined"),
    (
        "cleaned, orphaned",
        "environments removed (in a dry run: that would be removed): finished ones, and those whose task is unknown",
    ),
    ("skipped, active", "environments kept, and those of them in use"),
    ("failed", "environments that could not be removed"),
    ("artifact_dirs", "kept environments from which build artifacts were removed"),
    ("artifact_removed, by_pattern", "number of removed artifact folders; the same by pattern, with bytes"),
    ("bytes_reclaimed", "bytes removed in this cycle, including those that are in the trash now"),
    (
        "bytes_freed",
        "bytes freed on the disk, including those of deleted trash entries; not those still in the trash",
    ),
    ("trash", "entries and bytes at the end; swept: entries deleted"),
    ("parents_unknown", "environments kept because the server gave no usable answer"),
    (
        "parents_no_uuid",
        "environments kept because the id of their issue or chat is not a UUID, so that the server cannot be asked",
    ),
    ("bounds[]", "each bound with its limit, the value at the end, and whether it is met"),
    ("requests", "number of requests to the server"),
];

fn gc_fields() -> String {
    let mut text = String::from(".SH \"JSON FIELDS\"\n");
    for (names, meaning) in GC_FIELDS {
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(names), roff(meaning)));
    }
    text
}

fn reasons() -> String {
    let mut text = String::from(".SH REASONS\nThe words for why an environment is kept or removed.\n");
    for (_, word, meaning) in Reason::ALL {
        text.push_str(&format!(".TP\n\\fI{word}\\fR\n{}\n", roff(meaning)));
    }
    text
}

/// Text escaped for roff: no line begins with a control character, and dashes stay dashes.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace("\n.", "\n\\&.").replace("\n'", "\n\\&'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_default_is_none() {
        assert!(settings(None).contains("EXECENV_GC_MIN_FREE; default none\n"), "{}", settings(None));
    }
}
