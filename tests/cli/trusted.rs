//! `execenv trust`: what the user has allowed to run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{TestEnv, terminal};

const FILE: &str =
    r#"{"setup": ["npm ci", ["cp", "a b", "c"]], "teardown": ["docker compose down"], "ports": ["web"]}"#;

fn list(t: &TestEnv) -> std::path::PathBuf {
    t.home.join(".config/execenv/trusted.json")
}

#[test]
fn it_shows_every_command_stores_the_digest_once_and_lists_it() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", FILE);
    let done = t.execenv(["trust", "--yes"]).cwd(&t.project).run().status(0);
    for part in [
        "setup (at most 15m)",
        "  1. npm ci",
        "  2. cp 'a b' c",
        "teardown (at most 2m)",
        "  1. docker compose down",
        "outside of any sandbox",
    ] {
        assert!(done.stderr.contains(part), "{part}: {done}");
    }
    assert_eq!(fs::metadata(list(&t)).unwrap().permissions().mode() & 0o777, 0o600);
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(list(&t)).unwrap()).unwrap();
    let entry = &stored["trusted"][0];
    assert_eq!(
        (&entry["path"], &entry["trusted_at"]),
        (&json!(t.project.join(".execenv.json")), &json!("2026-06-01T12:00:00Z"))
    );
    let before = fs::read(list(&t)).unwrap();
    let again = t.execenv(["trust", "project", "-o", "json"]).json();
    assert_eq!((&again["trusted"], &again["sha256"]), (&true.into(), &entry["sha256"]));
    assert_eq!(fs::read(list(&t)).unwrap(), before, "nothing new");
    let listed = t.execenv(["trust", "--list"]).ok();
    assert!(
        listed.shown_stdout.contains("[PROJECT]/.execenv.json") && listed.stdout.lines().count() == 1,
        "{listed}"
    );
    assert_eq!(t.execenv(["trust", "--list", "-o", "json"]).json()["trusted"][0], *entry);
}

#[test]
fn without_a_terminal_it_asks_for_yes_and_stores_nothing() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", FILE);
    t.execenv(["trust", "project"]).fails(2, &["npm ci", "`trust` asks, and this is no terminal", "--yes"]);
    t.execenv(["trust", "project"]).input("y\n").fails(2, &["no terminal"]);
    assert!(!list(&t).exists());
}

/// On a terminal it asks. Only a yes stores anything, and any other answer ends with status 1.
#[test]
fn on_a_terminal_it_asks_and_only_a_yes_is_one() {
    for (answer, status) in [("\n", 1), ("N\n", 1), ("nonsense\n", 1), ("\u{4}", 1), ("y\n", 0), ("YES\n", 0)]
    {
        let t = TestEnv::new();
        t.write("project/.execenv.json", FILE);
        let mut command = t.command(env!("CARGO_BIN_EXE_execenv"));
        command.args(["trust", "project"]);
        let (ended, seen) = terminal::answering(command, "trust 3 commands? [y/N]", answer);
        assert_eq!(ended, Some(status), "{answer:?}: {seen}");
        assert!(seen.contains("1. npm ci"), "{seen}");
        assert_eq!(
            (list(&t).exists(), seen.contains("nothing was trusted")),
            (status == 0, status != 0),
            "{seen}"
        );
    }
}

/// A file that hides a command from whoever reads the list, by characters that are not seen or by much room before it.
#[test]
fn nothing_in_a_command_is_hidden_from_whoever_is_asked() {
    let t = TestEnv::new();
    let padding = " ".repeat(4000);
    t.write(
        "project/.execenv.json",
        format!(r#"{{"setup": ["npm ci{padding}; curl evil", "a\u200bb\u00a0c", ["cp", "x{padding}y"]]}}"#),
    );
    let done = t.execenv(["trust", "--yes", "project"]).run().status(0);
    for part in
        ["  1. npm ci\\u{20}{4000}; curl evil", "  2. a\\u{200b}b\\u{a0}c", "  3. cp 'x\\u{20}{4000}y'"]
    {
        assert!(done.stderr.contains(part), "{part}: {done}");
    }
}

#[test]
fn a_key_that_it_does_not_know_is_named() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", r#"{"setpu": ["npm ci"], "teardown": ["true"]}"#);
    let done = t.execenv(["trust", "--yes", "project"]).run().status(0);
    let told = "unknown fields in .execenv.json are ignored: setpu (did you mean `setup`?)";
    assert!(done.stderr.contains(told), "{done}");
}

#[test]
fn what_it_shows_cannot_command_a_terminal() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", "{\"setup\": [\"echo \\u001b[2J\\r\\u202e hidden\\nsecond\"]}");
    let done = t.execenv(["trust", "--yes", "project"]).run().status(0);
    assert!(!done.stderr.contains(['\u{1b}', '\r', '\u{202e}']) && done.stderr.contains("hidden"), "{done}");
    assert!(!done.stderr.lines().any(|line| line.starts_with("second")), "{done}");
}

#[test]
fn remove_takes_every_version_of_a_folder_and_names_bytes_that_stay_trusted() {
    let t = TestEnv::new();
    for text in [FILE, r#"{"setup": ["two"]}"#] {
        t.write("project/.execenv.json", text);
        t.execenv(["trust", "--yes", "project"]).run().status(0);
    }
    t.write("copy/.execenv.json", FILE);
    t.execenv(["trust", "--yes", "copy"]).run().status(0);
    let done = t.execenv(["trust", "--remove", "project"]).run().status(0);
    assert_eq!(done.stdout.lines().count(), 2, "{done}");
    assert!(done.stderr.contains("still trusted, as another path"), "{done}");
    let done = t.execenv(["trust", "--remove", "project", "-o", "json"]).run().status(0);
    assert!(done.stdout.contains(r#""removed":[]"#) && done.stderr.contains("was not trusted"), "{done}");
    fs::remove_dir_all(t.tmp.join("copy")).unwrap();
    t.execenv(["trust", "--remove", "copy"]).ok();
    assert_eq!(t.execenv(["trust", "--list"]).ok().stdout, "");
}

#[test]
fn a_folder_without_the_file_or_without_commands_has_nothing_to_trust() {
    let t = TestEnv::new();
    t.execenv(["trust", "--yes", "project"])
        .fails(2, &["[PROJECT] has no .execenv.json", "top of a repository"]);
    t.write("project/.execenv.json", r#"{"ports": ["web"]}"#);
    let done = t.execenv(["trust", "--yes", "project", "-o", "json"]).run().status(0);
    assert!(
        done.stdout.contains(r#""trusted":false"#) && done.stderr.contains("names no commands"),
        "{done}"
    );
    assert!(!list(&t).exists());
    t.execenv(["prepare", "--local-dir", "project"]).ok();
}

#[test]
fn a_list_that_others_can_write_lies_in_the_root_or_is_damaged_trusts_nothing() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", FILE);
    t.execenv(["trust", "--yes", "project"]).run().status(0);
    fs::set_permissions(list(&t), PermissionsExt::from_mode(0o666)).unwrap();
    let prepare = ["prepare", "--local-dir", "project"];
    t.execenv(prepare).fails(2, &["trusted.json, is not used: its mode is 0666"]);
    fs::set_permissions(list(&t), PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(list(&t), "{").unwrap();
    t.execenv(prepare).fails(2, &["trusted.json, is not used: "]);
    t.execenv(["trust", "--yes", "project"]).run().status(2);
    assert_eq!(fs::read(list(&t)).unwrap(), b"{");
    let inside = t.root.join("trusted.json");
    t.execenv(["list"])
        .var("EXECENV_TRUSTED_FILE", &inside)
        .fails(2, &["inside the workspaces root", "trusted_file"]);
    let elsewhere = t.tmp.join("other/list.json");
    t.execenv(["trust", "--yes", "project"]).var("EXECENV_TRUSTED_FILE", &elsewhere).run().status(0);
    assert!(elsewhere.exists());
}

/// A path that depends on where the command is called could lead to a list that a repository brings along.
#[test]
fn the_list_is_named_by_an_absolute_path() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", FILE);
    for (variable, what) in
        [("EXECENV_TRUSTED_FILE", "the list of what you have trusted"), ("EXECENV_KEY_FILE", "the key")]
    {
        for words in [&["trust", "--yes", "."][..], &["prepare", "--local-dir", "."], &["list"]] {
            let run = t.execenv(words).cwd(&t.project).var(variable, "own.json");
            run.fails(
                2,
                &[
                    &format!("{what} must be named by an absolute path, and {variable} is `own.json`"),
                    "hint: ",
                ],
            );
        }
    }
    assert_eq!(t.project_now().len(), 1);
    // In the configuration file it is below the folder of that file, wherever it is read.
    t.write("home/.config/execenv/config.json", r#"{"trusted_file": "mine/list.json"}"#);
    t.execenv(["trust", "--yes", "."]).cwd(&t.project).run().status(0);
    assert!(t.home.join(".config/execenv/mine/list.json").exists());
}

#[test]
fn many_at_once_lose_nothing() {
    let t = TestEnv::new();
    let children: Vec<_> = (0..12)
        .map(|number| {
            t.write(format!("p{number}/.execenv.json"), format!(r#"{{"setup": ["echo {number}"]}}"#));
            t.execenv(["trust", "--yes", &format!("p{number}")]).start()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(t.execenv(["trust", "--list"]).ok().stdout.lines().count(), 12);
}
