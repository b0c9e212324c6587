//! `--git-identity`: in whose name the agent commits, without a change of any configuration.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let output = t.command("git").current_dir(dir).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A world whose project is a repository with a user of its own, and a folder in it.
fn world() -> TestEnv {
    let t = TestEnv::new();
    git(&t, &t.project, &["init", "-q", "-b", "main"]);
    git(&t, &t.project, &["config", "user.name", "Ada Löve"]);
    git(&t, &t.project, &["config", "user.email", "ada@example.invalid"]);
    fs::create_dir(t.project.join("src")).unwrap();
    t
}

/// Author and committer of a commit that the agent makes.
fn committed(t: &TestEnv, arguments: &[&str]) -> String {
    let script = "rm -rf r && git init -q r && cd r && git commit -q --allow-empty -m x && git log -1 --format='%an <%ae> %cn <%ce>'";
    let words = [&["run", KEY], arguments, &["--", "sh", "-c", script]].concat();
    t.execenv(words).ok().stdout.trim_end().to_owned()
}

#[test]
fn the_agent_commits_in_the_name_that_git_uses_in_the_folder() {
    let t = world();
    let before = snapshot(&t.project);
    let ada = "Ada Löve <ada@example.invalid>";
    let bot = "Bot <ada@example.invalid>";
    let prepare = ["prepare", "--task-id", TASK, "--git-identity", "project/src", "-o", "json"];
    let prepared = t.execenv(prepare).json();
    let expected = [
        ("GIT_AUTHOR_EMAIL", "ada@example.invalid"),
        ("GIT_AUTHOR_NAME", "Ada Löve"),
        ("GIT_COMMITTER_EMAIL", "ada@example.invalid"),
        ("GIT_COMMITTER_NAME", "Ada Löve"),
    ];
    let env: Vec<(&str, &str)> = prepared["env"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    assert_eq!(env, expected);
    assert_eq!(committed(&t, &[]), format!("{ada} {ada}"));
    assert_same(&before, &snapshot(&t.project), "no configuration was changed");

    // A run with an identity of its own has it alone; `reuse` keeps what it is not told.
    git(&t, &t.project, &["config", "author.name", "Bot"]);
    assert_eq!(committed(&t, &["--git-identity", "project"]), format!("{bot} {ada}"));
    t.execenv(["reuse", KEY]).ok();
    assert_eq!(committed(&t, &[]), format!("{ada} {ada}"));
    t.execenv(["reuse", KEY, "--git-identity", "project"]).ok();
    assert_eq!(committed(&t, &[]), format!("{bot} {ada}"));
    // The operator's own variable wins.
    assert_eq!(committed(&t, &["--env", "GIT_AUTHOR_NAME=Me"]), format!("Me <ada@example.invalid> {ada}"));
}

#[test]
fn a_run_that_prepares_its_environment_takes_the_option_too() {
    let t = world();
    let words = ["run", "--new", "--git-identity", "project", "--", "git", "var", "GIT_COMMITTER_IDENT"];
    let said = t.execenv(words).ok().stdout;
    assert!(said.starts_with("Ada Löve <ada@example.invalid> "), "{said}");
}

#[test]
fn a_folder_without_a_name_is_refused() {
    let t = TestEnv::new();
    t.write("file", "");
    for (dir, parts) in [
        ("project", ["git has no user.name and no user.email in", "hint: set them: `git config --global"]),
        ("missing", ["missing is not a folder", "hint: name an existing folder"]),
        ("file", ["file is not a folder", "hint: name an existing folder"]),
    ] {
        t.execenv(["prepare", "--git-identity", dir]).fails(2, &parts);
    }
    assert!(!t.root.exists());
}

#[test]
fn a_repository_that_names_programs_runs_none_for_its_name() {
    let t = world();
    let hooks = format!("touch {}", t.tmp.join("ran").display());
    for key in ["core.fsmonitor", "core.sshCommand", "credential.helper", "core.pager", "alias.config"] {
        git(&t, &t.project, &["config", key, &format!("!{hooks}")]);
    }
    t.prepare(["--task-id", TASK, "--git-identity", "project"]);
    assert!(!t.tmp.join("ran").exists());
}

#[test]
fn a_name_in_a_changed_record_is_a_claim() {
    let t = world();
    let env = t.prepare(["--task-id", TASK, "--git-identity", "project"]);
    let path = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    meta["execenv"]["git_identity"]["author_name"] = "x\nLD_PRELOAD=y".into();
    meta["execenv"]["git_identity"]["committer_name"] = "...".into();
    meta["execenv"]["git_identity"]["GIT_SSH_COMMAND"] = "evil".into();
    fs::write(&path, serde_json::to_vec(&meta).unwrap()).unwrap();
    let said = t.execenv(["run", KEY, "--", "env"]).ok().stdout;
    let mut git: Vec<&str> = said.lines().filter(|line| line.starts_with("GIT_")).collect();
    git.sort_unstable();
    let configured = ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"];
    let named = ["GIT_AUTHOR_EMAIL=ada@example.invalid", "GIT_COMMITTER_EMAIL=ada@example.invalid"];
    assert_eq!(git, [named[0], named[1], configured[0], configured[1]]);
    assert!(!said.contains("LD_PRELOAD") && !said.contains("evil"), "{said}");
}

#[test]
fn a_snapshot_is_made_in_the_recorded_name_else_in_the_users_own() {
    for (arguments, config, expected) in [
        (&["--git-identity", "project"][..], "", "Ada Löve <ada@example.invalid>"),
        (&[], "[user]\n\tname = Grace\n\temail = g@example.invalid\n", "Grace <g@example.invalid>"),
        (&[], "[user]\n\tname = Grace\n", "Grace <execenv@localhost>"),
        (&[], "", "execenv <execenv@localhost>"),
    ] {
        let t = world();
        git(&t, &t.project, &["commit", "-q", "--allow-empty", "-m", "one"]);
        let env = t.prepare(["--task-id", TASK].into_iter().chain(arguments.iter().copied()));
        let worktree = env.join("workdir/r");
        git(&t, &t.project, &["worktree", "add", "-q", "--detach", worktree.to_str().unwrap()]);
        t.write(worktree.join("work"), "unsaved");
        let global = t.write("gitconfig", config);
        t.execenv(["cleanup", "--force", KEY]).var("GIT_CONFIG_GLOBAL", global).run().status(0);
        let format = "--format=%(authorname) %(authoremail)";
        assert_eq!(git(&t, &t.project, &["for-each-ref", format, "refs/execenv"]), expected, "{config}");
    }
}

#[test]
fn no_variable_leads_the_agents_git_to_another_repository() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let listed = git(&t, &t.tmp, &["rev-parse", "--local-env-vars"]);
    let mut run = t.execenv(["run", KEY, "--", "env"]);
    for name in listed.lines().chain(["GIT_CEILING_DIRECTORIES", "GIT_NAMESPACE", "GIT_QUARANTINE_PATH"]) {
        run = run.var(name, "elsewhere");
    }
    let said = run.ok().stdout;
    assert!(!said.contains("elsewhere"), "{said}");
    assert!(listed.lines().count() > 10, "{listed}");
}
