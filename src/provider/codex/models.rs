//! Codex' cache of a model provider's models. The cache does not name the provider, so a file beside it holds a digest of
//! the configuration that it was made with; with another configuration, the cache is removed.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::draft::Draft;
use super::shared::SharedHome;
use crate::provider::plan::HomeEntry;
use crate::sys::tree::FileKind;
use crate::task::hex;

const CACHE: &str = "models_cache.json";
const BINDING: &str = ".models_cache_config.sha256";
const MAX_CACHE: u64 = 64 << 20;

/// The configuration that a cache belongs to.
pub(super) struct Configuration {
    /// Names and bytes of the user's files; `None` for one that is not there.
    pub(super) files: Vec<(String, Option<Vec<u8>>)>,
    /// The catalog that the configuration names.
    pub(super) catalog: Option<Vec<u8>>,
}

impl Configuration {
    /// The text of the binding.
    pub(super) fn binding(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |name: &str, bytes: Option<&[u8]>| {
            hash.update(name);
            hash.update([0]);
            match bytes {
                None => hash.update(b"missing\0"),
                Some(bytes) => {
                    hash.update(bytes.len().to_string());
                    hash.update([0]);
                    hash.update(bytes);
                }
            }
        };
        for (name, bytes) in &self.files {
            add(name, bytes.as_deref());
        }
        if let Some(catalog) = &self.catalog {
            add("model_catalog_json", Some(catalog));
        }
        format!("{}\n", hex(&hash.finalize()))
    }
}

/// Keeps, seeds or drops the cache.
pub(super) fn plan(draft: &mut Draft<'_>, shared: Option<&SharedHome>, configuration: &Configuration) {
    let binding = configuration.binding();
    let is_new = draft.present.is_none();
    let old = draft.present.and_then(|home| home.read(Path::new(BINDING), 1024).ok().flatten());
    let is_same = old.as_deref() == Some(binding.as_bytes());
    let is_file = matches!(draft.kind(CACHE), Some(FileKind::File { .. }));
    draft.put(BINDING, HomeEntry::File { bytes: binding.into_bytes(), mode: 0o600 });
    if is_new {
        match shared.map_or(Ok(None), |shared| shared.read(Path::new(CACHE), MAX_CACHE)) {
            Ok(Some(bytes)) => draft.put(CACHE, HomeEntry::File { bytes, mode: 0o600 }),
            Ok(None) => {}
            Err(error) => {
                draft.warnings.push(format!("the task starts without Codex' cache of models: {error}"))
            }
        }
    } else if !(is_same && is_file) {
        draft.drop_old(CACHE);
    }
}
