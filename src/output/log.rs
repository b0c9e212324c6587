//! The story on stderr: warnings by default, one line each.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record};

use super::Color;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only what failed.
    Errors,
    /// Also what a person should know.
    Warnings,
    /// Also what was done.
    Info,
    /// Everything.
    Debug,
}

impl Verbosity {
    /// The words of the setting.
    pub const WORDS: [(&'static str, Verbosity); 4] = [
        ("errors", Verbosity::Errors),
        ("warnings", Verbosity::Warnings),
        ("info", Verbosity::Info),
        ("debug", Verbosity::Debug),
    ];
}

struct Stderr {
    colored: bool,
}

static LOGGER: OnceLock<Stderr> = OnceLock::new();

/// Starts the story. A second call changes nothing.
pub fn start(verbosity: Verbosity, color: Color) {
    let colored = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal(),
    };
    let _ = log::set_logger(LOGGER.get_or_init(|| Stderr { colored }));
    log::set_max_level(match verbosity {
        Verbosity::Errors => LevelFilter::Error,
        Verbosity::Warnings => LevelFilter::Warn,
        Verbosity::Info => LevelFilter::Info,
        Verbosity::Debug => LevelFilter::Debug,
    });
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("execenv")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (word, color) = match record.level() {
            log::Level::Error => ("error", "31"),
            log::Level::Warn => ("warning", "33"),
            log::Level::Info => ("note", "36"),
            log::Level::Debug | log::Level::Trace => ("debug", "2"),
        };
        let text = super::escape(&record.args().to_string());
        let line = if self.colored {
            format!("\x1b[{color}m{word}:\x1b[0m {text}\n")
        } else {
            format!("{word}: {text}\n")
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}
