use serde_json::json;

use crate::support::{KEY, TASK, TestEnv};

#[test]
fn it_shows_every_environment_and_whether_it_lives() {
    let t = TestEnv::new();
    assert_eq!(t.execenv(["list"]).ok().stdout, "");
    assert_eq!(t.execenv(["list", "-o", "json"]).json(), json!({"schema": 1, "environments": []}));
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--issue-id", "I"]);
    t.prepare(["--workspace-id", "other"]);
    let lock = std::fs::File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let all = t.execenv(["list", "--sizes", "-o", "json"]).json();
    let rows = all["environments"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(
        (&row["key"], &row["task_id"], &row["provider"]),
        (&json!(KEY), &json!(TASK), &json!("claude"))
    );
    assert_eq!(
        (&row["kind"], &row["status"], &row["live"]),
        (&json!("issue"), &json!("prepared"), &json!(true))
    );
    assert!(row["bytes"].as_u64().unwrap() > 0);
    assert_eq!(rows[1]["live"], false);
    let text = t.execenv(["list", "--workspace", "default"]).ok().stdout;
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().nth(1).unwrap().starts_with(KEY) && text.contains("live"), "{text}");
}

#[test]
fn a_folder_without_a_sign_of_an_environment_is_not_listed() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.write("root/default/notes/todo.txt", "mine");
    assert_eq!(t.execenv(["list"]).ok().stdout.lines().count(), 2);
}

#[test]
fn the_workspace_is_shown_where_there_is_more_than_one() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    assert!(t.execenv(["list"]).ok().stdout.starts_with("KEY "));
    t.prepare(["--task-id", TASK, "--workspace-id", "other"]);
    let text = t.execenv(["list"]).ok().stdout;
    let firsts: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(firsts, ["WORKSPACE", "default", "other"]);
    t.execenv(["show", KEY]).fails(2, &["more than one", "hint: name it by its path"]);
    t.execenv(["show", TASK]).fails(2, &["more than one", "hint: name it by its path"]);
}
