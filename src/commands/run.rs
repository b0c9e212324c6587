//! `execenv run`.
use crate::cli::Context;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
/// run
#[derive(Debug, Args)]
pub struct RunArgs {}
pub(super) fn run(_args: &RunArgs, _context: &Context) -> Result<u8> {
    Ok(0)
}
pub(super) fn guard(_arguments: &[OsString]) -> Option<u8> {
    None
}
