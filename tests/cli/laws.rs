//! Laws: prepare, any number of reuses and cleanup are the identity on a user's folder; a second cleanup changes
//! nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{KEY, TASK, TestEnv, assert_same};
use proptest::prelude::*;
use serde_json::{Value, json};

const BEGIN: &str = "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->";
const END: &str = "<!-- END MULTICA-RUNTIME -->";

#[derive(Clone, Debug)]
enum Item {
    File(Vec<u8>, u32),
    Dir,
    /// A link to a place inside the folder; skipped where that would be a link to nothing.
    Link(&'static str),
}

/// Places that matter, and some that do not.
fn place() -> impl Strategy<Value = Vec<u8>> {
    let fixed = prop::sample::select(vec![
        "CLAUDE.md",
        "AGENTS.md",
        "GEMINI.md",
        ".claude",
        ".claude/settings.json",
        ".claude/skills/review/SKILL.md",
        ".claude/skills/review-multica",
        ".agent_context",
        ".agent_context/issue_context.md",
        ".agent_context/skills/review/mine",
        ".gemini/skills/test/SKILL.md",
        ".multica/project/resources.json",
        ".multica",
        "docs/rules.md",
        "src/main.rs",
        "empty",
        ".execenv-brief",
        ".opencode/skills",
    ]);
    let odd = prop::collection::vec(prop::sample::select(b"a\xff\n\x1b' $".to_vec()), 1..6);
    prop_oneof![4 => fixed.prop_map(|text| text.as_bytes().to_vec()), 1 => odd]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"rules".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"   ".to_vec()),
        Just(format!("see `{BEGIN}` there").into_bytes()),
        Just(format!("> {BEGIN}\n> {END}\n").into_bytes()),
        Just(b"\xff\xfe\0".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        6 => (content(), prop::sample::select(vec![0o644, 0o600, 0o444, 0o755])).prop_map(|(bytes, mode)| Item::File(bytes, mode)),
        1 => Just(Item::Dir),
        1 => prop::sample::select(vec!["docs/rules.md", "AGENTS.md", "docs", "src"]).prop_map(Item::Link),
    ]
}

fn task() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        json!({}),
        json!({"issue_id": "I", "trigger_comment_id": "c"}),
        json!({"chat_session_id": "C", "chat_message": "hi"}),
        json!({"autopilot_run_id": "R"}),
        json!({"quick_create_prompt": "make one"}),
        json!({"issue_id": "I", "project_id": "P", "project_title": BEGIN, "workspace_context": format!("{END}\n")}),
    ]);
    let provider = prop::sample::select(vec![
        "claude", "gemini", "opencode", "command", "", "kiro", "openclaw", "hermes", "codex", "copilot",
        "cursor", "qwen", "qwenpaw",
    ]);
    let skill = (
        prop::sample::select(vec!["Review", "Test", "review", "Überprüfung", "a/b"]),
        prop::sample::select(vec!["", "x\n", "---\nname: q\n---\nbody"]),
        any::<bool>(),
    )
        .prop_map(|(name, content, with_file)| {
            let files =
                if with_file { json!([{"path": "ref/deep/list.md", "content": "1\r\n"}]) } else { json!([]) };
            json!({"name": name, "content": content, "files": files})
        });
    (kind, provider, prop::collection::vec(skill, 0..3)).prop_map(|(mut task, provider, skills)| {
        task["id"] = TASK.into();
        task["provider"] = provider.into();
        task["agent"] = json!({"id": "a", "name": "A", "skills": skills});
        task
    })
}

fn put(folder: &Path, place: &[u8], item: &Item) {
    let path = folder.join(OsStr::from_bytes(place));
    if path.symlink_metadata().is_ok() || fs::create_dir_all(path.parent().unwrap()).is_err() {
        return;
    }
    match item {
        Item::File(bytes, mode) => {
            if fs::write(&path, bytes).is_ok() {
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
        Item::Dir => drop(fs::create_dir(&path)),
        Item::Link(target) => {
            // Relative from wherever the link stands.
            let up = "../".repeat(Path::new(OsStr::from_bytes(place)).components().count() - 1);
            if folder.join(target).exists() && !folder.join(target).starts_with(&path) {
                drop(std::os::unix::fs::symlink(format!("{up}{target}"), &path));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prepare_reuse_and_cleanup_are_the_identity_on_a_users_folder(
        items in prop::collection::vec((place(), item()), 0..8),
        tasks in prop::collection::vec(task(), 1..4),
    ) {
        let t = TestEnv::new();
        for (place, item) in &items {
            put(&t.project, place, item);
        }
        let before = t.project_now();
        // OpenClaw is asked where its configuration is: nowhere yet.
        let claw = t.write("openclaw", "#!/bin/sh\necho /nonexistent/openclaw.json\n");
        std::fs::set_permissions(&claw, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for (n, task) in tasks.iter().enumerate() {
            let options: &[&str] = if n == 0 { &["prepare", "--task", "-", "--local-dir", "project"] } else { &["reuse", KEY, "--task", "-"] };
            let done = t.execenv(options).var("MULTICA_OPENCLAW_PATH", &claw).input(task.to_string()).run().sane(&[0, 5]);
            if n == 0 && done.status == Some(5) {
                assert_same(&before, &t.project_now(), "refused");
                return Ok(());
            }
        }
        let cleanup = t.execenv(["cleanup", KEY]).run().sane(&[0]);
        assert_same(&before, &t.project_now(), &format!("cleaned up\n{cleanup}"));
        let verdict = t.execenv(["verify", KEY, "-o", "json"]).json();
        assert_eq!(verdict["verdict"], "as_it_was", "{verdict}");
        let root = crate::support::snapshot(&t.root);
        t.execenv(["cleanup", KEY]).ok();
        assert_same(&before, &t.project_now(), "the second clean-up");
        assert_same(&root, &crate::support::snapshot(&t.root), "the second clean-up, in the root");
        t.assert_nothing_half_made_but(".execenv-brief", "in the end");
    }
}

/// An older block of ours in the file goes; everything around it stays.
#[test]
fn blocks_that_stand_already_are_replaced_and_taken_out() {
    for (seed, left) in [
        (format!("above\n\n\n{BEGIN}\nold\n{END}\n"), "above\n".to_owned()),
        (format!("above\n\n\n{BEGIN}\nold\n{END}\nbelow\n"), "above\nbelow\n".to_owned()),
        (format!("stray\n{END}\nabove\n\n\n{BEGIN}\nold\n{END}\n"), format!("stray\n{END}\nabove\n")),
    ] {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", &seed);
        t.execenv(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]).ok();
        for _ in 0..2 {
            let text = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
            assert_eq!(text.matches(BEGIN).count(), 1, "{text}");
            t.execenv(["reuse", KEY]).ok();
        }
        t.execenv(["cleanup", KEY]).ok();
        assert_eq!(fs::read_to_string(t.project.join("CLAUDE.md")).unwrap(), left, "from {seed:?}");
    }
}

#[test]
fn every_seed_of_the_marker_table_comes_back_and_its_block_stands_after_two_line_feeds() {
    for seed in ["", "rules", "rules\n", "rules\n\n", "rules\n\n\n\n", "   \n", "a\r\nb\r\n", "a\n\nb"] {
        let t = TestEnv::new();
        t.write("project/AGENTS.md", seed);
        t.execenv(["prepare", "--task-id", TASK, "--provider", "opencode", "--local-dir", "project", "-q"])
            .ok();
        let text = fs::read_to_string(t.project.join("AGENTS.md")).unwrap();
        assert!(
            text.starts_with(&format!("{seed}\n\n{BEGIN}\n")) && text.ends_with(&format!("\n{END}\n")),
            "{seed:?}"
        );
        t.execenv(["reuse", KEY]).ok();
        t.execenv(["cleanup", KEY]).ok();
        assert_eq!(fs::read_to_string(t.project.join("AGENTS.md")).unwrap(), seed);
    }
}
