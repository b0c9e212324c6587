//! Logins that an agent renews in its home: lost, or in the user's own file where that was asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::homes::mode;
use crate::support::{Done, KEY, TASK, TestEnv};

const OLD: &str = r#"{"copilotTokens":{"refresh":"old-4711"},"loggedInUsers":["old"]}"#;
const NEW: &str = r#"{"copilotTokens":{"refresh":"new-4711"},"loggedInUsers":["new"]}"#;

/// Each home with a login: the provider, the user's file, and the link below the env root.
const LOGINS: [(&str, &str, &str); 6] = [
    ("codex", "home/.codex/auth.json", "codex-home/auth.json"),
    ("copilot", "home/.copilot/config.json", "copilot-home/config.json"),
    ("cursor", "logins/mcp-auth.json", "cursor-data/projects/*/mcp-auth.json"),
    ("gemini", "home/.gemini/oauth_creds.json", ".gemini/oauth_creds.json"),
    ("gemini", "home/.gemini/google_accounts.json", ".gemini/google_accounts.json"),
    ("hermes", "home/.hermes/auth.json", "hermes-home/auth.json"),
];

struct World {
    t: TestEnv,
    env: PathBuf,
    user: PathBuf,
    link: PathBuf,
}

impl World {
    fn new((provider, user, link): (&str, &str, &str)) -> World {
        let t = TestEnv::new();
        let user = t.write(user, OLD);
        fs::set_permissions(&user, fs::Permissions::from_mode(0o600)).unwrap();
        let agent = json!({"name": "A", "skills": [{"name": "one", "content": "body\n"}],
            "custom_env": {"CURSOR_MCP_AUTH_SOURCE": if provider == "cursor" { user.to_str() } else { None }},
            "mcp_config": {"mcpServers": {"s": {"command": "x"}}}});
        let mut task = json!({"id": TASK, "provider": provider, "agent": agent});
        if provider != "cursor" {
            task["agent"]["custom_env"] = Value::Null;
        }
        t.write("task.json", task.to_string());
        let env = t.prepare(["-q", "--task", "task.json"]);
        let place = link.split('/').fold(env.clone(), |above, name| match name {
            "*" => fs::read_dir(above).unwrap().next().unwrap().unwrap().path(),
            name => above.join(name),
        });
        assert_eq!(fs::read_link(&place).unwrap(), user, "{provider}");
        World { t, env, user, link: place }
    }

    fn codex() -> World {
        World::new(LOGINS[0])
    }

    /// A run in which the agent renews the login as agent CLIs do it: a new file, and a rename.
    fn run(&self, options: &[&str], script: &str) -> Done {
        let script = format!("LINK='{}'; USER='{}'; {script}", self.link.display(), self.user.display());
        let program = ["--", "sh", "-c", &script];
        let words = ["run", KEY].iter().chain(options).chain(&program).copied();
        self.t.execenv(words).run()
    }

    /// What a run that was killed leaves.
    fn renew_unseen(&self) {
        fs::remove_file(&self.link).unwrap();
        fs::write(&self.link, NEW).unwrap();
    }

    fn users(&self) -> String {
        fs::read_to_string(&self.user).unwrap()
    }

    /// What is in the user's folder besides the login.
    fn beside(&self) -> Vec<String> {
        let names = fs::read_dir(self.user.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("execenv")).collect()
    }

    #[track_caller]
    fn assert_kept(&self, told: &Done, when: &str) {
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(
            said.contains("renewed the login")
                && said.contains(&self.t.masked(self.user.as_os_str().as_encoded_bytes())),
            "{when}: {told}"
        );
        assert!(!said.contains("4711"), "{when}: {told}");
        let kept: Value = serde_json::from_str(&self.users()).unwrap();
        assert_eq!(kept["loggedInUsers"][0], "new", "{when}");
        assert_eq!(mode(&self.user), 0o600, "{when}");
        assert_eq!(self.beside(), [] as [&str; 0], "{when}");
    }
}

const RENEW: &str = "T=\"$LINK.tmp\"; cat > \"$T\" <<'X'\n{\"copilotTokens\":{\"refresh\":\"new-4711\"},\"loggedInUsers\":[\"new\"]}\nX\nmv \"$T\" \"$LINK\"";

#[test]
fn a_renewed_login_is_kept_where_that_was_asked_for_whichever_provider_links_it() {
    for row in LOGINS {
        let when = format!("{} {}", row.0, row.2);
        let world = World::new(row);
        let is_link =
            |what: &str| assert_eq!(fs::read_link(&world.link).unwrap(), world.user, "{when}: {what}");
        let told = world.run(&[], RENEW).status(0);
        assert!(
            told.stderr.contains("which is not kept") && told.stderr.contains("`--keep-login`"),
            "{when}: {told}"
        );
        assert_eq!(world.users(), OLD, "{when}");
        is_link("without the option");
        let told = world.run(&["--keep-login"], RENEW).status(0);
        world.assert_kept(&told, &when);
        is_link("with the option");
        assert!(fs::read_to_string(world.env.join("logs/run.log")).unwrap().contains("renewed the login"));
        // Nothing new: nothing is said.
        let again = world.run(&["--keep-login"], RENEW).status(0);
        assert!(!again.stderr.contains("login"), "{when}: {again}");
        is_link("the same login");
        // The next one, from there.
        let later = RENEW.replace("new-4711", "later-4711");
        world.assert_kept(&world.run(&["--keep-login"], &later).status(0), &when);
    }
}

#[test]
fn what_a_killed_run_left_is_kept_by_the_next_command_or_named() {
    for row in LOGINS {
        for (is_kept, words) in [
            (true, &["cleanup", KEY, "--keep-login"][..]),
            (true, &["cleanup", KEY, "--all", "--keep-login"]),
            (true, &["reuse", KEY, "--task", "task.json", "--keep-login"]),
            (true, &["run", "--task", "task.json", "--keep-login", "--", "true"]),
            (true, &["run", KEY, "--keep-login", "--", "true"]),
            (false, &["cleanup", KEY]),
            (false, &["reuse", KEY, "--task", "task.json"]),
            (false, &["run", KEY, "--", "true"]),
        ] {
            let when = format!("{} {words:?}", row.0);
            let world = World::new(row);
            world.renew_unseen();
            let told = world.t.execenv(words).run().status(0);
            if is_kept {
                world.assert_kept(&told, &when);
            } else {
                assert!(told.stderr.contains("which is not kept"), "{when}: {told}");
                assert!(
                    told.stderr.contains("`--keep-login`") && !told.stderr.contains("4711"),
                    "{when}: {told}"
                );
                assert_eq!(world.users(), OLD, "{when}");
            }
            let is_file = world.link.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
            assert!(!is_file, "{when}: the file has gone");
        }
    }
}

#[test]
fn a_hostile_login_changes_no_file() {
    let precious = r#"{"copilotTokens":{"refresh":"precious"},"loggedInUsers":["me"]}"#;
    for (what, script) in [
        ("no JSON", "rm \"$LINK\"; echo stolen > \"$LINK\""),
        ("another shape", "rm \"$LINK\"; echo '{\"a\":1}' > \"$LINK\""),
        ("an older one", &format!("{RENEW}; touch -d 2001-01-01 \"$LINK\"")),
        ("a second name", &format!("{RENEW}; ln \"$LINK\" \"$LINK.2\"")),
        ("too long", "rm \"$LINK\"; head -c 2000000 /dev/zero > \"$LINK\""),
        (
            "a changed list",
            &format!("{RENEW}; L=../launch/logins.json; sed 's/.codex/precious/g' $L > x; mv x $L"),
        ),
        ("no list", &format!("{RENEW}; rm ../launch/logins.json")),
        ("a link elsewhere", "ln -sf ../precious/auth.json \"$LINK\""),
        ("a link beside", "ln -s \"$HOME/precious/auth.json\" \"$CODEX_HOME/my-auth\""),
    ] {
        let world = World::codex();
        let other = world.t.write("home/precious/auth.json", precious);
        world.run(&["--keep-login"], script).status(0);
        let hostile = |when: &str| {
            assert_eq!(fs::read_to_string(&other).unwrap(), precious, "{what}: {when}");
            let users = world.users();
            // The list was read before the agent began.
            assert!(users == OLD || what.contains("list") && users.trim() == NEW, "{what}: {when}: {users}");
            assert_eq!(world.beside(), [] as [&str; 0], "{what}: {when}");
        };
        hostile("the run");
        // A later command believes no list without its proof.
        fs::write(&world.user, OLD).unwrap();
        let _ = fs::remove_file(&world.link);
        fs::write(&world.link, "{}").unwrap();
        world.t.execenv(["run", KEY, "--keep-login", "--", "true"]).run();
        hostile("the next run");
        world.t.execenv(["cleanup", KEY, "--keep-login"]).run();
        hostile("the clean-up");
    }
}

#[test]
fn a_file_of_the_users_that_has_changed_stays() {
    for (what, script) in [
        (
            "another login",
            "echo '{\"copilotTokens\":{},\"loggedInUsers\":[\"me\"]}' > \"$USER\"; sleep 0.02;",
        ),
        ("a link to another file", "mv \"$USER\" \"$USER.mine\"; ln -s \"$USER.mine\" \"$USER\";"),
        ("a link to another folder", "mv \"$HOME/.codex\" \"$HOME/c\"; ln -s c \"$HOME/.codex\";"),
    ] {
        let world = World::codex();
        let told = world.run(&["--keep-login"], &format!("{script} {RENEW}")).status(0);
        assert!(!world.users().contains("new-4711"), "{what}: {told}");
        assert!(told.stderr.contains("login"), "{what}: {told}");
    }
    // A link of the user's own is no obstacle: the file behind it is replaced, and the link stays.
    let world = World::codex();
    let kept = world.t.write("dotfiles/auth.json", OLD);
    fs::remove_file(&world.user).unwrap();
    symlink(&kept, &world.user).unwrap();
    let told = world.run(&["--keep-login"], RENEW).status(0);
    assert!(told.stderr.contains("renewed the login"), "{told}");
    assert_eq!(fs::read_link(&world.user).unwrap(), kept);
    assert_eq!(world.users().trim(), NEW);
}

#[test]
fn without_a_proof_a_login_is_not_promised() {
    let world = World::codex();
    let list = world.env.join("launch/logins.json");
    assert_eq!(mode(&list), 0o600);
    let bytes = fs::read(&list).unwrap();
    let run = ["run", KEY, "--keep-login", "--", "touch", "ran"];
    let forged = String::from_utf8_lossy(&bytes).replace(".codex", "other");
    for damage in [Some(forged.as_bytes()), Some(b"{}"), Some(b"["), None] {
        match damage {
            Some(bytes) => fs::write(&list, bytes).unwrap(),
            None => fs::remove_file(&list).unwrap(),
        }
        world.t.execenv(run).fails(1, &["nothing proves", "codex-home/auth.json", "execenv reuse"]);
    }
    assert!(!world.env.join("workdir/ran").exists());
    world.t.execenv(["reuse", "-q", KEY, "--task", "task.json"]).ok();
    world.t.execenv(run).ok();
    // Another environment's list is none for this one.
    let task = fs::read_to_string(world.t.tmp.join("task.json")).unwrap().replace(TASK, "another");
    world.t.write("other.json", task);
    let other = world.t.prepare(["-q", "--task", "other.json"]);
    fs::copy(other.join("launch/logins.json"), &list).unwrap();
    world.t.execenv(run).fails(1, &["nothing proves"]);
    // Where no home links a login, there is nothing to refuse.
    let claude = world.t.prepare(["-q", "--provider", "claude", "--task-id", "claude"]);
    assert!(!claude.join("launch").exists());
    world.t.execenv(["run", claude.to_str().unwrap(), "--keep-login", "--", "true"]).ok();
}

#[test]
fn copilots_settings_stay_the_users() {
    let world = World::new(LOGINS[1]);
    let own = "// This file is managed automatically.\n{\"trustedFolders\":[\"/mine\"],\"loggedInUsers\":[\"old\"]}\n";
    fs::write(&world.user, own).unwrap();
    let script =
        r#"rm "$LINK"; echo '{"trustedFolders":["/"],"plugins":["evil"],"loggedInUsers":["new"]}' > "$LINK""#;
    world.assert_kept_with_comment(&world.run(&["--keep-login"], script).status(0));
}

impl World {
    fn assert_kept_with_comment(&self, told: &Done) {
        assert!(told.stderr.contains("renewed the login"), "{told}");
        let text = self.users();
        let rest = text.strip_prefix("// This file is managed automatically.\n").unwrap();
        let kept: Value = serde_json::from_str(rest).unwrap();
        assert_eq!(kept, json!({"trustedFolders": ["/mine"], "loggedInUsers": ["new"]}));
    }
}

#[test]
fn a_login_that_cannot_be_written_is_not_removed() {
    let world = World::codex();
    world.renew_unseen();
    let folder = world.user.parent().unwrap();
    // The link leads elsewhere by now, so nothing says what the user's file is.
    fs::rename(folder, world.t.home.join("c")).unwrap();
    symlink("c", folder).unwrap();
    for words in [
        &["cleanup", KEY, "--keep-login"][..],
        &["cleanup", KEY, "--all", "--keep-login"],
        &["reuse", "-q", KEY, "--task", "task.json", "--keep-login"],
    ] {
        world.t.execenv(words).fails(1, &["stays there because it cannot be written", "--keep-login"]);
        assert_eq!(fs::read_to_string(&world.link).unwrap(), NEW, "{words:?}");
    }
    fs::remove_file(folder).unwrap();
    fs::rename(world.t.home.join("c"), folder).unwrap();
    world.assert_kept(&world.t.execenv(["cleanup", KEY, "--keep-login"]).run().status(0), "mended");
}

#[test]
fn a_login_is_kept_also_when_the_environment_gets_another_provider() {
    let world = World::codex();
    world.renew_unseen();
    let told = world.t.execenv(["reuse", KEY, "--provider", "claude", "--keep-login"]).run().status(0);
    world.assert_kept(&told, "another provider");
    assert!(world.link.symlink_metadata().is_err() && !world.env.join("launch/logins.json").exists());
}
