//! Carrying out a plan: in a managed work dir under construction, or announced in the manifest in a user folder.
//!
//! Order in a user folder, so that neither a kill nor a power cut leaves a file that no record mentions, or a record
//! of a file that is not whole: manifest; every file beside its place; sync; one rename each; sync; manifest.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::manifest::{Earlier, Manifest, State};
use super::plan::{SidecarPlan, Step, backup_name, temporary_of};
use super::site::Site;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::sys::tree::{Folders, Tree, folders_of, has_changed};

impl SidecarPlan {
    /// Carries out the plan in a work dir under construction: without an announcement or temporary names.
    ///
    /// # Errors
    /// As the system reports them; the caller removes the whole folder.
    pub fn apply_unseen(&self, work_tree: &Tree) -> Result<()> {
        let mut folders = Folders::below(work_tree);
        for step in &self.steps {
            let (Step::Dir { path } | Step::File { path, .. } | Step::Brief { path, .. }) = step;
            let done = folders.parent_of(path).and_then(|(folder, name)| match step {
                Step::Dir { .. } => folder.make_dir(name, 0o755),
                Step::File { bytes, mode, .. } | Step::Brief { bytes, mode, .. } => {
                    folder.create_unseen(name, bytes, *mode)
                }
            });
            done.with_context(|| format!("put {} into the work dir", path.display()))?;
        }
        Ok(())
    }

    /// Announces the plan in the env root's manifest, carries it out, and records there that it is complete.
    /// `earlier` is from the rounds before this one ([`Manifest::earlier`]).
    ///
    /// After a failure the announcement stays: the caller rolls back with it.
    ///
    /// # Errors
    /// As the system reports them; [`Code::Occupied`] if another program has changed a path since it was planned.
    pub fn apply(&self, site: &Site<'_>, token: &str, earlier: &Earlier) -> Result<Manifest> {
        let Site { env, work_tree, work_dir, seal, .. } = *site;
        let mut manifest = self.announce(work_dir, site.folder()?, token);
        manifest.follow(earlier);
        self.back_up(env, earlier)?;
        manifest.store(env, seal)?;
        for (number, step) in self.steps.iter().enumerate() {
            let done = step.write(work_tree, &temporary_of(token, number));
            done.map_err(|error| explain(work_tree, step.path(), error))?;
        }
        // A rename can reach the disk before the bytes of its file.
        let written = self.steps.iter().enumerate().filter_map(|(number, step)| {
            step.target().map(|target| target.with_file_name(temporary_of(token, number)))
        });
        work_tree.sync_entries(&written.collect::<Vec<_>>()).context("sync the sidecars")?;
        for (number, step) in self.steps.iter().enumerate() {
            let done = step.put_in_place(work_tree, &temporary_of(token, number));
            done.map_err(|error| explain(work_tree, step.path(), error))?;
        }
        work_tree.sync_entries(&self.folders()).context("sync the folders of the sidecars")?;
        if let Some(record) = manifest.record.as_mut() {
            record.state = State::Applied;
            // A layered file system has just made its own copy of the folder, with another time of birth.
            record.folder = site.folder()?;
        }
        manifest.store(env, seal)?;
        Ok(manifest)
    }

    /// Keeps each file that gets a block as it is, durably.
    fn back_up(&self, env: &Tree, earlier: &Earlier) -> Result<()> {
        let mut is_changed = false;
        for step in &self.steps {
            let Step::Brief { path, original, .. } = step else { continue };
            let backup = Path::new(names::BACKUP).join(backup_name(path));
            let was_there = earlier.touched.iter().any(|old| old.path == *path && old.before.is_some());
            let kept = if was_there { keep_first_backup(env, &backup) } else { Ok(()) };
            let saved = kept.and_then(|()| match original {
                None => env.remove_file(&backup),
                Some(original) => env
                    .ensure_dir(Path::new(names::BACKUP), 0o700)
                    .and_then(|()| env.replace(&backup, original, 0o600, names::TEMPORARY)),
            });
            saved.with_context(|| format!("back up {}", path.display()))?;
            is_changed |= original.is_some();
        }
        if is_changed {
            env.sync_entries(&[names::BACKUP]).context("sync the backups")?;
        }
        Ok(())
    }

    /// The folders in which something is new: those that it makes, and those that what it makes lies in.
    fn folders(&self) -> Vec<PathBuf> {
        let made = self.steps.iter().filter(|step| step.target().is_none()).map(Step::path);
        let targets = self.steps.iter().filter_map(Step::target);
        let mut folders = folders_of(made.clone().chain(targets));
        folders.extend(made.map(Path::to_owned));
        order::sort(&mut folders);
        folders.dedup();
        folders
    }
}

impl Step {
    fn path(&self) -> &Path {
        let (Step::Dir { path } | Step::File { path, .. } | Step::Brief { path, .. }) = self;
        path
    }

    /// The place of the file that it makes or replaces; `None` for a folder.
    fn target(&self) -> Option<&Path> {
        match self {
            Step::Dir { .. } => None,
            Step::File { path, .. } => Some(path),
            Step::Brief { target, .. } => Some(target),
        }
    }

    /// Makes the folder, or writes the file beside its place.
    fn write(&self, work_tree: &Tree, temporary: &str) -> io::Result<()> {
        match self {
            Step::Dir { path } => work_tree.make_dir(path, 0o755),
            Step::File { path, bytes, mode } => work_tree.write_beside(path, temporary, bytes, *mode),
            Step::Brief { target, bytes, original: Some(_), .. } => {
                work_tree.write_beside_like(target, temporary, bytes, None)
            }
            Step::Brief { target, bytes, mode, original: None, .. } => {
                work_tree.write_beside(target, temporary, bytes, *mode)
            }
        }
    }

    fn put_in_place(&self, work_tree: &Tree, temporary: &str) -> io::Result<()> {
        match self {
            Step::Dir { .. } => Ok(()),
            Step::Brief { target, original: Some(original), .. } => {
                work_tree.place_over(target, temporary, original)
            }
            Step::File { path: target, .. } | Step::Brief { target, .. } => {
                work_tree.place_new(target, temporary)
            }
        }
    }
}

fn explain(work_tree: &Tree, path: &Path, error: io::Error) -> anyhow::Error {
    let happened = match error.kind() {
        io::ErrorKind::AlreadyExists => Some("come up"),
        _ => has_changed(&error).then_some("changed"),
    };
    match happened {
        Some(happened) => {
            let shown = work_tree.path().join(path);
            Failure::new(Code::Occupied, format!("{} has just {happened}", shown.display()))
                .hint("stop other programs that write to the folder, then try again")
                .into()
        }
        None => anyhow::Error::new(error).context(format!("put {} into the work dir", path.display())),
    }
}

/// Keeps the first round's backup as `<name>.first`: the file as it was before `prepare`. The next round backs up
/// what it finds.
fn keep_first_backup(env: &Tree, backup: &Path) -> io::Result<()> {
    let mut first = backup.to_owned();
    first.as_mut_os_string().push(".first");
    if env.kind(&first)?.is_some() || env.kind(backup)?.is_none() {
        return Ok(());
    }
    env.move_to(backup, env, &first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sidecar::Planner;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_file_saved_after_planning_is_not_overwritten() {
        let tmp = tempfile::tempdir().unwrap();
        let (env, work) = (tmp.path().join("env"), tmp.path().join("work"));
        for folder in [&env, &work] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(work.join("CLAUDE.md"), "mine\n").unwrap();
        let (env, tree) = (Tree::open(&env).unwrap(), Tree::open(&work).unwrap());
        let mut planner = Planner::new(&tree, Path::new(""));
        planner.brief(Path::new("CLAUDE.md"), "brief").unwrap();
        let plan = planner.finish();
        let site = Site::managed(&env, &tree, &work);
        for (n, saved) in ["mine\nand more\n", "MINE\n", ""].iter().enumerate() {
            std::fs::write(work.join("CLAUDE.md"), saved).unwrap();
            let error = plan.apply(&site, &n.to_string(), &Earlier::default()).unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::Occupied);
            assert!(error.to_string().ends_with("CLAUDE.md has just changed"), "{error}");
            assert_eq!(std::fs::read_to_string(work.join("CLAUDE.md")).unwrap(), *saved);
            let mut manifest = Manifest::load(&env).unwrap().unwrap();
            crate::sidecar::take_back(&site, &mut manifest, &[]).unwrap();
            assert_eq!(tree.names(Path::new("")).unwrap(), ["CLAUDE.md"]);
        }
    }
}
