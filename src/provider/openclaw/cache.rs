//! What OpenClaw's CLI printed a moment ago, so that tasks that start together do not each wait seconds for it.
//!
//! A failure is never kept, nor a fresh install, nor the whole configuration. Any doubt about the file is a miss.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::discover::Found;
use super::wrapper::Roster;
use crate::layout::names;
use crate::provider::plan::HomeRequest;
use crate::provider::read::read_bounded;

/// Its name in the stores. It may hold settings of agents: 0600.
const FILE: &str = names::OPENCLAW_CACHE;
const VERSION: u32 = 1;
const MAX_BYTES: u64 = 16 << 20;
/// The variables that steer which configuration the CLI means.
const VARIABLES: [&str; 7] = [
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_HOME",
    "OPENCLAW_STATE_DIR",
    "CLAWDBOT_CONFIG_PATH",
    "CLAWDBOT_STATE_DIR",
    "HOME",
    "USERPROFILE",
];

#[derive(Debug, Serialize, Deserialize)]
struct Cache {
    fingerprint: Fingerprint,
    cached_at_nano: i64,
    active_config_path: PathBuf,
    /// The list of the older schema; `null` where there is none.
    agents_list: Option<Vec<Value>>,
    /// The ids of the newer one.
    agents_entries: Option<Vec<String>>,
}

/// Everything that the answers depend on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Fingerprint {
    version: u32,
    bin_path: PathBuf,
    bin_size: u64,
    bin_mod_time_nano: i128,
    env: String,
    config_path: PathBuf,
    config_size: u64,
    config_mod_time_nano: i128,
}

impl Fingerprint {
    fn take(request: &HomeRequest<'_>, program: &Path, config: &Path) -> Option<Fingerprint> {
        let (bin_size, bin_mod_time_nano) = size_and_time(program)?;
        let (config_size, config_mod_time_nano) = size_and_time(config)?;
        let value = |name: &&str| format!("{name}={}", request.variable(name).unwrap_or_default());
        Some(Fingerprint {
            version: VERSION,
            bin_path: program.to_owned(),
            bin_size,
            bin_mod_time_nano,
            env: VARIABLES.iter().map(value).collect::<Vec<_>>().join("\0"),
            config_path: config.to_owned(),
            config_size,
            config_mod_time_nano,
        })
    }
}

fn size_and_time(path: &Path) -> Option<(u64, i128)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())))
}

/// What was found a moment ago, if it still holds.
pub(super) fn load(request: &HomeRequest<'_>, program: &Path) -> Option<Found> {
    let bytes = read_bounded(&request.stores.join(FILE), MAX_BYTES).ok()?;
    let cache: Cache = serde_json::from_slice(&bytes).ok()?;
    if !is_fresh(cache.cached_at_nano, request.now)
        || Fingerprint::take(request, program, &cache.active_config_path)? != cache.fingerprint
    {
        return None;
    }
    let roster = match (cache.agents_list, cache.agents_entries) {
        (Some(list), None) => Roster::Listed(list),
        (None, Some(ids)) => Roster::Keyed(ids),
        (None, None) => Roster::None,
        (Some(_), Some(_)) => return None,
    };
    Some(Found { config: cache.active_config_path, exists: true, roster })
}

/// A minute at most. A clock that was set back a little is none in the future.
fn is_fresh(cached_at_nano: i64, now: DateTime<Utc>) -> bool {
    let age = now.signed_duration_since(DateTime::from_timestamp_nanos(cached_at_nano));
    (Duration::seconds(-1)..=Duration::seconds(60)).contains(&age)
}

/// The file to keep what was found, if that is to be kept.
pub(super) fn kept(request: &HomeRequest<'_>, program: &Path, found: &Found) -> Option<(PathBuf, Vec<u8>)> {
    if !found.exists {
        return None;
    }
    let cache = Cache {
        fingerprint: Fingerprint::take(request, program, &found.config)?,
        cached_at_nano: request.now.timestamp_nanos_opt()?,
        active_config_path: found.config.clone(),
        agents_list: match &found.roster {
            Roster::Listed(list) => Some(list.clone()),
            _ => None,
        },
        agents_entries: match &found.roster {
            Roster::Keyed(ids) => Some(ids.clone()),
            _ => None,
        },
    };
    Some((PathBuf::from(FILE), serde_json::to_vec(&cache).ok()?))
}
