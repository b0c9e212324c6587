//! `execenv checkout` from a server over HTTP: logins, and calls that hang or are cut off.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::git_http::serve;
use crate::support::process::{is_gone, wait_until};
use crate::support::server::{Reply, Server};
use crate::support::{TestEnv, snapshot};

/// `ada:s3cret`, as HTTP has it.
pub const LOGIN: &str = "Basic YWRhOnMzY3JldA==";

pub fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let output = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A world with a repository `served/org/repo.git`, to which `commit` pushes.
pub fn world() -> (TestEnv, PathBuf) {
    let t = TestEnv::new();
    let source = t.write("source/file", "one\n").parent().unwrap().to_owned();
    git(&t, &source, &["init", "-q", "-b", "main"]);
    let served = t.tmp.join("served");
    fs::create_dir_all(served.join("org")).unwrap();
    git(&t, &served, &["init", "-q", "--bare", "-b", "main", "org/repo.git"]);
    for setting in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        git(&t, &served.join("org/repo.git"), &["config", setting, "true"]);
    }
    git(&t, &source, &["remote", "add", "origin", served.join("org/repo.git").to_str().unwrap()]);
    commit(&t, "one");
    (t, served)
}

pub fn commit(t: &TestEnv, message: &str) -> String {
    let source = t.tmp.join("source");
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "--allow-empty", "-m", message]);
    git(t, &source, &["push", "-q", "origin", "HEAD:main"]);
    git(t, &source, &["rev-parse", "HEAD"])
}

/// A program called `git` in a folder of its own, which goes first: a shell script that may hand on to `"$GIT" "$@"`.
fn path_with(t: &TestEnv, script: &str) -> String {
    let found = t.command("sh").args(["-c", "command -v git"]).output().unwrap();
    let real = String::from_utf8(found.stdout).unwrap();
    let text = format!("#!/bin/sh\nGIT={}\nTMP={}\n{script}\n", real.trim(), t.tmp.display());
    let path = t.write("fake/git", text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", t.tmp.join("fake").display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_server_is_cloned_fetched_and_pushed_to() {
    let (t, served) = world();
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let checkout = |more: &[&str]| -> PathBuf {
        let env = t.prepare([] as [&str; 0]);
        let answer =
            t.execenv([&["checkout", env.to_str().unwrap(), &url, "-o", "json"], more].concat()).json();
        answer["path"].as_str().unwrap().into()
    };
    let first = checkout(&[]);
    let two = commit(&t, "two");
    let second = checkout(&[]);
    assert_eq!(git(&t, &second, &["rev-parse", "HEAD"]), two);
    let name = format!("127.0.0.1%3A{}+org+repo.git", server.port());
    assert!(t.root.join(".repos/default").join(name).join("HEAD").exists());
    for repo in [first, second, checkout(&["--isolated"])] {
        assert_eq!(fs::read_to_string(repo.join("file")).unwrap(), "one\n");
        git(&t, &repo, &["fetch", "-q"]);
    }
    fs::remove_dir_all(t.root.join(".repos")).unwrap();
    let partial = checkout(&["--partial"]);
    assert_eq!(git(&t, &partial, &["status", "--porcelain"]), "");
    let filtered = server
        .requests()
        .iter()
        .any(|request| String::from_utf8_lossy(&request.body).contains("filter blob:none"));
    assert!(filtered, "the server was asked for a partial clone");
}

#[test]
fn a_login_in_the_address_is_used_and_is_nowhere_afterwards() {
    let (t, served) = world();
    let server = serve(&served, Some(LOGIN));
    let plain = format!("{}/org/repo", server.url());
    let with_login = plain.replace("http://", "http://ada:s3cret@");
    // A helper of the user's that would store it. What git starts can write in the shared repository, where it runs.
    let helper = t.write("helper", "#!/bin/sh\necho \"$1\" >> helper.log\n");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let config = t.write("gitconfig", format!("[credential]\n\thelper = {}\n", helper.display()));
    let path =
        path_with(&t, "case $PWD in */.repos/*) echo \"$@\" >> arguments;; esac\nexec \"$GIT\" \"$@\"");
    let bare = t.root.join(format!(".repos/default/127.0.0.1%3A{}+org+repo.git", server.port()));
    let checkout = |url: &str| {
        let env = t.prepare([] as [&str; 0]);
        let words = ["checkout", env.to_str().unwrap(), url, "-vv"];
        t.execenv(words).var("GIT_CONFIG_GLOBAL", &config).var("PATH", &path).run()
    };
    let done = checkout(&with_login).status(0);
    assert!(!done.stderr.contains("s3cret") && !done.stderr.contains("YWRhOnMz"), "{done}");
    let repo = PathBuf::from(done.stdout.trim_end());
    assert_eq!(git(&t, &repo, &["config", "remote.origin.url"]), plain);
    assert!(!bare.join("helper.log").exists(), "the helper was not asked and not told");
    assert!(fs::read_to_string(bare.join("arguments")).unwrap().contains("ls-remote"));
    for (path, entry) in snapshot(&t.tmp) {
        assert!(!entry.contains("s3cret") && !entry.contains("YWRhOnMz"), "{}: {entry}", path.display());
    }
    // Without it the helper is asked; it has no answer, and nobody is prompted. What was fetched before is used.
    let done = checkout(&plain).status(0);
    assert!(done.stderr.contains("cannot fetch") && done.stderr.contains("was fetched before"), "{done}");
    assert!(fs::read_to_string(bare.join("helper.log")).unwrap().contains("get"));
    fs::remove_dir_all(t.root.join(".repos")).unwrap();
    for wrong in [
        plain.as_str(),
        &plain.replace("http://", "http://ada:wr0ng@"),
        &plain.replace("http://", "http://t0ken@"),
    ] {
        let done = checkout(wrong).status(1);
        let is_secret = ["wr0ng", "t0ken"].iter().any(|secret| done.stderr.contains(secret));
        assert!(done.stderr.contains("error: ") && !is_secret, "{done}");
    }
    fs::write(&helper, "#!/bin/sh\ntest \"$1\" = get && printf 'username=ada\\npassword=s3cret\\n'\n")
        .unwrap();
    checkout(&plain).status(0);
}

#[test]
fn a_server_that_does_not_answer_is_given_up_and_nothing_is_left() {
    let (t, _) = world();
    let server = Server::start(|_| Reply::never());
    let url = format!("{}/org/repo", server.url());
    let env = t.prepare([] as [&str; 0]);
    let words = ["checkout", env.to_str().unwrap(), &url];
    let done = t.execenv(words).var("EXECENV_TEST_PATIENCE", "1").run().status(1);
    assert!(done.stderr.contains("took longer than 1 s"), "{done}");
    // The same for a signal.
    let started = t.execenv(words).start();
    wait_until("a request", || (server.requests().len() > 1).then_some(()));
    let pid = rustix::process::Pid::from_child(&started);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = started.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    // Each process of git's has the address among its variables.
    let lives = |pid: &str| {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        !is_gone(pid) && variables.windows(url.len()).any(|text| text == url.as_bytes())
    };
    let pids =
        || fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    wait_until("the end of git", || (!pids().any(|pid| lives(&pid))).then_some(()));
    assert!(!t.root.join(".repos/default").exists());
    assert_eq!(fs::read_dir(env.join("workdir")).unwrap().count(), 1);
    t.assert_nothing_half_made("after two clones that were cut off");
}

#[test]
fn lock_files_of_a_git_that_was_cut_off_or_killed_go_and_those_of_others_stay() {
    let (t, served) = world();
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let checkout = |script: &str, patience: &str| {
        let (env, path) = (t.prepare([] as [&str; 0]), path_with(&t, script));
        let words = ["checkout", env.to_str().unwrap(), &url];
        let run = t.execenv(words).var("PATH", path);
        if patience.is_empty() { run.run() } else { run.var("EXECENV_TEST_PATIENCE", patience).run() }
    };
    checkout("exec \"$GIT\" \"$@\"", "").status(0);
    let bare = t.root.join(format!(".repos/default/127.0.0.1%3A{}+org+repo.git", server.port()));
    let lock = |name: &str| bare.join("refs/remotes/origin").join(name);
    fs::write(lock("live.lock"), "").unwrap();
    let hang = format!(
        "case \"$*\" in *\"fetch --quiet\"*) touch {}; sleep 60;; *) exec \"$GIT\" \"$@\";; esac",
        lock("new.lock").display()
    );
    let done = checkout(&hang, "3").status(0);
    assert!(done.stderr.contains("cannot fetch") && done.stderr.contains("took longer"), "{done}");
    assert!(lock("live.lock").exists() && !lock("new.lock").exists());
    // What was left by a git that was killed together with execenv, long ago.
    let old = fs::File::create(lock("main.lock")).unwrap();
    old.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    let two = commit(&t, "two");
    let done = checkout("exec \"$GIT\" \"$@\"", "").status(0);
    assert!(done.stderr.contains("main.lock, which a killed git had left"), "{done}");
    assert_eq!(git(&t, Path::new(done.stdout.trim_end()), &["rev-parse", "HEAD"]), two);
    assert!(lock("live.lock").exists());
}

#[test]
fn ssh_is_the_users_own_and_shares_no_connection() {
    let (t, served) = world();
    // It runs what the server would run.
    let ssh =
        t.write("bin/ssh", "#!/bin/sh\necho \"$@\" >> ssh.log\nfor last; do :; done\nexec sh -c \"$last\"\n");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let address = format!("ssh://git:s3cret@example.invalid{}/org/repo.git", served.display());
    let name = format!("example.invalid{}+org+repo.git", served.to_str().unwrap().replace('/', "+"));
    let bare = t.root.join(".repos/default").join(name);
    let path = format!("{}:{}", t.tmp.join("bin").display(), std::env::var("PATH").unwrap());
    let own = format!("{} -i key", ssh.display());
    for (variable, value) in [("PATH", path.as_str()), ("GIT_SSH_COMMAND", &own)] {
        let env = t.prepare([] as [&str; 0]);
        let done =
            t.execenv(["checkout", env.to_str().unwrap(), &address]).var(variable, value).run().status(0);
        assert!(done.stderr.is_empty(), "{done}");
        let log = fs::read_to_string(bare.join("ssh.log")).unwrap();
        assert!(
            log.contains("ControlMaster=no")
                && log.contains("git@example.invalid")
                && !log.contains("s3cret"),
            "{log}"
        );
        assert_eq!(log.contains("-i key"), variable == "GIT_SSH_COMMAND", "{log}");
    }
}
