//! What the work has changed, bounded.

use std::io;

use anyhow::Result;

use super::sources::{Sources, path};
use crate::environment::Own;
use crate::report::claim::Claim;
use crate::report::model::{ChangedFile, Changes};
use crate::run::Which;
use crate::work::{Compared, DiffForm, Place, diff, patch_of_checkpoint};

/// The most files that are listed, the longest diff that is shown in bytes, and the most repositories.
const FILES: usize = 1000;
const PATCH: usize = 256 << 10;
const REPOSITORIES: usize = 5;

/// The changes; else why there are none to show.
pub(super) fn changes(sources: &Sources<'_>, own: &Own) -> (Vec<Changes>, Option<String>) {
    if sources.which == Which::Previous {
        let why = "the work dir holds what all runs have changed; the report of the last run shows it";
        return (Vec::new(), Some(why.to_owned()));
    }
    let places = match Place::all(sources.found, sources.trust) {
        Ok(places) => places,
        Err(error) => return without_work_dir(sources, own, &format!("{error:#}")),
    };
    if places.is_empty() {
        return (Vec::new(), Some("there is no git repository in the work dir".to_owned()));
    }
    let mut all = Vec::new();
    let mut why = None;
    for place in places.iter().take(REPOSITORIES) {
        match of_repository(sources, place) {
            Ok(changes) => all.push(changes),
            Err(error) => why = Some(format!("{} could not be compared: {error:#}", place.path().display())),
        }
    }
    if places.len() > REPOSITORIES {
        why = Some(format!("{} more repositories in the work dir are left out", places.len() - REPOSITORIES));
    }
    (all, why)
}

fn of_repository(sources: &Sources<'_>, place: &Place) -> Result<Changes> {
    let checkout = place.checkout(sources.git)?;
    let difference = diff(sources.found, place, &checkout, Compared::SinceBase)?;
    let found = difference.changes()?;
    let mut patch = Vec::new();
    let mut is_cut = false;
    let passed = difference.pass_on(DiffForm::Patch, &mut |block| {
        let room = PATCH - patch.len();
        patch.extend_from_slice(&block[..block.len().min(room)]);
        is_cut = block.len() > room;
        // git is ended: what comes would be thrown away.
        if is_cut { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    });
    if !is_cut {
        passed?;
    }
    let file = |change: &crate::git::Change| ChangedFile {
        action: char::from(change.action),
        path: path(&change.path),
        from: change.from.as_deref().map(path),
    };
    Ok(Changes {
        repository: path(place.path()),
        base: difference.base.clone(),
        files: found.files.iter().take(FILES).map(file).collect(),
        more_files: found.files.len().saturating_sub(FILES) as u64,
        added: found.added,
        removed: found.removed,
        patch: Claim::new(whole_lines(&patch, is_cut)),
        is_patch_cut: is_cut,
    })
}

/// What the last checkpoint saved, where the work dir is gone.
fn without_work_dir(sources: &Sources<'_>, own: &Own, why: &str) -> (Vec<Changes>, Option<String>) {
    let saved = own.checkpoints.iter().rev().find_map(|point| {
        let (patch, is_cut) = patch_of_checkpoint(sources.found, point, PATCH)?;
        Some(Changes {
            repository: Claim::new(format!("checkpoint {}", point.n)),
            base: Some(point.base_sha.clone()).filter(|base| !base.is_empty()),
            files: Vec::new(),
            more_files: point.files,
            added: point.added,
            removed: point.removed,
            patch: Claim::new(whole_lines(&patch, is_cut)),
            is_patch_cut: is_cut,
        })
    });
    match saved {
        Some(changes) => {
            let note = format!("{why}; what the last checkpoint saved is shown");
            (vec![changes], Some(note))
        }
        None => (Vec::new(), Some(why.to_owned())),
    }
}

/// A text of whole lines.
fn whole_lines(bytes: &[u8], is_cut: bool) -> String {
    let end = match is_cut {
        true => bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        false => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
