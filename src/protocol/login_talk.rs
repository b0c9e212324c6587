//! A CLI's own login, without a terminal: it prints an address, and reads the code that a person gets there.
//!
//! Seen of `claude auth login` 2.1.332: "If the browser didn't open, visit:", the address on a line of its own, then a question
//! without an end of line; the code is a line of standard input. It ends with 0 once it has stored the login.

use std::io;
use std::time::Duration;

use super::conversation::{Conversation, Delivery, Ending, Opening, Properties, Step};
use super::event::Sink;
use super::login::{LoginRequest, login_url};

/// So much of what it prints is kept, in bytes: the beginning for the address, the end for an error.
const KEPT: usize = 16 << 10;

/// The conversation with a login.
#[derive(Debug, Default)]
pub struct LoginTalk {
    said: Vec<u8>,
    has_url: bool,
}

impl LoginTalk {
    /// What it said last: the last line, which is its error where it failed.
    fn last_line(&self) -> String {
        let said = String::from_utf8_lossy(&self.said);
        said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
    }
}

impl Conversation for LoginTalk {
    fn properties(&self) -> Properties {
        Properties {
            states_result: false,
            reads_errors: true,
            begins_at_once: false,
            exit_within: Duration::MAX,
        }
    }

    fn open(&mut self) -> Opening {
        Opening::Frames(Vec::new())
    }

    fn output(&mut self, bytes: &[u8], _sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        self.said.extend_from_slice(bytes);
        let too_much = self.said.len().saturating_sub(KEPT);
        self.said.drain(..too_much);
        // The line with the address may not be whole yet.
        let whole = self.said.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if !self.has_url
            && let Some(url) = login_url(&String::from_utf8_lossy(&self.said[..whole]))
        {
            self.has_url = true;
            step.login = Some(LoginRequest { url: Some(url) });
        }
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.output(bytes, sink, step)
    }

    fn code(&mut self, code: &str, step: &mut Step) -> Delivery {
        if !self.has_url {
            return Delivery::TooEarly;
        }
        step.frames.extend_from_slice(code.as_bytes());
        step.frames.push(b'\n');
        Delivery::Written
    }

    fn end(&mut self) -> Ending {
        Ending { last_words: self.last_line(), ..Ending::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_told_once_and_whole_and_the_code_waits_for_it() {
        let mut talk = LoginTalk::default();
        let mut step = Step::default();
        assert_eq!(talk.code("c", &mut step), Delivery::TooEarly);
        let mut told = Vec::new();
        for part in ["visit:\nhttps://claude.ai/oauth/auth", "orize?abc", "\nPaste code here > ", "failed\n"]
        {
            let mut step = Step::default();
            talk.output(part.as_bytes(), &mut |_| Ok(()), &mut step).unwrap();
            told.extend(step.login.and_then(|login| login.url));
        }
        assert_eq!(told, ["https://claude.ai/oauth/authorize?abc"]);
        assert_eq!(talk.code("c#d", &mut step), Delivery::Written);
        assert_eq!(step.frames, b"c#d\n");
        assert_eq!(talk.end().last_words, "Paste code here > failed");
    }
}
