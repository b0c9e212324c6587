//! `--watch`: the same answer again and again.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::failure::{Code, Failure};
use crate::invocation::{Context, show_duration};
use crate::output::{Format, Redrawn, end_live_line};

/// Draws what `look` says of each moment, until a signal ends the process. Nothing of the terminal has to be put back then.
///
/// # Errors
/// 2 where standard output is no terminal; those of `look`; when standard output cannot be written to.
pub(in crate::commands) fn watch(
    command: &str,
    pause: Duration,
    context: &Context,
    mut look: impl FnMut(DateTime<Utc>) -> Result<String>,
) -> Result<std::convert::Infallible> {
    if context.settings.output != Format::Text || !Redrawn::is_possible() {
        let failure = Failure::new(Code::Usage, "`--watch` draws on a terminal, in text only");
        return Err(failure
            .hint(format!("a program calls `execenv {command} -o json` again and again"))
            .into());
    }
    end_live_line();
    let mut drawn = Redrawn::default();
    loop {
        let now = context.time();
        let text = look(now)?;
        let at = now.with_timezone(&chrono::Local).to_rfc3339_opts(SecondsFormat::Secs, false);
        let time = at.get(11..19).unwrap_or_default();
        let every = chrono::Duration::from_std(pause).map(show_duration).unwrap_or_default();
        drawn
            .draw(&format!("execenv {command} at {time}, every {every}; Ctrl-C ends it\n\n{text}"))
            .context("draw on standard output")?;
        std::thread::sleep(pause);
    }
}
