//! Work dirs, state files and documents made to do harm: nothing outside is touched, nothing panics or hangs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{KEY, Snapshot, TASK, TestEnv, arg, assert_same, snapshot};
use serde_json::json;

const LATER: &str = "2026-06-30T12:00:00Z";

fn document() -> String {
    json!({"id": TASK, "workspace_id": "w", "provider": "claude", "issue_id": "I",
        "agent": {"id": "a", "skills": [{"name": "S", "content": "x", "files": [{"path": "r/f.md", "content": "y"}]}]}})
    .to_string()
}

/// A world with something precious outside of every folder that a command has to do with.
fn world() -> (TestEnv, PathBuf, Snapshot) {
    let t = TestEnv::new();
    t.write("t.json", document());
    let outside = t.tmp.join("outside");
    t.write(outside.join("precious"), "years of work\n");
    t.write(outside.join("sub/deep"), "more\n");
    fs::create_dir(outside.join("empty")).unwrap();
    fs::set_permissions(outside.join("sub/deep"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = snapshot(&outside);
    (t, outside, before)
}

fn env_of(t: &TestEnv) -> PathBuf {
    t.root.join("w").join(KEY)
}

fn special(kind: &str, path: &Path) {
    match kind {
        "fifo" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "socket" => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        "folder" => fs::create_dir(path).unwrap(),
        "dangling" => std::os::unix::fs::symlink("nowhere", path).unwrap(),
        // Reading it never ends.
        "endless" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        _ => unreachable!(),
    }
}

const SPECIAL: [&str; 5] = ["fifo", "socket", "folder", "dangling", "endless"];

#[test]
fn links_out_of_the_work_dir_are_refused_and_nothing_is_written_through_them() {
    for (place, target) in [
        (".claude", "../outside"),
        (".claude/skills", "../../outside"),
        (".agent_context", "../outside"),
        (".multica", "../outside"),
        ("CLAUDE.md", "../outside/precious"),
        ("CLAUDE.md", "../outside/new"),
        (".claude", "/"),
        (".agent_context", "nowhere"),
        ("CLAUDE.md", "nowhere"),
        ("CLAUDE.md", "CLAUDE.md"),
        (".claude", ".."),
    ] {
        let (t, outside, before) = world();
        t.link(&format!("project/{place}"), target);
        let mine = t.project_now();
        let done = t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).run().sane(&[5, 1]);
        assert!(done.status == Some(5) || target == place, "{place} -> {target}\n{done}");
        assert_same(&before, &snapshot(&outside), place);
        assert_same(&mine, &t.project_now(), place);
        assert_eq!(t.root_listing(), ["w"]);
        // The same in a work dir of our own, between two runs.
        fs::remove_dir_all(&t.root).unwrap();
        t.execenv(["prepare", "--task", "t.json"]).ok();
        let work = env_of(&t).join("workdir");
        let at = work.join(place);
        if at.is_dir() {
            fs::remove_dir_all(&at).unwrap()
        } else {
            fs::remove_file(&at).unwrap()
        }
        std::os::unix::fs::symlink(target.replace("../outside", outside.to_str().unwrap()), &at).unwrap();
        t.execenv(["reuse", KEY, "--task", "t.json"]).run().sane(&[1, 5]);
        assert_same(&before, &snapshot(&outside), place);
        t.execenv(["cleanup", "--all", KEY]).run().sane(&[0]);
        assert_same(&before, &snapshot(&outside), place);
    }
}

#[test]
fn links_swapped_in_before_cleanup_are_not_followed() {
    for place in [
        ".claude",
        ".claude/skills",
        ".claude/skills/s",
        ".agent_context",
        ".multica",
        "CLAUDE.md",
        ".claude/skills/s/r",
    ] {
        let (t, outside, _) = world();
        t.write("project/CLAUDE.md", "mine\n");
        t.write(outside.join("issue_context.md"), "theirs");
        t.write(outside.join("skills/s/SKILL.md"), "theirs");
        let before = snapshot(&outside);
        t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
        let at = t.project.join(place);
        fs::rename(&at, t.tmp.join("away")).unwrap();
        std::os::unix::fs::symlink(
            if place == "CLAUDE.md" { outside.join("precious") } else { outside.clone() },
            &at,
        )
        .unwrap();
        t.execenv(["cleanup", KEY]).run().sane(&[0, 1]);
        t.execenv(["cleanup", "--force", "--all", KEY]).run().sane(&[0, 1]);
        assert_same(&before, &snapshot(&outside), place);
    }
}

#[test]
fn things_that_are_no_files_in_a_files_place_neither_hang_nor_vanish() {
    for kind in SPECIAL {
        for place in
            ["CLAUDE.md", ".agent_context/issue_context.md", ".multica/daemon_task_context.json", ".claude"]
        {
            let (t, _, _) = world();
            fs::create_dir_all(t.project.join(place).parent().unwrap()).unwrap();
            special(kind, &t.project.join(place));
            let before = t.project_now();
            let done =
                t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).run().sane(&[0, 5]);
            if done.status == Some(0) {
                t.execenv(["cleanup", KEY]).run().sane(&[0]);
            }
            assert_same(&before, &t.project_now(), &format!("{kind} at {place}"));
        }
    }
}

#[test]
fn state_files_that_are_no_files_are_damage_not_a_hang() {
    for kind in SPECIAL {
        for name in [
            ".gc_meta.json",
            ".multica_sidecar_manifest.json",
            ".task_lock",
            ".task_owner",
            "output",
            "launch",
            "backup",
        ] {
            let (t, outside, before) = world();
            t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
            let at = env_of(&t).join(name);
            let _ = fs::remove_file(&at).or_else(|_| fs::remove_dir_all(&at));
            special(kind, &at);
            let during = t.project_now();
            for command in [
                &["show", KEY][..],
                &["list"],
                &["reuse", KEY],
                &["gc"],
                &["gc", "--explain", KEY],
                &["verify", KEY],
                &["cleanup", KEY],
                &["doctor", "--fix"],
                &["cleanup", "--all", "--force", KEY],
            ] {
                let done = t.execenv(command).var("EXECENV_TEST_NOW", LATER).run();
                let known = matches!(done.status, Some(0..=5)) && !done.stderr.contains("panicked");
                done.check(known, &format!("{kind} at {name}: a known status and no panic"));
            }
            assert_same(&before, &snapshot(&outside), name);
            for path in during.keys() {
                assert!(!path.ends_with("precious"));
            }
        }
    }
}

#[test]
fn damaged_state_is_never_a_panic_and_never_a_licence() {
    let (t, outside, before) = world();
    let own = t.write("project/own", "mine");
    for name in [".gc_meta.json", ".multica_sidecar_manifest.json"] {
        let (sample, _, _) = world();
        sample.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
        let good = fs::read(env_of(&sample).join(name)).unwrap();
        let mut variants: Vec<Vec<u8>> =
            vec![b"".to_vec(), b"null".to_vec(), b"[]".to_vec(), b"{}".to_vec(), b"\xff\xfe".to_vec()];
        variants.push([b"[".repeat(200_000), b"]".repeat(200_000)].concat());
        variants.push(format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes());
        variants.push(vec![b' '; 40 << 20]);
        variants.push(br#"{"execenv":7,"files":{},"kind":[]}"#.to_vec());
        variants.push(br#"{"workspace_id":"w","completed_at":"+262142-12-31T23:59:59Z","execenv":{"lease_until":"-262143-01-01T00:00:00Z"}}"#.to_vec());
        variants.extend((1..good.len()).step_by(331).map(|cut| good[..cut].to_vec()));
        variants.extend((0..good.len()).step_by(173).map(|at| {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        }));
        t.execenv(["prepare", "--task", "t.json"]).run().status(0);
        for (n, bytes) in variants.iter().enumerate() {
            t.write(env_of(&t).join(name), bytes);
            for command in [&["show", KEY][..], &["gc", "--dry-run"], &["reuse", KEY], &["cleanup", KEY]] {
                let done = t.execenv(command).var("EXECENV_TEST_NOW", LATER).run();
                let known = matches!(done.status, Some(0..=3)) && !done.stderr.contains("panicked");
                done.check(known, &format!("variant {n} of {name}: status 0 to 3"));
            }
            if !env_of(&t).join("workdir").exists() {
                t.write(env_of(&t).join(".gc_meta.json"), "{}");
                t.execenv(["cleanup", "--all", KEY]).run();
                t.execenv(["prepare", "--task", "t.json"]).run().status(0);
            }
        }
        let _ = fs::remove_dir_all(&t.root);
    }
    assert_same(&before, &snapshot(&outside), "outside");
    assert_eq!(fs::read(own).unwrap(), b"mine");
}

#[test]
fn a_manifest_that_points_outside_removes_nothing_there() {
    let (t, outside, before) = world();
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
    let env = env_of(&t);
    let path = env.join(".multica_sidecar_manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let up = t.project.join("../outside/precious");
    let precious = outside.join("precious");
    let entries =
        [precious.to_str().unwrap(), "../outside/precious", "a/../../outside/precious", "", ".", "/"];
    manifest["files"] = json!([
        outside.join("precious"),
        up,
        t.project.join("x/../../outside/sub/deep"),
        "outside/precious",
        "",
        t.project
    ]);
    manifest["dirs"] = json!([
        outside.join("empty"),
        t.project.join("../outside/empty"),
        "outside/empty",
        "/",
        t.project,
        t.tmp
    ]);
    for entry in entries {
        manifest["execenv"]["entries"].as_array_mut().unwrap().push(json!({"path": entry, "kind": "brief"}));
    }
    manifest["execenv"]["token"] = "x/../../outside/precious".into();
    for state in ["applied", "applying"] {
        manifest["execenv"]["state"] = state.into();
        t.write(&path, manifest.to_string());
        t.execenv(["doctor", "--fix"]).run();
        for command in
            [&["reuse", KEY, "--task", "t.json"][..], &["cleanup", KEY], &["cleanup", "--force", KEY]]
        {
            t.execenv(command).run().sane(&[0, 1, 2, 3, 5]);
            assert_same(&before, &snapshot(&outside), &format!("{command:?}"));
            assert!(t.project.is_dir());
        }
    }
}

#[test]
fn a_work_dir_that_became_a_link_to_a_users_folder_leaves_it_alone() {
    for command in [
        &["cleanup", KEY][..],
        &["cleanup", "--all", KEY],
        &["cleanup", "--trash", KEY],
        &["gc", "--trash-ttl", "0"],
        &["gc"],
        &["reuse", KEY],
        &["verify", KEY],
    ] {
        for place in ["workdir", "output", "logs", "launch", "backup"] {
            let (t, outside, before) = world();
            t.execenv(["prepare", "--task", "t.json"]).ok();
            let at = env_of(&t).join(place);
            let _ = fs::remove_dir_all(&at);
            std::os::unix::fs::symlink(&outside, &at).unwrap();
            let done = t.execenv(command).var("EXECENV_TEST_NOW", LATER).run();
            let known = matches!(done.status, Some(0..=5)) && !done.stderr.contains("panicked");
            done.check(known, "a known status");
            assert_same(&before, &snapshot(&outside), &format!("{command:?} with {place}"));
        }
    }
}

#[test]
fn hard_links_out_of_the_tree_keep_their_bytes_and_modes() {
    let (t, outside, before) = world();
    fs::hard_link(outside.join("precious"), t.project.join("CLAUDE.md")).unwrap();
    let mine = t.project_now();
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).run().status(0);
    assert_same(&before, &snapshot(&outside), "prepared");
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&mine, &t.project_now(), "cleaned up");
    assert_same(&before, &snapshot(&outside), "cleaned up");
    t.execenv(["prepare", "--task-id", "x", "--lease", "1s"]).ok();
    let work = t.root.join("default");
    let env = fs::read_dir(work).unwrap().next().unwrap().unwrap().path();
    fs::hard_link(outside.join("sub/deep"), env.join("workdir/link")).unwrap();
    t.execenv(["gc", "--trash-ttl", "0"]).var("EXECENV_TEST_NOW", LATER).run().status(0);
    assert_same(&before, &snapshot(&outside), "collected");
}

#[test]
fn ten_thousand_levels_and_locked_folders_go() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    for command in [&["cleanup", KEY][..], &["gc", "--trash-ttl", "0"]] {
        let (t, _, _) = world();
        t.execenv(["prepare", "--task", "t.json"]).ok();
        let work = env_of(&t).join("workdir");
        // Names that our own way of taking deep trees down might want.
        for name in [".execenv-deep-1/full", ".execenv-deep-2/full", "locked/sub"] {
            t.write(work.join(name).join("file"), "x");
        }
        fs::set_permissions(work.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        let mut deep = rustix::fd::OwnedFd::from(fs::File::open(&work).unwrap());
        for _ in 0..10_000 {
            mkdirat(&deep, "d", Mode::RWXU).unwrap();
            deep = openat(&deep, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        t.execenv(command).var("EXECENV_TEST_NOW", LATER).run().sane(&[0]);
        assert!(!work.exists());
        t.assert_nothing_half_made("deep");
    }
}

/// A repository of its own choice, outside of the work dir, that wants `marker` made as soon as a file is read.
fn booby_trap(t: &TestEnv, work: &Path, gitdir: &Path, filter: &str, marker: &Path) {
    let git = |words: &[&str]| {
        let mut command = t.command("git");
        command.args([
            "-C",
            work.to_str().unwrap(),
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.invalid",
        ]);
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    t.write(work.join("file"), "one\n");
    git(&["init", "-q", "--separate-git-dir", gitdir.to_str().unwrap()]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    t.write(work.join(".gitattributes"), format!("file filter={filter}\n*.attr filter={filter}=v.il\n"));
    let touch = format!("sh -c 'touch {}; cat'", marker.display());
    git(&["config", "core.worktree", work.to_str().unwrap()]);
    for key in ["filter.F.clean", "filter.F.process", "filter.F=v.il.clean", "core.fsmonitor"] {
        git(&["config", &key.replace('F', filter), &touch]);
    }
    git(&["config", &format!("filter.{filter}.required"), "true"]);
    // Its content has to be read to know whether it has changed.
    t.write(work.join("file"), "two\n");
}

#[test]
fn no_program_that_a_work_dir_names_is_run_to_see_whether_work_is_saved() {
    let (t, outside, before) = world();
    t.execenv(["prepare", "--task", "t.json"]).ok();
    let work = env_of(&t).join("workdir");
    let marker = t.tmp.join("marker");
    // A submodule has a configuration of its own, and git starts a git there.
    booby_trap(&t, &work.join("sub"), &t.tmp.join("sub.git"), "sub", &marker);
    booby_trap(&t, &work, &t.tmp.join("evil.git"), "evil", &marker);
    fs::remove_file(&marker).unwrap_or_default();
    t.execenv(["gc", "--dry-run"]).var("EXECENV_TEST_NOW", LATER).run().sane(&[0]);
    assert!(!marker.exists(), "the dry run");
    t.execenv(["gc", "--trash-ttl", "0"]).var("EXECENV_TEST_NOW", LATER).run().sane(&[0]);
    t.execenv(["cleanup", KEY]).run().status(5);
    // Its repository has no such worktree, so there is no place for a snapshot.
    t.execenv(["cleanup", "--force", KEY]).run().status(5);
    assert!(work.exists());
    t.execenv(["cleanup", "--trash", KEY]).run().sane(&[0]);
    assert!(!marker.exists() && !work.exists());
    assert_same(&before, &snapshot(&outside), "after all");
}

#[test]
fn names_and_records_cannot_write_to_the_terminal() {
    let (t, _, _) = world();
    let evil = "a\u{1b}[2J\nEVIL\u{202e}";
    t.execenv(["prepare", "--task", "t.json", "--agent-name", evil, "--provider", evil]).run().status(0);
    fs::create_dir_all(t.root.join(evil).join(evil)).unwrap();
    fs::create_dir(t.root.join("w").join(OsStr::from_bytes(b"\xff\xfe\x1b"))).unwrap();
    let meta = env_of(&t).join(".gc_meta.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    value["kind"] = evil.into();
    value["execenv"]["task_id"] = evil.into();
    value["execenv"]["last_result"] =
        json!({"status": evil, "failure_reason": evil, "file": evil, "exit_code": 1});
    value["execenv"]["session"] = json!({"id": evil, "provider": evil, "work_dir": "/x"});
    t.write(&meta, value.to_string());
    fs::create_dir_all(t.root.join(".trash").join(format!("{evil}+{evil}+1-x"))).unwrap();
    for command in [
        &["list", "--sizes"][..],
        &["show", KEY],
        &["gc", "--explain", KEY],
        &["gc", "-vv", "--dry-run"],
        &["trash", "list"],
        &["doctor"],
        &["verify", KEY],
        &["show", evil],
        &["cleanup", evil],
        &["prepare", "--task-id", evil],
        &["trash", "restore", evil],
        &["gc", "-v", "--orphan-ttl", "0"],
    ] {
        let done = t.execenv(command).var("EXECENV_TEST_NOW", LATER).run();
        for text in [&done.stdout, &done.stderr] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\nEVIL"),
                "{command:?}: {done}"
            );
        }
        assert!(!done.stderr.contains("panicked"), "{done}");
    }
}

#[test]
fn entries_of_the_trash_with_senseless_names_are_harmless() {
    let (t, outside, before) = world();
    t.execenv(["prepare", "--task", "t.json"]).ok();
    for name in [
        "w+k+9223372036854775807-x",
        "..+outside+1-x",
        "w+..+1-x",
        "w+..+1-x+workdir",
        ".+.+1-x",
        "+++-",
        "w+555555abcdef+5-x+workdir",
        "a+b+99999999999999999999-x",
    ] {
        t.write(t.root.join(".trash").join(name).join("file"), "x");
    }
    t.execenv(["trash", "list"]).ok();
    t.execenv(["trash", "list", "-o", "json"]).json();
    for entry in ["..+outside+1-x", "w+..+1-x", "w+..+1-x+workdir", ".+.+1-x", "w+555555abcdef+5-x+workdir"] {
        t.execenv(["trash", "restore", entry]).run().sane(&[0, 1, 3, 5]);
    }
    t.execenv(["gc"]).run().sane(&[0]);
    t.execenv(["trash", "empty"]).run().sane(&[0]);
    assert_same(&before, &snapshot(&outside), "outside");
}

#[test]
fn hostile_documents_are_refused_and_leave_nothing() {
    let long = "x".repeat(10 << 20);
    let skill = |name: &str, path: &str| json!({"agent": {"skills": [{"name": name, "content": "c", "files": [{"path": path, "content": "c"}]}]}});
    let documents = [
        json!({"id": "../../outside"}),
        json!({"id": "a\0b"}),
        json!({"id": long}),
        json!({"workspace_id": "../outside"}),
        json!({"workspace_id": ".trash"}),
        json!({"workspace_id": long}),
        skill("s", "../../../outside/precious"),
        skill("s", "/etc/passwd"),
        skill("s", "a\0b"),
        skill("s", ""),
        skill("s", &"d/".repeat(3_000)),
        skill("s", &long),
        skill("s", "x/../../y"),
    ];
    for document in documents {
        let (t, outside, before) = world();
        let text = document.to_string();
        for local in [false, true] {
            let run = t.execenv(
                ["prepare", "--task", "-"].into_iter().chain(local.then_some("--local-dir=project")),
            );
            run.input(text.clone()).fails(2, &[]);
        }
        assert!(snapshot(&t.project).is_empty() && t.root_listing().iter().all(|path| path == "default"));
        assert_same(&before, &snapshot(&outside), "outside");
    }
    // Names that only look dangerous become harmless folder names.
    for name in ["../../../etc", "/", "\0", "..", "a\nb", &long[..100_000], "", "\u{202e}"] {
        let (t, outside, before) = world();
        t.execenv(["prepare", "--task", "-", "--local-dir", "project"])
            .input(skill(name, "f.md").to_string())
            .run()
            .sane(&[0, 2]);
        assert_same(&before, &snapshot(&outside), "outside");
        t.execenv(["cleanup", "project"]).run().sane(&[0, 3]);
        assert!(snapshot(&t.project).is_empty(), "{name:?}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_state_file_stops_no_command() {
    for name in [
        ".execenv.record",
        ".execenv.record-synced",
        ".execenv.tmp",
        "output/.execenv.tmp",
        "output/result.json",
    ] {
        let (t, _, _) = world();
        let before = t.project_now();
        t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
        let env = env_of(&t);
        let folder = env.join(name);
        // While `run` has a file there, it tries again. The folder comes with what is in it: an empty one may be gone at once.
        let script = format!(
            "mkdir '{0}.made'; echo work > '{0}.made/work'; until mv -T '{0}.made' '{0}' 2>/dev/null; do :; done",
            folder.display()
        );
        t.execenv(["run", KEY, "--", "sh", "-c", &script]).ok();
        assert_eq!(t.execenv(["show", KEY, "-o", "json"]).json()["status"], "completed", "{name}");
        t.execenv(["run", KEY, "--", "true"]).ok();
        t.execenv(["cleanup", KEY]).ok();
        assert_same(&before, &t.project_now(), name);
        // What is in it is not ours.
        let beside = fs::read_dir(folder.parent().unwrap()).unwrap();
        let kept = beside.filter(|entry| entry.as_ref().unwrap().path().join("work").exists()).count();
        assert_eq!(kept, 1, "{name}");
        t.execenv(["cleanup", "--all", KEY]).ok();
    }
}

#[test]
fn what_replaced_the_lock_file_is_named_with_the_command_that_removes_it() {
    for kind in SPECIAL {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        fs::remove_file(env.join(".task_lock")).unwrap();
        special(kind, &env.join(".task_lock"));
        let doctor = t.execenv(["doctor", "--fix", "-o", "json"]).run().status(1);
        let told: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let problem = &told["problems"][0];
        assert_eq!(
            (&problem["complaint"], &problem["fixed"]),
            (&"unlockable".into(), &false.into()),
            "{doctor}"
        );
        assert!(problem["note"].as_str().unwrap().contains("`rm -r "), "{doctor}");
        for dry in [&["gc"][..], &["gc", "--dry-run"]] {
            let gc = t.execenv(dry).var("EXECENV_TEST_NOW", "2999-01-01T00:00:00Z").run().status(0);
            assert!(
                gc.stderr.contains("stays, as it cannot be locked") && gc.stderr.contains("`rm -r "),
                "{gc}"
            );
        }
        let done = t.execenv(["cleanup", "--all", KEY]).fails(4, &["an agent has replaced the lock file"]);
        let hint = done.stderr.split('`').nth(1).unwrap().replace("[ROOT]", t.root.to_str().unwrap());
        t.sh(&hint).ok();
        t.execenv(["cleanup", "--all", KEY]).ok();
        assert!(!env.exists(), "{kind}");
    }
}

#[test]
fn names_that_are_no_utf_8_in_an_answer_are_no_panic() {
    let t = TestEnv::new();
    let odd = OsStr::from_bytes(b"odd\xff");
    t.execenv(["prepare", "--task-id", TASK, "--local-dir", "project", "--inventory"]).ok();
    t.write(t.project.join(odd), "new");
    t.execenv(["cleanup", KEY]).ok();
    for format in ["text", "json"] {
        let done = t.execenv(["verify", KEY, "-o", format]).run().status(1);
        assert!(done.stdout.contains("odd\u{fffd}"), "{done}");
    }
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir").join(odd);
    fs::create_dir_all(&repo).unwrap();
    t.sh("git init -q \"$R\" && touch \"$R/new\"").var("R", &repo).ok();
    for format in ["text", "json"] {
        let done = t.execenv(["cleanup", KEY, "-o", format]).run().status(5);
        assert!(done.stderr.contains("odd\u{fffd}") || done.stdout.contains("odd\u{fffd}"), "{done}");
    }
    let program = t.write(Path::new("bin").join(odd).join("claude"), "#!/bin/sh\necho 9.9.9\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for format in ["text", "json"] {
        t.execenv(["doctor", "-o", format]).var("PATH", program.parent().unwrap()).run().sane(&[0, 1]);
    }
}

#[test]
fn names_that_are_no_utf_8_come_back_as_they_were() {
    let (t, _, _) = world();
    let odd = OsStr::from_bytes(b"\xff\n\x1b");
    fs::write(t.project.join(odd), "mine").unwrap();
    std::os::unix::fs::symlink(odd, t.project.join("CLAUDE.md")).unwrap();
    let before = t.project_now();
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
    t.execenv(["reuse", KEY, "--task", "t.json"]).ok();
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "cleaned up");
    assert_eq!(t.execenv(["verify", KEY, "-o", "json"]).json()["verdict"], "as_it_was");
    // A root, a folder or an environment at such a path is refused, not a panic.
    let folder = t.tmp.join(odd);
    fs::create_dir(&folder).unwrap();
    t.execenv([arg("prepare"), arg("--local-dir"), arg(&folder)]).fails(2, &["not valid UTF-8"]);
    t.execenv(["prepare"]).cwd(&folder).var("EXECENV_WORKSPACES_ROOT", "rel").run().sane(&[2]);
    fs::rename(&t.root, folder.join("root")).unwrap();
    let env = folder.join("root/w").join(KEY);
    for command in ["show", "cleanup", "reuse", "verify"] {
        t.execenv([command, "."]).cwd(&env).run().sane(&[2, 3]);
    }
}

#[test]
fn a_root_that_cannot_be_written_is_one_error() {
    let (t, _, _) = world();
    for (place, root) in [("file", "file"), ("file", "file/below")] {
        t.write(place, "a file in the place of a folder");
        for command in [&["prepare"][..], &["list"], &["gc"], &["show", KEY], &["trash", "list"]] {
            t.execenv(command).var("EXECENV_WORKSPACES_ROOT", t.tmp.join(root)).run().sane(&[0, 1, 2, 3]);
        }
    }
    // A workspace that is a file, a lock folder that is one, a trash that is one.
    for name in ["w", ".locks", ".trash"] {
        let (t, _, _) = world();
        t.execenv(["prepare", "--task-id", "x"]).ok();
        let _ = fs::remove_dir_all(t.root.join(name));
        t.write(t.root.join(name), "a file");
        t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).run().sane(&[0, 1, 5]);
        t.execenv(["gc"]).var("EXECENV_TEST_NOW", LATER).run().sane(&[0, 1]);
        if name != ".trash" {
            assert!(t.project_now().is_empty(), "{name}");
        }
    }
}

/// Forges variables in the record and in the launch folder of an environment, as an agent can.
fn forge_variables(env: &Path, outside: &Path, names: &[&str]) {
    let place = env.join(".gc_meta.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
    for name in names {
        meta["execenv"]["env"][*name] = json!("forged-value");
    }
    fs::write(&place, meta.to_string()).unwrap();
    let launch = env.join("launch/env");
    fs::create_dir_all(&launch).unwrap();
    for name in names.iter().filter(|name| !name.contains('/')) {
        fs::write(launch.join(name), "forged-value").unwrap();
    }
    let _ = fs::remove_file(launch.join("OPENCODE_CONFIG_CONTENT"));
    std::os::unix::fs::symlink(outside.join("precious"), launch.join("OPENCODE_CONFIG_CONTENT")).unwrap();
}

#[test]
fn variables_that_no_plan_of_the_provider_makes_are_never_exported() {
    const FORGED: [&str; 8] = [
        "X;touch pwned;Y",
        "X$(touch pwned)",
        "X\ntouch pwned\n",
        "LD_PRELOAD",
        "BASH_ENV",
        "PROMPT_COMMAND",
        "GIT_SSH_COMMAND",
        "CURSOR_DATA_DIR",
    ];
    for provider in ["claude", "codex", "opencode", "command", ""] {
        let (t, outside, before) = world();
        let mut words = vec!["prepare", "-q", "--task-id", TASK, "--workspace-id", "w"];
        if !provider.is_empty() {
            words.extend(["--provider", provider]);
        }
        let made = t.execenv(words.iter().copied().chain(["-o", "json"])).json();
        forge_variables(&env_of(&t), &outside, &FORGED);
        let again = |form: &'static str| {
            let kept = words.iter().copied().filter(|word| *word != "-q");
            t.execenv(kept.chain(["--keep-existing", "-o", form]))
        };
        let shell = again("shell").run().sane(&[0]);
        for name in FORGED {
            assert!(!shell.stdout.contains(name), "{provider}: {name:?}\n{shell}");
        }
        assert!(shell.stderr.contains("LD_PRELOAD") && shell.stderr.contains("ignored"), "{shell}");
        assert!(!shell.stdout.contains("OPENCODE_CONFIG_CONTENT"), "{provider}: a link is no value\n{shell}");
        t.sh(&format!("{}\necho done", shell.stdout)).ok();
        assert!(!t.tmp.join("pwned").exists(), "{provider}: {shell}");
        let json: serde_json::Value = serde_json::from_str(&again("json").run().stdout).unwrap();
        assert_eq!((&json["env"], &json["private_env"]), (&made["env"], &made["private_env"]), "{provider}");
        let env = env_of(&t);
        let shown = t.execenv([arg("show"), arg(&env), arg("-o"), arg("json")]).json();
        assert_eq!(
            (&shown["env"], &shown["private_env"]),
            (&made["env"], &made["private_env"]),
            "{provider}"
        );
        let run = [arg("run"), arg(&env), arg("--"), arg("env"), arg("-0")];
        let seen = t.execenv(run).run().sane(&[0]);
        assert!(!seen.stdout.contains("forged-value"), "{provider}: {seen}");
        assert!(seen.stderr.contains("LD_PRELOAD"), "{seen}");
        assert_same(&before, &snapshot(&outside), provider);
    }
}

/// A full disk or a folder of another user's is something that a person can do something about.
#[test]
fn an_error_of_the_system_comes_with_a_hint() {
    for command in [&["prepare"][..], &["gc"], &["doctor", "--fix"], &["cleanup", "--all", KEY]] {
        for (errno, hint) in [
            ("ENOSPC", "hint: the disk is full"),
            ("EDQUOT", "hint: your quota"),
            ("EACCES", "hint: `ls -ld`"),
        ] {
            let mut failed = 0;
            for at in 1..=3 {
                let t = TestEnv::new();
                t.prepare(["--task-id", TASK]);
                let done = t.execenv(command).var("EXECENV_TEST_FAIL_AT", format!("{at}:{errno}")).run();
                let is_told = done.stderr.contains(hint) || !done.stderr.contains("error: ");
                assert!(is_told, "{at}: {done}");
                failed += u32::from(done.stderr.contains("error: "));
            }
            assert!(failed > 0 || command[0] != "prepare", "{errno} never met {command:?}");
        }
    }
}
