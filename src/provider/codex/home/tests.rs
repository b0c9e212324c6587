use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::super::bench::{Bench, entry, make_dirs, remove, skill, write};
use super::*;
use crate::provider::plan::{LookedFor, Mcp};
use crate::task::DisabledSkill;

#[test]
fn an_empty_shared_home_gives_a_small_home() {
    let bench = Bench::new(&[]);
    let plan = bench.prepare();
    assert_eq!(bench.names(), [".models_cache_config.sha256", "config.toml", "plugins", "sessions"]);
    assert!(bench.home("plugins/cache").is_dir());
    let exports = BTreeMap::from([
        ("CODEX_HOME".to_owned(), bench.home("").to_str().unwrap().trim_end_matches('/').to_owned()),
        ("MULTICA_REPO_CHECKOUT_MODE".to_owned(), "isolated".to_owned()),
    ]);
    assert_eq!(plan.exports, exports);
    assert!(std::fs::read_dir(bench.shared("")).unwrap().next().is_none(), "the user's home is only read");
}

#[test]
fn no_user_home_at_all_is_an_empty_one() {
    let bench = Bench::new(&[]);
    let root = bench.env_root.clone();
    let request = HomeRequest {
        task: &bench.task,
        workspace_id: "w",
        env_root: &root,
        work_dir: &root,
        is_local: false,
        stores: &root,
        user_home: None,
        inherited: &[],
        given: &BTreeMap::new(),
        skills: &[],
        mcp: &Mcp::Unmanaged,
        options: &bench.options,
        present: None,
        git_folders: LookedFor(&Vec::new),
        os: Os::MacOs,
        now: DateTime::<Utc>::UNIX_EPOCH,
    };
    let plan = plan(&request).unwrap();
    assert_eq!(plan.exports.len(), 1, "no isolated checkouts on macOS");
    assert!(plan.warnings[0].contains("without a sandbox"), "{:?}", plan.warnings);
}

#[test]
fn a_full_shared_home_is_mirrored() {
    let bench = Bench::new(&[
        ("config.toml", "model = \"o3\" # mine\n"),
        ("config.json", "{}"),
        ("instructions.md", "be kind\n"),
        ("AGENTS.md", "be brief\n"),
        ("AGENTS.override.md", "or not\n"),
        ("auth.json", "{\"t\":1}"),
        ("plugins/cache/p/f", "plugin"),
        ("sessions/2026/01/01/rollout-x-1.jsonl", "old"),
        ("history.jsonl", "private"),
    ]);
    let plan = bench.prepare();
    assert!(bench.read("config.toml").unwrap().contains("\n\nmodel = \"o3\" # mine\n"));
    assert_eq!(bench.read("config.json").unwrap(), "{}");
    assert_eq!(bench.read("instructions.md").unwrap(), "be kind\n");
    assert_eq!(bench.read("AGENTS.md").unwrap(), "be brief\n");
    assert_eq!(bench.read("AGENTS.override.md").unwrap(), "or not\n");
    assert_eq!(bench.read("plugins/cache/p/f").unwrap(), "plugin");
    assert_eq!(entry(&plan, "auth.json"), Some(&HomeEntry::Link { target: bench.shared("auth.json") }));
    assert_eq!(bench.read("history.jsonl"), None);
    assert!(std::fs::read_dir(bench.home("sessions")).unwrap().next().is_none());
    for name in ["config.toml", "config.json", "instructions.md", ".models_cache_config.sha256"] {
        assert!(matches!(entry(&plan, name), Some(HomeEntry::File { mode: 0o600, .. })), "{name}");
    }
}

#[test]
fn the_mirror_follows_the_shared_home() {
    let bench = Bench::new(&[
        ("config.toml", "model_provider = \"old\"\n"),
        ("config.json", "1"),
        ("instructions.md", "1"),
        ("AGENTS.md", "1"),
    ]);
    bench.prepare();
    bench.write("config.toml", "model_provider = \"new\"\n");
    bench.write("config.json", "2");
    bench.prepare();
    let config = bench.read("config.toml").unwrap();
    assert!(config.contains("\"new\"") && !config.contains("\"old\""));
    assert_eq!(bench.read("config.json").unwrap(), "2");
    for name in ["config.toml", "config.json", "instructions.md", "AGENTS.md"] {
        remove(&bench.shared(name));
    }
    bench.prepare();
    let config = bench.read("config.toml").unwrap();
    assert!(!config.contains("new") && config.matches("# BEGIN multica-managed").count() == 5, "{config}");
    assert_eq!((bench.read("config.json"), bench.read("instructions.md")), (None, None));
    assert_eq!(bench.read("AGENTS.md"), None);
}

#[test]
fn the_login_is_always_the_users() {
    let bench = Bench::new(&[("auth.json", "new")]);
    let link = |to: &str| symlink(bench.tmp.join(to), bench.home("auth.json")).unwrap();
    type Old<'a> = (&'a str, &'a dyn Fn(), usize);
    let olds: [Old; 4] = [
        ("nothing", &|| {}, 0),
        ("a dangling link", &|| link("gone"), 0),
        ("another link", &|| link("home"), 0),
        ("a file", &|| write(&bench.home("auth.json"), "old"), 1),
    ];
    make_dirs(&bench.home(""));
    for (old, make, told) in olds {
        remove(&bench.home("auth.json"));
        make();
        let plan = bench.prepare();
        assert_eq!(bench.read("auth.json").unwrap(), "new", "{old}");
        assert_eq!(bench.home("auth.json").read_link().unwrap(), bench.shared("auth.json"), "{old}");
        let is_about = |warning: &&String| warning.contains("login");
        assert_eq!(plan.warnings.iter().filter(is_about).count(), told, "{old}: {:?}", plan.warnings);
    }
    remove(&bench.shared("auth.json"));
    bench.prepare();
    assert!(bench.home("auth.json").symlink_metadata().is_err(), "no dangling link stays");
    write(&bench.home("auth.json"), "made in the task");
    bench.prepare();
    assert_eq!(bench.read("auth.json").unwrap(), "made in the task");
}

#[test]
fn what_the_user_forbids_is_forbidden() {
    let bench = Bench::new(&[("rules/default.rules", "no touch"), ("rules/notes.txt", "x")]);
    bench.prepare();
    assert_eq!(bench.read("rules/default.rules").unwrap(), "no touch");
    assert_eq!(bench.read("rules/notes.txt"), None);
    write(&bench.home("rules/own.rules"), "anything goes");
    write(&bench.home("rules/default.rules"), "anything goes");
    bench.write("rules/more.rules", "no rm");
    let plan = bench.prepare();
    assert_eq!(bench.read("rules/default.rules").unwrap(), "no touch");
    assert_eq!(bench.read("rules/more.rules").unwrap(), "no rm");
    assert_eq!(bench.read("rules/own.rules"), None, "the agent does not write its own");
    assert!(matches!(entry(&plan, "rules/more.rules"), Some(HomeEntry::File { mode: 0o600, .. })));
    make_dirs(&bench.shared("rules/odd.rules"));
    let error = bench.plan().unwrap_err();
    assert!(error.to_string().contains("rules/odd.rules"), "{error}");
    assert_eq!(Failure::code_of(&error), Code::BadConfig);
    remove(&bench.shared("rules"));
    bench.prepare();
    assert!(bench.home("rules").symlink_metadata().is_err(), "no rules");
}

#[test]
fn plugins_come_back_and_keep_what_is_beside_them() {
    let bench = Bench::new(&[("plugins/cache/p/f", "plugin")]);
    bench.prepare();
    write(&bench.home("plugins/data"), "the agent's");
    bench.prepare();
    assert_eq!(bench.read("plugins/data").unwrap(), "the agent's");
    remove(&bench.home("plugins"));
    bench.prepare();
    assert_eq!(bench.read("plugins/cache/p/f").unwrap(), "plugin");
    remove(&bench.shared("plugins"));
    bench.prepare();
    assert!(bench.home("plugins/cache").symlink_metadata().unwrap().is_dir());
    write(&bench.home("plugins/cache/own"), "the agent's");
    bench.prepare();
    assert_eq!(bench.read("plugins/cache/own").unwrap(), "the agent's");
}

#[test]
fn fifos_are_not_opened() {
    for (name, is_fatal) in [("config.json", false), ("config.toml", true), ("auth.json", false)] {
        let bench = Bench::new(&[]);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, bench.shared(name), rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
        match bench.plan() {
            Err(error) => {
                let message = error.to_string();
                assert!(is_fatal && message.ends_with("/config.toml: it is not a regular file"), "{message}");
            }
            Ok(plan) => {
                assert!(!is_fatal && entry(&plan, name).is_none(), "{name}");
                assert!(plan.warnings.iter().any(|warning| warning.contains("regular file")), "{name}");
            }
        }
    }
}

#[test]
fn a_configuration_that_codex_refuses_names_its_place() {
    for (text, expected) in [
        ("a = 1\nb = \"s3cret\n", ", line 2, column "),
        ("[t]\n[t]\n", ", line 2, column 2: duplicate key"),
        ("a = 1\na = 2\n", ", line 2, column 1: duplicate key"),
        ("é = 1\n", ", line 1, column 1: "),
    ] {
        let error = Bench::new(&[("config.toml", text)]).plan().unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/home/.codex/config.toml") && message.contains(expected), "{message}");
        assert!(!message.contains("s3cret") && !message.contains('\n'), "{message}");
        assert_eq!(Failure::code_of(&error), Code::BadConfig);
    }
    let bench = Bench::new(&[]);
    std::os::unix::fs::symlink("elsewhere.toml", bench.shared("config.toml")).unwrap();
    write(&bench.shared("elsewhere.toml"), "model = \"linked\"\n");
    bench.prepare();
    assert!(bench.read("config.toml").unwrap().contains("linked"), "dotfiles are often links");
}

#[test]
fn a_byte_order_mark_stays_behind() {
    let bench = Bench::new(&[("config.toml", "\u{feff}model = \"m\"\n")]);
    bench.prepare();
    assert!(bench.read("config.toml").unwrap().contains("\n\nmodel = \"m\"\n"));
}

#[test]
fn a_home_that_codex_cannot_sandbox_in_is_reported() {
    let mut bench = Bench::new(&[]);
    for (temporary, sandbox, is_told) in [
        (bench.tmp.clone(), None, true),
        ("/elsewhere".into(), None, false),
        (bench.tmp.clone(), Some("danger-full-access"), false),
    ] {
        bench.inherited = vec![("TMPDIR".into(), temporary.into())];
        bench.options.codex_sandbox = sandbox.map(str::to_owned);
        let warnings = bench.plan().unwrap().warnings;
        assert_eq!(
            warnings.iter().any(|warning| warning.contains("cannot sandbox")),
            is_told,
            "{warnings:?}"
        );
    }
}

#[test]
fn a_shared_home_that_is_a_link_is_one() {
    let mut bench = Bench::new(&[("config.toml", "model = \"m\"\n"), ("skills/s/SKILL.md", "s")]);
    symlink(bench.shared(""), bench.tmp.join("link")).unwrap();
    let link = bench.tmp.join("link");
    bench.set_variable("CODEX_HOME", link);
    bench.prepare();
    assert!(bench.read("config.toml").unwrap().contains("model = \"m\""));
    assert_eq!(bench.read("skills/s/SKILL.md").unwrap(), "s");
}

#[test]
fn the_home_of_an_environment_is_no_shared_home() {
    let mut bench = Bench::new(&[("config.toml", "model = \"users\"\n"), ("auth.json", "x")]);
    write(&bench.env_root.join(".gc_meta.json"), "{}");
    let home = bench.home("");
    bench.set_variable("CODEX_HOME", home);
    for _ in 0..2 {
        let plan = bench.prepare();
        assert!(bench.read("config.toml").unwrap().contains("users"));
        assert_eq!(entry(&plan, "auth.json"), Some(&HomeEntry::Link { target: bench.shared("auth.json") }));
        assert!(plan.warnings[0].starts_with("`CODEX_HOME` is the home of another environment"));
    }
}

#[test]
fn files_that_the_configuration_names_come_along() {
    let bench = Bench::new(&[("prompts/base.md", "one"), ("old.md", "old")]);
    let named = |value: &str| format!("model_instructions_file = {value:?}\n");
    bench.write(
        "config.toml",
        &format!("{}[profiles.p]\nexperimental_instructions_file = \"./old.md\"\n", named("prompts/base.md")),
    );
    bench.prepare();
    assert_eq!(bench.read("prompts/base.md").unwrap(), "one");
    assert_eq!(bench.read("old.md").unwrap(), "old");
    bench.write("prompts/base.md", "two");
    bench.prepare();
    assert_eq!(bench.read("prompts/base.md").unwrap(), "two");

    make_dirs(&bench.shared("dir"));
    for (value, expected) in [
        ("gone.md".to_owned(), "/home/.codex/gone.md is missing"),
        ("../x".to_owned(), "leads out of the Codex home"),
        ("a/../x".to_owned(), "leads out of the Codex home"),
        ("dir".to_owned(), "not a regular file"),
        ("/no/such".to_owned(), "/no/such is missing"),
        ("~/gone".to_owned(), "/home/gone is missing"),
        ("~ada/x".to_owned(), "another user's home"),
        ("sessions/x.md".to_owned(), "the task needs itself"),
        ("auth.json".to_owned(), "the task needs itself"),
        (String::new(), "leads out of the Codex home"),
    ] {
        bench.write("config.toml", &named(&value));
        let error = bench.plan().unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("`model_instructions_file` ") && message.contains(expected), "{message}");
        assert_eq!(Failure::code_of(&error), Code::BadConfig);
    }
    write(&bench.tmp.join("home/there"), "x");
    for value in ["~/there".to_owned(), bench.tmp.join("home/there").to_str().unwrap().to_owned()] {
        bench.write("config.toml", &named(&value));
        assert!(bench.plan().is_ok(), "{value}");
    }
}

#[test]
fn the_models_cache_belongs_to_its_configuration() {
    let bench = Bench::new(&[
        ("models_cache.json", "shared"),
        ("config.toml", "model_catalog_json = \"c.json\"\n"),
        ("c.json", "1"),
    ]);
    bench.prepare();
    assert_eq!(bench.read("models_cache.json").unwrap(), "shared", "a new home is seeded");
    let own = || write(&bench.home("models_cache.json"), "own");
    own();
    bench.prepare();
    assert_eq!(bench.read("models_cache.json").unwrap(), "own");
    let changes: [(&str, &dyn Fn()); 4] = [
        ("config.toml", &|| bench.write("config.toml", "model_catalog_json = \"c.json\"\nmodel = \"x\"\n")),
        ("config.json", &|| bench.write("config.json", "{}")),
        ("the catalog", &|| bench.write("c.json", "2")),
        ("the binding", &|| remove(&bench.home(".models_cache_config.sha256"))),
    ];
    for (what, change) in changes {
        own();
        change();
        bench.prepare();
        assert_eq!(bench.read("models_cache.json"), None, "{what} has changed");
        bench.prepare();
        assert_eq!(bench.read("models_cache.json"), None, "an old home is not seeded");
    }
    remove(&bench.home("models_cache.json"));
    make_dirs(&bench.home("models_cache.json"));
    bench.prepare();
    assert!(bench.home("models_cache.json").symlink_metadata().is_err(), "no regular file");
}

#[test]
fn the_binding_is_the_digest_of_the_specification() {
    let configuration = Configuration {
        files: vec![("config.json".into(), None), ("config.toml".into(), Some(b"a=1\n".to_vec()))],
        catalog: Some(b"{}".to_vec()),
    };
    // printf 'config.json\0missing\0config.toml\0004\0a=1\nmodel_catalog_json\0002\0{}' | sha256sum
    assert_eq!(configuration.binding().len(), 65);
    assert_eq!(configuration.binding().trim(), BINDING_OF_THE_EXAMPLE);
}

const BINDING_OF_THE_EXAMPLE: &str = "b9eb916e21c4955256cfc2be8ef6b73f2135105ef9e6b22eeb26c215ac880d79";

#[test]
fn disabled_skills_are_switched_off_in_the_configuration() {
    let mut bench = Bench::new(&[
        ("skills/a/SKILL.md", "a"),
        ("skills/b/SKILL.md", "b"),
        ("skills/named/SKILL.md", "n"),
        ("../.agents/skills/named/SKILL.md", "n"),
    ]);
    let by_user = bench.shared("skills/a/SKILL.md");
    bench.write(
        "config.toml",
        &format!("[[skills.config]]\npath = {by_user:?}\nenabled = false\n\n[[skills.config]]\nname = \"p:p\"\nenabled = false\n[[skills.config]]\nname = \"named\"\nenabled = false\n[[skills.config]]\nname = \"b\"\nenabled = true\n"),
    );
    let off =
        |root: &str, key: &str| DisabledSkill { root: root.into(), key: key.into(), ..Default::default() };
    bench.task.agent.disabled_runtime_skills =
        vec![off("provider", "b"), off("universal", "x/y"), off("provider", "../z")];
    bench.prepare();
    let config = bench.read("config.toml").unwrap();
    let paths: Vec<_> = config.lines().filter(|line| line.starts_with("path = ")).collect();
    let quoted = |path: PathBuf| format!("path = {path:?}");
    let expected = [
        quoted(bench.tmp.join("home/.agents/skills/named/SKILL.md")),
        quoted(bench.tmp.join("home/.agents/skills/x/y/SKILL.md")),
        quoted(bench.home("skills/a/SKILL.md")),
        quoted(bench.home("skills/b/SKILL.md")),
        quoted(bench.home("skills/named/SKILL.md")),
    ];
    assert_eq!(paths, expected, "{config}");
    bench.skills = vec![skill("B", &[])];
    bench.prepare();
    assert!(!bench.read("config.toml").unwrap().contains("skills/b/"), "a skill of the task's stays on");
}

#[test]
fn shell_commands_get_the_tasks_variables_and_no_secret_of_the_host() {
    let mut bench = Bench::new(&[]);
    for name in ["PATH", "OPENAI_API_KEY", "MULTICA_X", "HOME"] {
        bench.inherited.push((name.into(), "v".into()));
    }
    bench.task.agent.custom_env.insert("ANTHROPIC_API_KEY".into(), "secret".into());
    bench.prepare();
    let config = bench.read("config.toml").unwrap();
    let list = "include_only = [\"ANTHROPIC_API_KEY\", \"CODEX_HOME\", \"EXECENV_ROOT\", \"EXECENV_WORKDIR\", \"HOME\", \"MULTICA_REPO_CHECKOUT_MODE\", \"PATH\"]";
    assert!(config.contains(list), "{config}");
    assert!(!config.contains("\"secret\""));
}
