//! How a run ended, from its result and the record. Both can be written by the agent: they are shown, and decide nothing.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::environment::{EnvStatus, FoundEnv, LastResult, Own};
use crate::failure::{Code, Failure};
use crate::protocol::is_price;
use crate::report::claim::Claim;
use crate::report::excerpt::{Excerpt, Most};
use crate::report::model::{Ending, State};
use crate::report::words::explanation;
use crate::run::Which;
use crate::run::transcript::{Recorded, RunEnd};
use crate::supervise::RunOutcome;

/// The longest answer that is shown.
const ANSWER: Most = Most { head: 48 << 10, tail: 16 << 10 };
/// The longest word or name, in bytes.
const WORD: usize = 200;
/// The most models, variables, commits that are listed.
const ROWS: usize = 50;

/// What is known of a run.
pub(super) struct Known<'a> {
    own: &'a Own,
    which: Which,
    state: State,
    /// Its logs.
    pub(super) recorded: Option<Recorded>,
    result: Map<String, Value>,
    /// What its reader should know.
    pub(super) warnings: Vec<Claim>,
}

impl<'a> Known<'a> {
    pub(super) fn of(found: &FoundEnv, own: &'a Own, which: Which) -> Result<Known<'a>> {
        let mut warnings = Vec::new();
        let recorded = Recorded::find(found, which).unwrap_or_else(|error| {
            warnings.push(Claim::new(format!("The log is not shown: {error:#}.")));
            None
        });
        let has_run = own.run.is_some() || own.last_result.is_some();
        if recorded.is_none() && !(which == Which::Last && has_run) {
            return Err(no_run(found, which));
        }
        let result = recorded.as_ref().and_then(Recorded::result).unwrap_or_default();
        let mut known = Known { own, which, state: State::Unknown, recorded, result, warnings };
        let is_live = known.recorded.as_ref().is_some_and(|recorded| recorded.is_live);
        let is_dead = which == Which::Last && own.status.is_active() && !is_live;
        known.state = match own.status {
            EnvStatus::Paused if is_live => State::Paused,
            _ if is_live => State::Running,
            _ if is_dead && known.result.is_empty() => State::Crashed,
            _ => known.recorded_state(),
        };
        if is_live {
            known.result.clear(); // it would be that of the run before
            known.warn("The run is on: what comes after this moment is not here.".to_owned());
        }
        if is_dead {
            let fix = "`execenv doctor --fix` records how it ended and keeps its work";
            known.warn(format!("The run died and was not recovered yet: {fix}."));
        }
        Ok(known)
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(Claim::new(text));
    }

    /// What the record says of the end of this run.
    fn last_result(&self) -> Option<&LastResult> {
        self.own
            .last_result
            .as_ref()
            .filter(|_| self.which == Which::Last && !self.state.is_on() && self.state != State::Crashed)
    }

    /// What the run's own log says of its end.
    fn end(&self) -> Option<&RunEnd> {
        self.recorded.as_ref()?.end.as_ref()
    }

    /// The status of a run that is over.
    fn recorded_state(&self) -> State {
        let last = self.own.last_result.as_ref().filter(|_| self.which == Which::Last);
        let words = [
            Some(self.text("status")),
            last.map(|last| last.status.as_str()),
            self.end().map(|end| end.status.as_str()),
        ];
        let mut known = words.into_iter().flatten().map(State::of_word);
        known.find(|state| *state != State::Unknown).unwrap_or(State::Unknown)
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
        let last = self.last_result();
        let is_over = !self.state.is_on();
        let reason = Some(self.text("failure_reason"))
            .filter(|reason| !reason.is_empty())
            .or_else(|| last.filter(|_| self.result.is_empty())?.failure_reason.as_deref())
            .or_else(|| self.end().filter(|_| self.result.is_empty())?.reason.as_deref());
        let duration_ms = self.number("duration_ms");
        let ended_at = self
            .text("ended_at")
            .parse()
            .ok()
            .or_else(|| last.and_then(|last| last.ended_at))
            .or_else(|| Some(self.end()?.at))
            .filter(|_| is_over);
        let began = self.recorded.as_ref().and_then(|recorded| recorded.began).or_else(|| run?.started_at);
        let before = |ended: DateTime<Utc>| {
            let length = i64::try_from(duration_ms?).ok()?;
            ended.checked_sub_signed(chrono::Duration::try_milliseconds(length)?)
        };
        let started_at = began.or_else(|| ended_at.and_then(before));
        let so_far = started_at.and_then(|began| u64::try_from((now - began).num_milliseconds()).ok());
        Ending {
            id: match run {
                Some(run) => Claim::beginning(&run.id, WORD),
                None => {
                    Claim::beginning(self.recorded.as_ref().map_or("", |recorded| &recorded.run_id), WORD)
                }
            },
            status: self.state,
            is_over,
            explanation: reason.and_then(explanation),
            failure_reason: reason.map(|reason| Claim::beginning(reason, WORD)),
            error: self
                .result
                .get("error")
                .and_then(Value::as_str)
                .map(|error| Claim::beginning(error, 8 << 10)),
            exit_code: match self.number("exit_code") {
                Some(code) => u8::try_from(code).ok(),
                None => last.map(|last| last.exit_code).or_else(|| Some(self.end()?.exit_code)),
            },
            text: Excerpt::of(self.text("text"), ANSWER),
            started_at,
            ended_at,
            duration_ms: if is_over { duration_ms } else { so_far },
            iterations: match self.number("iterations") {
                Some(count) => u32::try_from(count).unwrap_or(u32::MAX),
                None => self.recorded.as_ref().map_or(0, |recorded| recorded.turns),
            },
            cost_usd: match self.result.get("cost_usd") {
                Some(Value::Number(price)) if is_price(price) => Some(price.clone()),
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
            session_id: match self
                .own
                .session
                .as_ref()
                .filter(|_| self.text("session_id").is_empty() && run.is_some())
            {
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

    /// Fills in what a run without a result has used up and said last, from its log.
    pub(super) fn complete(&self, run: &mut Ending, outcome: RunOutcome) {
        if !self.result.is_empty() {
            return;
        }
        let usage = outcome.usage.into_iter().take(ROWS);
        run.usage = usage.map(|(model, usage)| (Claim::beginning(&model, WORD), usage)).collect();
        run.cost_usd = outcome.cost_usd;
        run.text = Excerpt::of(&outcome.verdict.text, ANSWER);
        if run.session_id.is_empty() {
            run.session_id = Claim::beginning(&outcome.session_id.unwrap_or_default(), WORD);
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

    fn objects<T>(
        &self,
        name: &str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> std::collections::BTreeMap<Claim, T> {
        let fields = self.result.get(name).and_then(Value::as_object);
        let named = |(name, value): (&String, &Value)| Some((Claim::beginning(name, WORD), item(value)?));
        fields.into_iter().flatten().take(ROWS).filter_map(named).collect()
    }
}

/// The failure where there is no such run.
fn no_run(found: &FoundEnv, which: Which) -> anyhow::Error {
    let (key, path) = (found.env.key(), found.env.path.display());
    let own = found.meta.as_ref().and_then(|meta| meta.own.as_ref());
    let failed = own.and_then(|own| own.failed_start.as_ref());
    let failed = failed.map(|start| format!("; {}", start.words())).unwrap_or_default();
    let (message, hint) = match which {
        Which::Last => {
            (format!("nothing has run in {path} yet{failed}"), format!("start one: `execenv run {key}`"))
        }
        Which::Previous => (
            format!("{path} has no logs of a run before the last one"),
            format!("of the last one: `execenv report {key}`"),
        ),
    };
    Failure::new(Code::NoLogs, message).hint(hint).into()
}
