//! What a server that takes its time costs a whole cycle: many questions at once against one after the other.

#[path = "../../tests/support/server.rs"]
mod scripted;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use self::scripted::{Server, Table};
use crate::Bench;
use crate::fixtures::{Age, workspaces};
use crate::measure::{Pairs, Row, Trouble, execenv, peak_memory, settle, time};
use crate::rows::find;

/// Environments of a cycle, and how many of them are asked about one after the other, to be multiplied.
const MANY: usize = 10_000;
const FEW: usize = 100;
/// How long the server thinks about each request.
const DELAY: Duration = Duration::from_millis(20);

pub(crate) fn ask(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let server = Server::start(|request| {
        let table = Table::default(); // it knows nobody: a young environment stays
        table.answer(request).after(DELAY)
    });
    for (kind, key, which) in [
        ("chat", "chat_session_id", "a request each, 32 at a time"),
        ("issue", "issue_id", "the batch route, 500 a request"),
    ] {
        let folder = |count: usize| bench.dir.join(format!("asked-{kind}-{count}"));
        for count in [MANY, FEW] {
            workspaces(&folder(count), count, 0, |_| Age::Young)?;
            give_parents(&folder(count), kind, key)?;
        }
        settle()?;
        let gc = |count: usize, jobs: &str| {
            let mut command = execenv(&bench.dir);
            let url = server.url();
            command.args(["gc", "--dry-run", "-q", "--server", &url, "--jobs", jobs, "--workspaces-root"]);
            command.arg(folder(count));
            command
        };
        // One after the other is what the single route costs, whichever route gc takes.
        let single = bench.dir.join(format!("asked-chat-{FEW}"));
        let one_by_one = || {
            let mut command = execenv(&bench.dir);
            let url = server.url();
            command.args(["gc", "--dry-run", "-q", "--server", &url, "--jobs", "1", "--workspaces-root"]);
            time(command.arg(&single)).map(|took| took * u32::try_from(MANY / FEW).unwrap_or(1))
        };
        let pairs = Pairs::measure(3, |_| time(&mut gc(MANY, "32")), |_| one_by_one())?;
        let work = format!("gc --dry-run --server, {MANY} environments of a {kind} each, 20 ms: {which}");
        show(pairs.row("P5", work, "one request after the other (100, times 100)", 0.05));
        let peak = peak_memory(&mut gc(MANY, "32"))?;
        show(Row::limit("P5", format!("memory of it, {kind}"), peak, 50_000_000));
    }
    Ok(())
}

/// A cycle that asks about 1,000 issues and has nothing to remove, against `find` and one request.
pub(crate) fn nothing_to_do(bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    const COUNT: usize = 1_000;
    let server = Server::start(|request| Table::default().answer(request));
    let root = bench.dir.join("nothing-to-do");
    workspaces(&root, COUNT, 0, |_| Age::Young)?;
    give_parents(&root, "issue", "issue_id")?;
    settle()?;
    let one_request = || -> Result<Duration, Trouble> {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
        let id = uuid::Uuid::from_u128(1);
        write!(
            stream,
            "GET /api/daemon/issues/{id}/gc-check HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(begun.elapsed())
    };
    let gc = || {
        let mut command = execenv(&bench.dir);
        command.args(["gc", "-q", "--server", &server.url(), "--workspaces-root"]).arg(&root);
        command
    };
    let pairs = Pairs::measure(51, |_| time(&mut gc()), |_| Ok(time(&mut find(&root))? + one_request()?))?;
    let work = format!("gc --server, {COUNT} environments of an issue each, batch route, nothing to do");
    show(pairs.row("P12", work, "`find -printf '%p %T@\\n'` and one request", 1.5));
    Ok(())
}

/// Gives every environment of a root a parent of its own.
fn give_parents(root: &Path, kind: &str, key: &str) -> Result<(), Trouble> {
    for (number, entry) in fs::read_dir(root.join("default"))?.enumerate() {
        let record = entry?.path().join(".gc_meta.json");
        let parent =
            format!("{{\"kind\":\"{kind}\",\"{key}\":\"{}\"", uuid::Uuid::from_u128(number as u128 + 1));
        let text = fs::read_to_string(&record)?.replace("{\"kind\":\"\"", &parent);
        fs::write(record, text)?;
    }
    Ok(())
}
