//! What Codex may write in its sandbox to commit in a worktree: the folders of git that a commit needs, and no others.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv};

const OUTPUT: &str = "ROOT/output";
const FOLDERS: [&str; 5] = [
    OUTPUT,
    "GIT/worktrees/REGISTERED",
    "GIT/objects",
    "GIT/refs/heads/agent/ada",
    "GIT/logs/refs/heads/agent/ada",
];

struct World {
    t: TestEnv,
    git_dir: PathBuf,
    root: PathBuf,
}

impl World {
    fn new(init: &[&str]) -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, init);
        let root = t.root.join("default").join(KEY);
        World { git_dir: source.join(".git"), root, t }
    }

    fn prepare(&self, words: &[&str]) {
        let always = ["--task-id", TASK, "--agent-name", "Ada", "--provider", "codex"];
        self.t.execenv([&["prepare"], &always[..], words].concat()).run().status(0);
    }

    fn reuse(&self, words: &[&str]) {
        let always = ["reuse", KEY, "--agent-name", "Ada", "--provider", "codex"];
        self.t.execenv([&always[..], words].concat()).run().status(0);
    }

    /// The folders that the configuration lets the agent write, each of which is there.
    fn roots(&self) -> Vec<String> {
        let config = std::fs::read_to_string(self.root.join("codex-home/config.toml")).unwrap();
        let key = "sandbox_workspace_write.writable_roots = ";
        let Some(list) = config.lines().find_map(|line| line.strip_prefix(key)) else { return Vec::new() };
        let list: Vec<String> = serde_json::from_str(list).unwrap();
        let record = std::fs::read_to_string(self.root.join(".gc_meta.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        let registered = record["execenv"]["repository"]["worktree"].as_str().filter(|name| !name.is_empty());
        let registered = registered.unwrap_or("no registration").to_owned();
        let named = |path: &String| {
            assert!(Path::new(path).is_dir(), "{path}");
            let path = path.replace(self.root.to_str().unwrap(), "ROOT");
            path.replace(self.git_dir.to_str().unwrap(), "GIT").replace(&registered, "REGISTERED")
        };
        list.iter().map(named).collect()
    }
}

#[test]
fn only_a_worktree_in_a_sandbox_that_can_write_has_them() {
    let read_only = ["--repo", "source", "--codex-sandbox", "read-only"];
    let free = ["--repo", "source", "--codex-sandbox", "danger-full-access"];
    for (words, expected) in [
        (&[][..], &[OUTPUT][..]),
        (&["--repo", "new://"], &[OUTPUT]),
        (&["--repo", "source"], &FOLDERS),
        (&["--local-dir", "source", "--worktree"], &FOLDERS),
        (&read_only, &[]),
        (&free, &[]),
    ] {
        let w = World::new(&[]);
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                if *word == "source" { w.t.tmp.join(word).display().to_string() } else { (*word).to_owned() }
            })
            .collect();
        w.prepare(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(w.roots(), expected, "{words:?}");
        w.reuse(
            words
                .iter()
                .skip(2)
                .map(String::as_str)
                .filter(|word| *word != "--worktree")
                .collect::<Vec<_>>()
                .as_slice(),
        );
        assert_eq!(w.roots(), expected, "{words:?} again");
    }
}

#[test]
fn in_a_table_of_refs_no_branch_can_be_told_from_the_others() {
    let probe = TestEnv::new();
    let made = probe.command("git").args(["init", "-q", "--ref-format=reftable", "probe"]).output().unwrap();
    if made.status.success() {
        let w = World::new(&["--ref-format=reftable"]);
        w.prepare(&["--repo", "source"]);
        assert_eq!(w.roots(), [OUTPUT]);
    }
}

#[test]
fn a_packed_branch_has_its_folder_again_and_a_claim_of_the_agents_opens_none() {
    let w = World::new(&[]);
    w.prepare(&["--repo", "source"]);
    git(&w.t, &w.git_dir, &["pack-refs", "--all"]);
    assert!(!w.git_dir.join("refs/heads/agent").exists());
    w.reuse(&[]);
    assert_eq!(w.roots(), FOLDERS);
    let own = git_out(&w.t, &w.root.join("workdir"), &["rev-parse", "--path-format=absolute", "--git-dir"]);
    let branch = format!("refs/heads/agent/ada/{KEY}");
    for head in ["refs/heads/main", "refs/heads/agent/bob/555555abcdef", "refs/heads/agent/ada/../../main"] {
        w.t.write(Path::new(&own).join("HEAD"), format!("ref: {head}\n"));
        w.reuse(&[]);
        assert_eq!(w.roots(), [OUTPUT], "{head}");
    }
    w.t.write(Path::new(&own).join("HEAD"), format!("ref: {branch}\n"));
    // A folder of branches that leads elsewhere.
    let (folder, elsewhere) = (w.git_dir.join("refs/heads/agent/ada"), w.t.tmp.join("elsewhere"));
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
    w.reuse(&[]);
    assert_eq!(w.roots(), [OUTPUT]);
    std::fs::remove_file(&folder).unwrap();
    // Nothing proves that execenv made the worktree.
    std::fs::remove_file(w.root.join(".repository_proof")).unwrap();
    w.reuse(&[]);
    assert_eq!(w.roots(), [OUTPUT]);
}
