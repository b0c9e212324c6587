//! What the agent says: blocks to lines to events, and its requests to answers.

use std::io;
use std::time::Instant;

use super::auth;
use super::command::Dialect;
use super::process::{Agent, Run};
use crate::protocol::Event;
use crate::protocol::Sink;
use crate::protocol::ndjson::claude::Meaning;
use crate::protocol::ndjson::lines::Line;

impl Run {
    pub(super) fn output(&mut self, bytes: &[u8], agent: &mut Agent, sink: &mut Sink<'_>) {
        match self.dialect {
            Dialect::Raw => self.emit(Event::Output(bytes), sink),
            Dialect::ClaudeStream => {
                let mut lines = std::mem::take(&mut self.lines);
                let _ = lines.push::<()>(bytes, &mut |line| {
                    self.line(line, agent, sink);
                    Ok(())
                });
                self.lines = lines;
            }
        }
    }

    pub(super) fn last_line(&mut self, agent: &mut Agent, sink: &mut Sink<'_>) {
        let mut lines = std::mem::take(&mut self.lines);
        let _ = lines.finish::<()>(&mut |line| {
            self.line(line, agent, sink);
            Ok(())
        });
    }

    fn line(&mut self, line: Line<'_>, agent: &mut Agent, sink: &mut Sink<'_>) {
        let line = match line {
            Line::Whole(line) => line,
            Line::Shortened { line, .. } => {
                self.shortened += 1;
                line
            }
            Line::Lost { length } => {
                self.lost_line.get_or_insert(length);
                return;
            }
        };
        if self.sink_broken {
            return;
        }
        let mut answers = Vec::new();
        self.sink_waits = true;
        match self.reader.line(line, sink, &mut answers) {
            Ok(Meaning::Noise) => {}
            Ok(Meaning::Progress) => self.last_event = Instant::now(),
            Ok(Meaning::Suspicious) => {
                if !self.asked_for_login {
                    let text = String::from_utf8_lossy(&line[..line.len().min(64 << 10)]).into_owned();
                    self.look_for_login(&text, sink);
                }
            }
            Ok(Meaning::Terminal) => {
                self.last_event = Instant::now();
                self.result_at.get_or_insert(self.last_event);
                self.terminal_first |= agent.stop.is_none();
                agent.writer = None; // otherwise it waits for more input for ever
            }
            Err(error) => self.broken(&error),
        }
        if !answers.is_empty()
            && let Some(writer) = &agent.writer
        {
            writer.send(answers);
        }
    }

    pub(super) fn emit(&mut self, event: Event<'_>, sink: &mut Sink<'_>) {
        self.sink_waits = true;
        if !self.sink_broken
            && let Err(error) = sink(event)
        {
            self.broken(&error);
        }
    }

    fn broken(&mut self, error: &io::Error) {
        log::debug!("the reader of the events left: {error}");
        self.sink_broken = true;
    }

    pub(super) fn look_for_login(&mut self, text: &str, sink: &mut Sink<'_>) {
        if self.asked_for_login || !auth::asks_for_login(text) {
            return;
        }
        self.asked_for_login = true;
        let provider = self.provider.clone();
        let host = rustix::system::uname();
        let url = auth::login_url(text);
        let hint = crate::provider::login::hint(&provider);
        let event = Event::AuthRequired {
            provider: &provider,
            hostname: &host.nodename().to_string_lossy(),
            login_url: url.as_deref(),
            hint: &hint,
        };
        self.emit(event, sink);
    }
}
