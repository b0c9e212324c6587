//! State files that the agent may have written: they are claims. What no proof of execenv's and no word of the user's
//! speaks for is neither read nor written, removed, copied or run in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use execenv::internals::Tree;
use execenv::internals::sidecar::{Manifest, OperatorKey, Seal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

const META: &str = ".gc_meta.json";
const MANIFEST: &str = ".multica_sidecar_manifest.json";
const SECRET: &str = "nobody may read this";

fn env_of(t: &TestEnv) -> PathBuf {
    t.root.join("default").join(KEY)
}

fn json_at(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// A project of the user's that no environment works in, with files at every kind of place.
fn victim(t: &TestEnv) -> (PathBuf, Snapshot) {
    let victim = t.tmp.join("victim");
    for file in
        ["src/main.rs", "CLAUDE.md", ".agent_context/issue_context.md", ".claude/skills/mine/SKILL.md"]
    {
        t.write(victim.join(file), SECRET);
    }
    let before = snapshot(&victim);
    (victim, before)
}

/// A manifest that claims that every file of the victim is ours, in one of the states.
fn claims(victim: &Path, state: &str, sha256: &str) -> Value {
    let files = [".agent_context/issue_context.md", ".claude/skills/mine/SKILL.md", "src/main.rs"];
    let entry = |path: &str, kind: &str| json!({"path": path, "kind": kind, "sha256": sha256});
    let mut entries: Vec<Value> = files.iter().map(|path| entry(path, "file")).collect();
    entries.push(entry("CLAUDE.md", "brief"));
    entries.push(json!({"path": "src/main.rs", "kind": "brief", "sha256": sha256}));
    json!({
        "files": files.map(|file| victim.join(file)),
        "dirs": [victim.join(".claude/skills/mine"), victim.join("src"), victim.join(".agent_context")],
        "execenv": {"version": 1, "work_dir": victim, "state": state, "token": "t", "entries": entries},
    })
}

/// Everything that an agent may write so that the environment seems to work in the victim's folder.
fn forge(t: &TestEnv, victim: &Path, manifest: &Value) {
    let env = env_of(t);
    let found = fs::metadata(victim).unwrap();
    let mut meta = json_at(&env.join(META));
    meta["local_directory"] = json!(true);
    meta["execenv"]["work_dir"] = json!(victim);
    meta["execenv"]["local_identity"] = json!([found.dev(), found.ino()]);
    t.write(env.join(META), meta.to_string());
    t.write(env.join(MANIFEST), manifest.to_string());
    t.write(
        env.join("backup/CLAUDE.md"),
        "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->\nevil\n",
    );
}

/// Every command that acts on what a record says.
const COMMANDS: [&[&str]; 13] = [
    &["verify", KEY],
    &["show", KEY, "--file", "src/main.rs"],
    &["run", KEY, "--", "sh", "-c", "cat src/main.rs; touch been-here"],
    &["doctor", "--fix"],
    &["reuse", KEY],
    &["reuse", KEY, "--or-prepare"],
    &["prepare", "--task-id", TASK],
    &["prepare", "--task-id", TASK, "--keep-existing"],
    &["prepare", "--task-id", TASK, "--local-dir", "project"],
    &["gc", "--orphan-ttl", "0", "--trash-ttl", "0"],
    &["cleanup", KEY],
    &["cleanup", "--force", KEY],
    &["cleanup", "--all", "--force", KEY],
];

fn assert_untouched(t: &TestEnv, victim: &Path, before: &Snapshot, when: &str) {
    assert_same(before, &snapshot(victim), when);
    for (path, text) in snapshot(&t.root) {
        // The copy of a file to which the victim's own environment has added its block.
        let is_its_own =
            path.ends_with("backup/CLAUDE.md") && !path.starts_with(Path::new("default").join(KEY));
        assert!(is_its_own || !text.contains(SECRET), "{when}: copied to {}", path.display());
    }
}

#[test]
fn a_forged_record_opens_no_folder_whatever_the_command() {
    let try_all = |made: &[&str], state: &str| {
        for sha256 in [digest(SECRET), digest("other")] {
            for command in COMMANDS {
                let t = TestEnv::new();
                t.prepare(
                    ["--task-id", TASK, "--provider", "claude"].into_iter().chain(made.iter().copied()),
                );
                let (victim, before) = victim(&t);
                forge(&t, &victim, &claims(&victim, state, &sha256));
                let done = t.execenv(command).run();
                let when = format!("{command:?} on {state}\n{done}");
                assert!(matches!(done.status, Some(0 | 1 | 3 | 5 | 125)), "{when}");
                assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{when}");
                assert_untouched(&t, &victim, &before, &when);
                assert!(env_of(&t).exists(), "the record outlives it: {when}");
            }
        }
    };
    // Each waits for the disk most of its time.
    std::thread::scope(|scope| {
        for made in [&[][..], &["--local-dir", "project"]] {
            for state in ["applying", "applied", "taking_back", "taken_back"] {
                scope.spawn(move || try_all(made, state));
            }
        }
    });
}

#[test]
fn a_proof_is_for_one_environment_and_for_what_it_was_made_for() {
    // A whole manifest of another environment, in the victim's folder; and the own one, changed in one place.
    type Edit = dyn Fn(&mut Value, &Path);
    let edits: [&Edit; 5] = [
        &|manifest, victim| manifest["files"].as_array_mut().unwrap().push(json!(victim.join("src/main.rs"))),
        &|manifest, victim| manifest["execenv"]["work_dir"] = json!(victim),
        &|manifest, _| manifest["execenv"]["folder"]["inode"] = json!(1),
        &|manifest, _| manifest["execenv"]["entries"][0]["sha256"] = json!(digest(SECRET)),
        &|manifest, _| manifest["execenv"]["later"] = json!(true),
    ];
    for command in COMMANDS {
        let t = TestEnv::new();
        let (victim, _) = victim(&t);
        t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
        let words = ["prepare", "--task-id", "other", "--provider", "claude", "--local-dir", "victim"];
        let other = PathBuf::from(t.execenv(words).run().status(0).stdout.trim_end());
        let before = snapshot(&victim);
        forge(&t, &victim, &json_at(&other.join(MANIFEST)));
        t.execenv(command).run();
        assert_untouched(&t, &victim, &before, &format!("{command:?}"));
    }
    for edit in edits {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
        let (victim, before) = victim(&t);
        let mut manifest = json_at(&env.join(MANIFEST));
        edit(&mut manifest, &victim);
        t.write(env.join(MANIFEST), manifest.to_string());
        let during = t.project_now();
        t.execenv(["cleanup", KEY]).fails(1, &["is not by your key"]);
        assert_untouched(&t, &victim, &before, "an edited manifest");
        assert_same(&during, &t.project_now(), "the project");
    }
    // Another program's keys are its own.
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    let mut manifest = json_at(&env.join(MANIFEST));
    manifest["theirs"] = json!(1);
    t.write(env.join(MANIFEST), serde_json::to_string_pretty(&manifest).unwrap());
    t.execenv(["cleanup", KEY]).ok();
    assert!(t.project_now().is_empty());
}

#[test]
fn the_users_word_removes_only_what_execenv_writes_and_has_written() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let (victim, _) = victim(&t);
    forge(&t, &victim, &claims(&victim, "applied", &digest(SECRET)));
    t.write(victim.join(".agent_context/issue_context.md"), "edited");
    let done = t.execenv(["cleanup", KEY, "--local-dir", "victim"]).run().status(1);
    for (file, stays) in [
        ("src/main.rs", true), // no plan puts anything there, whatever its bytes
        (".agent_context/issue_context.md", true), // a place of ours with other bytes
        ("CLAUDE.md", true),   // no block in it
        (".claude/skills/mine/SKILL.md", false), // a place of ours, with the recorded bytes
    ] {
        assert_eq!(victim.join(file).exists(), stays, "{file}: {done}");
    }
    assert_eq!(fs::read_to_string(victim.join("CLAUDE.md")).unwrap(), SECRET);
    assert!(done.stderr.contains("src/main.rs") && done.stderr.contains("issue_context.md"), "{done}");
    // What stays is still listed; nothing of it became a proof.
    let manifest = json_at(&env.join(MANIFEST));
    assert!(manifest["files"].to_string().contains("src/main.rs") && manifest["execenv"]["proof"].is_null());
    t.execenv(["cleanup", KEY]).fails(1, &["nothing proves"]);
    // A folder that the record does not name is refused.
    t.execenv(["cleanup", KEY, "--local-dir", "project"])
        .fails(1, &["are in [TMP]/victim, not in [PROJECT]"]);
}

#[test]
fn a_copy_in_the_env_root_writes_nothing_into_a_users_file() {
    let half = "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->\nevil\n";
    for word in [&[][..], &["--local-dir", "project"]] {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", "mine\n");
        let before = t.project_now();
        let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
        t.write(env.join("backup/CLAUDE.md"), half);
        if !word.is_empty() {
            let mut manifest = json_at(&env.join(MANIFEST));
            manifest["execenv"].as_object_mut().unwrap().remove("proof");
            t.write(env.join(MANIFEST), manifest.to_string());
        }
        t.execenv(["cleanup", KEY].iter().chain(word)).ok();
        assert_same(&before, &t.project_now(), "cleaned up");
    }
}

#[test]
fn only_a_marked_folder_of_a_run_is_removed() {
    for mark in [None, Some("x"), Some("other/env")] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        let id = "12345678-1234-4123-8123-123456789012";
        let folder = t.tmp.join("execenv-12345678-1234");
        t.write(folder.join("precious"), SECRET);
        if let Some(mark) = mark {
            t.write(folder.join(".execenv-run"), format!("{id} {mark}\n"));
        }
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        let mut meta = json_at(&env.join(META));
        meta["execenv"]["status"] = json!("running");
        meta["execenv"]["run"] = json!({"id": id, "seq": 1, "pid": 1, "temporary": folder});
        t.write(env.join(META), meta.to_string());
        let before = snapshot(&folder);
        t.execenv(["doctor", "--fix"]).run().sane(&[0, 1]);
        t.execenv(["run", KEY, "--", "true"]).run().sane(&[0]);
        t.write(env.join(META), meta.to_string());
        t.execenv(["cleanup", KEY]).run().sane(&[0]);
        assert_same(&before, &snapshot(&folder), &format!("{mark:?}"));
        // With the mark of this environment it is the run's own.
        t.write(folder.join(".execenv-run"), format!("{id} default/{KEY}\n"));
        t.write(env.join(META), meta.to_string());
        t.execenv(["cleanup", KEY]).run().sane(&[0]);
        assert!(!folder.exists(), "{mark:?}");
    }
}

/// Changes the manifest as execenv itself would.
fn rewrite(t: &TestEnv, change: impl FnOnce(&mut Manifest)) {
    let text = fs::read_to_string(t.tmp.join("key")).unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    let key = OperatorKey::new(bytes.try_into().unwrap());
    let env = Tree::open(&env_of(t)).unwrap();
    let mut manifest = Manifest::load(&env).unwrap().unwrap();
    change(&mut manifest);
    manifest.store(&env, Some(&Seal { key: &key, env: KEY.into() })).unwrap();
}

fn local() -> (TestEnv, Snapshot) {
    let t = TestEnv::new();
    t.write("project/CLAUDE.md", "mine\n");
    let before = t.project_now();
    t.write("task.json", r#"{"agent":{"skills":[{"name":"S","content":"x"}]}}"#);
    t.prepare(["--task", "task.json", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    (t, before)
}

/// The commands that need the prepared folder.
const NEED_THE_FOLDER: [&[&str]; 5] = [
    &["run", KEY, "--", "true"],
    &["reuse", KEY, "--task", "task.json"],
    &["prepare", "--keep-existing", "--task-id", TASK, "--local-dir", "project"],
    &["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"],
    &["cleanup", KEY],
];

#[test]
fn a_folder_is_the_same_after_a_reboot_or_on_another_mount() {
    let changes: [&dyn Fn(&mut Manifest); 4] = [
        &|manifest| folder(manifest).device += 1,
        &|manifest| folder(manifest).boot = "another boot".into(),
        // A file system that keeps no time of birth, after a reboot: our files are there.
        &|manifest| *folder(manifest) = unborn(folder(manifest).inode),
        // Other numbers altogether, as a container or a restored backup shows them.
        &|manifest| *folder(manifest) = unborn(folder(manifest).inode + 1),
    ];
    for change in changes {
        let (t, before) = local();
        for command in NEED_THE_FOLDER {
            rewrite(&t, change);
            t.execenv(command).run().status(0);
        }
        assert_same(&before, &t.project_now(), "cleaned up");
        rewrite(&t, change);
        t.execenv(["cleanup", KEY]).ok();
    }
}

fn folder(manifest: &mut Manifest) -> &mut execenv::internals::sidecar::Folder {
    manifest.record.as_mut().unwrap().folder.as_mut().unwrap()
}

fn unborn(inode: u64) -> execenv::internals::sidecar::Folder {
    execenv::internals::sidecar::Folder { inode, ..Default::default() }
}

#[test]
fn another_folder_in_its_place_is_not_it() {
    let (t, before) = local();
    let during = t.project_now();
    fs::rename(&t.project, t.tmp.join("away")).unwrap();
    fs::create_dir(&t.project).unwrap();
    t.write("project/CLAUDE.md", "another project\n");
    let other = t.project_now();
    for command in NEED_THE_FOLDER {
        let done = t.execenv(command).run().sane(&[1, 3, 5]);
        assert!(done.stderr.contains("[PROJECT] is not the folder that was prepared"), "{done}");
    }
    t.execenv(["cleanup", "--all", "--force", KEY]).fails(1, &["is not the folder that was prepared"]);
    assert_same(&other, &t.project_now(), "the other one");
    assert_same(&during, &snapshot(&t.tmp.join("away")), "the prepared one");
    // The user's word does not make it one either: nothing of ours is in it.
    t.execenv(["cleanup", KEY, "--local-dir", "project"]).fails(1, &["lists is in"]);
    // But it finds the prepared one at its new path.
    fs::remove_dir_all(&t.project).unwrap();
    t.execenv(["cleanup", KEY]).fails(1, &["is not there", "--local-dir [TMP]/away"]);
    t.execenv(["cleanup", KEY, "--local-dir", "away"]).ok();
    assert_same(&before, &snapshot(&t.tmp.join("away")), "cleaned up where it is now");
}

#[test]
fn force_throws_no_record_away_that_was_not_acted_on() {
    // A lock on the folder, anybody's.
    let (t, before) = local();
    let lock = fs::File::open(&t.project).unwrap();
    lock.lock().unwrap();
    for words in [&["cleanup", KEY][..], &["cleanup", "--all", "--force", KEY]] {
        t.execenv(words).fails(4, &["another execenv is at work in [PROJECT]"]);
    }
    drop(lock);
    t.execenv(["cleanup", "--all", "--force", KEY]).ok();
    assert_same(&before, &t.project_now(), "cleaned up");
    // A sidecar that cannot be taken back.
    let (t, _) = local();
    fs::remove_dir_all(t.project.join(".agent_context")).unwrap();
    std::os::unix::fs::symlink(&t.home, t.project.join(".agent_context")).unwrap();
    t.execenv(["cleanup", "--all", "--force", KEY]).run().sane(&[1]);
    assert!(env_of(&t).join(MANIFEST).exists());
    let left = t.execenv(["cleanup", "--all", "--forget", KEY, "-o", "json"]).run().status(0);
    assert!(left.stderr.contains(".agent_context/issue_context.md") && !env_of(&t).exists(), "{left}");
    // A folder that was deleted: with force only, as it may have been moved.
    let (t, _) = local();
    fs::remove_dir_all(&t.project).unwrap();
    t.execenv(["cleanup", "--all", KEY]).fails(1, &["is not there"]);
    t.execenv(["cleanup", "--all", "--force", KEY]).ok();
    assert!(!env_of(&t).exists());
    // The folder above it is another one: a mount is missing.
    let (t, _) = local();
    t.execenv(["cleanup", KEY]).ok();
    t.write("disk/project/f", "");
    t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "disk/project"]);
    fs::rename(t.tmp.join("disk"), t.tmp.join("unplugged")).unwrap();
    fs::create_dir(t.tmp.join("disk")).unwrap();
    t.execenv(["cleanup", "--all", "--force", KEY]).fails(1, &["is not there"]);
    assert!(env_of(&t).join(MANIFEST).exists());
}

#[test]
fn without_a_list_nothing_is_proved_and_the_word_takes_back_what_names_show() {
    let (t, before) = local();
    fs::remove_file(env_of(&t).join(MANIFEST)).unwrap();
    let during = t.project_now();
    t.execenv(["verify", KEY]).fails(1, &["the list of what execenv wrote", "--local-dir [PROJECT]"]);
    for command in
        [&["cleanup", KEY][..], &["cleanup", "--all", "--force", KEY], &["prepare", "--task-id", TASK]]
    {
        let done = t.execenv(command).run().sane(&[1]);
        assert!(done.stderr.contains("--local-dir [PROJECT]"), "{done}");
        let is_cleanup = command[0] == "cleanup";
        assert!(
            !is_cleanup || done.stderr.contains("[PROJECT]/CLAUDE.md: may hold execenv's block"),
            "{done}"
        );
    }
    let found = t.execenv(["doctor"]).run().status(1);
    assert!(found.stdout.contains("no_manifest") && found.stdout.contains("--local-dir"), "{found}");
    assert_same(&during, &t.project_now(), "refused");
    let done = t.execenv(["cleanup", KEY, "--local-dir", "project"]).run().status(0);
    assert!(done.stderr.contains(".claude/skills/s: nothing says whether"), "{done}");
    fs::remove_dir_all(t.project.join(".claude")).unwrap();
    assert_same(&before, &t.project_now(), "but for the skills");
    t.execenv(["cleanup", KEY]).ok();
    t.execenv(["verify", KEY, "--local-dir", "project"]).fails(1, &["nothing records how [PROJECT] was"]);
}

/// An environment that an upstream daemon has prepared for a user's folder; it writes its record at the end.
fn upstream_local(t: &TestEnv, meta: Option<&str>) -> (PathBuf, Snapshot) {
    t.write("root/.multica/daemon_task_context.json", r#"{"managed_by":"multica-daemon-task"}"#);
    t.write("project/CLAUDE.md", "mine\n");
    t.write("project/.claude/skills/own/SKILL.md", "mine\n");
    let before = t.project_now();
    let env = t.root.join("w/0123456789ab");
    fs::create_dir_all(env.join("output")).unwrap();
    t.write(env.join(".task_owner"), "00000000-0000-4000-8000-0123456789ab");
    let block =
        "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->\nx\n<!-- END MULTICA-RUNTIME -->\n";
    t.write("project/CLAUDE.md", format!("mine\n\n\n{block}"));
    let files = [".agent_context/issue_context.md", ".claude/skills/review/SKILL.md"];
    let files = files.map(|file| t.write(t.project.join(file), "theirs"));
    let dirs = [t.project.join(".agent_context"), t.project.join(".claude/skills/review")];
    t.write(env.join(MANIFEST), json!({"files": files, "dirs": dirs}).to_string());
    if let Some(meta) = meta {
        t.write(env.join(META), meta);
    }
    (env, before)
}

#[test]
fn a_list_of_files_elsewhere_is_the_sign_of_a_users_folder() {
    let records = [
        None,
        Some(r#"{"kind":"issue","issue_id":"I","workspace_id":"w","local_directory":true}"#),
        Some(r#"{"kind":"issue","issue_id":"I","workspace_id":"w"}"#),
    ];
    for meta in records {
        let t = TestEnv::new();
        let (env, before) = upstream_local(&t, meta);
        let during = (t.project_now(), fs::read(env.join(MANIFEST)).unwrap());
        let name = env.to_str().unwrap();
        let again = ["prepare", "--workspace-id", "w", "--task-id", "00000000-0000-4000-8000-0123456789ab"];
        for command in [
            &["cleanup", name][..],
            &["cleanup", "--all", "--force", name],
            &again,
            &["verify", name],
            &["gc", "--orphan-ttl", "0", "--trash-ttl", "0"],
            &["doctor", "--fix"],
        ] {
            let done = t.execenv(command).run();
            if command[0] != "gc" && command[0] != "doctor" {
                assert!(done.status == Some(1) && done.stderr.contains("--local-dir [PROJECT]"), "{done}");
            }
            let named = done.stderr.contains("review/SKILL.md: listed, and not taken back");
            assert!(named || command[0] != "cleanup", "{done}");
            assert!(during == (t.project_now(), fs::read(env.join(MANIFEST)).unwrap()), "{done}");
        }
        t.execenv(["cleanup", "--all", name, "--local-dir", "project"]).run().status(0);
        assert_same(&before, &t.project_now(), "taken back");
        assert!(!env.exists());
    }
    // What lies elsewhere stays, with the list.
    let t = TestEnv::new();
    let (env, _) = upstream_local(&t, None);
    let mut manifest = json_at(&env.join(MANIFEST));
    manifest["files"]
        .as_array_mut()
        .unwrap()
        .push(json!(t.write("victim/.agent_context/issue_context.md", SECRET)));
    t.write(env.join(MANIFEST), manifest.to_string());
    t.execenv(["cleanup", "--all", env.to_str().unwrap(), "--local-dir", "project"]).fails(1, &["victim"]);
    assert!(t.tmp.join("victim/.agent_context/issue_context.md").exists());
    assert!(json_at(&env.join(MANIFEST))["files"].to_string().contains("victim"));
    // And a copy of what is removed is kept, because the list has no digests.
    let copy = env.join("output/kept-sidecars/.claude/skills/review/SKILL.md");
    assert_eq!(fs::read_to_string(copy).unwrap(), "theirs");
}

#[test]
fn a_damaged_record_beside_a_whole_manifest_is_taken_back_and_the_hints_lead_out() {
    for (by, statuses) in [(&["doctor", "--fix"][..], [1, 0]), (&["cleanup", "--all", KEY], [0, 3])] {
        let (t, before) = local();
        t.write(env_of(&t).join(META), "{bad");
        let told = t.execenv(["reuse", KEY]).run().status(3);
        assert!(told.stderr.contains("is damaged") && told.stderr.contains("cleanup --all"), "{told}");
        let done = t.execenv(by).run().status(statuses[0]);
        assert_same(&before, &t.project_now(), &format!("{by:?}"));
        assert!(done.status != Some(0) || !done.stderr.contains("error:"), "{done}");
        t.execenv(["cleanup", "--all", KEY]).run().status(statuses[1]);
        assert!(!env_of(&t).exists());
    }
}

#[test]
fn the_key_is_made_when_it_is_needed_and_without_one_a_warning_says_what_follows() {
    let t = TestEnv::new();
    let key = t.home.join(".local/share/execenv/key");
    let run = |words: &[&str]| t.execenv(words).without("EXECENV_KEY_FILE");
    run(&["prepare", "--task-id", "managed"]).ok();
    run(&["list"]).ok();
    assert!(!key.exists(), "a managed work dir needs none");
    run(&["prepare", "--task-id", TASK, "--local-dir", "project"]).ok();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    run(&["cleanup", KEY]).ok();
    // One that others can read is none.
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let done = run(&["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"])
        .run()
        .status(0);
    assert!(done.stderr.contains("its mode is 0644") && done.stderr.contains("`--local-dir`"), "{done}");
    run(&["cleanup", KEY]).fails(1, &["nothing proves", "--local-dir [PROJECT]"]);
    run(&["cleanup", KEY, "--local-dir", "project"]).ok();
    assert!(t.project_now().is_empty());
    // Nor is one that an agent could read in the root.
    t.execenv(["list"]).var("EXECENV_KEY_FILE", t.root.join("key")).fails(2, &["inside the workspaces root"]);
}

/// The first user folder makes the key.
fn make_key(t: &TestEnv) {
    t.write("elsewhere/file", "x");
    t.prepare(["--task-id", "other", "--local-dir", "elsewhere"]);
}

/// The launch file names what a run starts. What an agent did to it, and what a run says.
#[test]
fn a_run_starts_nothing_from_a_launch_file_that_nothing_proves() {
    type Change = fn(&mut Value);
    const RUN: [&str; 4] = ["run", KEY, "--", "true"];
    let untouched: Change = |_| {};
    let changed: Change = |file| file["custom_env"]["EVIL"] = json!("1");
    let stripped: Change = |file| drop(file.as_object_mut().unwrap().remove("proof"));
    let forged: Change = |file| file["proof"] = json!("00");
    let other_type: Change = |file| file["proof"] = json!(1);
    let another_key: Change = |file| file["later"] = json!("1");
    for (name, change, is_refused) in [
        ("untouched", untouched, false),
        ("changed", changed, true),
        ("without its proof", stripped, true),
        ("with another proof", forged, true),
        ("with a proof of another type", other_type, true),
        ("with a key more", another_key, true),
    ] {
        for local in [&[][..], &["--local-dir", "project"]] {
            let t = TestEnv::new();
            t.write("task.json", r#"{"agent":{"custom_env":{"A":"1"}}}"#);
            make_key(&t);
            t.prepare(["--task", "task.json", "--task-id", TASK].into_iter().chain(local.iter().copied()));
            let file = env_of(&t).join("launch/task.json");
            let mut now = json_at(&file);
            change(&mut now);
            t.write(&file, now.to_string());
            if is_refused {
                let why = match name {
                    "without its proof" => "the two cannot be told apart",
                    _ => "an agent can have changed it",
                };
                t.execenv(RUN).fails(1, &[why, "--task FILE`"]);
            } else {
                t.execenv(RUN).run().status(0);
            }
            if local.is_empty() {
                let done = t.execenv(RUN).var("EXECENV_KEY_FILE", t.tmp.join("none")).run();
                assert_eq!(done.status, Some(0), "without the key nothing can be told: {name}\n{done}");
            }
            t.execenv(["reuse", KEY, "--task", "task.json"]).ok();
            t.execenv(RUN).run().status(0);
        }
    }
}

#[test]
fn an_environment_that_is_older_than_the_key_runs_with_a_warning() {
    let t = TestEnv::new();
    t.write("task.json", r#"{"agent":{"custom_env":{"A":"1"}}}"#);
    t.prepare(["--task", "task.json", "--task-id", TASK]);
    let run = || t.execenv(["run", KEY, "--", "true"]).run().status(0);
    assert!(!run().stderr.contains("nothing proves"), "there is no key");
    make_key(&t);
    let done = run();
    assert!(done.stderr.contains("nothing proves") && done.stderr.contains("execenv reuse"), "{done}");
    t.execenv(["reuse", KEY, "--task", "task.json"]).ok();
    assert!(!run().stderr.contains("nothing proves"), "it is sealed now");
}

/// `gc` says of a folder that it is as before only if execenv wrote the list of what was touched there.
#[test]
fn gc_opens_no_folder_that_only_a_claim_names() {
    for (name, proved) in [("proved", true), ("a claim", false)] {
        let (t, _) = local();
        t.execenv(["cleanup", KEY]).ok();
        if !proved {
            let mut manifest = json_at(&env_of(&t).join(MANIFEST));
            manifest["execenv"]["token"] = json!("another");
            t.write(env_of(&t).join(MANIFEST), manifest.to_string());
        }
        let done = t
            .execenv(["gc", "--explain", KEY, "--orphan-ttl", "1s", "--ttl", "1s", "-o", "json"])
            .var("EXECENV_TEST_NOW", "2099-01-01T00:00:00Z")
            .ok();
        let judged: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(judged["evidence"]["folder_restored"], json!(proved), "{name}\n{done}");
    }
}

/// Another user cannot open the state files: nothing is removed, and nothing that cannot be read is called damaged.
#[test]
fn what_another_user_cannot_read_is_neither_damaged_nor_removed() {
    let (t, _) = local();
    t.prepare(["--task-id", "managed"]);
    fs::set_permissions(&t.tmp, PermissionsExt::from_mode(0o755)).unwrap();
    let as_another = |words: &[&str]| {
        let mut command = t.command("setpriv");
        command.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_execenv")).args(words).output().unwrap()
    };
    if !as_another(&["--version"]).status.success() {
        eprintln!("not run: only root can be another user, who must reach the program");
        return;
    }
    let before = (snapshot(&t.root), t.project_now());
    for words in [
        &["show", KEY][..],
        &["verify", KEY],
        &["run", KEY, "--", "true"],
        &["reuse", KEY],
        &["reuse", KEY, "--or-prepare"],
        &["prepare", "--task-id", TASK],
        &["prepare", "--task-id", TASK, "--keep-existing"],
        &["doctor"],
        &["doctor", "--fix"],
        &["gc", "--orphan-ttl", "0", "--trash-ttl", "0"],
        &["gc", "--explain", KEY],
        &["cleanup", KEY],
        &["cleanup", KEY, "--local-dir", "project"],
        &["cleanup", "--all", KEY],
        &["cleanup", "--all", "--force", KEY],
    ] {
        let done = as_another(words);
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        for wrong in ["damaged", "cleanup --all", "locks must work"] {
            assert!(!said.contains(wrong), "{words:?}: {said}");
        }
        let may_look =
            matches!(words[0], "show" | "gc") && words != ["gc", "--orphan-ttl", "0", "--trash-ttl", "0"];
        assert!(may_look || !done.status.success(), "{words:?}: {said}");
        assert_same(&before.0, &snapshot(&t.root), &format!("{words:?}: {said}"));
        assert_same(&before.1, &t.project_now(), &format!("{words:?}: {said}"));
    }
}
