//! Environments that release 0.1 made (`tests/fixtures/release-0.1/make.sh` says how) are listed, reused, run, verified,
//! cleaned up, restored and collected.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

const MANAGED: &str = include_str!("../fixtures/release-0.1/managed.tree");
const LOCAL: &str = include_str!("../fixtures/release-0.1/local.tree");
const CRASHED: &str = include_str!("../fixtures/release-0.1/crashed.tree");
const TRASH: &str = include_str!("../fixtures/release-0.1/trash.tree");
const CODEX: &str = include_str!("../fixtures/release-0.1/codex.tree");
/// After every age and lease.
const LATER: &str = "2026-06-30T12:00:00Z";

/// Lays a tree out as the world of a test: paths and identities become those of the world.
fn lay_out(tree: &str) -> TestEnv {
    let t = TestEnv::new();
    let project = fs::metadata(&t.project).unwrap();
    let places = [
        ("@ROOT@", t.root.display().to_string()),
        ("@PROJECT@", t.project.display().to_string()),
        ("@HOME@", t.home.display().to_string()),
        ("@DEV@", project.dev().to_string()),
        ("@INO@", project.ino().to_string()),
    ];
    let fill = |text: &str| places.iter().fold(text.to_owned(), |text, (name, is)| text.replace(name, is));
    for line in tree.lines() {
        let mut parts = line.splitn(4, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (kind, mode, path, content) = (part(), part(), t.tmp.join(part()), part());
        match kind {
            "dir" => fs::create_dir_all(&path).unwrap(),
            "file" => fs::write(&path, fill(&serde_json::from_str::<String>(content).unwrap())).unwrap(),
            "link" => symlink(fill(content), &path).unwrap(),
            _ => panic!("{line:?} is no entry of a tree"),
        }
        if kind != "link" {
            let mode = u32::from_str_radix(mode, 8).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    t
}

/// The env root of each tree but that in the trash.
fn env_root(t: &TestEnv) -> PathBuf {
    t.root.join("w").join(KEY)
}

fn json_at(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn record(t: &TestEnv) -> Value {
    json_at(&env_root(t).join(".gc_meta.json"))
}

/// A document of the task for which the trees were made, with another skill and instruction.
fn next_document(t: &TestEnv, provider: &str) {
    let skill = json!({"name": "Review", "description": "d", "content": "Look.", "files": []});
    let agent = json!({"id": "a1", "name": "Ada", "instructions": "Be thorough.", "skills": [skill]});
    let task = json!({"id": TASK, "workspace_id": "w", "provider": provider, "agent": agent});
    t.write("next.json", task.to_string());
}

/// The user's folder of the tree `local`, before there was an environment.
fn users_folder() -> Snapshot {
    let is = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    [is("CLAUDE.md", r"0640 file # Mine\n\nuse tabs\n"), is("main.c", r"0644 file int main;\n")].into()
}

#[test]
fn all_of_them_are_listed_and_shown_and_looking_changes_nothing() {
    for (tree, provider, status, is_local) in [
        (MANAGED, "claude", "completed", false),
        (LOCAL, "claude", "prepared", true),
        (CRASHED, "claude", "crashed", false),
        (CODEX, "codex", "prepared", false),
    ] {
        let t = lay_out(tree);
        let before = snapshot(&t.tmp);
        let listed = t.execenv(["list", "-o", "json"]).json();
        let rows = listed["environments"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{listed}");
        let shown = t.execenv(["show", KEY, "-o", "json"]).json();
        for row in [&rows[0], &shown] {
            let facts =
                [&row["task_id"], &row["workspace_id"], &row["key"], &row["provider"], &row["status"]];
            assert_eq!(facts, [TASK, "w", KEY, provider, status]);
            assert_eq!((&row["local_directory"], &row["live"]), (&json!(is_local), &json!(false)));
        }
        assert_eq!(rows[0]["made_by"], "execenv");
        assert_eq!(shown["prepared_at"], "2026-05-01T12:00:00Z");
        let work_dir = if is_local { t.project.clone() } else { env_root(&t).join("workdir") };
        assert_eq!(shown["work_dir"], json!(work_dir));
        let dry = t.execenv(["gc", "--dry-run", "-o", "json"]).json();
        let (action, reason) = if is_local { ("skip", "local_directory") } else { ("orphan", "unused") };
        let decision = &dry["decisions"][0];
        assert_eq!([&decision["action"], &decision["reason"]], [action, reason]);
        // Its record has no proof: only the user can say which folder it is.
        let word: &[&str] = if is_local { &["--local-dir", "project"] } else { &[] };
        let verify = ["verify", KEY, "-o", "json"].iter().chain(word);
        let verified = t.execenv(verify).run().status(1).stdout;
        let verified: Value = serde_json::from_str(&verified).unwrap();
        let differences = verified["differences"].as_array().unwrap();
        assert_eq!(verified["compared"], json!(differences.len()));
        assert!(differences.iter().all(|it| it["by"] == "execenv"), "{verified}");
        let problems = i32::from(status == "crashed");
        t.execenv(["doctor"]).run().status(problems);
        t.execenv(["du"]).ok();
        assert_same(&before, &snapshot(&t.tmp), "after looking");
    }
}

#[test]
fn all_of_them_run_and_are_reused_cleaned_up_and_collected() {
    for (tree, provider, skills) in [
        (MANAGED, "claude", "workdir/.claude/skills"),
        (CRASHED, "claude", "workdir/.claude/skills"),
        (CODEX, "codex", "codex-home/skills"),
    ] {
        let t = lay_out(tree);
        let env = env_root(&t);
        let last = record(&t)["execenv"]["run"]["seq"].as_u64().unwrap_or(0);
        t.execenv(["doctor", "--fix"]).ok();
        t.execenv(["run", KEY, "--", "sh", "-c", "test \"$TOKEN\" = old-secret && echo ran"]).ok();
        let now = record(&t);
        assert_eq!([&now["execenv"]["status"], &now["execenv"]["last_result"]["status"]], ["completed"; 2]);
        assert_eq!(now["execenv"]["run"]["seq"], json!(last + 1));
        assert_eq!(fs::read_to_string(env.join("logs/agent.ndjson")).unwrap(), "ran\n");

        next_document(&t, provider);
        t.execenv(["-q", "reuse", KEY, "--task", "next.json"]).ok();
        let names = |folder: &Path| -> Vec<_> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(&env.join(skills)), ["review"], "the skill of the former task is gone");
        let brief = if provider == "codex" { "AGENTS.md" } else { "CLAUDE.md" };
        let brief = fs::read_to_string(env.join("workdir").join(brief)).unwrap();
        assert!(brief.contains("Be thorough.") && !brief.contains("Be brief."), "{brief}");
        assert_eq!(brief.matches("BEGIN MULTICA-RUNTIME").count(), 1);
        assert_eq!(env.join("workdir/made-by-agent.txt").exists(), tree == MANAGED, "the agent's work stays");
        t.execenv(["run", KEY, "--", "true"]).ok();
        assert_eq!(record(&t)["execenv"]["run"]["seq"], json!(last + 2));

        t.execenv(["cleanup", KEY]).ok();
        assert_eq!(record(&t)["execenv"]["status"], "cleaned");
        assert!(!env.join("workdir").exists() && env.join("output/result.json").is_file());
        assert!(!snapshot(&t.root).values().any(|text| text.contains("old-secret")));
        let gc = || t.execenv(["gc", "-o", "json"]).var("EXECENV_TEST_NOW", LATER).json();
        assert_eq!(gc()["cleaned"], 1);
        assert_eq!(gc()["scanned"], 0);
        t.assert_nothing_half_made("after gc");
    }
}

#[test]
fn gc_collects_them_as_they_are_and_the_trash_gives_them_back() {
    for tree in [MANAGED, CRASHED, CODEX] {
        let t = lay_out(tree);
        let before = snapshot(&env_root(&t));
        assert_eq!(t.execenv(["gc", "-o", "json"]).json()["orphaned"], 1);
        assert!(!env_root(&t).exists());
        t.execenv(["trash", "restore", KEY]).ok();
        let mut after = snapshot(&env_root(&t));
        // The record says besides that a dead run has crashed, and until when the restored environment is leased.
        // Both are private now.
        for name in [".gc_meta.json", ".task_lock"] {
            assert!(after[Path::new(name)].starts_with("0600 "));
            after.insert(name.into(), before[Path::new(name)].clone());
        }
        assert_same(&before, &after, "restored");
        t.execenv(["run", KEY, "--", "true"]).run().status(0);
    }
}

#[test]
fn a_folder_of_the_user_comes_back_byte_for_byte() {
    let word = ["--local-dir", "project"];
    let t = lay_out(LOCAL);
    let before = t.project_now();
    for command in [&["cleanup"][..], &["cleanup", "--all", "--force"], &["verify"], &["reuse"]] {
        let refused = t.execenv(command.iter().chain(&[KEY])).run().sane(&[1]);
        assert!(refused.stderr.contains("--local-dir [PROJECT]"), "{refused}");
    }
    assert_same(&before, &t.project_now(), "refused");
    t.execenv(["cleanup", KEY].iter().chain(&word)).ok();
    assert_same(&users_folder(), &t.project_now(), "cleaned up at once");
    t.execenv(["verify", KEY].iter().chain(&word)).ok();
    t.execenv(["cleanup", KEY]).ok();

    let t = lay_out(LOCAL);
    next_document(&t, "claude");
    t.execenv(["run", KEY, "--", "true"]).fails(1, &["nothing proves the record"]);
    t.execenv(["run", KEY].iter().chain(&word).chain(&["--", "true"])).ok();
    t.execenv(["reuse", KEY, "--task", "next.json"].iter().chain(&word)).ok();
    assert!(t.project.join(".claude/skills/review/SKILL.md").is_file());
    assert!(!t.project.join(".claude/skills/go-conventions").exists());
    t.execenv(["run", KEY, "--", "true"]).ok();
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert_same(&users_folder(), &t.project_now(), "cleaned up after a reuse");
    assert!(!env_root(&t).exists());
}

#[test]
fn a_folder_of_the_user_that_was_replaced_is_left_alone() {
    let t = lay_out(LOCAL);
    let aside = t.tmp.join("aside");
    fs::rename(&t.project, &aside).unwrap();
    fs::create_dir(&t.project).unwrap();
    t.write("project/CLAUDE.md", "another project\n");
    let before = t.project_now();
    t.execenv(["run", KEY, "--", "true"]).fails(1, &["nothing proves the record"]);
    t.execenv(["cleanup", KEY, "--local-dir", "project"])
        .fails(1, &["nothing of what the record", "lists is in"]);
    assert_same(&before, &t.project_now(), "after the refusals");
    // By the user's word also at another path.
    fs::remove_dir_all(&t.project).unwrap();
    t.execenv(["cleanup", KEY, "--local-dir", "aside"]).ok();
    assert_same(&users_folder(), &snapshot(&aside), "cleaned up where it is now");
}

#[test]
fn a_dead_run_is_recorded_and_the_next_run_goes_through() {
    let t = lay_out(CRASHED);
    t.execenv(["doctor"]).run().status(1);
    let fixed = t.execenv(["doctor", "--fix", "-o", "json"]).ok();
    assert!(fixed.stdout.contains("crashed_run"), "{fixed}");
    assert_eq!(record(&t)["execenv"]["status"], "crashed");
    assert!(!env_root(&t).join("tmp").exists(), "the run's temporary files are removed");
    assert!(env_root(&t).join("workdir/begun.txt").is_file());
    t.execenv(["doctor"]).ok();

    let t = lay_out(CRASHED);
    let warning = "warning: the last run here died; no process of it was left\n";
    t.execenv(["run", KEY, "--", "true"]).ok_saying(warning);
    assert_eq!(record(&t)["execenv"]["status"], "completed");
}

#[test]
fn an_entry_of_the_trash_is_restored_or_deleted() {
    let t = lay_out(TRASH);
    assert_eq!(t.execenv(["list", "-q", "-o", "json"]).json()["environments"], json!([]));
    let listed = t.execenv(["trash", "list", "-o", "json"]).json();
    let entry = &listed["entries"][0];
    assert_eq!(entry["origin"], json!(env_root(&t)));
    let times = [&entry["trashed_at"], &entry["deleted_after"]];
    assert_eq!(times, ["2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"]);
    t.execenv(["gc"]).ok();
    t.execenv(["trash", "restore", KEY]).ok();
    t.execenv(["run", KEY, "--", "true"]).ok();
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert_eq!(t.execenv(["trash", "list"]).ok().stdout, "");

    let t = lay_out(TRASH);
    t.execenv(["gc"]).var("EXECENV_TEST_NOW", LATER).ok();
    assert_eq!(t.execenv(["trash", "list"]).ok().stdout, "");
    t.assert_nothing_half_made("after gc");
}

#[test]
fn keys_of_another_version_outlive_every_command() {
    let t = lay_out(MANAGED);
    let later = json!({"x": 12_345_678_901_u64});
    let (path, manifest) = (".gc_meta.json", ".multica_sidecar_manifest.json");
    let add = |path: &str, pointer: &str| {
        let path = env_root(&t).join(path);
        let mut value = json_at(&path);
        value.pointer_mut(pointer).unwrap()["later"] = later.clone();
        fs::write(&path, value.to_string()).unwrap();
    };
    add(path, "");
    add(path, "/execenv");
    add(manifest, "");
    next_document(&t, "claude");
    for command in [
        &["run", KEY, "--", "true"][..],
        &["reuse", KEY, "--task", "next.json"],
        &["run", KEY, "--", "true"],
        &["cleanup", "--trash", "--all", KEY],
        &["trash", "restore", KEY],
        &["cleanup", KEY],
    ] {
        t.execenv(command).ok();
        if env_root(&t).exists() {
            let record = record(&t);
            assert_eq!([&record["later"], &record["execenv"]["later"]], [&later; 2], "{command:?}");
            assert_eq!(json_at(&env_root(&t).join(manifest))["later"], later, "{command:?}");
        }
    }
}
