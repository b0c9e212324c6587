use std::fs;

use serde_json::{Value, json};

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
    assert!(text.contains("\nlogs            [ROOT]/default/555555abcdef/logs\n"), "{text}");
    t.execenv(["show", "555"])
        .fails(3, &["hint: ENV is a path, a task id, or 4 or more characters of a key"]);
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

/// The status of the environment as each command shows it.
fn statuses(t: &TestEnv) -> Vec<String> {
    let json = |arguments: &[&str]| t.execenv(arguments.iter().chain(&["-o", "json"])).json();
    let du = t.execenv(["du"]).ok().stdout;
    let header: Vec<&str> =
        du.lines().find(|line| line.starts_with("ENV ")).unwrap().split_whitespace().collect();
    let place = header.iter().position(|word| *word == "STATUS").unwrap();
    let row = du.lines().find(|line| line.contains(KEY)).unwrap();
    let explained = t.execenv(["gc", "--explain", KEY]).ok().stdout;
    let of_explain = explained.lines().find_map(|line| line.trim().strip_prefix("status")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    vec![
        text(&json(&["list"])["environments"][0]["status"]),
        text(&json(&["show", KEY])["status"]),
        text(&json(&["gc", "--explain", KEY])["evidence"]["status"]),
        of_explain.trim().to_owned(),
        text(&json(&["du"])["tasks"][0]["status"]),
        row.split_whitespace().nth(place).unwrap().to_owned(),
    ]
}

#[test]
fn every_command_shows_the_same_status() {
    let foreign = json!({"kind": "issue", "issue_id": "i", "workspace_id": "default"});
    let ended = json!({"kind": "issue", "issue_id": "i", "workspace_id": "default", "completed_at": "2026-05-31T00:00:00Z"});
    for (recorded, is_live, expected) in [
        (json!("prepared"), false, "prepared"),
        (json!("running"), true, "running"),
        (json!("running"), false, "crashed"),
        (json!("starting"), false, "crashed"),
        (json!("completed"), true, "completed"),
        (json!("cleaned"), false, "cleaned"),
        (json!("of a later version"), false, "unknown"),
        (foreign.clone(), false, "unknown"),
        (ended.clone(), false, "completed"),
        (ended, true, "running"),
        (foreign, true, "running"),
        (json!("{"), false, "unknown"),
        (Value::Null, false, "unknown"),
    ] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        let file = env.join(".gc_meta.json");
        let mut meta: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        match &recorded {
            Value::String(text) if text == "{" => fs::write(&file, "{").unwrap(),
            Value::String(status) => {
                meta["execenv"]["status"] = json!(status);
                fs::write(&file, meta.to_string()).unwrap();
            }
            Value::Null => fs::remove_file(&file).unwrap(),
            object => fs::write(&file, object.to_string()).unwrap(),
        }
        let lock = fs::File::open(env.join(".task_lock")).unwrap();
        if is_live {
            lock.lock().unwrap();
        }
        assert_eq!(statuses(&t), [expected; 6], "{recorded}, live {is_live}");
    }
}

#[test]
fn of_a_running_environment_the_last_result_is_the_one_before() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.execenv(["run", KEY, "--", "true"]).ok();
    assert!(t.execenv(["show", KEY]).ok().stdout.contains("\nlast result     completed"));
    // The record says `starting` until the agent's process is known.
    let script = "execenv run \"$E\" -- sh -c 'until execenv show \"$E\" | grep -q \"^status *running\"; do sleep 0.02; done; execenv show \"$E\"'";
    let text = t.sh(script).var("E", &env).run().status(0).stdout;
    assert!(
        text.contains("\nstatus          running\n") && text.contains("\nlive            true\n"),
        "{text}"
    );
    assert!(text.contains("\nprevious result completed") && !text.contains("\ncompleted "), "{text}");
}

/// What is damaged, and what the commands with which one looks into it still tell.
#[test]
fn a_damaged_environment_is_shown_as_far_as_it_can_be_read() {
    for (file, bytes) in [
        (".gc_meta.json", "{"),
        (".gc_meta.json", ""),
        (".gc_meta.json", "[]"),
        (".multica_sidecar_manifest.json", "{"),
        (".multica_sidecar_manifest.json", r#"{"execenv":{"version":99}}"#),
    ] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
        fs::write(env.join(file), bytes).unwrap();
        let is_record = file == ".gc_meta.json";
        for name in [KEY, env.to_str().unwrap(), env.join("workdir").to_str().unwrap()] {
            let json = t.execenv(["show", name, "-o", "json"]).json();
            assert_eq!(json["damaged"][0]["path"], json!(env.join(file)), "{json}");
            assert_eq!((&json["key"], &json["work_dir"]), (&json!(KEY), &json!(env.join("workdir"))));
            assert_eq!(json["provider"], if is_record { "" } else { "claude" });
            assert_eq!(json["workspace_id"], "default");
        }
        let text = t.execenv(["show", KEY]).ok().shown_stdout;
        assert!(text.contains("\ncannot read     ") && text.contains(file), "{text}");
        assert_eq!(text.contains("\nsidecars "), is_record, "{text}");
        let explained = t.execenv(["gc", "--explain", KEY]).ok().shown_stdout;
        assert!(explained.contains("\n  cannot read   ") && explained.contains(file), "{explained}");
        let json = t.execenv(["gc", "--explain", KEY, "-o", "json"]).json();
        assert_eq!(json["damaged"][0]["path"], json!(env.join(file)));
        assert!(json["reason"].is_string() && json["evidence"]["meta"].is_string(), "{json}");
        t.write(env.join("workdir/file"), "text");
        assert_eq!(t.execenv(["show", KEY, "--file", "file"]).ok().stdout, "text");
    }
}

#[test]
fn one_without_a_record_is_shown_too() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    fs::remove_file(env.join(".gc_meta.json")).unwrap();
    let text = t.execenv(["show", KEY]).ok().stdout;
    assert!(text.contains("\nrecord          there is no .gc_meta.json\n"), "{text}");
    assert_eq!(t.execenv(["show", KEY, "-o", "json"]).json()["status"], "unknown");
}

#[test]
fn a_file_as_json_is_text_or_base64_and_says_where_it_ends() {
    let t = TestEnv::new();
    let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
    let most = 1 << 20;
    t.write(work_dir.join("text"), "ä\n");
    t.write(work_dir.join("bytes"), b"\0\xff");
    t.write(work_dir.join("long"), "ä".repeat(most / 2 + 1));
    t.write(work_dir.join("cut"), format!("a{}", "ä".repeat(most)));
    for (name, more, encoding, content, truncated) in [
        ("text", &[][..], "utf-8", "ä\n".to_owned(), false),
        ("bytes", &[], "base64", "AP8=".to_owned(), false),
        ("long", &[], "utf-8", "ä".repeat(most / 2), true),
        ("long", &["--no-limit"], "utf-8", "ä".repeat(most / 2 + 1), false),
        ("cut", &[], "utf-8", format!("a{}", "ä".repeat(most / 2 - 1)), true),
    ] {
        let answer = t.execenv(["show", KEY, "-o", "json", "--file", name].iter().chain(more)).json();
        assert_eq!(answer["path"], work_dir.join(name).to_str().unwrap());
        assert_eq!(answer["bytes"], std::fs::metadata(work_dir.join(name)).unwrap().len());
        assert_eq!(
            (&answer["encoding"], &answer["truncated"]),
            (&encoding.into(), &truncated.into()),
            "{name}"
        );
        assert!(answer["content"] == *content, "{name} {more:?}");
    }
    for (path, status) in [("../.gc_meta.json", 5), ("none", 1), (".", 1)] {
        t.execenv(["show", KEY, "-o", "json", "--file", path]).run().status(status);
    }
    t.execenv(["show", KEY, "--no-limit"]).fails(2, &["--file"]);
    // All of it, as it is.
    assert_eq!(t.execenv(["show", KEY, "--file", "long"]).ok().bytes.len(), most + 2);
}
