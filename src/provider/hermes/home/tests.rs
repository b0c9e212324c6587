use super::*;
use crate::provider::fixture::{World, file_text, links};

fn world() -> World {
    let mut world = World::new().skill("Go Review").dir("home/.hermes");
    world.task.agent.id = "agent-1".into();
    world.task.issue_id = "issue-1".into();
    world
}

#[test]
fn without_skills_there_is_no_overlay() {
    let planned = World::new().plan(plan).unwrap();
    assert_eq!(planned.homes, [Home { name: HOME, content: HomeContent::Nothing }]);
    assert_eq!(planned.exports.into_iter().collect::<Vec<_>>(), [("HERMES_YOLO_MODE".into(), "1".into())]);
}

#[test]
fn the_users_home_is_linked_but_for_what_is_the_tasks() {
    let mut world =
        world().dir("home/.hermes/skills").dir("home/.hermes/profiles").dir("home/.hermes/memories");
    for file in ["auth.json", "active_profile", ".env", "config.yaml", "state.db", "state.db-wal", "SOUL.md"]
    {
        world = world.file(&format!("home/.hermes/{file}"), "");
    }
    let planned = world.plan(plan).unwrap();
    let named: Vec<_> =
        links(&planned, HOME).into_iter().map(|(name, _)| name.display().to_string()).collect();
    assert_eq!(named, ["SOUL.md", "auth.json", "memories", "state.db"]);
    let HomeContent::Folder { mode, .. } = &planned.homes[0].content else { panic!() };
    assert_eq!(*mode, 0o700);
    assert!(file_text(&planned, HOME, "skills/go-review/SKILL.md", 0o644).contains("name: go-review"));
    assert_eq!(planned.exports[HOME_VARIABLE], world.path("root/e/hermes-home").display().to_string());
}

#[test]
fn configuration_and_env_are_rewritten() {
    let world = world()
        .variable("KNOWN", "/known")
        .custom("KNOWN", "/custom")
        .file(
            "home/.hermes/config.yaml",
            "# mine\nmodel: x\nskills:\n  external_dirs:\n    - rel/./x/..\n    - ~/mine\n    - ${KNOWN}/k\n    - \
             ${UNKNOWN}/u\n    - ${HERMES_HOME}/h\n    - rel\nmemory: {provider: mem0, x: 1}\n",
        )
        .file("home/.hermes/.env", "A=1\nHERMES_HOME=/old\n  export HERMES_HOME = \"x\"\nHERMES_HOME_X=2");
    let planned = world.plan(plan).unwrap();
    let at = |path: &str| world.path(path).display().to_string();
    assert_eq!(
        file_text(&planned, HOME, "config.yaml", 0o600),
        format!(
            "# mine\nmodel: x\nskills:\n  external_dirs: {}\nmemory: {{provider: \"\", x: 1}}\n",
            json!([
                at("home/.hermes/rel"),
                at("home/mine"),
                "/custom/k",
                "${UNKNOWN}/u",
                at("home/.hermes/h"),
                at("home/.hermes/skills")
            ])
        )
    );
    assert_eq!(
        file_text(&planned, HOME, ".env", 0o600),
        format!("A=1\nHERMES_HOME_X=2\nHERMES_HOME='{}'\n", at("root/e/hermes-home"))
    );
    assert_eq!(planned.warnings, [""; 0]);
}

#[test]
fn a_configuration_that_is_not_yaml_is_copied_with_a_warning() {
    let world = world().file("home/.hermes/config.yaml", "a: [\n");
    let planned = world.plan(plan).unwrap();
    assert_eq!(file_text(&planned, HOME, "config.yaml", 0o600), "a: [\n");
    assert_eq!(planned.warnings.len(), 1);
    let planned = self::world().plan(plan).unwrap();
    let minimal = file_text(&planned, HOME, "config.yaml", 0o600);
    assert!(minimal.starts_with("memory: {provider: \"\"}\nskills:\n"), "{minimal}");
    assert!(planned.warnings[0].contains(".hermes"), "{:?}", planned.warnings);
}

#[test]
fn stores_are_shared_by_agent_and_conversation_only() {
    let stores = |agent: &str, issue: &str, chat: &str| {
        let mut world = world();
        world.task.agent.id = agent.into();
        world.task.issue_id = issue.into();
        world.task.chat_session_id = chat.into();
        let (root, planned) = (world.path("root/.stores"), world.plan(plan).unwrap());
        let short = |store: &PathBuf| store.strip_prefix(&root).unwrap().display().to_string();
        planned.stores.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(stores("a", "i", ""), ["hermes-state/a/default", "hermes-sessions/a/default/i"]);
    assert_eq!(stores("b", "i", ""), ["hermes-state/b/default", "hermes-sessions/b/default/i"]);
    assert_eq!(stores("a", "", "c"), ["hermes-state/a/default", "hermes-sessions/a/default/chat_c"]);
    assert_eq!(stores("a", "", ""), ["hermes-state/a/default"]);
    assert_eq!(stores("", "i", ""), [""; 0]);
    assert_eq!(stores("../x", "i", ""), [""; 0]);
}

#[test]
fn what_an_older_overlay_holds_of_its_own_stays() {
    let world =
        world().file("root/e/hermes-home/state.db", "data").file("root/e/hermes-home/memories/m.md", "m");
    let planned = world.plan(plan).unwrap();
    assert_eq!((planned.stores.len(), links(&planned, HOME).len()), (0, 0));
    let HomeContent::Folder { entries, dropped, .. } = &planned.homes[0].content else { panic!() };
    assert!(entries.contains(&("memories".into(), HomeEntry::Kept { mode: 0o700 })) && dropped.is_empty());
}

#[test]
fn a_link_to_what_the_user_has_deleted_goes() {
    let world = world().file("home/.hermes/kept", "").dir("root/e/hermes-home");
    for name in ["kept", "gone"] {
        std::os::unix::fs::symlink(
            world.path("home/.hermes").join(name),
            world.path("root/e/hermes-home").join(name),
        )
        .unwrap();
    }
    let planned = world.plan(plan).unwrap();
    let HomeContent::Folder { dropped, .. } = &planned.homes[0].content else { panic!() };
    assert_eq!(dropped, &["gone"]);
}

#[test]
fn a_profile_that_is_missing_is_an_error() {
    let mut world = world();
    world.task.agent.custom_args = vec!["--profile".into(), "work".into()];
    assert!(world.plan(plan).is_err());
    std::fs::DirBuilder::new().recursive(true).create(world.path("home/.hermes/profiles/work")).unwrap();
    let planned = world.plan(plan).unwrap();
    assert!(planned.stores[0].ends_with("hermes-state/agent-1/work"));
}
