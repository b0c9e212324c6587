use std::fs;

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, snapshot};

fn document(provider: &str, content: &str) -> String {
    json!({"id": TASK, "provider": provider, "agent": {"name": "A", "skills": [{"name": "Issue Review", "content": content}]}}).to_string()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn any_number_of_reuses_leaves_one_skill_folder_with_the_natural_name() {
    for (provider, folder) in [
        ("claude", ".claude/skills"),
        ("openclaw", "skills"),
        ("copilot", ".github/skills"),
        ("unheard-of", ".agent_context/skills"),
    ] {
        let t = TestEnv::new();
        t.write("v1.json", document(provider, "version 1"));
        t.write("v2.json", document(provider, "version 2"));
        // OpenClaw is asked where its configuration is: nowhere yet.
        let claw = t.write("openclaw", "#!/bin/sh\necho /nonexistent/openclaw.json\n");
        fs::set_permissions(&claw, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let execenv = |arguments: &[&str]| t.execenv(arguments).var("MULTICA_OPENCLAW_PATH", &claw);
        execenv(&["prepare", "--task", "v1.json", "-q"]).ok();
        let env = t.root.join("default").join(KEY);
        for _ in 0..2 {
            // What the agent leaves in our folder goes, its work elsewhere stays.
            t.write(env.join("workdir").join(folder).join("issue-review/stray.txt"), "stray");
            t.write(env.join("workdir/src/main.rs"), "work");
            t.write(env.join("workdir").join(folder).join("own/SKILL.md"), "the agent's own");
            execenv(&["reuse", KEY, "--task", "v2.json", "-q"]).ok();
            let skills = env.join("workdir").join(folder);
            assert_eq!(names(&skills), ["issue-review", "own"], "{provider}");
            assert_eq!(names(&skills.join("issue-review")), ["SKILL.md"]);
            let text = fs::read_to_string(skills.join("issue-review/SKILL.md")).unwrap();
            assert!(text.contains("name: issue-review") && text.contains("version 2"), "{text}");
        }
        assert!(env.join("workdir/src/main.rs").is_file());
        assert!(
            snapshot(&env)
                .keys()
                .any(|path| path.ends_with("kept-sidecars") || path.to_string_lossy().contains("stray.txt"))
        );
    }
}

#[test]
fn an_edited_sidecar_is_replaced_after_a_copy_was_kept() {
    let t = TestEnv::new();
    t.write("t.json", document("claude", "x"));
    let env = t.prepare(["--task", "t.json"]);
    t.write(env.join("workdir/.claude/skills/issue-review/SKILL.md"), "edited by the agent");
    t.write(env.join("workdir/.agent_context/issue_context.md"), "edited as well");
    let done = t.execenv(["reuse", KEY, "--task", "t.json"]).run().status(0);
    assert_eq!(done.stderr.lines().filter(|line| line.contains("a copy is at")).count(), 2, "{done}");
    let kept = snapshot(&env.join("output/kept-sidecars"));
    assert!(kept.values().any(|text| text.ends_with("edited by the agent")), "{kept:?}");
    assert!(kept.values().any(|text| text.ends_with("edited as well")), "{kept:?}");
}

#[test]
fn another_provider_takes_the_old_ones_things_back_first() {
    let t = TestEnv::new();
    t.write("v1.json", document("claude", "x"));
    t.write("v2.json", document("gemini", "x"));
    t.write("project/CLAUDE.md", "mine");
    t.execenv(["prepare", "--task", "v1.json", "--local-dir", "project"]).ok();
    let answer = t.execenv(["reuse", "--work-dir", "project", "--task", "v2.json", "-o", "json"]).json();
    assert_eq!((&answer["reused"], &answer["provider"]), (&json!(true), &json!("gemini")));
    assert_eq!(fs::read_to_string(t.project.join("CLAUDE.md")).unwrap(), "mine");
    assert!(!t.project.join(".claude").exists());
    assert!(
        t.project.join("GEMINI.md").is_file()
            && t.project.join(".gemini/skills/issue-review/SKILL.md").is_file()
    );
}

#[test]
fn a_missing_environment_or_work_dir_is_status_3_or_prepared() {
    let t = TestEnv::new();
    t.execenv(["reuse", KEY]).fails(3, &["no environment"]);
    let env = t.prepare(["--task-id", TASK]);
    fs::remove_dir_all(env.join("workdir")).unwrap();
    t.execenv(["reuse", KEY]).fails(3, &["does not exist", "--or-prepare"]);
    let answer = t.execenv(["reuse", KEY, "-q", "--or-prepare", "-o", "json"]).json();
    assert_eq!((&answer["reused"], &answer["root_dir"]), (&json!(false), &json!(env)));
    assert!(env.join("workdir").is_dir());
    t.execenv(["reuse"]).fails(2, &["ENV"]);
    t.execenv(["reuse", KEY, "--work-dir", "x"]).fails(2, &["cannot be used together"]);
}

#[test]
fn a_local_folder_that_was_moved_away_is_not_another_one_in_its_place() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    fs::rename(&t.project, t.tmp.join("moved")).unwrap();
    t.execenv(["reuse", KEY]).fails(3, &["does not exist"]);
    fs::create_dir(&t.project).unwrap();
    t.execenv(["reuse", KEY]).fails(3, &["is not the folder that was prepared"]);
    let done = t.execenv(["cleanup", KEY]).run();
    assert_eq!(done.status, Some(1), "{done}");
    assert!(snapshot(&t.project).is_empty());
}

#[test]
fn every_form_of_env_finds_it_and_two_are_ambiguous() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    t.link("alias", &t.project);
    for name in [
        env.to_str().unwrap(),
        "root/default/555555abcdef",
        "project",
        "alias",
        "project/../project/",
        TASK,
        KEY,
        "5555",
        "./root/default/555555abcdef/",
    ] {
        let shown = t.execenv(["show", name, "-o", "json"]).json();
        assert_eq!(shown["task_id"], TASK, "{name}");
    }
    for name in ["555", "", "nothing", "root/default", "..", "project/sub", &TASK[..20]] {
        t.execenv(["show", name]).fails(3, &["no environment"]);
    }
    t.prepare(["--task-id", "99999999-2222-4333-8444-5555550bcdef"]);
    t.execenv(["show", "5555"]).fails(2, &["more than one"]);
    t.execenv(["show", "555555a"]).ok();
}

#[test]
fn completed_at_and_unknown_keys_stay() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let path = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    meta["completed_at"] = "2026-05-01T00:00:00Z".into();
    meta["upstream_future"] = json!({"n": 1});
    meta["execenv"]["our_future"] = json!([1]);
    t.write(&path, meta.to_string());
    t.execenv(["reuse", KEY]).ok();
    let after: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(after["execenv"]["parent"]["completed_at"], meta["completed_at"]);
    assert_eq!(after["upstream_future"], meta["upstream_future"]);
    assert_eq!(after["execenv"]["our_future"], meta["execenv"]["our_future"]);
}

#[test]
fn a_record_of_a_newer_version_is_read_and_never_written() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let path = env.join(".gc_meta.json");
    let newer = fs::read_to_string(&path).unwrap().replace("\"schema\":1", "\"schema\":99");
    t.write(&path, &newer);
    t.execenv(["show", KEY]).ok();
    let before = snapshot(&env);
    t.execenv(["reuse", KEY]).fails(3, &["schema 99"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    crate::support::assert_same(&before, &snapshot(&env), "the refused reuse");
}

#[test]
fn another_workspace_is_refused() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["reuse", KEY, "--workspace-id", "other"]).fails(2, &["belongs to workspace `default`"]);
}

#[test]
fn a_reuse_that_failed_after_taking_back_leaves_nothing_to_run_in() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
    fs::remove_file(env.join("workdir/CLAUDE.md")).unwrap();
    fs::create_dir(env.join("workdir/CLAUDE.md")).unwrap();
    t.execenv(["reuse", KEY]).fails(5, &["CLAUDE.md is not a file"]);
    t.execenv(["run", KEY, "--", "true"]).fails(3, &["is incomplete", "hint: `execenv reuse"]);
    fs::remove_dir(env.join("workdir/CLAUDE.md")).unwrap();
    t.execenv(["reuse", KEY]).ok();
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
}

#[test]
fn nothing_that_lies_among_our_skills_is_lost() {
    use std::os::unix::fs::PermissionsExt;
    let t = TestEnv::new();
    t.write("t.json", document("claude", "x"));
    let env = t.prepare(["--task", "t.json"]);
    let skill = env.join("workdir/.claude/skills/issue-review");
    let deep = vec!["d"; 40].join("/");
    t.write(skill.join(&deep).join("file"), "deep");
    t.write(skill.join("run.sh"), "#!/bin/sh\n");
    fs::set_permissions(skill.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(skill.join("empty")).unwrap();
    std::os::unix::fs::symlink("run.sh", skill.join("link")).unwrap();
    t.command("mkfifo").arg(skill.join("fifo")).status().unwrap();
    let strays = |folder: &std::path::Path| {
        let all = snapshot(folder).into_iter();
        all.filter(|(path, _)| !path.starts_with("SKILL.md")).collect::<crate::support::Snapshot>()
    };
    let before = strays(&skill);
    t.execenv(["reuse", KEY, "--task", "t.json", "-q"]).ok();
    assert_eq!(names(&skill), ["SKILL.md"]);
    let kept = strays(&env.join("output/kept-sidecars/.claude/skills/issue-review"));
    crate::support::assert_same(&before, &kept, "what was kept");
}

#[test]
fn what_came_up_during_a_round_that_was_cut_short_is_not_ours() {
    let t = TestEnv::new();
    t.write("t.json", document("claude", "x"));
    let prepare = ["prepare", "--task", "t.json", "--local-dir", "project"];
    // Killed when the first sidecar is there and the skill is not.
    for point in 1.. {
        let killed = t.execenv(prepare).var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
        assert!(killed.was_killed(), "{killed}");
        if t.project.join(".agent_context/issue_context.md").exists() {
            break;
        }
    }
    let theirs = t.write("project/.claude/skills/issue-review/SKILL.md", "the user's own");
    t.execenv(["reuse", "project", "--task", "t.json", "-q"]).ok();
    assert_eq!(fs::read_to_string(theirs).unwrap(), "the user's own");
    assert_eq!(names(&t.project.join(".claude/skills")).len(), 2);
}

#[test]
fn a_manifest_that_names_files_of_another_folder_removes_nothing() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    let theirs = t.write("victim/f", "precious");
    let meta = env.join(".gc_meta.json");
    let mut forged: Value = serde_json::from_str(&fs::read_to_string(&meta).unwrap()).unwrap();
    forged["execenv"]["work_dir"] = json!(t.tmp.join("victim"));
    forged["execenv"].as_object_mut().unwrap().remove("local_identity");
    t.write(&meta, forged.to_string());
    t.write(env.join(".multica_sidecar_manifest.json"), json!({"files": [theirs]}).to_string());
    t.execenv(["reuse", KEY]).fails(1, &["nothing proves the record"]);
    t.execenv(["prepare", "--task-id", TASK]).fails(1, &["nothing proves the record"]);
    assert_eq!(fs::read_to_string(theirs).unwrap(), "precious");
}

#[test]
fn the_help_names_the_defaults_of_reuse() {
    let t = TestEnv::new();
    let of = |command: &str| {
        let help = t.execenv([command, "-h"]).ok().stdout;
        let words: Vec<String> = help.split_whitespace().map(str::to_owned).collect();
        words.join(" ")
    };
    let (prepare, reuse) = (of("prepare"), of("reuse"));
    for default in ["[default: a new UUID]", "[default: default]"] {
        assert!(prepare.contains(default) && !reuse.contains(default), "{default}: {reuse}");
    }
    assert_eq!(reuse.matches("else that of the environment]").count(), 3, "{reuse}");
    for help in [prepare, reuse] {
        assert!(help.contains("[default: 24h] [env: EXECENV_LEASE]"), "{help}");
    }
}

#[test]
fn another_task_id_is_refused() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["reuse", KEY, "--task-id", "other"]).fails(
        2,
        &[
            "the environment is that of task",
            "hint: omit `--task-id`, or use `execenv prepare --task-id other`",
        ],
    );
    t.execenv(["reuse", KEY, "--task-id", TASK]).ok();
    let prepared = t.execenv(["reuse", "0000", "--task-id", "other", "--or-prepare", "-o", "json"]).json();
    assert_eq!(prepared["task_id"], "other");
}

#[test]
fn the_proof_for_multica_names_the_task_of_the_work_dirs_marker() {
    let t = TestEnv::new();
    let document = |issue: &str| {
        format!(
            r#"{{"id":"{TASK}","workspace_id":"w","issue_id":"{issue}","agent":{{"id":"a","name":"Coder"}}}}"#
        )
    };
    for (file, issue) in [("one.json", "ISSUE-1"), ("two.json", "ISSUE-2")] {
        t.write(file, document(issue));
    }
    let env = t.prepare(["--task", "one.json"]);
    let proof = || std::fs::read_to_string(env.join(".managed_env.json")).unwrap();
    let first = proof();
    assert!(first.contains("ISSUE-1"), "{first}");
    t.execenv(["reuse", KEY, "-q", "--task", "two.json"]).ok();
    assert_eq!(proof(), first.replace("ISSUE-1", "ISSUE-2"));
}

/// Every path below an env root, and the text of each file, without what differs between any two environments.
fn content(env: &std::path::Path, root: &std::path::Path) -> std::collections::BTreeMap<String, String> {
    let known = [
        ".execenv",
        ".gc_meta.json",
        ".managed_env.json",
        ".multica_sidecar",
        "output",
        ".task_lock",
        "logs",
    ];
    snapshot(env)
        .into_iter()
        .map(|(path, text)| (path.display().to_string(), text.replace(root.to_str().unwrap(), "[ROOT]")))
        .filter(|(path, _)| !known.iter().any(|known| path.starts_with(known)))
        .collect()
}

#[test]
fn after_the_root_was_moved_it_is_as_if_it_had_always_been_there() {
    let document = |issue: &str, skill: &str| {
        format!(
            r#"{{"id":"{TASK}","workspace_id":"w","issue_id":"{issue}","agent":{{"id":"a","name":"Coder",
             "skills":[{{"name":"{skill}","description":"d","content":"Look."}}]}}}}"#
        )
    };
    for provider in ["claude", "codex", "cursor", "gemini", "opencode", "copilot", "qwen", "pi"] {
        let t = TestEnv::new();
        t.write("home/.cursor/cli-config.json", "{}");
        t.write("one.json", document("ISSUE-1", "a"));
        t.write("two.json", document("ISSUE-2", "a"));
        let moved = t.tmp.join("elsewhere/moved");
        let prepare = |root: &std::path::Path| {
            t.execenv(["prepare", "-q", "--task", "one.json", "--provider", provider])
                .var("EXECENV_WORKSPACES_ROOT", root)
                .run()
                .sane(&[0])
        };
        let reuse = |root: &std::path::Path| {
            t.execenv(["reuse", KEY, "-q", "--task", "two.json", "--provider", provider, "-o", "json"])
                .var("EXECENV_WORKSPACES_ROOT", root)
                .run()
                .status(0)
        };
        std::fs::create_dir(t.tmp.join("elsewhere")).unwrap();
        prepare(&t.root);
        std::fs::rename(&t.root, &moved).unwrap();
        for program in [["run", KEY, "--", "true"], ["show", KEY, "-o", "json"]] {
            let done = t.execenv(program).var("EXECENV_WORKSPACES_ROOT", &moved).run().status(0);
            let old = t.root.to_str().unwrap();
            assert!(!done.stdout.contains(old) && !done.stderr.contains(old), "{provider}: {done}");
        }
        // Its conversations and memories are those of the moved root.
        for path in snapshot(&moved.join("w").join(KEY)).into_keys() {
            let text = std::fs::read_link(moved.join("w").join(KEY).join(&path)).unwrap_or_default();
            assert!(!text.starts_with(&t.root), "{provider}: {} leads to {}", path.display(), text.display());
        }
        let answer = reuse(&moved);
        assert!(!answer.stdout.contains(t.root.to_str().unwrap()), "{provider}: {answer}");
        let env = moved.join("w").join(KEY);
        let after = content(&env, &moved);
        let old: Vec<_> = after.iter().filter(|(_, text)| text.contains("ISSUE-1")).collect();
        assert!(old.is_empty(), "{provider}: {old:?}");
        assert!(!after.keys().any(|path| path.contains("a-multica")), "{provider}: {:?}", after.keys());
        // The same without a move.
        let t2 = t.tmp.join("never");
        prepare(&t2);
        reuse(&t2);
        let expected = content(&t2.join("w").join(KEY), &t2);
        let keys = |map: &std::collections::BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&after), keys(&expected), "{provider}");
        t.execenv(["cleanup", KEY]).var("EXECENV_WORKSPACES_ROOT", &moved).run().sane(&[0]);
        assert!(!env.join("workdir").exists(), "{provider}");
    }
}
