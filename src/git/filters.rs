//! Filters that a repository names itself: `status` and `add` would run them on working files, and who can write to a
//! work dir can write such a configuration.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Settings that switch off the filters of one repository. Those of the user's own configuration stay.
#[derive(Debug)]
pub struct FiltersOff(Vec<(OsString, OsString)>);

impl FiltersOff {
    /// Switches off the filters of these names.
    pub(super) fn of(names: &[&[u8]]) -> FiltersOff {
        let switches = [("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")];
        let settings = names.iter().flat_map(|name| {
            switches.map(|(key, value)| {
                let key = [b"filter.", *name, b".", key.as_bytes()].concat();
                (OsStr::from_bytes(&key).to_owned(), value.into())
            })
        });
        FiltersOff(settings.collect())
    }

    pub(super) fn settings(&self) -> &[(OsString, OsString)] {
        &self.0
    }
}
