//! `execenv demo`.
use crate::cli::Context;
use anyhow::Result;
use clap::Args;
/// demo
#[derive(Debug, Args)]
pub struct DemoArgs {}
pub(super) fn run(_args: &DemoArgs, _context: &Context) -> Result<u8> {
    Ok(0)
}
