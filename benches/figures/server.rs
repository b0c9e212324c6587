//! What asking a server takes: many questions at once against one after the other.

#[path = "../../tests/support/server.rs"]
mod scripted;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use execenv::server::{Connection, Lookup, ParentKind, Question};

use self::scripted::{Reply, Server};
use crate::Bench;
use crate::measure::{Pairs, Row, Trouble};

/// How many connections gc has unless it is told otherwise.
const JOBS: usize = 32;

/// The client alone, without the look at ten thousand folders, which P4 measures.
pub(crate) fn ask(_bench: &Bench, show: &mut dyn FnMut(Row)) -> Result<(), Trouble> {
    let server = Server::start(|_| Reply::error(404, "not found").after(Duration::from_millis(20)));
    let questions = |count: u128| -> Vec<Question> {
        let question =
            |id| Question { kind: ParentKind::Chat, id: uuid::Uuid::from_u128(id), workspace: "w".into() };
        (0..count).map(question).collect()
    };
    let took = |count, jobs| -> Result<Duration, Trouble> {
        let mut lookup = Lookup::new(Connection::new(&server.url(), None, &[])?, jobs);
        let start = Instant::now();
        lookup.ask(&questions(count), &AtomicBool::new(false));
        match lookup.ended() {
            None => Ok(start.elapsed()),
            Some(why) => Err(why.into()),
        }
    };
    let pairs = Pairs::measure(3, |_| took(10_000, JOBS), |_| Ok(took(100, 1)? * 100))?;
    let work = format!("10,000 chats asked about, 20 ms each, {JOBS} connections");
    show(pairs.row("P5", work, "one after the other, over one connection (100, times 100)", 0.05));
    Ok(())
}
