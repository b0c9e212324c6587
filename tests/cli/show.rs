use crate::support::{KEY, TASK, TestEnv};

#[test]
fn one_file_is_printed_byte_for_byte_and_none_from_outside() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/a/b.bin"), b"\0\xff\x1b[31m\r\n");
    t.write("outside", "secret");
    std::os::unix::fs::symlink(t.tmp.join("outside"), env.join("workdir/out")).unwrap();
    std::os::unix::fs::symlink("a/b.bin", env.join("workdir/in")).unwrap();
    for path in ["a/b.bin", "./a/b.bin", "in", env.join("workdir/in").to_str().unwrap()] {
        assert_eq!(t.execenv(["show", KEY, "--file", path]).ok().bytes, b"\0\xff\x1b[31m\r\n", "{path}");
    }
    for path in [
        "../.gc_meta.json",
        "a/../../.gc_meta.json",
        "/etc/passwd",
        "out",
        t.tmp.join("outside").to_str().unwrap(),
    ] {
        t.execenv(["show", KEY, "--file", path]).fails(5, &["is outside"]);
    }
    t.execenv(["show", KEY, "--file", "missing"]).fails(1, &["missing"]);
    t.execenv(["show", KEY, "--file", "a"]).fails(1, &["not a regular file"]);
}

#[test]
fn the_whole_record_in_both_forms() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let json = t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!(json["root_dir"].as_str(), env.to_str());
    assert_eq!((json["status"].as_str(), json["live"].as_bool()), (Some("prepared"), Some(false)));
    assert_eq!(json["sidecars"]["complete"], true);
    let text = t.execenv(["show", KEY]).ok().shown_stdout;
    assert!(text.contains("[ROOT]/default/555555abcdef"), "{text}");
}

#[test]
fn a_folder_of_the_users_names_the_environment_that_has_it_now() {
    let t = TestEnv::new();
    let shown = || t.execenv(["show", "project", "-o", "json"]).json()["task_id"].clone();
    for (day, id) in [(1, "t-b"), (3, "t-a"), (2, "t-c")] {
        let now = format!("2026-06-0{day}T12:00:00Z");
        let arguments = ["prepare", "--task-id", id, "--local-dir", "project"];
        t.execenv(arguments).var("EXECENV_TEST_NOW", now).ok();
        assert_eq!(shown(), id);
        t.execenv(["cleanup", "project"]).ok();
    }
    assert_eq!(shown(), "t-a", "the newest of those that have let go of it");
}

#[test]
fn a_whole_key_is_no_prefix_of_a_longer_one() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    std::fs::create_dir(t.root.join(format!("default/{KEY}9"))).unwrap();
    assert_eq!(t.execenv(["show", KEY, "-o", "json"]).json()["task_id"], TASK);
}
