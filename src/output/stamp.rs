//! What every JSON event begins with.

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

/// The version of the contract in `schemas/run-event.json`. Further fields and types of events leave it as it is.
pub(super) const SCHEMA: u32 = 1;

/// Where the time of an event comes from; `None`: it is not known.
pub type Clock<'a> = &'a dyn Fn() -> Option<DateTime<Utc>>;

/// Writes events as JSON objects of one line, with their time; the first one also has the version of the contract.
pub(super) struct Stamp<'a> {
    clock: Clock<'a>,
    /// The beginning of an event of the present second, up to the milliseconds.
    beginning: String,
    second: i64,
    has_begun: bool,
}

impl<'a> Stamp<'a> {
    pub(super) fn new(clock: Clock<'a>) -> Stamp<'a> {
        Stamp { clock, beginning: String::new(), second: i64::MIN, has_begun: false }
    }

    /// Writes the beginning of an event; its first own field follows.
    pub(super) fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Some(now) = (self.clock)() else {
            out.write_all(br#"{"time":null,"#)?;
            return self.version(out);
        };
        // A stream has thousands of events a second.
        if now.timestamp() != self.second {
            self.second = now.timestamp();
            let text = now.to_rfc3339_opts(SecondsFormat::Secs, true);
            self.beginning = format!("{{\"time\":\"{}", text.trim_end_matches('Z'));
        }
        let milliseconds = now.timestamp_subsec_millis().min(999); // a leap second has more
        let digit = |unit: u32| b'0' + (milliseconds / unit % 10) as u8;
        out.write_all(self.beginning.as_bytes())?;
        out.write_all(&[b'.', digit(100), digit(10), digit(1), b'Z', b'"', b','])?;
        self.version(out)
    }

    fn version(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            write!(out, "\"schema\":{SCHEMA},")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamp").field("has_begun", &self.has_begun).finish_non_exhaustive()
    }
}

/// A writer that leaves the first byte out: the brace of an object that has begun already.
pub(super) struct AfterBrace<W> {
    inner: W,
    is_inside: bool,
}

impl<W: Write> AfterBrace<W> {
    pub(super) fn new(inner: W) -> AfterBrace<W> {
        AfterBrace { inner, is_inside: false }
    }
}

impl<W: Write> Write for AfterBrace<W> {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        match json {
            [_, rest @ ..] if !self.is_inside => {
                self.is_inside = true;
                self.inner.write_all(rest)?;
                Ok(json.len())
            }
            _ => self.inner.write(json),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_time_and_the_first_the_version() {
        let times = ["2026-06-01T12:00:00.007Z", "2026-06-01T12:00:00.450Z", "2026-06-01T12:00:01Z", "-"];
        let next = std::cell::Cell::new(0);
        let clock = || {
            let time = times[next.get()].parse().ok();
            next.set(next.get() + 1);
            time
        };
        let mut stamp = Stamp::new(&clock);
        let mut out = Vec::new();
        for _ in times {
            stamp.begin(&mut out).unwrap();
            serde_json::to_writer(AfterBrace::new(&mut out), &serde_json::json!({"type": "x"})).unwrap();
            out.push(b'\n');
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"time\":\"2026-06-01T12:00:00.007Z\",\"schema\":1,\"type\":\"x\"}\n\
             {\"time\":\"2026-06-01T12:00:00.450Z\",\"type\":\"x\"}\n\
             {\"time\":\"2026-06-01T12:00:01.000Z\",\"type\":\"x\"}\n\
             {\"time\":null,\"type\":\"x\"}\n"
        );
    }
}
