//! The options of `run` that limit how many runs are on at once.

use std::time::Instant;

use anyhow::Result;
use chrono::Duration;
use clap::Args;

use crate::brief::Role;
use crate::failure::{Code, Failure};
use crate::invocation::{Context, parse_duration, show_duration};
use crate::run::{SlotLimits, Slots};

/// How often it is looked for a free slot: each process at other times than the others.
const BETWEEN_LOOKS: std::ops::Range<u64> = 100..500;
/// How often a wait is reported.
const BETWEEN_REPORTS: std::time::Duration = std::time::Duration::from_secs(30);

/// Limits on runs that are on at once
#[derive(Debug, Args)]
pub struct SlotArgs {
    /// Start only if fewer runs than this that have such a limit are on in the workspaces root; 0: no limit
    #[arg(long, value_name = "N")]
    pub max_concurrent: Option<u32>,
    /// Group of the run, for --max-per-group: any name
    #[arg(long, value_name = "NAME", requires = "max_per_group")]
    pub group: Option<String>,
    /// Start only if fewer runs than this are on in the group; 0: no limit
    #[arg(long, value_name = "N", requires = "group")]
    pub max_per_group: Option<u32>,
    /// If a limit is reached, wait this long for the end of a run before the command ends with status 4
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait_slot: Option<Duration>,
}

impl SlotArgs {
    /// Takes the slots that a run needs.
    ///
    /// # Errors
    /// 4 where a limit stays reached, 130 where a signal ends the wait; as the system reports them.
    pub(super) fn take(&self, role: Option<Role>, context: &Context) -> Result<Slots> {
        let all = self.max_concurrent.or(context.settings.max_concurrent).unwrap_or_default();
        let limits = SlotLimits {
            all,
            group: self.group.clone().zip(self.max_per_group),
            coordinates: role.is_some_and(Role::coordinates),
        };
        let root = context.root.open_or_create()?;
        let patience = self.wait_slot.unwrap_or_default().to_std().unwrap_or_default();
        let (begun, mut reported) = (Instant::now(), None::<Instant>);
        loop {
            let taken = Slots::take(&root, &limits);
            let full = |error: &anyhow::Error| Failure::code_of(error) == Code::NoSlot;
            let error = match taken {
                Err(error) if full(&error) && begun.elapsed() < patience => error,
                taken => return taken,
            };
            if context.is_stopped() {
                let message = format!("interrupted by a signal while waiting: {error}");
                return Err(Failure::new(Code::Interrupted, message).into());
            }
            if reported.is_none_or(|at| at.elapsed() >= BETWEEN_REPORTS) {
                reported = Some(Instant::now());
                let most = self.wait_slot.map(show_duration).unwrap_or_default();
                log::warn!("waiting for at most {most}: {error}");
            }
            let left = patience.saturating_sub(begun.elapsed());
            std::thread::sleep(left.min(std::time::Duration::from_millis(between_looks())));
        }
    }
}

/// A time that differs from process to process.
fn between_looks() -> u64 {
    let spread = BETWEEN_LOOKS.end - BETWEEN_LOOKS.start;
    BETWEEN_LOOKS.start + uuid::Uuid::new_v4().as_u64_pair().0 % spread
}
