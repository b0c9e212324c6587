//! Whether the ports of an environment are still its own.

use std::path::Path;

use anyhow::Result;

use crate::environment::record::PortRecord;
use crate::failure::{Code, Failure};
use crate::sys::ports;

/// Refuses to start an agent while another program listens on a port of its environment. What the environment's own setup has
/// started may listen.
///
/// # Errors
/// A [`Code::PortTaken`] failure that names the port and, as far as the system tells, the process.
pub(crate) fn refuse_taken(env_root: &Path, records: &[PortRecord]) -> Result<()> {
    let Some(taken) = records.iter().find(|record| !record.is_set_up && !ports::is_free(record.port)) else {
        return Ok(());
    };
    let by = match ports::listener(taken.port) {
        Some((pid, program)) => format!("process {pid} ({})", program.escape_debug()),
        None => "another program".to_owned(),
    };
    let message = format!(
        "{by} listens on port {}, which {} has for `{}`",
        taken.port,
        env_root.display(),
        taken.name.escape_debug()
    );
    Err(Failure::new(Code::PortTaken, message)
        .hint("end that program; or prepare the environment again: it gets other ports then")
        .into())
}

/// Notes which ports the setup commands have left in use: that is what they are for.
pub(in crate::environment) fn note_those_of_setup(records: &mut [PortRecord]) {
    for record in records {
        record.is_set_up = !ports::is_free(record.port);
    }
}
