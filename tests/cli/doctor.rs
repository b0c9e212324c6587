use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

/// Kinds of damage: what was done to an environment, the word for it, and what `--fix` does (`None`: nothing).
type Damage = (&'static str, fn(&TestEnv, &Path), &'static str, Option<[&'static str; 2]>);

fn edit(env: &Path, change: impl Fn(&mut Value)) {
    let file = env.join(".gc_meta.json");
    let mut meta = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut meta);
    fs::write(file, meta.to_string()).unwrap();
}

const DAMAGE: [Damage; 11] = [
    (
        "a dead run",
        |_, env| edit(env, |meta| meta["execenv"]["status"] = json!("running")),
        "crashed_run",
        Some(["ends its processes, saves its work, and records how it ended", "recorded how it ended"]),
    ),
    (
        "sidecars that were announced only",
        |_, env| {
            let file = env.join(".multica_sidecar_manifest.json");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(file, text.replace("\"applied\"", "\"applying\"")).unwrap();
        },
        "unfinished_sidecars",
        Some(["removes its generated files", "removed its generated files"]),
    ),
    ("a damaged record", |_, env| fs::write(env.join(".gc_meta.json"), "{").unwrap(), "unreadable", None),
    (
        "a damaged manifest",
        |_, env| fs::write(env.join(".multica_sidecar_manifest.json"), "{").unwrap(),
        "unreadable",
        None,
    ),
    (
        "a newer record",
        |_, env| edit(env, |meta| meta["execenv"]["schema"] = json!(99)),
        "newer_record",
        None,
    ),
    ("no record", |_, env| fs::remove_file(env.join(".gc_meta.json")).unwrap(), "no_record", None),
    ("no work dir", |_, env| fs::remove_dir_all(env.join("workdir")).unwrap(), "vanished_work_dir", None),
    (
        "a half-made environment",
        |t, _| drop(t.write("root/default/.staging-0123456789ab-0123456789ab/output/x", "x")),
        "half_made",
        Some(["removes it", "removed"]),
    ),
    (
        "a half-deleted environment",
        |t, _| drop(t.write("root/.trash/default+0123456789ab+1780000000-01234567.removing/x", "x")),
        "half_deleted",
        Some(["finishes it", "finished it"]),
    ),
    (
        "a root that was created and not marked",
        |t, _| {
            fs::remove_dir_all(&t.root).unwrap();
            fs::create_dir(&t.root).unwrap();
        },
        "not_marked",
        Some(["marks it", "marked it"]),
    ),
    (
        "a root that has lost its marker",
        |t, _| fs::remove_file(t.root.join(".execenv-root")).unwrap(),
        "not_marked",
        None,
    ),
];

#[test]
fn every_kind_of_damage_is_named_and_what_fix_would_do_is_not_told_as_done() {
    for (what, make, word, repair) in DAMAGE {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        make(&t, &env);
        let looked = t.execenv(["doctor"]).run().status(1);
        let mut lines = looked.stdout.lines();
        let line = lines.find(|line| line.starts_with("  FAIL ")).expect(what);
        assert!(line.contains(word), "{what}: {looked}");
        // What is to be done stands right below, or in the line itself.
        let todo = lines.next().unwrap();
        assert!(todo.starts_with("         do: ") || line.contains('`'), "{what}: {looked}");
        let json = t.execenv(["doctor", "-o", "json"]).run().status(1);
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(
            (&json["problems"][0]["complaint"], &json["problems"][0]["fixed"]),
            (&json!(word), &json!(false))
        );
        assert_eq!(json["problems"][0]["repair"].is_string(), repair.is_some(), "{what}");
        let fixed = t.execenv(["doctor", "--fix"]).run().status(i32::from(repair.is_none()));
        let Some([would, done]) = repair else {
            assert!(!looked.stdout.contains("doctor --fix"), "{looked}");
            assert!(fixed.stdout.lines().any(|line| line.starts_with("  FAIL ")), "{fixed}");
            continue;
        };
        assert_eq!(todo, format!("         do: `execenv doctor --fix` {would}"), "{what}: {looked}");
        assert!(looked.stdout.contains("1 problem; `execenv doctor --fix` fixes all"), "{looked}");
        let line = fixed.stdout.lines().find(|line| line.starts_with("  fixed ")).expect(what);
        assert!(line.ends_with(&format!("; {done}")), "{what}: {fixed}");
        t.execenv(["doctor"]).ok();
    }
}

/// Each place in which a command that is killed while it replaces a file of ours leaves the temporary one.
#[test]
fn temporary_files_of_a_killed_command_go_with_fix_and_with_cleanup() {
    for command in [&["doctor", "--fix"][..], &["cleanup", KEY]] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        let names = [
            ".execenv.tmp",
            ".execenv.record",
            "launch/.execenv.tmp",
            "output/.execenv.tmp",
            "output/kept-sidecars/deep/.execenv.tmp",
            "codex-home/.execenv.tmp",
        ];
        for name in names {
            t.write(env.join(name), "half");
        }
        t.execenv(command).ok();
        t.assert_nothing_half_made(&format!("{command:?}"));
    }
}

#[test]
fn a_damaged_record_of_a_users_folder_has_one_way_out() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    fs::write(env.join(".gc_meta.json"), "{").unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--fix"], &["doctor", "--fix"]] {
        let done = t.execenv(arguments).run().status(1);
        assert_eq!(done.stdout.matches("execenv cleanup --all").count(), 1, "{done}");
    }
    assert!(t.project_now().is_empty());
    let hint = format!("hint: `execenv cleanup --all [ROOT]/default/{KEY}`");
    t.execenv(["cleanup", KEY]).fails(1, &["its record is damaged", &hint]);
}

#[test]
fn a_users_folder_that_is_gone_and_one_of_multicas_without_a_record() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    fs::rename(&t.project, t.tmp.join("moved")).unwrap();
    let done = t.execenv(["doctor"]).run().status(1);
    assert!(done.stdout.contains("vanished_work_dir") && done.stdout.contains("/project)"), "{done}");
    fs::rename(t.tmp.join("moved"), &t.project).unwrap();
    t.execenv(["cleanup", KEY]).ok();
    t.write("root/default/theirs/.managed_env.json", "{}");
    t.write("root/default/theirs/workdir/x", "x");
    let done = t.execenv(["doctor"]).ok();
    assert!(done.stdout.contains("no problems with the environments"), "{done}");
}

#[test]
fn what_a_first_run_lacks_is_said() {
    let t = TestEnv::new();
    let bin = t.tmp.join("bin");
    fs::create_dir(&bin).unwrap();
    let doctor =
        |variable: &str| t.execenv(["doctor"]).var("PATH", &bin).var(variable, "x").ok().shown_stdout;
    let none = doctor("X");
    assert!(none.contains("  warn   no agent CLI was found\n         do: install one "), "{none}");
    let claude = t.write("bin/claude", "#!/bin/sh\necho 9.9.9\n");
    t.sh("chmod +x \"$C\"").var("C", &claude).ok();
    let without = doctor("X");
    assert!(
        without.contains("no login to an agent CLI was found") && !without.contains("no agent CLI"),
        "{without}"
    );
    let with = doctor("ANTHROPIC_API_KEY");
    assert!(!with.contains("no login") && !with.contains("no agent CLI"), "{with}");
    assert!(
        with.contains("  ok     claude 9.9.9, [TMP]/bin/claude; login by variable ANTHROPIC_API_KEY\n"),
        "{with}"
    );
    // As root it does not work unattended, as `run` says as well.
    let is_told = |text: &str| {
        text.contains("  warn   claude: Claude Code does not run unattended as root")
            && text.contains("--env IS_SANDBOX=1")
    };
    assert_eq!(is_told(&with), rustix::process::geteuid().is_root(), "{with}");
    let allowed = t.execenv(["doctor"]).var("PATH", &bin).var("IS_SANDBOX", "1").ok().shown_stdout;
    assert!(!is_told(&allowed) && !is_told(&none), "{allowed}");
    // What is missing has a line, too, and what to do about it.
    let git = none.split_once("  FAIL   git is not in PATH").unwrap().1;
    assert!(git.contains("\n         do: install git 2.38 or later\n"), "{none}");
    assert!(
        none.ends_with(": no problems with the environments\n") && none.contains("\nWorkspaces root\n"),
        "{none}"
    );
}

#[test]
fn what_execenv_makes_of_each_agent_is_told() {
    let t = TestEnv::new();
    let answer = t.execenv(["doctor", "-o", "json"]).json();
    let programs = answer["programs"].as_array().unwrap();
    let agent = |name: &str| programs.iter().find(|seen| seen["name"] == name).unwrap()["agent"].clone();
    assert_eq!(agent("git"), Value::Null);
    let claude = agent("claude");
    assert_eq!(claude["dialects"][0]["name"], "stream-json");
    assert_eq!(claude["dialects"][0]["tells"], json!({"tokens": true, "cost": true, "turns": true}));
    assert_eq!(claude["mcp"], json!({"strict": true, "why": "the task's only"}));
    assert_eq!((&claude["resumes"], &claude["own_sandbox"]), (&json!(true), &json!("as your settings say")));
    assert_eq!(agent("pi")["mcp"]["why"], "it has no MCP client");
    assert_eq!(agent("codex")["own_sandbox"], "`--codex-sandbox`");
    // In text it is told of those that are there.
    let program = t.write("bin/claude", "#!/bin/sh\necho '2.1.0 (Claude Code)'\n");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = t.execenv(["doctor"]).var("PATH", program.parent().unwrap()).run().stdout;
    let line =
        text.lines().find(|line| line.starts_with("  claude") && line.contains("stream-json")).unwrap();
    assert!(line.contains("the task's only") && line.contains("tokens, cost, turns"), "{text}");
}

#[test]
fn what_killed_commands_leave_is_named_and_removed_and_a_claim_removes_nothing_else() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    crate::support::repository::make_repository(&t, &source, &[]);
    let (env, other) = (t.prepare(["--task-id", TASK]), t.prepare([] as [&str; 0]));
    let checkout = |env: &Path| t.execenv(["checkout", env.to_str().unwrap(), source.to_str().unwrap()]);
    checkout(&other).ok();
    let theirs = fs::read(other.join("workdir/source/.git")).unwrap();
    // What a killed command has left, or an agent has made to look like it: the registration is that of a live checkout.
    t.write(env.join(".execenv-checkout-0123456789ab/.git"), &theirs);
    let shared = t.root.join(".repos/default");
    t.write(shared.join(".cloning-x.git/HEAD"), "ref: refs/heads/main");
    t.write(shared.join(".evicted-0123456789ab/HEAD"), "ref: refs/heads/main");
    let [left, held, mine] = ["to/.execenv-clone-0123456789ab", "to/.execenv-clone-0123456789ac", "to/mine"]
        .map(|place| t.write(format!("{place}/file"), "f").parent().unwrap().to_owned());
    for (number, place) in
        [&left, &held, &mine, &t.tmp.join("to/.execenv-clone-aaaaaaaaaaaa")].iter().enumerate()
    {
        t.write(t.root.join(format!(".locks/clone-{number}")), place.to_str().unwrap());
    }
    let lock = fs::File::open(&held).unwrap();
    lock.lock().unwrap();
    let before = snapshot(&t.tmp);
    let seen = t.execenv(["doctor", "-o", "json"]).run().status(1);
    let problems = |text: &str| -> Vec<(String, String)> {
        let json: Value = serde_json::from_str(text).unwrap();
        let word = |problem: &Value, key: &str| problem[key].as_str().unwrap().to_owned();
        let all = json["problems"].as_array().unwrap().iter();
        all.map(|problem| {
            let path = word(problem, "path");
            (word(problem, "complaint"), path.rsplit('/').next().unwrap().to_owned())
        })
        .collect()
    };
    let expected = [
        ("half_made", ".execenv-checkout-0123456789ab"),
        ("half_made", ".cloning-x.git"),
        ("half_deleted", ".evicted-0123456789ab"),
        ("half_made", ".execenv-clone-0123456789ab"),
    ];
    let mut found = problems(&seen.stdout);
    found.sort();
    let mut wanted: Vec<_> = expected.map(|(word, name)| (word.to_owned(), name.to_owned())).into();
    wanted.sort();
    assert_eq!(found, wanted, "{seen}");
    let kept = |snapshot: Snapshot| -> Snapshot {
        let is_lock = |path: &PathBuf| path.starts_with("root/.locks");
        let is_left = |path: &PathBuf| expected.iter().any(|(_, name)| path.iter().any(|part| part == *name));
        snapshot.into_iter().filter(|(path, _)| !is_lock(path) && !is_left(path)).collect()
    };
    assert_same(&kept(before.clone()), &kept(snapshot(&t.tmp)), "doctor only looks");
    t.execenv(["doctor", "--fix"]).ok();
    assert_same(&kept(before), &kept(snapshot(&t.tmp)), "nothing else goes");
    assert!(!left.exists() && held.exists() && mine.exists() && !shared.join(".cloning-x.git").exists());
    let done = t.execenv(["doctor"]).ok();
    assert!(done.stdout.contains("no problems with the environments"), "{done}");
    crate::support::repository::git(&t, &other.join("workdir/source"), &["status"]);
}

#[test]
fn what_is_in_use_is_named_with_its_holder() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let none = t.execenv(["doctor"]).ok().stdout;
    assert!(none.contains("\nEnvironments\n  ok     1 environment, none in use\n"), "{none}");
    let lock = fs::File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let done = t.execenv(["doctor"]).ok();
    let pid = std::process::id();
    let line =
        format!("  ok     1 environment, 1 in use\n  ok     in use: [ROOT]/default/{KEY} by pid {pid}, ");
    assert!(done.shown_stdout.contains(&line), "{done}");
    let json = t.execenv(["doctor", "-o", "json"]).json();
    assert_eq!(json["live"][0]["path"], env.to_str().unwrap());
    assert!(json["live"][0]["holder"].as_str().unwrap().starts_with(&format!("pid {pid}, ")), "{json}");
}

#[test]
fn a_plain_programs_environment_that_died_is_run_again_with_a_program() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "command"]);
    edit(&env, |meta| meta["execenv"]["status"] = json!("running"));
    let done = t.execenv(["doctor"]).run().status(1);
    assert!(done.shown_stdout.contains("\nRuns that died\n  FAIL   crashed_run  "), "{done}");
    let next = format!("         do: then `execenv run '[ROOT]/default/{KEY}' -- PROGRAM` (resume)\n");
    assert!(
        done.shown_stdout
            .replace(&format!("run [ROOT]/default/{KEY} "), &format!("run '[ROOT]/default/{KEY}' "))
            .contains(&next),
        "{done}"
    );
}
