//! How the CLI is called: what it says stays out of errors, it ends in time, and it is not asked twice.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};

use super::*;

#[test]
fn no_error_carries_what_the_cli_printed() {
    for script in [
        "echo 'sk-secret'; exit 1",
        "echo 'not json sk-secret'",
        "echo '{\"error\":\"bad\",\"resolved\":{\"key\":\"sk-secret\"}}'; exit 1",
        "echo '{\"key\":\"sk-secret\"}'; echo 'bad' >&2; exit 1",
    ] {
        let mut claw = Claw::new();
        claw.world.manage("{}");
        claw.answers(WHOLE, script);
        let error = claw.error();
        assert!(!error.contains("sk-secret"), "{error}");
        claw.answers(LIST, script);
        let error = claw.error();
        assert!(!error.contains("sk-secret"), "{error}");
    }
}

#[test]
fn a_missing_program_is_said() {
    let mut claw = Claw::new();
    claw.world.options.openclaw = Some(claw.world.tmp.join("gone"));
    assert_eq!(Failure::code_of(&claw.plan().unwrap_err()), Code::AgentNotFound);
    claw.world.options.openclaw = None;
    let error = claw.plan().unwrap_err();
    assert_eq!(Failure::code_of(&error), Code::AgentNotFound);
    assert!(error.to_string().contains("locate openclaw active config"));
}

#[test]
fn an_openclaw_that_is_too_old_is_refused_before_it_is_asked_for_anything() {
    let mut claw = Claw::new();
    claw.prints(VERSION, "OpenClaw 2026.5.4");
    let error = claw.plan().unwrap_err();
    assert_eq!(Failure::code_of(&error), Code::AgentNotStarted);
    assert_eq!(error.to_string(), "openclaw 2026.5.4 is below the minimum supported version 2026.5.5");
    assert_eq!(claw.calls(), [""; 0]);
    for script in ["echo 2026.5.5", "echo 'a build of mine'", "echo '2026.5.4'; exit 1"] {
        claw.answers(VERSION, script);
        claw.plan().unwrap();
    }
    // What is known of the program is known for its version, too.
    claw.prints(VERSION, "OpenClaw 2026.5.4");
    let plan = claw.plan();
    assert!(plan.is_err());
    claw.prints(VERSION, "OpenClaw 2026.5.5");
    for (path, bytes) in claw.plan().unwrap().caches {
        claw.world.write(claw.world.stores.join(path), std::str::from_utf8(&bytes).unwrap());
    }
    claw.prints(VERSION, "OpenClaw 2026.5.4");
    claw.world.now += chrono::Duration::seconds(1);
    claw.plan().unwrap();
}

/// What a call does: its script, after it has answered, and its deadline. Where the call would wait for a helper, or leave it
/// alive, the test would take ten minutes.
#[test]
fn a_deadline_ends_the_call_and_all_that_it_started() {
    for (script, limit, is_timed_out) in [
        ("exec sleep 600", "1s", true),
        ("sleep 600 & wait", "1s", true),
        // Its group is killed as soon as it ends, so it has answered, and the helper no longer holds its output.
        ("sleep 600 & exit 0", "5m", false),
        // A helper that has left the group, and holds the output.
        (
            "setsid sh -c 'echo $$ > \"$0\"; exec sleep 600' \"$d/../helper\" & until [ -s \"$d/../helper\" ]; do sleep 0.01; done",
            "1s",
            true,
        ),
    ] {
        // The deadline may have come before the script began: then there is nothing to see.
        let group = (0..50).find_map(|_| group_of_call(script, limit, is_timed_out)).expect(script);
        let ended = || test_kill_process_group(group).is_err();
        assert!(within(Duration::from_secs(60), ended), "{script}: its group lives");
    }
}

/// Calls the program, and returns the group that it had; `None`: it was ended before it began.
fn group_of_call(script: &str, limit: &str, is_timed_out: bool) -> Option<Pid> {
    let mut claw = Claw::new();
    claw.world.set_variable(deadline::VARIABLE, limit);
    claw.answers(LIST, &format!("echo $$ >> \"$d/../pids\"; echo '[]'; {script}"));
    let begin = Instant::now();
    let outcome = claw.plan();
    assert!(begin.elapsed() < Duration::from_secs(120), "{script}: {:?}", begin.elapsed());
    let pid = |name: &str| {
        let text = std::fs::read_to_string(claw.world.tmp.join(name)).unwrap_or_default();
        text.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?))
    };
    // A call does not reach what has left its group.
    if let Some(helper) = pid("helper") {
        kill_process(helper, Signal::KILL).unwrap();
    }
    let group = pid("pids")?;
    if script.contains("setsid") {
        pid("helper")?;
    }
    if is_timed_out {
        let error = outcome.unwrap_err();
        let timed_out = |cause: &&(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        };
        assert!(error.chain().any(|cause| timed_out(&cause)), "{script}: {error:#}");
        assert!(format!("{error:#}").contains("agents.list"), "{error:#}");
    } else {
        outcome.unwrap();
    }
    Some(group)
}

/// Whether something comes true in time.
fn within(time: Duration, is_true: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < time {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn the_clis_answers_are_kept_for_a_minute() {
    type Change = fn(&mut Claw);
    let changes: [(&str, Change, bool); 9] = [
        ("nothing", |_| {}, true),
        ("60 s later", |claw| claw.world.now += chrono::Duration::seconds(60), true),
        ("61 s later", |claw| claw.world.now += chrono::Duration::seconds(61), false),
        ("1 ms before", |claw| claw.world.now -= chrono::Duration::milliseconds(1), true),
        ("an hour before", |claw| claw.world.now -= chrono::Duration::hours(1), false),
        (
            "the configuration",
            |claw| drop(claw.world.write("home/.openclaw/openclaw.json", "{ /* 1 */ }")),
            false,
        ),
        ("a variable", |claw| claw.world.set_variable("OPENCLAW_HOME", "/elsewhere"), false),
        ("the program", |claw| drop(claw.world.write("bin/openclaw", &(script(claw) + "# newer\n"))), false),
        ("the file", |claw| drop(claw.world.write(STORED, "{ broken")), false),
    ];
    for (what, change, is_hit) in changes {
        for mut claw in [Claw::new(), Claw::keyed("{}")] {
            let first = claw.plan().unwrap();
            let (path, bytes) = &first.caches[0];
            assert_eq!(Path::new("root/.stores").join(path), Path::new(STORED));
            claw.world.write(STORED, std::str::from_utf8(bytes).unwrap());
            change(&mut claw);
            let before = claw.calls().len();
            let second = claw.plan().unwrap();
            assert_eq!(claw.calls().len() == before, is_hit, "{what}");
            assert_eq!(second.homes, first.homes, "{what}");
            assert_eq!(second.caches.is_empty(), is_hit, "{what}");
        }
    }
}

const STORED: &str = "root/.stores/openclaw-discovery-cache.json";

fn script(claw: &Claw) -> String {
    std::fs::read_to_string(claw.world.options.openclaw.as_deref().unwrap()).unwrap()
}

#[test]
fn a_fresh_install_is_not_kept() {
    let claw = Claw::new();
    std::fs::remove_file(&claw.config).unwrap();
    assert!(claw.plan().unwrap().caches.is_empty());
}

#[test]
fn the_wrapper_of_an_environment_is_not_taken_for_the_users_configuration() {
    let mut claw = Claw::new();
    let user = claw.config.clone();
    claw.answers(FILE, &format!("echo \"${{OPENCLAW_CONFIG_PATH:-{}}}\"", user.display()));
    let wrapper = claw.world.write("root/e/openclaw-config.json", "{}");
    claw.world.write("root/e/.gc_meta.json", "{}");
    claw.world.set_variable(CONFIG_VARIABLE, wrapper);
    assert_eq!(claw.wrapper()["$include"], json!([user]));
    let elsewhere = claw.world.write("elsewhere/openclaw.json", "{}");
    claw.world.set_variable(CONFIG_VARIABLE, elsewhere.clone());
    assert_eq!(claw.wrapper()["$include"], json!([elsewhere]));
}
