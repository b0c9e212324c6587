//! An agent that prints its answer as plain text, and nothing else that a program could read.
//!
//! Its exit status tells whether it failed; an agent that ended well and printed nothing has given no answer.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conversation::{Conversation, Ending, Opening, Properties, Step};
use super::event::{Event, NoticeLevel, Sink};
use super::text::JsonText;
use super::transcript::Transcript;

/// The most that is held back of a line without an end, in bytes.
const MAX_LINE: usize = 64 << 10;

/// Where a CLI says which session it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionMark {
    /// Nowhere.
    None,
    /// On standard error: what follows this word at the start of a line.
    Errors(&'static str),
    /// In a file that it leaves: what follows the last such word, up to the first character that no id has.
    File(PathBuf, &'static str),
}

/// The conversation with one agent.
#[derive(Debug)]
pub struct Plain {
    opening: Opening,
    mark: SessionMark,
    /// Lines that begin with one of these, after white space, are no part of the answer.
    noise: &'static [&'static str],
    transcript: Transcript,
    /// The begun line of standard output.
    line: Vec<u8>,
    /// The begun line of standard error.
    error_line: Vec<u8>,
}

impl Plain {
    /// A conversation that begins with `opening`.
    pub fn new(opening: Opening, mark: SessionMark) -> Plain {
        Plain {
            opening,
            mark,
            noise: &[],
            transcript: Transcript::default(),
            line: Vec::new(),
            error_line: Vec::new(),
        }
    }

    /// The same conversation, in which the CLI mixes lines that begin so with the answer.
    #[must_use]
    pub fn with_noise(self, noise: &'static [&'static str]) -> Plain {
        Plain { noise, ..self }
    }

    /// Whole lines, or the last one without its end.
    fn say(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        if self.noise.is_empty() {
            return self.transcript.text_part(JsonText::Plain(&text), sink);
        }
        for line in text.split_inclusive('\n') {
            let said = line.trim();
            if self.noise.iter().any(|begin| said.starts_with(begin)) {
                sink(Event::Notice { level: NoticeLevel::Info, text: said })?;
            } else {
                self.transcript.text_part(JsonText::Plain(line), sink)?;
            }
        }
        Ok(())
    }

    fn look_for_session(&mut self, line: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        let SessionMark::Errors(word) = self.mark else { return Ok(()) };
        let line = String::from_utf8_lossy(line);
        let id = line.trim().strip_prefix(word).map(id_in).unwrap_or_default();
        self.transcript.session(id, None, sink)
    }
}

/// The last lines of a text, as many as an error may have.
fn last_lines(text: &str) -> &str {
    let lines = text.rmatch_indices('\n').nth(3).map_or(text, |(at, _)| &text[at + 1..]);
    if lines.len() > 1000 { "" } else { lines }
}

/// The id at the start of a text.
fn id_in(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    &text[..end.unwrap_or(text.len())]
}

impl Conversation for Plain {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: false,
            exit_within: Duration::MAX,
        }
    }

    fn open(&mut self) -> Opening {
        std::mem::replace(&mut self.opening, Opening::Nothing)
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        self.line.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.line).map(|at| at + 1);
        let whole = whole.or_else(|| (self.line.len() > MAX_LINE).then_some(self.line.len()));
        let Some(end) = whole else { return Ok(()) };
        let rest = self.line.split_off(end);
        let lines = std::mem::replace(&mut self.line, rest);
        self.say(&lines, sink)
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.say(&rest, sink)
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        sink(Event::AgentErrors(bytes))?;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.error_line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.error_line);
            self.look_for_session(&line, sink)?;
        }
        let room = MAX_LINE.saturating_sub(self.error_line.len());
        self.error_line.extend_from_slice(&rest[..rest.len().min(room)]);
        Ok(())
    }

    fn hides_refusal(&self) -> bool {
        matches!(self.mark, SessionMark::File(..))
    }

    fn closing_file(&self) -> Option<&Path> {
        match &self.mark {
            SessionMark::File(path, _) => Some(path),
            SessionMark::None | SessionMark::Errors(_) => None,
        }
    }

    fn take_file(&mut self, bytes: &[u8]) {
        let SessionMark::File(_, word) = self.mark else { return };
        let Some(at) = memchr::memmem::rfind(bytes, word.as_bytes()) else { return };
        let text = String::from_utf8_lossy(&bytes[at + word.len()..]);
        let _ = self.transcript.session(id_in(&text), None, &mut |_| Ok(())); // this sink takes everything
    }

    fn end(&mut self) -> Ending {
        let answer = self.transcript.answer();
        let answer = answer.trim();
        if !answer.is_empty() {
            self.transcript.complete(Some(answer));
        }
        Ending { last_words: last_lines(answer).to_owned(), ..self.transcript.end() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(mark: SessionMark, output: &[&[u8]], errors: &[&[u8]]) -> (Ending, Vec<String>) {
        let mut conversation = Plain::new(Opening::Nothing, mark).with_noise(&["! noise"]);
        let (mut events, mut step) = (Vec::new(), Step::default());
        let mut sink = |event: Event<'_>| {
            match event {
                Event::Text { text, .. } => events.push(text.decode().into_owned()),
                Event::Session { session_id, .. } => events.push(format!("session {session_id}")),
                _ => {}
            }
            Ok(())
        };
        for bytes in output {
            conversation.output(bytes, &mut sink, &mut step).unwrap();
        }
        for bytes in errors {
            conversation.errors(bytes, &mut sink, &mut step).unwrap();
        }
        conversation.output_ended(&mut sink, &mut step).unwrap();
        (conversation.end(), events)
    }

    #[test]
    fn the_whole_output_is_the_answer() {
        let (ending, events) =
            talk(SessionMark::None, &[b" ! noise of it\nfirst\nsec", b"ond \xc3", b"\xa4\nlast"], &[b"x\n"]);
        assert_eq!(events, ["first\n", "second ä\n", "last"]);
        assert_eq!(ending.last_words, "first\nsecond ä\nlast");
        assert_eq!(ending.result.unwrap().text, "first\nsecond ä\nlast");
    }

    #[test]
    fn no_output_is_no_answer() {
        assert_eq!(talk(SessionMark::None, &[b" \n"], &[]).0.result, None);
    }

    #[test]
    fn the_session_is_on_standard_error_or_in_a_file() {
        let mark = SessionMark::Errors("session_id:");
        let (ending, events) = talk(mark, &[], &[b"x session_id: no\nsess", b"ion_id: 2026_a-1\r\n"]);
        assert_eq!(ending.session_id.unwrap(), "2026_a-1");
        assert_eq!(events, ["session 2026_a-1"]);

        let mut conversation =
            Plain::new(Opening::Nothing, SessionMark::File("/x/agent.log".into(), "conversation="));
        assert_eq!(conversation.closing_file(), Some(Path::new("/x/agent.log")));
        conversation.take_file(b"conversation=old\nI conversation=0a-b2 (resumed)\n");
        assert_eq!(conversation.end().session_id.unwrap(), "0a-b2");
    }
}
