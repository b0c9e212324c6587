#![expect(clippy::disallowed_methods, reason = "tests make their own fixtures")]

use super::*;
use crate::provider::fixture::{World, entry, home};

const TWO: &str =
    r#"{"zeta":{"url":"https://z.test","timeout":1.50},"alpha":{"command":"a","env":{"T":"<&>"}}}"#;

fn text(entry: &HomeEntry) -> &str {
    match entry {
        HomeEntry::File { bytes, mode: 0o600 } => std::str::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn own(world: &World, file: &str) -> String {
    format!("projects/{}/{file}", slug(&world.work_dir.to_string_lossy()))
}

#[test]
fn two_servers_are_written_and_approved() {
    let mut world = World::new();
    world.manage(TWO);
    let plan = plan(&world.request()).unwrap();
    let data = home(&plan, "cursor-data");
    assert_eq!(plan.exports["CURSOR_DATA_DIR"], world.env_root.join("cursor-data").to_str().unwrap());
    let sidecar = &plan.sidecars[0];
    assert_eq!((sidecar.path.to_str(), sidecar.mode), (Some(".cursor/mcp.json"), 0o600));
    assert_eq!(sidecar.if_taken, IfTaken::Refuse);
    let written = "{\n  \"mcpServers\": {\n    \"alpha\": {\n      \"command\": \"a\",\n      \"env\": {\n        \
         \"T\": \"<&>\"\n      }\n    },\n    \"zeta\": {\n      \"url\": \"https://z.test\",\n      \"timeout\": \
         1.50\n    }\n  }\n}\n";
    assert_eq!(String::from_utf8_lossy(&sidecar.bytes), written);
    let approvals: Vec<String> =
        serde_json::from_str(text(entry(data, &own(&world, "mcp-approvals.json")))).unwrap();
    let Mcp::Managed(servers) = &world.mcp else { panic!() };
    let key = |name: &str| approval::key(&world.work_dir, name, servers[name].as_object().unwrap());
    assert_eq!(approvals, [key("alpha"), key("zeta")]);
    let trust = format!(
        "{{\n  \"trustMethod\": \"multica-managed\",\n  \"trustedAt\": \"1970-01-01T00:00:00Z\",\n  \
         \"workspacePath\": \"{}\"\n}}",
        world.work_dir.display()
    );
    assert_eq!(text(entry(data, &own(&world, ".workspace-trusted"))), trust);
    assert_eq!(*entry(data, &own(&world, "mcp-auth.json")), HomeEntry::Absent);
}

#[test]
fn parents_come_before_children() {
    let mut world = World::new();
    world.manage(TWO);
    let plan = plan(&world.request()).unwrap();
    let HomeContent::Folder { entries, .. } = home(&plan, "cursor-data") else { panic!() };
    let paths: Vec<usize> = entries.iter().map(|(path, _)| path.components().count()).collect();
    assert_eq!(paths, [1, 2, 3, 3, 3]);
    assert!(entries[..2].iter().all(|(_, entry)| *entry == HomeEntry::Kept { mode: 0o700 }));
}

#[test]
fn managed_and_empty_approves_nothing() {
    let mut world = World::new();
    world.manage("{}");
    let plan = plan(&world.request()).unwrap();
    assert_eq!(text(entry(home(&plan, "cursor-data"), &own(&world, "mcp-approvals.json"))), "[]");
    assert_eq!(String::from_utf8_lossy(&plan.sidecars[0].bytes), "{\n  \"mcpServers\": {}\n}\n");
}

#[test]
fn unmanaged_leaves_nothing_of_an_earlier_task() {
    let plan = plan(&World::new().request()).unwrap();
    assert_eq!(*home(&plan, "cursor-data"), HomeContent::Nothing);
    assert!(plan.sidecars.is_empty() && plan.exports.is_empty());
}

#[test]
fn a_server_that_is_none_is_refused_by_name() {
    for (servers, named) in [
        (r#"{"bad":42}"#, "\"bad\""),
        (r#"{"bad":"x"}"#, "\"bad\""),
        (r#"{"bad":[]}"#, "\"bad\""),
        (r#"{"bad":null}"#, "\"bad\""),
        (r#"{" ":{}}"#, "no name"),
    ] {
        let mut world = World::new();
        world.manage(servers);
        let error = plan(&world.request()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(Failure::code_of(&error), Code::BadDocument);
    }
}

#[test]
fn a_slug_keeps_letters_and_digits() {
    for (path, expected) in [("/tmp/work", "tmp-work"), ("/A b/ü_1/", "A-b-1"), ("/", "")] {
        assert_eq!(slug(path), expected);
    }
}

#[test]
fn the_project_root_of_a_users_folder_is_its_repository() {
    let mut world = World::new();
    world.manage(TWO);
    world.is_local = true;
    world.work_dir = world.tmp.join("repo/sub");
    world.write("repo/sub/file", "");
    // Where the folder for temporary files lies in a repository, that one is the root.
    let is_inside = world.tmp.ancestors().any(|folder| folder.join(".git").exists());
    assert_eq!(plan(&world.request()).is_err(), is_inside);
    std::fs::create_dir(world.tmp.join("repo/.git")).unwrap();
    let error = plan(&world.request()).unwrap_err();
    let failure = Failure::find(&error).unwrap();
    assert_eq!(failure.code, Code::Usage);
    let hint = failure.hint.as_deref().unwrap();
    assert!(hint.contains(&format!("--local-dir {}", world.tmp.join("repo").display())), "{hint}");
    // A worktree's `.git` is a file.
    world.write("repo/sub/.git", "gitdir: /elsewhere");
    plan(&world.request()).unwrap();
}

#[test]
fn a_repository_round_the_workspaces_root_is_not_the_project() {
    let mut world = World::new();
    world.manage(TWO);
    world.write("root/.git", "gitdir: /elsewhere");
    let plan = plan(&world.request()).unwrap();
    entry(home(&plan, "cursor-data"), &own(&world, "mcp-approvals.json"));
}

#[test]
fn links_in_the_work_dirs_path_are_resolved_before_it_is_there() {
    let mut world = World::new();
    world.manage("{}");
    std::fs::rename(world.tmp.join("root"), world.tmp.join("real")).unwrap();
    std::os::unix::fs::symlink(world.tmp.join("real"), world.tmp.join("root")).unwrap();
    let plan = plan(&world.request()).unwrap();
    let real = slug(&world.tmp.join("real/e/workdir").to_string_lossy());
    entry(home(&plan, "cursor-data"), &format!("projects/{real}/mcp-approvals.json"));
}

#[test]
fn a_login_for_the_servers_is_linked_and_taken_away_again() {
    let mut world = World::new();
    world.manage(TWO);
    let file = world.write("home/login/mcp-auth.json", "{}");
    let other = world.write("home/login/other.json", "{}");
    std::fs::create_dir_all(world.tmp.join("odd/mcp-auth.json")).unwrap();
    let folder = file.parent().unwrap().to_str().unwrap();
    for source in [file.to_str().unwrap(), folder, "~/login", "~/login/mcp-auth.json"] {
        world.task.agent.custom_env.insert(AUTH_VARIABLE.into(), source.into());
        let plan = plan(&world.request()).unwrap();
        let auth = entry(home(&plan, "cursor-data"), &own(&world, AUTH_FILE));
        assert_eq!(*auth, HomeEntry::Link { target: file.clone() }, "{source}");
        assert!(!plan.exports.contains_key(AUTH_VARIABLE));
    }
    let odd = world.tmp.join("odd/mcp-auth.json");
    let wrong =
        ["login", "~/missing", other.to_str().unwrap(), "~/login/gone/mcp-auth.json", odd.to_str().unwrap()];
    for source in wrong {
        world.task.agent.custom_env.insert(AUTH_VARIABLE.into(), source.into());
        let error = plan(&world.request()).unwrap_err();
        assert!(error.to_string().contains(AUTH_VARIABLE), "{source}: {error}");
        assert!(!error.to_string().contains("login"), "{error}");
    }
}

#[test]
fn the_users_own_servers_are_added_only_on_request() {
    let mut world = World::new();
    world.manage(TWO);
    world.write(
        "home/.cursor/mcp.json",
        r#"{"mcpServers":{"mine":{"command":"m"},"alpha":{"command":"not this"},"bad":3}}"#,
    );
    let names = |world: &World| {
        let plan = plan(&world.request()).unwrap();
        let written: Value = serde_json::from_slice(&plan.sidecars[0].bytes).unwrap();
        let servers = written["mcpServers"].as_object().unwrap();
        assert_eq!(servers["alpha"]["command"], "a");
        (servers.keys().cloned().collect::<Vec<_>>(), plan.warnings.len())
    };
    assert_eq!(names(&world), (vec!["alpha".to_owned(), "zeta".to_owned()], 0));
    world.options.mcp_mode = McpMode::Merge;
    assert_eq!(names(&world), (vec!["alpha".to_owned(), "mine".to_owned(), "zeta".to_owned()], 0));
    world.write("home/.cursor/mcp.json", "{ broken");
    assert_eq!(names(&world), (vec!["alpha".to_owned(), "zeta".to_owned()], 1));
}
