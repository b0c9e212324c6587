//! One function a figure.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::Bench;
use crate::dialects::STREAMS;
use crate::fixtures::{self, Age, prepared, remove, user_folder, workspaces};
use crate::measure::{Pairs, Row, Trouble, execenv, output, peak_memory, program, settle, time};

type Measure = fn(&Bench, &mut dyn FnMut(Row)) -> Result<(), Trouble>;

/// Name, function, and how to do the same by hand.
pub(crate) const ALL: [(&str, Measure, &str); 15] = [
    (
        "P1",
        prepare,
        "`hyperfine -N 'execenv prepare --provider claude --skills DIR'`, then `cp -r ENV_ROOT NEW` of what that made",
    ),
    (
        "P2",
        prepare_codex,
        "a home with 20 skills of 10 files, a `config.toml` of 60 KB, a login and 200 rollouts in `~/.codex`; \
         `hyperfine -N 'execenv prepare --provider codex'`, then `cp -r ~/.codex NEW`",
    ),
    ("P3", start, "`hyperfine -N 'execenv --version' 'execenv --help' 'execenv show ENV' 'git --version'`"),
    (
        "P4",
        look,
        "`hyperfine -N \"execenv gc --dry-run --workspaces-root $R\" \
         \"find $R -mindepth 3 -maxdepth 3 -name .gc_meta.json -printf '%p %T@\\n'\"`; memory: `command time -v`",
    ),
    (
        "P5",
        crate::server::ask,
        "a server that answers after 20 ms, `curl -s` with 100 of its addresses, and `execenv gc --dry-run --server`",
    ),
    ("P6", reclaim, "`time execenv gc [--trash-ttl 0] --workspaces-root $R`, and `time rm -rf COPY_OF_R`"),
    (
        "P7",
        crate::git::worktree,
        "`time execenv prepare --repo DIR`, and `time git -C DIR worktree add -b task PLACE main`",
    ),
    (
        "P8",
        stream,
        "`time execenv run ENV -- PROGRAM >/dev/null`, and `time PROGRAM | tee FILE >/dev/null`; for a dialect \
         `--prompt x --agent-bin PROGRAM`",
    ),
    ("P9", run_true, "`hyperfine -N 'execenv run ENV -- true' \"sh -c '/bin/true; :'\"`"),
    (
        "P10",
        cleanup_local,
        "`execenv prepare --provider claude --local-dir DIR`, `time execenv cleanup ENV`, DIR with 100,000 files and empty",
    ),
    ("P11", binary, "`ls -l`, `ldd` of the release build"),
    (
        "P12",
        crate::server::nothing_to_do,
        "1,000 environments of an issue each, a server with the batch route: `hyperfine -N 'execenv gc -q --server URL'` \
         against P4's `find` and one `curl -s`",
    ),
    // P13 is the time of the test command, which is no row.
    (
        "P14",
        crate::git::continued,
        "`time execenv prepare --continue-from ENV`, and `time cp -a --reflink=auto WORK_DIR NEW`",
    ),
    (
        "P15",
        crate::git::checkpoint,
        "`time execenv checkpoint -m x ENV`, and `time git -C WORK_DIR stash create`, after a line more in ten files",
    ),
    (
        "P16",
        crate::recorded::recorded,
        "P8's run, then `time execenv report ENV --html FILE`, `time execenv logs ENV [-n 20] >/dev/null`, and `time wc -l LOG`",
    ),
];

fn prepare(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let skills = fixtures::skills(bench)?;
    let arguments = ["--provider", "claude", "--skills", &skills.to_string_lossy()];
    let tree = prepared(bench, &arguments)?;
    let copies = bench.dir.join("copies");
    fs::create_dir(&copies)?;
    settle()?;
    let pairs = Pairs::measure(
        101,
        |_| time(execenv(&bench.dir).arg("prepare").args(arguments)),
        |round| time(program("cp", &bench.dir).arg("-r").arg(&tree).arg(copies.join(round.to_string()))),
    )?;
    show(pairs.row("P1", "prepare, claude, 5 skills of 4 files".into(), "`cp -r` of the same files", 1.5));
    remove(&copies)
}

fn prepare_codex(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let home = fixtures::codex_home(bench)?;
    let copies = bench.dir.join("codex-copies");
    fs::create_dir(&copies)?;
    settle()?;
    let pairs = Pairs::measure(
        51,
        |_| time(execenv(&bench.dir).args(["prepare", "--provider", "codex"])),
        |round| time(program("cp", &bench.dir).arg("-r").arg(&home).arg(copies.join(round.to_string()))),
    )?;
    show(pairs.row("P2", "prepare, codex, a real-sized `~/.codex`".into(), "`cp -r` of the same tree", 2.0));
    remove(&copies)?;
    remove(&home)
}

fn start(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let env = prepared(bench, &["--provider", "claude"])?;
    let env = env.to_string_lossy();
    for arguments in [vec!["--version"], vec!["--help"], vec!["show", &env]] {
        let pairs = Pairs::measure(
            201,
            |_| time(execenv(&bench.dir).args(&arguments)),
            |_| time(program("git", &bench.dir).arg("--version")),
        )?;
        let work = if arguments[0] == "show" { "show ENV" } else { arguments[0] };
        show(pairs.row("P3", format!("`execenv {work}`"), "`git --version`", 1.0));
    }
    Ok(())
}

fn look(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    const AGAINST: &str = "`find -printf '%p %T@\\n'`";
    let all_kept: fn(usize) -> Age = |_| Age::Young;
    let a_tenth: fn(usize) -> Age = |number| if number % 10 == 0 { Age::Due } else { Age::Young };
    let past: fn(usize) -> Age = |_| Age::Past;
    let mut times = Vec::new();
    for (count, rounds, files, age, which) in [
        (10_000, 21, 0, all_kept, "all kept"),
        (100_000, 7, 0, all_kept, "all kept"),
        (10_000, 21, 0, past, "all past the artifact age, nothing to remove"),
        (10_000, 11, 20, a_tenth, "a tenth due: each of those is locked and measured, too"),
    ] {
        let root = bench.dir.join(format!("look-{count}-{rounds}"));
        workspaces(&root, count, files, age)?;
        settle()?;
        let gc = || {
            let mut command = execenv(&bench.dir);
            command.args(["gc", "--dry-run", "--workspaces-root"]).arg(&root);
            command
        };
        let pairs = Pairs::measure(rounds, |_| time(&mut gc()), |_| time(&mut find(&root)))?;
        times.push(pairs.ours() / count as f64);
        show(pairs.row("P4", format!("gc --dry-run, {count} environments, {which}"), AGAINST, 1.0));
        let peak = peak_memory(&mut gc())?;
        show(Row::limit("P4", format!("memory of it, {count} environments"), peak, 50_000_000));
        remove(&root)?;
    }
    println!(
        "| P4 | growth: time per environment, 100,000 over 10,000: {:.2} × | | | | | | linear | |",
        times[1] / times[0]
    );
    Ok(())
}

pub(crate) fn find(root: &Path) -> Command {
    let mut find = program("find", root);
    find.arg(root).args([
        "-mindepth",
        "3",
        "-maxdepth",
        "3",
        "-name",
        ".gc_meta.json",
        "-printf",
        "%p %T@\\n",
    ]);
    find
}

fn reclaim(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    const ROUNDS: usize = 3;
    // All trees first: files made right after many were deleted cost a multiple on some file systems.
    let tree = |kind: &str, round: usize| bench.dir.join(format!("reclaim-{kind}-{round}"));
    for round in 0..ROUNDS {
        for kind in ["trash", "gone"] {
            workspaces(&tree(kind, round), 1_000, 200, |_| Age::Due)?;
        }
    }
    settle()?;
    let gc = |kind: &str, round: usize, ttl: &str| {
        let mut command = execenv(&bench.dir);
        command.args(["gc", "-q", "--trash-ttl", ttl, "--workspaces-root"]).arg(tree(kind, round));
        time(&mut command)
    };
    let (mut trash, mut gone) = (Pairs::default(), Pairs::default());
    for round in 0..ROUNDS {
        let first = (round % 2 == 0).then(|| gc("gone", round, "0")).transpose()?;
        let to_trash = gc("trash", round, "24h")?;
        // What has just been put aside is as many files in as many folders.
        let rm = time(program("rm", &bench.dir).arg("-rf").arg(tree("trash", round).join(".trash")))?;
        let to_nothing = first.map_or_else(|| gc("gone", round, "0"), Ok)?;
        trash.push(to_trash, rm);
        gone.push(to_nothing, rm);
        if ["trash", "gone"].iter().any(|kind| tree(kind, round).join("default").exists()) {
            return Err("gc has left environments that were due".into());
        }
    }
    const WORK: &str = "gc of 1,000 environments of 200 files";
    show(trash.row("P6", format!("{WORK}, to the trash"), "`rm -rf` of the same", 1.0));
    show(gone.row("P6", format!("{WORK}, --trash-ttl 0"), "`rm -rf` of the same", 1.0));
    Ok(())
}

fn stream(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let own = std::env::current_exe()?;
    let names = std::iter::once("raw").chain(STREAMS.iter().map(|stream| stream.name));
    for dialect in names {
        // A provider's second dialect stands behind a colon.
        let (provider, second) =
            dialect.split_once(':').map_or((dialect, None), |(name, second)| (name, Some(second)));
        let provider = if provider == "raw" { "claude" } else { provider };
        let script = bench.dir.join(format!("print-{dialect}"));
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.0 (Claude Code)' && exit\nexec '{}' generate {dialect} {}\n",
            own.display(),
            bench.megabytes
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let run = |env: &Path| {
            let mut command = execenv(&bench.dir);
            command.arg("run").arg(env);
            match dialect {
                "raw" => command.arg("--").arg(&script),
                _ => command.args(["--prompt", "x", "--agent-bin"]).arg(&script),
            };
            command.args(second.map(|name| format!("--dialect={name}")));
            command
        };
        let copy = bench.dir.join("tee.out");
        let line = format!("'{}' | tee '{}' >/dev/null", script.display(), copy.display());
        let pairs = Pairs::measure(
            5,
            |_| {
                let env = prepared(bench, &["--provider", provider])?;
                settle()?;
                let took = time(&mut run(&env))?;
                let printed = fs::metadata(env.join("logs/agent.ndjson"))?.len();
                remove(&env)?;
                if printed < bench.megabytes * 1_000_000 {
                    Err("the log is too short".into())
                } else {
                    Ok(took)
                }
            },
            |_| {
                settle()?;
                let took = time(program("sh", &bench.dir).args(["-c", &line]))?;
                fs::remove_file(&copy)?;
                Ok(took)
            },
        )?;
        show(pairs.row(
            "P8",
            format!("run, {} MB, {dialect}", bench.megabytes),
            "the child piped to `tee FILE`",
            1.3,
        ));
        let env = prepared(bench, &["--provider", provider])?;
        let peak = peak_memory(&mut run(&env))?;
        show(Row::limit("P8", format!("memory of it, {dialect}"), peak, 32_000_000));
        remove(&env)?;
    }
    Ok(())
}

fn run_true(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let env = prepared(bench, &["--provider", "claude"])?;
    settle()?;
    let pairs = Pairs::measure(
        101,
        |_| time(execenv(&bench.dir).arg("run").arg(&env).args(["--", "true"])),
        // By its path, for `true` alone is the shell's own; not last, for the last program is not started but become.
        |_| time(program("sh", &bench.dir).args(["-c", "/bin/true; :"])),
    )?;
    // Stricter than the aim, which grants P1's file writes on top.
    show(pairs.row_over("P9", "`run -- true`".into(), "`sh -c '/bin/true; :'`", 0.005));
    Ok(())
}

fn cleanup_local(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let (full, empty) = (bench.dir.join("full"), bench.dir.join("empty"));
    user_folder(&full, 100_000)?;
    user_folder(&empty, 0)?;
    settle()?;
    let clean = |dir: &Path| {
        let env = prepared(bench, &["--provider", "claude", "--local-dir", &dir.to_string_lossy()])?;
        time(execenv(&bench.dir).arg("cleanup").arg(env))
    };
    let pairs = Pairs::measure(21, |_| clean(&full), |_| clean(&empty))?;
    show(pairs.row("P10", "cleanup of a local dir of 100,000 files".into(), "the same, empty", 1.2));
    remove(&full)
}

fn binary(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let path = env!("CARGO_BIN_EXE_execenv");
    let libraries = output(program("ldd", &bench.dir).arg(path)).unwrap_or_else(|_| "no ldd".into());
    let names: Vec<&str> = libraries.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let size = File::open(path)?.metadata()?.len();
    show(Row::limit("P11", format!("the binary; needs {}", names.join(", ")), size, 7_000_000));
    Ok(())
}
