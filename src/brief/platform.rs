//! The platform CLI that an agent works through, and the commands of it that our texts may name.
//!
//! Every command in a brief, a context file or a prompt comes from [`Commands`]; without a platform there is no
//! `Commands`, so none can be named.

use std::fmt;

use crate::task::{TaskDocument, TaskKind, safe_token};

/// The issue id where none may be named: the brief is the same for every issue, the turn's message has the id.
pub(super) const ISSUE: &str = "<issue-id>";

/// What the agent talks to (decision D22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Nothing: plain, stand-alone use.
    None,
    /// The CLI of that name.
    Cli(CliName),
}

/// The checked name of a platform CLI, fit to stand at the head of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliName(String);

impl fmt::Display for CliName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Platform {
    /// The CLI that the task documents come from.
    pub const DEFAULT_CLI: &str = "multica";

    /// Reads `--platform-cli`: `none`, or a program's name. `None` when it cannot be a program's name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            name if safe_token(name) => Some(Self::Cli(CliName(name.to_owned()))),
            _ => None,
        }
    }

    /// The platform of a task when the user names none: [`Self::DEFAULT_CLI`] when the document belongs to an
    /// issue, a chat, an autopilot or the quick-create box.
    pub fn for_task(task: &TaskDocument) -> Self {
        match TaskKind::of(task) {
            TaskKind::Plain if task.autopilot_id.is_empty() => Self::None,
            _ => Self::Cli(CliName(Self::DEFAULT_CLI.to_owned())),
        }
    }

    /// The platform's program, when there is a platform.
    pub fn cli(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Cli(CliName(program)) => Some(program),
        }
    }

    /// The commands that may be named, when there is a platform.
    pub(super) fn commands(&self) -> Option<Commands<'_>> {
        match self {
            Self::None => None,
            Self::Cli(CliName(program)) => Some(Commands { program }),
        }
    }
}

/// The command templates of one platform CLI. Arguments are placeholders or checked ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commands<'a> {
    /// The program's name.
    pub(super) program: &'a str,
}

impl Commands<'_> {
    pub(super) fn issue_get(&self, issue: &str) -> String {
        format!("{} issue get {issue} --output json", self.program)
    }

    pub(super) fn issue_list(&self) -> String {
        format!("{} issue list --output json", self.program)
    }

    pub(super) fn issue_create(&self) -> String {
        format!(
            "{} issue create --title \"...\" [--description-file <path>] [--status <status>] [--priority <priority>] \
             [--assignee <name> | --assignee-id <id>] [--parent <issue-id>] [--stage <n>] [--project <id>] \
             [--due-date <YYYY-MM-DD>] [--attachment <path>]... --output json",
            self.program
        )
    }

    pub(super) fn issue_update(&self) -> String {
        format!(
            "{} issue update {ISSUE} [--title \"...\"] [--description-file <path>] [--priority <priority>] \
             [--assignee <name>] [--due-date <YYYY-MM-DD>] [--parent <issue-id>] [--status <status>] [--stage <n>] \
             [--project <id>] [--no-start]",
            self.program
        )
    }

    pub(super) fn issue_assign(&self) -> String {
        format!(
            "{} issue assign {ISSUE} (--to <name> | --to-id <id> | --unassign) [--no-start]",
            self.program
        )
    }

    /// The first look at the comments of an issue: one short line a thread, however long the history is.
    pub(super) fn comment_scan(&self, issue: &str) -> String {
        self.comment_list(issue, "--roots-only --summary")
    }

    /// The lists in which a name is looked up: `member`, `agent`, `squad`.
    pub(super) fn list(&self, what: &str) -> String {
        format!("{} {what} list --output json", self.program)
    }

    pub(super) fn chat(&self, what: &str) -> String {
        format!("{} chat {what} --output json", self.program)
    }

    pub(super) fn issue_status(&self, issue: &str, status: &str) -> String {
        format!("{} issue status {issue} {status}", self.program)
    }

    pub(super) fn issue_children(&self) -> String {
        format!("{} issue children {ISSUE} --output json", self.program)
    }

    /// `scope` is the part between the issue and `--output`, such as `--recent 10`.
    pub(super) fn comment_list(&self, issue: &str, scope: &str) -> String {
        format!("{} issue comment list {issue} {scope} --output json", self.program)
    }

    /// `rest` is what follows the issue, such as `--content-file ./reply.md`.
    pub(super) fn comment_add(&self, issue: &str, rest: &str) -> String {
        format!("{} issue comment add {issue} {rest}", self.program)
    }

    pub(super) fn metadata(&self, rest: &str) -> String {
        format!("{} issue metadata {rest}", self.program)
    }

    pub(super) fn checkout(&self) -> String {
        format!("{} repo checkout <url> [--ref <branch-or-sha>]", self.program)
    }

    pub(super) fn workspace_get(&self) -> String {
        format!("{} workspace get --output json", self.program)
    }

    pub(super) fn autopilot_get(&self, autopilot: &str) -> String {
        format!("{} autopilot get {autopilot} --output json", self.program)
    }

    pub(super) fn attachment_download(&self, attachment: &str) -> String {
        format!("{} attachment download {attachment}", self.program)
    }

    pub(super) fn attachment_upload(&self) -> String {
        format!("{} attachment upload <path>", self.program)
    }

    pub(super) fn attachment_help(&self) -> String {
        format!("{} attachment --help", self.program)
    }

    pub(super) fn squad_no_action(&self, issue: &str) -> String {
        format!("{} squad activity {issue} no_action --reason \"...\"", self.program)
    }

    pub(super) fn squad_set_role(&self) -> String {
        format!(
            "{} squad member set-role <squad-id> --member-id <id> --member-type <agent|member> --role \"...\"",
            self.program
        )
    }

    pub(super) fn help(&self) -> String {
        format!("{} --help", self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_none_or_a_program_name() {
        assert_eq!(Platform::named("none"), Some(Platform::None));
        let acme = Platform::named("acme-cli").unwrap();
        assert_eq!(acme.commands().unwrap().issue_get("I-1"), "acme-cli issue get I-1 --output json");
        for bad in ["", "a b", "-x", "a`b", "a\nb", "/bin/x"] {
            assert_eq!(Platform::named(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_document_decides_when_the_user_does_not() {
        let multica = Platform::named(Platform::DEFAULT_CLI).unwrap();
        let plain = TaskDocument { id: "t".into(), project_id: "p".into(), ..TaskDocument::default() };
        assert_eq!(Platform::for_task(&plain), Platform::None);
        for document in [
            TaskDocument { issue_id: "i".into(), ..plain.clone() },
            TaskDocument { chat_session_id: "c".into(), ..plain.clone() },
            TaskDocument { autopilot_id: "a".into(), ..plain.clone() },
            TaskDocument { quick_create_prompt: "q".into(), ..plain },
        ] {
            assert_eq!(Platform::for_task(&document), multica);
        }
    }
}
