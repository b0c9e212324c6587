//! P16: a run is looked at afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Bench;
use crate::fixtures::{prepared, remove};
use crate::measure::{Pairs, Row, Trouble, execenv, peak_memory, program, settle, time};

/// The dialects: of whole messages, and of parts of one that has no end.
const DIALECTS: [&str; 2] = ["claude", "gemini"];
/// What is asked of the log, and the most seconds that it takes more than to count its lines.
const ASKED: [(&str, &[&str], f64); 4] = [
    ("report --html", &["report", "--html", "report.html"], 3.0),
    ("logs", &["logs"], 5.0),
    ("logs -n 20", &["logs", "-n", "20"], 1.0),
    ("logs --events", &["logs", "--events"], 5.0),
];

pub(crate) fn recorded(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    for dialect in DIALECTS {
        let env = has_run(bench, dialect)?;
        settle()?;
        let log = env.join("logs/agent.ndjson");
        for (name, arguments, aim) in ASKED {
            let look = || {
                let mut command = execenv(&bench.dir);
                command.arg(arguments[0]).arg(&env).args(&arguments[1..]).stderr(std::process::Stdio::null());
                command
            };
            let pairs = Pairs::measure(
                5,
                |_| time(&mut look()),
                |_| time(program("wc", &bench.dir).arg("-l").arg(&log)),
            )?;
            let work = format!("{name}, a run of {} MB, {dialect}", bench.megabytes);
            show(pairs.row_over("P16", work, "`wc -l` of the log", aim));
            let peak = peak_memory(&mut look())?;
            show(Row::limit("P16", format!("memory of it, {dialect}"), peak, 64_000_000));
        }
        remove(&env)?;
    }
    Ok(())
}

/// An environment in which an agent has printed so much.
fn has_run(bench: &Bench, dialect: &str) -> Result<PathBuf, Trouble> {
    let own = std::env::current_exe()?;
    let script = bench.dir.join(format!("said-{dialect}"));
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 2.1.0 && exit\nexec '{}' generate {dialect} {}\n",
        own.display(),
        bench.megabytes
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let env = prepared(bench, &["--provider", dialect])?;
    run(bench, &env, &script)?;
    Ok(env)
}

fn run(bench: &Bench, env: &Path, script: &Path) -> Result<(), Trouble> {
    let mut run = execenv(&bench.dir);
    time(run.arg("run").arg(env).args(["-q", "--prompt", "x", "--agent-bin"]).arg(script)).map(drop)
}
