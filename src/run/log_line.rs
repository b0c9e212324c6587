//! The lines of `logs/run.log`, as they are written and read again.

use std::path::Path;

use crate::protocol::NoticeLevel;

/// What one line says, after its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogLine {
    /// A run has started an agent.
    Run {
        /// The run's id.
        id: String,
        /// The agent's provider.
        provider: String,
    },
    /// What the agent speaks; empty for a program.
    Dialect(String),
    /// Where in the log of the agent's output this start begins.
    From(u64),
    /// The agent's session is known before it says so.
    Session(String),
    /// A person was told something.
    Notice(NoticeLevel, String),
    /// A turn of an autonomous run has ended.
    Iteration {
        /// Its number.
        n: u32,
        /// Whether the agent says that it is done.
        ready: bool,
        /// Why, or why not.
        reason: Option<String>,
    },
    /// The work was saved.
    Heartbeat {
        /// The commit.
        commit: String,
        /// It is on the remote, too.
        pushed: bool,
        /// The file of its patch.
        patch: Option<String>,
    },
    /// The run has ended.
    End {
        /// How: the word of its status.
        status: String,
        /// The exit status.
        exit_code: u8,
        /// Why it did not complete.
        reason: Option<String>,
    },
}

const FROM: &str = "log from byte ";
const NOTICES: [(&str, NoticeLevel); 3] =
    [("info ", NoticeLevel::Info), ("notice ", NoticeLevel::Warning), ("error ", NoticeLevel::Error)];

impl LogLine {
    /// The line of a run, with the folder in which its agent works.
    pub(super) fn run(id: &str, provider: &str, work_dir: &Path) -> String {
        format!("run {id} of {provider} in {}", work_dir.display())
    }

    /// The line as it is written; a run's is that of [`LogLine::run`].
    pub(super) fn text(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        match self {
            LogLine::Run { id, provider } => format!("run {id} of {provider}"),
            LogLine::Dialect(name) => format!("dialect {name}"),
            LogLine::From(at) => format!("{FROM}{at}"),
            LogLine::Session(id) => format!("session {id}"),
            LogLine::Notice(level, text) => {
                let word = NOTICES.iter().find(|(_, of)| of == level).map_or(NOTICES[1].0, |(word, _)| word);
                format!("{word}{text}")
            }
            LogLine::Iteration { n, ready, reason } => {
                let ready = if *ready { "ready" } else { "open" };
                format!("iteration {n} {ready} {}", or_none(reason))
            }
            LogLine::Heartbeat { commit, pushed, patch } => {
                let pushed = if *pushed { "pushed" } else { "here" };
                format!("heartbeat {commit} {pushed} {}", or_none(patch))
            }
            LogLine::End { status, exit_code, reason } => {
                format!("end {status} status {exit_code} reason {}", or_none(reason))
            }
        }
    }

    /// Reads what follows the time of a line. `None`: it says nothing of these.
    pub(super) fn parse(text: &str) -> Option<LogLine> {
        let known = |text: &str| (text != "-").then(|| text.to_owned());
        if let Some((_, level, said)) =
            NOTICES.iter().find_map(|(word, level)| Some((word, level, text.strip_prefix(word)?)))
        {
            return Some(LogLine::Notice(*level, said.to_owned()));
        }
        if let Some(at) = text.strip_prefix(FROM) {
            return at.parse().ok().map(LogLine::From);
        }
        let (word, rest) = text.split_once(' ')?;
        match word {
            "run" => {
                let (id, rest) = rest.split_once(" of ")?;
                let provider = rest.split(' ').next().unwrap_or_default();
                Some(LogLine::Run { id: id.to_owned(), provider: provider.to_owned() })
            }
            "session" => Some(LogLine::Session(rest.to_owned())),
            "dialect" => Some(LogLine::Dialect(rest.to_owned())),
            "iteration" => {
                let (n, rest) = rest.split_once(' ')?;
                let (ready, reason) = rest.split_once(' ')?;
                Some(LogLine::Iteration {
                    n: n.parse().ok()?,
                    ready: ready == "ready",
                    reason: known(reason),
                })
            }
            "heartbeat" => {
                let (commit, rest) = rest.split_once(' ')?;
                let (pushed, patch) = rest.split_once(' ')?;
                let commit = commit.to_owned();
                Some(LogLine::Heartbeat { commit, pushed: pushed == "pushed", patch: known(patch) })
            }
            "end" => {
                let (status, rest) = rest.split_once(" status ")?;
                let (exit_code, reason) = rest.split_once(" reason ")?;
                let exit_code = exit_code.parse().ok()?;
                Some(LogLine::End { status: status.to_owned(), exit_code, reason: known(reason) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read_as_it_was_written() {
        let some = |text: &str| Some(text.to_owned());
        for line in [
            LogLine::Run { id: "r1".into(), provider: "claude".into() },
            LogLine::Dialect("stream-json".into()),
            LogLine::Dialect(String::new()),
            LogLine::From(70),
            LogLine::Session("s1".into()),
            LogLine::Notice(NoticeLevel::Info, "a b".into()),
            LogLine::Notice(NoticeLevel::Warning, "run x of y".into()),
            LogLine::Notice(NoticeLevel::Error, String::new()),
            LogLine::Iteration { n: 2, ready: false, reason: some("no tests yet") },
            LogLine::Iteration { n: 2, ready: true, reason: None },
            LogLine::Heartbeat { commit: "abc".into(), pushed: true, patch: some("output/a b.gz") },
            LogLine::Heartbeat { commit: "abc".into(), pushed: false, patch: None },
            LogLine::End { status: "failed".into(), exit_code: 3, reason: some("timeout") },
            LogLine::End { status: "completed".into(), exit_code: 0, reason: None },
        ] {
            assert_eq!(LogLine::parse(&line.text()).as_ref(), Some(&line), "{}", line.text());
        }
        let run = LogLine::run("r1", "claude", Path::new("/a b of c"));
        let expected = LogLine::Run { id: "r1".into(), provider: "claude".into() };
        assert_eq!(LogLine::parse(&run), Some(expected));
        for text in [
            "",
            "run",
            "run x",
            "start claude -p",
            "log from byte",
            "log from byte x",
            "end x",
            "iteration 1",
        ] {
            assert_eq!(LogLine::parse(text), None, "{text}");
        }
    }
}
