//! The file that a report is written to.

use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::environment::FoundEnv;
use crate::failure::{Code, Failure};
use crate::invocation::Context;
use crate::output::{escape, note, show_bytes};
use crate::sys::tree::{FileKind, Tree};

/// A file that is to be written.
pub(super) struct Target {
    folder: Tree,
    name: PathBuf,
    shown: PathBuf,
    is_in_work_dir: bool,
}

impl Target {
    /// Looks at the place before anything else is done.
    pub(super) fn of(file: &Path, context: &Context, found: &FoundEnv) -> Result<Target> {
        let shown = context.absolute(file)?;
        let bad = |what: &str| {
            Failure::new(Code::BadPath, format!("{} {what}", shown.display()))
                .hint("`--html` and `--markdown` take the path of a file; its folder must exist")
        };
        let (Some(folder), Some(name)) = (shown.parent(), shown.file_name()) else {
            return Err(bad("is no path of a file").into());
        };
        let folder = match Reached::of(folder, found) {
            Ok(Reached::Folder(folder)) => folder,
            Ok(Reached::Link(link)) => {
                let message = format!(
                    "{} is reached by the link {}, which the agent may have made: a report is not written through it",
                    shown.display(),
                    link.display()
                );
                return Err(Failure::new(Code::BadPath, message)
                    .hint("name a file outside of the environment and of the agent's work dir")
                    .into());
            }
            Err(error) => {
                let what = bad("cannot be written: its folder cannot be opened");
                return Err(anyhow::Error::from(error).context(what));
            }
        };
        let name = PathBuf::from(name);
        // A link is replaced and not followed: an agent may have put it there. One such as /dev/stdout is meant to be followed, and
        // must not be replaced: it is the whole system's.
        let leads_to = shown.metadata().ok();
        match folder.kind(&name) {
            Ok(Some(FileKind::Dir)) => Err(bad("is a folder").into()),
            _ if names_a_stream(&shown) || leads_to.is_some_and(|found| !found.is_file()) => {
                Err(bad("is no regular file; `-` is standard output").into())
            }
            _ => {
                let is_in_work_dir = shown.starts_with(found.work_dir_path());
                Ok(Target { folder, name, shown, is_in_work_dir })
            }
        }
    }

    /// Replaces the file.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let temporary = format!(".execenv-report-{}", uuid::Uuid::new_v4().simple());
        self.folder
            .replace_unsynced(&self.name, text.as_bytes(), 0o600, &temporary)
            .with_context(|| format!("write {}", self.shown.display()))?;
        let inside = if self.is_in_work_dir { ", inside the work dir of the agent" } else { "" };
        let size = show_bytes(text.len() as u64);
        note(&format!("wrote {} ({size}){inside}", escape(&self.shown.display().to_string())));
        Ok(())
    }
}

/// Whether a path leads to a file that a process has open, also if that is a regular one.
fn names_a_stream(path: &Path) -> bool {
    /// As many links as a kernel follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if ["/proc", "/dev/fd"].iter().any(|streams| path.starts_with(streams)) {
            return true;
        }
        let Ok(next) = path.read_link() else { return false };
        path = path.parent().unwrap_or(Path::new("/")).join(next);
    }
    true
}

/// Where the path of a folder leads.
enum Reached {
    /// To this folder.
    Folder(Tree),
    /// Through this link, which an agent may have made.
    Link(PathBuf),
}

impl Reached {
    /// Goes along the path. The user's own links are followed, as far as the path has not come to the environment or to its work dir:
    /// from there on an agent can put links in its way.
    fn of(folder: &Path, found: &FoundEnv) -> io::Result<Reached> {
        let places = [found.env.tree.identity().ok(), place(&found.work_dir_path())];
        let mut path = PathBuf::new();
        // The folders from such a place on.
        let mut inside: Vec<Tree> = Vec::new();
        for step in folder.components() {
            path.push(step);
            if step == Component::ParentDir && inside.pop().is_some() && !inside.is_empty() {
                continue;
            }
            let next = match inside.last() {
                Some(last) => {
                    let name = Path::new(step.as_os_str());
                    if last.kind(name)? == Some(FileKind::Link) {
                        return Ok(Reached::Link(path));
                    }
                    Some(last.unlinked_subtree(name)?)
                }
                None => Some(Tree::open(&path)?).filter(|tree| places.contains(&tree.identity().ok())),
            };
            inside.extend(next);
        }
        match inside.pop() {
            Some(tree) => Ok(Reached::Folder(tree)),
            None => Tree::open(folder).map(Reached::Folder),
        }
    }
}

fn place(folder: &Path) -> Option<(u64, u64)> {
    Tree::open(folder).and_then(|tree| tree.identity()).ok()
}
