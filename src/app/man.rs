//! `execenv man`.

use anyhow::{Context as _, Result};
use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use super::grammar::{Cli, ManArgs};
use crate::failure::{Code, Failure};
use crate::gc::Reason;
use crate::invocation::{Context, SETTINGS};
use crate::output::Answer;

/// When the pages last changed. Fixed, so that they change only when a command does.
const DATE: &str = "2026-11-21";

pub(super) fn run(args: &ManArgs, _context: &Context) -> Result<Answer> {
    let wanted = args.command.iter().fold("execenv".to_owned(), |name, word| format!("{name}-{word}"));
    let pages = pages()?;
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
pub fn pages() -> Result<Vec<(String, String)>> {
    let mut root = Cli::command();
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
    let mut text = String::from_utf8(bytes).context("render a manual page")?;
    text.push_str(extra);
    Ok(text)
}

fn tables() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n.TP\n0\ndone\n");
    for code in Code::ALL {
        text.push_str(&format!(".TP\n{} \\fI{}\\fR\n{}\n", code.status(), code.word(), roff(code.meaning())));
    }
    text.push_str(".PP\nBelow \\fBrun\\fR also 128+N when the agent died of signal N, else the agent's own status, and 1 where the agent ended with 0 but reported a failure.\n");
    text.push_str(".SH FILES\n.TP\n\\fI<env root>/.gc_meta.json\\fR\nthe environment's record\n.TP\n\\fI<env root>/.multica_sidecar_manifest.json\\fR\nwhat was put into the work dir\n.TP\n\\fI<env root>/output/result.json\\fR\nthe last run's result\n.TP\n\\fI<env root>/logs/agent.ndjson\\fR\nwhat the agent printed\n");
    text
}

/// The fields of the task document that are used, with what they are for.
const FIELDS: [(&str, &str); 36] = [
    ("id, workspace_id", "the task and its workspace: 1 to 128 letters, digits, `.`, `_`, `-`"),
    ("provider", "which agent CLI the environment is for"),
    ("agent.id, agent.name", "who does the task"),
    ("agent.instructions", "rules for the agent, first of all in the brief"),
    ("agent.skills[]", "name, description, content (the text of SKILL.md), files[] of path and content"),
    (
        "agent.mcp_config",
        "an object with mcpServers: the agent sees these and no others; absent or null: its own",
    ),
    ("agent.custom_env", "variables for the agent, name to value"),
    ("agent.custom_args", "more arguments for the agent's program"),
    ("agent.model", "the model"),
    (
        "agent.disabled_runtime_skills[]",
        "skills of the user's that this agent is not to have: root (provider, universal), key, name, plugin",
    ),
    ("agent.runtime_config", "what the provider's own runtime needs: OpenClaw's `mode` and `gateway`"),
    ("issue_id", "the issue that the task works on"),
    ("trigger_comment_id, trigger_thread_id", "the comment that triggered it, and its thread"),
    ("trigger_comment_content", "the comment's text, quoted in the prompt"),
    ("trigger_author_type, trigger_author_name", "who wrote it"),
    ("new_comment_count, new_comments_since", "what is new since the last run (a number, an RFC 3339 time)"),
    ("handoff_note", "what the assigner left"),
    ("is_squad_leader", "true: the agent leads a squad"),
    ("chat_session_id, chat_message", "a turn of a chat"),
    ("quick_create_prompt", "a sentence that is to become an issue"),
    ("autopilot_run_id, autopilot_id", "a run of an autopilot"),
    ("autopilot_title, autopilot_description", "its title and instructions"),
    ("autopilot_source", "manual, schedule, webhook or api"),
    ("autopilot_trigger_payload", "any JSON"),
    ("repos[]", "url, description, ref: repositories that the agent may check out"),
    ("project_id, project_title", "the project"),
    ("project_description", "what the project is about"),
    ("project_resources[]", "id, resource_type, resource_ref (any JSON), label"),
    ("workspace_context", "what an administrator tells every agent"),
    ("requesting_user_name", "on whose behalf"),
    ("requesting_user_profile_description", "what is known of that person"),
    ("initiator_type, initiator_id", "who triggered the task: member or agent"),
    ("initiator_name, initiator_email", "the same"),
    ("prior_session_id", "kept for the daemon that wrote it"),
    ("prior_work_dir", "kept for the daemon that wrote it"),
    ("agent_id", "the agent's id where there is no agent record"),
];

fn document_fields() -> String {
    let mut text = String::from(
        ".SH \"TASK DOCUMENT\"\nOne JSON object with any of these fields. Unknown fields are left out with a warning; a wrong type is an error that names the field and the line.\n",
    );
    for (names, meaning) in FIELDS {
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(names), roff(meaning)));
    }
    text
}

/// The settings of a command, or all of them, with their variables and defaults.
fn settings(command: Option<&str>) -> String {
    let mut text = String::from(
        ".SH SETTINGS\nKeys of the configuration file: one JSON object, by default ~/.config/execenv/config.json. An option goes before a variable, a variable before the file, the file before the default; \\fBexecenv config\\fR shows each value and its origin.\n",
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
    ("decisions[].action", "the decision: skip, clean, orphan or clean_artifacts"),
    (
        "decisions[].outcome",
        "removed, trashed, failed, raced, retained_live, retained_dirty, retained_unpushed or retained_unreadable; null: kept, or only planned (--dry-run)",
    ),
    ("scanned", "environments that were looked at"),
    (
        "cleaned, orphaned",
        "environments removed because they are finished, and because their parent is unknown",
    ),
    ("skipped, active", "environments kept, and those of them that are in use"),
    ("failed", "removals and other steps that failed"),
    ("artifact_dirs", "kept environments from which build artifacts were removed"),
    (
        "artifact_removed, by_pattern",
        "how many folders of build artifacts were removed, and the same by pattern with bytes",
    ),
    (
        "bytes_reclaimed",
        "bytes of everything that was removed in this cycle, including what is in the trash now",
    ),
    (
        "bytes_freed",
        "bytes that were freed on the disk, including those from the trash; not what is still in the trash",
    ),
    ("trash", "entries and bytes at the end, and swept: entries that were deleted for good"),
    (
        "parents_unknown",
        "environments kept because the server's answer about the parent is missing or unclear",
    ),
    (
        "parents_no_uuid",
        "environments kept because their parent's id is not a UUID, so that the server cannot be asked",
    ),
    ("bounds[]", "each bound with its limit, the value at the end, and whether it is met"),
    ("requests", "how many requests were sent to the server"),
];

fn gc_fields() -> String {
    let mut text = String::from(".SH \"JSON FIELDS\"\n");
    for (names, meaning) in GC_FIELDS {
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(names), roff(meaning)));
    }
    text
}

fn reasons() -> String {
    let mut text = String::from(".SH REASONS\nThe reason of each decision.\n");
    for (_, word, meaning) in Reason::ALL {
        text.push_str(&format!(".TP\n\\fI{word}\\fR\n{}\n", roff(meaning)));
    }
    text
}

/// Text as roff reads it: no line begins with a control character, no dash turns into a hyphen.
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
