//! What only a terminal gets: the line of a command that takes long, and the answer that is drawn again.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;

use crate::support::terminal::{self, on_terminal, on_terminal_as, what_stays};
use crate::support::{TASK, TestEnv};

/// A git that says how far it is, and goes on when a file is there.
const SLOW_GIT: &str = "#!/bin/sh\n\
    case \"$*\" in *--progress*) printf 'Receiving objects:  43%% (430/1000)\\r' >&2; until [ -e \"$GO\" ]; do sleep 0.05; done;; esac\n\
    exec \"$REAL_GIT\" \"$@\"\n";

#[test]
fn a_command_that_waits_for_git_shows_how_far_it_is_and_nothing_stays() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    crate::support::repository::make_repository(&t, &source, &[]);
    let env = t.prepare(["--task-id", TASK]);
    let git = t.write("bin/git", SLOW_GIT);
    t.sh("chmod +x \"$G\"").var("G", &git).ok();
    let real = t.sh("command -v git").ok().stdout;
    let mut command = t.command(env!("CARGO_BIN_EXE_execenv"));
    let path = std::env::var("PATH").unwrap();
    command.args(["checkout", env.to_str().unwrap(), source.to_str().unwrap()]);
    command.env("PATH", format!("{}:{path}", t.tmp.join("bin").display()));
    command.env("REAL_GIT", real.trim()).env("GO", t.tmp.join("go")).env("TERM", "xterm");
    let mut go = |printed: &str| {
        if printed.contains("checkout: receiving objects 43 %, ") {
            t.write("go", "");
        }
    };
    let printed = on_terminal(command, 60, &mut go);
    assert!(printed.contains("checkout: receiving objects 43 %, "), "{printed:?}");
    assert_eq!(what_stays(&printed), [format!("{}", env.join("workdir/source").display())], "{printed:?}");
}

/// A list that is watched for long shows what becomes of the root, and Ctrl-C, typed on its terminal, ends it with 130.
#[test]
fn a_list_that_is_watched_follows_the_root_until_ctrl_c() {
    let t = TestEnv::new();
    t.prepare(["--task-id", "first-task"]);
    let (mut ours, theirs) = terminal::open(100);
    let mut command = t.command("setsid");
    command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_execenv"), "list", "--watch=1"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let streams = [&theirs; 3].map(terminal::copy);
    let [stdin, stdout, stderr] = streams;
    let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
    drop((theirs, command));
    let (mut printed, mut block, mut step) = (Vec::new(), [0; 4096], 0);
    let mut drawn = 0;
    while let Ok(length @ 1..) = ours.read(&mut block) {
        printed.extend_from_slice(&block[..length]);
        let text = String::from_utf8_lossy(&printed).into_owned();
        let now = &text[drawn..];
        // Each step waits for a picture that shows what the one before has done.
        let is_seen = match step {
            0 => now.contains("first-task"),
            1 => now.contains("second-task"),
            2 => now.contains("completed"),
            3 => now.contains("cleaned"),
            _ => {
                now.contains("second-task")
                    && !now.rsplit("execenv list at ").next().unwrap_or("").contains("first-task")
                    && now.rsplit("execenv list at ").next().is_some_and(|last| last.contains("second-task"))
            }
        };
        if !is_seen {
            continue;
        }
        drawn = text.len();
        match step {
            0 => drop(t.prepare(["--task-id", "second-task"])),
            1 => drop(t.execenv(["run", "first-task", "--", "true"]).ok()),
            2 => drop(t.execenv(["cleanup", "first-task"]).ok()),
            3 => drop(t.execenv(["cleanup", "--all", "first-task"]).ok()),
            4 => ours.write_all(b"\x03").unwrap(),
            _ => {}
        }
        step += 1;
    }
    let ended = child.wait().unwrap();
    let text = String::from_utf8_lossy(&printed);
    // As a shell says it.
    let status = ended.code().or(ended.signal().map(|signal| 128 + signal));
    assert_eq!((step >= 5, status), (true, Some(130)), "{text:?}");
    assert!(!text.contains("error:") && !text.contains("warning:"), "{text:?}");
}

#[test]
fn a_list_is_drawn_again_over_the_last_one() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let mut command = t.command(env!("CARGO_BIN_EXE_execenv"));
    command.args(["list", "--watch=1"]).env("TERM", "xterm").env("NO_COLOR", "1");
    let mut drawn = 0;
    let printed = on_terminal_as(command, 50, &mut |printed, child| {
        // Twice over the one before: then it is ended as Ctrl-C ends it.
        drawn = printed.matches("\u{1b}[4A\r").count();
        if drawn == 2 {
            rustix::process::kill_process(child, rustix::process::Signal::INT).unwrap();
        }
    });
    assert_eq!(drawn, 2, "{printed:?}");
    assert_eq!(printed.matches("execenv list at ").count(), 3, "{printed:?}");
    let rows = printed.lines().filter(|line| line.contains("prepared")).map(|line| line.trim_end().len());
    assert!(rows.clone().count() >= 2 && rows.max().unwrap() < 70, "{printed:?}");
    assert!(printed.contains("Ctrl-C ends it") && printed.contains("11111111-"), "{printed:?}");
}
