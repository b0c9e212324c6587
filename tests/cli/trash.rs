use serde_json::json;

use crate::support::{KEY, TASK, TestEnv, terminal};

#[test]
fn a_work_dir_alone_goes_back_to_its_environment() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/work"), "precious");
    t.execenv(["cleanup", "--trash", KEY]).ok();
    assert!(!env.join("workdir").exists());
    let listed = t.execenv(["trash", "list", "-o", "json"]).json();
    assert_eq!(listed["entries"][0]["origin"], json!(env.join("workdir")));
    assert_eq!(listed["entries"][0]["key"], KEY);
    let (at, after) = (&listed["entries"][0]["trashed_at"], &listed["entries"][0]["deleted_after"]);
    assert_eq!((at, after), (&json!("2026-06-01T12:00:00Z"), &json!("2026-06-02T12:00:00Z")));
    let text = t.execenv(["trash", "list"]).ok().stdout;
    assert!(text.starts_with("ENTRY ") && text.contains(" in 1d "), "{text}");
    let complete = |words: &[&str]| {
        let place = (words.len() + 1).to_string();
        let run = t.execenv(["--", "execenv"].iter().chain(words).chain(&[""]));
        let run = run.var("EXECENV_COMPLETE", "bash").var("_CLAP_COMPLETE_INDEX", &place);
        run.var("_CLAP_COMPLETE_COMP_TYPE", "9").var("_CLAP_IFS", "\n").run().status(0).stdout
    };
    assert_eq!(complete(&["trash", "restore"]).lines().next(), Some(KEY));
    for command in ["gc", "list"] {
        assert_eq!(complete(&[command, "--workspace"]).lines().next(), Some("default"), "{command}");
    }
    let restored = t.execenv(["trash", "restore", KEY]).ok();
    assert_eq!(restored.stdout.trim_end(), env.join("workdir").to_str().unwrap());
    assert!(env.join("workdir/work").is_file());
    let run = || t.execenv(["run", KEY, "--", "true"]);
    run().fails(3, &["has been cleaned up", "execenv reuse "]);
    t.execenv(["reuse", KEY]).ok();
    run().ok();
    t.execenv(["cleanup", "--trash", KEY]).ok();
    t.execenv(["cleanup", "--all", KEY]).ok();
    t.execenv(["trash", "restore", KEY]).fails(3, &["the environment of", "is gone"]);
}

#[test]
fn names_are_found_by_entry_by_key_and_by_path_and_must_be_one() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.prepare(["--task-id", "99999999-2222-4333-8444-5555550bcdef"]);
    t.execenv(["cleanup", "--all", "--trash", "555555a", "5555550"]).ok();
    t.execenv(["trash", "restore", "5555"]).fails(2, &["names 2 environments"]);
    t.execenv(["trash", "restore", "nothing"]).fails(3, &["no entry `"]);
    t.execenv(["trash", "restore", env.to_str().unwrap()]).ok();
    let listed = t.execenv(["trash", "list", "-o", "json"]).json();
    let entry = listed["entries"][0]["entry"].as_str().unwrap();
    t.execenv(["trash", "restore", entry]).ok();
    assert_eq!(t.execenv(["trash", "list"]).ok().stdout, "");
}

#[test]
fn empty_deletes_for_good_and_an_empty_trash_is_fine() {
    let t = TestEnv::new();
    t.execenv(["trash", "empty"]).ok();
    t.execenv(["trash", "restore", KEY]).fails(3, &["no entry `"]);
    t.prepare(["--task-id", TASK]);
    t.execenv(["cleanup", "--all", "--trash", KEY]).ok();
    assert_eq!(t.execenv(["trash", "empty", "-o", "json"]).json()["deleted"], 1);
    assert_eq!(t.execenv(["trash", "list", "-o", "json"]).json()["entries"], json!([]));
    t.execenv(["trash"]).run().status(2);
}

#[test]
fn one_that_cannot_go_does_not_keep_the_rest() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["cleanup", "--all", "--trash", KEY]).ok();
    // The oldest, and its name has no room for the mark of what is being deleted.
    let stuck = t.root.join(".trash").join(format!("w+{}+1-x", "k".repeat(245)));
    std::fs::create_dir(&stuck).unwrap();
    let done = t.execenv(["trash", "empty", "-o", "json"]).run().status(1);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&answer["deleted"], &answer["failed"]), (&json!(1), &json!(1)), "{done}");
    assert_eq!(done.stderr.lines().filter(|line| line.contains("from the trash")).count(), 1, "{done}");
    assert_eq!(std::fs::read_dir(t.root.join(".trash")).unwrap().count(), 1);
}

#[test]
fn restore_takes_every_form_of_env_and_another_folder() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--workspace-id", "w1"]);
    t.prepare(["--task-id", TASK, "--workspace-id", "w2"]);
    let put_aside = || t.execenv(["cleanup", "--all", "--trash", env.to_str().unwrap()]).ok();
    t.execenv(["cleanup", "--all", "--trash", &format!("w2/{KEY}")]).cwd(&t.root).ok();
    for form in [
        env.display().to_string(),
        env.join("workdir").display().to_string(),
        format!("w1/{KEY}"),
        "w1/5555".into(),
    ] {
        put_aside();
        let done = t.execenv(["trash", "restore", &form]).ok();
        assert_eq!(done.stdout.trim_end(), env.to_str().unwrap(), "{form}");
    }
    put_aside();
    for form in [TASK, KEY, "5555"] {
        t.execenv(["trash", "restore", form])
            .fails(2, &["names 2 environments", "hint: give `<workspace>/<key>`"]);
    }
    t.execenv(["trash", "restore", "w1/5555", "--to", "rescued"]).ok();
    assert!(t.tmp.join("rescued/.gc_meta.json").is_file());
    let restored = t.execenv(["trash", "restore", TASK]).ok();
    assert_eq!(restored.stdout.trim_end(), t.root.join("w2").join(KEY).to_str().unwrap(), "the task id");
}

#[test]
fn restore_as_another_folder_refuses_what_is_there() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/work"), "precious");
    t.execenv(["cleanup", "--trash", KEY]).ok();
    t.execenv(["trash", "restore", KEY, "--to", "project"]).fails(5, &["is there already"]);
    t.execenv(["trash", "restore", KEY, "--to", "no/where"]).fails(1, &["no"]);
    let done = t.execenv(["trash", "restore", KEY, "--to", "rescued"]).ok();
    assert_eq!(done.shown_stdout.trim_end(), "[TMP]/rescued");
    assert_eq!(std::fs::read_to_string(t.tmp.join("rescued/work")).unwrap(), "precious");
}

/// A root with `count` entries in its trash.
fn with_trash(count: usize) -> TestEnv {
    let t = TestEnv::new();
    t.prepare(["--task-id", "first"]);
    for number in 0..count {
        t.write(format!("root/.trash/default+{number:012}+1780000000-0123abcd/file"), "x");
    }
    t
}

fn entries(t: &TestEnv) -> usize {
    std::fs::read_dir(t.root.join(".trash")).unwrap().count()
}

#[test]
fn empty_asks_on_a_terminal_and_nowhere_else() {
    let t = with_trash(2);
    let on_terminal = |answer: &str| {
        let mut command = t.command(env!("CARGO_BIN_EXE_execenv"));
        command.args(["trash", "empty"]);
        terminal::answering(command, "delete 2 entries for good? [y/N]", answer)
    };
    for no in ["n\n", "\n", "nonsense\n", "\u{4}"] {
        let (ended, seen) = on_terminal(no);
        assert!(ended == Some(1) && seen.contains("nothing was deleted"), "{no:?}: {seen}");
        assert_eq!(entries(&t), 2, "{no:?}");
    }
    assert_eq!(on_terminal("y\n").0, Some(0));
    assert_eq!(entries(&t), 0);
    let t = with_trash(2);
    t.execenv(["trash", "empty"]).ok();
    assert_eq!(entries(&t), 0);
    let t = with_trash(2);
    t.execenv(["trash", "empty", "--yes"]).ok();
    assert_eq!(entries(&t), 0);
}

#[test]
fn empty_stops_between_entries() {
    const COUNT: usize = 3_001;
    let t = with_trash(COUNT);
    let child = t.execenv(["trash", "empty"]).start();
    let pid = rustix::process::Pid::from_child(&child);
    while entries(&t) == COUNT {
        std::thread::yield_now();
    }
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let left = entries(&t);
    assert!(left > 0, "it was too fast for this test");
    assert_eq!(output.status.code(), Some(130), "{said}");
    let deleted = COUNT - left;
    let shown = if deleted < 1_000 {
        deleted.to_string()
    } else {
        format!("{},{:03}", deleted / 1_000, deleted % 1_000)
    };
    // The signal may come within an entry, which is named then.
    let rest = said.strip_prefix(&format!("warning: stopped: {shown} of 3,001 entries")).expect(&said);
    assert!(rest == "\n" || rest.starts_with("; the next command deletes the rest of default+"), "{said}");
}

#[test]
fn what_one_command_deletes_no_other_one_deletes_as_well() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["cleanup", "--all", "--trash", KEY]).ok();
    let trash = t.root.join(".trash");
    let entry = std::fs::read_dir(&trash).unwrap().next().unwrap().unwrap().path();
    let doomed = trash.join(format!("{}.removing", entry.file_name().unwrap().to_str().unwrap()));
    // One that is about to be marked, and one that is.
    for place in [&entry, &doomed] {
        if *place == doomed {
            std::fs::rename(&entry, &doomed).unwrap();
        }
        let other = std::fs::File::open(place).unwrap();
        other.lock().unwrap();
        for command in [&["gc", "--trash-ttl", "0"][..], &["trash", "empty"], &["doctor", "--fix"]] {
            t.execenv(command).run().sane(&[0]);
            assert!(place.join(".gc_meta.json").is_file(), "{command:?} {}", place.display());
        }
    }
    t.execenv(["gc"]).run().sane(&[0]);
    assert!(!doomed.exists());
}
