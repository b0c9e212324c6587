//! The line of a command that takes long, drawn from another thread: the command may be waiting for git, or for the disk.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::line::{DELAY, PAUSE, begin, draw_of_command, hide, is_wanted};
use crate::output::text::{grouped, show_age_in_two, show_bytes};
use crate::progress::{Progress, Seen};

/// A line while it may be drawn. It is gone when this is dropped.
#[derive(Debug)]
pub struct LiveLine {
    /// Its end is the end of the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LiveLine {
    /// Shows the progress of a command on a terminal, if it takes longer than a moment. `None`: standard error is no terminal whose
    /// lines can be replaced, or only errors are printed.
    pub fn start(command: &'static str, progress: Arc<Progress>) -> Option<LiveLine> {
        if !is_wanted() {
            return None;
        }
        begin();
        progress.show();
        let (stop, stopped) = channel();
        let begun = Instant::now();
        let draws = move || {
            let mut pause = DELAY;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                draw_of_command(&text(command, &progress.seen(), begun.elapsed()));
                pause = PAUSE;
            }
        };
        // Without a thread there is no line, and the command goes on.
        let thread = Builder::new().name("live line".to_owned()).spawn(draws).ok()?;
        Some(LiveLine { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        hide();
    }
}

/// `gc: 812 of 3,001 environments, 1.2 GiB reclaimed, 12s`.
fn text(command: &str, seen: &Seen, elapsed: Duration) -> String {
    let mut parts = Vec::new();
    match (seen.what, seen.all) {
        ("", _) => {}
        (what, Some(all)) => {
            parts.push(format!("{} of {} {what}", grouped(seen.done), grouped(all.max(seen.done))))
        }
        (what, None) => parts.push(format!("{} {what}", grouped(seen.done))),
    }
    if !seen.step.is_empty() {
        parts.push(super::super::escape(&seen.step));
    }
    if seen.bytes > 0 {
        parts.push(format!("{} {}", show_bytes(seen.bytes), seen.bytes_are));
    }
    parts.push(show_age_in_two(elapsed.as_secs()));
    format!("{command}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_known() {
        let seen = |done, all, what, bytes, step: &str| Seen {
            done,
            all,
            what,
            bytes,
            bytes_are: "reclaimed",
            step: step.to_owned(),
        };
        for (seen, seconds, expected) in [
            (Seen::default(), 0, "gc: 0s"),
            (
                seen(812, Some(3_001), "environments", 1_288_490_189, ""),
                12,
                "gc: 812 of 3,001 environments, 1.2 GiB reclaimed, 12s",
            ),
            (seen(1_812, None, "environments", 0, ""), 72, "gc: 1,812 environments, 1m 12s"),
            (seen(4, Some(3), "environments", 0, ""), 1, "gc: 4 of 4 environments, 1s"),
            (
                seen(0, None, "", 0, "receiving objects 43 %\u{1b}"),
                3,
                "gc: receiving objects 43 %\\u{1b}, 3s",
            ),
        ] {
            assert_eq!(text("gc", &seen, Duration::from_secs(seconds)), expected);
        }
    }
}
