//! The side of the command.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use super::{ANSWER, LONGEST_MESSAGE, ORDER, Written, place};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::supervise::{Order, Reply};
use crate::sys::tree::Tree;

/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 64;

/// An order that was put into the inbox of a run.
#[derive(Debug)]
pub struct Letter {
    env: Tree,
    name: String,
}

impl Letter {
    /// Puts an order for the run of this id into the inbox of an env root.
    ///
    /// # Errors
    /// 2 for a message that is too long; as the system reports them.
    pub fn put(env: &Tree, run_id: &str, order: Order, now: DateTime<Utc>) -> Result<Letter> {
        if let Order::Send { text } = &order
            && text.len() > LONGEST_MESSAGE
        {
            let message = format!("the message has {} bytes, more than {LONGEST_MESSAGE}", text.len());
            return Err(Failure::new(Code::Usage, message)
                .hint("put the text into a file of the work dir, and send its path")
                .into());
        }
        let written = serde_json::to_vec(&Written { run_id: run_id.to_owned(), order })?;
        let token = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{:020}-{}", now.timestamp_nanos_opt().unwrap_or_default(), &token[..12]);
        let temporary = format!(".{name}");
        env.ensure_dir(Path::new(names::INBOX), 0o700)
            .and_then(|()| env.replace_unsynced(&place(&name, ORDER), &written, 0o600, &temporary))
            .with_context(|| format!("write into {}", env.path().join(names::INBOX).display()))?;
        let env = env.try_clone().context("duplicate the handle of the env root")?;
        Ok(Letter { env, name })
    }

    /// What became of it, once the run has said so.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn answer(&self) -> io::Result<Option<Reply>> {
        let place = place(&self.name, ANSWER);
        let Some(bytes) = self.env.read(&place, LONGEST_ANSWER)? else { return Ok(None) };
        self.env.remove_file(&place)?;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// Takes it back; `false`: the run has taken it already, and its answer follows.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn withdraw(&self) -> io::Result<bool> {
        self.env.take_file(&place(&self.name, ORDER))
    }
}
