//! The rows of `benches/README.md`, measured: `cargo bench`, or `cargo bench -- P1 P4` for some of them.
//!
//! Each row sets execenv against a public tool that does the same work on the same files, in interleaved rounds in
//! fresh folders, and says how to repeat it by hand. All of it lies in a temporary folder that goes at the end.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts the programs it compares and makes its own files"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's table is its output")]

mod dialects;
mod fixtures;
mod generate;
mod git;
mod measure;
mod recorded;
mod rows;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::measure::{Row, Trouble, said};

/// What the rows need to know.
struct Bench {
    /// Everything is made below it.
    dir: PathBuf,
    /// The megabytes that P8's child prints.
    megabytes: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("generate") => generate::print(&arguments[1..]),
        _ => figures(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn figures(arguments: Vec<String>) -> Result<(), Trouble> {
    let mut wanted = Vec::new();
    let mut megabytes = 256;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo's own
            "--megabytes" => megabytes = arguments.next().ok_or("--megabytes N")?.parse()?,
            name if rows::ALL.iter().any(|row| row.0 == name) => wanted.push(argument),
            other => {
                let known: Vec<&str> = rows::ALL.iter().map(|row| row.0).collect();
                return Err(format!("{other}: known are --megabytes N, {}", known.join(", ")).into());
            }
        }
    }
    measure::end_tidily()?;
    // It goes with this value: at the end, and on every error.
    let temporary = tempfile::Builder::new().prefix("execenv-bench-").tempdir()?;
    let bench = Bench { dir: temporary.path().to_path_buf(), megabytes };
    println!("{}\n\n{}", machine(&bench), Row::HEAD);
    let mut repeats = Vec::new();
    for (name, measure, repeat) in rows::ALL {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure(&bench, &mut |row| println!("{row}")).map_err(|error| format!("{name}: {error}"))?;
            repeats.push(format!("- {name}: {repeat}"));
        }
    }
    println!("\nload average at the end: {}", load());
    println!("\nTo repeat, with `$R` a workspaces root of such environments:\n\n{}", repeats.join("\n"));
    Ok(())
}

fn machine(bench: &Bench) -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let dir = bench.dir.to_string_lossy();
    [
        format!("{} cores, {}", cpus, model.trim_start_matches(['\t', ' ', ':'])),
        said("uname", &["-sr"]),
        said("git", &["--version"]),
        format!("{} on {}", dir, said("stat", &["-f", "-c", "%T", &dir])),
        format!("load average at the start: {}", load()),
    ]
    .join("; ")
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
