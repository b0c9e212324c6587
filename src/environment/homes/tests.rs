#![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;
use crate::provider::plan::{Home, HomeContent, HomeEntry};
use crate::sys::fault::dying;

/// An env root beside a folder of the user.
struct World {
    tmp: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("root/w/env")).unwrap();
        fs::create_dir_all(tmp.path().join("user/skill")).unwrap();
        fs::write(tmp.path().join("user/skill/SKILL.md"), "the user's").unwrap();
        fs::write(tmp.path().join("user/big"), "big").unwrap();
        World { tmp }
    }

    fn env(&self) -> Tree {
        Tree::open(&self.tmp.path().join("root/w/env")).unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.tmp.path().join("root/w/env").join(path)
    }

    fn user(&self, path: &str) -> PathBuf {
        self.tmp.path().join("user").join(path)
    }

    /// Everything in the world: kind, mode and bytes.
    fn seen(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        let mut folders = vec![self.tmp.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                let mode = metadata.permissions().mode() & 0o7777;
                let text = if metadata.is_dir() {
                    folders.push(path.clone());
                    format!("dir {mode:o}")
                } else if metadata.is_symlink() {
                    format!("link {}", fs::read_link(&path).unwrap().display())
                } else if metadata.is_file() {
                    format!("file {mode:o} {}", fs::read_to_string(&path).unwrap())
                } else {
                    "other".into()
                };
                seen.insert(path.strip_prefix(self.tmp.path()).unwrap().to_owned(), text);
            }
        }
        seen
    }

    /// A plan with every kind of content.
    fn plan(&self, version: &str) -> HomePlan {
        let file =
            |text: &str, mode| HomeEntry::File { bytes: format!("{text} {version}").into_bytes(), mode };
        let dir = || HomeEntry::Dir { mode: 0o755 };
        let entries = vec![
            ("config.toml".into(), file("config", 0o600)),
            ("fixed.json".into(), HomeEntry::File { bytes: b"{}".to_vec(), mode: 0o644 }),
            ("skills".into(), dir()),
            ("skills/ours".into(), dir()),
            ("skills/ours/SKILL.md".into(), file("skill", 0o644)),
            ("skills/user".into(), HomeEntry::Link { target: self.user("skill") }),
            ("auth.json".into(), HomeEntry::Link { target: self.user(version) }),
            ("projects".into(), HomeEntry::Kept { mode: 0o700 }),
            ("projects/p".into(), HomeEntry::Kept { mode: 0o700 }),
            ("projects/p/approvals.json".into(), file("approvals", 0o600)),
            ("projects/p/mcp-auth.json".into(), HomeEntry::Absent),
            ("big".into(), HomeEntry::Shared { source: self.user("big") }),
        ];
        let dropped = vec!["stale".into()];
        let content = HomeContent::Folder { mode: 0o700, entries, dropped };
        let bytes = format!("settings {version}").into_bytes();
        HomePlan {
            homes: vec![
                Home { name: "the-home", content },
                Home { name: "settings.json", content: HomeContent::File { bytes, mode: 0o600 } },
                Home { name: "old-thing", content: HomeContent::Nothing },
            ],
            private_exports: BTreeMap::from([("TOKEN".to_owned(), format!("secret {version}"))]),
            ..HomePlan::default()
        }
    }

    fn renew(&self, plan: &HomePlan) -> Result<bool> {
        let env = self.env();
        recover(&env)?;
        match stage(&env, plan)? {
            None => Ok(false),
            Some(change) => change.carry_out().map(|()| true),
        }
    }
}

/// Changes that an agent may make in its home.
fn work_as_an_agent(world: &World) {
    fs::create_dir_all(world.at("the-home/sessions/2026")).unwrap();
    fs::write(world.at("the-home/sessions/2026/rollout.jsonl"), "a session").unwrap();
    fs::set_permissions(world.at("the-home/sessions"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::create_dir(world.at("the-home/projects/p/sessions")).unwrap();
    fs::write(world.at("the-home/projects/p/sessions/one"), "another session").unwrap();
    fs::write(world.at("the-home/projects/p/mcp-auth.json"), "an old login").unwrap();
    fs::write(world.at("the-home/skills/ours/mine.txt"), "scribbled").unwrap();
    fs::set_permissions(world.at("the-home/skills"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(world.at("the-home/stale"), "stale").unwrap();
    fs::write(world.at("old-thing"), "old").unwrap();
    fs::write(world.at("openclaw-config.json"), "another provider's token").unwrap();
}

fn ours(world: &World) -> BTreeMap<PathBuf, String> {
    world.seen().into_iter().filter(|(path, _)| !path.to_string_lossy().contains("sessions")).collect()
}

#[test]
fn a_plan_that_is_in_place_writes_nothing() {
    let world = World::new();
    build(&world.env(), &world.plan("one")).unwrap();
    let place = world.at("the-home/config.toml");
    assert_eq!(fs::metadata(&place).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(world.at("the-home")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(world.at("launch/env/TOKEN")).unwrap().mode() & 0o7777, 0o600);
    let (before, inode) = (world.seen(), fs::metadata(&place).unwrap().ino());
    dying::at(Some(1)); // any change fails
    let renewed = world.renew(&world.plan("one"));
    dying::at(None);
    // Recovery removes nothing if nothing is left over.
    assert!(!renewed.unwrap());
    assert_eq!((world.seen(), fs::metadata(&place).unwrap().ino()), (before, inode));
    assert!(world.renew(&world.plan("two")).unwrap());
    assert_ne!(fs::metadata(&place).unwrap().ino(), inode);
    assert_eq!(fs::read_to_string(&place).unwrap(), "config two");
}

#[test]
fn only_differences_are_replaced_and_the_agents_files_stay() {
    let world = World::new();
    build(&world.env(), &world.plan("one")).unwrap();
    work_as_an_agent(&world);
    let fixed = fs::metadata(world.at("the-home/fixed.json")).unwrap().ino();
    assert!(world.renew(&world.plan("two")).unwrap());
    assert_eq!(fs::metadata(world.at("the-home/fixed.json")).unwrap().ino(), fixed);
    assert_eq!(fs::read_to_string(world.at("the-home/sessions/2026/rollout.jsonl")).unwrap(), "a session");
    for gone in [
        "the-home/skills/ours/mine.txt",
        "the-home/projects/p/mcp-auth.json",
        "the-home/stale",
        "old-thing",
        "openclaw-config.json",
    ] {
        assert!(world.at(gone).symlink_metadata().is_err(), "{gone}");
    }
    let fresh = World::new();
    build(&fresh.env(), &fresh.plan("two")).unwrap();
    let names = |world: &World| ours(world).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&world), names(&fresh));
    assert_eq!(fs::read_to_string(world.user("skill/SKILL.md")).unwrap(), "the user's");
}

#[test]
fn a_crash_at_any_step_leaves_the_old_homes_or_the_new_ones() {
    let mut old_ones = 0;
    for step in 1.. {
        let world = World::new();
        build(&world.env(), &world.plan("one")).unwrap();
        work_as_an_agent(&world);
        let before = world.seen();
        dying::at(Some(step));
        let died = world.renew(&world.plan("two"));
        dying::at(None);
        // The next command may crash too.
        for second in 1..4 {
            dying::at(Some(second));
            let _ = recover(&world.env());
            dying::at(None);
        }
        recover(&world.env()).unwrap();
        assert!(!has_leftovers(&world.env()), "died at {step}");
        let after = world.seen();
        let session = |seen: &BTreeMap<PathBuf, String>| -> Vec<(PathBuf, String)> {
            let mine = seen.iter().filter(|(path, _)| path.to_string_lossy().contains("sessions"));
            mine.map(|(path, text)| (path.clone(), text.clone())).collect()
        };
        assert_eq!(session(&after), session(&before), "died at {step}");
        let config = fs::read_to_string(world.at("the-home/config.toml")).unwrap();
        if config == "config one" {
            // Before the decision nothing but a launch folder's mode could have changed.
            assert_eq!(after, before, "died at {step}");
            old_ones += 1;
        } else {
            let settled = world.renew(&world.plan("two")).unwrap();
            assert!(!settled, "died at {step}: something is not new");
        }
        if died.is_ok() {
            assert!(step > 30 && old_ones > 10, "too few steps: {step}, {old_ones}");
            return;
        }
    }
}

#[test]
fn an_agents_entries_in_the_way_are_replaced_and_never_followed() {
    let world = World::new();
    let outside = world.user("precious");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("config.toml"), "precious").unwrap();
    let before = fs::read_to_string(outside.join("config.toml")).unwrap();
    type Spoil<'a> = (&'static str, &'a dyn Fn(&Path));
    let spoil: [Spoil<'_>; 5] = [
        ("the-home", &|place| symlink(&outside, place).unwrap()),
        ("the-home/config.toml", &|place| symlink(outside.join("config.toml"), place).unwrap()),
        ("the-home/skills", &|place| symlink(&outside, place).unwrap()),
        ("the-home/skills/ours", &|place| symlink(&outside, place).unwrap()),
        ("settings.json", &|place| {
            rustix::fs::mkfifoat(rustix::fs::CWD, place, rustix::fs::Mode::RWXU).unwrap()
        }),
    ];
    for (place, put) in spoil {
        let env = world.env();
        let _ = env.remove_all(Path::new("the-home"));
        let _ = env.remove_all(Path::new("settings.json"));
        let _ = env.remove_all(Path::new("launch"));
        build(&env, &world.plan("one")).unwrap();
        env.remove_all(Path::new(place)).unwrap();
        put(&world.at(place));
        assert!(world.renew(&world.plan("one")).unwrap(), "{place}");
        assert!(!world.renew(&world.plan("one")).unwrap(), "{place}");
        assert_eq!(fs::read_to_string(outside.join("config.toml")).unwrap(), before, "{place}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{place}");
    }
}

#[test]
fn a_forged_change_can_only_touch_homes() {
    for list in [
        r#"[{"place":[{"Unix":[46,46]},{"Unix":[120]}],"comes":false}]"#,
        r#"[{"place":[{"Unix":[119,111,114,107,100,105,114]}],"comes":false}]"#,
        r#"[{"place":[{"Unix":[108,97,117,110,99,104]}],"comes":false}]"#,
        r#"[{"place":[{"Unix":[120]},{"Unix":[46,46]}],"comes":false}]"#,
        r#"[{"place":[{"Unix":[97,47,98]}],"comes":false}]"#,
        r#"[{"place":[],"comes":false}]"#,
        "{",
        "",
    ] {
        let world = World::new();
        fs::create_dir(world.at("workdir")).unwrap();
        fs::create_dir(world.at(names::HOMES_NEXT)).unwrap();
        fs::write(world.at(names::HOMES_NEXT).join(LIST), list).unwrap();
        let before = world.seen();
        let error = recover(&world.env()).unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::UnreadableState, "{list}");
        assert_eq!(world.seen(), before, "{list}");
    }
    let world = World::new();
    symlink(world.user("skill"), world.at(names::HOMES_NEXT)).unwrap();
    symlink(world.user("skill"), world.at(names::HOMES_SCRATCH)).unwrap();
    recover(&world.env()).unwrap();
    assert!(!has_leftovers(&world.env()));
    assert_eq!(fs::read_to_string(world.user("skill/SKILL.md")).unwrap(), "the user's");
}

#[test]
fn a_plan_cannot_leave_its_home() {
    let world = World::new();
    let folder = |path: &str| HomeContent::Folder {
        mode: 0o700,
        entries: vec![(path.into(), HomeEntry::Dir { mode: 0o700 })],
        dropped: Vec::new(),
    };
    for (name, content) in [
        ("a", folder("../x")),
        ("a", folder("/x")),
        ("..", folder("x")),
        ("workdir", folder("x")),
        ("launch", folder("x")),
    ] {
        let plan = HomePlan { homes: vec![Home { name, content }], ..HomePlan::default() };
        assert!(build(&world.env(), &plan).is_err(), "{name}");
        assert!(stage(&world.env(), &plan).is_err(), "{name}");
    }
}

#[test]
fn a_variables_path_must_be_what_was_prepared() {
    let world = World::new();
    let env = world.env();
    fs::create_dir_all(world.at("codex-home")).unwrap();
    fs::write(world.at("config.json"), "{}").unwrap();
    symlink(world.user("skill"), world.at("linked")).unwrap();
    symlink(world.tmp.path().join("root"), world.tmp.path().join("spelling")).unwrap();
    let exports = |value: PathBuf| BTreeMap::from([("X_HOME".to_owned(), value.display().to_string())]);
    let spelt = world.tmp.path().join("spelling/w/env");
    for fine in [
        world.at("codex-home"),
        world.at("config.json"),
        world.user("nowhere"),
        PathBuf::from("1"),
        spelt.join("codex-home"),
    ] {
        check_exports(&env, &exports(fine.clone())).unwrap_or_else(|error| panic!("{fine:?}: {error}"));
    }
    for bad in [
        world.at("gone"),
        world.at("linked"),
        world.at("linked/SKILL.md"),
        world.at("config.json/x"),
        spelt.join("linked"),
        world.tmp.path().join("root/.stores/x"),
    ] {
        let error = check_exports(&env, &exports(bad.clone())).unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::WorkDirGone, "{bad:?}");
    }
}
