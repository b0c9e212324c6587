use crate::support::{KEY, TASK, TestEnv};

#[test]
fn it_says_as_it_was_or_names_each_difference_and_who_made_it() {
    let t = TestEnv::new();
    t.write("project/CLAUDE.md", "mine\n");
    t.execenv(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]).ok();
    let during = t.execenv(["verify", KEY, "-o", "json"]).run().status(1);
    let answer: serde_json::Value = serde_json::from_str(&during.stdout).unwrap();
    assert_eq!(answer["verdict"], "differs");
    let all_ours = answer["differences"].as_array().unwrap().iter().all(|row| row["by"] == "execenv");
    assert!(all_ours, "{answer}");
    t.execenv(["cleanup", KEY]).ok();
    let after = t.execenv(["verify", KEY, "-o", "json"]).json();
    assert_eq!(
        (after["verdict"].as_str(), after["differences"].as_array().map(Vec::len)),
        (Some("as_it_was"), Some(0))
    );
    t.write("project/CLAUDE.md", "changed\n");
    let done = t.execenv(["verify", KEY]).run().status(1);
    assert!(
        done.stdout.contains("CLAUDE.md: was a file of 5 bytes") && done.stdout.contains("(by other)"),
        "{done}"
    );
    std::fs::remove_dir_all(&t.project).unwrap();
    t.execenv(["verify", KEY]).fails(3, &["does not exist"]);
}

#[test]
fn a_changed_mode_or_link_is_a_difference() {
    use std::os::unix::fs::PermissionsExt;
    let t = TestEnv::new();
    t.write("project/docs/rules.md", "mine\n");
    t.link("project/CLAUDE.md", "docs/rules.md");
    t.execenv(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]).ok();
    t.execenv(["cleanup", KEY]).ok();
    t.execenv(["verify", KEY]).ok();
    std::fs::set_permissions(t.project.join("docs/rules.md"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    t.execenv(["verify", KEY]).run().status(1);
    std::fs::set_permissions(t.project.join("docs/rules.md"), std::fs::Permissions::from_mode(0o644))
        .unwrap();
    std::fs::remove_file(t.project.join("CLAUDE.md")).unwrap();
    t.write("project/CLAUDE.md", "mine\n");
    t.execenv(["verify", KEY]).run().status(1);
}

#[test]
fn a_folder_of_ours_that_somebody_uses_is_somebodys_after_cleanup() {
    let t = TestEnv::new();
    t.execenv(["prepare", "--task-id", TASK, "--local-dir", "project"]).ok();
    t.write("project/.agent_context/notes.txt", "the agent's");
    let by = |answer: &str| {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        answer["differences"][0]["by"].clone()
    };
    assert_eq!(by(&t.execenv(["verify", KEY, "-o", "json"]).run().status(1).stdout), "execenv");
    t.execenv(["cleanup", KEY, "-q"]).run().status(0);
    assert_eq!(by(&t.execenv(["verify", KEY, "-o", "json"]).run().status(1).stdout), "other");
}

#[test]
fn after_a_reuse_it_still_compares_with_what_was_before_prepare() {
    let t = TestEnv::new();
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let brief = t.write("project/CLAUDE.md", "mine\n");
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    t.write("project/CLAUDE.md", read(&brief) + "edit\n");
    t.execenv(["reuse", KEY]).ok();
    t.write("project/CLAUDE.md", read(&brief) + "more\n");
    t.execenv(["reuse", KEY, "--provider", "gemini"]).ok();
    assert_eq!(read(&env.join("backup/CLAUDE.md.first")), "mine\n");
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(read(&brief), "mine\nedit\nmore\n", "what the agent wrote stays");
    let done = t.execenv(["verify", KEY]).run().status(1);
    assert!(done.stdout.contains("CLAUDE.md: was a file of 5 bytes"), "{done}");
    t.write("project/CLAUDE.md", "mine\n");
    t.execenv(["verify", KEY]).ok();
}
