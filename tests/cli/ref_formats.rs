//! Every command on worktrees of repositories that keep their refs in files, and in tables: what one does, and what git says
//! after it, is the same.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv};

const BRANCH: &str = "agent/ada/555555abcdef";
const OTHER: &str = "22222222-2222-4333-8444-000000000002";

/// One run through the commands, with what each of them, and git, said.
struct Story {
    t: TestEnv,
    source: PathBuf,
    told: Vec<String>,
    commits: Cell<u32>,
}

impl Story {
    fn new(init: &[&str]) -> Story {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, init);
        Story { t, source, told: Vec::new(), commits: Cell::new(0) }
    }

    fn prepare(&mut self, words: &[&str]) -> PathBuf {
        let words = [&["--task-id", TASK, "--agent-name", "Ada", "--provider", "claude"], words].concat();
        let work_dir = self.t.prepare(words).join("workdir");
        self.look("prepare");
        work_dir
    }

    fn note(&mut self, what: &str) {
        // What differs from run to run: ids, sizes and times.
        let is_id = |word: &str| word.len() > 6 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let words = what.split(|c: char| !c.is_ascii_alphanumeric());
        let ids: Vec<&str> = words.filter(|word| is_id(word)).collect();
        let told = ids.iter().fold(what.to_owned(), |text, id| text.replace(id, "ID"));
        self.told.push(told.replace(self.t.tmp.to_str().unwrap(), "TMP"));
    }

    /// Runs a command, and looks at the repository.
    fn run(&mut self, words: &[&str]) -> String {
        let done = self.t.execenv(words).run();
        self.note(&format!("{words:?}: {:?} {}", done.status, done.stderr));
        self.look(words[0]);
        done.stdout
    }

    /// What git says of the repository and of its worktrees.
    fn look(&mut self, after: &str) {
        let git = |words: &[&str]| git_out(&self.t, &self.source, words);
        let mut said = vec![git(&["for-each-ref", "--format=%(refname) %(contents:subject)"])];
        let listed = git(&["worktree", "list", "--porcelain"]);
        let of_note =
            |line: &&str| line.starts_with("worktree") || line.starts_with("branch") || line.is_empty();
        said.extend(listed.lines().filter(of_note).map(str::to_owned));
        said.push(git(&["fsck", "--no-dangling", "--no-progress"]));
        said.push(git(&["status", "--porcelain", "-b"]));
        let places = listed.lines().filter_map(|line| line.strip_prefix("worktree ")).skip(1).map(Path::new);
        for place in places.filter(|place| place.exists()) {
            said.push(git_out(&self.t, place, &["status", "--porcelain", "-b", "-uno"]));
        }
        self.note(&format!("after {after}: {}", said.join("\n")));
    }

    fn commit(&self, dir: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.t.write(dir.join(path), text);
            git(&self.t, dir, &["add", "--", path]);
        }
        self.commits.set(self.commits.get() + 1);
        // Two that are alike in all would be one.
        git(&self.t, dir, &["commit", "-q", "-m", &format!("work {}", self.commits.get())]);
    }
}

/// The same story in each format tells the same.
fn in_every_format(tell: fn(&mut Story)) {
    let t = TestEnv::new();
    let probe = t.command("git").args(["init", "-q", "--ref-format=reftable", "probe"]).output().unwrap();
    const TABLES: [&[&str]; 2] =
        [&["--ref-format=reftable"], &["--ref-format=reftable", "--object-format=sha256"]];
    let formats = [&[][..], &["--object-format=sha256"]].into_iter();
    let formats: Vec<&[&str]> =
        formats.chain(TABLES.into_iter().filter(|_| probe.status.success())).collect();
    let told: Vec<Vec<String>> = std::thread::scope(|scope| {
        let told = |init: &'static [&'static str]| {
            let mut story = Story::new(init);
            tell(&mut story);
            story.told
        };
        let threads: Vec<_> = formats.iter().map(|init| scope.spawn(move || told(init))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let expected = &told[0];
    for (init, told) in formats.iter().zip(&told) {
        for (expected, told) in expected.iter().zip(told) {
            assert_eq!(expected, told, "{init:?}");
        }
        assert_eq!(expected.len(), told.len(), "{init:?}");
    }
}

#[test]
fn work_is_kept_and_what_is_kept_elsewhere_goes() {
    in_every_format(|s| {
        let source = s.source.clone();
        let repo = ["--repo", source.to_str().unwrap()];
        let work = s.prepare(&repo);
        s.run(&["cleanup", "--all", KEY]);
        assert_eq!(git_out(&s.t, &source, &["branch", "--format=%(refname:short)"]), "main");
        for words in [&["cleanup", "--all", KEY][..], &["cleanup", "--keep-branch", "--all", KEY]] {
            s.prepare(&repo);
            s.commit(&work, &[("new", "new\n")]);
            s.run(words);
        }
        s.prepare(&repo);
        s.commit(&work, &[("forced", "new\n")]);
        s.run(&["cleanup", "--force", "--all", KEY]);
        // Not committed.
        s.prepare(&repo);
        s.t.write(work.join("file"), "changed\n");
        s.run(&["cleanup", "--all", KEY]);
        assert!(work.exists());
        s.run(&["cleanup", "--all", "--force", KEY]);
        // A commit without a branch, one that is being picked, a ref of this worktree alone.
        for words in [
            &["checkout", "-q", "--detach"][..],
            &["update-ref", "CHERRY_PICK_HEAD", "HEAD"],
            &["update-ref", "refs/worktree/mine", "HEAD"],
        ] {
            s.prepare(&repo);
            if words[0] == "checkout" {
                git(&s.t, &work, words);
                s.commit(&work, &[("alone", "x\n")]);
            } else {
                s.commit(&work, &[("alone", "x\n")]);
                git(&s.t, &work, words);
                git(&s.t, &work, &["reset", "-q", "--soft", "HEAD~1"]);
                git(&s.t, &work, &["read-tree", "HEAD"]);
                std::fs::remove_file(work.join("alone")).unwrap();
                if words[1] == "CHERRY_PICK_HEAD" {
                    git(&s.t, &work, &["update-ref", "CHERRY_PICK_HEAD", "ORIG_HEAD"]);
                }
            }
            s.run(&["cleanup", "--all", KEY]);
            s.run(&["cleanup", "--all", "--force", KEY]);
        }
        // Through the trash.
        s.prepare(&repo);
        s.run(&["cleanup", "--trash", "--all", KEY]);
        s.run(&["trash", "restore", KEY]);
        s.run(&["cleanup", "--trash", "--all", KEY]);
        s.run(&["gc", "--trash-ttl", "0"]);
        s.run(&["doctor"]);
    });
}

#[test]
fn work_on_it_is_saved_shown_merged_and_published() {
    in_every_format(|s| {
        let source = s.source.clone();
        let work = s.prepare(&["--repo", "source"]);
        s.t.write(work.join("file"), "one\ntwo\n");
        s.run(&["checkpoint", KEY, "-m", "first"]);
        git(&s.t, &work, &["checkout", "-q", "--", "."]);
        s.run(&["restore", KEY, "--from", "1"]);
        assert_eq!(std::fs::read_to_string(work.join("file")).unwrap(), "one\ntwo\n");
        s.run(&["checkpoint", KEY, "-m", "second", "--on-branch"]);
        let shown = s.run(&["diff", KEY]);
        s.note(&shown);
        s.run(&["branch", KEY, "agent/ada/side"]);
        s.commit(&work, &[("file", "one\ntheirs\n"), ("side", "side\n")]);
        git(&s.t, &work, &["checkout", "-q", BRANCH]);
        s.commit(&work, &[("file", "one\nours\n")]);
        s.run(&["merge", "list", KEY]);
        s.run(&["merge", "check", KEY]);
        for words in [&["abort", KEY][..], &["resolve", KEY, "file", "theirs"]] {
            s.run(&["merge", "start", KEY, "agent/ada/side"]);
            s.run(&["merge", "status", KEY]);
            s.run(&[&["merge"], words].concat());
        }
        s.run(&["merge", "commit", KEY]);
        assert_eq!(git_out(&s.t, &work, &["show", "HEAD:file"]), "one\ntheirs");
        s.run(&["merge", "check", KEY]);
        // Git's own merge leaves a ref more.
        git(&s.t, &work, &["checkout", "-q", "-b", "agent/ada/third", "HEAD~1"]);
        s.commit(&work, &[("file", "third\n")]);
        git(&s.t, &work, &["checkout", "-q", BRANCH]);
        let merged =
            s.t.command("git").args(["merge", "agent/ada/third"]).current_dir(&work).output().unwrap();
        assert!(!merged.status.success());
        s.run(&["cleanup", KEY]);
        s.run(&["merge", "abort", KEY]);
        s.run(&["merge", "skip", KEY, "agent/ada/third", "no"]);
        s.t.write(work.join("late"), "late\n");
        s.run(&["publish", KEY, "--to", "branch"]);
        s.run(&["publish", KEY, "--to", "merge"]);
        s.run(&["clone", KEY, "copy"]);
        git(&s.t, &s.t.tmp.join("copy"), &["fsck", "--strict"]);
        s.run(&["prepare", "--task-id", OTHER, "--agent-name", "Bob", "--continue-from", KEY]);
        s.run(&["cleanup", OTHER, "--all"]);
        s.run(&["reuse", KEY]);
        let shown = s.run(&["verify", KEY]);
        s.note(&shown);
        s.run(&["cleanup", "--all", KEY]);
        s.run(&["prepare", "--task-id", OTHER]);
        s.run(&["checkout", OTHER, source.to_str().unwrap()]);
    });
}

#[test]
fn a_folder_of_the_users_is_carried_over_and_a_run_does_not_count_as_its_change() {
    in_every_format(|s| {
        let source = s.source.clone();
        s.t.write(source.join("file"), "the user's change\n");
        let work = s.prepare(&["--local-dir", source.to_str().unwrap(), "--worktree"]);
        assert_eq!(std::fs::read_to_string(work.join("file")).unwrap(), "the user's change\n");
        let commit = "git -c user.name=T -c user.email=t@x commit -q --allow-empty -m x";
        s.run(&["run", KEY, "--", "sh", "-c", commit]);
        s.run(&["cleanup", KEY]);
        s.run(&["cleanup", "--all", KEY]);
    });
}
