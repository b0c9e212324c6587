use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn local() -> (TestEnv, crate::support::Snapshot) {
    let t = TestEnv::new();
    t.write("t.json", json!({"id": TASK, "provider": "claude", "issue_id": "I", "agent": {"skills": [{"name": "S", "content": "x"}]}}).to_string());
    t.write("project/CLAUDE.md", "mine\n");
    t.write("project/.claude/settings.json", "{}");
    let before = t.project_now();
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "project"]).ok();
    (t, before)
}

#[test]
fn it_takes_the_work_dir_and_keeps_output_and_logs() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/deep/file"), "12345");
    t.write(env.join("logs/run.log"), "log");
    t.write(env.join("output/result.json"), "{}");
    let answer = t.execenv(["cleanup", KEY, "-o", "json"]).json();
    assert_eq!(
        (&answer["schema"], &answer["outcome"], &answer["kept"]),
        (&json!(1), &json!("removed"), &json!([]))
    );
    assert!(answer["bytes"].as_u64().unwrap() >= 5);
    assert_eq!(answer["removed"], json!([env.join("workdir")]));
    assert!(
        !env.join("workdir").exists()
            && env.join("logs/run.log").exists()
            && env.join("output/result.json").exists()
    );
    let settled = snapshot(&t.root);
    let again = t.execenv(["cleanup", KEY, "-o", "json"]).json();
    assert_eq!(
        (&again["outcome"], &again["removed"], &again["bytes"]),
        (&json!("removed"), &json!([]), &json!(0))
    );
    assert_same(&settled, &snapshot(&t.root), "the second clean-up");
    assert!(t.root_listing().iter().all(|path| !path.starts_with(".trash/")));
}

#[test]
fn all_takes_the_env_root_and_trash_can_give_it_back() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("output/result.json"), "{}");
    let before = snapshot(&env);
    let answer = t.execenv(["cleanup", "--all", "--trash", KEY, "-o", "json"]).json();
    assert_eq!(answer["outcome"], "trashed");
    assert!(!env.exists());
    t.execenv(["trash", "restore", KEY]).ok();
    assert_same(&before, &snapshot(&env), "restored");
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert!(!env.exists());
    assert_eq!(t.execenv(["trash", "list"]).ok().stdout, "");
}

#[test]
fn a_users_folder_comes_back_and_is_never_removed() {
    for options in [&[][..], &["--all"], &["--trash"], &["--all", "--trash"], &["--force", "--all"]] {
        let (t, before) = local();
        t.execenv(["cleanup", KEY].into_iter().chain(options.iter().copied())).ok();
        assert_same(&before, &t.project_now(), &format!("{options:?}"));
    }
}

#[test]
fn what_the_agent_did_itself_stays() {
    let (t, _) = local();
    t.write("project/src/new.rs", "work");
    t.write("project/.claude/skills/s/notes.txt", "notes");
    let text = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
    t.write("project/CLAUDE.md", format!("{text}added below\n"));
    let answer = t.execenv(["cleanup", "project", "-o", "json"]).run().status(0);
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert!(answer["kept"].as_array().unwrap().iter().any(|kept| kept["why"] == "not empty"), "{answer}");
    assert_eq!(fs::read_to_string(t.project.join("CLAUDE.md")).unwrap(), "mine\nadded below\n");
    assert!(t.project.join("src/new.rs").is_file() && t.project.join(".claude/skills/s/notes.txt").is_file());
    assert!(
        !t.project.join(".claude/skills/s/SKILL.md").exists() && !t.project.join(".agent_context").exists()
    );
}

#[test]
fn an_edited_sidecar_goes_after_a_copy_was_kept() {
    let (t, before) = local();
    t.write("project/.claude/skills/s/SKILL.md", "edited");
    let done = t.execenv(["cleanup", KEY]).run().status(0);
    assert!(done.stderr.contains("a copy of an edited sidecar"), "{done}");
    assert_same(&before, &t.project_now(), "after cleanup");
    let kept = t.root.join("default").join(KEY).join("output/kept-sidecars/.claude/skills/s/SKILL.md");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "edited");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn sidecars_that_are_gone_or_replaced_are_no_error() {
    let (t, _) = local();
    fs::remove_dir_all(t.project.join(".agent_context")).unwrap();
    fs::remove_file(t.project.join("CLAUDE.md")).unwrap();
    fs::remove_file(t.project.join(".claude/skills/s/SKILL.md")).unwrap();
    fs::create_dir(t.project.join(".claude/skills/s/SKILL.md")).unwrap();
    t.link("project/.agent_context", &t.home);
    let done = t.execenv(["cleanup", KEY]).run().sane(&[0, 1]);
    assert!(t.project.join(".claude/skills/s/SKILL.md").is_dir(), "{done}");
    assert!(fs::symlink_metadata(t.project.join(".agent_context")).unwrap().is_symlink(), "{done}");
    assert!(!t.project.join("CLAUDE.md").exists());
}

#[test]
fn a_damaged_manifest_removes_nothing_and_outlives_force() {
    let (t, _) = local();
    let env = t.root.join("default").join(KEY);
    let during = t.project_now();
    for bytes in ["", "{", "[]", "{\"files\":7}", "\u{0}"] {
        t.write(env.join(".multica_sidecar_manifest.json"), bytes);
        let done = t.execenv(["cleanup", "--all", KEY, "-o", "json"]).run().status(1);
        let answer: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(answer["outcome"], "retained_unreadable", "{bytes:?}");
        assert_same(&during, &t.project_now(), bytes);
        assert!(env.is_dir());
    }
    t.execenv(["cleanup", "--all", "--force", KEY]).run().status(1);
    assert!(env.is_dir());
    assert_same(&during, &t.project_now(), "forced");
    t.execenv(["cleanup", "--all", "--forget", KEY]).run().status(0);
    assert!(!env.exists());
    assert_same(&during, &t.project_now(), "forgotten");
}

#[test]
fn several_are_an_array_and_all_names_are_checked_first() {
    let t = TestEnv::new();
    let (one, two) = (t.prepare([]), t.prepare([]));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    t.execenv(["cleanup", one, "nothing"]).fails(3, &["no environment `nothing`"]);
    assert!(std::path::Path::new(one).join("workdir").is_dir());
    let answer = t.execenv(["cleanup", one, two, "-o", "json"]).json();
    assert_eq!(answer.as_array().unwrap().len(), 2);
    t.execenv(["cleanup"]).fails(2, &["ENV"]);
}

#[test]
fn one_in_use_is_left_with_status_4() {
    let (t, _) = local();
    let env = t.root.join("default").join(KEY);
    let during = t.project_now();
    let lock = fs::File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    for command in [
        &["cleanup", KEY][..],
        &["cleanup", "--all", "--force", KEY],
        &["reuse", KEY],
        &["prepare", "--task", "t.json"],
        &["prepare", "--task", "t.json", "--keep-existing"],
    ] {
        t.execenv(command).fails(4, &["live process", "hint: "]);
        let json = t.execenv(command.iter().chain(&["-o", "json"])).run().status(4);
        let last = json.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {json}"));
        assert_eq!(error["error"]["code"], "env_busy", "{command:?}");
    }
    assert_same(&during, &t.project_now(), "while in use");
    drop(lock);
    t.execenv(["cleanup", KEY]).ok();
}

#[test]
fn a_second_cleanup_never_touches_what_came_later() {
    let (t, before) = local();
    t.execenv(["cleanup", KEY]).ok();
    t.write("project/CLAUDE.md", "mine\n\n\n<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->\nx\n<!-- END MULTICA-RUNTIME -->\n");
    t.write("project/.agent_context/issue_context.md", "now it is mine");
    let later = t.project_now();
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&later, &t.project_now(), "the second clean-up");
    assert_ne!(before, later);
}

#[test]
fn files_with_the_names_of_state_do_not_make_a_users_folder_an_environment() {
    let (t, _) = local();
    for name in [".gc_meta.json", ".task_lock", ".multica_sidecar_manifest.json"] {
        t.write(t.project.join(name), "{}");
    }
    t.write("project/workdir/file", "the user's");
    t.execenv(["cleanup", "--all", "project"]).run().sane(&[0]);
    assert!(t.project.join("workdir/file").is_file() && t.project.join(".gc_meta.json").is_file());
    for name in ["project", "project/workdir"] {
        t.execenv(["cleanup", "--all", name]).fails(3, &["no environment"]);
    }
    assert!(t.project.join("workdir/file").is_file());
}

#[test]
fn a_second_clean_up_of_everything_is_a_no_op_too() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let path = env.to_str().unwrap();
    t.execenv(["cleanup", "--all", path]).ok();
    let again = t.execenv(["cleanup", "--all", path, "-o", "json"]).json();
    assert_eq!((&again["outcome"], &again["removed"]), (&json!("removed"), &json!([])));
    // Only the place of an environment counts, not any path that is not there.
    t.execenv(["cleanup", "/nowhere/at/all"]).fails(3, &["no environment"]);
}

#[test]
fn what_the_agent_added_below_does_not_stick_to_the_users_last_line() {
    let t = TestEnv::new();
    let brief = t.write("project/CLAUDE.md", "mine");
    t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    t.write("project/CLAUDE.md", fs::read_to_string(&brief).unwrap() + "edit\n");
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(fs::read_to_string(&brief).unwrap(), "mine\nedit\n");
}

#[test]
fn an_error_of_one_keeps_the_reports_of_the_others() {
    let t = TestEnv::new();
    let (one, two) = (t.prepare([]), t.prepare(["--task-id", TASK]));
    let meta = two.join(".gc_meta.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    record["execenv"]["schema"] = 99.into();
    fs::write(&meta, record.to_string()).unwrap();
    let alone = t.execenv(["cleanup", KEY]).fails(3, &["schema 99"]).status;
    let done = t.execenv(["cleanup", KEY, one.to_str().unwrap(), "-o", "json"]).run();
    assert_eq!(done.status, alone, "{done}");
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&answer[0]["outcome"], &answer[1]["outcome"]), (&json!("failed"), &json!("removed")));
    assert!(two.join("workdir").is_dir() && !one.join("workdir").exists());
}

#[test]
fn a_damaged_record_can_be_cleaned_up_as_a_whole_only() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    fs::write(env.join(".gc_meta.json"), "{bad").unwrap();
    t.execenv(["cleanup", KEY]).fails(1, &["its record is damaged"]);
    assert!(env.join("workdir").is_dir());
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert!(!env.exists());
}

#[test]
fn the_record_of_a_users_folder_outlives_its_absence_and_its_own_damage() {
    let (t, before) = local();
    let moved = t.tmp.join("moved");
    fs::rename(&t.project, &moved).unwrap();
    for words in [&["cleanup", KEY][..], &["cleanup", "--all", KEY]] {
        t.execenv(words).fails(1, &["is not there; its sidecars are still in it"]);
    }
    fs::rename(&moved, &t.project).unwrap();
    let env = t.root.join("default").join(KEY);
    let record = fs::read(env.join(".gc_meta.json")).unwrap();
    fs::write(env.join(".gc_meta.json"), "{bad").unwrap();
    let gc = t.execenv(["gc", "-o", "json"]).var("EXECENV_TEST_NOW", "2036-01-01T00:00:00Z").json();
    assert_eq!(gc["decisions"][0]["reason"], "local_directory");
    // The manifest is whole, and proves what is taken back.
    t.execenv(["cleanup", KEY]).fails(1, &["its record is damaged; `--all` removes the whole env root"]);
    assert_same(&before, &t.project_now(), "cleaned up without a record");
    fs::write(env.join(".gc_meta.json"), record).unwrap();
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "put back and cleaned up");
}

/// Gives everything in the world of a test to a user without privileges, with a copy of the binary, and runs a script
/// as that user: `root` may do everything, so that modes would not matter.
fn as_another_user(t: &TestEnv, script: &str) -> std::process::Output {
    const USER: &str = "65534";
    let bin = t.tmp.join("bin");
    fs::create_dir_all(&bin).unwrap();
    crate::support::copy_execenv(&bin.join("execenv"));
    fs::set_permissions(&t.tmp, fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mut command = if is_root {
        assert!(
            t.command("chown")
                .args(["-R", &format!("{USER}:{USER}")])
                .arg(&t.tmp)
                .status()
                .unwrap()
                .success()
        );
        let mut command = t.command("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "sh"]);
        command
    } else {
        t.command("sh")
    };
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["-euc", script]).output().unwrap()
}

#[test]
fn folders_that_their_owner_has_locked_are_removed() {
    for (lock, remove) in [
        ("mkdir -p $w/a/b; chmod 555 $w/a", "execenv cleanup -q $e"),
        ("mkdir -p $w/a/b; touch $w/a/b/f; chmod 555 $w/a/b $w/a $w", "execenv cleanup -q $e"),
        ("mkdir -p $w/a/b; chmod 555 $w/a $w", "execenv cleanup -q --trash $e; execenv gc -q --trash-ttl 0"),
        (
            "mkdir -p $w/a/b; chmod 555 $w/a $w $e",
            "execenv cleanup -q --all --trash $e; execenv gc -q --trash-ttl 0",
        ),
        ("mkdir -p $w/a/b; chmod 555 $w/a $w", "execenv cleanup -q --all $e"),
        (
            "d=$w; for n in $(seq 130); do d=$d/x; mkdir $d; done; find $w -depth -type d -exec chmod 555 {} +",
            "execenv cleanup -q --all --force $e",
        ),
    ] {
        let t = TestEnv::new();
        let script = format!(
            "e=$(execenv prepare); w=$e/workdir; {lock}; {remove}; ! [ -e $w ]; ls -A $EXECENV_WORKSPACES_ROOT/.trash 2>/dev/null || true"
        );
        let output = as_another_user(&t, &script);
        assert!(output.status.success(), "{lock}; {remove}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{lock}; {remove}: the trash is empty");
    }
}

/// Whether this user may mount a file system in a name space of its own; says so if not.
#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn may_mount(t: &TestEnv) -> bool {
    let words = ["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "home"];
    let may = t.command("unshare").args(words).output().is_ok_and(|done| done.status.success());
    if !may {
        eprintln!("not run: this user may not mount a file system");
    }
    may
}

/// A script that runs in a full file system of its own; `None` where this user may not mount one.
fn on_a_full_disk(t: &TestEnv, before: &str, script: &str) -> Option<crate::support::Done> {
    let alone = ["--user", "--map-root-user", "--mount"];
    if !may_mount(t) {
        return None;
    }
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_execenv")).parent().unwrap();
    let whole = format!(
        "set -eu; PATH={}:$PATH; mkdir small; mount -t tmpfs -o size=600k none small; \
         export EXECENV_WORKSPACES_ROOT=$PWD/small/root; {before}\n\
         dd if=/dev/zero of=small/full bs=1k 2>/dev/null || true\n\
         dd if=/dev/zero of=small/full.2 bs=1 2>/dev/null || true\n\
         if (echo x >small/x) 2>/dev/null; then echo not full; exit 99; fi\n{script}",
        bin.display()
    );
    Some(t.sh(&format!("unshare {} sh -c '{whole}'", alone.join(" "))).run())
}

#[test]
#[cfg(target_os = "linux")]
fn what_only_removes_needs_no_room() {
    let rows = [
        ("managed", "execenv prepare --task-id T --provider claude >env", "", ""),
        ("managed, all", "execenv prepare --task-id T --provider claude >env", "--all", ""),
        (
            "a folder on the full disk",
            "mkdir small/project; printf mine >small/project/CLAUDE.md; cp -a small/project was; \
             execenv prepare --task-id T --provider claude --local-dir small/project >env",
            "",
            "diff -r was small/project; execenv verify $(cat env)",
        ),
        (
            "text below the block",
            "mkdir small/project; printf mine >small/project/CLAUDE.md; \
             execenv prepare --task-id T --provider claude --local-dir small/project >env; \
             echo below >>small/project/CLAUDE.md",
            "",
            "grep -c . small/project/CLAUDE.md | grep 2",
        ),
        (
            "a folder on another disk",
            "mkdir -p there; printf mine >there/CLAUDE.md; cp -a there was; \
             execenv prepare --task-id T --provider claude --local-dir there >env",
            "",
            "diff -r was there; execenv verify $(cat env)",
        ),
        (
            "homes with secrets",
            "mkdir -p codex; echo a >codex/auth.json; export CODEX_HOME=$PWD/codex; \
             execenv prepare --task-id T --provider codex >env",
            "",
            "test ! -e $(cat env)/codex-home/config.toml",
        ),
    ];
    for (name, before, option, after) in rows {
        let t = TestEnv::new();
        let script = format!(
            "execenv cleanup -q {option} $(cat env)\n{after}\ntest ! -e $(cat env)/workdir\nexecenv cleanup -q $(cat env) || test $? = 3"
        );
        let Some(done) = on_a_full_disk(&t, before, &script) else { return };
        assert_eq!(done.status, Some(0), "{name}\n{done}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_mount_is_found_before_anything_is_removed() {
    let t = TestEnv::new();
    let script = "execenv prepare --task-id T --provider claude >env; env=$(cat env)
        mkdir -p $env/workdir/a/b $env/workdir/z; echo work >$env/workdir/a/b/file
        mount -t tmpfs none $env/workdir/z; echo inside >$env/workdir/z/file
        for words in --trash --force --all\\ --force; do
            if execenv cleanup $words $env 2>err; then echo removed; exit 90; fi
            grep -q workdir/z.is.a.mount err
        done
        export EXECENV_TEST_NOW=2099-01-01T00:00:00Z
        execenv gc --orphan-ttl 1s -q 2>err
        test -e $env/workdir/a/b/file; test -e $env/workdir/z/file; test -e $env/workdir/CLAUDE.md
        umount $env/workdir/z; execenv cleanup $env; test ! -e $env/workdir";
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_execenv")).parent().unwrap();
    let whole = format!("set -eu; PATH={}:$PATH; {script}", bin.display());
    let alone = ["--user", "--map-root-user", "--mount"];
    if !may_mount(&t) {
        return;
    }
    let done = t.sh(&format!("unshare {} sh -c '{whole}'", alone.join(" "))).run();
    assert_eq!(done.status, Some(0), "{done}");
}
