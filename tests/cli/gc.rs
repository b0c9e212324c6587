use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

const LATER: &str = "2026-06-30T12:00:00Z";

fn gc(t: &TestEnv, now: &str, arguments: &[&str]) -> Value {
    t.execenv(["gc", "-o", "json"].iter().chain(arguments)).var("EXECENV_TEST_NOW", now).json()
}

fn edit_meta(env: &std::path::Path, edit: impl FnOnce(&mut Value)) {
    let path = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut meta);
    fs::write(path, meta.to_string()).unwrap();
}

#[test]
fn a_lease_keeps_an_environment_however_old_and_then_its_age_decides() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--lease", "90d"]);
    assert_eq!(gc(&t, LATER, &[])["decisions"][0]["reason"], "leased");
    t.execenv(["reuse", KEY, "--lease", "1h"]).ok();
    assert_eq!(
        gc(&t, "2026-06-01T12:30:00Z", &["--ttl", "0", "--orphan-ttl", "0"])["decisions"][0]["reason"],
        "leased"
    );
    assert_eq!(gc(&t, "2026-06-01T14:00:00Z", &[])["decisions"][0]["reason"], "too_young");
    let done = gc(&t, LATER, &[]);
    assert_eq!((&done["orphaned"], &done["trash"]["entries"]), (&json!(1), &json!(1)));
    assert_eq!(done["decisions"][0]["outcome"], "trashed");
    assert!(!env.exists());
    // A day later the trash is swept; a young entry stays.
    let bytes = done["bytes_reclaimed"].as_u64().filter(|bytes| *bytes > 0);
    assert_eq!(
        gc(&t, "2026-07-01T11:00:00Z", &[])["trash"],
        json!({"entries": 1, "swept": 0, "bytes": bytes})
    );
    assert_eq!(gc(&t, "2026-07-02T12:00:01Z", &[])["trash"], json!({"entries": 0, "swept": 1, "bytes": 0}));
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.prepare([]);
    let before = snapshot(&t.root);
    let plan = gc(&t, LATER, &["--dry-run"]);
    assert_same(&before, &snapshot(&t.root), "the dry run");
    let done = gc(&t, LATER, &[]);
    assert_eq!(plan["dry_run"], true);
    for key in ["scanned", "cleaned", "orphaned", "skipped", "bytes_reclaimed"] {
        assert_eq!(plan[key], done[key], "{key}");
    }
}

#[test]
fn the_record_of_a_users_folder_is_never_taken() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "-q", "--issue-id", "I", "--local-dir", "project"]);
    edit_meta(&env, |meta| meta["completed_at"] = "2020-01-01T00:00:00Z".into());
    let done =
        gc(&t, LATER, &["--ttl", "0", "--orphan-ttl", "0", "--completed-ttl", "1s", "--trash-ttl", "0"]);
    assert_eq!(done["decisions"][0]["reason"], "local_directory", "{done}");
    edit_meta(&env, |meta| meta["local_directory"] = false.into());
    assert_eq!(gc(&t, LATER, &["--completed-ttl", "1s"])["decisions"][0]["reason"], "completed");
}

#[test]
fn a_held_one_is_active_and_left() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let lock = fs::File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let done = gc(&t, LATER, &["--trash-ttl", "0"]);
    assert_eq!((&done["active"], &done["decisions"][0]["reason"]), (&json!(1), &json!("in_use")));
    assert!(env.join("workdir").is_dir());
}

#[test]
fn folders_without_or_with_a_senseless_record_go_by_their_own_age() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let stray = t.root.join("default/stray");
    fs::create_dir_all(stray.join("output")).unwrap();
    let strange = t.write("root/default/strange/notes", "not an environment").parent().unwrap().to_owned();
    let bad = t.root.join("default/bad");
    t.write(bad.join(".gc_meta.json"), "{");
    t.write(t.root.join("default/file"), "not a folder");
    t.link("root/default/link", &t.home);
    for folder in [&stray, &bad, &strange] {
        let file = fs::File::open(folder).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(365 * 86_400)).unwrap();
    }
    let done = t.execenv(["gc", "-o", "json"]).without("EXECENV_TEST_NOW").json();
    let reason = |name: &str| {
        let rows = done["decisions"].as_array().unwrap();
        rows.iter()
            .find(|row| row["root_dir"].as_str().unwrap().ends_with(name))
            .map(|row| row["reason"].clone())
    };
    assert_eq!(reason("/stray"), Some(json!("no_meta")));
    assert_eq!(reason("/bad"), Some(json!("unreadable_meta")));
    assert_eq!((reason("/file"), reason("/link"), reason("/strange")), (None, None, None));
    assert!(!stray.exists() && !bad.exists() && strange.is_dir() && t.home.is_dir());
    assert!(t.root.join("default/link").symlink_metadata().is_ok());
}

#[test]
fn explain_says_what_gc_would_do_and_changes_nothing() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let before = snapshot(&t.root);
    let text = t.execenv(["gc", "--explain", KEY]).ok().stdout;
    assert!(text.starts_with("skip: leased\n"), "{text}");
    let json = t.execenv(["gc", "--explain", KEY, "-o", "json"]).var("EXECENV_TEST_NOW", LATER).json();
    assert_eq!(
        (&json["action"], &json["reason"], &json["root_dir"]),
        (&json!("orphan"), &json!("unused"), &json!(env))
    );
    assert_same(&before, &snapshot(&t.root), "explaining");
}

#[test]
fn other_workspaces_are_left_and_a_missing_root_is_an_empty_cycle() {
    let t = TestEnv::new();
    let run = t.execenv(["gc", "-o", "json"]).run().status(0);
    assert_eq!(run.stderr, "warning: the workspaces root [ROOT] does not exist\n");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap()["scanned"], 0);
    assert_eq!(t.execenv(["gc", "-q"]).ok().stdout, "");
    assert!(!t.root.exists());
    t.prepare(["--workspace-id", "a"]);
    t.prepare(["--workspace-id", "b"]);
    let done = gc(&t, LATER, &["--workspace", "a"]);
    assert_eq!((&done["scanned"], &done["orphaned"]), (&json!(1), &json!(1)));
    assert!(!t.root.join("a").exists() && t.root.join("b").is_dir());
    let run = t.execenv(["gc", "--workspace", "nope"]).run().status(0);
    assert_eq!(run.stderr, "warning: there is no workspace `nope` in [ROOT]\n");
    fs::remove_file(t.root.join(".execenv-root")).unwrap();
    t.execenv(["gc"]).fails(2, &["is not a workspaces root", "touch ", "/.execenv-root"]);
}

#[test]
fn a_clock_that_was_set_back_only_delays() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--lease", "1s"]);
    assert_eq!(gc(&t, "2020-01-01T00:00:00Z", &["--orphan-ttl", "0", "--ttl", "0"])["skipped"], 1);
}

#[test]
fn a_project_with_our_sidecars_is_no_workspaces_root() {
    for document in [r#"{"agent_id":"A","issue_id":"I"}"#, "{}"] {
        let t = TestEnv::new();
        t.write("project/src/old/main.rs", "mine");
        t.write("t.json", document);
        t.execenv(["prepare", "--task", "t.json", "--platform-cli", "multica", "--local-dir", "project"])
            .ok();
        assert!(t.project.join(".multica/daemon_task_context.json").is_file());
        let before = t.project_now();
        let arguments = ["gc", "--workspaces-root", "project", "--orphan-ttl", "0"];
        t.execenv(arguments).var("EXECENV_TEST_NOW", "2036-01-01T00:00:00Z").run().sane(&[1, 2, 3, 4, 5]);
        assert_same(&before, &t.project_now(), "gc over a project");
    }
}

/// Puts a `git` into the path that first runs `script`.
fn git_that(t: &TestEnv, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let real = t.sh("command -v git").ok().stdout;
    let fake = t.write("bin/git", format!("#!/bin/sh\n{script}\nexec {} \"$@\"\n", real.trim()));
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(t.tmp.join("bin")).chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn nobody_moves_in_while_git_is_asked_even_where_there_was_no_lock_file() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
    fs::remove_file(env.join(".task_lock")).unwrap();
    let init = t.command("git").args(["init", "-q"]).arg(env.join("workdir")).status().unwrap();
    assert!(init.success());
    let reuse = format!(
        "{} reuse {KEY} >/dev/null 2>&1; echo $? >>{}",
        env!("CARGO_BIN_EXE_execenv"),
        t.tmp.join("statuses").display()
    );
    let path = git_that(&t, &reuse);
    t.execenv(["gc"]).var("PATH", path).var("EXECENV_TEST_NOW", LATER).run().status(0);
    let statuses = fs::read_to_string(t.tmp.join("statuses")).unwrap();
    assert!(!statuses.is_empty() && statuses.lines().all(|status| status == "4"), "{statuses}");
    assert!(!env.exists());
}

#[test]
fn the_summary_has_every_key_of_the_contract() {
    let t = TestEnv::new();
    t.prepare([]);
    let done = gc(&t, LATER, &[]);
    assert_eq!((&done["artifact_dirs"], &done["artifact_removed"]), (&json!(0), &json!(0)));
    assert_eq!((&done["repos"]["pruned"], &done["repos"]["branches_deleted"]), (&json!(0), &json!(0)));
    assert_eq!(done["by_pattern"], json!({}));
}

#[test]
fn quiet_prints_no_result() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    assert_eq!(t.execenv(["gc", "-q"]).ok().stdout, "");
    for arguments in [&["gc", "-q", "--dry-run"][..], &["gc", "-q"]] {
        assert_eq!(t.execenv(arguments).var("EXECENV_TEST_NOW", LATER).ok().stdout, "");
    }
    assert_eq!(t.execenv(["trash", "empty", "-q"]).ok().stdout, "");
    assert_eq!(t.execenv(["gc", "-q", "-o", "json"]).json()["scanned"], 0);
}

#[test]
fn the_same_warning_is_printed_once() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let init = t.command("git").args(["init", "-q"]).arg(env.join("workdir")).status().unwrap();
    assert!(init.success());
    t.write(env.join("workdir/work"), "nowhere else");
    t.execenv(["cleanup", "--all", "--trash", KEY]).ok();
    // Its time is over, and two bounds ask for it as well.
    let words = ["gc", "--max-total", "1", "--free", "1", "--as-far-as-possible"];
    let done = t.execenv(words).var("EXECENV_TEST_NOW", LATER).run().status(1);
    assert_eq!(done.stderr.matches("1 uncommitted change").count(), 1, "{done}");
}

#[test]
fn names_that_are_too_long_or_no_text_go_to_the_trash_too() {
    use std::os::unix::ffi::OsStrExt;
    let t = TestEnv::new();
    t.prepare(["--workspace-id", "other"]); // makes the root
    fs::create_dir(t.root.join("default")).unwrap();
    let odd = [vec![b'x'; 255], b"no\xfftext".to_vec()];
    for name in &odd {
        let folder = t.root.join("default").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(folder.join("output")).unwrap();
        let old = SystemTime::now() - Duration::from_secs(365 * 86_400);
        fs::File::open(&folder).unwrap().set_modified(old).unwrap();
    }
    let done = t.execenv(["gc", "-o", "json", "--workspace", "default"]).without("EXECENV_TEST_NOW").json();
    let outcomes: Vec<_> = done["decisions"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "trashed").count(), 2, "{done}");
    let listed = t.execenv(["trash", "list", "-o", "json"]).json();
    let entry = listed["entries"][0]["entry"].as_str().unwrap();
    t.execenv(["trash", "restore", entry]).fails(2, &["did not fit into its name"]);
    assert_eq!(t.execenv(["trash", "empty", "-o", "json"]).json()["deleted"], 2);
}

#[test]
fn a_recorded_use_counts() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
    assert_eq!(gc(&t, LATER, &["--dry-run"])["decisions"][0]["reason"], "unused");
    edit_meta(&env, |meta| meta["execenv"]["used_at"] = "2026-06-30T00:00:00Z".into());
    assert_eq!(gc(&t, LATER, &["--dry-run"])["decisions"][0]["reason"], "too_young");
}

#[test]
fn a_store_of_an_agent_that_nobody_uses_goes_after_its_time() {
    let t = TestEnv::new();
    t.write("home/.codex/config.toml", "model = \"o3\"\n");
    let codex =
        ["prepare", "--provider", "codex", "-q", "--issue-id", "I", "--local-dir", "project", "--lease", "0"];
    t.execenv(codex).run().status(0);
    let store = t.root.join(".stores/codex-sessions/_/I");
    let rollout = t.write(store.join("2026/05/01/rollout-x-1.jsonl"), "{}");
    let age = |days: u64| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_315_200 - days * 86_400);
        for path in rollout.ancestors().take_while(|path| path.starts_with(&store)) {
            fs::File::open(path).unwrap().set_modified(at).unwrap();
        }
    };
    age(13);
    assert_eq!(gc(&t, "2026-06-01T12:00:00Z", &[])["stores"]["pruned"], 0);
    age(15);
    assert_eq!(gc(&t, "2026-06-01T12:00:00Z", &["--dry-run"])["stores"]["pruned"], 1);
    assert!(rollout.exists());
    let off = t.execenv(["gc", "-o", "json"]).var("MULTICA_GC_CODEX_SESSION_TTL", "0").json();
    assert_eq!(off["stores"]["pruned"], 0);
    assert_eq!(gc(&t, "2026-06-01T12:00:00Z", &[])["stores"]["pruned"], 1);
    assert!(!store.exists());
}

#[test]
fn what_a_dead_run_left_outside_goes_with_its_environment() {
    let t = TestEnv::new();
    for (number, arguments) in [&["gc"][..], &["cleanup", "--all", KEY]].into_iter().enumerate() {
        let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
        let id = uuid::Uuid::new_v4().to_string();
        let left = t.tmp.join(format!("execenv-{}", &id[..13]));
        edit_meta(&env, |meta| {
            meta["execenv"]["run"] = json!({"id": id, "seq": 1, "pid": 1, "temporary": left})
        });
        fs::create_dir(&left).unwrap();
        fs::write(left.join("scratch"), "").unwrap();
        fs::write(left.join(".execenv-run"), format!("{id} default/{KEY}\n")).unwrap();
        fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        t.execenv(arguments).var("EXECENV_TEST_NOW", LATER).ok();
        assert!(!left.exists(), "{number}: {}", left.display());
        t.execenv(["trash", "empty"]).ok();
    }
}

/// Another machine has recorded the death of the run, or the environment is gone.
#[test]
fn what_a_dead_run_left_that_nothing_names_is_removed_where_it_lies() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let id = uuid::Uuid::new_v4().to_string();
    let left = t.tmp.join(format!("scratch/execenv-{}", &id[..13]));
    for (arguments, goes) in [
        (&["doctor", "--fix"][..], true),
        (&["gc"], true),
        (&["run", KEY, "--", "true"], false), // its own folder is in the env root
        (&["gc", "--dry-run"], false),
    ] {
        t.write(left.join("x"), "x");
        t.write(left.join(".execenv-run"), format!("{id} w/k\nlocked\n"));
        fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        t.execenv(arguments).var("TMPDIR", left.parent().unwrap()).ok();
        assert_eq!(!left.exists(), goes, "{arguments:?}");
    }
}

#[test]
fn what_goes_wrong_with_an_environment_has_a_way_out_that_can_be_typed() {
    let way_out = "; fix the cause, then `execenv gc`";
    let mut told = 0;
    for change in 1.. {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
        let gc = t.execenv(["gc", "-o", "json"]).var("EXECENV_TEST_NOW", LATER);
        let done = gc.var("EXECENV_TEST_FAIL_AT", format!("{change}:EIO")).run();
        if done.status == Some(0) && !env.exists() && change > 3 {
            break;
        }
        for line in done.stderr.lines().filter(|line| line.contains(KEY)) {
            let says_what_to_do = line.contains("`execenv ") || line.starts_with("{\"error\"");
            assert!(says_what_to_do, "change {change}: {done}");
            let Ok(answer) = serde_json::from_str::<Value>(&done.stdout) else { continue };
            if let Some(error) = answer["decisions"][0]["error"].as_str() {
                let line = format!("error: [ROOT]/default/{KEY}: {error}{way_out}");
                assert!(done.stderr.contains(&t.masked(line.as_bytes())), "{line}\n{done}");
                assert_eq!(answer["decisions"][0]["hint"], way_out.trim_start_matches("; "), "{done}");
                told += 1;
            }
        }
    }
    assert!(told > 0, "no change of a removal failed");
}

#[test]
fn a_line_says_what_becomes_of_an_environment_and_a_dry_run_says_would() {
    let t = TestEnv::new();
    let lines = |arguments: &[&str]| {
        let run = t.execenv(["gc"].iter().chain(arguments)).var("EXECENV_TEST_NOW", LATER).run().status(0);
        let lines: Vec<String> =
            run.stdout.lines().map(|line| line.replace(t.root.to_str().unwrap(), "")).collect();
        (lines, run.stderr)
    };
    let kept = t.prepare(["--task-id", TASK, "--lease", "0"]);
    t.command("git").args(["init", "-q"]).arg(kept.join("workdir")).status().unwrap();
    fs::write(kept.join("workdir/new"), "mine").unwrap();
    t.prepare(["--workspace-id", "a", "--task-id", TASK, "--lease", "0"]);
    let (plan, warned) = lines(&["--dry-run"]);
    let way_out =
        format!("`execenv cleanup --all --trash [ROOT]/default/{KEY}` moves it to the trash with it");
    assert_eq!(
        warned,
        format!(
            "warning: kept [ROOT]/default/{KEY}/workdir: 1 uncommitted change (new); push or copy that work, or {way_out}\n"
        )
    );
    assert!(plan[0].starts_with("trash\tunused\t") && plan[0].ends_with(&format!("/a/{KEY}")), "{plan:?}");
    assert_eq!(
        plan[1],
        format!("keep\tretained_dirty\t\t/default/{KEY}\tworkdir: 1 uncommitted change (new)")
    );
    assert!(
        plan[2].starts_with("2 environments: would remove 1 (")
            && plan[2].ends_with("would keep 1, failed 0")
    );
    let (plan, _) = lines(&["--dry-run", "--trash-ttl", "0"]);
    assert!(plan[0].starts_with("remove\tunused\t"), "{plan:?}");
    let (done, _) = lines(&[]);
    assert!(done[0].starts_with("trash\tunused\t"), "{done:?}");
    assert!(done[2].contains("removed 1 (") && done[3].starts_with("trash: 1 entry ("), "{done:?}");
    let (plan, _) = lines(&["--dry-run", "--trash-ttl", "0"]);
    assert!(plan[2].ends_with("1 would be deleted for good"), "{plan:?}");
}

#[test]
fn what_can_be_built_again_is_told_apart_from_environments() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--issue-id", "I", "--lease", "0", "-q"]);
    edit_meta(&env, |meta| meta["completed_at"] = "2026-06-01T12:00:00Z".into());
    t.write(env.join("workdir/node_modules/a.js"), "12345");
    for (dry, verb) in [(&["gc", "--dry-run"][..], "would remove"), (&["gc"], "removed")] {
        let done = t.execenv(dry).var("EXECENV_TEST_NOW", "2026-06-02T12:00:00Z").ok().stdout;
        let expected =
            format!("build artifacts: {verb} 1 folder (5 B) in 1 kept environment: 1 node_modules (5 B)\n");
        assert!(done.contains(&expected), "{done}");
        assert!(done.contains(&format!("1 environment: {verb} 0 (0 B), ")), "{done}");
    }
}

#[test]
fn explain_says_when_what_is_too_young_would_go() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--lease", "0"]);
    let at = |now: &str| t.execenv(["gc", "--explain", KEY]).var("EXECENV_TEST_NOW", now).ok().stdout;
    let text = at("2026-06-01T14:30:00Z");
    assert!(
        text.contains("\n  removed       in 2d 21h, by --orphan-ttl 3d, if it is not used until then\n"),
        "{text}"
    );
    assert!(at(LATER).contains("\n  removed       by the next gc\n"));
    let json = t.execenv(["gc", "--explain", KEY, "-o", "json"]).json();
    assert_eq!(json["due"]["limit"], "orphan-ttl", "{json}");
}

#[test]
fn the_record_of_a_users_folder_goes_by_its_age_once_the_folder_is_clean() {
    let t = TestEnv::new();
    t.write("project/CLAUDE.md", "mine");
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    let sidecars = std::fs::read_to_string(env.join(".multica_sidecar_manifest.json")).unwrap();
    let reason = || gc(&t, LATER, &["--dry-run"])["decisions"][0]["reason"].clone();
    assert_eq!(reason(), "local_directory");
    t.execenv(["cleanup", KEY]).ok();
    t.execenv(["verify", KEY]).ok();
    assert_eq!(reason(), "ended");
    assert_eq!(gc(&t, crate::support::NOW, &["--dry-run"])["decisions"][0]["reason"], "too_young");
    // What the user changes afterwards is no reason to keep it; what execenv wrote is.
    t.write("project/CLAUDE.md", "mine, changed");
    assert_eq!(reason(), "ended");
    let context = t.project.join(".agent_context/issue_context.md");
    let recorded: serde_json::Value = serde_json::from_str(&sidecars).unwrap();
    let entries = recorded["execenv"]["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["path"] == ".agent_context/issue_context.md"));
    let other = TestEnv::new();
    let theirs = other.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    assert!(theirs.exists());
    std::fs::create_dir(context.parent().unwrap()).unwrap();
    std::fs::copy(other.project.join(".agent_context/issue_context.md"), &context).unwrap();
    assert_eq!(reason(), "local_directory");
    std::fs::remove_dir_all(context.parent().unwrap()).unwrap();
    // A folder that is not there proves nothing.
    std::fs::rename(&t.project, t.tmp.join("moved")).unwrap();
    assert_eq!(reason(), "local_directory");
    std::fs::rename(t.tmp.join("moved"), &t.project).unwrap();
    // Bounds may take it as well.
    let bound = |key: &str| {
        gc(&t, "2026-06-01T15:00:00Z", &["--dry-run", "--max-count", "0"])["decisions"][0][key].clone()
    };
    assert_eq!((bound("action"), bound("reason")), ("clean".into(), "over_max_count".into()));
    assert_eq!(gc(&t, LATER, &[])["cleaned"], 1);
    assert!(!env.exists());
}

#[test]
fn claudes_conversations_go_with_their_environment_and_with_no_other() {
    let t = TestEnv::new();
    let env = t.prepare(["-q", "--task-id", TASK, "--provider", "claude"]);
    let folder = |path: &std::path::Path| {
        let text = path.to_str().unwrap();
        let name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        t.home.join(".claude/projects").join(name)
    };
    let held_in = |work_dir: &std::path::Path| {
        let place = folder(work_dir).join("s.jsonl");
        t.write(place, format!("{}\n", serde_json::json!({"cwd": work_dir, "type": "user"})));
    };
    let (work_dir, own) = (env.canonicalize().unwrap().join("workdir"), t.tmp.join("project"));
    held_in(&work_dir);
    held_in(&own);
    // The files are of today.
    let now = (chrono::Utc::now() + chrono::Duration::hours(2)).to_rfc3339();
    let gc = |more: &[&str]| {
        let words = ["gc", "-q", "--server", "none"];
        t.execenv(words.iter().chain(more)).var("EXECENV_TEST_NOW", &now).run().sane(&[0]);
    };
    t.execenv(["cleanup", "-q", KEY]).ok();
    gc(&["--ttl", "36500d", "--orphan-ttl", "36500d"]);
    assert!(folder(&work_dir).exists(), "the environment is there, and so are its conversations");
    t.execenv(["cleanup", "-q", "--all", KEY]).ok();
    gc(&["--dry-run"]);
    assert!(folder(&work_dir).exists());
    gc(&[]);
    assert!(!folder(&work_dir).exists() && folder(&own).exists());
}
