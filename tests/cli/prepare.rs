use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn document(provider: &str) -> String {
    json!({"id": TASK, "workspace_id": "w", "provider": provider, "issue_id": "ISSUE-7",
        "agent": {"id": "a", "name": "Coder", "skills": [
            {"name": "Go Conventions", "description": "how", "content": "Use gofmt.\n",
             "files": [{"path": "templates/example.go", "content": "package x\r\n"}, {"path": "./SKILL.md", "content": "no"}]}]}})
    .to_string()
}

fn read(path: impl AsRef<std::path::Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn without_a_document_it_makes_a_plain_environment_in_default() {
    let t = TestEnv::new();
    let done = t.execenv(["prepare"]).ok();
    let env = std::path::PathBuf::from(done.stdout.strip_suffix('\n').unwrap());
    assert_eq!(env.parent().unwrap(), t.root.join("default"));
    for folder in ["workdir", "output", "logs"] {
        assert!(env.join(folder).is_dir(), "{folder}");
    }
    let meta: Value = serde_json::from_str(&read(env.join(".gc_meta.json"))).unwrap();
    assert_eq!(meta["workspace_id"], "default");
    assert!(meta.get("kind").is_none() && meta.get("completed_at").is_none(), "{meta}");
}

#[test]
fn json_has_every_field_of_the_contract() {
    let t = TestEnv::new();
    t.write("t.json", document("claude"));
    let answer = t.execenv(["prepare", "--task", "t.json", "-o", "json"]).json();
    let env = t.root.join("w").join(KEY);
    let work = env.join("workdir");
    assert_eq!(answer["schema"], 1);
    assert_eq!(answer["root_dir"], json!(env));
    assert_eq!(answer["work_dir"], json!(work));
    assert_eq!(answer["type"], "directory");
    assert_eq!(answer["branch_name"], Value::Null);
    assert_eq!((&answer["task_id"], &answer["workspace_id"]), (&json!(TASK), &json!("w")));
    assert_eq!((&answer["local_directory"], &answer["reused"]), (&json!(false), &json!(false)));
    assert!(answer["env"].is_object() && answer["warnings"] == json!([]));
    for file in answer["sidecars"]["files"].as_array().unwrap() {
        assert!(fs::symlink_metadata(file.as_str().unwrap()).unwrap().is_file());
    }
    let manifest: Value = serde_json::from_str(&read(env.join(".multica_sidecar_manifest.json"))).unwrap();
    assert_eq!(manifest["files"], answer["sidecars"]["files"]);
    assert_eq!(manifest["dirs"], answer["sidecars"]["dirs"]);
}

#[test]
fn each_provider_finds_its_skills_and_its_brief() {
    for (provider, skills, brief) in [
        ("claude", ".claude/skills", Some("CLAUDE.md")),
        ("copilot", ".github/skills", Some("AGENTS.md")),
        ("opencode", ".opencode/skills", Some("AGENTS.md")),
        ("kiro", ".kiro/skills", Some("AGENTS.md")),
        ("qoder", ".qoder/skills", Some("AGENTS.md")),
        ("antigravity", ".agents/skills", Some("AGENTS.md")),
        ("gemini", ".gemini/skills", Some("GEMINI.md")),
        ("command", ".agent_context/skills", None),
        ("", ".agent_context/skills", None),
    ] {
        let t = TestEnv::new();
        t.write("t.json", document(provider));
        let work = t.prepare(["--task", "t.json", "-q"]).join("workdir");
        let skill = work.join(skills).join("go-conventions");
        assert!(
            read(skill.join("SKILL.md")).starts_with("---\nname: go-conventions\ndescription: \"how\"\n")
        );
        assert_eq!(read(skill.join("templates/example.go")), "package x\r\n", "{provider}");
        assert_eq!(
            work.join(".agent_context/skills").exists(),
            skills.starts_with(".agent_context"),
            "{provider}"
        );
        assert!(read(work.join(".agent_context/issue_context.md")).contains("ISSUE-7"));
        match brief {
            Some(brief) => assert!(read(work.join(brief)).contains("BEGIN MULTICA-RUNTIME"), "{provider}"),
            None => assert!(!work.join("AGENTS.md").exists(), "{provider}"),
        }
    }
}

#[test]
fn the_work_dir_holds_nothing_else() {
    let t = TestEnv::new();
    t.write(
        "t.json",
        json!({"provider": "claude", "repos": [{"url": "https://x/a"}, {"url": "https://x/b"}]}).to_string(),
    );
    let work = t.prepare(["--task", "t.json"]).join("workdir");
    let mut names: Vec<_> =
        fs::read_dir(&work).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".agent_context", "CLAUDE.md"]);
}

#[test]
fn a_project_without_resources_is_an_empty_list_and_none_is_no_file() {
    let t = TestEnv::new();
    t.write("t.json", r#"{"project_id":"P","project_title":"T"}"#);
    let work = t.prepare(["--task", "t.json"]).join("workdir");
    let project: Value = serde_json::from_str(&read(work.join(".multica/project/resources.json"))).unwrap();
    assert_eq!(project["resources"], json!([]));
    let other = t.prepare([]).join("workdir");
    assert!(!other.join(".multica").exists());
}

#[test]
fn a_local_folder_gets_the_sidecars_and_no_work_dir_is_made() {
    let t = TestEnv::new();
    t.write("t.json", document("claude"));
    let answer = t.execenv(["prepare", "--task", "t.json", "--local-dir", "project", "-o", "json"]).json();
    assert_eq!(answer["work_dir"], json!(t.project));
    assert_eq!(answer["local_directory"], true);
    let env = t.root.join("w").join(KEY);
    assert!(!env.join("workdir").exists() && env.join("output").is_dir() && env.join("logs").is_dir());
    assert!(t.project.join(".agent_context/issue_context.md").is_file());
    let meta: Value = serde_json::from_str(&read(env.join(".gc_meta.json"))).unwrap();
    assert_eq!(
        (&meta["local_directory"], &meta["execenv"]["parent"]),
        (&json!(true), &json!({"kind": "issue", "issue_id": "ISSUE-7"}))
    );
}

#[test]
fn what_the_user_has_is_never_overwritten() {
    let t = TestEnv::new();
    t.write("t.json", document("claude"));
    t.write("project/.agent_context/issue_context.md", "mine");
    t.write("project/.claude/skills/go-conventions/SKILL.md", "mine too");
    t.write("project/.claude/skills/go-conventions-multica", "and this");
    t.write("project/.claude/settings.json", "{}");
    let before = t.project_now();
    let done = t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]);
    done.ok_saying("warning: .agent_context/issue_context.md already exists and stays as it is\n");
    assert!(t.project.join(".claude/skills/go-conventions-multica-2/SKILL.md").is_file());
    let during = t.project_now();
    for (path, was) in &before {
        assert_eq!(during.get(path), Some(was), "{}", path.display());
    }
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "after cleanup");
}

#[test]
fn local_folders_that_are_no_project_are_refused_before_anything_is_made() {
    let t = TestEnv::new();
    t.write("file", "x");
    t.link("to-home", &t.home);
    let home = t.home.display().to_string();
    for (folder, why) in [
        ("nowhere", "does not exist"),
        ("file", "is not a folder"),
        ("/", "protected system folder"),
        ("/etc", "protected system folder"),
        (home.as_str(), "is the user's home"),
        ("to-home", "is the user's home"),
        (".", "lie inside each other"),
    ] {
        t.execenv(["prepare", "--local-dir", folder]).fails(2, &[why, "hint: "]);
    }
    assert!(!t.root.exists());
}

#[test]
fn one_folder_has_one_environment_at_a_time() {
    let t = TestEnv::new();
    let first = t.prepare(["--task-id", "one", "--local-dir", "project"]);
    t.link("alias", &t.project);
    let before = t.project_now();
    for folder in ["project", "alias"] {
        let done =
            t.execenv(["prepare", "--task-id", "two", "--local-dir", folder, "-o", "json"]).run().status(4);
        let error: Value = serde_json::from_str(done.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["error"]["code"], "path_busy");
        let key = first.file_name().unwrap().to_str().unwrap();
        assert!(error["error"]["message"].as_str().unwrap().contains(key), "{error}");
    }
    assert_same(&before, &t.project_now(), "after the refusals");
    t.execenv(["cleanup", first.to_str().unwrap()]).ok();
    t.prepare(["--task-id", "two", "--local-dir", "alias"]);
    // The first one has let go of the folder; it may not take it back while the second has it.
    let during = t.project_now();
    t.execenv(["reuse", first.to_str().unwrap()]).fails(4, &["is the work dir of"]);
    t.execenv(["cleanup", first.to_str().unwrap()]).ok();
    assert_same(&during, &t.project_now(), "after the first was cleaned up again");
}

#[test]
fn a_colliding_key_gets_more_digits_and_the_first_is_untouched() {
    let t = TestEnv::new();
    let first = t.prepare(["--task-id", "aaaaaaaa-0000-4000-8000-1234567890ab"]);
    t.write(first.join("workdir/work"), "precious");
    let before = snapshot(&first);
    let second = t.prepare(["--task-id", "bbbbbbbb-0000-4000-9999-1234567890ab"]);
    assert_eq!(first.file_name().unwrap(), "1234567890ab");
    assert_eq!(second.file_name().unwrap(), "99991234567890ab");
    assert_same(&before, &snapshot(&first), "the first one");
    // Each finds its own again.
    assert_eq!(t.prepare(["--task-id", "bbbbbbbb-0000-4000-9999-1234567890ab"]), second);
    t.execenv(["reuse", "1234567890ab"]).ok();
}

#[test]
fn made_anew_the_old_one_lies_in_the_trash_whole() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/work"), "precious");
    t.write(env.join("output/result"), "r");
    assert_eq!(t.prepare(["--task-id", TASK, "--replace"]), env);
    assert!(!env.join("workdir/work").exists());
    t.execenv(["trash", "restore", KEY]).fails(5, &["is there already"]);
    t.execenv(["cleanup", "--all", KEY]).ok();
    t.execenv(["trash", "restore", KEY]).ok();
    assert_eq!(
        (read(env.join("workdir/work")), read(env.join("output/result"))),
        ("precious".into(), "r".into())
    );
}

#[test]
fn keep_existing_hands_it_back_and_refuses_one_that_is_not_ready() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/work"), "precious");
    let again = t.execenv(["prepare", "--task-id", TASK, "--keep-existing", "-o", "json"]).json();
    assert_eq!((&again["reused"], &again["root_dir"]), (&json!(true), &json!(env)));
    assert_eq!(read(env.join("workdir/work")), "precious");
    t.execenv(["cleanup", KEY]).ok();
    t.execenv(["prepare", "--task-id", TASK, "--keep-existing"]).fails(3, &["is not ready for a run"]);
    t.execenv(["prepare", "--keep-existing", "--replace"]).fails(2, &["cannot be used together"]);
}

#[test]
fn unknown_fields_are_named_and_a_wrong_type_names_field_and_line() {
    let t = TestEnv::new();
    t.write("t.json", r#"{"agent":{"name":"x","zeta":1},"auth_token":"s3cret"}"#);
    // What a server adds and no environment needs is not worth a word.
    let warning = "warning: unknown fields in the task document are ignored: agent.zeta\n";
    t.execenv(["prepare", "--task", "t.json"]).ok_saying(warning);
    t.write("bad.json", "{\n \"agent\": {\n  \"skills\": [{\"name\": 7}]}}");
    let root = snapshot(&t.root);
    t.execenv(["prepare", "--task", "bad.json"]).fails(2, &["bad.json, line 3", "`agent.skills[0].name`"]);
    t.execenv(["prepare", "--task", "-"]).input("{").fails(2, &["standard input, line 1"]);
    t.execenv(["prepare", "--task", "missing.json"]).fails(2, &["missing.json"]);
    assert_same(&root, &snapshot(&t.root), "after the failures");
}

#[test]
fn secrets_of_the_document_are_private() {
    let t = TestEnv::new();
    let secret = "s3cret-value";
    t.write("t.json", json!({"id": TASK, "issue_id": "i", "provider": "claude", "agent": {"id": "a", "custom_env": {"TOKEN": secret}, "custom_args": [secret],
        "mcp_config": {"mcpServers": {"m": {"command": "c", "env": {"K": secret}}}}}}).to_string());
    let env = t.prepare(["--task", "t.json"]);
    let launch = env.join("launch");
    assert_eq!(fs::metadata(&launch).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(launch.join("task.json")).unwrap().permissions().mode() & 0o777, 0o600);
    for (path, text) in snapshot(&t.root) {
        let is_private = path.ends_with("launch/task.json") || path.ends_with("mcp-config.json");
        assert!(!text.contains(secret) || (is_private && text.starts_with("0600")), "{}", path.display());
    }
    t.execenv(["cleanup", KEY]).ok();
    assert!(!snapshot(&t.root).values().any(|text| text.contains(secret)));
}

#[test]
fn the_shell_form_can_be_evaluated_whatever_the_paths_hold() {
    let t = TestEnv::new();
    for name in ["a b", "it's", "a\"b", "$(touch pwned)`x`", "new\nline", "-n", "*?[a]", "back\\slash", "ünï"]
    {
        let root = t.tmp.join(name).join("root");
        let local = t.tmp.join(name).join("proj ect'");
        fs::create_dir_all(&local).unwrap();
        let script = "answer=$(execenv prepare -o shell --task-id t1 --local-dir \"$LOCAL\")\neval \"$answer\"\n\
                      printf '%s|%s' \"$EXECENV_ROOT\" \"$EXECENV_WORKDIR\"";
        let done = t.sh(script).var("EXECENV_WORKSPACES_ROOT", &root).var("LOCAL", &local).ok();
        let (env, work) = done.stdout.split_once('|').unwrap();
        assert_eq!(work, local.to_str().unwrap());
        assert!(
            std::path::Path::new(env).starts_with(&root) && std::path::Path::new(env).is_dir(),
            "{env:?}"
        );
        assert!(!t.tmp.join("pwned").exists() && !local.join("pwned").exists());
    }
}

#[test]
fn the_plain_form_serves_a_script_under_set_eu() {
    let t = TestEnv::new();
    let done = t.sh("env=$(execenv prepare --provider claude); test -d \"$env/workdir\"; execenv cleanup \"$env\"; test ! -e \"$env/workdir\"; echo fine");
    assert_eq!(done.ok().stdout, "fine\n");
    // A failure ends such a script with the tool's status.
    t.sh("env=$(execenv prepare --local-dir nowhere); echo not reached").fails(2, &["does not exist"]);
}

#[test]
fn a_failed_prepare_leaves_nothing_behind() {
    let t = TestEnv::new();
    t.write("t.json", document("claude"));
    t.write("project/.agent_context", "a file of the user's");
    t.write("project/CLAUDE.md", "mine");
    let before = t.project_now();
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"])
        .fails(5, &[".agent_context", "not a folder"]);
    assert_same(&before, &t.project_now(), "the folder");
    assert_eq!(t.root_listing(), ["w"]);
    t.write("project/.multica/daemon_task_context.json", "{}");
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"])
        .fails(5, &["was created by another program"]);
}

#[test]
fn a_root_that_holds_other_things_is_refused() {
    let t = TestEnv::new();
    t.write("root/thesis.txt", "years of work");
    let before = snapshot(&t.root);
    t.execenv(["prepare"]).fails(2, &["is not a workspaces root"]);
    t.execenv(["gc"]).fails(2, &["is not a workspaces root"]);
    assert_same(&before, &snapshot(&t.root), "the folder");
}

#[test]
fn no_brief_and_platform_none_leave_them_out() {
    let t = TestEnv::new();
    t.write("t.json", document("claude"));
    let env = t.prepare(["--task", "t.json", "--no-brief", "--platform-cli", "none"]);
    let work = env.join("workdir");
    assert!(!work.join("CLAUDE.md").exists() && !work.join(".multica").exists());
    assert!(!read(work.join(".agent_context/issue_context.md")).contains("multica"));
    t.execenv(["prepare", "--platform-cli", "a b"]).fails(2, &["cannot be the name of a platform"]);
}

#[test]
fn ids_that_could_leave_the_root_are_refused() {
    let t = TestEnv::new();
    for id in ["..", ".hidden", "a/b", "-x", "a b", "ä", ""] {
        if !id.is_empty() {
            t.execenv(["prepare", &format!("--task-id={id}")]).fails(2, &["cannot be a folder name"]);
            t.execenv(["prepare", &format!("--workspace-id={id}")]).fails(2, &["cannot be a folder name"]);
        }
    }
    assert!(!t.root.exists());
}

#[test]
fn a_record_that_could_not_be_read_again_is_not_written() {
    let t = TestEnv::new();
    for field in ["issue_id", "provider", "agent_name"] {
        let long = "x".repeat(5 << 20);
        let document = match field {
            "agent_name" => json!({"agent": {"name": long}}),
            _ => json!({field: long}),
        };
        let done = t.execenv(["prepare", "--task", "-"]).input(document.to_string());
        done.fails(2, &["longer than"]);
    }
    t.execenv(["prepare", "--lease", "106751991167d"]).run().sane(&[0, 2]);
}

#[test]
fn the_record_of_a_folder_that_was_moved_away_outlives_a_new_prepare() {
    for is_damaged in [false, true] {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", "mine\n");
        let env = t.prepare([
            "--task-id",
            TASK,
            "--provider",
            "claude",
            "--local-dir",
            t.project.to_str().unwrap(),
        ]);
        if is_damaged {
            std::fs::remove_file(env.join(".gc_meta.json")).unwrap();
        } else {
            std::fs::rename(&t.project, t.tmp.join("moved")).unwrap();
        }
        if is_damaged {
            // The manifest proves by itself where the sidecars are.
            t.execenv(["prepare", "--task-id", TASK]).run().status(0);
            assert_eq!(std::fs::read_to_string(t.project.join("CLAUDE.md")).unwrap(), "mine\n");
            assert_eq!(t.project_now().len(), 1);
            continue;
        }
        let before = snapshot(&t.root);
        let told = ["is not there; its sidecars are still in it", "--local-dir [TMP]/moved"];
        t.execenv(["prepare", "--task-id", TASK]).fails(3, &told);
        assert_same(&before, &snapshot(&t.root), "the refused prepare");
    }
}

#[test]
fn an_environment_for_another_folder_or_provider_is_not_handed_back() {
    let t = TestEnv::new();
    let keep = |arguments: &[&str]| {
        t.execenv(["prepare", "--keep-existing", "--task-id", TASK].iter().chain(arguments))
    };
    t.write("other/f", "");
    t.prepare(["--task-id", TASK, "--provider", "claude"]);
    keep(&[]).ok();
    keep(&["--provider", "claude"]).ok();
    keep(&["--provider", "cursor"]).fails(5, &["is for claude", "--keep-existing"]);
    keep(&["--local-dir", "project"]).fails(5, &["works in a managed work dir"]);
    t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    keep(&["--local-dir", "project"]).ok();
    keep(&["--local-dir", "other"]).fails(5, &["works in [PROJECT]"]);
    keep(&[]).fails(5, &["works in [PROJECT]"]);
    fs::rename(&t.project, t.tmp.join("moved")).unwrap();
    fs::create_dir(&t.project).unwrap();
    keep(&["--local-dir", "project"]).fails(5, &["[PROJECT] is not the folder that was prepared"]);
}

#[test]
fn a_folder_that_another_execenv_works_in_is_left_alone_whatever_its_root() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    let before = (t.project_now(), snapshot(&env));
    let folder = fs::File::open(&t.project).unwrap();
    folder.lock().unwrap();
    let busy = ["another execenv is at work in [PROJECT]"];
    t.execenv(["prepare", "--local-dir", "project", "--workspaces-root", "second"]).fails(4, &busy);
    t.execenv(["prepare", "--task-id", TASK]).fails(4, &busy); // it would take the sidecars back
    t.execenv(["reuse", KEY]).fails(4, &busy);
    t.execenv(["cleanup", KEY]).run().check(true, "").sane(&[1, 3, 4]);
    assert_same(&before.0, &t.project_now(), "while it is locked");
    assert_same(&before.1, &snapshot(&env), "while it is locked");
    folder.unlock().unwrap(); // a process that another test is starting has the handle too, for a moment
    t.execenv(["prepare", "-q", "--task-id", TASK, "--local-dir", "project"]).ok();
    t.execenv(["cleanup", KEY]).ok();
}

#[test]
fn an_empty_option_is_refused_and_a_mistyped_provider_is_named() {
    let t = TestEnv::new();
    for option in ["--task-id", "--provider", "--workspace-id"] {
        t.execenv(["prepare", option, ""]).fails(2, &[option, "has an empty value"]);
        t.execenv(["prepare", option, " "]).fails(2, &[option, "has an empty value"]);
    }
    assert!(!t.root.exists());
    for (typed, meant) in [("Claude", "claude"), ("cluade", "claude"), ("gemni", "gemini")] {
        let done = t.execenv(["prepare", "--provider", typed]).run().status(0);
        assert!(done.stderr.contains(&format!("(did you mean `{meant}`?)")), "{done}");
    }
    let done = t.execenv(["prepare", "--provider", "my-own"]).run().status(0);
    assert!(!done.stderr.contains("did you mean"), "{done}");
}

#[test]
fn a_provider_that_run_cannot_start_yet_is_said_once_at_prepare() {
    let t = TestEnv::new();
    for row in
        execenv::internals::all_providers().filter(|row| row.dialects.is_empty() && row.name != "command")
    {
        let (name, task) = (row.name, format!("of-{}", row.name));
        let told = format!(
            "warning: `run` does not start {name} by itself in this version: `execenv run ENV -- PROGRAM`\n"
        );
        let done = t.execenv(["prepare", "--task-id", &task, "--provider", name]).run().status(0);
        assert_eq!(done.stderr.matches(&told).count(), 1, "{done}");
        let done = t.execenv(["reuse", &task]).run().status(0);
        assert!(!done.stderr.contains(&told), "{done}");
    }
    t.execenv(["prepare", "--provider", "claude"]).ok();
    t.execenv(["prepare", "--provider", "command"]).ok();
}

#[test]
fn the_key_is_the_end_of_the_task_id() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    assert_eq!(env, t.root.join("default").join(KEY));
    assert!(env.join("workdir").is_dir());
}

#[test]
fn a_fresh_file_system_is_a_workspaces_root() {
    let t = TestEnv::new();
    fs::create_dir_all(t.root.join("lost+found")).unwrap();
    t.prepare([]);
    let t = TestEnv::new();
    t.write("root/lost+found/x/y", "");
    t.write("root/other", "");
    t.execenv(["prepare"]).fails(2, &["contains other files"]);
}

#[test]
fn a_replaced_environment_is_named_and_comes_back() {
    let t = TestEnv::new();
    let first = t.execenv(["prepare", "--task-id", TASK, "-o", "json"]).json();
    assert!(first["replaced"].is_null());
    let done = t.execenv(["prepare", "--task-id", TASK, "-o", "json"]).run().status(0);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let entry = answer["replaced"]["entry"].as_str().unwrap();
    assert!(std::path::Path::new(answer["replaced"]["path"].as_str().unwrap()).is_dir());
    let hint = format!("`execenv trash restore {entry} --to DIR`");
    assert!(done.stderr.starts_with("note: ") && done.stderr.contains(&hint), "{done}");
    t.execenv(["trash", "restore", entry, "--to", "old"]).ok();
    assert!(t.tmp.join("old/.gc_meta.json").is_file());
    t.execenv(["prepare", "--task-id", TASK, "-q"]).ok();
}

/// What lies in the work dir, and whether a reserved environment with it is replaced without being asked to.
#[test]
fn a_reserved_environment_with_work_is_replaced_only_on_demand() {
    let commit = "git -C \"$W\" init -q && git -C \"$W\" -c user.name=a -c user.email=a@b commit -q --allow-empty -m x";
    let cloned = "git init -q --bare \"$T/up\" && git -C \"$W\" clone -q \"$T/up\" repo 2>/dev/null";
    for (work, holds) in [
        ("true", false),
        ("echo x > \"$W/notes\"", true),
        ("mkdir \"$W/src\"", true),
        (commit, true),
        (cloned, false),
        (&format!("{cloned} && echo x > \"$W/repo/new\""), true),
        ("rm -r \"$W\"", false),
    ] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
        let before = crate::support::snapshot(&env);
        t.sh(work).var("W", env.join("workdir")).var("T", &t.tmp).ok();
        let again = |more: &[&str]| {
            t.execenv(["prepare", "--task-id", TASK, "--provider", "claude"].iter().chain(more))
        };
        if holds {
            let held = crate::support::snapshot(&env);
            assert!(held != before);
            again(&[]).fails(
                4,
                &["is reserved until 2026-06-02 12:00 UTC and holds work: ", "`--replace`", "execenv reuse"],
            );
            crate::support::assert_same(&held, &crate::support::snapshot(&env), work);
            again(&["--keep-existing"]).ok();
            assert!(t.execenv(["trash", "list"]).ok().stdout.is_empty());
            let later = again(&[]).var("EXECENV_TEST_NOW", "2026-06-03T12:00:00Z").run();
            later.status(0); // the lease has ended
        } else {
            again(&[]).run().status(0);
        }
        again(&["--replace"]).run().status(0);
    }
}

#[test]
fn a_users_folder_holds_nothing_that_a_replacement_would_lose() {
    let t = TestEnv::new();
    t.write("project/work", "mine");
    let again = || t.execenv(["prepare", "--task-id", TASK, "--local-dir", "project"]).run().status(0);
    again();
    t.write("project/more", "mine");
    again();
    assert!(t.tmp.join("project/more").is_file());
}

#[test]
fn an_answer_that_cannot_be_printed_leaves_nothing_behind() {
    for (stdout, why) in [("/dev/full", "No space left"), ("pipe", "Broken pipe")] {
        for form in ["text", "json", "shell"] {
            let t = TestEnv::new();
            t.write("project/CLAUDE.md", "mine\n");
            let before = t.project_now();
            let words = format!("prepare --provider claude --task-id {TASK} --local-dir project -o {form}");
            let done = t.unprinted(&words, stdout).status(1);
            let holds = done.stderr.contains(why) && done.stderr.contains("the environment was removed");
            let done = done.check(holds, "what became of it");
            assert_same(&before, &t.project_now(), &format!("{stdout} {form}"));
            let left: Vec<String> = t.root_listing().into_iter().filter(|path| path.contains(KEY)).collect();
            assert!(left.is_empty(), "{left:?}\n{done}");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_printed_brings_back_what_was_replaced() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/work.txt"), "work");
    let done = t.unprinted(&format!("prepare --replace --task-id {TASK}"), "/dev/full").status(1);
    assert!(done.stderr.contains("the one before it is back"), "{done}");
    assert_eq!(std::fs::read_to_string(env.join("workdir/work.txt")).unwrap(), "work");
    t.execenv(["run", KEY, "--", "true"]).ok();
}

#[test]
fn a_reuse_whose_answer_cannot_be_printed_says_what_is_there() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let done = t.unprinted(&format!("reuse {KEY}"), "/dev/full").status(1);
    let says = done.stderr.contains("is ready for a run") && done.stderr.contains("execenv show");
    assert!(says && env.join("workdir").is_dir(), "{done}");
}

#[test]
fn a_process_without_handles_or_with_a_limit_on_files_leaves_nothing_half_made() {
    for limit in
        ["-n 8", "-n 10", "-n 14", "-n 18", "-n 20", "-n 22", "-n 24", "-n 26", "-n 28", "-f 0", "-f 1"]
    {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", "mine\n".repeat(200));
        let before = t.project_now();
        let words = format!("prepare --provider claude --task-id {TASK} --local-dir project");
        let done = t.sh(&format!("ulimit {limit}; execenv {words}")).run();
        t.assert_nothing_half_made(limit);
        match done.status {
            Some(0) => _ = t.execenv(["cleanup", "--all", KEY]).ok(),
            _ => assert!(done.signal.is_none() && done.stderr.contains("error: "), "{limit}\n{done}"),
        }
        assert_same(&before, &t.project_now(), limit);
    }
}

#[test]
fn a_servers_claim_is_prepared_with_one_short_warning() {
    let t = TestEnv::new();
    let skill = |name: &str| json!({"id": name, "name": name, "content": "c", "files": []});
    let claim = json!({
        "id": TASK, "workspace_id": "w", "runtime_id": "r", "agent_id": "a", "issue_id": "I", "provider": "claude",
        "status": "dispatched", "priority": 2, "created_at": "2026-01-02T03:04:05Z", "auth_token": "mat_s3cret",
        "attempt": 1, "max_attempts": 3, "result": null, "delivered_comment_ids": [], "issue_statuses_omitted": 0,
        "is_leader_task": false, "leader_role_resolved": true, "new_comments_delta_known": true,
        "agent": {"id": "a", "name": "A", "instructions": "i", "skills": (0..40).map(|n| skill(&format!("s{n}"))).collect::<Vec<_>>(),
            "disabled_runtime_skills": [{"runtime_id": "r", "provider": "claude", "root": "plugin", "key": "p:k", "name": "k", "plugin": "p@m"}]},
    });
    t.write("t.json", claim.to_string());
    let warning = "warning: unknown fields in the task document are ignored: agent.skills[].id\n";
    t.execenv(["prepare", "--task", "t.json"]).ok_saying(warning);
    t.write("quick.json", json!({"issue_id": "I", "regenerate_quick_actions_for": "c"}).to_string());
    t.execenv(["prepare", "--task", "quick.json"]).fails(2, &["regenerate_quick_actions_for"]);
}
