//! Which configuration the user's OpenClaw uses and which agents it has.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::cli::{self, Absence, Answer, Cli};
use super::locate::{Surroundings, is_unsupported, last_line};
use super::wrapper::Roster;

const LOCATE: &str = "locate openclaw active config";
const AGENTS: &str = "read agents.list of openclaw";

/// What is known of the user's set-up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The active configuration.
    pub(super) config: PathBuf,
    /// Whether it is there; a fresh install has none.
    pub(super) exists: bool,
    pub(super) roster: Roster,
}

/// Asks the CLI; `is_keyed`: its version has the newer schema. Each question takes it about a second.
///
/// # Errors
/// Everything that is not a clear answer: with a configuration that was guessed, tasks would run without the user's
/// agents, models and keys.
pub(super) fn discover(cli: &Cli<'_>, around: &Surroundings<'_>, is_keyed: bool) -> Result<Found> {
    let (config, exists) = locate(cli, around)?;
    let roster = if exists { cli::at(AGENTS, roster(cli, is_keyed))? } else { Roster::None };
    Ok(Found { config, exists, roster })
}

fn locate(cli: &Cli<'_>, around: &Surroundings<'_>) -> Result<(PathBuf, bool)> {
    match cli::at(LOCATE, cli.ask(&["config", "file"]))? {
        Answer::Given(stdout) => {
            let path =
                last_line(&stdout).context("`openclaw config file` printed nothing").context(LOCATE)?;
            let path = cli::at(LOCATE, around.expand(path))?;
            let exists = cli::at(LOCATE, is_there(&path))?;
            Ok((path, exists))
        }
        Answer::Refused(words) if is_unsupported(&words.text()) => {
            let searched = around.search(&|path| path.symlink_metadata().is_ok());
            let found = searched.and_then(|path| Ok((is_there(&path)?, path)));
            let (exists, path) =
                found.with_context(|| format!("{LOCATE}: OpenClaw's CLI says: {}", words.text()))?;
            Ok((path, exists))
        }
        Answer::Refused(words) => Err(cli::refused(LOCATE, &words)),
    }
}

/// Whether a configuration is there. One that cannot be looked at is not taken for a fresh install.
fn is_there(path: &Path) -> Result<bool> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => bail!("{} is not a file", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("look at {}", path.display())),
    }
}

/// Asks for the agents: the list of the older schema, else the entries of the newer one, else the registry of the
/// versions between, whose records are no configuration: from those only the default workspace is pinned.
fn roster(cli: &Cli<'_>, is_keyed: bool) -> Result<Roster> {
    if is_keyed && let Some(roster) = entries(cli)? {
        return Ok(roster);
    }
    match cli.ask_json(&["config", "get", "agents.list", "--json"])? {
        Answer::Given(Value::Null) => Ok(Roster::None),
        Answer::Given(Value::Array(list)) => Ok(Roster::Listed(list)),
        Answer::Given(_) => bail!("`openclaw config get agents.list` printed no list"),
        Answer::Refused(words) => match words.absence_of("agents.list") {
            Some(Absence::Unknown) if is_keyed => Ok(Roster::None),
            Some(Absence::Unknown) => Ok(entries(cli)?.unwrap_or(Roster::None)),
            Some(Absence::Unset) => registry(cli),
            None => Err(cli::refused(AGENTS, &words)),
        },
    }
}

/// The entries of the newer schema; `None`: the CLI does not know them.
fn entries(cli: &Cli<'_>) -> Result<Option<Roster>> {
    match cli.ask_json(&["config", "get", "agents.entries", "--json"])? {
        Answer::Given(Value::Null) => Ok(Some(Roster::Keyed(Vec::new()))),
        Answer::Given(Value::Object(entries)) => {
            Ok(Some(Roster::Keyed(entries.into_iter().map(|(id, _)| id).collect())))
        }
        Answer::Given(_) => bail!("`openclaw config get agents.entries` printed no object"),
        Answer::Refused(words) => match words.absence_of("agents.entries") {
            Some(Absence::Unset) => Ok(Some(Roster::Keyed(Vec::new()))),
            Some(Absence::Unknown) => Ok(None),
            None => Err(cli::refused(AGENTS, &words)),
        },
    }
}

fn registry(cli: &Cli<'_>) -> Result<Roster> {
    match cli.ask_json(&["agents", "list", "--json"])? {
        Answer::Given(Value::Null | Value::Array(_)) => Ok(Roster::None),
        Answer::Given(_) => bail!("`openclaw agents list` printed no list"),
        Answer::Refused(words) if words.is_unknown_command() || words.absence_of("agents.list").is_some() => {
            Ok(Roster::None)
        }
        Answer::Refused(words) => Err(cli::refused(AGENTS, &words)),
    }
}
