use std::os::unix::fs::symlink;

use super::super::bench::{Bench, entry, make_dirs, write};
use super::*;

const ID: &str = "01a1fc08-9974-7000-8000-000000000001";
const DAY: &str = "2026/11/21";

fn rollout(id: &str) -> String {
    format!("rollout-2026-11-21T07-00-00-{id}.jsonl")
}

#[test]
fn conversations_are_keyed_by_agent_and_subject() {
    let long = "x".repeat(300);
    for (agent, issue, chat, expected) in [
        ("a-1", "i-1", "", Some("codex-sessions/a-1/i-1")),
        ("a-1", "i-1", "c-1", Some("codex-sessions/a-1/i-1")),
        ("a-1", "", "c-1", Some("codex-sessions/a-1/chat_c-1")),
        ("", "i", "", Some("codex-sessions/_/i")),
        ("../..", "../i", "", Some("codex-sessions/_/i")),
        ("a", "", "", None),
        ("a", "...", "", None),
    ] {
        let mut task =
            TaskDocument { issue_id: issue.into(), chat_session_id: chat.into(), ..Default::default() };
        task.agent.id = agent.into();
        assert_eq!(store(&task).as_deref(), expected.map(Path::new), "{agent} {issue} {chat}");
    }
    let task = TaskDocument { issue_id: long, ..Default::default() };
    assert_eq!(store(&task).unwrap().file_name().unwrap().len(), 64);
}

#[test]
fn the_present_entry_decides() {
    let (ours, other) = (Path::new("/stores/a/i"), Path::new("/home/.codex/sessions"));
    let to_ours = Place::Store(ours.to_owned());
    for (present, link, is_local, has_key, expected) in [
        (None, None, false, true, Place::Fresh),
        (None, None, true, true, to_ours.clone()),
        (None, None, true, false, Place::Fresh),
        (Some(FileKind::Dir), None, false, true, Place::Keep),
        (Some(FileKind::Dir), None, true, true, Place::Keep),
        (Some(FileKind::Link), Some(ours), false, true, to_ours.clone()),
        (Some(FileKind::Link), Some(ours), true, true, to_ours.clone()),
        (Some(FileKind::Link), Some(other), true, true, to_ours),
        (Some(FileKind::Link), Some(other), false, true, Place::Fresh),
        (Some(FileKind::Link), Some(other), true, false, Place::Fresh),
        (Some(FileKind::Other), None, false, true, Place::Fresh),
        (Some(FileKind::File { len: 0, mode: 0o644 }), None, false, true, Place::Fresh),
    ] {
        let store = has_key.then(|| ours.to_owned());
        assert_eq!(
            decide(present, link, is_local, store),
            expected,
            "{present:?} {link:?} {is_local} {has_key}"
        );
    }
}

#[test]
fn a_managed_task_keeps_its_own_conversations() {
    let bench = Bench::new(&[("sessions/2026/11/21/other.jsonl", "the user's")]);
    let plan = bench.prepare();
    assert_eq!(entry(&plan, "sessions"), Some(&HomeEntry::Dir { mode: 0o700 }));
    write(&bench.home("sessions/2026/own"), "mine");
    write(&bench.home("state_5.sqlite"), "index");
    bench.prepare();
    assert_eq!(bench.read("sessions/2026/own").unwrap(), "mine");
    assert_eq!(bench.read("state_5.sqlite").unwrap(), "index");
}

#[test]
fn a_shared_folder_of_old_gives_way_with_its_index() {
    let bench = Bench::new(&[(&format!("sessions/{DAY}/{}", rollout(ID)), "talk")]);
    make_dirs(&bench.home(""));
    symlink(bench.shared("sessions"), bench.home("sessions")).unwrap();
    let (gone, kept) = (
        ["state_5.sqlite", "state_5.sqlite-shm", "state_5.sqlite-wal"],
        ["session_index.jsonl", "goals_1", "logs_1", "memories_1", "state_5.txt", "my_state_5.sqlite"],
    );
    gone.iter().chain(&kept).for_each(|name| write(&bench.home(name), "x"));
    bench.prepare();
    assert!(bench.home("sessions").symlink_metadata().unwrap().is_dir());
    assert!(gone.iter().all(|name| bench.read(name).is_none()));
    assert!(kept.iter().all(|name| bench.read(name).is_some()));
    assert!(bench.shared("sessions").join(DAY).join(rollout(ID)).exists());
}

#[test]
fn the_conversation_to_go_on_with_comes_along_as_the_tasks_own() {
    for place in [format!("{DAY}/{}", rollout(ID)), rollout(ID), format!("{DAY}/{}.zst", rollout(ID))] {
        let mut bench = Bench::new(&[(&format!("sessions/{place}"), "talk")]);
        bench.task.prior_session_id = ID.into();
        let plan = bench.prepare();
        let source = bench.shared("sessions").join(&place);
        assert_eq!(entry(&plan, &format!("sessions/{place}")), Some(&HomeEntry::Copied { source }));
        let tree = Tree::open(&bench.home("sessions")).unwrap();
        assert_eq!(find_rollout(&tree, ID).unwrap(), Some(PathBuf::from(&place)));
    }
}

#[test]
fn a_local_task_has_a_store() {
    let mut bench = Bench::new(&[]);
    bench.is_local = true;
    bench.task.issue_id = "i-1".into();
    let plan = bench.prepare();
    let store = bench.stores.join("codex-sessions/_/i-1");
    assert_eq!(plan.stores, std::slice::from_ref(&store));
    write(&bench.home("sessions").join(DAY).join(rollout(ID)), "talk");
    assert!(store.join(DAY).join(rollout(ID)).exists());
    assert_eq!(bench.prepare().stores, [store]);
    bench.task.issue_id.clear();
    let plan = bench.prepare();
    assert_eq!((plan.stores.len(), entry(&plan, "sessions")), (0, Some(&HomeEntry::Dir { mode: 0o700 })));
}

#[test]
fn a_local_task_goes_on_with_a_conversation_of_the_users_home_once() {
    let place = format!("{DAY}/{}", rollout(ID));
    let mut bench = Bench::new(&[(&format!("sessions/{place}"), "talk")]);
    bench.is_local = true;
    bench.task.issue_id = "i-1".into();
    bench.task.prior_session_id = ID.into();
    let store = bench.stores.join("codex-sessions/_/i-1");
    let files = bench.prepare().store_files;
    assert_eq!(files, [(store.join(&place), bench.shared("sessions").join(&place))]);
    assert_eq!(find_rollout(&Tree::open(&store).unwrap(), ID).unwrap(), Some(PathBuf::from(&place)));
    write(&store.join(&place), "talk and more");
    assert_eq!(bench.prepare().store_files, []);
}

#[test]
fn a_rollout_is_found_by_its_session() {
    let bench = Bench::new(&[]);
    let other = "01a1fc08-9974-7000-8000-000000000002";
    for (file, id, is_found) in [
        (format!("{DAY}/{}", rollout(ID)), ID, true),
        (rollout(ID), ID, true),
        (format!("{DAY}/{}.zst", rollout(ID)), ID, true),
        (format!("{DAY}/{}.tmp", rollout(ID)), ID, false),
        (format!("2026/{}", rollout(ID)), ID, false),
        (format!("{DAY}/x/{}", rollout(ID)), ID, false),
        (format!("{DAY}/{}", rollout(ID)), other, false),
        (format!("{DAY}/{}", rollout(ID)), &ID[1..], false),
        (format!("{DAY}/{}", rollout(ID)), "", false),
        (format!("{DAY}/{}", rollout(ID)), "../x", false),
        (format!("{DAY}/rollout-{ID}.jsonl"), ID, false),
    ] {
        let folder = bench.tmp.join("sessions");
        super::super::bench::remove(&folder);
        write(&folder.join(&file), "talk");
        let found = find_rollout(&Tree::open(&folder).unwrap(), id).unwrap();
        assert_eq!(found, is_found.then(|| PathBuf::from(&file)), "{file} {id}");
    }
}

#[test]
fn folders_named_like_a_rollout_and_links_out_are_none() {
    let bench = Bench::new(&[(&format!("elsewhere/{}", rollout(ID)), "talk")]);
    let folder = bench.tmp.join("sessions");
    make_dirs(&folder.join(rollout(ID)));
    make_dirs(&folder.join("2026/11"));
    symlink(bench.shared("elsewhere"), folder.join("2026/11/21")).unwrap();
    assert_eq!(find_rollout(&Tree::open(&folder).unwrap(), ID).unwrap(), None);
}
