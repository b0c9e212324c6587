//! A server on loopback that says what a test wants, in the way that a test wants: slow, cut, endless, no HTTP at all.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came over: 0, 1, 2 …
    pub connection: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is sent back.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    way: Way,
}

/// How it is sent.
#[derive(Clone, Debug)]
enum Way {
    Whole,
    /// Promises the whole body, sends so many bytes and closes.
    Cut(usize),
    /// Promises so many bytes, sends the body, and leaves the connection open.
    Promise(usize),
    /// No length at all: the body ends with the connection.
    UntilClose,
    Chunked,
    /// `x` without an end.
    Endless,
    /// Nothing, and the connection stays open.
    Never,
    /// Nothing, and the connection ends.
    Close,
    /// These bytes in place of any HTTP; then the connection ends, or goes on.
    Raw(Vec<u8>, bool),
}

impl Reply {
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into(), delay: Duration::ZERO, way: Way::Whole }
    }

    pub fn json(status: u16, body: &Value) -> Reply {
        Reply::text(status, body.to_string()).header("Content-Type", "application/json")
    }

    /// A handler's error, as upstream writes it.
    pub fn error(status: u16, message: &str) -> Reply {
        Reply::json(status, &json!({ "error": message }))
    }

    /// What upstream's router says of a route that it does not have.
    pub fn no_route() -> Reply {
        Reply::text(404, "404 page not found\n").header("Content-Type", "text/plain; charset=utf-8")
    }

    pub fn redirect(status: u16, location: impl Into<String>) -> Reply {
        Reply::text(status, "").header("Location", location)
    }

    pub fn never() -> Reply {
        Reply { way: Way::Never, ..Reply::text(0, "") }
    }

    pub fn close() -> Reply {
        Reply { way: Way::Close, ..Reply::text(0, "") }
    }

    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply { way: Way::Raw(bytes.into(), false), ..Reply::text(0, "") }
    }

    /// Raw bytes after which the connection goes on.
    pub fn raw_and_on(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply { way: Way::Raw(bytes.into(), true), ..Reply::text(0, "") }
    }

    pub fn endless(status: u16) -> Reply {
        Reply { way: Way::Endless, ..Reply::text(status, "") }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn after(self, delay: Duration) -> Reply {
        Reply { delay, ..self }
    }

    pub fn cut_at(self, bytes: usize) -> Reply {
        Reply { way: Way::Cut(bytes), ..self }
    }

    pub fn promising(self, bytes: usize) -> Reply {
        Reply { way: Way::Promise(bytes), ..self }
    }

    pub fn until_close(self) -> Reply {
        Reply { way: Way::UntilClose, ..self }
    }

    pub fn chunked(self) -> Reply {
        Reply { way: Way::Chunked, ..self }
    }

    /// Sends it; whether the connection can be used again.
    fn send(&self, stream: &mut TcpStream, seen: &Seen) -> std::io::Result<bool> {
        let Reply { status, headers, body, .. } = self;
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = |bytes: usize| format!("Content-Length: {bytes}\r\n\r\n").into_bytes();
        let mut send = |parts: &[&[u8]]| stream.write_all(&parts.concat());
        let head = head.as_bytes();
        match &self.way {
            Way::Whole => send(&[head, &length(body.len()), body]).map(|()| true),
            Way::Cut(bytes) => send(&[head, &length(body.len()), &body[..*bytes]]).map(|()| false),
            Way::Promise(bytes) => send(&[head, &length(*bytes), body]).map(|()| true),
            Way::UntilClose => send(&[head, b"Connection: close\r\n\r\n", body]).map(|()| false),
            Way::Chunked => {
                let size = format!("{:x}\r\n", body.len());
                let chunk =
                    if body.is_empty() { Vec::new() } else { [size.as_bytes(), body, b"\r\n"].concat() };
                send(&[head, b"Transfer-Encoding: chunked\r\n\r\n", &chunk, b"0\r\n\r\n"]).map(|()| true)
            }
            Way::Endless => {
                send(&[head, b"\r\n"])?;
                loop {
                    send(&[&[b'x'; 1 << 16]])?;
                    seen.endless_bytes.fetch_add(1 << 16, Ordering::Relaxed);
                }
            }
            Way::Never => stream.read(&mut [0]).map(|_| false), // until the other side has had enough
            Way::Close => Ok(false),
            Way::Raw(bytes, goes_on) => send(&[bytes]).map(|()| *goes_on),
        }
    }
}

/// The routes as upstream has them, over a table of `(id, status, time)`; `time` is `updated_at` or `completed_at`.
#[derive(Clone, Debug, Default)]
pub struct Table(pub BTreeMap<String, (String, String)>);

impl Table {
    pub fn with(mut self, id: &str, status: &str, time: &str) -> Table {
        self.0.insert(id.into(), (status.into(), time.into()));
        self
    }

    /// The batch route's answer; `None` if the request is none of it.
    pub fn batch(&self, request: &Request) -> Option<Reply> {
        let is_batch = request.method == "POST" && request.path.ends_with("/issues/gc-check");
        if !is_batch {
            return None;
        }
        let body = request.json();
        let ids = body["issue_ids"].as_array().unwrap();
        if ids.len() > 500 || request.body.len() > 64 << 10 {
            return Some(Reply::error(400, "too many issue_ids"));
        }
        let entry = |id: &Value| match self.0.get(id.as_str().unwrap()) {
            Some((status, time)) => json!({"id": id, "found": true, "status": status, "updated_at": time}),
            None => json!({"id": id, "found": false}),
        };
        Some(Reply::json(200, &json!({"issues": ids.iter().map(entry).collect::<Vec<_>>()})))
    }

    /// A single route's answer; `None` if the request is none of one.
    pub fn single(&self, request: &Request) -> Option<Reply> {
        let rest = request.path.strip_prefix("/api/daemon/")?.strip_suffix("/gc-check")?;
        let (collection, id) = rest.split_once('/')?;
        let (time_key, missing) = match collection {
            "issues" => ("updated_at", "issue not found"),
            "chat-sessions" => ("updated_at", "chat session not found"),
            "autopilot-runs" => ("completed_at", "autopilot run not found"),
            "tasks" => ("completed_at", "task not found"),
            _ => return None,
        };
        Some(match self.0.get(id).filter(|_| request.method == "GET") {
            Some((status, time)) => Reply::json(200, &json!({"status": status, time_key: time})),
            None => Reply::error(404, missing),
        })
    }

    /// A server of today: both.
    pub fn answer(&self, request: &Request) -> Reply {
        self.batch(request).or_else(|| self.single(request)).unwrap_or_else(Reply::no_route)
    }

    /// A server from before the batch route.
    pub fn answer_old(&self, request: &Request) -> Reply {
        self.single(request).unwrap_or_else(Reply::no_route)
    }
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    endless_bytes: AtomicU64,
    is_over: AtomicBool,
}

/// A running server; gone with the value.
pub struct Server {
    port: u16,
    seen: Arc<Seen>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let (answer, shared) = (Arc::new(answer), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
                shared.most_open.fetch_max(open, Ordering::SeqCst);
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let _ = serve(stream, number, &*answer, &seen); // the client left
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { port, seen }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// `METHOD PATH` of all requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// How many connections have been made so far.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many were open at once, at most.
    pub fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }

    /// How much of endless answers could be sent.
    pub fn endless_bytes(&self) -> u64 {
        self.seen.endless_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes the listener
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    answer: &dyn Fn(&Request) -> Reply,
    seen: &Seen,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader, connection)? {
        let reply = answer(&request);
        seen.requests.lock().unwrap().push(request);
        std::thread::sleep(reply.delay);
        if !reply.send(&mut stream, seen)? {
            return Ok(());
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead, connection: usize) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, bytes)| bytes.parse().unwrap())];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, headers, body, connection }))
}
