//! The log on standard error: warnings by default, one line each.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use log::{LevelFilter, Log, Metadata, Record};

use super::terminal::painted;

/// How much is printed on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only failures.
    Errors,
    /// Also warnings.
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

/// Prints a note that is part of the answer: unlike `log::info!`, also without `-v`; not with `-q`.
pub fn note(text: &str) {
    if log::max_level() >= LevelFilter::Warn {
        let line = format!("{} {}\n", painted("note:", AnsiColor::Cyan.on_default()), super::escape(text));
        super::story(&line);
    }
}

/// Whether a warning is printed for the first time: several steps of one command may meet the same trouble.
fn is_new(text: &str) -> bool {
    static PRINTED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    PRINTED.lock().unwrap_or_else(PoisonError::into_inner).insert(hasher.finish())
}

struct Stderr;

/// Starts the log. A second call changes only how much is printed.
pub fn start(verbosity: Verbosity) {
    let _ = log::set_logger(&Stderr);
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
        let (word, style) = match record.level() {
            log::Level::Error => ("error:", AnsiColor::Red.on_default()),
            log::Level::Warn => ("warning:", AnsiColor::Yellow.on_default()),
            log::Level::Info => ("note:", AnsiColor::Cyan.on_default()),
            log::Level::Debug | log::Level::Trace => ("debug:", Style::new().dimmed()),
        };
        let text = super::escape(&record.args().to_string());
        if record.level() == log::Level::Warn && !is_new(&text) {
            return;
        }
        let line = format!("{} {text}\n", painted(word, style));
        super::story(&line);
    }

    fn flush(&self) {}
}
