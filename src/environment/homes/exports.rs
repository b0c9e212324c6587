//! The variables that an environment exports, read back from its record and its launch folder.
//!
//! The agent can write to both, and a shell or a run takes what is found there. So only names that `prepare` can set for
//! the environment's provider count, a value that is a path must lead to what was prepared, and a value that is a secret
//! must lie in a plain file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment::ports;
use crate::environment::record::Own;
use crate::environment::request::sets_variable;
use crate::failure::{Code, Failure};
use crate::git::GitIdentity;
use crate::layout::names;
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// The longest value of a variable that is read, in bytes. (Linux passes 128 KiB at most.)
const MAX_VALUE: u64 = 1 << 20;

/// The variables of an environment, as its record names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// Those that `prepare` can set for its provider, and those of the identity.
    pub variables: BTreeMap<String, String>,
    /// A warning for each of the others.
    pub warnings: Vec<String>,
}

impl Exports {
    /// Reads the variables from a record.
    pub fn of(own: &Own) -> Exports {
        let (known, unknown): (BTreeMap<_, _>, BTreeMap<_, _>) =
            own.recorded_env.clone().into_iter().partition(|(name, _)| sets_variable(&own.provider, name));
        let warning =
            |name| format!("ignored variable {name:?} of the record: {} sets no such variable", maker(own));
        let mut exports = Exports { variables: known, warnings: unknown.keys().map(warning).collect() };
        exports.extend_by(own.git_identity.as_ref());
        exports.variables.extend(ports::variables(&own.ports));
        exports
    }

    /// Adds the variables by which git gets an identity.
    pub fn extend_by(&mut self, identity: Option<&GitIdentity>) {
        let variables = identity.into_iter().flat_map(GitIdentity::variables);
        self.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

/// What sets an environment's variables, for messages.
fn maker(own: &Own) -> String {
    match own.provider.as_str() {
        "" => "`prepare`".to_owned(),
        provider => format!("`prepare --provider {}`", provider.escape_debug()),
    }
}

/// Refuses variables with the path of a home or store that is missing, or that `prepare` did not create: the agent's
/// program would silently use the user's own home instead, or the target of a link.
///
/// # Errors
/// A [`Code::WorkDirGone`] failure that names the variable and the place.
pub(crate) fn check_exports(env: &Tree, exports: &BTreeMap<String, String>) -> Result<()> {
    let Some(above) = env.path().parent().and_then(Path::parent) else { return Ok(()) };
    let root = Tree::open(above).with_context(|| format!("open {}", above.display()))?;
    for (name, value) in exports {
        let Some(relative) = inside(&root, Path::new(value)) else { continue };
        let gone = |what: &str| -> anyhow::Error {
            Failure::new(Code::WorkDirGone, format!("{value} {what}, but the variable {name} points to it"))
                .hint(format!(
                    "`execenv reuse {}` with the task document creates it again",
                    env.path().display()
                ))
                .into()
        };
        let parts: Vec<_> = relative.components().collect();
        for depth in 1..=parts.len() {
            let above: PathBuf = parts[..depth].iter().collect();
            match root.kind(&above) {
                Ok(Some(FileKind::Dir)) => {}
                Ok(Some(FileKind::File { .. })) if depth == parts.len() => {}
                Ok(None) => return Err(gone("is gone")),
                Ok(Some(FileKind::Link)) => return Err(gone("is a link now")),
                Ok(Some(_)) => return Err(gone("is not what was prepared")),
                Err(error) => return Err(error).with_context(|| format!("look at {value}")),
            }
        }
    }
    Ok(())
}

/// Refuses an environment in which a file is missing that `prepare` created: without it the agent would get other MCP
/// servers, skills or variables than the task has.
///
/// # Errors
/// A [`Code::WorkDirGone`] failure that names the first one.
pub(crate) fn check_needs(env: &Tree, needs: &[PathBuf]) -> Result<()> {
    for path in needs {
        let place = env.path().join(path);
        let what = match env.kind(path) {
            Ok(Some(FileKind::File { .. })) => continue,
            Ok(None) => "is gone",
            Ok(Some(_)) => "is not what was prepared",
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => "is gone",
            Err(error) => return Err(error).with_context(|| format!("look at {}", place.display())),
        };
        return Err(Failure::new(Code::WorkDirGone, format!("{} {what}", place.display()))
            .hint(format!("`execenv reuse {}` with the task document creates it again", env.path().display()))
            .into());
    }
    Ok(())
}

/// A path relative to a folder that contains it, however the path spells the folder.
fn inside(folder: &Tree, path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let is_it = |above: &&Path| {
        let opened = || -> std::io::Result<bool> { Ok(Tree::open(above)?.identity()? == folder.identity()?) };
        *above == folder.path() || matches!(opened(), Ok(true))
    };
    let above = path.ancestors().skip(1).find(is_it)?;
    path.strip_prefix(above).ok().map(Path::to_path_buf)
}

/// The files of the variables that are secrets, by their names: plain files, because a shell that reads a link would put
/// the target into the agent's variables.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn private_files(env: &Tree, provider: &str) -> Result<BTreeMap<String, PathBuf>> {
    let folder = Path::new(names::LAUNCH).join(names::LAUNCH_ENV);
    let listing = || format!("list {}", env.path().join(&folder).display());
    if env.kind(Path::new(names::LAUNCH)).with_context(listing)?.is_none()
        || env.kind(&folder).with_context(listing)?.is_none()
    {
        return Ok(BTreeMap::new());
    }
    let tree =
        env.subtree(Path::new(names::LAUNCH)).and_then(|launch| launch.subtree(Path::new(names::LAUNCH_ENV)));
    let tree = tree.with_context(listing)?;
    let listed = tree.names(Path::new("")).with_context(listing)?;
    let is_plain = |name: &String| matches!(tree.kind(Path::new(name)), Ok(Some(FileKind::File { .. })));
    let files = listed
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| sets_variable(provider, name) && is_plain(name));
    Ok(order::map(files.map(|name| (name.clone(), private_file(env.path(), &name)))))
}

/// Whether a shell accepts a text as the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The file with the value of a variable that is a secret.
pub(crate) fn private_file(env_root: &Path, name: &str) -> PathBuf {
    env_root.join(names::LAUNCH).join(names::LAUNCH_ENV).join(name)
}

/// The variables that are secrets, with their values.
///
/// # Errors
/// If a file cannot be read or is not UTF-8; the error names the file, never its content.
pub(crate) fn private_exports(env: &Tree, provider: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, path) in private_files(env, provider)? {
        let reading = || format!("read {}", path.display());
        let relative = Path::new(names::LAUNCH).join(names::LAUNCH_ENV).join(&name);
        let Some(bytes) = env.read(&relative, MAX_VALUE).with_context(reading)? else { continue };
        let value =
            String::from_utf8(bytes).ok().with_context(|| format!("{} is not UTF-8 text", path.display()))?;
        found.insert(name, value);
    }
    Ok(found)
}
