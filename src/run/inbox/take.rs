//! The side of the run.

use std::io;
use std::path::Path;

use super::{ANSWER, LONGEST_ORDER, ORDER, Written, place};
use crate::layout::names;
use crate::order;
use crate::supervise::{Order, Orders, Reply};
use crate::sys::tree::Tree;

/// The inbox of a run.
#[derive(Debug)]
pub(in crate::run) struct Inbox {
    env: Tree,
    run_id: String,
    /// The name of the order that was taken last.
    taken: String,
}

impl Inbox {
    /// Empties the inbox of an env root, before any command can know this run.
    ///
    /// # Errors
    /// As the system reports them.
    pub(in crate::run) fn open(env: &Tree, run_id: &str) -> io::Result<Inbox> {
        let inbox = Path::new(names::INBOX);
        if env.kind(inbox)?.is_some() {
            env.remove_all(inbox)?;
        }
        Ok(Inbox { env: env.try_clone()?, run_id: run_id.to_owned(), taken: String::new() })
    }

    /// The orders that are there, the oldest first.
    fn waiting(&self) -> Vec<String> {
        let named = |file: std::ffi::OsString| {
            file.to_str()?.strip_suffix(ORDER)?.strip_suffix('.').map(str::to_owned)
        };
        let names = self.env.names(Path::new(names::INBOX)).unwrap_or_default();
        let mut waiting: Vec<String> = names.into_iter().filter_map(named).collect();
        order::sort(&mut waiting);
        waiting
    }

    /// Takes an order that is there; `None`: it was withdrawn, is another run's, or is none.
    fn take(&self, name: &str) -> Option<Order> {
        let place = place(name, ORDER);
        let read = self.env.read(&place, LONGEST_ORDER);
        if !self.env.take_file(&place).ok()? {
            return None;
        }
        let written: Written = serde_json::from_slice(&read.ok()??).ok()?;
        (written.run_id == self.run_id).then_some(written.order)
    }
}

impl Orders for Inbox {
    fn next(&mut self) -> Option<Order> {
        let (name, order) =
            self.waiting().into_iter().find_map(|name| self.take(&name).map(|order| (name, order)))?;
        self.taken = name;
        Some(order)
    }

    fn reply(&mut self, reply: Reply) {
        let written = serde_json::to_vec(&reply).map_err(io::Error::from).and_then(|bytes| {
            let temporary = format!(".{}", self.taken);
            self.env.replace_unsynced(&place(&self.taken, ANSWER), &bytes, 0o600, &temporary)
        });
        if let Err(error) = written {
            log::debug!("answer the order {}: {error}", self.taken);
        }
    }
}

impl Drop for Inbox {
    /// Takes no more: what waits is withdrawn by its command, which also reads the answers that are there.
    fn drop(&mut self) {
        for name in self.waiting() {
            let _ = self.env.take_file(&place(&name, ORDER)); // it names a run that is over
        }
        let _ = self.env.remove_dir(Path::new(names::INBOX)); // unless an answer is there
    }
}
