//! An answer that is drawn again and again at the same place of a terminal.

use std::io::{self, Write as _};

use super::terminal::{Screen, stdout_size};

/// What was drawn last.
#[derive(Debug, Default)]
pub struct Redrawn {
    lines: usize,
    size: Option<(usize, usize)>,
}

impl Redrawn {
    /// Whether standard output can be drawn on.
    pub fn is_possible() -> bool {
        Screen::of_stdout().width.is_some()
    }

    /// Draws a text over the last one. What the terminal has no room for is left out, and counted.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let size = stdout_size();
        let is_resized = self.size.is_some_and(|before| Some(before) != size);
        let height = size.map_or(24, |(_, rows)| rows);
        let (frame, lines) = frame(text, if is_resized { None } else { Some(self.lines) }, height);
        (self.lines, self.size) = (lines, size);
        let mut stdout = io::stdout().lock();
        // In one write: nothing half drawn is seen.
        stdout.write_all(frame.as_bytes())?;
        stdout.flush()
    }
}

/// What draws a text over one of so many lines (`None`: on an empty screen), and how many lines it has.
fn frame(text: &str, over: Option<usize>, height: usize) -> (String, usize) {
    let mut frame = match over {
        None => "\x1b[H\x1b[2J".to_owned(),
        Some(0) => String::new(),
        Some(lines) => format!("\x1b[{lines}A\r"),
    };
    let room = height.saturating_sub(1).max(1);
    let all = text.lines().count();
    let shown = if all > room { room - 1 } else { all };
    // Lines are not wrapped: a wrapped one would count as two.
    frame.push_str("\x1b[?7l");
    for line in text.lines().take(shown) {
        frame.push_str(line);
        frame.push_str("\x1b[K\r\n");
    }
    if shown < all {
        frame.push_str(&format!("… {} more lines\x1b[K\r\n", all - shown));
    }
    frame.push_str("\x1b[J\x1b[?7h");
    (frame, shown + usize::from(shown < all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_covers_the_last_one_and_fits() {
        for (text, over, height, expected) in [
            ("a\nb", Some(0), 24, ("\x1b[?7la\x1b[K\r\nb\x1b[K\r\n\x1b[J\x1b[?7h", 2)),
            ("a", Some(2), 24, ("\x1b[2A\r\x1b[?7la\x1b[K\r\n\x1b[J\x1b[?7h", 1)),
            ("a", None, 24, ("\x1b[H\x1b[2J\x1b[?7la\x1b[K\r\n\x1b[J\x1b[?7h", 1)),
            ("a\nb\nc", Some(0), 3, ("\x1b[?7la\x1b[K\r\n… 2 more lines\x1b[K\r\n\x1b[J\x1b[?7h", 2)),
            ("a\nb\nc", Some(0), 4, ("\x1b[?7la\x1b[K\r\nb\x1b[K\r\nc\x1b[K\r\n\x1b[J\x1b[?7h", 3)),
        ] {
            assert_eq!(
                frame(text, over, height),
                (expected.0.to_owned(), expected.1),
                "{text} {over:?} {height}"
            );
        }
    }
}
