use crate::support::TestEnv;

fn root_and_origin(t: &TestEnv, run: crate::support::Run<'_>) -> (String, String) {
    let settings = run.json()["settings"]["workspaces_root"].clone();
    let text = |key: &str| t.masked(settings[key].as_str().unwrap().as_bytes());
    (text("value"), text("origin"))
}

#[test]
fn flag_beats_variable_beats_file_beats_default_and_the_origin_is_named() {
    let t = TestEnv::new();
    t.write("home/.config/execenv/config.json", r#"{"workspaces_root":"/from/file","lease":"2h"}"#);
    let config = || t.execenv(["config", "-o", "json"]);
    let both = config().var("MULTICA_WORKSPACES_ROOT", "/from/upstream");
    assert_eq!(root_and_origin(&t, both), ("[ROOT]".into(), "variable EXECENV_WORKSPACES_ROOT".into()));
    let upstream =
        config().without("EXECENV_WORKSPACES_ROOT").var("MULTICA_WORKSPACES_ROOT", "/from/upstream");
    assert_eq!(
        root_and_origin(&t, upstream),
        ("/from/upstream".into(), "variable MULTICA_WORKSPACES_ROOT".into())
    );
    let (value, origin) = root_and_origin(&t, config().without("EXECENV_WORKSPACES_ROOT"));
    assert_eq!((value.as_str(), origin.as_str()), ("/from/file", "file [HOME]/.config/execenv/config.json"));
    let flag = t.execenv(["config", "-o", "json", "--workspaces-root", "rel/../other"]);
    assert_eq!(root_and_origin(&t, flag), ("[TMP]/other".into(), "command line".into()));
    std::fs::remove_dir_all(t.home.join(".config")).unwrap();
    let default = root_and_origin(&t, config().without("EXECENV_WORKSPACES_ROOT"));
    assert_eq!(default, ("[HOME]/.local/share/execenv/workspaces".into(), "default".into()));
}

#[test]
fn a_configuration_that_makes_no_sense_is_status_2_and_named() {
    let t = TestEnv::new();
    for (text, part) in [
        ("{", "line 1"),
        (r#"{"nope":"1"}"#, "`nope`"),
        (r#"{"lease":[]}"#, "`lease`"),
        (r#"{"lease":"soon"}"#, "`soon`"),
        ("[]", "c.json"),
    ] {
        t.write("c.json", text);
        t.execenv(["config", "--config", "c.json"]).fails(2, &["c.json", part]);
    }
    t.execenv(["config"]).var("EXECENV_LEASE", "x").fails(2, &["EXECENV_LEASE"]);
    t.execenv(["config", "--config", "missing.json"]).fails(2, &["missing.json"]);
}
