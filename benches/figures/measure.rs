//! Time and memory of children, and what becomes of the numbers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

pub(crate) type Trouble = Box<dyn std::error::Error>;

/// Set by the first signal: the next measurement is an error, and the fixtures go as after any error.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

pub(crate) fn end_tidily() -> Result<(), Trouble> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&STOP))?;
    }
    Ok(())
}

/// A program of this name, with the same small environment for whoever is measured.
pub(crate) fn program(name: impl AsRef<Path>, dir: &Path) -> Command {
    let mut command = Command::new(name.as_ref());
    command.env_clear().env("HOME", dir).env("LC_ALL", "C").env("IS_SANDBOX", "1").current_dir(dir);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The binary that cargo has built for this benchmark.
pub(crate) fn execenv(dir: &Path) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_execenv"), dir);
    command.env("EXECENV_WORKSPACES_ROOT", dir.join("root"));
    command
}

/// Runs it and says how long it took, the start of the process included.
pub(crate) fn time(command: &mut Command) -> Result<Duration, Trouble> {
    let start = Instant::now();
    let status = command.status()?;
    let took = start.elapsed();
    if STOP.load(Ordering::Relaxed) {
        return Err("interrupted".into());
    }
    if status.success() { Ok(took) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Runs it and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Trouble> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What a program says of itself; empty when there is none.
pub(crate) fn said(name: &str, arguments: &[&str]) -> String {
    output(program(name, Path::new("/")).args(arguments)).unwrap_or_default()
}

/// The most memory that it had, in bytes, by the kernel's own mark; zero where there is no `/proc`.
pub(crate) fn peak_memory(command: &mut Command) -> Result<u64, Trouble> {
    let mut child = command.spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = mark.and_then(|mark| mark.trim().split(' ').next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(peak)
}

/// Fixtures are on the disk before the clock runs, so that nobody pays for the writing of another.
pub(crate) fn settle() -> Result<(), Trouble> {
    time(&mut program("sync", Path::new("/"))).map(drop)
}

/// Times of both sides, a pair a round, in seconds.
#[derive(Default)]
pub(crate) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Measures in turns, so that a busy moment hits both; who is first changes from round to round.
    pub(crate) fn measure(
        rounds: usize,
        mut ours: impl FnMut(usize) -> Result<Duration, Trouble>,
        mut theirs: impl FnMut(usize) -> Result<Duration, Trouble>,
    ) -> Result<Pairs, Trouble> {
        let mut pairs = Pairs::default();
        for round in 0..rounds {
            if round % 2 == 0 {
                let first = ours(round)?;
                pairs.push(first, theirs(round)?);
            } else {
                let first = theirs(round)?;
                pairs.push(ours(round)?, first);
            }
        }
        Ok(pairs)
    }

    pub(crate) fn push(&mut self, ours: Duration, theirs: Duration) {
        self.0.push((ours.as_secs_f64(), theirs.as_secs_f64()));
    }

    fn median(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    pub(crate) fn ours(&self) -> f64 {
        self.median(|pair| pair.0)
    }

    /// The row for an aim of at most `aim` times the other side.
    pub(crate) fn row(&self, name: &'static str, work: String, against: &str, aim: f64) -> Row {
        let ratio = self.median(|pair| pair.0 / pair.1);
        self.any_row(name, work, against, format!("{ratio:.2} ×"), format!("≤ {aim} ×"), ratio <= aim)
    }

    /// The row for an aim of at most `aim` seconds above the other side.
    pub(crate) fn row_over(&self, name: &'static str, work: String, against: &str, aim: f64) -> Row {
        let over = self.median(|pair| pair.0 - pair.1);
        let aim_text = format!("≤ {} over it", show_time(aim));
        self.any_row(name, work, against, format!("+{}", show_time(over)), aim_text, over <= aim)
    }

    fn any_row(
        &self,
        name: &'static str,
        work: String,
        against: &str,
        ratio: String,
        aim: String,
        met: bool,
    ) -> Row {
        Row {
            name,
            work,
            ours: show_time(self.ours()),
            against: against.into(),
            theirs: show_time(self.median(|pair| pair.1)),
            rounds: self.0.len(),
            ratio,
            aim,
            met,
        }
    }
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) work: String,
    pub(crate) ours: String,
    pub(crate) against: String,
    pub(crate) theirs: String,
    pub(crate) rounds: usize,
    pub(crate) ratio: String,
    pub(crate) aim: String,
    pub(crate) met: bool,
}

impl Row {
    pub(crate) const HEAD: &str = "| # | work | execenv | against | it takes | rounds | ratio | aim | |\n\
                                   |---|---|---|---|---|---|---|---|---|";

    /// The row for one number that has a limit of its own.
    pub(crate) fn limit(name: &'static str, work: String, bytes: u64, aim: u64) -> Row {
        Row {
            name,
            work,
            ours: show_bytes(bytes),
            against: "—".into(),
            theirs: String::new(),
            rounds: 1,
            ratio: String::new(),
            aim: format!("< {}", show_bytes(aim)),
            met: bytes < aim,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, work, ours, against, theirs, rounds, ratio, aim, met } = self;
        let verdict = if *met { "met" } else { "**missed**" };
        write!(
            f,
            "| {name} | {work} | {ours} | {against} | {theirs} | {rounds} | {ratio} | {aim} | {verdict} |"
        )
    }
}

fn show_time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.2} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn show_bytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
