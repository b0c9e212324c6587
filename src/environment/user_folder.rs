//! The user folder of an environment: which one it is, and what proves that.
//!
//! Everything in an env root can be written by the agent, unless it runs in a sandbox. So the state files are claims. What
//! commands that touch a user folder do with each, and why that is safe:
//!
//! | claim | what is done with it |
//! |---|---|
//! | record: `local_directory`, `work_dir` | decides that nothing is removed as a managed work dir, and what messages name; opens no folder |
//! | manifest: `execenv.work_dir`, `folder` | opened only if the manifest is proved ([`Manifest::is_proved`]), or if the user names the folder (`--local-dir`), and only if it is the folder that was prepared |
//! | manifest: `files`, `dirs`, `entries`, `origins` | proved: as written. By the user's word: only inside of that folder, at places of a plan ([`Places`]), files only with the recorded bytes |
//! | manifest: `token` | names temporary files beside sidecars; digits and letters only |
//! | manifest: `state` | decides between two ways of undoing that remove the same files |
//! | `backup/` | the copy of a user's file decides where it is cut, if it has the proved digest or holds no block; its bytes are then in the file already |
//! | record: `run.temporary` | removed only with a marker of this environment and run in it ([`super::temporary`]) |
//! | record: ids, times, status, provider, `env`, `needs` | name no folder to write to; paths in them are resolved in the env root |
//!
//! A managed work dir needs no proof: it is opened inside of the env root, never by a path of the record.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lookup::FoundEnv;
use super::path::{clean, quoted};
use super::trust::Trust;
use crate::failure::{Code, Failure};
use crate::sidecar::{Folder, Grounds, Manifest, Places, Record, Same, Seal, Site};
use crate::sys::silent::{self, is_one_path};
use crate::sys::tree::Tree;

/// The most entries of a folder among which one that was renamed is looked for.
const MOST_SIBLINGS: usize = 10_000;

/// A user folder that a command may work in.
#[derive(Debug)]
pub(crate) struct UserFolder {
    /// The open folder.
    pub(crate) tree: Tree,
    /// Its path.
    pub(crate) path: PathBuf,
    /// What says that it is the environment's.
    pub(crate) by: By,
}

/// What says that a user folder is an environment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The sidecar manifest, which execenv wrote.
    Proof,
    /// The user: the manifest is a claim.
    Word,
}

impl FoundEnv {
    /// Whether its work dir is this user folder.
    pub fn works_in(&self, folder: &Path) -> bool {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        self.work_dir.claimed().is_some_and(|claimed| is_one_path(claimed, &folder))
    }

    /// Opens the user folder of the environment; `None`: it works in a managed work dir.
    ///
    /// # Errors
    /// [`Code::Unproved`] if nothing says which folder it is, [`Code::WorkDirGone`] if it is not there or another one is
    /// in its place.
    pub(crate) fn user_folder(
        &self,
        manifest: Option<&Manifest>,
        trust: Trust<'_>,
    ) -> Result<Option<UserFolder>> {
        if let Some((record, folder)) = self.proved(manifest, trust) {
            return self.proved_folder(record, folder, trust.local_dir).map(Some);
        }
        let word = match trust.local_dir {
            _ if !self.work_dir.is_user_folder() => {
                return match trust.local_dir {
                    None => Ok(None),
                    Some(_) => Err(self.is_managed()),
                };
            }
            None => return Err(self.unproved(manifest, trust)),
            Some(word) => word,
        };
        let claimed = manifest.and_then(|manifest| manifest.record.as_ref()).map(|record| &*record.work_dir);
        match claimed.or(self.work_dir.claimed()) {
            Some(claimed) if !is_one_path(claimed, word) && may_be_there(claimed) => {
                Err(self.is_other_folder(claimed, word))
            }
            _ => Ok(Some(UserFolder { tree: open(word)?, path: clean(word), by: By::Word })),
        }
    }

    /// The part of a manifest that execenv certainly wrote, and the folder in it.
    fn proved<'m>(
        &self,
        manifest: Option<&'m Manifest>,
        trust: Trust<'_>,
    ) -> Option<(&'m Record, &'m Folder)> {
        let manifest = manifest?;
        let record = manifest.record.as_ref()?;
        let folder = record.folder.as_ref()?;
        let seal = record.proof.as_ref().and_then(|_| trust.keys.seal(&self.env.key()))?;
        manifest.is_proved(&seal).then_some((record, folder))
    }

    fn proved_folder(&self, record: &Record, folder: &Folder, word: Option<&Path>) -> Result<UserFolder> {
        let path = word.map_or_else(|| record.work_dir.clone(), clean);
        let tree = open(&path)?;
        let now = Folder::of(&tree).with_context(|| format!("look at {}", path.display()))?;
        if folder.is(&now) == Same::Yes || record.is_recognised_in(&tree) {
            return Ok(UserFolder { tree, path, by: By::Proof });
        }
        match word {
            Some(word) if !is_one_path(&record.work_dir, word) && may_be_there(&record.work_dir) => {
                Err(self.is_other_folder(&record.work_dir, word))
            }
            Some(_) => Ok(UserFolder { tree, path, by: By::Word }),
            None => {
                let (shown, env) = (path.display(), quoted(&self.env.path));
                Err(Failure::new(Code::WorkDirGone, format!("{shown} is not the folder that was prepared"))
                    .hint(format!(
                        "move the prepared folder back to its place; its sidecars are still in it. If it is the same \
                         folder: `execenv cleanup {env} --local-dir {}`",
                        quoted(&path)
                    ))
                    .into())
            }
        }
    }

    /// Where the prepared folder is now, if it was renamed in the folder that contains it.
    pub(crate) fn moved_to(&self, manifest: &Manifest) -> Option<PathBuf> {
        let record = manifest.record.as_ref()?;
        let parent = record.work_dir.parent().filter(|parent| silent::is_dir(parent) == Some(true))?;
        let above = Tree::open(parent).ok()?;
        let recorded = record.folder.as_ref()?;
        let is_it = |name: &PathBuf| {
            let now = above.subtree(name).and_then(|folder| folder.stamp());
            now.is_ok_and(|now| now.inode == recorded.inode && now.born == recorded.born)
        };
        let names = above.names(Path::new("")).ok()?.into_iter().map(PathBuf::from);
        names.take(MOST_SIBLINGS).find(is_it).map(|name| above.path().join(name))
    }

    /// Whether the prepared folder has been deleted: the folder that contained it is in its place and can be read, so that
    /// no mount is missing, and nothing is at the folder's path, nor has it been renamed. Then no sidecar is anywhere.
    pub(crate) fn is_folder_gone(&self, manifest: &Manifest) -> bool {
        let Some(record) = manifest.record.as_ref() else { return false };
        let Some(parent) = record.work_dir.parent() else { return false };
        if self.moved_to(manifest).is_some() {
            return false;
        }
        let is_answering = silent::is_dir(parent) == Some(true);
        let Some(Ok(above)) = is_answering.then(|| Tree::open(parent)) else { return false };
        let is_in_place = match record.folder.as_ref().and_then(|folder| folder.above.as_ref()) {
            Some(recorded) => Folder::of(&above).is_ok_and(|now| recorded.is(&now) == Same::Yes),
            // Recorded by an older release, with the device only.
            None => {
                let device = self.work_dir.identity().map(|(device, _)| device);
                above.identity().is_ok_and(|(now, _)| device == Some(now))
            }
        };
        is_in_place && above.names(Path::new("")).is_ok() && silent::is_missing(&record.work_dir)
    }

    /// The failure for a record that nothing proves.
    pub(crate) fn unproved(&self, manifest: Option<&Manifest>, trust: Trust<'_>) -> anyhow::Error {
        let env = self.env.path.display();
        let record = manifest.and_then(|manifest| manifest.record.as_ref());
        let message = match (manifest, record.map(|record| record.proof.is_some())) {
            (None, _) => format!("the list of what execenv wrote into your folder is not in {env}"),
            (Some(_), Some(true)) if trust.keys.seal("").is_none() => {
                format!("without the key {} nothing proves the record of {env}", trust.keys.shown())
            }
            (Some(_), Some(true)) => format!("the proof in {env} is not by your key {}", trust.keys.shown()),
            (Some(_), _) => {
                format!(
                    "nothing proves the record of {env}: an older release, a `prepare` without the key {} or another \
                     program wrote it",
                    trust.keys.shown()
                )
            }
        };
        let named = self.work_dir.claimed().map(Path::display);
        let message = match named {
            Some(named) => format!("{message}; it names the folder {named}"),
            None => message,
        };
        Failure::new(Code::Unproved, message).hint(self.how_to_give_a_word()).into()
    }

    /// What to type where only the user can say which folder it is.
    fn how_to_give_a_word(&self) -> String {
        let folder = self.work_dir.claimed().map_or_else(|| "FOLDER".to_owned(), quoted);
        let env = quoted(&self.env.path);
        format!(
            "an agent can write the record. If {folder} is the folder of this environment: `execenv cleanup {env} \
             --local-dir {folder}` (`reuse`, `run` and `verify` take `--local-dir`, too)"
        )
    }

    fn is_managed(&self) -> anyhow::Error {
        let message = format!("{} does not work in a folder of yours", self.env.path.display());
        Failure::new(Code::Usage, message).hint("repeat the command without `--local-dir`").into()
    }

    fn is_other_folder(&self, claimed: &Path, word: &Path) -> anyhow::Error {
        let (env, claimed, word) = (self.env.path.display(), claimed.display(), word.display());
        Failure::new(Code::Unproved, format!("the sidecars of {env} are in {claimed}, not in {word}"))
            .hint(format!("`--local-dir {claimed}` if that is the folder"))
            .into()
    }
}

impl UserFolder {
    /// Where sidecars are taken back or written, on the grounds of what says that the folder is the environment's.
    pub(crate) fn site<'a>(
        &'a self,
        env: &'a Tree,
        seal: Option<&'a Seal<'a>>,
        places: &'a Places,
    ) -> Site<'a> {
        let site = Site::user_folder(env, &self.tree, &self.path, seal);
        match self.by {
            By::Proof => site,
            By::Word => Site { grounds: Grounds::Word(places), ..site },
        }
    }
}

fn open(path: &Path) -> Result<Tree> {
    match Tree::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::new(
            Code::WorkDirGone,
            format!("the work dir {} does not exist", path.display()),
        )
        .hint(
            "put the folder back to its place, or prepare the task again: `execenv prepare`, or `execenv \
                     reuse --or-prepare`",
        )
        .into()),
        tree => tree.with_context(|| format!("open {}", path.display())),
    }
}

/// Whether something may be at a path. A disk that does not answer may be back.
fn may_be_there(path: &Path) -> bool {
    silent::is_there(path).unwrap_or(true)
}
