//! `run --sandbox`: what an agent in it can do, with both kinds, through the built binary.
//!
//! A kind that this machine cannot build is named on standard error and not tried; `fails_closed` runs everywhere.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::support::process::{wait_until, wait_until_free};
use crate::support::repository::{git_out, make_repository};
use crate::support::{Done, KEY, TASK, TestEnv};

/// The kinds that work here.
pub fn kinds() -> &'static [&'static str] {
    static KINDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    KINDS.get_or_init(look_for_kinds)
}

fn look_for_kinds() -> Vec<&'static str> {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let works = |kind: &&str| {
        let done = t.execenv(["run", env.to_str().unwrap(), "--sandbox", kind, "--", "true"]).run();
        if done.status != Some(0) {
            let _ =
                writeln!(std::io::stderr(), "not run here: `--sandbox {kind}`: {}", done.stderr.trim_end());
        }
        done.status == Some(0)
    };
    ["bwrap", "landlock"].into_iter().filter(works).collect()
}

/// A world with secrets in it, and an environment.
struct Scene {
    t: TestEnv,
    env: PathBuf,
}

/// Places of the world, with the bytes that an agent must not read.
const SECRETS: &[&str] = &[
    "home/.ssh/id_ed25519",
    "home/.gnupg/private-keys-v1.d/k",
    "home/.aws/credentials",
    "home/.config/gh/hosts.yml",
    "home/.config/git/credentials",
    "home/.netrc",
    "home/.npmrc",
    "home/.cargo/credentials.toml",
    "home/.bash_history",
    "home/.codex/auth.json",
    "home/.claude/.credentials.json",
    "key",
    "elsewhere/kube",
];
/// What stays readable.
const READABLE: &[&str] = &[
    "home/.gitconfig",
    "home/.config/git/config",
    "home/.cargo/bin/tool",
    "home/project/file",
    "home/.codex/config.toml",
];

impl Scene {
    fn new(prepare: &[&str]) -> Scene {
        let t = TestEnv::new();
        for path in SECRETS {
            t.write(path, "SECRET");
        }
        for path in READABLE {
            t.write(path, "readable");
        }
        let fixed = ["--task-id", TASK];
        let env = t.prepare(fixed.into_iter().chain(prepare.iter().copied()));
        Scene { t, env }
    }

    /// Runs a shell script as the agent.
    fn sh(&self, kind: &str, more: &[&str], script: &str) -> Done {
        let env = self.env.to_str().unwrap();
        let words = ["run", env, "--sandbox", kind].into_iter().chain(more.iter().copied());
        let words = words.chain(["--", "sh", "-c", script]);
        self.t.execenv(words).var("KUBECONFIG", self.t.tmp.join("elsewhere/kube")).run()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.t.tmp.join(path)
    }
}

/// `yes` or `no` a line, for each of the checks.
fn answers(done: &Done) -> Vec<&str> {
    done.stdout.lines().collect()
}

#[test]
fn secrets_cannot_be_read_and_the_rest_can() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let other = s.t.prepare(["--task-id", "other"]);
        s.t.write(other.join("workdir/file"), "SECRET");
        s.t.write(s.env.join("launch/secret"), "SECRET");
        s.t.link("home/link-to-key", ".ssh/id_ed25519");
        let of_env = [
            ".gc_meta.json",
            ".multica_sidecar_manifest.json",
            ".task_lock",
            "launch/secret",
            "logs/run.log",
        ];
        let hidden: Vec<PathBuf> = SECRETS
            .iter()
            .map(|path| s.at(path))
            .chain(of_env.map(|name| s.env.join(name)))
            .chain([other.join("workdir/file"), other.join(".gc_meta.json"), s.at("home/link-to-key")])
            .collect();
        let readable: Vec<PathBuf> = READABLE.iter().map(|path| s.at(path)).collect();
        let mut script = String::new();
        for path in hidden.iter().chain(&readable) {
            assert!(path.exists() || path.ends_with("run.log"), "{} is not there", path.display());
            script += &format!("cat '{}' >/dev/null 2>&1 && echo yes || echo no\n", path.display());
        }
        script += &format!("ls '{}' >/dev/null 2>&1 && echo yes || echo no\n", s.at("home/.ssh").display());
        script += "cat /proc/1/environ /proc/$PPID/environ 2>/dev/null | grep -c EXECENV_KEY_FILE\n";
        let done = s.sh(kind, &[], &script);
        let all: Vec<&str> = answers(&done);
        let expected: Vec<&str> =
            hidden.iter().map(|_| "no").chain(readable.iter().map(|_| "yes")).chain(["no", "0"]).collect();
        let shown: Vec<_> = hidden.iter().chain(&readable).zip(all.iter().zip(&expected)).collect();
        assert_eq!(all, expected, "{kind}: {shown:?}\n{done}");
    }
}

#[test]
fn secrets_that_come_while_the_agent_works_cannot_be_read() {
    for &kind in kinds() {
        let t = TestEnv::new();
        t.write("home/project/file", "readable");
        let env = t.prepare(["--task-id", TASK]);
        let later =
            [".ssh/id", ".netrc", ".config/gh/hosts.yml", ".codex/auth.json", ".local/share/execenv/key"];
        let mut script =
            "echo > begun; while [ ! -e go ]; do sleep 0.05; done; cat ~/project/file; ".to_owned();
        for name in later {
            script += &format!("cat ~/{name}; ");
        }
        let words = ["run", KEY, "--sandbox", kind, "--", "sh", "-c", &script];
        let done = t.execenv(words).run_with_child(|_| {
            wait_until("the agent", || env.join("workdir/begun").exists().then_some(()));
            for name in later {
                t.write(format!("home/{name}"), "SECRET");
            }
            fs::write(env.join("workdir/go"), "").unwrap();
        });
        assert_eq!(done.stdout, "readable", "{kind}: {done}");
    }
}

#[test]
fn no_limit_of_another_process_can_be_changed() {
    let has_tool = std::process::Command::new("prlimit").arg("--version").output().is_ok();
    for &kind in kinds().iter().filter(|_| has_tool) {
        let t = TestEnv::new();
        t.prepare(["--task-id", TASK]);
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let limits = || fs::read_to_string(format!("/proc/{}/limits", other.id())).unwrap();
        let before = limits();
        let script = format!(
            "prlimit --pid {} --nofile=0:0 --cpu=1:1 --fsize=0:0; prlimit --pid $$ --nofile; ulimit -n 64; ulimit -n",
            other.id()
        );
        let done = t.execenv(["run", KEY, "--sandbox", kind, "--", "sh", "-c", &script]).run();
        assert_eq!(limits(), before, "{kind}: {done}");
        assert!(done.stdout.ends_with("64\n"), "its own can be: {kind}: {done}");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

#[test]
fn a_git_folder_that_is_a_link_is_refused() {
    for &kind in kinds() {
        let t = TestEnv::new();
        let project = t.tmp.join("project");
        make_repository(&t, &project, &[]);
        fs::rename(project.join(".git"), t.tmp.join("git-folder")).unwrap();
        t.link("project/.git", "../git-folder");
        t.prepare(["--task-id", TASK, "--local-dir", "project"]);
        let words = ["run", KEY, "--local-dir", "project", "--sandbox", kind, "--", "true"];
        t.execenv(words).fails(125, &["is a link", "--worktree"]);
    }
}

/// A user's repository with the branches `main` and `release`, and an environment in a worktree of it.
fn in_a_worktree() -> (TestEnv, PathBuf, PathBuf) {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    git_out(&t, &source, &["branch", "release"]);
    let env = t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source"]);
    (t, source, env)
}

#[test]
fn execenv_commits_on_no_branch_that_the_agent_has_chosen() {
    let ways: [&[&str]; 3] =
        [&["--heartbeat", "1h"], &["--on-success", "branch"], &["--on-success", "merge", "--into", "main"]];
    for (&kind, options) in kinds().iter().flat_map(|kind| ways.map(|options| (kind, options))) {
        for branch in ["release", "main"] {
            let (t, source, env) = in_a_worktree();
            let tips = || git_out(&t, &source, &["rev-parse", "main", "release"]);
            let before = tips();
            let script = format!(
                "echo evil > evil; echo 'ref: refs/heads/{branch}' > $(git rev-parse --absolute-git-dir)/HEAD"
            );
            let fixed = ["run", KEY, "--sandbox", kind];
            let words = fixed.iter().chain(options).copied().chain(["--", "sh", "-c", &script]);
            let done = t.execenv(words).run();
            let when = format!("{kind} {options:?} {branch}");
            assert_eq!(tips(), before, "{when}: {done}");
            let later = t.execenv(["publish", KEY, "--to", "branch"]).run().status(5);
            assert!(later.stderr.contains("an agent in a sandbox may have chosen it"), "{when}: {later}");
            t.execenv(["checkpoint", KEY, "-m", "m", "--on-branch"]).run().status(5);
            assert_eq!(tips(), before, "{when}: {later}");
            assert_eq!(
                fs::read_to_string(env.join("workdir/evil")).unwrap(),
                "evil\n",
                "{when}: the work stays"
            );
        }
    }
}

#[test]
fn no_log_of_git_leads_execenv_elsewhere() {
    for &kind in kinds() {
        let (t, source, _) = in_a_worktree();
        let config = fs::read(source.join(".git/config")).unwrap();
        let script = "G=$(git rev-parse --absolute-git-dir); mkdir -p $G/logs; rm -f $G/logs/HEAD; ln -s $G/../../config $G/logs/HEAD && echo x > x";
        t.execenv(["run", KEY, "--sandbox", kind, "--", "sh", "-c", script]).run().status(0);
        let later = t.execenv(["publish", KEY, "--to", "branch"]).run().status(5);
        assert!(later.stderr.contains("is no file: an agent has made it"), "{kind}: {later}");
        assert_eq!(fs::read(source.join(".git/config")).unwrap(), config, "{kind}");
        let branch = ["--heartbeat", "1h", "--heartbeat-mode", "branch", "--", "true"];
        t.execenv(["run", KEY, "--sandbox", kind].iter().chain(&branch))
            .fails(2, &["does not work with `--sandbox`", "beside the branch"]);
    }
}

#[test]
fn only_work_dir_and_temporary_folder_can_be_written() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let places = [
            ("$PWD/made", "yes"),
            ("$TMPDIR/made", "yes"),
            ("$HOME/made", "no"),
            ("$HOME/.bashrc", "no"),
            ("$HOME/project/file", "no"),
            ("$HOME/.gitconfig", "no"),
            ("$EXECENV_ROOT/made", "no"),
            ("$EXECENV_ROOT/.gc_meta.json", "no"),
            ("$EXECENV_ROOT/output/result.json", "no"),
            ("$EXECENV_ROOT/../made", "no"),
            ("/etc/made", "no"),
            ("/usr/made", "no"),
            ("/made", "no"),
        ];
        let mut script = String::new();
        for (place, _) in places {
            script += &format!("(echo x >> \"{place}\") 2>/dev/null && echo yes || echo no\n");
        }
        // Only opened: what is written there would change the machine.
        script += "(exec 9>>/proc/sys/kernel/core_pattern) 2>/dev/null && echo yes || echo no\n";
        script += "(exec 9>>/proc/sysrq-trigger) 2>/dev/null && echo yes || echo no\n";
        // Nothing that is there can be moved, linked or removed.
        script += "mv \"$HOME/project\" \"$HOME/moved\" 2>/dev/null && echo yes || echo no\n";
        script += "ln \"$HOME/project/file\" \"$PWD/hard\" 2>/dev/null && echo yes || echo no\n";
        script += "rm -rf \"$HOME/project\" 2>/dev/null && echo yes || echo no\n";
        let done = s.sh(kind, &[], &script);
        let expected: Vec<&str> = places.iter().map(|(_, can)| *can).chain(["no"; 5]).collect();
        assert_eq!(answers(&done), expected, "{kind}: {done}");
        assert_eq!(fs::read_to_string(s.env.join("workdir/made")).unwrap(), "x\n");
        assert_eq!(fs::read_to_string(s.at("home/project/file")).unwrap(), "readable");
        let result: serde_json::Value =
            serde_json::from_slice(&fs::read(s.env.join("output/result.json")).unwrap()).unwrap();
        assert_eq!(result["sandbox"]["kind"], kind, "{result}");
        assert_eq!(result["sandbox"]["network"], true, "{result}");
        assert!(fs::read_to_string(s.env.join("logs/run.log")).unwrap().contains(&format!("sandbox {kind}")));
    }
}

#[test]
fn a_link_in_the_work_dir_leads_nowhere() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let work = s.env.join("workdir");
        std::os::unix::fs::symlink(s.at("home/.ssh"), work.join("keys")).unwrap();
        std::os::unix::fs::symlink(s.at("home/.netrc"), work.join("file")).unwrap();
        std::os::unix::fs::symlink(s.at("home"), work.join("home")).unwrap();
        let done = s.sh(
            kind,
            &[],
            "for f in keys/id_ed25519 file home/.ssh/id_ed25519; do cat $f >/dev/null 2>&1 && echo yes || echo no; done\n\
             echo x 2>/dev/null > home/made && echo yes || echo no",
        );
        assert_eq!(answers(&done), ["no", "no", "no", "no"], "{kind}: {done}");
    }
}

#[test]
fn a_link_that_an_agent_has_planted_shows_nothing() {
    for &kind in kinds() {
        let s = Scene::new(&["--provider", "opencode"]);
        // Where the agent can write: in place of its login, of a folder in PATH, and of a program.
        let work = s.env.join("workdir");
        let key = s.at("home/.ssh/id_ed25519");
        s.t.link("home/.local/share/opencode/auth.json", &key);
        std::os::unix::fs::symlink(s.at("home/.ssh"), work.join("bin")).unwrap();
        let tool = s.t.write(
            "tools/bin/opencode",
            format!("#!/bin/sh\nfor f in ~/.local/share/opencode/auth.json {}; do\ncat $f >/dev/null 2>&1 && echo yes || echo no\ndone\n", key.display()),
        );
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", work.join("bin").display(), s.at("tools/bin").display());
        let env = s.env.to_str().unwrap();
        let words = ["run", env, "--sandbox", kind, "--", "opencode"];
        let done = s.t.execenv(words).var("PATH", path).run();
        if kind == "landlock" {
            assert!(done.status(125).stderr.contains("opencode/bin, from which its CLI starts programs"));
            continue;
        }
        assert_eq!(answers(&done), ["no", "no"], "{kind}: {done}");
    }
}

#[test]
fn secret_variables_stay_outside_unless_they_are_given() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let script = "echo \"$GITHUB_TOKEN-$OTHER_TOKEN-$SSH_AUTH_SOCK-$EDITOR\"";
        let env = s.env.to_str().unwrap();
        let words = ["run", env, "--sandbox", kind, "--env", "OTHER_TOKEN=given", "--", "sh", "-c", script];
        let done =
            s.t.execenv(words)
                .var("GITHUB_TOKEN", "x")
                .var("OTHER_TOKEN", "inherited")
                .var("SSH_AUTH_SOCK", "/tmp/agent")
                .var("EDITOR", "vi")
                .run();
        assert_eq!(done.stdout, "-given--vi\n", "{kind}: {done}");
        assert!(done.stderr.contains("GITHUB_TOKEN, OTHER_TOKEN, SSH_AUTH_SOCK"), "{kind}: {done}");
    }
}

#[test]
fn the_network_and_sockets_are_as_asked() {
    let python = "import socket,sys\n\
        def can(f):\n try:\n  f(); return 'yes'\n except Exception as e:\n  return 'no'\n\
        def tcp(): socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)\n\
        def path():\n s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[2])\n\
        def abstract():\n s=socket.socket(socket.AF_UNIX); s.connect('\\0'+sys.argv[3])\n\
        def own():\n l=socket.socket(); l.bind(('127.0.0.1',0)); l.listen(1); socket.create_connection(l.getsockname(), 2)\n\
        def pair():\n p=socket.socketpair(); p[0].send(b'x')\n\
        print(can(tcp), can(path), can(abstract), can(own), can(pair))";
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = s.at("home/socket");
        let _by_path = UnixListener::bind(&place).unwrap();
        let name = format!("execenv-test-{port}");
        let address = SocketAddr::from_abstract_name(&name);
        let _abstract = UnixListener::bind_addr(&address.unwrap()).unwrap();
        s.t.write("home/project/probe.py", python);
        let script = format!(
            "python3 '{}' {port} '{}' {name}",
            s.at("home/project/probe.py").display(),
            place.display()
        );
        for (net, expected) in [("on", "yes no no yes yes\n"), ("off", "no no no yes yes\n")] {
            let done = s.sh(kind, &["--sandbox-net", net], &script);
            assert_eq!(done.stdout, expected, "{kind} {net}: {done}");
        }
    }
}

#[test]
fn no_process_outlives_the_run() {
    for &kind in kinds() {
        for how in ["end", "stop", "kill execenv", "timeout"] {
            let s = Scene::new(&[]);
            let mark = s.env.join("workdir/pids");
            // A grandchild in a session of its own whose parent has ended. Its number is looked up outside.
            let token = format!("1{:08}", std::process::id());
            let script = format!(
                "(setsid sh -c 'echo up > \"{}\"; exec sleep {token}' >/dev/null 2>&1 &)\n\
                 while ! [ -s '{}' ]; do sleep 0.05; done\n{}",
                mark.display(),
                mark.display(),
                if how == "end" { "exit 3" } else { "while :; do sleep 0.1; done" }
            );
            let env = s.env.to_str().unwrap();
            let mut words = vec!["run", env, "--sandbox", kind, "--kill-grace", "2s"];
            if how == "timeout" {
                words.extend(["--timeout", "2s"]);
            }
            words.extend(["--", "sh", "-c", &script]);
            let mut child = s.t.execenv(words).start();
            wait_until("the grandchild", || fs::read_to_string(&mark).ok().filter(|text| !text.is_empty()));
            let expected = match how {
                "end" => Some(3),
                "timeout" => Some(124),
                "stop" => {
                    s.t.execenv(["stop", env]).run().status(0);
                    Some(143)
                }
                _ => {
                    child.kill().unwrap();
                    None
                }
            };
            let status = child.wait().unwrap();
            assert_eq!(status.code(), expected, "{kind} {how}");
            wait_until_free(&s.env.join(".task_lock"));
            let is_left = || {
                let out = std::process::Command::new("pgrep")
                    .args(["-f", &format!("sleep {token}")])
                    .output()
                    .unwrap();
                !out.stdout.is_empty()
            };
            assert!(!is_left(), "{kind} {how}: a process is left");
        }
    }
}

#[test]
fn signals_pause_and_resume_reach_the_agent() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let env = s.env.to_str().unwrap();
        let (up, ticks) = (s.env.join("workdir/up"), s.env.join("workdir/ticks"));
        let script = "trap 'echo term > term; exit 7' TERM; trap 'echo int > int; exit 8' INT\n\
                      echo up > up; while :; do echo x >> ticks; sleep 0.05; done";
        let mut child = s.t.execenv(["run", env, "--sandbox", kind, "--", "sh", "-c", script]).start();
        wait_until("the agent", || fs::read_to_string(&up).ok().filter(|text| !text.is_empty()));
        let length = || fs::metadata(&ticks).map_or(0, |file| file.len());
        s.t.execenv(["pause", env]).run().status(0);
        let at = length();
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(length(), at, "{kind}: it goes on");
        s.t.execenv(["resume", env]).run().status(0);
        wait_until("more", || (length() > at).then_some(()));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{kind}");
        assert!(s.env.join("workdir/int").exists(), "{kind}: the agent got no SIGINT");
    }
}

#[test]
fn it_leads_a_session_and_inherits_no_open_file() {
    for &kind in kinds() {
        let s = Scene::new(&[]);
        let script = format!(
            "exec 7<'{}'; exec execenv run '{}' --sandbox {kind} -- sh -c \
             'ls -l /proc/self/fd | grep -c home; (exec 3<>/dev/tty) 2>/dev/null && echo tty || echo none; \
             ps -o sid=,pid= -p $$ | grep -c .'",
            s.at("home/.gitconfig").display(),
            s.env.display()
        );
        let done = s.t.sh(&script).run();
        assert_eq!(answers(&done), ["0", "none", "1"], "{kind}: {done}");
    }
}

#[test]
fn git_commits_in_a_worktree_and_nothing_else_of_the_repository_can_be_written() {
    for &kind in kinds() {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
        let s = Scene { t, env };
        let git = source.join(".git");
        let done = s.sh(
            kind,
            &[],
            &format!(
                "set -e; echo new > new; git add new; git -c user.name=a -c user.email=a@b.invalid commit -qm new\n\
                 set +e; for f in config hooks/pre-commit refs/heads/main HEAD worktrees/made; do\n\
                 (echo x >> '{git}'/$f) 2>/dev/null && echo yes || echo no; done\n\
                 git status --porcelain | wc -l",
                git = git.display()
            ),
        );
        assert_eq!(answers(&done), ["no", "no", "no", "no", "no", "0"], "{kind}: {done}");
        let branches = git_out(&s.t, &source, &["log", "--format=%s", "--branches=agent/*"]);
        assert!(branches.starts_with("new"), "{kind}: {branches}");
        if kind == "bwrap" {
            let done = s.sh(
                kind,
                &[],
                "for f in commondir gitdir; do (echo x >> $(git rev-parse --git-dir)/$f) 2>/dev/null && echo yes || echo no\n\
                 rm -f $(git rev-parse --git-dir)/$f 2>/dev/null && echo yes || echo no; done\n\
                 (echo x > .git) 2>/dev/null && echo yes || echo no; mv .git moved 2>/dev/null && echo yes || echo no",
            );
            assert_eq!(answers(&done), ["no"; 6], "{done}");
        }
    }
}

#[test]
fn a_folder_of_the_users_is_the_work_dir_but_for_its_git_folder() {
    for &kind in kinds() {
        let t = TestEnv::new();
        let project = t.project.clone();
        make_repository(&t, &project, &[]);
        let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
        let s = Scene { t, env };
        let script = "(echo x > made) && echo yes; (echo x >> .git/config) 2>/dev/null || echo no\n\
                      (echo x > .git/hooks/pre-commit) 2>/dev/null || echo no; git status --porcelain | grep -c made";
        let done = s.sh(kind, &[], script);
        if kind == "landlock" {
            assert_eq!(done.status, Some(125), "{done}");
            assert!(
                done.stderr.contains("Landlock cannot keep the agent from the settings and hooks"),
                "{done}"
            );
            continue;
        }
        assert_eq!(answers(&done), ["yes", "no", "no", "1"], "{kind}: {done}");
        assert!(project.join("made").exists());
    }
}

#[test]
fn odd_places_work() {
    for &kind in kinds() {
        // A root below the home, and a home that is a link.
        let t = TestEnv::new();
        t.write("home/.ssh/id", "SECRET");
        let root = t.home.join("a b\nc/root");
        let home = t.tmp.join("home-link");
        std::os::unix::fs::symlink(&t.home, &home).unwrap();
        let run =
            |words: &[&str]| t.execenv(words).var("EXECENV_WORKSPACES_ROOT", &root).var("HOME", &home).run();
        run(&["prepare", "--task-id", TASK]).status(0);
        let script = "echo x > made && cat made; cat ~/.ssh/id 2>/dev/null || echo no; cd ~ && echo home";
        let done = run(&["run", KEY, "--sandbox", kind, "--", "sh", "-c", script]);
        assert_eq!(answers(&done), ["x", "no", "home"], "{kind}: {done}");
        // The program lies in a folder for temporary files, beside nothing else that can be seen.
        let program =
            t.write("tools/bin/tool", "#!/bin/sh\ncat \"$(dirname \"$0\")/../lib/text\"\nls /tmp | wc -l");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        t.write("tools/lib/text", "of the tool\n");
        let done = run(&["run", KEY, "--sandbox", kind, "--", program.to_str().unwrap()]);
        assert!(done.stdout.starts_with("of the tool\n"), "{kind}: {done}");
    }
}

#[test]
fn a_sandbox_that_cannot_be_built_fails_closed() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let run = |words: &[&str]| {
        t.execenv(["run", env.to_str().unwrap()].iter().chain(words).chain(&["--", "touch", "ran"]))
    };
    t.write("bin/nothing", "");
    let path = t.tmp.join("bin");
    run(&["--sandbox", "bwrap"])
        .var("PATH", &path)
        .fails(125, &["`--sandbox bwrap` needs bubblewrap", "hint: install it"]);
    let tool = t.write(
        "broken/bwrap",
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n",
    );
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let broken = format!("{}:/usr/bin:/bin", t.tmp.join("broken").display());
    run(&["--sandbox", "bwrap"]).var("PATH", &broken).fails(
        125,
        &["the sandbox `bwrap` cannot be built", "setting up uid map: Permission denied", "hint: "],
    );
    run(&["--sandbox", "landlock"])
        .var("EXECENV_TEST_NO_LANDLOCK", "1")
        .fails(125, &["`--sandbox landlock`: this system has no Landlock", "hint: use `--sandbox bwrap`"]);
    run(&["--sandbox-net", "off"])
        .fails(125, &["`--sandbox-net off` needs a sandbox", "hint: add `--sandbox bwrap`"]);
    run(&[]).var("EXECENV_SANDBOX", "bubble").fails(2, &["EXECENV_SANDBOX", "bwrap"]);
    run(&["--sandbox", "x"]).fails(2, &["--sandbox"]);
    let config = t.write("config.json", r#"{"sandbox":"bwrap"}"#);
    run(&["--config", config.to_str().unwrap()]).var("PATH", &path).fails(125, &["bubblewrap"]);
    let json = t
        .execenv(["run", env.to_str().unwrap(), "-o", "json", "--sandbox", "bwrap", "--", "true"])
        .var("PATH", &path)
        .run();
    assert!(json.stderr.contains(r#""code":"no_sandbox""#), "{json}");
    let new = t.execenv(["run", "--new", "--sandbox", "bwrap", "--", "true"]).var("PATH", &path).run();
    assert_eq!(new.status, Some(125), "{new}");
    assert!(!env.join("workdir/ran").exists());
}

#[test]
fn a_system_without_namespaces_is_told_from_one_with_them() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    // In a namespace of its own a test may forbid further ones.
    let inside = |words: &str| {
        let script = format!(
            "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces || exit 77; exec execenv run {} {words} -- touch ran'",
            env.display()
        );
        t.sh(&script).run()
    };
    let tried = inside("--sandbox landlock --sandbox-net off");
    if tried.status == Some(77) || tried.stderr.contains("unshare") {
        let _ = writeln!(
            std::io::stderr(),
            "not run here: a namespace that forbids further ones: {}",
            tried.stderr
        );
        return;
    }
    for &kind in kinds() {
        let (words, named) = match kind {
            "bwrap" => ("--sandbox bwrap", "bwrap: "),
            _ => ("--sandbox landlock --sandbox-net off", "a user and a network namespace"),
        };
        let done = inside(words);
        assert_eq!(done.status, Some(125), "{kind}: {done}");
        assert!(done.stderr.contains(named) && done.stderr.contains("hint: "), "{kind}: {done}");
        assert!(!env.join("workdir/ran").exists(), "{kind}");
        if kind == "landlock" {
            assert_eq!(inside("--sandbox landlock").status, Some(0), "it needs none");
        }
    }
}

#[test]
fn a_work_dir_with_the_home_in_it_is_refused() {
    for &kind in kinds() {
        // `prepare` itself refuses the home.
        let t = TestEnv::new();
        t.write("home/.ssh/id", "SECRET");
        let root = tempfile::tempdir().unwrap();
        let prepared = t
            .execenv(["prepare", "--task-id", TASK, "--local-dir", "."])
            .var("EXECENV_WORKSPACES_ROOT", root.path())
            .run()
            .status(0);
        let env = prepared.stdout.trim_end();
        t.execenv(["run", env, "--sandbox", kind, "--", "touch", "ran"])
            .var("EXECENV_WORKSPACES_ROOT", root.path())
            .fails(125, &["the work dir", "[HOME]", "hint: "]);
        assert!(!t.tmp.join("ran").exists(), "{kind}");
    }
}
