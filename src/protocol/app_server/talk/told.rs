//! What the server tells: items of the turn, news of the turn, and much that a run does not need.

use std::io;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Talk, Turn, value};
use crate::protocol::app_server::failure::{self, Failed};
use crate::protocol::app_server::items::Known;
use crate::protocol::app_server::message::{Params, literal, word};
use crate::protocol::ndjson::skipped::Skipped;
use crate::protocol::{AgentFailure, Event, NoticeLevel, Sink, Step};

/// So many notices are remembered.
const MAX_NOTICES: usize = 256;
/// No longer ones, in bytes.
const LONGEST_NOTICE: usize = 4096;

impl Talk {
    /// The server tells something.
    pub(super) fn told(
        &mut self,
        method: &str,
        params: Option<&RawValue>,
        skipped: &mut Skipped,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        match method {
            _ if method.starts_with("item/") => {
                let params = params.map_or("{}", RawValue::get);
                match serde_json::from_str::<Params<'_>>(params) {
                    Ok(params) => self.item(method, &params, skipped, sink, step),
                    Err(_) => {
                        skipped.unknown(method);
                        Ok(())
                    }
                }
            }
            "turn/started"
            | "turn/completed"
            | "thread/tokenUsage/updated"
            | "thread/status/changed"
            | "error" => self.news(method, &value(params), sink, step),
            "warning" | "guardianWarning" | "configWarning" | "deprecationNotice" => {
                let params = value(params);
                let text = params["message"].as_str().or_else(|| params["summary"].as_str());
                // That something will go one day is no concern of who runs a task.
                let is_warning = method != "deprecationNotice";
                let level = if is_warning { NoticeLevel::Warning } else { NoticeLevel::Info };
                self.notice(level, text.unwrap_or_default(), sink)
            }
            "mcpServer/startupStatus/updated" | "hook/started" | "hook/completed" => {
                step.is_progress = true;
                Ok(())
            }
            _ => {
                if !is_of_known_kind(method) {
                    skipped.unknown(method);
                }
                step.is_progress |= method.starts_with("turn/");
                Ok(())
            }
        }
    }

    /// Takes what is told of an item.
    pub(super) fn item(
        &mut self,
        method: &str,
        params: &Params<'_>,
        skipped: &mut Skipped,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        // A helper of the agent's works in a thread of its own; what comes before the turn is the thread's past.
        step.is_progress |= self.turn != Turn::Before;
        let Params { thread, turn, item_id, delta, item } = params;
        let Turn::Running(running) = &self.turn else { return Ok(()) };
        if word(*thread) != self.thread || word(*turn) != *running {
            return Ok(());
        }
        self.has_sign = true;
        let (items, transcript) = (&mut self.items, &mut self.transcript);
        let known = match (method, item) {
            ("item/started", Some(item)) => items.started(item, transcript, sink)?,
            ("item/completed", Some(item)) => items.completed(item, transcript, sink)?,
            ("item/agentMessage/delta", _) => {
                items.part(word(*item_id), literal(*delta), transcript, sink)?;
                Known::Yes
            }
            ("item/started" | "item/completed", None) => Known::No,
            _ => Known::Yes, // what is left of these is in the items at their ends
        };
        if known == Known::No {
            skipped.unknown(&word(item.as_ref().and_then(|item| item.kind)));
        }
        Ok(())
    }

    /// News of the turn as a whole; of our own thread alone.
    fn news(&mut self, method: &str, params: &Value, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if params["threadId"].as_str() != Some(&self.thread) {
            return Ok(());
        }
        let turn = params["turnId"].as_str().or_else(|| params["turn"]["id"].as_str());
        let is_ours = matches!(&self.turn, Turn::Running(running) if turn == Some(running));
        match method {
            "turn/started" => {
                step.is_progress = true;
                self.turn_started(turn);
            }
            "turn/completed" if is_ours => {
                let turn = &params["turn"];
                match turn["status"].as_str().unwrap_or_default() {
                    "failed" => self.error = Some(failure::read(&turn["error"])),
                    "interrupted" | "cancelled" | "canceled" | "aborted" => {
                        let error = "the turn was interrupted".to_owned();
                        let failure = AgentFailure { error, ..AgentFailure::default() };
                        self.error = Some(Failed { failure, poisoned: None });
                    }
                    _ => self.error = None,
                }
                self.turn_ended(step);
            }
            "thread/tokenUsage/updated" if is_ours => {
                step.is_progress = true;
                if let Some(used) = self.tokens.told(&params["tokenUsage"]) {
                    self.transcript.set_usage("", used);
                    self.transcript.turn_ended();
                }
            }
            "thread/tokenUsage/updated" => self.tokens.told_before(&params["tokenUsage"]),
            "thread/status/changed" => {
                let status = params["status"]["type"].as_str().unwrap_or_default();
                self.is_idle = matches!(status, "idle" | "systemError" | "notLoaded")
                    && matches!(self.turn, Turn::Running(_));
            }
            "error" => {
                let failed = failure::read(&params["error"]);
                if params["willRetry"].as_bool() == Some(true) {
                    let text = failed.failure.error.clone();
                    self.retried = Some(failed);
                    self.notice(NoticeLevel::Warning, &text, sink)?;
                } else if is_ours {
                    self.error = Some(failed);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A notice, unless it was told before.
    fn notice(&mut self, level: NoticeLevel, text: &str, sink: &mut Sink<'_>) -> io::Result<()> {
        if text.is_empty() || self.notices.contains(text) {
            return Ok(());
        }
        if self.notices.len() < MAX_NOTICES && text.len() <= LONGEST_NOTICE {
            self.notices.insert(text.to_owned());
        }
        sink(Event::Notice { level, text })
    }
}

/// Notifications about other things than the turn.
fn is_of_known_kind(method: &str) -> bool {
    const KINDS: [&str; 22] = [
        "account",
        "accountSession",
        "app",
        "autoApprovalReview",
        "codex",
        "command",
        "externalAgentConfig",
        "fs",
        "fuzzyFileSearch",
        "hook",
        "mcpServer",
        "model",
        "modelProvider",
        "process",
        "project",
        "remoteControl",
        "serverRequest",
        "skills",
        "thread",
        "turn",
        "windows",
        "windowsSandbox",
    ];
    method.split_once('/').is_some_and(|(kind, _)| KINDS.contains(&kind))
}
