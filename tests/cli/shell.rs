//! `execenv shell`: on a real terminal, started by a shell with job control, and without one.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::process::{self, is_gone, wait_until};
use crate::support::terminal;
use crate::support::{KEY, TASK, TestEnv};

const PATIENCE: Duration = Duration::from_secs(60);

/// A person at a terminal, whose shell is bash.
struct Person {
    keys: File,
    screen: Receiver<Vec<u8>>,
    /// What was printed and not yet looked at.
    seen: String,
    shell: Child,
}

impl Person {
    fn at_terminal(t: &TestEnv, shell: &str) -> Person {
        // Lines that are longer than the screen would be shown in parts.
        let (keys, theirs) = terminal::open(1000);
        let copy = || terminal::copy(&theirs);
        let mut command = t.command("setsid");
        command.args(["--ctty", "bash", "--norc", "--noprofile", "-i"]);
        command.env("PS1", "outer> ").env("TERM", "dumb").env("SHELL", shell);
        command.env("X", env!("CARGO_BIN_EXE_execenv"));
        let shell = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        drop((theirs, command));
        let (to, screen) = channel();
        let mut reader = keys.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut block) {
                if to.send(block[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut person = Person { keys, screen, seen: String::new(), shell };
        person.waits_for("outer> ");
        person
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Returns what was printed before that.
    #[track_caller]
    fn waits_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let Ok(block) = self.screen.recv_timeout(PATIENCE) else {
                panic!("no {text:?} in {:?}", self.seen)
            };
            self.seen += &String::from_utf8_lossy(&block);
        }
    }

    fn opens_a_shell(&mut self) {
        self.types(&format!("$X shell {KEY}\n"));
        self.waits_for(&format!("(execenv {KEY}) "));
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn prepared() -> TestEnv {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--provider", "claude"]);
    t
}

fn meta(t: &TestEnv) -> serde_json::Value {
    let file = t.root.join(format!("default/{KEY}/.gc_meta.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn wait_until_free(t: &TestEnv) {
    process::wait_until_free(&t.root.join(format!("default/{KEY}/.task_lock")));
}

/// A number that a process has written to a file.
fn number(t: &TestEnv, name: &str) -> String {
    wait_until(name, || fs::read_to_string(t.tmp.join(name)).ok().filter(|text| text.ends_with('\n')))
        .trim()
        .to_owned()
}

#[test]
fn a_shell_on_a_terminal_has_the_environment_its_lock_and_job_control() {
    let t = prepared();
    let before = meta(&t);
    let mut person = Person::at_terminal(&t, "/bin/bash");
    person.opens_a_shell();
    person.types("echo \"is $EXECENV_SHELL $EXECENV_TASK_ID in $PWD\"\n");
    person.waits_for(&format!("is 1 {TASK} in {}/default/{KEY}/workdir", t.root.display()));

    t.execenv(["run", KEY, "--", "true"])
        .fails(4, &["is in use by a live process (pid ", ", execenv shell)"]);
    let shown = t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!((&shown["live"], &shown["status"]), (&true.into(), &"prepared".into()));
    assert!(shown["held_by"].as_str().unwrap().ends_with("execenv shell"), "{shown}");
    let listed = t.execenv(["list"]).ok().stdout;
    assert!(listed.contains(" shell "), "{listed}");

    // Keys reach what runs in the shell, and nothing else. A dash that is about to start a program loses Ctrl-C, so
    // that it becomes the program instead.
    person.types("sh -c 'echo began; exec sleep 1000'\n");
    person.waits_for("began\r\n");
    person.types("\x03");
    person.types("echo \"ended with $?\"\n");
    person.waits_for("ended with 130");
    person.types("sh -c 'echo began; read line; echo went on'\n");
    person.waits_for("began\r\n");
    person.types("\x1a");
    person.waits_for("Stopped");
    person.waits_for(&format!("(execenv {KEY}) "));
    person.types("fg\n");
    person.types("\n");
    person.waits_for("went on\r\n");

    // What is left in the background is ended.
    person.types(&format!(
        "nohup sleep 1000 >/dev/null 2>&1 & echo $! >{0}/first; setsid sh -c 'echo $$ >{0}/second; exec sleep 1000' & \
         echo now\n",
        t.tmp.display()
    ));
    let left = [number(&t, "first"), number(&t, "second")];
    person.types("exit 7\n");
    person.waits_for("warning: ended ");
    person.waits_for("outer> ");
    for pid in &left {
        wait_until("the end of what was left", || is_gone(pid).then_some(()));
    }
    person.types("echo \"outer $?\"\n");
    person.waits_for("outer 7");
    wait_until_free(&t);
    let mut after = meta(&t);
    assert!(after["execenv"].as_object_mut().unwrap().remove("used_at").is_some());
    assert_eq!(after, before, "a shell is no run");
    t.execenv(["run", KEY, "--", "true"]).ok();
}

#[test]
fn the_marks_of_other_shells_and_the_users_own_files() {
    let posix = "PS1='mine> '; MINE=yes";
    let zsh = "PROMPT='mine> '; MINE=yes";
    let fish = "set MINE yes; function fish_prompt; echo -n \"$status mine> \"; end";
    for (shell, file, own, prompt) in [
        ("/bin/bash", "home/.bashrc", posix, ["mine> "; 2]),
        ("/bin/sh", "home/.shrc", posix, ["mine> "; 2]),
        ("/usr/bin/zsh", "home/my zsh/.zshrc", zsh, ["mine> "; 2]),
        ("/usr/bin/fish", "home/.config/fish/config.fish", fish, ["0 mine> ", "1 mine> "]),
    ] {
        // The first two are on every machine where these tests run.
        if !Path::new(shell).exists() && shell.starts_with("/usr/") {
            continue;
        }
        let t = prepared();
        t.write(file, format!("{own}\n"));
        t.write("home/my zsh/.zshenv", "setopt sh_word_split\n");
        let mut person = Person::at_terminal(&t, shell);
        person.types("export ENV=$HOME/.shrc ZDOTDIR=\"$HOME/my zsh\"\n");
        person.types(&format!("$X shell {KEY}\n"));
        person.waits_for(&format!("(execenv {KEY}) {}", prompt[0]));
        person.types("echo \"it is $MINE\"\n");
        person.waits_for("it is yes");
        person.types("false\n");
        person.waits_for(&format!("(execenv {KEY}) {}", prompt[1]));
        person.types("exit\n");
        person.waits_for("outer> ");
    }
}

#[test]
fn a_program_on_the_terminal_can_be_stopped_and_goes_on() {
    let t = prepared();
    let mut person = Person::at_terminal(&t, "/bin/bash");
    // A dash that is about to start a program loses Ctrl-C, so that it becomes the program instead.
    let program = "sh -c 'echo began; read line; echo \"went on\"; exec sleep 1000'";
    person.types(&format!("$X shell {KEY} -- {program}\n"));
    person.waits_for("began\r\n");
    person.types("\x1a");
    person.waits_for("Stopped");
    // The line that says so names the command as well, as the next one does.
    person.waits_for("outer> ");
    person.types("fg\n");
    person.waits_for("shell");
    person.types("\n");
    person.waits_for("went on\r\n");
    person.types("\x03");
    person.waits_for("outer> ");
    person.types("echo \"outer $?\"\n");
    person.waits_for("outer 130");
    wait_until_free(&t);
}

#[test]
fn nothing_of_a_shell_is_left_when_execenv_is_killed() {
    let t = prepared();
    let mut person = Person::at_terminal(&t, "/bin/bash");
    person.opens_a_shell();
    person.types(&format!(
        "setsid sh -c 'echo $$ >{0}/left; exec sleep 1000' & echo $$ >{0}/shell; cut -d' ' -f4 /proc/$PPID/stat >{0}/execenv\n",
        t.tmp.display()
    ));
    let [left, shell, execenv] = ["left", "shell", "execenv"].map(|name| number(&t, name));
    kill_process(Pid::from_raw(execenv.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    for pid in [&left, &shell] {
        wait_until("the end of all", || is_gone(pid).then_some(()));
    }
    wait_until_free(&t);
    person.types("echo \"outer still $((40 + 2))\"\n");
    person.waits_for("outer still 42");
    t.execenv(["run", KEY, "--", "true"]).ok();
}

#[test]
fn a_terminal_that_closes_ends_the_shell() {
    let t = prepared();
    let mut person = Person::at_terminal(&t, "/bin/bash");
    person.opens_a_shell();
    person.types(&format!("echo $$ >{}/shell\n", t.tmp.display()));
    let shell = number(&t, "shell");
    kill_process(Pid::from_child(&person.shell), Signal::HUP).unwrap();
    wait_until("the end of the shell", || is_gone(&shell).then_some(()));
    wait_until_free(&t);
}

#[test]
fn without_a_terminal_commands_come_from_standard_input_and_the_status_is_the_shells() {
    let t = prepared();
    let shell = |words: &[&str]| t.execenv(["shell", KEY].iter().chain(words)).var("SHELL", "/bin/sh");
    let done = shell(&[]).input("echo $EXECENV_SHELL; pwd; exit 9\n").run().status(9);
    assert_eq!(done.shown_stdout, format!("1\n[ROOT]/default/{KEY}/workdir\n"), "{done}");
    assert_eq!(shell(&["--env", "A=b", "--", "sh", "-c", "echo $A"]).ok().stdout, "b\n");
    shell(&["--clear-env", "--", "sh", "-c", "test -z \"$B\""]).var("B", "x").ok();
    shell(&["--", "sh", "-c", "kill -9 $$"]).run().status(137);
    shell(&["--", "no-such-program"]).fails(127, &["no-such-program"]);
    let file = t.write("no-program", "x");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    shell(&["--", file.to_str().unwrap()]).fails(126, &["no-program"]);
    t.execenv(["shell", "no-such-env"]).fails(3, &["no-such-env"]);
    assert!(meta(&t)["execenv"]["last_result"].is_null() && meta(&t)["completed_at"].is_null());
    assert!(!t.root.join(format!("default/{KEY}/logs/run.log")).exists());

    // A request to end is passed on.
    let mut child = shell(&["--", "sh", "-c", "echo > ../../../../began; exec sleep 1000"]).start();
    wait_until("the program", || t.tmp.join("began").exists().then_some(()));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(129));
}
