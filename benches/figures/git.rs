//! Worktrees: `prepare --repo` against `git worktree add`, `--continue-from` against `cp`, `checkpoint` against `git stash create`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Bench;
use crate::fixtures::remove;
use crate::measure::{Pairs, Row, Trouble, execenv, output, program, settle, time};

const AGAINST: &str = "`git worktree add -b`";

/// A new worktree of a small repository, of one with 50,000 files, and of one that has 400 worktrees.
pub(crate) fn worktree(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    for (files, rounds, aim) in [(20, 101, 1.5), (50_000, 5, 1.05)] {
        let ours = repository(bench, &format!("ours-{files}"), files)?;
        let gits = repository(bench, &format!("gits-{files}"), files)?;
        settle()?;
        let pairs =
            Pairs::measure(rounds, |_| prepare_and_clean_up(bench, &ours), |_| add_and_remove(bench, &gits))?;
        show(pairs.row("P7", format!("prepare --repo, {files} files"), AGAINST, aim));
        remove(&ours)?;
        remove(&gits)?;
    }
    let few = repository(bench, "few", 20)?;
    let many = repository(bench, "many", 20)?;
    for number in 0..400 {
        let place = bench.dir.join(format!("worktree-{number}"));
        git(bench, &many, &["worktree", "add", "-q", "--detach", &place.to_string_lossy()])?;
    }
    settle()?;
    let pairs =
        Pairs::measure(51, |_| prepare_and_clean_up(bench, &many), |_| prepare_and_clean_up(bench, &few))?;
    show(pairs.row("P7", "prepare --repo, 400 worktrees registered".into(), "the same with none", 2.0));
    for number in 0..400 {
        remove(&bench.dir.join(format!("worktree-{number}")))?;
    }
    remove(&few)?;
    remove(&many)
}

/// A worktree with the files of another environment's, 5,000 files and 1,000 of them not tracked.
pub(crate) fn continued(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let repository = repository(bench, "continued", 4_000)?;
    let env = output(execenv(&bench.dir).args(["prepare", "--repo"]).arg(&repository))?;
    let work_dir = Path::new(&env).join("workdir");
    let new = work_dir.join("new");
    fs::create_dir(&new)?;
    for number in 0..1_000 {
        fs::write(new.join(format!("{number}.txt")), format!("line {number}\n").repeat(20))?;
    }
    settle()?;
    let copy = bench.dir.join("continued-copy");
    let pairs = Pairs::measure(
        11,
        |_| {
            let start = std::time::Instant::now();
            let next = output(execenv(&bench.dir).args(["prepare", "--continue-from", &env]))?;
            let took = start.elapsed();
            remove_env(bench, &next)?;
            Ok(took)
        },
        |_| {
            let mut cp = program("cp", &bench.dir);
            let took = time(cp.args(["-a", "--reflink=auto"]).arg(&work_dir).arg(&copy))?;
            remove(&copy)?;
            Ok(took)
        },
    )?;
    show(pairs.row("P14", "prepare --continue-from, 5,000 files".into(), "`cp -a --reflink=auto`", 1.5));
    remove_env(bench, &env)?;
    remove(&repository)
}

/// What a heartbeat does as well: a commit beside the branch and a patch, of ten changed files.
pub(crate) fn checkpoint(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    for files in [100, 5_000] {
        let repository = repository(bench, &format!("checkpoint-{files}"), files)?;
        let env = output(execenv(&bench.dir).args(["prepare", "--repo"]).arg(&repository))?;
        let work_dir = Path::new(&env).join("workdir");
        settle()?;
        let change = |round: usize, by: &str| -> Result<(), Trouble> {
            for number in 0..10 {
                fs::write(
                    work_dir.join(format!("src/0/{number}.txt")),
                    format!("{by} {round}\n").repeat(20),
                )?;
            }
            Ok(())
        };
        let pairs = Pairs::measure(
            51,
            |round| {
                change(round, "ours")?;
                time(execenv(&bench.dir).args(["-q", "checkpoint", "-m", "x", &env]))
            },
            |round| {
                change(round, "gits")?;
                let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"];
                time(program("git", &work_dir).args(who).args(["stash", "create"]))
            },
        )?;
        let work = format!("checkpoint, 10 of {files} files changed");
        show(pairs.row("P15", work, "`git stash create`", 1.5));
        remove_env(bench, &env)?;
        remove(&repository)?;
    }
    Ok(())
}

fn remove_env(bench: &Bench, env: &str) -> Result<(), Trouble> {
    time(execenv(&bench.dir).args(["-q", "cleanup", "--all", "--force", env])).map(drop)
}

fn git(bench: &Bench, dir: &Path, arguments: &[&str]) -> Result<(), Trouble> {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "-c", "gc.auto=0"];
    time(program("git", &bench.dir).arg("-C").arg(dir).args(who).args(arguments)).map(drop)
}

fn repository(bench: &Bench, name: &str, files: usize) -> Result<PathBuf, Trouble> {
    let path = bench.dir.join(name);
    for number in 0..files {
        let folder = path.join(format!("src/{}", number / 100));
        if number % 100 == 0 {
            fs::create_dir_all(&folder)?;
        }
        fs::write(folder.join(format!("{number}.txt")), format!("line {number}\n").repeat(20))?;
    }
    git(bench, &path, &["init", "-q", "-b", "main"])?;
    git(bench, &path, &["add", "-A"])?;
    git(bench, &path, &["commit", "-q", "-m", "one"])?;
    Ok(path)
}

fn prepare_and_clean_up(bench: &Bench, repository: &Path) -> Result<Duration, Trouble> {
    prepare_with(bench, &["--repo", &repository.to_string_lossy()])
}

/// The clean-up is not timed.
fn prepare_with(bench: &Bench, arguments: &[&str]) -> Result<Duration, Trouble> {
    let start = std::time::Instant::now();
    let env = output(execenv(&bench.dir).arg("prepare").args(arguments))?;
    let took = start.elapsed();
    time(execenv(&bench.dir).args(["-q", "cleanup", "--all", "--force", &env]))?;
    Ok(took)
}

/// The removal is not timed.
fn add_and_remove(bench: &Bench, repository: &Path) -> Result<Duration, Trouble> {
    let place = bench.dir.join("gits-worktree");
    let place = place.to_string_lossy();
    let took = time(program("git", &bench.dir).arg("-C").arg(repository).args([
        "worktree",
        "add",
        "-q",
        "--no-track",
        "-b",
        "task",
        &place,
        "main",
    ]))?;
    git(bench, repository, &["worktree", "remove", "--force", &place])?;
    git(bench, repository, &["branch", "-q", "-D", "task"])?;
    Ok(took)
}
