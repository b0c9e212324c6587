//! "What is an environment" has one answer, whichever command is asked.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::TestEnv;

const RECORD: &str = r#"{"kind":"issue","issue_id":"I","workspace_id":"w"}"#;

/// A folder below the test's own, the files in it, and whether it is an environment.
type Folder = (&'static str, &'static [(&'static str, &'static str)], bool);

const FOLDERS: &[Folder] = &[
    ("root/w/recorded-1", &[(".gc_meta.json", RECORD)], true),
    ("root/w/no-record-2", &[("workdir/work", "")], true),
    ("root/w/results-3", &[("output/result", "")], true),
    ("root/w/damaged-4", &[(".gc_meta.json", "{")], true),
    ("root/w/manifest-5", &[(".multica_sidecar_manifest.json", r#"{"files":[],"dirs":[]}"#)], true),
    ("root/w/locked-6", &[(".task_lock", "")], true),
    ("root/w/upstreams-7", &[(".task_owner", "t"), (".managed_env.json", "{}"), ("workdir/x", "")], true),
    ("root/w/proof-8", &[(".managed_env.json", "{}")], true),
    ("root/w/by-hand-9", &[("notes.txt", "")], false),
    ("root/w/empty-10", &[], false),
    ("root/w/recorded-1/workdir/w/faked-11", &[(".gc_meta.json", RECORD)], false),
    ("root/w/.hidden-12", &[(".gc_meta.json", RECORD)], false),
    ("root/.hidden/folder-13", &[(".gc_meta.json", RECORD)], false),
    ("root/.trash/entry-14", &[(".gc_meta.json", RECORD)], false),
    ("root/only-one-level-15", &[(".gc_meta.json", RECORD)], false),
    ("project/sub/faked-16", &[(".gc_meta.json", RECORD), (".task_lock", "")], false),
];

fn world() -> TestEnv {
    let t = TestEnv::new();
    t.write("root/.execenv-root", "");
    // An agent has marked its own work dir as a workspaces root.
    t.write("root/w/recorded-1/workdir/.execenv-root", "");
    for (folder, files, _) in FOLDERS {
        std::fs::create_dir_all(t.tmp.join(folder)).unwrap();
        for (name, text) in *files {
            t.write(format!("{folder}/{name}"), text);
        }
    }
    t.link("root/w/link-17", t.tmp.join("root/w/recorded-1"));
    t
}

fn expected(t: &TestEnv) -> BTreeSet<PathBuf> {
    FOLDERS.iter().filter(|(.., is_one)| *is_one).map(|(folder, ..)| t.tmp.join(folder)).collect()
}

fn paths(rows: &Value, key: &str) -> BTreeSet<PathBuf> {
    rows.as_array().unwrap().iter().map(|row| PathBuf::from(row[key].as_str().unwrap())).collect()
}

#[test]
fn every_command_that_lists_names_the_same_folders() {
    let t = world();
    let expected = expected(&t);
    let json = |words: &[&str]| {
        let done = t.execenv(words.iter().chain(&["-o", "json"])).var("EXECENV_TEST_NOW", "").run();
        serde_json::from_str::<Value>(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"))
    };
    assert_eq!(paths(&json(&["list"])["environments"], "root_dir"), expected, "list");
    assert_eq!(paths(&json(&["du"])["tasks"], "path"), expected, "du");
    assert_eq!(json(&["doctor"])["environments"], expected.len(), "doctor");
    let gc = json(&["gc", "--dry-run", "--ttl", "0", "--orphan-ttl", "0"]);
    assert_eq!(paths(&gc["decisions"], "root_dir"), expected, "gc");
    let run = t.execenv(["--", "execenv", "show", ""]);
    let run = run.var("EXECENV_COMPLETE", "bash").var("_CLAP_COMPLETE_INDEX", "2");
    let offered = run.var("_CLAP_COMPLETE_COMP_TYPE", "9").var("_CLAP_IFS", "\n").run().status(0).stdout;
    let keys = offered.lines().filter(|line| !line.starts_with('-')).map(|key| t.root.join("w").join(key));
    assert_eq!(keys.collect::<BTreeSet<_>>(), expected, "completion");
}

#[test]
fn every_command_that_is_given_a_name_knows_the_same_folders() {
    let t = world();
    let link: Folder = ("root/w/link-17", &[], false);
    let mut folders: Vec<&Folder> = FOLDERS.iter().chain([&link]).collect();
    folders.sort_by_key(|(.., is_one)| *is_one); // what is in an environment goes with it
    for (folder, _, is_one) in folders {
        let path = t.tmp.join(folder);
        let key = path.file_name().unwrap().to_str().unwrap();
        for command in [&["show"][..], &["gc", "--explain"], &["cleanup", "--all"]] {
            for name in [path.to_str().unwrap(), key] {
                if *is_one && !path.exists() {
                    continue; // removed by its other name
                }
                let done = t.execenv(command.iter().chain(&[name])).run();
                let is_known = !done.stderr.contains("no environment");
                let agrees = is_known == *is_one && (is_known || done.status == Some(3));
                done.check(agrees, &format!("{name} to be an environment: {is_one}"));
            }
        }
        assert_eq!(path.symlink_metadata().is_ok(), !is_one, "{folder} after cleanup --all");
    }
}
