//! `execenv doctor`.
use crate::cli::Context;
use anyhow::Result;
use clap::Args;
/// doctor
#[derive(Debug, Args)]
pub struct DoctorArgs {}
pub(super) fn run(_args: &DoctorArgs, _context: &Context) -> Result<crate::output::Answer> {
    Ok(crate::output::Answer::new("", serde_json::Value::Null))
}
