//! The scripts in `examples/` do what they say, with the built binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::fake_claude::{INIT, RESULT, World};
use crate::support::repository::{commit_files, git_out, make_repository};
use crate::support::{Run, TestEnv};

/// What `two-tasks.sh` prints, without the keys of environments.
const TWO_TASKS: &str = "
# each task gets a worktree on a branch of its own; a third one brings them together
agent/ada/KEY
agent/grace/KEY
agent/lead/KEY

# both agents work at the same time
 ada.txt  | 1 +
 greeting | 2 +-
 2 files changed, 2 insertions(+), 1 deletion(-)
 grace.txt | 1 +
 greeting  | 2 +-
 2 files changed, 2 insertions(+), 1 deletion(-)

# both are saved; then the folder of one is lost, and restored
Say hello, politely.
ada was here

# each is published as a branch: what is not committed yet is committed
Greet politely
Say good bye

# the lead merges both; they changed the same line
both_modified\tgreeting
resolved 1 conflict, 0 left
every branch is merged

# the result is published as a merge: main has it, and a clean checkout of main follows
Say hello, politely, and good bye.

# and as a pull request; a second call finds the open one
https://forge.example/ada/app/pull/1
https://forge.example/ada/app/pull/1

# the folders go; the commits stay
* main
Greet politely, and say good bye
";

#[test]
fn two_tasks_go_from_prepare_to_a_pull_request() {
    let t = TestEnv::new();
    let script = example("two-tasks.sh");
    // A gh that is logged in is not asked without an address.
    let done = t.sh(&format!("exec sh '{}'", script.display())).var("TMPDIR", &t.tmp).run().status(0);
    let lines: Vec<String> = done.stdout.lines().map(without_key).collect();
    assert_eq!(lines.join("\n"), TWO_TASKS.trim_end(), "{done}");
    let left = std::fs::read_dir(&t.tmp).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("tmp.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A line with the word for a key in the place of one.
fn without_key(line: &str) -> String {
    let Some((before, last)) = line.rsplit_once('/') else { return line.to_owned() };
    let is_key = last.len() == 12 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_key { format!("{before}/KEY") } else { line.to_owned() }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// What stands after a text in the one line of an example that contains it.
fn after(name: &str, beginning: &str) -> String {
    let text = fs::read_to_string(example(name)).unwrap();
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning)).collect();
    assert_eq!(lines.len(), 1, "{name}: {beginning:?}");
    lines[0].to_owned()
}

/// The command of a unit, for the second task.
fn unit(name: &str) -> String {
    after(name, "ExecStart=/usr/local/bin/").replace("%h/", "").replace("%i", "2")
}

/// Two tasks for an agent that notes its prompt, and programs that play engines.
fn tasks(agent: &[&str]) -> World {
    let w = World::around(TestEnv::new(), PathBuf::new());
    let task =
        |n: u32| format!("{{\"id\": \"task-{n}\", \"provider\": \"claude\", \"prompt\": \"do {n}\"}}\n");
    w.t.write("tasks.jsonl", task(1) + &task(2));
    w.t.write("home/nightly.json", task(2));
    w.script("script", agent);
    let program = |name: &str, text: &str| {
        let path = w.t.write(format!("bin/{name}"), format!("#!/bin/sh\n{text}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // They start what stands behind their own options.
    program(
        "parallel",
        "while [ \"$1\" != execenv ]; do shift; done\nwhile read -r n; do PARALLEL_SEQ=$n sh -c \"$(echo \"$*\" | sed \"s/{}/$n/\")\"; done\n",
    );
    program(
        "hq",
        "while [ \"$1\" != -- ]; do shift; done\nshift; for HQ_TASK_ID in 1 2; do export HQ_TASK_ID; \"$@\"; done\n",
    );
    program("scontrol", "echo \"$*\" >> \"$HOME/requeued\"\n");
    w
}

fn shell<'a>(w: &'a World, command: &str) -> Run<'a> {
    let path = format!("PATH='{}':$PATH; export PATH\n{command}", w.t.tmp.join("bin").display());
    let run = w.t.sh(&path).var("MULTICA_CLAUDE_PATH", w.t.tmp.join("fake-claude"));
    run.var("IS_SANDBOX", "1").without("EXECENV_TEST_NOW")
}

/// What `list` says of the second task.
fn second(w: &World) -> Value {
    let listed = w.t.execenv(["list", "-o", "json"]).json();
    let rows = listed["environments"].as_array().unwrap();
    let is_second = |row: &&Value| row["task_id"] != "task-1";
    rows.iter().find(is_second).unwrap_or_else(|| panic!("{listed}")).clone()
}

#[test]
fn each_engine_runs_a_line_of_the_list_once() {
    let script = |name: &str| format!("'{}'", example(name).display());
    let job = after("htcondor.sub", "arguments").replace("$(line)", "2");
    let job = job.trim_start_matches([' ', '=']).trim_matches('"').to_owned();
    let nightly = after("crontab", "0 3 * * *  ").replace(r"\%", "%");
    for (name, command, variable, is_engine_known) in [
        ("slurm-array.sh", format!("exec bash {}", script("slurm-array.sh")), "SLURM_ARRAY_TASK_ID", true),
        ("parallel.sh", format!("exec {}", script("parallel.sh")), "PARALLEL_SEQ", true),
        ("hyperqueue.sh", format!("exec {}", script("hyperqueue.sh")), "HQ_TASK_ID", true),
        (
            "kubernetes-job.yaml",
            format!("exec {}", after("kubernetes-job.yaml", "exec ")),
            "JOB_COMPLETION_INDEX",
            true,
        ),
        ("execenv-run@.service", unit("execenv-run@.service"), "NONE", false),
        ("htcondor.sub", format!("execenv {job}"), "NONE", false),
        ("crontab", nightly, "NONE", false),
    ] {
        let w = tasks(&["pid @/agent", INIT, "read @/prompt", RESULT, "expect-eof"]);
        let value = if variable == "JOB_COMPLETION_INDEX" { "1" } else { "2" };
        shell(&w, &command).var(variable, value).run().status(0);
        let row = second(&w);
        assert_eq!(row["last_result"]["status"], "completed", "{name}: {row}");
        assert!(w.read("prompt").contains("do 2"), "{name}: {}", w.read("prompt"));
        let result = Path::new(row["root_dir"].as_str().unwrap()).join("output/result.json");
        let result: Value = serde_json::from_slice(&fs::read(result).unwrap()).unwrap();
        assert_eq!(result["engine"].get(variable).is_some(), is_engine_known, "{name}: {result}");
        // A second delivery.
        w.script("script", &["exit 99"]);
        shell(&w, &command).var(variable, value).run().status(0);
        assert!(!w.t.home.join("requeued").exists(), "{name}");
    }
}

/// The commands in a list of GitLab's, such as `script`.
fn gitlab_commands(list: &str) -> String {
    let text = fs::read_to_string(example("gitlab-ci.yml")).unwrap();
    let lines = text.lines().skip_while(|line| *line != format!("  {list}:")).skip(1);
    let commands = lines.take_while(|line| line.starts_with("    "));
    let commands = commands.map(|line| line.strip_prefix("    - ").unwrap_or(line).trim_start_matches('|'));
    commands.map(|line| format!("{line}\n")).collect()
}

/// The agent works on the checkout of the job; what it did is kept as artifacts, and nothing of execenv's stays in the checkout.
#[test]
fn on_gitlab_the_agent_works_in_the_checkout_and_its_changes_are_kept() {
    let w =
        tasks(&[INIT, "shell echo done >> file; echo new > other", "read @/prompt", RESULT, "expect-eof"]);
    let project = &w.t.project;
    make_repository(&w.t, project, &[]);
    let tasks = fs::read_to_string(w.t.tmp.join("tasks.jsonl")).unwrap();
    commit_files(&w.t, project, "tasks", &[("tasks.jsonl", &tasks)]);
    let commit = git_out(&w.t, project, &["rev-parse", "HEAD"]);
    let job = |commands: String| {
        let run = shell(&w, &commands).cwd(project).var("CI_NODE_INDEX", "2").var("CI_COMMIT_SHA", &commit);
        run.var("CI_PROJECT_DIR", project).var("EXECENV_WORKSPACES_ROOT", w.t.tmp.join("project.execenv"))
    };
    job(gitlab_commands("script")).run().status(0);
    assert!(w.read("prompt").contains("do 2"), "{}", w.read("prompt"));
    job(gitlab_commands("after_script")).run().status(0);
    let kept = |name: &str| fs::read_to_string(project.join("agent").join(name)).unwrap();
    let patch = kept("output/changes.patch");
    assert!(
        patch.contains("+done") && patch.contains("+new") && !patch.contains("MULTICA-RUNTIME"),
        "{patch}"
    );
    assert!(
        kept("output/report.html").contains("completed") && kept("output/result.json").contains("completed")
    );
    assert!(!kept("logs/agent.ndjson").is_empty());
    assert!(!project.join("CLAUDE.md").exists() && !project.join(".agent_context").exists());
}

/// What the workflow gives the action and takes from it is in `action.yml`; `tests/real/action.sh` runs that one's steps.
#[test]
fn the_workflow_for_github_uses_what_the_action_has() {
    let text = fs::read_to_string(example("github-actions.yml")).unwrap();
    let action = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    let (inputs, outputs) = action.split_once("\noutputs:\n").unwrap();
    let step = text.split_once("uses: execenv/execenv@").unwrap().1;
    let with =
        step.split_once("with:\n").unwrap().1.lines().map_while(|line| line.strip_prefix("          "));
    let given: Vec<&str> = with.map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(given, ["task", "prepare-args", "local-dir", "timeout"]);
    for name in given {
        assert!(inputs.contains(&format!("\n  {name}:\n")), "{name}");
    }
    let used: Vec<&str> = text.split("steps.agent.outputs.").skip(1).collect();
    assert!(used.len() > 3);
    for output in used {
        let name = output.split([' ', '}', '\'']).next().unwrap();
        assert!(
            outputs.contains(&format!("\n  {name}:\n")) || outputs.starts_with(&format!("  {name}:\n")),
            "{name}"
        );
    }
}

/// A stranger who copies them gets the release that these sources are.
#[test]
fn the_examples_for_ci_install_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after("github-actions.yml", "uses: execenv/execenv@v"), version);
    assert_eq!(after("gitlab-ci.yml", "EXECENV_VERSION: "), version);
}

#[test]
fn on_slurm_a_task_whose_time_is_up_is_queued_again_by_itself() {
    let w = tasks(&[INIT, "read @/prompt", "sleep-until-file @/never"]);
    let command = format!("exec bash '{}'", example("slurm-array.sh").display());
    let job = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_JOB_ID", "17"), ("LIMIT", "1s")];
    job.iter().fold(shell(&w, &command), |run, (name, value)| run.var(name, value)).run().status(124);
    assert_eq!(fs::read_to_string(w.t.home.join("requeued")).unwrap(), "requeue 17_2\n");
    assert_eq!(second(&w)["last_result"]["status"], "timeout");
}

#[test]
fn each_root_that_stays_is_collected() {
    let list = after("kubernetes-gc.yaml", "command: [").replace([',', ']'], " ");
    for command in [list, unit("execenv-gc.service"), after("crontab", "0 * * * *  ")] {
        let w = tasks(&[]);
        shell(&w, "execenv prepare -q --task-id task-2").run().status(0);
        shell(&w, &command).run().status(0);
        assert_eq!(second(&w)["status"], "prepared", "{command}");
    }
}

/// `tests/real/engines.sh` runs them with the engines; here it is enough that none is forgotten there, and in the guide.
#[test]
fn every_example_is_in_the_guide() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    let names =
        fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let missing: Vec<String> =
        names.filter(|name| !guide.contains(&format!("../examples/{name})"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
