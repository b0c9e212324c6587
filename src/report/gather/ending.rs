//! How a run ended, from its result and the record. Both can be written by the agent: they are shown, and decide nothing.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Claim, Excerpt, Most, Which};
use crate::environment::{EnvLock, EnvStatus, FoundEnv, Held, Own};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::report::model::{Ending, State};
use crate::report::words::explanation;

/// The longest result that is read, in bytes: several times the longest that a run writes.
const MOST: u64 = 8 << 20;
/// The longest answer that is shown.
const ANSWER: Most = Most { head: 48 << 10, tail: 16 << 10 };
/// The longest word or name, in bytes.
const WORD: usize = 200;
/// The most models, variables, commits that are listed.
const ROWS: usize = 50;

/// What is known of a run.
pub(super) struct Known<'a> {
    found: &'a FoundEnv,
    own: &'a Own,
    which: Which,
    state: State,
    result: Map<String, Value>,
    /// What its reader should know.
    pub(super) warnings: Vec<Claim>,
}

impl<'a> Known<'a> {
    pub(super) fn of(found: &'a FoundEnv, own: &'a Own, which: Which) -> Result<Known<'a>> {
        let is_held = matches!(EnvLock::try_acquire(&found.env.tree, false), Err(Held::ByOther | Held::Unknown(_)));
        let is_dead = own.status.is_active() && !is_held;
        let is_on = own.status.is_active() && is_held;
        let mut known = Known { found, own, which, state: State::Unknown, result: Map::new(), warnings: Vec::new() };
        match which {
            Which::Last => {
                if !known.has_run() {
                    return Err(known.no_run());
                }
                let run_id = own.run.as_ref().map_or("", |run| &run.id);
                known.result = known.read_result(&Path::new(names::OUTPUT).join(names::RESULT));
                // While a run is on, or died, the file is that of the run before.
                let its = known.result.get("run_id").and_then(Value::as_str).unwrap_or_default();
                if own.status.is_active() && its != run_id || !run_id.is_empty() && !its.is_empty() && its != run_id {
                    known.result.clear();
                }
                known.state = match own.status {
                    _ if is_on && own.status == EnvStatus::Paused => State::Paused,
                    _ if is_on => State::Running,
                    _ if is_dead && known.result.is_empty() => State::Crashed,
                    _ => known.recorded_state(),
                };
            }
            Which::Previous => {
                known.result = known.read_result(&previous_result());
                known.state = State::of_word(known.text("status"));
            }
        }
        if is_dead && which == Which::Last {
            let hint = format!("`execenv doctor --fix` records how it ended and keeps its work (environment {})", found.env.key());
            known.warn(format!("The run died and was not recovered: {hint}."));
        }
        if known.state.is_on() {
            known.warn("The run is on: what comes after this moment is not here.".to_owned());
        }
        Ok(known)
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(Claim::new(text));
    }

    fn has_run(&self) -> bool {
        self.own.run.is_some() || self.own.last_result.is_some()
    }

    fn no_run(&self) -> anyhow::Error {
        let key = self.found.env.key();
        Failure::new(Code::NoRun, format!("{} has had no run yet", self.found.env.path.display()))
            .hint(format!("start one: `execenv run {key}`"))
            .into()
    }

    /// The status of a run that is over.
    fn recorded_state(&self) -> State {
        let by_result = State::of_word(self.text("status"));
        let last = self.own.last_result.as_ref().map_or(State::Unknown, |last| State::of_word(&last.status));
        [by_result, last, State::of_word(self.own.status.word())]
            .into_iter()
            .find(|state| *state != State::Unknown)
            .unwrap_or(State::Unknown)
    }

    fn read_result(&mut self, file: &Path) -> Map<String, Value> {
        let read = self.found.env.tree.read(file, MOST);
        let parsed = match read {
            Ok(None) => return Map::new(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        parsed.unwrap_or_else(|error| {
            self.warn(format!("The result in {} cannot be read: {error}.", file.display()));
            Map::new()
        })
    }

    fn text(&self, name: &str) -> &str {
        self.result.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn claim(&self, name: &str) -> Claim {
        Claim::beginning(self.text(name), WORD)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.result.get(name).and_then(Value::as_u64)
    }

    /// How it ended.
    pub(super) fn ending(&self, now: DateTime<Utc>) -> Ending {
        let run = self.own.run.as_ref().filter(|_| self.which == Which::Last);
        let last = self.own.last_result.as_ref().filter(|_| self.which == Which::Last && !self.state.is_on());
        let is_over = !self.state.is_on();
        let reason = Some(self.text("failure_reason"))
            .filter(|reason| !reason.is_empty())
            .or_else(|| last.filter(|_| self.result.is_empty())?.failure_reason.as_deref());
        let duration_ms = self.number("duration_ms");
        let ended_at = self.text("ended_at").parse().ok().or_else(|| last.and_then(|last| last.ended_at)).filter(|_| is_over);
        let began = run.and_then(|run| run.started_at);
        let before = |ended: DateTime<Utc>| {
            let length = i64::try_from(duration_ms?).ok()?;
            ended.checked_sub_signed(chrono::Duration::try_milliseconds(length)?)
        };
        let started_at = began.or_else(|| ended_at.and_then(before));
        let so_far = started_at.and_then(|began| u64::try_from((now - began).num_milliseconds()).ok());
        Ending {
            id: match run {
                Some(run) => Claim::beginning(&run.id, WORD),
                None => self.claim("run_id"),
            },
            status: self.state,
            is_over,
            explanation: reason.and_then(explanation),
            failure_reason: reason.map(|reason| Claim::beginning(reason, WORD)),
            error: self.result.get("error").and_then(Value::as_str).map(|error| Claim::beginning(error, 8 << 10)),
            exit_code: match self.number("exit_code") {
                Some(code) => u8::try_from(code).ok(),
                None => last.map(|last| last.exit_code),
            },
            text: Excerpt::of(self.text("text"), ANSWER),
            started_at,
            ended_at,
            duration_ms: if is_over { duration_ms } else { so_far },
            iterations: self.number("iterations").and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
            cost_usd: match self.result.get("cost_usd") {
                Some(Value::Number(price)) => Some(price.clone()),
                _ => None,
            },
            usage: self.objects("usage", |usage| {
                let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
                Some(crate::protocol::Usage {
                    input_tokens: count("input_tokens"),
                    output_tokens: count("output_tokens"),
                    cache_read_tokens: count("cache_read_tokens"),
                    cache_write_tokens: count("cache_write_tokens"),
                })
            }),
            session_id: match self.own.session.as_ref().filter(|_| self.text("session_id").is_empty() && run.is_some()) {
                Some(session) => Claim::beginning(&session.id, WORD),
                None => self.claim("session_id"),
            },
            host: match run.filter(|run| !run.host.is_empty()) {
                Some(run) => Claim::beginning(&run.host, WORD),
                None => self.claim("host"),
            },
            engine: self.objects("engine", |value| Some(Claim::beginning(value.as_str()?, WORD))),
            sandbox: self.sandbox(),
            recovered: self.result.get("recovered").and_then(Value::as_bool).unwrap_or_default(),
            survivors_killed: self.number("survivors_killed").unwrap_or_default(),
            commits: self.list("commits", |commit| Some(Claim::beginning(commit.as_str()?, 12))),
            pr_url: Claim::beginning(self.text("pr_url"), 400),
            published: self.result.get("published").filter(|published| published.is_object()).cloned(),
            source_drift: self.list("source_drift", |drift| Some(Claim::beginning(&drift.to_string(), 400))),
        }
    }

    fn sandbox(&self) -> Claim {
        let Some(Value::Object(sandbox)) = self.result.get("sandbox") else { return Claim::default() };
        let kind = sandbox.get("kind").and_then(Value::as_str).unwrap_or_default();
        let network = sandbox.get("network").and_then(Value::as_bool).unwrap_or_default();
        Claim::beginning(&format!("{kind}, network {}", if network { "on" } else { "off" }), WORD)
    }

    fn list<T>(&self, name: &str, item: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        let items = self.result.get(name).and_then(Value::as_array);
        items.into_iter().flatten().take(ROWS).filter_map(item).collect()
    }

    fn objects<T>(&self, name: &str, item: impl Fn(&Value) -> Option<T>) -> std::collections::BTreeMap<Claim, T> {
        let fields = self.result.get(name).and_then(Value::as_object);
        let named = |(name, value): (&String, &Value)| Some((Claim::beginning(name, WORD), item(value)?));
        fields.into_iter().flatten().take(ROWS).filter_map(named).collect()
    }
}

impl Known<'_> {
    /// What its log says.
    pub(super) fn replay(
        &self,
        began: Option<DateTime<Utc>>,
        ended: Option<DateTime<Utc>>,
        _warnings: &mut Vec<Claim>,
    ) -> super::Collected {
        let collector = super::Collector::new(began, super::Unit::Bytes);
        collector.finish(ended)
    }
}

fn previous_result() -> std::path::PathBuf {
    Path::new(names::LOGS).join("previous").join(names::RESULT)
}
