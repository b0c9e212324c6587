//! Ports of environments: free, recorded, given to one environment only, and tested again by `run`.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::setup::{env_root, forge};
use crate::support::process::wait_until;
use crate::support::{KEY, TASK, TestEnv};

fn prepare(t: &TestEnv, words: &[&str]) -> Value {
    t.execenv([&["prepare", "-o", "json", "--task-id", TASK], words].concat()).json()
}

fn ports(answer: &Value) -> Vec<u16> {
    answer["ports"].as_object().unwrap().values().map(|port| port.as_u64().unwrap() as u16).collect()
}

/// Lets go of a port. A program that another test is just starting has the handle, too, until it is started.
fn let_go(listener: TcpListener) {
    let address = listener.local_addr().unwrap();
    drop(listener);
    wait_until("the port to be free", || TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn ports_are_exported_by_prepare_and_run_and_kept_by_reuse() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", r#"{"ports": ["web"]}"#);
    // No code runs for a port, so that the file needs no trust.
    let answer = prepare(&t, &["--local-dir", "project", "--port", "api-2", "--port", "web"]);
    let (web, api) = (answer["ports"]["web"].clone(), answer["ports"]["api-2"].clone());
    assert_eq!(answer["ports"].as_object().unwrap().len(), 2, "{answer}");
    assert!((20_000..30_000).contains(&web.as_u64().unwrap()) && web != api, "{answer}");
    let env = &answer["env"];
    for (name, port) in [("EXECENV_PORT", &web), ("EXECENV_PORT_WEB", &web), ("EXECENV_PORT_API_2", &api)] {
        assert_eq!(env[name], port.to_string(), "{env}");
    }
    let run = ["run", KEY, "--", "sh", "-c", "echo $EXECENV_PORT $EXECENV_PORT_WEB $EXECENV_PORT_API_2"];
    assert_eq!(t.execenv(run).ok().stdout, format!("{web} {web} {api}\n"));
    let again = t.execenv(["reuse", KEY, "-o", "json", "--port", "db"]).json();
    assert_eq!((&again["ports"]["web"], &again["ports"]["api-2"]), (&web, &api), "{again}");
    assert!(!again["ports"]["db"].is_null());
    let shell = t.execenv(["reuse", KEY, "-o", "shell"]).ok();
    assert!(shell.stdout.contains(&format!("export EXECENV_PORT='{web}'")), "{shell}");
    let shown = t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!(shown["ports"]["web"], web, "as `prepare` prints them");
    // A clean-up gives them back.
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(t.execenv(["show", KEY, "-o", "json"]).json()["ports"], json!({}));
}

#[test]
fn twenty_at_once_never_get_the_same_port() {
    let t = TestEnv::new();
    let children: Vec<_> = (0..20)
        .map(|number| {
            let id = format!("task-{number}");
            t.execenv(["prepare", "-o", "json", "--task-id", &id, "--port", "a", "--port", "b"])
                .var("EXECENV_PORTS_RANGE", "31000-31060")
                .start()
        })
        .collect();
    let mut all = BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        for port in ports(&answer) {
            assert!(all.insert(port), "{port} twice");
        }
    }
    assert_eq!(all.len(), 40);
}

#[test]
fn a_port_that_is_in_use_or_given_is_passed_over_and_none_left_is_status_5() {
    let t = TestEnv::new();
    // Below the ports that the kernel gives to whoever asks for any, and above those of other tests.
    let (port, busy) =
        (30_000..31_000).find_map(|port| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?))).unwrap();
    let range = format!("{port}-{port}");
    let words = ["prepare", "--task-id", TASK, "--port", "web"];
    t.execenv(words)
        .var("EXECENV_PORTS_RANGE", &range)
        .fails(5, &["no port is left for `web`", "port_range"]);
    assert!(!env_root(&t).exists());
    let_go(busy);
    t.execenv(words).var("EXECENV_PORTS_RANGE", &range).ok();
    let other = ["prepare", "--task-id", "other", "--port", "web"];
    t.execenv(other).var("EXECENV_PORTS_RANGE", &range).fails(5, &["no port is left"]);
    // What lies in the trash may come back.
    t.execenv(["cleanup", "--all", "--trash", KEY]).run().status(0);
    t.execenv(other).var("EXECENV_PORTS_RANGE", &range).fails(5, &["no port is left"]);
    t.execenv(["trash", "empty", "--yes"]).ok();
    t.execenv(other).var("EXECENV_PORTS_RANGE", &range).ok();
    t.execenv(["cleanup", "other"]).ok();
    t.execenv(words).var("EXECENV_PORTS_RANGE", &range).ok();
}

#[test]
fn a_run_is_refused_while_another_program_listens_on_its_port() {
    for address in ["127.0.0.1", "0.0.0.0"] {
        let t = TestEnv::new();
        let answer = prepare(&t, &["--port", "web"]);
        let port = ports(&answer)[0];
        let taken = TcpListener::bind((address, port)).unwrap();
        let own = format!("process {} (", std::process::id());
        let words = ["run", KEY, "--", "touch", "started"];
        t.execenv(words).fails(5, &[&own, &format!("listens on port {port}"), "`web`"]);
        let json = t.execenv(["run", KEY, "-o", "json", "--", "true"]).run().status(5);
        assert!(json.stderr.contains(r#""code":"port_taken""#), "{json}");
        let_go(taken);
        t.execenv(words).ok();
    }
}

#[test]
fn what_the_setup_has_left_listening_is_the_environment_s_own() {
    let t = TestEnv::new();
    // A service that another program holds, as dockerd does: here it is this test.
    let answer = prepare(&t, &["--port", "web"]);
    let port = ports(&answer)[0];
    let service = TcpListener::bind(("127.0.0.1", port)).unwrap();
    t.execenv(["reuse", KEY, "--setup", "true"]).ok();
    t.execenv(["run", KEY, "--", "true"]).ok();
    drop(service);
    t.execenv(["run", KEY, "--", "true"]).ok();
}

#[test]
fn a_wrong_name_a_wrong_range_and_a_forged_record_are_refused_or_left_out() {
    let t = TestEnv::new();
    t.execenv(["prepare", "--port", "a b"]).fails(2, &["no name of a port"]);
    for range in ["80-90", "x", "3000-2000"] {
        t.execenv(["list"]).var("EXECENV_PORTS_RANGE", range).fails(2, &["no range of ports"]);
    }
    prepare(&t, &["--port", "web"]);
    forge(&t, |own| own["ports"] = json!([{"name": "x\nPATH", "port": 1}, {"name": "web", "port": 0}]));
    let run = t.execenv(["run", KEY, "--", "env"]).ok();
    assert!(!run.stdout.contains("EXECENV_PORT"), "{run}");
    t.execenv(["cleanup", KEY]).ok();
}

/// An agent can write to its record. Of one that names more ports than an environment may have, the first ones count: it does not take all.
#[test]
fn a_record_with_very_many_ports_does_not_take_them_all() {
    let t = TestEnv::new();
    let most = 32;
    let claimed = 21_000..21_000 + most + 8;
    let range = format!("{}-{}", claimed.start, claimed.end - 1);
    prepare(&t, &["--port", "web"]);
    forge(&t, |own| {
        own["ports"] =
            claimed.clone().map(|port| json!({"name": format!("p{port}"), "port": port})).collect();
    });
    let words = ["prepare", "--task-id", "other", "--port", "web", "-o", "json"];
    let given = t.execenv(words).var("EXECENV_PORTS_RANGE", &range).json()["ports"]["web"].as_u64().unwrap();
    assert!((claimed.start + most..claimed.end).contains(&given), "{given} of {range}");
    let variables = t.execenv(["run", KEY, "--", "env"]).run().stdout;
    let exported = variables.lines().filter(|line| line.starts_with("EXECENV_PORT_")).count() as u64;
    assert_eq!(exported, most, "{variables}");
}

#[test]
fn ports_are_in_the_record_before_the_environment_has_its_name() {
    let t = TestEnv::new();
    prepare(&t, &["--port", "web"]);
    let text = fs::read_to_string(env_root(&t).join(".gc_meta.json")).unwrap();
    let meta: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(meta["execenv"]["ports"][0]["name"], "web");
}
