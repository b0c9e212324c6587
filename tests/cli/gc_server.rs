//! `gc` against a real server on loopback: what each answer leads to, on environments as multica's daemon leaves them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::server::{Reply, Server, Table};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// An id that ends so, and with it the key of its environment.
fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// The id in the records; the folders are called otherwise, as multica's are.
const WORKSPACE: &str = "00000000-0000-4000-8000-00000000c0de";

/// The id of the workspace with this folder; for most tests it does not matter which.
fn workspace_id(folder: &str) -> String {
    match folder.strip_prefix('w').and_then(|number| number.parse::<u32>().ok()) {
        Some(number) => format!("00000000-0000-4000-8000-{number:012}"),
        None => WORKSPACE.to_owned(),
    }
}

/// 2026-06-01T12:00:00Z, the tests' clock, less so many hours.
fn hours_ago(hours: u64) -> (SystemTime, String) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_315_200 - hours * 3_600);
    (at, chrono::DateTime::<chrono::Utc>::from(at).to_rfc3339())
}

/// What upstream leaves behind: the record with these keys, output and logs, a folder that was touched so long ago.
fn upstream(t: &TestEnv, workspace: &str, name: &str, record: Option<Value>, touched: u64) -> PathBuf {
    let env = t.root.join(workspace).join(name);
    for folder in ["output", "logs", "workdir/src"] {
        fs::create_dir_all(env.join(folder)).unwrap();
    }
    fs::write(env.join("workdir/src/main.rs"), "fn main() {}").unwrap();
    if let Some(mut record) = record {
        record["workspace_id"] = workspace_id(workspace).into();
        fs::write(env.join(".gc_meta.json"), record.to_string()).unwrap();
    }
    fs::File::open(&env).unwrap().set_modified(hours_ago(touched).0).unwrap();
    env
}

fn mark(t: &TestEnv) {
    t.write("root/.multica/daemon_task_context.json", r#"{"managed_by":"multica-daemon-task"}"#);
}

const AGES: [&str; 6] = ["--ttl", "5d", "--orphan-ttl", "30d", "--artifact-ttl", "12h"];

fn gc(t: &TestEnv, server: &Server, more: &[&str]) -> Value {
    let url = server.url();
    let arguments = ["gc", "-o", "json", "--server", &url, "--trash-ttl", "0"];
    t.execenv(arguments.iter().chain(&AGES).chain(more)).json()
}

/// `action reason outcome` by the env root's name.
fn by_name(done: &Value) -> BTreeMap<String, String> {
    let rows = done["decisions"].as_array().unwrap().iter();
    rows.map(|row| {
        let name = Path::new(row["root_dir"].as_str().unwrap()).file_name().unwrap();
        let word = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        (
            name.to_str().unwrap().to_owned(),
            format!("{} {} {}", word("action"), word("reason"), word("outcome")),
        )
    })
    .collect()
}

const ZERO: &str = "0001-01-01T00:00:00Z";

#[test]
fn every_kind_and_answer_on_one_root() {
    let t = TestEnv::new();
    mark(&t);
    let mut table = Table::default();
    let mut expected = BTreeMap::new();
    let mut number = 0;
    let kinds = [
        ("issue", "issue_id"),
        ("chat", "chat_session_id"),
        ("autopilot_run", "autopilot_run_id"),
        ("quick_create", "task_id"),
    ];
    let key_of = |kind: &str| kinds.iter().find(|row| row.0 == kind).unwrap().1;
    // kind, status (empty: not found), hours since it changed, hours since the run ended, hours since the folder changed
    for (name, kind, status, changed, completed, touched, becomes) in [
        ("issue-done", "issue", "done", 240, None, 0, "clean parent_done removed"),
        ("issue-cancelled", "issue", "cancelled", 144, None, 0, "clean parent_done removed"),
        ("issue-open", "issue", "in_progress", 720, Some(0), 0, "skip parent_open -"),
        ("issue-done-young", "issue", "done", 24, Some(0), 0, "skip too_young -"),
        ("issue-gone", "issue", "", 0, None, 0, "skip too_young -"),
        ("issue-gone-old", "issue", "", 0, None, 721, "orphan parent_gone removed"),
        ("issue-built", "issue", "in_progress", 0, Some(24), 0, "clean_artifacts rebuildable -"),
        ("issue-built-now", "issue", "in_progress", 0, Some(1), 0, "skip parent_open -"),
        ("chat-active", "chat", "active", 240, None, 4_800, "skip parent_open -"),
        ("chat-archived", "chat", "archived", 240, None, 0, "clean parent_done removed"),
        ("chat-archived-young", "chat", "archived", 1, None, 0, "skip too_young -"),
        ("chat-gone", "chat", "", 0, None, 0, "clean parent_gone removed"),
        ("run-completed", "autopilot_run", "completed", 1, None, 0, "clean parent_done removed"),
        ("run-failed", "autopilot_run", "failed", 1, None, 0, "clean parent_done removed"),
        ("run-issue", "autopilot_run", "issue_created", 1, None, 0, "clean parent_done removed"),
        ("run-running", "autopilot_run", "running", 900, None, 900, "skip parent_open -"),
        ("run-gone-old", "autopilot_run", "", 0, None, 721, "orphan parent_gone removed"),
        ("quick-completed", "quick_create", "completed", 1, None, 0, "clean parent_done removed"),
        ("quick-cancelled", "quick_create", "cancelled", 1, None, 0, "clean parent_done removed"),
        ("quick-running", "quick_create", "running", 900, None, 900, "skip parent_open -"),
        ("quick-gone", "quick_create", "", 0, None, 0, "skip too_young -"),
    ] {
        number += 1;
        if !status.is_empty() {
            table = table.with(&id(number), status, &hours_ago(changed).1);
        }
        let completed = completed.map_or(ZERO.to_owned(), |hours| hours_ago(hours).1);
        let record = json!({"kind": kind, key_of(kind): id(number), "completed_at": completed});
        let env = upstream(&t, "w", name, Some(record), touched);
        for folder in ["workdir/node_modules/left-pad", "workdir/dist"] {
            fs::create_dir_all(env.join(folder)).unwrap();
        }
        if name == "issue-built" {
            fs::create_dir_all(env.join("workdir/.git/objects")).unwrap();
        }
        fs::write(env.join("workdir/node_modules/left-pad/index.js"), "x").unwrap();
        expected.insert(name.to_owned(), becomes.to_owned());
    }
    table = table.with(&id(901), "skipped", ZERO);
    for (name, record, touched, becomes) in [
        (
            "run-skipped",
            Some(json!({"kind": "autopilot_run", "autopilot_run_id": id(901)})),
            0,
            "clean parent_done removed",
        ),
        (
            "legacy-done",
            Some(json!({"issue_id": id(1), "completed_at": ZERO})),
            0,
            "clean parent_done removed",
        ),
        ("legacy-empty", Some(json!({"completed_at": ZERO})), 0, "skip too_young -"),
        ("legacy-empty-old", Some(json!({"completed_at": ZERO})), 9_600, "orphan no_parent removed"),
        (
            "issue-empty-old",
            Some(json!({"kind": "issue", "issue_id": " "})),
            9_600,
            "orphan no_parent removed",
        ),
        ("chat-empty", Some(json!({"kind": "chat"})), 0, "skip too_young -"),
        ("chat-empty-old", Some(json!({"kind": "chat"})), 9_600, "orphan no_parent removed"),
        ("not-a-uuid", Some(json!({"kind": "issue", "issue_id": "I-12"})), 9_600, "skip parent_unknown -"),
        ("of-tomorrow", Some(json!({"kind": "swarm", "swarm_id": "S"})), 0, "skip too_young -"),
        ("of-tomorrow-old", Some(json!({"kind": "swarm"})), 721, "orphan unknown_kind removed"),
        ("no-record", None, 0, "skip too_young -"),
        ("no-record-old", None, 721, "orphan no_meta removed"),
        (
            "users-folder",
            Some(json!({"kind": "issue", "issue_id": id(1), "local_directory": true, "completed_at": ZERO})),
            9_600,
            "skip local_directory -",
        ),
    ] {
        upstream(&t, "w", name, record, touched);
        expected.insert(name.to_owned(), becomes.to_owned());
    }
    let server = Server::start(move |request| table.answer(request));
    let before = snapshot(&t.root);
    // Quiet: one of them is warned about.
    let plan = gc(&t, &server, &["-q", "--dry-run"]);
    assert_same(&before, &snapshot(&t.root), "the dry run");
    let done = gc(&t, &server, &["-q"]);
    assert_eq!(by_name(&done), expected);
    let planned: BTreeMap<_, _> =
        expected.iter().map(|(name, row)| (name.clone(), row.replace("removed", "-"))).collect();
    assert_eq!(by_name(&plan), planned);
    for key in
        ["scanned", "cleaned", "orphaned", "skipped", "artifact_dirs", "artifact_removed", "by_pattern"]
    {
        assert_eq!(plan[key], done[key], "{key}");
    }
    assert_eq!(done["by_pattern"], json!({"node_modules": {"count": 1, "bytes": 1}}));
    for (name, row) in &expected {
        assert_eq!(t.root.join("w").join(name).exists(), !row.ends_with("removed"), "{name}");
    }
    assert!(!t.root.join("w/issue-built/workdir/node_modules").exists());
    for kept in ["workdir/src/main.rs", "workdir/.git/objects", "workdir/dist", ".gc_meta.json"] {
        assert!(t.root.join("w/issue-built").join(kept).exists(), "{kept}");
    }
    // One request per parent and cycle; issues in batches; no request without an id.
    let lines = server.lines();
    let batch = format!("/workspaces/{WORKSPACE}/issues/gc-check");
    assert_eq!(lines.iter().filter(|line| line.contains(&batch)).count(), 2);
    assert_eq!(lines.len() as u64, done["requests"].as_u64().unwrap() * 2, "{lines:#?}");
    let evidence =
        &done["decisions"].as_array().unwrap().iter().find(|row| row["kind"] == "chat").unwrap()["evidence"];
    assert_eq!(evidence["parent"]["answer"], "found", "{evidence}");
}

#[test]
fn a_doubtful_answer_deletes_nothing() {
    for (name, reply) in [
        ("500", Reply::error(500, "failed to check issues")),
        ("401", Reply::error(401, "invalid token")),
        ("403", Reply::error(403, "no")),
        ("429", Reply::error(429, "slow down")),
        ("html", Reply::text(200, "<html>sign in</html>")),
        ("empty", Reply::text(200, "")),
        ("wrong types", Reply::json(200, &json!({"issues": "none", "status": 1, "updated_at": "soon"}))),
        ("cut", Reply::json(200, &json!({"status": "done"})).cut_at(3)),
        ("endless", Reply::endless(200)),
        ("slow", Reply::never()),
        ("closed", Reply::close()),
        ("no http", Reply::raw("SSH-2.0-server\r\n")),
        ("no route", Reply::no_route()),
        ("round and round", Reply::redirect(302, "/again")),
        ("404 as a page", Reply::text(404, "<html>not here</html>")),
        ("404 of access", Reply::error(404, "not found")),
    ] {
        let t = TestEnv::new();
        mark(&t);
        for (number, kind, key) in [
            (1, "issue", "issue_id"),
            (2, "chat", "chat_session_id"),
            (3, "autopilot_run", "autopilot_run_id"),
        ] {
            upstream(&t, "w", kind, Some(json!({"kind": kind, key: id(number)})), 0);
        }
        let before = snapshot(&t.root.join("w"));
        let server = Server::start(move |_| reply.clone());
        let url = server.url();
        let arguments = ["gc", "-o", "json", "--trash-ttl", "0", "--server", &url];
        let run = t.execenv(arguments).var("EXECENV_SERVER_TIMEOUT", "1s").run().sane(&[0, 1]);
        let done: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_same(&before, &snapshot(&t.root.join("w")), name);
        assert_eq!(done["skipped"], 3, "{name}: {done}");
        // A 404 may mean that the parent is gone; any other error is no answer, and is reported even with `-q`.
        let told = "because the server's answer about the parent is missing or unclear: ";
        let unknown = done["parents_unknown"].as_u64().unwrap();
        let quiet = t.execenv(["gc", "-q", "--server", &url]).var("EXECENV_SERVER_TIMEOUT", "1s").run();
        quiet.sane(&[i32::from(run.status == Some(1))]);
        assert_eq!(unknown > 0, run.stderr.contains(told), "{name}: {run}");
        assert_eq!(unknown == 3, run.status == Some(1), "{name}: {run}");
        if !name.starts_with("404") && name != "no route" {
            assert_eq!(unknown, 3, "{name}: {run}");
        }
        assert!(done["requests"].as_u64().unwrap() <= 13, "{name}: {done}");
    }
}

#[test]
fn a_server_that_is_not_there_deletes_nothing_and_is_told_of() {
    let t = TestEnv::new();
    mark(&t);
    upstream(&t, "w", "k", Some(json!({"kind": "chat", "chat_session_id": id(1)})), 9_600);
    let run = t.execenv(["gc", "--server", "http://127.0.0.1:1", "-o", "json"]).run().status(1);
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(by_name(&done)["k"], "skip parent_unknown -");
    assert!(run.stderr.starts_with("error: 1 environment kept, because the server's answer"), "{run}");
    let run = t.execenv(["gc", "-q", "--server", "http://127.0.0.1:1"]).run().status(1);
    assert_eq!((run.stdout.as_str(), run.stderr.lines().count()), ("", 1), "{run}");
}

#[test]
fn ids_that_nobody_can_be_asked_about_are_told_of_once_and_are_no_fault_of_the_server() {
    let t = TestEnv::new();
    mark(&t);
    for name in ["a", "b"] {
        upstream(&t, "w", name, Some(json!({"kind": "issue", "issue_id": "I-12"})), 9_600);
    }
    let server = Server::start(|_| Reply::error(500, "no"));
    let run = t.execenv(["gc", "-o", "json", "--server", &server.url()]).run().status(0);
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&done["parents_no_uuid"], &done["parents_unknown"]), (&json!(2), &json!(0)));
    assert!(
        run.stderr
            .starts_with("warning: 2 environments kept, because an id in the record (the parent's or the workspace's) is not a UUID"),
        "{run}"
    );
    assert_eq!(t.execenv(["gc", "-q", "--server", &server.url()]).ok().stdout, "");
}

#[test]
fn one_answer_among_many_failures_is_no_failure_of_the_cycle() {
    let t = TestEnv::new();
    mark(&t);
    upstream(&t, "w", "a", Some(json!({"kind": "chat", "chat_session_id": id(1)})), 0);
    upstream(&t, "w", "b", Some(json!({"kind": "chat", "chat_session_id": id(2)})), 0);
    let table = Table::default().with(&id(1), "active", &hours_ago(1).1);
    let server = Server::start(move |request| match request.path.contains(&id(2)) {
        true => Reply::error(500, "no"),
        false => table.answer(request),
    });
    let run = t.execenv(["gc", "-o", "json", "--server", &server.url()]).run().status(0);
    assert!(
        run.stderr.contains(
            "1 environment kept, because the server's answer about the parent is missing or unclear"
        ),
        "{run}"
    );
}

#[test]
fn live_and_leased_ones_are_not_even_asked_about() {
    let t = TestEnv::new();
    let leased = t.prepare(["--task-id", TASK, "--issue-id", &id(1)]);
    mark(&t);
    let held = upstream(&t, "w", "held", Some(json!({"kind": "chat", "chat_session_id": id(2)})), 0);
    let lock = fs::File::create(held.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let server = Server::start(|_| Reply::error(404, "chat session not found"));
    let done = gc(&t, &server, &[]);
    let rows = by_name(&done);
    assert_eq!((rows[KEY].as_str(), rows["held"].as_str()), ("skip leased -", "skip in_use -"));
    assert_eq!(server.lines(), Vec::<String>::new());
    assert!(leased.is_dir() && held.is_dir());
}

#[test]
fn explain_asks_about_one_and_shows_the_answer() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--issue-id", &id(1), "--workspace-id", WORKSPACE, "--lease", "0"]);
    let table = Table::default().with(&id(1), "in_review", &hours_ago(2).1);
    let server = Server::start(move |request| table.answer(request));
    let run = t.execenv(["gc", "--explain", KEY, "--server", &server.url()]).ok();
    assert!(run.stdout.starts_with("skip: parent_open\n"), "{run}");
    assert!(run.stdout.contains("in_review, 2026-06-01T10:00:00+00:00 (2h ago)"), "{run}");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn the_token_is_sent_and_nowhere_shown() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--issue-id", &id(1), "--workspace-id", WORKSPACE, "--lease", "0"]);
    let server = Server::start(|_| Reply::error(401, "invalid token mul_secret"));
    t.write("token", "mul_secret\n");
    let run = t.execenv(["gc", "-vv", "--server", &server.url(), "--token-file", "token"]).run().status(1);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer mul_secret"));
    assert!(!run.stdout.contains("mul_secret") && !run.stderr.contains("mul_secret"), "{run}");
    let missing = t.execenv(["gc", "--server", &server.url(), "--token-file", "nowhere"]);
    missing.fails(2, &["cannot read", "nowhere"]);
}

#[test]
fn many_workspaces_are_asked_about_in_one_round_each() {
    let t = TestEnv::new();
    mark(&t);
    let mut table = Table::default();
    for number in 0..60 {
        table = table.with(&id(number), "done", &hours_ago(240).1);
        let record = json!({"kind": "issue", "issue_id": id(number / 2 * 2)});
        upstream(&t, &format!("w{}", number % 3), &format!("k{number}"), Some(record), 0);
    }
    let server = Server::start(move |request| table.answer(request));
    let done = gc(&t, &server, &["--jobs", "2"]);
    assert_eq!((&done["cleaned"], &done["requests"]), (&json!(60), &json!(3)), "{done}");
    assert!(server.most_open() <= 2);
    assert!(!t.root.join("w0").exists(), "an emptied workspace goes too");
}

#[test]
fn streaming_prints_one_object_a_line() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--lease", "0"]);
    let run = t.execenv(["gc", "--stream"]).var("EXECENV_TEST_NOW", "2026-06-30T12:00:00Z").ok();
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["type"], &lines[0]["outcome"]), (&json!("decision"), &json!("trashed")));
    assert_eq!((&lines[1]["type"], &lines[1]["orphaned"]), (&json!("summary"), &json!(1)));
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_switch_and_senseless_variables() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--lease", "0"]);
    for value in ["false", "0"] {
        let run = t.execenv(["gc", "--orphan-ttl", "0"]).var("MULTICA_GC_ENABLED", value).run().sane(&[0]);
        assert!(run.stdout.is_empty() && run.stderr.contains("switched off"), "{run}");
    }
    for (name, value) in [
        ("MULTICA_GC_TTL", "5days"),
        ("MULTICA_GC_ARTIFACT_TTL", "abc5d"),
        ("MULTICA_GC_ARTIFACT_PATTERNS", "workdir"),
        ("EXECENV_GC_MAX_TOTAL", "much"),
        ("EXECENV_SERVER", "ftp://x"),
    ] {
        t.execenv(["gc"]).var(name, value).fails(2, &[value]);
    }
    t.execenv(["gc"]).var("MULTICA_GC_TTL", "1d12h").var("MULTICA_GC_ORPHAN_TTL", "0.5d").ok();
}

#[test]
fn only_a_uuid_goes_into_a_requests_path() {
    let t = TestEnv::new();
    mark(&t);
    for (number, workspace) in
        ["", "w", "..", "a/b", "00000000-0000-4000-8000-00000000c0de/../x"].iter().enumerate()
    {
        let env = upstream(&t, "readable-00000000c0de", &format!("env-{number}"), None, 9_600);
        let record = json!({"kind": "issue", "issue_id": id(1), "workspace_id": workspace});
        fs::write(env.join(".gc_meta.json"), record.to_string()).unwrap();
    }
    let server = Server::start(|_| Reply::text(404, ""));
    let done = gc(&t, &server, &["-q"]);
    assert!(by_name(&done).values().all(|row| row == "skip parent_unknown -"), "{done}");
    assert!(server.requests().is_empty());
    // Other kinds are asked about without a workspace.
    upstream(
        &t,
        "other",
        "chat",
        Some(json!({"kind": "chat", "chat_session_id": id(2), "workspace_id": "w"})),
        0,
    );
    gc(&t, &server, &["-q"]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_workspace_is_named_by_its_id() {
    let t = TestEnv::new();
    mark(&t);
    let done = |id_of_issue: u32| json!({"kind": "issue", "issue_id": id(id_of_issue)});
    upstream(&t, "readable-00000000c0de", "one", Some(done(1)), 0);
    let other = upstream(&t, "other", "two", None, 0);
    fs::write(other.join(".gc_meta.json"), json!({"issue_id": id(1), "workspace_id": id(7)}).to_string())
        .unwrap();
    let table = Table::default().with(&id(1), "done", &hours_ago(900).1);
    let server = Server::start(move |request| table.answer(request));
    let done = gc(&t, &server, &["--workspace", WORKSPACE]);
    assert_eq!(by_name(&done).into_keys().collect::<Vec<_>>(), ["one"]);
    assert!(other.exists());
}
