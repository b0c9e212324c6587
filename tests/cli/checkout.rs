//! `execenv checkout`: repositories in work dirs, through shared clones, with real git.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// A world with a repository `source/my-repo` that has one commit on `main`.
struct World {
    t: TestEnv,
    source: PathBuf,
}

impl World {
    fn new() -> World {
        World::with(&[])
    }

    /// The source is made by `git init` with more words.
    fn with(words: &[&str]) -> World {
        let t = TestEnv::new();
        let source = t.write("source/my-repo/a/b/file", "one\n").ancestors().nth(3).unwrap().to_owned();
        t.write("source/my-repo/top", "top\n");
        t.write("source/my-repo/c/other", "other\n");
        let w = World { t, source };
        w.git(&w.source, &[&["init", "-q", "-b", "main"], words].concat());
        w.commit("one");
        w
    }

    fn git(&self, dir: &Path, words: &[&str]) -> String {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
        let output = self.t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?} in {}: {said}", dir.display());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A commit of everything in the source; returns its id.
    fn commit(&self, message: &str) -> String {
        self.git(&self.source, &["add", "-A"]);
        self.git(&self.source, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&self.source, &["rev-parse", "HEAD"])
    }

    fn url(&self) -> &str {
        self.source.to_str().unwrap()
    }

    fn prepare(&self, more: &[&str]) -> PathBuf {
        self.t.prepare([&["--agent-name", "Code Reviewer"], more].concat())
    }

    /// Checks the source out into an environment, in silence, and returns the answer.
    #[track_caller]
    fn checkout(&self, env: &Path, more: &[&str]) -> Value {
        let words = ["checkout", env.to_str().unwrap(), self.url(), "-o", "json"];
        self.t.execenv(words.iter().chain(more)).json()
    }

    /// The shared clone of the source.
    fn bare(&self) -> PathBuf {
        let name = self.url().trim_start_matches('/').replace('/', "+");
        self.t.root.join(format!(".repos/default/{name}.git"))
    }

    fn head(&self, dir: &Path) -> String {
        self.git(dir, &["rev-parse", "HEAD"])
    }

    fn branches(&self) -> Vec<String> {
        let text = self.git(&self.bare(), &["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
        text.lines().map(str::to_owned).collect()
    }
}

fn path_of(answer: &Value) -> PathBuf {
    answer["path"].as_str().unwrap().into()
}

#[test]
fn a_checkout_is_a_clean_worktree_on_a_branch_of_its_own() {
    let w = World::new();
    let env = w.prepare(&["--task-id", TASK]);
    let done = w.t.execenv(["checkout", KEY, w.url()]).ok();
    let repo = env.join("workdir/my-repo");
    assert_eq!(done.stdout, format!("{}\n", repo.display()));
    assert_eq!(fs::read_to_string(repo.join("a/b/file")).unwrap(), "one\n");
    let branch = format!("agent/code-reviewer/{KEY}");
    assert_eq!(w.git(&repo, &["symbolic-ref", "--short", "HEAD"]), branch);
    // Nothing of ours is in it, and no branch is followed.
    assert_eq!(w.git(&repo, &["status", "--porcelain", "--branch"]), format!("## {branch}"));
    let bare = w.bare();
    assert_eq!(w.git(&bare, &["config", "core.bare"]), "true");
    assert_eq!(w.git(&bare, &["symbolic-ref", "refs/remotes/origin/HEAD"]), "refs/remotes/origin/main");
    let listed = w.git(&bare, &["worktree", "list", "--porcelain"]);
    assert!(listed.contains(&format!("locked execenv: checkout {}", repo.display())), "{listed}");
    // It is the worktree that git makes.
    let by_git = w.t.tmp.join("by-git");
    w.git(
        &bare,
        &["worktree", "add", "-q", "--no-track", "-b", "x", by_git.to_str().unwrap(), "origin/main"],
    );
    let files = |dir: &Path| {
        let mut found = snapshot(dir);
        found.remove(Path::new(".git"));
        found
    };
    assert_same(&files(&by_git), &files(&repo), "the files");
    assert_eq!(w.git(&by_git, &["ls-files", "-s"]), w.git(&repo, &["ls-files", "-s"]));

    // A second environment gets what is new, on the same clone.
    w.t.write("source/my-repo/top", "new\n");
    let new = w.commit("two");
    let other = w.prepare(&[]);
    let answer = w.checkout(&other, &[]);
    let key = other.file_name().unwrap().to_str().unwrap();
    assert_eq!(answer["branch_name"], format!("agent/code-reviewer/{key}"));
    assert_eq!((answer["base"].as_str(), answer["commit"].as_str()), (Some("origin/main"), Some(&*new)));
    assert_eq!(answer["mode"], "linked");
    assert_eq!(w.head(&path_of(&answer)), new);
    assert_ne!(w.head(&repo), new);
    // Several repositories in one environment.
    let second = w.t.write("source/second/x", "x").parent().unwrap().to_owned();
    w.git(&second, &["init", "-q", "-b", "trunk"]);
    w.git(&second, &["add", "-A"]);
    w.git(&second, &["commit", "-q", "-m", "x"]);
    w.t.execenv(["checkout", KEY, second.to_str().unwrap()]).ok();
    assert!(env.join("workdir/second/x").exists() && repo.join("top").exists());
    w.t.assert_nothing_half_made("after the checkouts");
}

#[test]
fn what_is_asked_for_is_a_branch_a_tag_a_commit_or_an_error() {
    let w = World::new();
    let first = w.head(&w.source);
    w.git(&w.source, &["tag", "-a", "-m", "t", "v1"]);
    w.git(&w.source, &["checkout", "-q", "-b", "dev/x"]);
    let dev = w.commit("dev");
    w.git(&w.source, &["checkout", "-q", "--detach"]);
    let tagged = w.commit("only tagged");
    w.git(&w.source, &["tag", "loose"]);
    let pulled = w.commit("only pulled");
    w.git(&w.source, &["update-ref", "refs/pull/7/head", "HEAD"]);
    w.git(&w.source, &["checkout", "-q", "main"]);
    let main = w.commit("main");
    for (asked, expected) in [
        ("main", &main),
        (" dev/x ", &dev),
        ("v1", &first),
        ("loose", &tagged),
        ("refs/pull/7/head", &pulled),
        (&*first, &first),
        (&first[..12], &first),
        ("", &main),
    ] {
        for mode in [&[][..], &["--isolated"]] {
            let env = w.prepare(&[]);
            let words = [&["--ref", asked], mode].concat();
            let answer = w.checkout(&env, &words);
            let repo = path_of(&answer);
            assert_eq!(
                (w.head(&repo), answer["commit"].as_str()),
                (expected.clone(), Some(&**expected)),
                "{asked}"
            );
            // Nothing that came from the remote counts as work of the agent's.
            w.t.execenv(["cleanup", "--all", env.to_str().unwrap()]).ok();
        }
    }
    let env = w.prepare(&[]);
    let before = w.branches();
    for asked in ["none", "--upload-pack=touch ran", "refs/heads/*", "main:main", "HEAD~1:top", "^main"] {
        let words = ["checkout", env.to_str().unwrap(), w.url(), &format!("--ref={asked}")];
        w.t.execenv(words).fails(1, &["cannot resolve requested ref", "hint: "]);
    }
    assert_eq!(w.branches(), before);
    assert_eq!(fs::read_dir(env.join("workdir")).unwrap().count(), 1, "the context only");
}

#[test]
fn an_occupied_place_is_refused_before_anything_is_made() {
    let w = World::new();
    let env = w.prepare(&[]);
    let words = ["checkout", env.to_str().unwrap(), w.url()];
    let places: [fn(&Path); 4] = [
        |place| {
            fs::create_dir(place).unwrap();
            fs::write(place.join("mine"), "x").unwrap();
        },
        |place| fs::create_dir(place).unwrap(),
        |place| fs::write(place, "x").unwrap(),
        |place| std::os::unix::fs::symlink("/nowhere", place).unwrap(),
    ];
    let place = env.join("workdir/my-repo");
    for make in places {
        make(&place);
        let before = snapshot(&w.t.tmp);
        w.t.execenv(words).fails(5, &["is there already", "hint: "]);
        assert_same(&before, &snapshot(&w.t.tmp), "a refused checkout");
        fs::remove_dir_all(&place).or_else(|_| fs::remove_file(&place)).unwrap();
    }
    w.t.execenv(words).ok();
    w.t.execenv(words).fails(5, &["is there already"]);
    assert_eq!(w.branches().len(), 1);
    // The branch stays when only the folder is gone, and is no obstacle.
    w.git(&place, &["commit", "-q", "--allow-empty", "-m", "work"]);
    fs::remove_dir_all(&place).unwrap();
    let answer = w.checkout(&env, &[]);
    assert!(answer["branch_name"].as_str().unwrap().ends_with("-2"), "{answer}");
    assert_eq!(w.branches().len(), 2);
}

#[test]
fn addresses_that_run_programs_or_mean_two_things_are_refused() {
    let w = World::new();
    let env = w.prepare(&[]);
    let env = env.to_str().unwrap();
    let ran = w.t.tmp.join("ran");
    let ext = format!("ext::sh -c 'touch {}'", ran.display());
    let before = snapshot(&w.t.tmp);
    for url in
        [ext.as_str(), "ssh://-oProxyCommand=x/y", "file:///x", "fd::3", "https://u:s3cret@h/a?x", "a:b::c@d"]
    {
        let done = w.t.execenv(["checkout", env, "--", url]).fails(2, &["repository address", "hint: "]);
        assert!(!done.stderr.contains("s3cret"), "{done}");
    }
    assert_same(&before, &snapshot(&w.t.tmp), "refused addresses");
    w.t.execenv(["checkout", env, "/nonexistent/repo"]).fails(1, &["/nonexistent/repo", "does not"]);
    w.t.execenv(["checkout", env, w.url(), "--sparse", "../x"]).fails(2, &["--sparse"]);
    let empty = w.t.tmp.join("empty");
    w.git(&w.t.tmp, &["init", "-q", "empty"]);
    w.t.execenv(["checkout", env, empty.to_str().unwrap()]).fails(1, &["has no commits"]);
    assert!(!w.t.root.join(".repos/default").exists(), "a failed clone leaves nothing");
    // Two repositories of one name.
    let (one, two) = (w.t.tmp.join("a/b"), w.t.tmp.join("a+b"));
    for place in [&one, &two] {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        w.git(&w.t.tmp, &["clone", "-q", w.url(), place.to_str().unwrap()]);
    }
    w.t.execenv(["checkout", env, one.to_str().unwrap()]).ok();
    w.t.execenv(["checkout", env, two.to_str().unwrap()]).fails(5, &["is the shared clone of", "a/b", "a+b"]);
}

#[test]
fn only_a_managed_work_dir_gets_a_checkout() {
    let w = World::new();
    let local = w.t.prepare(["--local-dir", w.t.project.to_str().unwrap()]);
    w.t.execenv(["checkout", local.to_str().unwrap(), w.url()]).fails(2, &["folder of yours"]);
    let env = w.prepare(&[]);
    w.t.execenv(["cleanup", env.to_str().unwrap()]).ok();
    w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).fails(3, &["does not exist"]);
    w.t.execenv(["checkout", "0000aaaa", w.url()]).fails(3, &["no environment"]);
    let env = w.prepare(&[]);
    w.git(&env.join("workdir"), &["init", "-q"]);
    w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).fails(2, &["is a repository itself"]);
}

#[test]
fn the_default_branch_is_followed_and_an_unreachable_remote_is_told() {
    let w = World::new();
    let first = w.head(&w.source);
    w.checkout(&w.prepare(&[]), &[]);
    // An agent's branch on the remote is no obstacle for what comes after.
    let bare = w.bare();
    let branch = w.branches().remove(0);
    w.git(&bare, &["push", "-q", "origin", &branch]);
    w.git(&w.source, &["branch", "-m", "main", "trunk"]);
    let trunk = w.commit("trunk");
    let answer = w.checkout(&w.prepare(&[]), &[]);
    assert_eq!((answer["base"].as_str(), answer["commit"].as_str()), (Some("origin/trunk"), Some(&*trunk)));
    // Without the note of it: `main` is still known, and comes first.
    w.git(&bare, &["symbolic-ref", "-d", "refs/remotes/origin/HEAD"]);
    fs::rename(&w.source, w.t.tmp.join("moved")).unwrap();
    let env = w.prepare(&[]);
    let done = w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).run().status(0);
    let warning = done.stderr.lines().next().unwrap_or_default();
    assert!(warning.contains("cannot fetch") && warning.contains("was fetched before"), "{done}");
    assert_eq!(w.head(&env.join("workdir/my-repo")), first);
}

#[test]
fn a_clone_of_multicas_is_used_and_a_mirrors_refspec_is_changed() {
    let w = World::new();
    let (env, bare) = (w.prepare(&[]), w.bare());
    fs::create_dir_all(bare.parent().unwrap()).unwrap();
    w.git(&w.t.tmp, &["clone", "-q", "--bare", w.url(), bare.to_str().unwrap()]);
    w.git(&bare, &["config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"]);
    let new = w.commit("two");
    let answer = w.checkout(&env, &[]);
    assert_eq!((answer["base"].as_str(), answer["commit"].as_str()), (Some("origin/main"), Some(&*new)));
    assert_eq!(
        w.git(&bare, &["config", "--get-all", "remote.origin.fetch"]),
        "+refs/heads/*:refs/remotes/origin/*"
    );
    assert_eq!(w.git(&bare, &["symbolic-ref", "refs/remotes/origin/HEAD"]), "refs/remotes/origin/main");
    // What is no repository is named, not replaced.
    fs::remove_dir_all(&bare).unwrap();
    fs::create_dir(&bare).unwrap();
    let env = w.prepare(&[]);
    w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).fails(5, &["is no repository", "rm -r"]);
}

#[test]
fn the_co_author_is_named_in_multicas_tasks_only_and_another_hook_stays() {
    let w = World::new();
    let trailer = "Co-authored-by: multica-agent <github@multica.ai>";
    let commit = |repo: &Path, message: &str| {
        w.git(repo, &["commit", "-q", "--allow-empty", "-m", message]);
        w.git(repo, &["log", "-1", "--format=%B"])
    };
    let on = path_of(&w.checkout(&w.prepare(&["--platform-cli", "multica"]), &[]));
    assert_eq!(commit(&on, "work").matches(trailer).count(), 1);
    assert_eq!(commit(&on, &format!("work\n\n{trailer}")).matches(trailer).count(), 1);
    let hook = w.bare().join("hooks/prepare-commit-msg");
    assert_eq!(hook.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let isolated = path_of(&w.checkout(&w.prepare(&["--platform-cli", "multica"]), &["--isolated"]));
    assert_eq!(commit(&isolated, "work").matches(trailer).count(), 1);
    let off = path_of(&w.checkout(&w.prepare(&["--platform-cli", "multica"]), &["--no-coauthor"]));
    assert!(!commit(&off, "work").contains(trailer) && !hook.exists());
    fs::write(&hook, "#!/bin/sh\n# Installed by the Multica daemon. Old.\n").unwrap();
    w.checkout(&w.prepare(&[]), &[]);
    assert!(!hook.exists(), "no task of multica's");
    let foreign = "#!/bin/sh\nexit 0\n";
    fs::write(&hook, foreign).unwrap();
    w.checkout(&w.prepare(&[]), &[]);
    let env = w.prepare(&["--platform-cli", "multica"]);
    let done = w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).run().status(0);
    assert!(done.stderr.contains("is another hook and stays"), "{done}");
    assert_eq!(fs::read_to_string(&hook).unwrap(), foreign);
}

#[test]
fn an_isolated_checkout_stands_alone() {
    let w = World::new();
    let done = w.t.execenv(["prepare", "--provider", "codex", "--agent-name", "C"]).run().status(0);
    let env = PathBuf::from(done.stdout.trim_end());
    let answer = w.checkout(&env, &[]);
    assert_eq!(answer["mode"], "isolated", "Codex's sandbox writes in the work dir only");
    let repo = path_of(&answer);
    let bare = w.bare();
    assert!(repo.join(".git").is_dir() && !repo.join(".git/objects/info/alternates").exists());
    assert_eq!(w.git(&repo, &["config", "remote.origin.url"]), w.url());
    assert_eq!(w.git(&repo, &["symbolic-ref", "refs/remotes/origin/HEAD"]), "refs/remotes/origin/main");
    assert_eq!(
        w.git(&repo, &["status", "--porcelain", "--branch"]),
        format!("## {}", answer["branch_name"].as_str().unwrap())
    );
    let before = snapshot(&bare);
    w.git(&repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    assert_same(&before, &snapshot(&bare), "a commit in the clone");
    assert!(w.branches().is_empty() && !bare.join("worktrees").exists());
    w.git(&repo, &["push", "-q", "origin", "HEAD:refs/heads/pushed"]);
    fs::remove_dir_all(&bare).unwrap();
    w.git(&repo, &["fsck", "--strict"]);
    w.git(&repo, &["fetch", "-q"]);
    w.t.execenv(["cleanup", env.to_str().unwrap()]).ok();
}

#[test]
fn a_partial_clone_gives_whole_checkouts() {
    let w = World::new();
    w.git(&w.source, &["config", "uploadpack.allowFilter", "true"]);
    w.git(&w.source, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let old = w.head(&w.source);
    w.t.write("source/my-repo/top", "new\n");
    w.commit("two");
    for mode in [&["--partial"][..], &["--isolated"], &["--isolated", "--sparse", "a"]] {
        let repo = path_of(&w.checkout(&w.prepare(&[]), mode));
        assert_eq!(fs::read_to_string(repo.join("top")).unwrap(), "new\n");
        assert_eq!(w.git(&repo, &["status", "--porcelain"]), "");
        assert_eq!(w.git(&repo, &["config", "remote.origin.promisor"]), "true");
        // What was never checked out is not there, until it is needed.
        let missing = ["rev-list", "--objects", "--missing=print", &old];
        assert!(w.git(&repo, &missing).contains('?'), "{mode:?}");
        assert_eq!(w.git(&repo, &["show", &format!("{old}:top")]), "top");
        assert_eq!(repo.join("c").exists(), !mode.contains(&"--sparse"));
        w.git(&repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    }
}

#[test]
fn a_sparse_checkout_has_the_folders_that_were_named() {
    let w = World::new();
    for mode in [&[][..], &["--isolated"]] {
        let whole = path_of(&w.checkout(&w.prepare(&[]), mode));
        let words = [&["--sparse", "a/b", "--sparse", "none"], mode].concat();
        let repo = path_of(&w.checkout(&w.prepare(&[]), &words));
        assert!(repo.join("a/b/file").exists() && repo.join("top").exists() && !repo.join("c").exists());
        assert_eq!(w.git(&repo, &["status", "--porcelain"]), "");
        assert_eq!(w.git(&repo, &["sparse-checkout", "list"]), "a/b\nnone");
        w.git(&repo, &["sparse-checkout", "add", "c"]);
        assert!(repo.join("c/other").exists());
        // The others, older and newer ones, are whole.
        assert_eq!(w.git(&whole, &["status", "--porcelain"]), "");
        let later = path_of(&w.checkout(&w.prepare(&[]), mode));
        assert!(later.join("c/other").exists() && w.git(&later, &["status", "--porcelain"]).is_empty());
        w.git(&later, &["commit", "-q", "--allow-empty", "-m", "work"]);
    }
    assert_eq!(w.git(&w.bare(), &["rev-parse", "--is-bare-repository"]), "true");
}

#[test]
fn nothing_that_an_agent_wrote_into_the_shared_clone_runs() {
    let w = World::new();
    let ran = w.t.tmp.join("ran");
    let touch = format!("touch {}", ran.display());
    w.t.write("source/my-repo/.gitattributes", "top filter=evil diff=evil merge=evil\n");
    w.commit("attributes");
    w.checkout(&w.prepare(&[]), &[]);
    let bare = w.bare();
    let script = w.t.write("evil", format!("#!/bin/sh\n{touch}\n"));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for (key, value) in [
        ("core.sshCommand", touch.as_str()),
        ("core.fsmonitor", script),
        ("core.hooksPath", "hooks"),
        ("core.alternateRefsCommand", touch.as_str()),
        ("core.gitProxy", script),
        ("core.askPass", script),
        ("credential.helper", script),
        ("remote.origin.uploadpack", &format!("{touch}; git-upload-pack")),
        ("remote.origin.vcs", "ext"),
        ("remote.origin.proxy", "http://127.0.0.1:1"),
        (&format!("url.ext::{script}.insteadOf"), w.url()),
        ("protocol.allow", "always"),
        ("filter.evil.smudge", script),
        ("filter.evil.clean", script),
        ("filter.evil.process", script),
        ("diff.evil.textconv", script),
        ("merge.evil.driver", script),
        ("gc.recentObjectsHook", script),
        ("uploadpack.packObjectsHook", script),
        ("fetch.recurseSubmodules", "true"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.url", &format!("ext::{script}")),
    ] {
        w.git(&w.source, &["config", "--file", bare.join("config").to_str().unwrap(), key, value]);
    }
    fs::create_dir_all(bare.join("hooks")).unwrap();
    for hook in ["post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change", "post-merge"] {
        fs::copy(script, bare.join("hooks").join(hook)).unwrap();
    }
    let new = w.commit("two");
    // Git itself runs some of it.
    let fetch = w.t.command("git").args(["-C", bare.to_str().unwrap(), "fetch", "-q"]).output().unwrap();
    assert!(ran.exists(), "{fetch:?}");
    fs::remove_file(&ran).unwrap();
    for mode in [&[][..], &["--isolated"], &["--sparse", "a"]] {
        let answer = w.checkout(&w.prepare(&[]), mode);
        assert_eq!(answer["commit"], new, "{mode:?}: it was fetched");
        assert!(!ran.exists(), "{mode:?}");
    }
    // What leads elsewhere is not touched.
    let elsewhere = w.t.tmp.join("elsewhere");
    w.git(&w.t.tmp, &["clone", "-q", "--bare", w.url(), elsewhere.to_str().unwrap()]);
    let before = snapshot(&elsewhere);
    fs::create_dir_all(bare.join("objects/info")).unwrap();
    fs::write(bare.join("objects/info/alternates"), elsewhere.join("objects").to_str().unwrap()).unwrap();
    let env = w.prepare(&[]);
    w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).fails(1, &["names another repository"]);
    fs::remove_file(bare.join("objects/info/alternates")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("refs"), bare.join("refs/remotes/out")).unwrap();
    w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).fails(1, &["is a link"]);
    assert_same(&before, &snapshot(&elsewhere), "another repository");
    let refused =
        w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).var("EXECENV_TEST_NO_LANDLOCK", "1");
    refused.fails(1, &["confined", "Landlock"]);
}

#[test]
fn odd_repositories_are_checked_out_as_git_does_it() {
    let w = World::with(&["--object-format=sha256"]);
    let odd = "sp ace\nl\u{ee}ne";
    w.t.write(format!("source/my-repo/{odd}/f"), "x");
    w.t.write("source/my-repo/.gitattributes", "*.bin filter=lfs\n");
    w.t.write("source/my-repo/.gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ../s\n");
    w.commit("odd");
    for mode in [&[][..], &["--isolated"]] {
        let env = w.prepare(&[]);
        let words = ["checkout", env.to_str().unwrap(), w.url()];
        let done = w.t.execenv(words.iter().chain(mode)).run().status(0);
        let notes: Vec<&str> = done.stderr.lines().collect();
        assert!(
            notes.len() == 2 && notes[0].contains("submodule update") && notes[1].contains("lfs pull"),
            "{done}"
        );
        let repo = env.join("workdir/my-repo");
        assert_eq!(w.head(&repo).len(), 64);
        assert!(repo.join(odd).join("f").exists());
        assert_eq!(w.git(&repo, &["status", "--porcelain"]), "");
        w.git(&repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    }
}

#[test]
fn an_agent_checks_out_during_its_run() {
    let w = World::new();
    let env = w.prepare(&[]);
    let script =
        "cd \"$(execenv checkout \"$EXECENV_ROOT\" \"$0\")\" && cat top && git rev-parse --abbrev-ref HEAD";
    let bin = Path::new(env!("CARGO_BIN_EXE_execenv")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = ["run", env.to_str().unwrap(), "--", "sh", "-ec", script, w.url()];
    let done = w.t.execenv(run).var("PATH", path).run().status(0);
    assert!(done.stdout.contains("top\nagent/code-reviewer/"), "{done}");
}

#[test]
fn environments_that_begin_together_share_one_clone() {
    let w = World::new();
    let envs: Vec<PathBuf> = (0..6).map(|_| w.prepare(&[])).collect();
    let started: Vec<_> =
        envs.iter().map(|env| w.t.execenv(["checkout", env.to_str().unwrap(), w.url()]).start()).collect();
    for child in started {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(w.branches().len(), 6);
    assert_eq!(w.git(&w.bare(), &["worktree", "list"]).lines().count(), 7);
    w.git(&w.bare(), &["fsck", "--strict"]);
}

#[test]
fn a_shared_clone_in_use_is_waited_for_and_its_user_is_named() {
    let w = World::new();
    let env = w.prepare(&[]);
    w.checkout(&env, &[]);
    let locks: Vec<PathBuf> =
        fs::read_dir(w.t.root.join(".locks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let lock = locks.iter().find(|path| path.to_string_lossy().contains("/repo-")).unwrap();
    let held = fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let env = w.prepare(&[]);
    let words = ["checkout", env.to_str().unwrap(), w.url(), "--wait", "0s"];
    let pid = format!("pid {}", std::process::id());
    w.t.execenv(words).fails(4, &["another process has the lock", &pid, "hint: "]);
    let words = ["checkout", env.to_str().unwrap(), w.url()];
    let waiting = w.t.execenv(words).start();
    drop(held);
    assert!(waiting.wait_with_output().unwrap().status.success());
}
