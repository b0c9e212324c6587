//! Each schema describes real documents: `support/schema` compares all that the commands of the tests print, read and write,
//! and here each schema is used at least once.

use std::fs;

use serde_json::{Value, json};

use crate::support::fake_claude::{INIT, RESULT, World};
use crate::support::repository::{commit_files, git, make_repository};
use crate::support::schema::{SCHEMAS, check, exercised};
use crate::support::{KEY, TASK, TestEnv};

/// Runs commands, one a line, with `-o json`; each may fail, and says so then.
fn run_all(t: &TestEnv, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words = line.split(' ').map(|word| if word == "K" { KEY } else { word });
        let done = t.execenv(words.chain(["-q", "-o", "json"])).run();
        done.assert_sane_json();
    }
}

fn of_environments() {
    let t = TestEnv::new();
    t.write(
        "task.json",
        json!({"id": TASK, "agent": {"name": "ada", "skills": null}, "repos": []}).to_string(),
    );
    t.write("project/.execenv.json", r#"{"ports": ["web"]}"#);
    t.write("config.json", r#"{"ttl": "2h", "max_count": 3, "providers": {"mine": {"program": "mine", "arguments": ["{prompt}"]}}}"#);
    run_all(
        &t,
        "prepare --task task.json --local-dir project --lease 0s
         reuse K --task task.json
         show K
         show nowhere
         verify K
         list
         du
         du --all-profiles
         doctor
         trust project
         trust --list
         trust --remove project
         gc --explain K
         gc --stream --dry-run
         config --config config.json
         completions bash
         man gc
         schema
         cleanup --all --trash K
         trash list
         trash restore K
         trash empty --yes
         gc",
    );
}

fn of_repositories() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
    git(&t, &source, &["checkout", "-q", "-b", "agent/other/1111"]);
    commit_files(&t, &source, "theirs", &[("file", "theirs\n")]);
    git(&t, &source, &["checkout", "-q", "main"]);
    t.write(work_dir.join("file"), "mine\n");
    run_all(
        &t,
        "diff K
         checkpoint K -m saved --on-branch
         checkpoint K -m again
         show K --file file
         restore K
         clone K copy --dry-run
         clone K copy
         merge list K
         merge check K
         merge start K agent/other/1111
         merge status K
         merge resolve K file ours
         merge commit K
         merge skip K agent/other/1111 why
         merge abort K
         publish K --to branch
         branch K next",
    );
    let other = t.prepare(["--task-id", "22222222-2222-4333-8444-666666abcdef"]);
    t.execenv(["checkout", other.to_str().unwrap(), "source", "-o", "json"]).json();
}

fn of_runs() {
    let w = World::new();
    let script = [INIT, "read @/prompt", "sleep-until-file @/go", "read @/1", RESULT, "expect-eof"];
    let mut run = w.asked(&script, &["-o", "json"]).start();
    w.wait_for("prompt");
    run_all(&w.t, "pause K\nresume K\nsend K hello");
    w.t.write("go", "");
    assert!(run.wait().unwrap().success());
    run_all(&w.t, "stop K\nstop --all");
    w.t.execenv(["run", KEY, "-o", "json", "--", "echo", "hello"]).ok();
    run_all(&w.t, "logs K\nreport K");
}

#[test]
fn every_schema_describes_a_document_that_was_really_there() {
    of_environments();
    of_repositories();
    of_runs();
    let used = exercised();
    let unused: Vec<&String> = SCHEMAS.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "no document was compared with {unused:?}");
}

#[test]
fn schemas_are_listed_and_printed_as_they_are_in_their_files() {
    let t = TestEnv::new();
    let listed = t.execenv(["schema", "-o", "json"]).json();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, SCHEMAS.keys().collect::<Vec<_>>());
    assert_eq!(t.execenv(["schema"]).ok().stdout.lines().count(), names.len());
    for (name, schema) in SCHEMAS.iter() {
        let file = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(t.execenv(["schema", name]).ok().stdout, fs::read_to_string(file).unwrap());
        assert_eq!(t.execenv(["schema", name, "-o", "json"]).json(), *schema);
        assert_eq!(schema["$id"], format!("urn:execenv:schema:1:{name}"));
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{name}");
    }
    // As the command is typed, or the file is called.
    assert_eq!(
        t.execenv(["schema", "trash list"]).ok().stdout,
        t.execenv(["schema", "trash-list.json"]).ok().stdout
    );
}

#[test]
fn a_name_that_is_not_known_is_refused_with_the_near_ones() {
    let t = TestEnv::new();
    t.execenv(["schema", "merge"]).fails(2, &["there is no schema `merge`", "`execenv schema merge-start`"]);
    t.execenv(["schema", "prepar"]).fails(2, &["did you mean `execenv schema prepare`?"]);
    t.execenv(["schema", "x"]).fails(2, &["hint: `execenv schema` lists all of them"]);
    t.execenv(["schema", "a\u{1b}[31m"]).fails(2, &["there is no schema `a\\u{1b}[31m`"]);
}

#[test]
fn the_comparison_finds_what_is_wrong() {
    let cleaned = |change: fn(&mut Value)| {
        let mut document = json!({"schema": 1, "root_dir": "/r", "outcome": "removed", "removed": [], "kept": [], "errors": [],
            "bytes": 1, "teardown": {"outcome": "none", "commands": 0, "why": null}});
        change(&mut document);
        check("cleanup", &document)
    };
    assert_eq!(cleaned(|_| {}), Ok(()));
    assert_eq!(cleaned(|document| *document = json!([document])), Ok(()));
    for change in [
        |document: &mut Value| document["bytes"] = "1".into(),
        |document| document["removed"] = Value::Null,
        |document| document["outcome"] = "gone".into(),
        |document| document["schema"] = 2.into(),
        |document| document["more"] = 1.into(),
        |document| drop(document.as_object_mut().unwrap().remove("errors")),
        |document| document["kept"] = json!([{"path": "/r"}]),
    ] as [fn(&mut Value); 7]
    {
        assert!(cleaned(change).is_err());
    }
    // A state file keeps what others have added, a task document may have fields that execenv does not use.
    assert_eq!(check("meta", &json!({"workspace_id": "w", "swarm": 1})), Ok(()));
    assert_eq!(check("task", &json!({"id": null, "swarm": 1})), Ok(()));
    assert!(check("task", &json!({"id": 1})).is_err());
}
