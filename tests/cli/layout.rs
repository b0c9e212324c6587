//! The one table of names, row by row, through the built binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use execenv::internals::layout::{Form, Owner, Place, Row, StoreKind, TABLE, env_rows, in_env};

use crate::support::{TestEnv, assert_same, snapshot};

/// A name that a row is about.
fn example(row: &Row) -> String {
    match row.form {
        Form::Whole => row.name.to_owned(),
        Form::Prefix => format!("{}x", row.name),
        Form::Suffix => format!("x{}", row.name),
    }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn no_name_of_the_table_can_be_an_artifact_pattern() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", crate::support::TASK]);
    for row in TABLE {
        if let Some(path) = row.path_in_env()
            && !env.join(&path).exists()
        {
            std::fs::create_dir_all(env.join(path).join("conversation")).unwrap();
        }
    }
    let before = snapshot(&t.tmp);
    let mut refused = 0;
    for row in TABLE.iter().filter(|row| row.place != Place::Locks) {
        let name = example(row);
        for patterns in [name.clone(), format!("node_modules,{name}")] {
            let gc = t.execenv(["gc", "--artifact-ttl", "1s", "--artifact-pattern", &patterns]);
            gc.fails(2, &[&format!("`{name}` cannot be an artifact pattern")]);
            refused += 1;
        }
    }
    t.execenv(["gc", "--artifact-pattern", ".git"]).fails(2, &["`.git`"]);
    assert!(refused > 80, "{refused} patterns were tried");
    assert_same(&before, &snapshot(&t.tmp), "patterns that are refused");
}

#[test]
fn what_prepare_makes_for_any_provider_is_in_the_table() {
    for provider in execenv::internals::all_providers() {
        let t = TestEnv::new();
        let openclaw = t.write("bin/openclaw", "#!/bin/sh\nexit 1\n");
        let document = format!(
            r#"{{"id":"one","provider":"{}","issue_id":"i-1","agent":{{"id":"agent-1","name":"A",
            "custom_env":{{"KEY":"v"}},"skills":[{{"name":"one","content":"body\n"}}]}}}}"#,
            provider.name
        );
        t.write("task.json", document);
        let prepared = t.execenv(["prepare", "-q", "--task", "task.json", "--platform-cli", "multica"]);
        let done = prepared.var("MULTICA_OPENCLAW_PATH", &openclaw).run();
        if provider.name == "openclaw" {
            done.status(1); // the program here answers nothing
            continue;
        }
        let env = done.status(0).stdout;
        let made = names_in(Path::new(env.trim_end()));
        for name in &made {
            assert!(in_env(name).is_some(), "{}: {name} is not in the table", provider.name);
        }
        for row in env_rows().filter(|row| row.in_every_env) {
            assert!(made.contains(row.name), "{}: no {}", provider.name, row.name);
        }
        for name in names_in(&t.root).iter().filter(|name| name.starts_with('.')) {
            let is_known = |row: &Row| row.place == Place::Root && row.is(name);
            assert!(TABLE.iter().any(is_known), "{}: {name} is not in the table", provider.name);
        }
    }
}

/// Sets a folder's time, and that of all folders in it, back by more than a year.
fn set_back(folder: &Path) {
    let old = SystemTime::now() - Duration::from_secs(400 * 86_400);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_back(&path);
        }
    }
    std::fs::File::open(folder).unwrap().set_modified(old).unwrap();
}

#[test]
fn every_store_of_the_table_is_collected_by_the_age_of_its_kind() {
    let mut collected = 0;
    for row in TABLE.iter().filter(|row| row.store.is_some_and(|kind| kind != StoreKind::Cache)) {
        let Owner::Provider(provider) = row.owner else { panic!("a store is a provider's: {row:?}") };
        let t = TestEnv::new();
        let document = format!(
            r#"{{"id":"one","provider":"{provider}","issue_id":"i-1","agent":{{"id":"agent-1","name":"A",
            "skills":[{{"name":"one","content":"body\n"}}]}}}}"#
        );
        t.write("task.json", document);
        t.execenv(["prepare", "-q", "--task", "task.json", "--local-dir", "project"]).run().status(0);
        let store = t.root.join(".stores").join(row.name);
        assert!(store.is_dir(), "{provider} has no {}", row.name);
        set_back(&store);
        let gc = |sessions: &str, memories: &str| {
            let run = t.execenv(["gc", "-q"]).var("EXECENV_TEST_NOW", "");
            run.var("EXECENV_GC_SESSION_TTL", sessions).var("EXECENV_GC_MEMORY_TTL", memories).ok();
        };
        let (keeps, collects) = match row.store {
            Some(StoreKind::Memories) => (("1d", "0"), ("0", "1d")),
            _ => (("0", "1d"), ("1d", "0")),
        };
        gc(keeps.0, keeps.1);
        assert!(store.is_dir(), "{} was collected by the age of another kind", row.name);
        gc(collects.0, collects.1);
        assert!(!store.exists(), "{} is never collected", row.name);
        collected += 1;
    }
    assert_eq!(collected, 5);
}
