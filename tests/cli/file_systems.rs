//! File systems that lack optional calls, or refuse to rename what is open.

use std::fs;

use super::support::{KEY, TASK, TestEnv};

#[test]
fn everything_works_without_the_calls_that_some_file_systems_lack() {
    for refused in [
        "renameat2:EINVAL",
        "renameat2:ENOSYS,linkat:ENOSYS",
        "renameat2:EINVAL,linkat:EPERM",
        "renameat2:EINVAL,linkat:ENOTSUP",
        "fsync:EINVAL",
    ] {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", "mine\n");
        let before = t.project_now();
        let run = |arguments: &[&str]| {
            let done = t.execenv(arguments).var("EXECENV_TEST_REFUSE", refused).run();
            let holds = done.status == Some(0);
            done.check(holds, refused)
        };
        run(&["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
        run(&["run", KEY, "--", "true"]);
        run(&["reuse", KEY]);
        run(&["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project", "--replace"]);
        run(&["cleanup", KEY]);
        assert_eq!(before, t.project_now(), "{refused}");
        run(&["cleanup", "--all", KEY]);
        t.prepare(["--task-id", TASK]);
        run(&["cleanup", "--all", "--trash", KEY]);
        let entries = fs::read_dir(t.root.join(".trash")).unwrap().map(|entry| entry.unwrap().file_name());
        for name in entries.filter_map(|name| name.into_string().ok()) {
            t.execenv(["trash", "restore", &name]).var("EXECENV_TEST_REFUSE", refused).run().sane(&[0, 5]);
        }
        t.assert_nothing_half_made(refused);
    }
}

#[test]
fn a_root_on_smb_is_refused_and_nothing_is_left() {
    let t = TestEnv::new();
    let done = t.execenv(["prepare", "--task-id", TASK]).var("EXECENV_TEST_REFUSE", "renameat2:EACCES").run();
    let done = done.status(1);
    assert!(done.stderr.contains("a workspaces root on SMB is not supported"), "{done}");
    t.assert_nothing_half_made("refused");
    assert_eq!(t.root_listing(), ["default"]);
}

#[test]
fn a_run_whose_env_root_was_replaced_meanwhile_does_not_end_with_0() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let script = format!("mv {0} {0}.moved; mkdir {0}", env.display());
    let done = t.execenv(["run", KEY, "--", "sh", "-c", &script]).run().status(125);
    assert!(done.stderr.contains("was moved or replaced while the agent ran"), "{done}");
    let moved = env.with_file_name(format!("{KEY}.moved"));
    assert!(moved.join("output/result.json").is_file());
    assert_eq!(fs::read_dir(&env).unwrap().count(), 0, "nothing is written into what came in its place");
    fs::remove_dir(&env).unwrap();
    fs::rename(&moved, &env).unwrap();
    let done =
        t.execenv(["run", KEY, "--", "sh", "-c", &format!("mv {0} {0}.moved; exit 3", env.display())]).run();
    assert!(done.status(3).stderr.contains("was moved or replaced"));
}

#[test]
fn where_no_modes_are_kept_prepare_reuse_and_doctor_say_who_can_read_the_secrets() {
    let t = TestEnv::new();
    t.make_project_a_repository();
    let on = |run: crate::support::Run<'_>, mount: &str| run.var("EXECENV_TEST_MOUNT", mount).run().status(0);
    let servers = r#"{"mcpServers": {"s": {"command": "x", "env": {"TOKEN": "secret"}}}}"#;
    t.write("servers.json", servers);
    let prepare = [
        "prepare",
        "--task-id",
        TASK,
        "--provider",
        "cursor",
        "--mcp-config",
        "servers.json",
        "--local-dir",
        "project",
    ];
    let exposed = "keeps no file modes: other users can read";
    let done = on(t.execenv(prepare), "vfat rw");
    assert!(done.stderr.contains(&format!("(vfat) {exposed} the secrets and conversations")), "{done}");
    assert!(done.stderr.contains(&format!("{exposed} .cursor/mcp.json")), "{done}");
    assert!(on(t.execenv(["reuse", KEY]), "vfat rw").stderr.contains(exposed));
    assert!(on(t.execenv(["doctor"]), "vfat rw").stdout.contains(exposed));
    for quiet in [&["reuse", KEY][..], &["doctor"]] {
        let done = on(t.execenv(quiet), "ext4 rw");
        assert!(!done.stderr.contains(exposed) && !done.stdout.contains(exposed), "{done}");
    }
}
