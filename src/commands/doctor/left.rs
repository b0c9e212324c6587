//! What killed commands have left beside environments: half-made checkouts, clones and shared repositories.

use std::path::PathBuf;

use anyhow::Result;

use super::finding::{About, Finding};
use crate::environment::health::Repair;
use crate::invocation::Context;
use crate::repos::{LeftKind, left_of_killed};
use crate::sys::tree::Tree;
use crate::work::left_clones;

const REMOVES: Repair = Repair { would: "removes it", done: "removed" };
const FINISHES: Repair = Repair { would: "finishes it", done: "finished it" };

/// What is found, and with `fix` removed.
///
/// # Errors
/// When the root cannot be listed.
pub(super) fn findings(fix: bool, context: &Context, tree: &Tree) -> Result<Vec<Finding>> {
    let git = context.git();
    let mut found = Vec::new();
    for left in left_of_killed(&context.root, tree, fix.then_some(&git), &context.stop)? {
        let (complaint, what, repair) = match left.kind {
            LeftKind::Checkout => ("half_made", "`checkout` was interrupted while it built this", REMOVES),
            LeftKind::Clone => ("half_made", "the clone of a shared repository was interrupted", REMOVES),
            LeftKind::Removal => ("half_deleted", "its deletion was interrupted", FINISHES),
        };
        found.push(finding(left.path, complaint, what, repair, left.removed));
    }
    for (path, removed) in left_clones(tree, fix)? {
        found.push(finding(
            path,
            "half_made",
            "`clone` was interrupted while it built this",
            REMOVES,
            removed,
        ));
    }
    Ok(found)
}

fn finding(
    path: PathBuf,
    complaint: &'static str,
    what: &str,
    repair: Repair,
    removed: Option<Result<()>>,
) -> Finding {
    let (what, fixed) = match removed {
        None => (what.to_owned(), false),
        Some(Ok(())) => (what.to_owned(), true),
        Some(Err(error)) => (format!("{what} ({error:#})"), false),
    };
    Finding {
        about: About::Repositories,
        path,
        complaint,
        what,
        repair: Some(repair),
        fixed,
        todo: None,
        dead: None,
    }
}
