//! Taking sidecars back out of a user folder, whichever command does it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lock::path_lock;
use super::locked::LockedEnv;
use super::path::quoted;
use super::places::{KNOWN_BY_NAME, every_place};
use super::trust::Trust;
use super::user_folder::{By, UserFolder};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider;
use crate::sidecar::{EntryKind, Manifest, Record, State, TakenBack, infer, take_back};
use crate::sys::silent;
use crate::sys::tree::Tree;

impl LockedEnv {
    /// Takes the sidecars back out of the user folder; in a managed work dir they are removed with it. `locked` is the
    /// identity of a folder that the caller has locked.
    ///
    /// # Errors
    /// Those of [`FoundEnv::user_folder`](super::lookup::FoundEnv::user_folder), and [`Code::PathBusy`]; nothing has
    /// been changed then. What goes wrong with a single sidecar is in the report.
    pub(super) fn take_sidecars_back(
        &self,
        trust: Trust<'_>,
        locked: Option<(u64, u64)>,
    ) -> Result<TakenBack> {
        let tree = &self.env.tree;
        if !self.work_dir.is_user_folder() && trust.local_dir.is_none() {
            return Ok(TakenBack::default());
        }
        let manifest = match Manifest::load_even_damaged(tree)? {
            // The user's word stands in for a list that cannot be read; the file itself is kept.
            Err(_) if trust.local_dir.is_some() => None,
            Err(_) => Manifest::load(tree)?,
            Ok(manifest) => manifest,
        };
        if manifest.as_ref().is_some_and(Manifest::is_taken_back) {
            return Ok(TakenBack::default());
        }
        let folder = match self.user_folder(manifest.as_ref(), trust) {
            Ok(Some(folder)) => folder,
            Ok(None) => return Ok(TakenBack::default()),
            Err(error) => return Err(self.explain_missing(error, manifest.as_ref(), trust)),
        };
        if let (By::Word, Some(manifest)) = (folder.by, &manifest)
            && !manifest.is_any_in(&folder.tree)
            && !self.has_inode(manifest, &folder)
        {
            return Err(self.has_nothing(&folder));
        }
        let looking = || format!("look at {}", folder.path.display());
        let _path_lock = match folder.tree.identity().with_context(looking)? {
            identity if locked == Some(identity) => None,
            _ => Some(path_lock(&self.root_tree()?, &folder.path.canonicalize().with_context(looking)?)?),
        };
        self.take_out_of(&folder, manifest, trust)
    }

    fn take_out_of(
        &self,
        folder: &UserFolder,
        manifest: Option<Manifest>,
        trust: Trust<'_>,
    ) -> Result<TakenBack> {
        let places = every_place();
        let is_lost = manifest.is_none();
        let mut manifest = match manifest {
            Some(manifest) => manifest,
            None => {
                keep_damaged(&self.env.tree)?;
                infer(&folder.tree, &folder.path, &KNOWN_BY_NAME)?
            }
        };
        manifest.move_to(&folder.path);
        // What the user's word alone speaks for does not become a proof.
        let seal = trust.keys.seal(&self.env.key()).filter(|_| folder.by == By::Proof);
        let site = folder.site(&self.env.tree, seal.as_ref(), &places);
        let mut report = take_back(&site, &mut manifest, &places.briefs)?;
        if is_lost {
            report.kept.extend(skill_folders(folder, &places.skills));
        }
        if manifest.record.is_none() && report.errors.is_empty() {
            // So that the next clean-up knows that there is nothing left.
            let record = Record { state: State::TakenBack, ..Record::of(&folder.path) };
            manifest.record = Some(record);
            manifest.store(&self.env.tree, None)?;
        }
        Ok(report)
    }

    /// Whether the user folder was certainly deleted, and its sidecars with it.
    pub(super) fn is_deleted(&self) -> bool {
        let manifest = Manifest::load(&self.env.tree).ok().flatten();
        manifest.is_some_and(|manifest| self.is_folder_gone(&manifest))
    }

    /// Where sidecars may still be, for a person: nothing was taken back, or not all of it.
    pub(super) fn places_left(&self) -> Vec<(PathBuf, String)> {
        let folder = self.work_dir.claimed();
        let in_folder = |path: &Path| folder.map_or_else(|| path.to_owned(), |folder| folder.join(path));
        let mut left = Vec::new();
        match Manifest::load(&self.env.tree) {
            Ok(Some(manifest)) => {
                let entries = manifest.record.iter().flat_map(|record| &record.entries);
                let briefs = entries.filter(|entry| entry.kind == EntryKind::Brief);
                left.extend(briefs.map(|entry| (in_folder(&entry.path), "holds execenv's block".to_owned())));
                let listed = manifest.files.iter().chain(&manifest.dirs);
                left.extend(listed.map(|path| (path.clone(), "listed, and not taken back".to_owned())));
            }
            // Without the list the places follow from the provider and from the copies.
            Ok(None) | Err(_) => {
                let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
                let row = own.and_then(|own| provider::find(&own.provider));
                let copies = self.env.tree.names(Path::new(names::BACKUP)).unwrap_or_default();
                let copies = copies.iter().filter_map(|name| name.to_str());
                let copied: Vec<String> = copies.map(|name| name.replace("__", "/")).collect();
                let brief =
                    row.and_then(|row| row.brief_file).filter(|brief| !copied.iter().any(|it| it == brief));
                let block = copied.iter().map(String::as_str).chain(brief);
                left.extend(
                    block.map(|path| (in_folder(path.as_ref()), "may hold execenv's block".to_owned())),
                );
                let skills = row.and_then(|row| row.skills_dir).unwrap_or(provider::GENERIC_SKILLS_DIR);
                let others = KNOWN_BY_NAME.into_iter().chain([skills]);
                left.extend(others.map(|path| (in_folder(path.as_ref()), "may be execenv's".to_owned())));
            }
        }
        left
    }

    /// The failure for a user folder that is not at its path.
    fn explain_missing(
        &self,
        error: anyhow::Error,
        manifest: Option<&Manifest>,
        trust: Trust<'_>,
    ) -> anyhow::Error {
        let path = trust.local_dir.or(self.work_dir.claimed());
        let is_missing = Failure::code_of(&error) == Code::WorkDirGone;
        let Some(path) = path.filter(|path| is_missing && silent::is_there(path) == Some(false)) else {
            return error;
        };
        let env = quoted(&self.env.path);
        let place = match manifest.and_then(|manifest| self.moved_to(manifest)) {
            Some(now) => quoted(&now),
            None => "FOLDER".to_owned(),
        };
        let message = format!("{} is not there; its sidecars are still in it", path.display());
        Failure::new(Code::WorkDirGone, message)
            .hint(format!(
                "put the folder back to its place, or name its new one: `execenv cleanup {env} --local-dir {place}`; if \
                 it was deleted: `execenv cleanup --all --force {env}`"
            ))
            .into()
    }

    fn has_nothing(&self, folder: &UserFolder) -> anyhow::Error {
        let (env, path) = (self.env.path.display(), folder.path.display());
        Failure::new(Code::Unproved, format!("nothing of what the record of {env} lists is in {path}"))
            .hint(format!(
                "name the folder that the environment worked in; if its sidecars were removed by hand: `execenv cleanup \
                 --all --forget {}`",
                quoted(&self.env.path)
            ))
            .into()
    }

    /// Whether a folder has the inode that the state files claim.
    fn has_inode(&self, manifest: &Manifest, folder: &UserFolder) -> bool {
        let recorded = manifest.record.as_ref().and_then(|record| record.folder.as_ref());
        let claimed =
            recorded.map(|folder| folder.inode).or(self.work_dir.identity().map(|(_, inode)| inode));
        folder.tree.identity().is_ok_and(|(_, inode)| claimed == Some(inode))
    }

    /// The open workspaces root above the environment.
    fn root_tree(&self) -> Result<Tree> {
        let above = self.env.path.parent().and_then(Path::parent).unwrap_or(&self.env.path);
        Tree::open(above).with_context(|| format!("open {}", above.display()))
    }
}

/// Puts a manifest that is damaged aside, before another one takes its place.
fn keep_damaged(env: &Tree) -> Result<()> {
    if matches!(env.kind(Path::new(names::MANIFEST)), Ok(None)) {
        return Ok(());
    }
    let kept = Path::new(names::OUTPUT).join(names::KEPT);
    let keeping = || format!("keep {}", env.path().join(names::MANIFEST).display());
    env.ensure_dir(Path::new(names::OUTPUT), 0o755).with_context(keeping)?;
    env.ensure_dir(&kept, 0o755).with_context(keeping)?;
    let name = format!("manifest-{}", uuid::Uuid::new_v4().simple());
    env.move_to(Path::new(names::MANIFEST), env, &kept.join(name)).with_context(keeping)
}

/// The skill folders of a work dir whose list is lost: nothing says which of them are the user's own.
fn skill_folders(folder: &UserFolder, skills: &[&'static str]) -> Vec<(PathBuf, String)> {
    let mut kept = Vec::new();
    for place in skills {
        for name in folder.tree.names(Path::new(place)).unwrap_or_default() {
            let why = "nothing says whether it is a skill of yours or of the task".to_owned();
            kept.push((folder.path.join(place).join(name), why));
        }
    }
    kept
}
