//! The client of the gc-check API against a server on loopback that behaves in every way a server can.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use execenv::internals::server::{Connection, Lookup, Parent, ParentKind, Question, Roots, Token};
use serde_json::json;
use uuid::Uuid;

use crate::support::server::{Reply, Request, Server, Table};

const KINDS: [ParentKind; 4] =
    [ParentKind::Issue, ParentKind::Chat, ParentKind::AutopilotRun, ParentKind::QuickCreate];
const SECRET: &str = "mul_0123456789secret";
const AT: &str = "2026-05-01T10:00:00Z";
static NO_STOP: AtomicBool = AtomicBool::new(false);

fn question(kind: ParentKind, id: u128) -> Question {
    Question { kind, id: Uuid::from_u128(id), workspace: workspace(1) }
}

fn workspace(number: u128) -> Uuid {
    Uuid::from_u128(0xa000 + number)
}

fn batch_path(number: u128) -> String {
    format!("/api/daemon/workspaces/{}/issues/gc-check", workspace(number))
}

fn connection(url: &str) -> Connection {
    Connection {
        base_url: url.into(),
        token: Some(Token::new(SECRET).unwrap()),
        timeout: Duration::from_secs(20),
        proxy: None,
        roots: Roots::none(),
    }
}

fn lookup(server: &Server) -> Lookup {
    Lookup::new(connection(&server.url()), 4)
}

fn ask_one(server: &Server, kind: ParentKind) -> Parent {
    let mut lookup = lookup(server);
    let question = question(kind, 1);
    lookup.ask(std::slice::from_ref(&question), &NO_STOP);
    lookup.answer(&question).clone()
}

fn found(status: &str) -> Parent {
    Parent::Found { status: status.into(), at: Some(AT.parse().unwrap()) }
}

/// The reason of an unknown parent, which may have nothing in it that could hurt.
#[track_caller]
fn why(parent: &Parent) -> String {
    let Parent::Unknown { why } = parent else { panic!("{parent:?}") };
    assert!(!why.contains(SECRET) && !why.contains(|c: char| c.is_control()), "{why:?}");
    assert!(!why.is_empty() && why.chars().count() < 300, "{why}");
    why.clone()
}

#[test]
fn each_kind_has_its_route_and_its_time() {
    let id = Uuid::from_u128(0xABCD).to_string();
    let table = Table::default().with(&id, "done", AT);
    let server = Server::start(move |request| table.answer(request));
    let mut lookup = lookup(&server);
    let questions = KINDS.map(|kind| question(kind, 0xABCD));
    lookup.ask(&questions, &NO_STOP);
    for question in &questions {
        assert_eq!(*lookup.answer(question), found("done"), "{question:?}");
    }
    let mut lines = server.lines();
    lines.sort();
    let want = [
        format!("GET /api/daemon/autopilot-runs/{id}/gc-check"),
        format!("GET /api/daemon/chat-sessions/{id}/gc-check"),
        format!("GET /api/daemon/tasks/{id}/gc-check"),
        format!("POST {}", batch_path(1)),
    ];
    assert_eq!((lines, lookup.requests()), (want.to_vec(), 4));
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer mul_0123456789secret"));
        assert_eq!(request.header("x-client-platform"), Some("daemon"));
        assert_eq!(request.header("x-client-os"), Some(std::env::consts::OS));
        assert_eq!(request.header("x-client-version"), None);
        assert!(request.headers.iter().all(|(_, value)| !value.is_empty()), "{request:?}");
        let is_post = request.method == "POST";
        assert_eq!(request.header("content-type"), is_post.then_some("application/json"));
        assert!(!is_post || request.json() == json!({"issue_ids": [id]}), "{request:?}");
    }
}

#[test]
fn a_prefix_stays_and_without_a_token_there_is_no_header() {
    let server = Server::start(|_| Reply::error(404, "chat session not found"));
    let url = format!("{}/base", server.url());
    let mut lookup = Lookup::new(Connection { token: None, ..connection(&url) }, 1);
    lookup.ask(&[question(ParentKind::Chat, 1)], &NO_STOP);
    let request = &server.requests()[0];
    assert!(
        request.path.starts_with("/base/api/daemon/chat-sessions/")
            && request.header("authorization").is_none()
    );
}

#[test]
fn every_row_of_the_table_of_answers() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let senseless = [
        Reply::text(200, ""),
        Reply::text(204, ""),
        Reply::text(200, "<html><body>welcome to the airport</body></html>"),
        Reply::text(200, "null"),
        Reply::text(200, "{}"),
        Reply::text(200, r#"{"status":["done"]}"#),
        Reply::text(200, r#"{"issues":"none"}"#),
        Reply::text(200, r#"{"status":"done","updated_at":"soon","completed_at":"soon"}"#),
        Reply::text(200, format!(r#"{{"status":{deep}}}"#)),
        Reply::text(304, ""),
        Reply::text(302, "no location"),
    ];
    let errors = [400, 403, 408, 410, 429, 500, 502, 503, 504].map(|status| Reply::error(status, "no"));
    for reply in senseless.into_iter().chain(errors) {
        for kind in KINDS {
            let shown = format!("{kind:?} {reply:?}");
            let copy = reply.clone();
            let server = Server::start(move |_| copy.clone());
            let parent = ask_one(&server, kind);
            assert!(matches!(parent, Parent::Unknown { .. }), "{parent:?} for {:.200}", shown);
            why(&parent);
            assert_eq!(server.requests().len(), 1, "no retry: {:.200}", shown);
        }
    }
}

#[test]
fn only_a_chats_own_404_is_certain() {
    let rows = [
        (Reply::text(404, ""), true),
        (Reply::text(404, "").chunked(), true),
        (Reply::error(404, "chat session not found"), true),
        (Reply::text(404, "").until_close(), false),
        (Reply::error(404, "not found"), false),
        (Reply::no_route(), false),
        (Reply::text(404, "<html>nginx</html>"), false),
    ];
    for (reply, certain) in rows {
        for kind in [ParentKind::Chat, ParentKind::AutopilotRun, ParentKind::QuickCreate] {
            let copy = reply.clone();
            let server = Server::start(move |_| copy.clone());
            let want = Parent::Gone { certain: certain && kind == ParentKind::Chat };
            assert_eq!(ask_one(&server, kind), want, "{kind:?} {reply:?}");
        }
    }
}

#[test]
fn a_broken_connection_is_no_answer_and_ends_the_cycle() {
    let json = || Reply::json(200, &json!({"status": "done", "updated_at": AT}));
    let gone = || Reply::error(404, "chat session not found");
    let rows = [
        Reply::close(),
        Reply::never(),
        json().after(Duration::from_secs(5)),
        json().cut_at(10),
        gone().cut_at(0),
        gone().cut_at(30),
        gone().promising(10_000),
        Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"),
        Reply::raw([0_u8, 255, 13, 10, 13, 10]),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Reply::raw(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1 << 20))),
    ];
    for reply in rows {
        let copy = reply.clone();
        let server = Server::start(move |_| copy.clone());
        let timeout = Duration::from_millis(300);
        let mut lookup = Lookup::new(Connection { timeout, ..connection(&server.url()) }, 4);
        let questions: Vec<_> = (0..200).map(|id| question(ParentKind::Chat, id)).collect();
        let start = Instant::now();
        lookup.ask(&questions, &NO_STOP);
        // Each connection may have one in flight when the first one fails.
        assert!(lookup.requests() <= 8, "{} for {reply:?}", lookup.requests());
        assert!(start.elapsed() < Duration::from_secs(4), "{:?} for {reply:?}", start.elapsed());
        for question in &questions {
            why(lookup.answer(question));
        }
        assert!(
            lookup.ended().is_some() && why(lookup.answer(&questions[199])).starts_with("not asked"),
            "{reply:?}"
        );
        let before = lookup.requests();
        lookup.ask(&[question(ParentKind::QuickCreate, 1)], &NO_STOP);
        assert_eq!(lookup.requests(), before, "nothing more goes out in this cycle");
    }
}

#[test]
fn nobody_listens_and_no_such_host() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}"), "http://nothing.invalid".into()] {
        let mut lookup = Lookup::new(connection(&url), 2);
        lookup.ask(&KINDS.map(|kind| question(kind, 1)), &NO_STOP);
        for kind in KINDS {
            let why = why(lookup.answer(&question(kind, 1)));
            assert!(why.contains(&url), "{why}");
        }
        assert_eq!(lookup.requests(), 1, "the first failure, of the issues, ends it");
    }
}

#[test]
fn https_to_a_server_without_tls_is_no_answer() {
    let server = Server::start(|_| Reply::text(200, "{}"));
    let mut lookup = Lookup::new(connection(&format!("https://127.0.0.1:{}", server.port())), 2);
    lookup.ask(&[question(ParentKind::Chat, 1)], &NO_STOP);
    why(lookup.answer(&question(ParentKind::Chat, 1)));
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_401_ends_the_cycle_and_shows_no_token_even_if_the_server_sends_it_back() {
    let server = Server::start(|request| {
        Reply::error(401, &format!("invalid token \u{1b}[31m {}", request.header("authorization").unwrap()))
    });
    let mut lookup = lookup(&server);
    let questions: Vec<_> = (0..100).map(|id| question(ParentKind::QuickCreate, id)).collect();
    lookup.ask(&questions, &NO_STOP);
    let text = why(lookup.answer(&questions[0]));
    assert!(text.contains("401") && text.contains("<token>"), "{text}");
    questions.iter().for_each(|question| drop(why(lookup.answer(question))));
    assert!(server.requests().len() <= 8);
}

#[test]
fn an_error_of_the_server_concerns_its_question_only() {
    let table = Table::default().with(&Uuid::from_u128(2).to_string(), "active", AT);
    let server = Server::start(move |request| {
        if request.path.contains(&Uuid::from_u128(1).to_string()) {
            return Reply::text(500, "x".repeat(100_000));
        }
        table.answer(request)
    });
    let mut lookup = Lookup::new(connection(&server.url()), 1);
    let questions = [1, 2, 3].map(|id| question(ParentKind::Chat, id));
    lookup.ask(&questions, &NO_STOP);
    assert!(why(lookup.answer(&questions[0])).starts_with("the server answered 500: xxx"));
    assert_eq!(*lookup.answer(&questions[1]), found("active"));
    assert_eq!(*lookup.answer(&questions[2]), Parent::Gone { certain: true });
    assert_eq!(server.connections(), 1, "kept alive, also after an error");
}

#[test]
fn endless_answers_take_bounded_time_and_memory() {
    for status in [200, 404, 500] {
        let server = Server::start(move |_| Reply::endless(status));
        let start = Instant::now();
        for kind in KINDS {
            assert!(why(&ask_one(&server, kind)).contains("1 MiB"), "{kind:?} {status}");
        }
        // What was sent beyond the limit is in the kernel's buffers.
        assert!(server.endless_bytes() < 4 * (64 << 20), "{}", server.endless_bytes());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    let server = Server::start(|_| Reply::json(200, &json!({"status": "done", "more": "x".repeat(2 << 20)})));
    assert!(why(&ask_one(&server, ParentKind::Chat)).contains("1 MiB"));
}

#[test]
fn neither_token_nor_belief_follows_a_redirect_to_another_address() {
    let other = Server::start(|request| match request.method.as_str() {
        "GET" => Reply::json(200, &json!({"status": "done", "updated_at": "2020-01-01T00:00:00Z"})),
        _ => Reply::text(404, ""),
    });
    // Another port of the same host, and another host.
    for host in ["127.0.0.1", "localhost"] {
        for code in [301, 302, 303, 307, 308] {
            let location = format!("http://{host}:{}/elsewhere", other.port());
            // The old server sends every question on its own.
            let server = Server::start(move |request| match request.method.as_str() {
                "POST" => Reply::no_route(),
                _ => Reply::redirect(code, location.clone()),
            });
            for kind in KINDS {
                let why = why(&ask_one(&server, kind));
                assert!(why.contains("redirects to"), "{kind:?} {code}: {why}");
            }
            let location = format!("http://{host}:{}/elsewhere", other.port());
            let server = Server::start(move |_| Reply::redirect(code, location.clone()));
            assert!(why(&ask_one(&server, ParentKind::Issue)).contains("redirects"), "{code}");
        }
    }
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn a_redirect_on_the_same_host_keeps_the_token() {
    let server = Server::start(|request| match request.path.strip_prefix("/moved") {
        None => Reply::redirect(308, format!("/moved{}", request.path)),
        Some(_) => Reply::error(404, "chat session not found"),
    });
    assert_eq!(ask_one(&server, ParentKind::Chat), Parent::Gone { certain: true });
    let requests = server.requests();
    assert!(requests.len() == 2 && requests.iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn redirects_in_circles_end_after_ten_and_end_the_cycle() {
    let server = Server::start(|request| Reply::redirect(302, request.path.clone()));
    let mut lookup = Lookup::new(connection(&server.url()), 1);
    lookup.ask(&[ParentKind::Chat, ParentKind::AutopilotRun].map(|kind| question(kind, 1)), &NO_STOP);
    assert!(why(lookup.answer(&question(ParentKind::Chat, 1))).contains("too many redirects"));
    assert_eq!((server.requests().len(), lookup.requests()), (11, 1));
    // What was sent as POST is not sent anywhere else.
    let server = Server::start(|_| Reply::redirect(307, "/elsewhere"));
    assert!(why(&ask_one(&server, ParentKind::Issue)).contains("redirects"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn each_question_goes_out_once_issues_by_workspace_in_chunks_of_500() {
    let table = (0..1300)
        .step_by(2)
        .fold(Table::default(), |table, id| table.with(&Uuid::from_u128(id).to_string(), "done", AT));
    let server = Server::start(move |request| table.answer(request));
    let mut lookup = lookup(&server);
    let mut questions = Vec::new();
    for id in 0..1300_u128 {
        let its = workspace(if id < 1200 { 1 } else { 2 });
        let issue = Question { workspace: its, ..question(ParentKind::Issue, id) };
        questions.extend([issue.clone(), issue]);
        // The workspace is nothing that a chat is asked about by.
        let chat = question(ParentKind::Chat, id % 10);
        questions.push(Question { workspace: workspace(id), ..chat });
    }
    lookup.ask(&questions, &NO_STOP);
    lookup.ask(&questions, &NO_STOP);
    for question in questions.iter().filter(|question| question.kind == ParentKind::Issue) {
        let is_even = question.id.as_u128() % 2 == 0;
        let want = if is_even { found("done") } else { Parent::Gone { certain: false } };
        assert_eq!(*lookup.answer(question), want);
    }
    let requests = server.requests();
    let (posts, gets): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.method == "POST");
    let chats: HashSet<&str> = gets.iter().map(|request| request.path.as_str()).collect();
    assert_eq!((gets.len(), chats.len(), lookup.requests()), (10, 10, 14));
    let ids = |request: &Request| -> Vec<Uuid> {
        serde_json::from_value::<Vec<String>>(request.json()["issue_ids"].clone())
            .unwrap()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect()
    };
    let mut sizes: Vec<_> = posts.iter().map(|request| (request.path.as_str(), ids(request).len())).collect();
    sizes.sort();
    let (first, second) = (batch_path(1), batch_path(2));
    let (first, second) = (first.as_str(), second.as_str());
    assert_eq!(sizes, [(first, 200), (first, 500), (first, 500), (second, 100)]);
    assert!(
        posts.iter().all(|request| ids(request).is_sorted()),
        "in the order in which they were first seen"
    );
}

#[test]
fn an_old_server_is_asked_one_by_one_and_its_batch_route_once() {
    let table = Table::default().with(&Uuid::from_u128(1).to_string(), "done", AT);
    let server = Server::start(move |request| table.answer_old(request));
    let mut lookup = lookup(&server);
    let issue = |id, its| Question { workspace: workspace(its), ..question(ParentKind::Issue, id) };
    let questions: Vec<_> = (0..20).map(|id| issue(id, if id < 10 { 1 } else { 2 })).collect();
    lookup.ask(&questions[..15], &NO_STOP);
    lookup.ask(&questions, &NO_STOP);
    for question in &questions {
        let want = if question.id.as_u128() == 1 { found("done") } else { Parent::Gone { certain: false } };
        assert_eq!(*lookup.answer(question), want);
    }
    let lines = server.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("POST")).count(), 1, "{lines:?}");
    assert_eq!(lines.len(), 21);
}

#[test]
fn a_failed_chunk_is_unknown_without_a_request_for_each() {
    let replies = [
        Reply::error(500, "failed to check issues"),
        Reply::error(404, "not found"),
        Reply::error(400, "invalid issue_id"),
        Reply::text(404, ""),
        Reply::text(404, "<html>404 page not found</html>"),
        Reply::text(200, r#"{"issues":[]}"#),
        Reply::text(200, r#"{"issues":null}"#),
    ];
    for reply in replies {
        let copy = reply.clone();
        let server = Server::start(move |_| copy.clone());
        let mut lookup = lookup(&server);
        let questions: Vec<_> = (0..3).map(|id| question(ParentKind::Issue, id)).collect();
        lookup.ask(&questions, &NO_STOP);
        questions.iter().for_each(|question| drop(why(lookup.answer(question))));
        assert_eq!(server.requests().len(), 1, "{reply:?}");
    }
}

#[test]
fn no_more_connections_than_jobs_and_each_used_again() {
    let server = Server::start(|_| Reply::text(404, "").after(Duration::from_millis(5)));
    let mut lookup = Lookup::new(connection(&server.url()), 7);
    let questions: Vec<_> = (0..300).map(|id| question(ParentKind::Chat, id)).collect();
    lookup.ask(&questions[..150], &NO_STOP);
    lookup.ask(&questions[150..], &NO_STOP);
    assert_eq!((server.requests().len(), lookup.requests()), (300, 300));
    assert!(server.most_open() <= 7 && server.connections() <= 7, "{} connections", server.connections());
    assert!(server.connections() > 1, "nothing was parallel");
}

#[test]
fn once_stopped_nothing_goes_out() {
    let server = Server::start(|_| Reply::text(404, ""));
    let mut lookup = lookup(&server);
    lookup.ask(&KINDS.map(|kind| question(kind, 1)), &AtomicBool::new(true));
    assert_eq!((server.connections(), lookup.requests()), (0, 0));
    why(lookup.answer(&question(ParentKind::Issue, 1)));
}

#[test]
fn a_proxy_stands_between_and_its_failure_is_told() {
    // CONNECT, then the request itself over the same connection.
    let server = Server::start(|request| match request.method.as_str() {
        "CONNECT" => Reply::raw_and_on("HTTP/1.1 200 OK\r\n\r\n"),
        _ => Reply::error(404, "chat session not found"),
    });
    let proxy = format!("http://ada:hunter2@127.0.0.1:{}", server.port());
    let variables = [("HTTP_PROXY".into(), proxy.into())];
    let through = Connection::new("ws://multica.invalid/ws", Token::new(SECRET).ok(), &variables).unwrap();
    let question = question(ParentKind::Chat, 1);
    let mut lookup = Lookup::new(through.clone(), 1);
    lookup.ask(std::slice::from_ref(&question), &NO_STOP);
    assert_eq!(*lookup.answer(&question), Parent::Gone { certain: true }, "{:?}", server.requests());
    let requests = server.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("CONNECT", "multica.invalid:80"));
    assert!(
        requests[0].header("proxy-authorization").is_some() && requests[0].header("authorization").is_none()
    );
    drop(server);
    let refusing = Server::start(|_| Reply::text(407, "who are you?"));
    let variables =
        [("ALL_PROXY".into(), format!("http://ada:hunter2@127.0.0.1:{}", refusing.port()).into())];
    let mut lookup = Lookup::new(Connection::new("http://multica.invalid", None, &variables).unwrap(), 1);
    lookup.ask(std::slice::from_ref(&question), &NO_STOP);
    let why = why(lookup.answer(&question));
    assert!(why.contains("407") && !why.contains("hunter2"), "{why}");
}

#[test]
fn what_a_server_says_unasked_is_no_answer_to_the_next_question() {
    let one = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"status\":\"active\"}";
    let unasked = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(move |_| Reply::raw_and_on(format!("{one}{unasked}")));
    let mut lookup = Lookup::new(connection(&server.url()), 1);
    let questions: Vec<_> = (0..10).map(|id| question(ParentKind::Chat, id)).collect();
    lookup.ask(&questions, &NO_STOP);
    for question in &questions {
        assert!(!matches!(lookup.answer(question), Parent::Gone { .. }), "{question:?}");
    }
}
