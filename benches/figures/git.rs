//! Worktrees: `prepare --repo` against `git worktree add`, and `--continue-from` against `cp`.

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

/// A work dir that begins with all files of another one: a worktree of 5,000 small files, and a plain folder with a large one, too.
pub(crate) fn continued(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let source = repository(bench, "continued", 5_000)?;
    for (what, arguments) in [
        ("a worktree of 5,000 files", &["--repo".into(), source.to_string_lossy().into_owned()][..]),
        ("a folder with 5,000 files and one of 200 MB", &[]),
    ] {
        let env = output(execenv(&bench.dir).args(["prepare", "--lease", "1d"]).args(arguments))?;
        let work_dir = Path::new(&env).join("workdir");
        if arguments.is_empty() {
            time(program("cp", &bench.dir).arg("-r").arg(source.join("src")).arg(&work_dir))?;
            fs::write(work_dir.join("large"), vec![b'x'; 200_000_000])?;
        }
        settle()?;
        let from = ["--continue-from", &env];
        let copy = bench.dir.join("copy");
        let pairs = Pairs::measure(
            21,
            |_| prepare_with(bench, &from),
            |_| {
                let cp =
                    time(program("cp", &bench.dir).args(["-a", "--reflink=auto"]).args([&work_dir, &copy]))?;
                remove(&copy)?;
                Ok(cp)
            },
        )?;
        let against = "`cp -a --reflink=auto` of the work dir";
        show(pairs.row("P13", format!("prepare --continue-from, {what}"), against, 1.5));
        time(execenv(&bench.dir).args(["-q", "cleanup", "--all", "--force", &env]))?;
    }
    remove(&source)
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
