use crate::support::{KEY, TASK, TestEnv, assert_same};

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
    assert_eq!(after["scope"], "touched");
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

/// A file of the user's with everything a file can have: owner, group, mode, an access control list, attributes, a time.
fn attributed(t: &TestEnv) -> std::path::PathBuf {
    let path = t.write("project/CLAUDE.md", "mine\n");
    let run = |program: &str, words: &[&str]| {
        let done = t.command(program).args(words).arg(&path).output().unwrap();
        assert!(done.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run("chmod", &["0664"]);
    if rustix::process::geteuid().is_root() {
        run("chown", &["1234:2345"]);
    }
    let value = b"kept\0whole";
    rustix::fs::setxattr(&path, "user.note", value, rustix::fs::XattrFlags::empty()).unwrap();
    // user::rw-, user 7 r--, group::r--, mask rw-, other r--
    let list = acl(&[(1, 6, u32::MAX), (2, 4, 7), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 4, u32::MAX)]);
    match rustix::fs::setxattr(&path, "system.posix_acl_access", &list, rustix::fs::XattrFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOTSUP) => {}
        Err(error) => panic!("{error}"),
    }
    run("touch", &["-d", "2020-02-02T02:02:02.123456789Z"]);
    path
}

/// An access control list as the kernel takes it: tag, permissions and id of each entry.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// All that a file has but its inode and its birth.
fn all_of(path: &std::path::Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().unwrap();
    let mut extended = Vec::new();
    for name in ["user.note", "system.posix_acl_access"] {
        let mut value = vec![0; 4096];
        let len = rustix::fs::getxattr(path, name, &mut value[..]).unwrap_or(0);
        extended.push(value[..len].escape_ascii().to_string());
    }
    let owner = (metadata.uid(), metadata.gid());
    let time = (metadata.mtime(), metadata.mtime_nsec());
    let bytes = std::fs::read(path).unwrap();
    format!("{owner:?} {:o} {time:?} {extended:?} {}", metadata.mode(), bytes.escape_ascii())
}

#[test]
#[cfg(target_os = "linux")]
fn everything_a_file_has_is_put_back() {
    let t = TestEnv::new();
    let path = attributed(&t);
    // New files of the folder get a list of their own.
    let inherited =
        acl(&[(1, 7, u32::MAX), (2, 7, 9), (4, 7, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)]);
    let _ = rustix::fs::setxattr(
        &t.project,
        "system.posix_acl_default",
        &inherited,
        rustix::fs::XattrFlags::empty(),
    );
    let before = all_of(&path);
    let head = |text: String| text.split(" (15").next().unwrap().to_owned();
    t.execenv(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]).ok();
    let during = all_of(&path);
    assert!(during.contains("BEGIN"), "{during}");
    assert_eq!(
        head(during.clone()).split(' ').next(),
        head(before.clone()).split(' ').next(),
        "owner\n{during}"
    );
    t.execenv(["reuse", KEY, "--agent-name", "other"]).ok();
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(all_of(&path), before);
    t.execenv(["verify", KEY]).ok();
}

#[test]
#[cfg(target_os = "linux")]
fn each_thing_a_file_has_is_compared() {
    type Change = fn(&std::path::Path);
    let rows: [(&str, Change, bool); 3] = [
        ("owner 1:2345", |path| std::os::unix::fs::chown(path, Some(1), None).unwrap(), true),
        ("owner 1234:1", |path| std::os::unix::fs::chown(path, None, Some(1)).unwrap(), true),
        ("attributes [", |path| rustix::fs::removexattr(path, "user.note").unwrap(), false),
    ];
    for (expected, change, as_root) in rows {
        if as_root && !rustix::process::geteuid().is_root() {
            continue;
        }
        let t = TestEnv::new();
        let path = attributed(&t);
        t.execenv(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]).ok();
        t.execenv(["cleanup", KEY]).ok();
        change(&path);
        let done = t.execenv(["verify", KEY]).run().status(1);
        assert!(done.stdout.contains(expected) && done.stdout.contains("(by other)"), "{expected}: {done}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_could_not_be_put_back_is_refused_before_anything_is_changed() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can make another user's file
    }
    use std::os::unix::fs::PermissionsExt;
    let rows = [((0, 0), 0o666, "the user with the id 0"), ((4321, 0), 0o666, "the group with the id 0")];
    for (owner, mode, expected) in rows {
        let t = TestEnv::new();
        for folder in [&t.tmp, &t.home, &t.project] {
            std::os::unix::fs::chown(folder, Some(4321), Some(4321)).unwrap();
        }
        let path = t.write("project/CLAUDE.md", "mine\n");
        std::os::unix::fs::chown(&path, Some(owner.0), Some(owner.1)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let before = all_of(&path);
        let program = t.tmp.join("execenv");
        crate::support::copy_execenv(&program);
        let mut command = t.command("setpriv");
        command.args(["--reuid", "4321", "--regid", "4321", "--clear-groups"]).arg(&program);
        command.args(["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
        let done = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(5), "{stderr}");
        assert!(stderr.contains(expected) && stderr.contains("hint: "), "{stderr}");
        assert_eq!(all_of(&path), before);
        assert_eq!(std::fs::read_dir(&t.project).unwrap().count(), 1);
    }
}

#[test]
fn with_an_inventory_the_whole_folder_is_compared() {
    let t = TestEnv::new();
    for file in ["CLAUDE.md", "src/main.rs", "src/old.rs", "Makefile"] {
        t.write(t.project.join(file), "mine\n");
    }
    t.link("project/current", "src");
    let before = t.project_now();
    let prepare =
        ["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project", "--inventory"];
    t.execenv(prepare).ok();
    let verdict = |status: i32| {
        let done = t.execenv(["verify", KEY, "-o", "json"]).run().status(status);
        serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap()
    };
    let during = verdict(1);
    assert_eq!((&during["scope"], &during["inventory"]), (&"folder".into(), &6.into()));
    let by = |answer: &serde_json::Value, who: &str| -> Vec<String> {
        let rows = answer["differences"].as_array().unwrap().iter().filter(|row| row["by"] == who);
        let path = |row: &serde_json::Value| row["path"].as_str().unwrap().to_owned();
        rows.map(|row| path(row).replace(t.project.to_str().unwrap(), "")).collect()
    };
    assert!(by(&during, "other").is_empty() && !by(&during, "execenv").is_empty(), "{during}");
    // It is of the folder before the first round, and outlasts reuse and cleanup.
    t.execenv(["run", KEY, "--", "sh", "-c", "echo theirs > src/main.rs; rm src/old.rs; mkdir -p new/deep; echo x > new/deep/file; chmod 755 Makefile; ln -sfn new current"])
        .ok();
    t.execenv(["reuse", KEY]).ok();
    t.execenv(["cleanup", KEY]).ok();
    let after = verdict(1);
    let expected =
        ["/Makefile", "/current", "/new", "/new/deep", "/new/deep/file", "/src/main.rs", "/src/old.rs"];
    assert_eq!(by(&after, "other"), expected, "{after}");
    assert!(by(&after, "execenv").is_empty(), "{after}");
    let text = t.execenv(["verify", KEY]).run().status(1);
    for line in [
        "src/main.rs: was a file of 5 bytes, mode 0644, is a file of 7 bytes, mode 0644 (by other)",
        "src/old.rs: was a file of 5 bytes, mode 0644, is nothing (by other)",
        "current: was a link to src, is a link to new (by other)",
        "7 places differ from the folder as it was before `prepare` (6 entries)",
    ] {
        assert!(text.stdout.contains(line), "{line}\n{text}");
    }
    // Put back, it is as before, whatever the times.
    for file in ["src/main.rs", "src/old.rs"] {
        t.write(t.project.join(file), "mine\n");
    }
    std::fs::remove_dir_all(t.project.join("new")).unwrap();
    t.sh("cd project; chmod 644 Makefile; ln -sfn src current").run();
    assert_same(&before, &t.project_now(), "put back by hand");
    let verdict = t.execenv(["verify", KEY]).ok();
    assert!(verdict.stdout.starts_with("as before: the whole folder (6 entries), and"), "{verdict}");
    // The manifest says which inventory is the one that was made.
    let file = t.root.join("default").join(KEY).join(".execenv.inventory");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("src/old.rs", "src/odd.rs", 1)).unwrap();
    t.execenv(["verify", KEY]).fails(1, &["it was changed after `prepare`"]);
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert!(!file.exists());
    t.execenv(["prepare", "--inventory"]).fails(2, &["--local-dir"]);
}
