//! Which server gc asks, and with whose token: flags, variables, execenv's configuration, upstream's login.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use execenv::internals::server::{Connection, Token};
use execenv::internals::{Code, Failure};
use execenv::internals::{GlobalArgs, ServerArgs, Settings, connection};

/// A home with execenv's configuration in it, and variables.
struct World {
    home: tempfile::TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl World {
    fn new() -> World {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("execenv.json"), "{}").unwrap();
        let variables = vec![("HOME".into(), home.path().into())];
        World { home, variables }
    }

    fn variable(mut self, name: &str, value: &str) -> World {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn file(self, path: &str, text: &str) -> World {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn connect(&self, args: &ServerArgs) -> Result<Option<Connection>> {
        let global = GlobalArgs { config: Some(self.path("execenv.json")), ..GlobalArgs::default() };
        connection(args, &Settings::resolve(&global, self.variables.clone())?)
    }

    /// Address and whether the token is this one; both empty without a server.
    #[track_caller]
    fn reaches(&self, args: &ServerArgs, url: &str, token: Option<&str>) {
        let connection = self.connect(args).unwrap().unwrap();
        assert_eq!(connection.base_url, url);
        assert_eq!(connection.token, token.map(|token| Token::new(token).unwrap()), "expected {token:?}");
    }

    #[track_caller]
    fn refuses(&self, args: &ServerArgs, code: Code, parts: &[&str]) {
        let error = self.connect(args).unwrap_err();
        let failure = Failure::find(&error).unwrap();
        assert_eq!((failure.code, failure.hint.is_some()), (code, true), "{error:?}");
        assert_eq!(code.status(), 2);
        let text = format!("{error:?} {:?}", failure.hint);
        assert!(!text.contains("hunter2") && parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

fn none() -> ServerArgs {
    ServerArgs::default()
}

fn server(url: &str) -> ServerArgs {
    ServerArgs { server: Some(url.into()), ..none() }
}

const LOGIN: &str = r#"{"server_url":"wss://cloud.example/ws","workspace_id":"W","token":"mul_login"}"#;

#[test]
fn a_login_alone_switches_no_server_on() {
    let world = World::new().file(".multica/config.json", LOGIN).variable("MULTICA_TOKEN", "mul_variable");
    assert!(world.connect(&none()).unwrap().is_none());
    assert!(world.connect(&server("none")).unwrap().is_none());
    let world = world.variable("MULTICA_SERVER_URL", "http://h");
    assert!(world.connect(&server("none")).unwrap().is_none(), "a flag goes before a variable");
}

#[test]
fn flag_variable_and_configuration_name_the_server_in_this_order() {
    let world = World::new().file("execenv.json", r#"{"server":"http://file","server_timeout":"5s"}"#);
    world.reaches(&none(), "http://file", None);
    assert_eq!(world.connect(&none()).unwrap().unwrap().timeout, Duration::from_secs(5));
    let world = world.variable("MULTICA_SERVER_URL", "ws://upstream:8080/ws");
    world.reaches(&none(), "http://upstream:8080", None);
    let world = world.variable("EXECENV_SERVER", "http://ours");
    world.reaches(&none(), "http://ours", None);
    world.reaches(&server("https://flag/"), "https://flag", None);
    assert_eq!(World::new().connect(&server("http://h")).unwrap().unwrap().timeout, Duration::from_secs(30));
}

#[test]
fn the_token_comes_from_the_nearest_place() {
    let world = World::new().file(".multica/config.json", LOGIN);
    let here = server("https://cloud.example");
    world.reaches(&here, "https://cloud.example", Some("mul_login"));
    // A login's token goes to no other server.
    world.reaches(&server("https://other.example"), "https://other.example", None);
    world.reaches(&server("http://cloud.example"), "http://cloud.example", None);
    let world = world.variable("MULTICA_TOKEN", "mul_upstream");
    world.reaches(&here, "https://cloud.example", Some("mul_upstream"));
    let world = world.variable("EXECENV_TOKEN", "mul_ours").variable("MINE", "mul_mine");
    world.reaches(&here, "https://cloud.example", Some("mul_ours"));
    let by_name = ServerArgs { token_env: Some("MINE".into()), ..here.clone() };
    world.reaches(&by_name, "https://cloud.example", Some("mul_mine"));
    let world = world.file("token", " mul_file\n");
    let by_file = ServerArgs { token_file: Some(world.path("token")), ..here };
    world.reaches(&by_file, "https://cloud.example", Some("mul_file"));
}

#[test]
fn the_word_multica_or_a_profile_takes_address_and_token_from_the_login() {
    let world = World::new()
        .file(".multica/config.json", LOGIN)
        .file(".multica/profiles/work/config.json", r#"{"server_url":"http://work:1","token":"mul_work"}"#)
        .variable("MULTICA_SERVER_URL", "http://variable")
        .variable("MULTICA_TOKEN", "mul_variable");
    world.reaches(&server("multica"), "https://cloud.example", Some("mul_login"));
    let work = ServerArgs { profile: Some("work".into()), ..none() };
    world.reaches(&work, "http://work:1", Some("mul_work"));
    let world =
        World::new().file(".multica/config.json", LOGIN).file("execenv.json", r#"{"server":"multica"}"#);
    world.reaches(&none(), "https://cloud.example", Some("mul_login"));
}

#[test]
fn what_makes_no_sense_is_said_before_anything_is_touched() {
    let world = World::new()
        .file(".multica/config.json", r#"{"server_url":"http://h","token":""}"#)
        .file(".multica/profiles/broken/config.json", r#"{"token":["hunter2"]}"#)
        .file(".multica/profiles/empty/config.json", "{}")
        .file("empty", "\n")
        .file("two", "mul_hunter2\nhunter2\n")
        .variable("EMPTY", "")
        .variable("BLANK", "hunter2 hunter2");
    let profile = |name: &str| ServerArgs { profile: Some(name.into()), ..none() };
    let file = |name: &str| ServerArgs { token_file: Some(world.path(name)), ..server("http://h") };
    let variable = |name: &str| ServerArgs { token_env: Some(name.into()), ..server("http://h") };
    let bad = Code::BadConfig;
    world.refuses(&server("ftp://h"), bad, &["ftp://h", "scheme"]);
    world.refuses(&server("localhost:8080"), bad, &["localhost:8080"]);
    world.refuses(&server("multica"), bad, &["config.json", "`token`", "multica login"]);
    world.refuses(&profile("absent"), bad, &["profiles/absent/config.json"]);
    world.refuses(&profile("broken"), bad, &["profiles/broken/config.json", "line 1"]);
    world.refuses(&profile("empty"), bad, &["`server_url`"]);
    for name in ["../work", ".", "a/b"] {
        world.refuses(&profile(name), Code::Usage, &["--profile"]);
    }
    world.refuses(&file("absent"), Code::Usage, &["absent"]);
    world.refuses(&file("empty"), Code::Usage, &["it is empty"]);
    world.refuses(&file("two"), Code::Usage, &["more than one line"]);
    world.refuses(&file(".multica"), Code::Usage, &[".multica"]);
    world.refuses(&variable("EMPTY"), Code::Usage, &["EMPTY"]);
    world.refuses(&variable("BLANK"), Code::Usage, &["BLANK"]);
    let without_server = ServerArgs { token_env: Some("BLANK".into()), ..none() };
    world.refuses(&without_server, Code::Usage, &["BLANK"]);
    let world = world.variable("FINE", "mul_x");
    let without_server = ServerArgs { token_env: Some("FINE".into()), ..none() };
    world.refuses(&without_server, Code::Usage, &["--token-env", "--server URL"]);
    let world = world.variable("HTTPS_PROXY", "nonsense://hunter2");
    world.refuses(&server("https://h"), bad, &["HTTPS_PROXY"]);
    let world = World::new().variable("EXECENV_SERVER_TIMEOUT", "0");
    world.refuses(&server("http://h"), bad, &["EXECENV_SERVER_TIMEOUT", "longer than 0"]);
}
