//! The way to the first prompt: what the agent can, its session, and the settings of that.

use std::io;

use serde_json::json;

use super::super::read::{
    Any, Capabilities, ConfigOption, Hermes, Initialized, McpCapabilities, Meta, Models, Opened, Provenance,
    SessionCapabilities, array, object, text,
};
use super::super::servers::{self, Takes};
use super::{Client, Phase};
use crate::protocol::{AgentFailure, Event, NoticeLevel, Permission, Sink, Step};

impl Client {
    /// Takes what the agent can, and asks for the session.
    pub(super) fn initialized(
        &mut self,
        result: Any<'_>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        let capabilities: Capabilities<'_> = object::<Initialized<'_>>(result)
            .and_then(|said| object(said.agent_capabilities))
            .unwrap_or_default();
        let is_true = |value: Any<'_>| value.is_some_and(|value| value.get() == "true");
        let mcp: McpCapabilities<'_> = object(capabilities.mcp_capabilities).unwrap_or_default();
        let takes = Takes { http: is_true(mcp.http), sse: is_true(mcp.sse) };
        let (listed, left_out) = servers::list(&self.request.servers, takes);
        for name in left_out {
            let text =
                format!("the agent cannot use the MCP server {}: it was left out", name.escape_debug());
            sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
        }
        let mut params = json!({ "cwd": self.request.work_dir, "mcpServers": listed });
        let sessions: SessionCapabilities<'_> = object(capabilities.session_capabilities).unwrap_or_default();
        let can_resume = sessions.resume.is_some_and(|value| !matches!(value.get(), "null" | "false"));
        let method = match &self.request.resume {
            None => "session/new",
            Some(session) => {
                params["sessionId"] = session.as_str().into();
                if can_resume {
                    "session/resume"
                } else if is_true(capabilities.load_session) {
                    self.is_loaded = true;
                    "session/load"
                } else {
                    let failure = AgentFailure {
                        error: "the agent cannot resume sessions".into(),
                        reason: None,
                        is_resume_refused: true,
                    };
                    return self.fail(failure, sink, step);
                }
            }
        };
        self.told.is_price_whole = !self.is_resumed;
        if self.profile.writes_over_id
            && let Some(session) = &self.request.resume
        {
            self.by_own_id = Some((method, params.clone()));
            let alias = format!(" {session}");
            params["sessionId"] = alias.as_str().into();
            self.alias = Some(alias);
        }
        self.open = Some(self.writer.request(&mut step.frames, method, &params));
        self.enter(Phase::Opening { is_resumed: self.is_resumed });
        Ok(())
    }

    /// Takes the session, and finds out which settings it needs.
    pub(super) fn opened(
        &mut self,
        result: Any<'_>,
        is_resumed: bool,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        let opened: Opened<'_> = object(result).unwrap_or_default();
        let stated = provenance(opened.meta).or_else(|| Some(text(opened.session_id).into_owned()));
        let stated = stated.filter(|id| !id.is_empty() && Some(id) != self.alias.as_ref());
        let asked = self.request.resume.clone().filter(|_| is_resumed);
        if let (Some(asked), Some(stated)) = (&asked, &stated)
            && asked != stated
        {
            let text = "the agent opened another session than the one to resume: it may have lost it";
            sink(Event::Notice { level: NoticeLevel::Warning, text })?;
        }
        let models: Models<'_> = object(opened.models).unwrap_or_default();
        let options: Vec<ConfigOption<'_>> =
            array(opened.config_options).into_iter().filter_map(|option| object(Some(option))).collect();
        let model_option =
            options.iter().find(|option| text(option.id) == "model" || text(option.category) == "model");
        let current = match &*text(models.current_model_id) {
            "" => model_option.map(|option| text(option.current_value)).unwrap_or_default().into_owned(),
            current => current.to_owned(),
        };
        let Some(session) = stated.or(asked) else {
            let failure =
                AgentFailure { error: "the agent named no session".into(), ..AgentFailure::default() };
            return self.fail(failure, sink, step);
        };
        self.told.transcript.session(&session, Some(&current), sink)?;
        let session = self.addressed();
        if let Some(model) = self.request.model.clone().filter(|model| *model != current) {
            let setting = match model_option.filter(|_| opened.models.is_none()) {
                Some(option) => (
                    "session/set_config_option",
                    json!({ "sessionId": session, "configId": text(option.id), "value": model }),
                    true,
                ),
                None => ("session/set_model", json!({ "sessionId": session, "modelId": model }), true),
            };
            self.settings.push_back(setting);
        }
        let allows = self.request.permission == Permission::Allow;
        for (id, value) in self.profile.allow_options.iter().filter(|_| allows) {
            let option = options.iter().find(|option| text(option.id) == *id);
            if option.is_some_and(|option| text(option.current_value) != *value) {
                let params = json!({ "sessionId": session, "configId": id, "value": value });
                self.settings.push_back(("session/set_config_option", params, false));
            }
        }
        self.prepare(step);
        Ok(())
    }

    /// Makes the next setting; after the last one comes the prompt, once the history of the session has been told.
    pub(super) fn prepare(&mut self, step: &mut Step) {
        if let Some((method, params, is_model)) = self.settings.pop_front() {
            if is_model && let Some(model) = &self.request.model {
                self.told.transcript.note_model(model);
            }
            self.open = Some(self.writer.request(&mut step.frames, method, &params));
            self.enter(Phase::Setting { is_model });
        } else if self.is_loaded {
            self.enter(Phase::History);
        } else {
            self.prompt(step);
        }
    }
}

/// The session that Hermes says it is in.
pub(super) fn provenance(meta: Any<'_>) -> Option<String> {
    let hermes: Hermes<'_> = object(object::<Meta<'_>>(meta)?.hermes)?;
    let provenance: Provenance<'_> = object(hermes.session_provenance)?;
    Some(text(provenance.acp_session_id).into_owned()).filter(|id| !id.is_empty())
}
