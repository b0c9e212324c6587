//! A whole session is killed, execenv and its git at once, while git writes working files: as when a container is stopped. The same
//! command again gets to the state that the undisturbed one has, and what someone has edited meanwhile is kept.
//!
//! A filter of the user's configuration, which git runs for each file that it writes, kills the session at one of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{Done, KEY, Run, Snapshot, TASK, TestEnv, snapshot};
use crate::sweep::{Start, is_full, trial};

/// Kills execenv, or all other processes of its session, when git writes `$KILL_AT`.
const KILLER: &str = r#"#!/bin/sh
if [ "$1" = "$KILL_AT" ]; then
    read -r own < /proc/$$/stat
    session=$(echo "$own" | cut -d' ' -f6)
    kill -9 "$session"
    for stat in /proc/[0-9]*/stat; do
        read -r line < "$stat" || continue
        pid=${line%% *}
        [ "$(echo "$line" | sed 's/.*) //' | cut -d' ' -f4)" = "$session" ] && [ "$pid" != $$ ] &&
            [ "$KILL" = all ] && kill -9 "$pid"
    done
    # Git is gone as soon as execenv is. Else it goes on, and a test sees that.
    tries=0
    while kill -0 $PPID 2>/dev/null && [ $tries -lt 200 ]; do sleep 0.01; tries=$((tries + 1)); done
    exec cat
fi
exec cat
"#;

/// Which folder the command writes.
#[derive(Clone, Copy, PartialEq)]
enum Writes {
    WorkDir,
    Checkout,
}

struct Case {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    writes: Writes,
    /// A file that was edited stops the same command.
    keeps: bool,
}

const START: &[&str] = &["merge", "start", KEY, "other"];
const CLASH: &[&str] = &["merge", "start", KEY, "clash"];
const fn case(
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
) -> Case {
    Case { name, before, command, writes: Writes::WorkDir, keeps: false }
}

const CASES: &[Case] = &[
    Case {
        writes: Writes::Checkout,
        keeps: true,
        ..case("publish", &[&["work"]], &["publish", KEY, "--to", "merge", "--base", "target"])
    },
    Case { keeps: true, ..case("merge start", &[], START) },
    case("merge start --commit", &[], &["merge", "start", KEY, "other", "--commit"]),
    case("merge start with conflicts", &[&["own"]], CLASH),
    case("merge resolve", &[&["own"], CLASH], &["merge", "resolve", KEY, "--all", "theirs"]),
    case("merge abort", &[&["own"], CLASH], &["merge", "abort", KEY]),
    Case { keeps: true, ..case("branch --from", &[], &["branch", KEY, "next", "--from", "other"]) },
    case("restore", &[&["work"], &["checkpoint", KEY, "-m", "saved"], &["remove"]], &["restore", KEY]),
    case(
        "prepare --repo",
        &[&["forget"]],
        &["prepare", "--task-id", TASK, "--repo", "source", "--base", "other"],
    ),
];

pub fn trials() -> Vec<Trial> {
    let name = |case: &Case, what: &str| format!("session::{}::{what}", case.name.replace(' ', "_"));
    let both = CASES.iter().flat_map(|case| [(case, "all"), (case, "execenv")]);
    let all =
        both.map(|(case, whom)| trial(name(case, &format!("{whom}_killed")), move |_| killed(case, whom)));
    let edited = CASES.iter().filter(|case| case.keeps);
    all.chain(edited.map(|case| trial(name(case, "edited"), move |_| edited_meanwhile(case)))).collect()
}

fn killed(case: &Case, whom: &str) {
    let world = World::new(case);
    let start = Start::new(&world.t);
    let expected_status = world.run(case).status;
    let expected = world.state(case);
    let first_byte = |n: usize| fs::read(world.written(case).join(format!("s/{n}"))).unwrap()[..1].to_vec();
    let whole = fs::read(world.written(case).join("s/8")).unwrap();
    let beginnings: Vec<Vec<u8>> = (1..=8).map(first_byte).collect();
    // All that were written by then; at the others nothing is killed.
    let points: &[usize] = if is_full() { &[1, 2, 3, 4, 5, 6, 7, 8] } else { &[1, 5, 8] };
    for point in points {
        start.put_back();
        let when = format!("{}, killed at file {point}", case.name);
        world.kill_at(case, &format!("s/{point}"), whom, &when);
        if *point < 8 {
            let last = fs::read(world.written(case).join("s/8")).unwrap_or_default();
            assert!(last != whole, "{when}: git has gone on");
        }
        // The file was removed, and a part of it may be written.
        let part = world.written(case).join(format!("s/{point}"));
        if part.parent().is_some_and(Path::exists) && !part.exists() {
            fs::write(&part, &beginnings[point - 1]).unwrap();
        }
        let again = world.run(case);
        assert_eq!(again.status, expected_status, "{when}\n{again}");
        let now = world.state(case);
        assert!(now == expected, "{when}\n{again}\n{now:#?}\n{expected:#?}");
    }
}

fn edited_meanwhile(case: &Case) {
    let world = World::new(case);
    let start = Start::new(&world.t);
    world.run(case).status(0);
    let expected = world.state(case);
    for file in ["s/2", "s/7"] {
        start.put_back();
        let when = format!("{}, killed at file 5, {file} edited", case.name);
        world.kill_at(case, "s/5", "all", &when);
        let edited = world.written(case).join(file);
        fs::write(&edited, "edited\n").unwrap();
        let again = world.run(case);
        assert_eq!(again.status, Some(5), "{when}\n{again}");
        assert!(again.stderr.contains(file), "{when}\n{again}");
        assert_eq!(fs::read_to_string(&edited).unwrap(), "edited\n", "{when}\n{again}");
        // Nothing else of what was begun is left.
        let left = git_out(
            &world.t,
            &world.written(case),
            &["status", "--porcelain", "--", ".", ":!.agent_context"],
        );
        assert_eq!(left.trim(), format!("M {file}"), "{when}\n{again}");
        git(&world.t, &world.written(case), &["checkout", "-q", "--", file]);
        world.run(case).status(0);
        assert!(world.state(case) == expected, "{when}");
    }
}

/// Whether a process of the session is left.
fn has_members(session: u32) -> bool {
    let is_one = |stat: &str| {
        stat.rsplit(')').next()?.split(' ').nth(4)?.parse().ok().filter(|it: &u32| *it == session)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.into_iter().any(|stat| is_one(&stat).is_some())
}

/// Gives the files of which git writes each through the filter a text.
fn write_all(dir: &Path, text: &str) {
    fs::create_dir_all(dir.join("s")).unwrap();
    for n in 1..=8 {
        fs::write(dir.join(format!("s/{n}")), format!("{text} {n}\n")).unwrap();
    }
}

/// A file goes, one comes, and a folder takes the place of one.
fn change(dir: &Path) {
    for file in ["gone", "turned"] {
        fs::remove_file(dir.join(file)).unwrap();
    }
    fs::create_dir(dir.join("turned")).unwrap();
    fs::write(dir.join("turned/into"), "a folder\n").unwrap();
    fs::write(dir.join("added"), "added\n").unwrap();
}

struct World {
    t: TestEnv,
    config: PathBuf,
}

impl World {
    fn new(case: &Case) -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let commit = |message: &str, text: &str| {
            write_all(&source, text);
            commit_files(&t, &source, message, &[]);
        };
        t.write("source/.gitattributes", "s/* filter=killer\n");
        t.write("source/gone", "gone\n");
        t.write("source/turned", "a file\n");
        commit("base", "base");
        for branch in ["other", "clash"] {
            git(&t, &source, &["checkout", "-q", "-b", branch, "main"]);
            change(&source);
            commit(branch, "new");
        }
        git(&t, &source, &["checkout", "-q", "main"]);
        git(&t, &source, &["worktree", "add", "-q", "-b", "target", "../checkout", "main"]);
        let killer = t.write("killer", KILLER);
        fs::set_permissions(&killer, fs::Permissions::from_mode(0o755)).unwrap();
        let config = t.write(
            "gitconfig",
            format!(
                "[filter \"killer\"]\n\tsmudge = {} %f\n\trequired = true\n\tclean = cat\n",
                killer.display()
            ),
        );
        let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
        let world = World { t, config };
        for words in case.before {
            match words {
                ["work"] => {
                    change(&work_dir);
                    write_all(&work_dir, "new");
                }
                ["own"] => {
                    write_all(&work_dir, "own");
                    commit_files(&world.t, &work_dir, "own", &[]);
                }
                ["remove"] => fs::remove_dir_all(&work_dir).unwrap(),
                ["forget"] => {
                    world.execenv(&["cleanup", KEY, "--all", "--force"]).run().sane(&[0]);
                }
                words => {
                    world.execenv(words).run().sane(&[0, 5]);
                }
            }
        }
        world
    }

    fn execenv(&self, words: &[&str]) -> Run<'_> {
        self.t.execenv(words).var("GIT_CONFIG_GLOBAL", &self.config)
    }

    fn run(&self, case: &Case) -> Done {
        self.execenv(case.command).run()
    }

    /// Lets the session end when git writes a file.
    fn kill_at(&self, case: &Case, file: &str, whom: &str, when: &str) {
        let mut command = self.t.command("setsid");
        command.arg(env!("CARGO_BIN_EXE_execenv")).args(case.command);
        let mut child = command
            .env("GIT_CONFIG_GLOBAL", &self.config)
            .env("KILL_AT", file)
            .env("KILL", whom)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let session = child.id();
        let status = child.wait().unwrap();
        // The one that has killed the others goes last.
        while has_members(session) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(status.signal(), Some(9), "{when}: it was not killed: {status}");
    }

    fn work_dir(&self) -> PathBuf {
        self.t.root.join("default").join(KEY).join("workdir")
    }

    /// The folder that the command writes.
    fn written(&self, case: &Case) -> PathBuf {
        match case.writes {
            Writes::WorkDir => self.work_dir(),
            Writes::Checkout => self.t.tmp.join("checkout"),
        }
    }

    /// The commit without its time, index, files, and that no lock is left.
    fn state(&self, case: &Case) -> (Vec<String>, Snapshot) {
        let folder = self.written(case);
        let at = |words: &[&str]| git_out(&self.t, &folder, words);
        let git_dir = PathBuf::from(at(&["rev-parse", "--path-format=absolute", "--git-dir"]));
        let left =
            ["index.lock", "index.execenv", "index.execenv-next"].map(|name| git_dir.join(name).exists());
        let said = vec![
            at(&["log", "-1", "--format=%T %s"]),
            at(&["ls-files", "--stage", "-z"]),
            at(&["status", "--porcelain"]),
            at(&["branch", "--list", "--format=%(refname)"]),
            format!("{left:?}"),
        ];
        let files = snapshot(&folder).into_iter();
        let files =
            files.filter(|(path, entry)| !path.starts_with(".git") && !entry.ends_with("dir")).collect();
        (said, files)
    }
}
