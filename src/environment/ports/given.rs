//! Gives ports to an environment: no other one of the workspaces root has them.
//!
//! The records are the truth. Who gives ports holds one lock of the root until its own record has them, and reads the records
//! of all environments meanwhile: also of those that are being built and of those in the trash, which may come back.
//!
//! The lock keeps no environment at its place: another process may move one from where it is built, or to the trash, while the
//! records are read. So they are read again until that finds no more ports.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::choose::PortRange;
use super::name::{MOST_PORTS, PortName};
use crate::environment::busy::{WAIT, root_busy};
use crate::environment::lock::root_lock;
use crate::environment::record::{Meta, PortRecord};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{FileLock, IfMissing, Share, lock_within};
use crate::sys::ports;
use crate::sys::tree::Tree;

/// Ports for an environment. The lock of the root is held until this is dropped: the record must have them by then.
pub(in crate::environment) struct Ports {
    pub(in crate::environment) records: Vec<PortRecord>,
    _lock: Option<FileLock>,
}

/// Ports of these names, of which the environment has some already (`earlier`); it keeps those that are asked for no more, too.
///
/// # Errors
/// A [`Code::PortTaken`] failure where no port is left; when the records cannot be listed.
pub(in crate::environment) fn reserve(
    root: &Tree,
    range: &PortRange,
    seed: &str,
    wanted: &[PortName],
    earlier: &[PortRecord],
) -> Result<Ports> {
    let mut records = earlier.to_vec();
    let has =
        |records: &[PortRecord], name: &PortName| records.iter().any(|record| name.is_same(&record.name));
    if wanted.iter().all(|name| has(&records, name)) {
        return Ok(Ports { records, _lock: None });
    }
    let file = root_lock(root, names::PORTS_LOCK)?;
    let lock = lock_within(root, &file, IfMissing::Create, Share::Alone, WAIT, &|| false)
        .map_err(|why| root_busy(root, &file, why))?;
    let mut given = until_nothing_new(|| given(root)).context("read which ports are given")?;
    let avoided = ports::given_by_kernel();
    for name in wanted {
        if has(&records, name) {
            continue;
        }
        // Other workspaces roots of the machine begin elsewhere.
        let seed = format!("{}\0{seed}\0{name}", root.path().display());
        let Some(port) = range.choose(&seed, &given, avoided.as_ref(), &ports::is_free) else {
            let message = format!("no port is left for `{name}` in {range}");
            return Err(Failure::new(Code::PortTaken, message)
                .hint("clean up old environments, or set a larger `port_range` (EXECENV_PORTS_RANGE)")
                .into());
        };
        given.insert(port);
        records.push(PortRecord { name: name.as_str().to_owned(), port, ..PortRecord::default() });
    }
    Ok(Ports { records, _lock: Some(lock) })
}

/// What looking finds, repeated until it finds nothing that it had not found before; at least twice. An environment that moves
/// during one look may be missed at its old place and at its new one; the other look finds it where it is.
fn until_nothing_new(mut look: impl FnMut() -> io::Result<BTreeSet<u16>>) -> io::Result<BTreeSet<u16>> {
    let mut found = look()?;
    loop {
        let before = found.len();
        found.append(&mut look()?);
        if found.len() == before {
            return Ok(found);
        }
    }
}

/// Every port that an environment of the root has, by the records; but for an environment that is moved meanwhile.
fn given(root: &Tree) -> io::Result<BTreeSet<u16>> {
    let mut given = BTreeSet::new();
    for folder in root.names(Path::new(""))? {
        let folder = PathBuf::from(folder);
        let is_hidden = folder.as_os_str().as_encoded_bytes().starts_with(b".");
        if is_hidden && folder != Path::new(names::TRASH) {
            continue;
        }
        for name in root.names(&folder).unwrap_or_default() {
            // One that cannot be read is skipped: whatever it has is found by the test whether a port is free.
            let Ok(Some(bytes)) = Meta::bytes(root, &folder.join(name)) else { continue };
            // Most have none, and to parse a record takes longer than to read it.
            if memchr::memmem::find(&bytes, b"\"ports\"").is_some()
                && let Ok(meta) = Meta::parse(&bytes)
            {
                // An agent can write to its record: one alone must not take all ports.
                let ports = meta.own.iter().flat_map(|own| own.ports.iter().take(MOST_PORTS));
                given.extend(ports.map(|record| record.port));
            }
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_one_look_misses_is_found_by_another() {
        for (looks, expected, times) in [
            (&[&[][..], &[]][..], &[][..], 2),
            (&[&[1], &[1]], &[1], 2),
            (&[&[1, 2], &[1]], &[1, 2], 2),
            (&[&[1], &[1, 2], &[1, 2]], &[1, 2], 3),
            (&[&[], &[1], &[2], &[1, 2]], &[1, 2], 4),
        ] {
            let mut left = looks.iter();
            let found = until_nothing_new(|| Ok(left.next().unwrap().iter().copied().collect())).unwrap();
            assert_eq!(found.into_iter().collect::<Vec<u16>>(), expected, "{looks:?}");
            assert_eq!(looks.len() - left.len(), times, "{looks:?}");
        }
        assert!(until_nothing_new(|| Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }
}
