//! Changes of the index and the working files of a checkout: through a view, so that no filter and no hook of the repository
//! runs, only of files that are named, and all or nothing.
//!
//! Git works on a copy of the index, which takes the place of the index at the end. Until then what was done is taken back: by this
//! process after an error, by the next command (`interrupted.rs`) after a kill. A git that writes files ends with this process.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::command::GitCommand;
use super::conflict::{Conflict, Side};
use super::failure::GitFailure;
use super::index_file::{IndexLock, copy_index, is_locked};
use super::interrupted::Journal;
use super::profile::Work;
use super::working::{Working, nul_lines, paths};
use crate::sys::tree::Tree;

/// Files that a change would lose; git's own words. Nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct InTheWay(pub String);

/// The index and the working files of a checkout, while they are changed. Without [`finish`](Changing::finish) nothing is.
#[derive(Debug)]
pub struct Changing<'a> {
    checkout: &'a Checkout,
    working: Working<'a>,
    journal: Journal,
    lock: Option<IndexLock>,
    is_installed: bool,
}

impl Checkout {
    /// For changes of the index, and of files that can be written again by the same command.
    ///
    /// # Errors
    /// As [`Checkout::repair`].
    pub fn change(&self) -> Result<Changing<'_>> {
        self.begin(self.working()?, Journal::default())
    }

    /// Brings index and files from one commit or tree to another, as a checkout does. What would be lost stops it. `head` is the
    /// commit that HEAD is to be moved to before the change is finished.
    ///
    /// # Errors
    /// As [`Checkout::repair`].
    pub fn switch(
        &self,
        from: &str,
        to: &str,
        head: Option<&str>,
    ) -> Result<std::result::Result<Changing<'_>, InTheWay>> {
        self.repair()?;
        let had = self.there_already(from, to)?;
        let head = head.unwrap_or_default().to_owned();
        let journal = Journal { from: from.to_owned(), to: to.to_owned(), head, had };
        let changing = self.begin(self.working_files()?, journal)?;
        // Files that were copied, with the environment say, only look changed. What is changed makes it fail.
        changing.refresh();
        let tried = changing.work(["read-tree", "-m", "-u", "--dry-run", from, to]).output();
        if let Err(error) = tried {
            return match GitFailure::find(&error) {
                Some(failure) if failure.is_refusal() => Ok(Err(InTheWay(failure.stderr.trim().to_owned()))),
                _ => Err(error),
            };
        }
        changing.write(["read-tree", "-m", "-u", from, to]).output()?;
        Ok(Ok(changing))
    }

    /// Makes the index and the working files those of a tree, whatever they are now. Files that git does not track stay, unless
    /// one of the tree takes their place. HEAD stays.
    ///
    /// # Errors
    /// As git reports it.
    pub fn write_files(&self, tree: &str) -> Result<()> {
        let journal = Journal { to: tree.to_owned(), ..Journal::default() };
        let changing = self.begin(self.working_files()?, journal)?;
        changing.write(["read-tree", "--reset", "-u", tree]).output()?;
        changing.finish()
    }

    fn begin<'a>(&'a self, working: Working<'a>, journal: Journal) -> Result<Changing<'a>> {
        self.repair()?;
        let own = &self.folders().own;
        let tree = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        let lock = IndexLock::take(tree, &journal.text())?.ok_or_else(|| is_locked(own))?;
        let changing = Changing { checkout: self, working, journal, lock: Some(lock), is_installed: false };
        // As it is now that no one else changes it.
        let tree = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        copy_index(&tree, changing.folder())?;
        Ok(changing)
    }
}

impl<'a> Deref for Changing<'a> {
    type Target = Working<'a>;

    fn deref(&self) -> &Working<'a> {
        &self.working
    }
}

impl Changing<'_> {
    /// Puts the changed index into its place. What is done stays from then on, unless HEAD is to be moved and is not.
    ///
    /// # Errors
    /// As the system reports them; nothing is changed then.
    pub fn install(&mut self) -> Result<()> {
        self.refresh();
        self.lock.as_ref().context("it is finished")?.install(self.folder())?;
        self.is_installed = true;
        Ok(())
    }

    /// Ends the change: index and files stay as they are now.
    ///
    /// # Errors
    /// As [`Changing::install`].
    pub fn finish(mut self) -> Result<()> {
        if !self.is_installed {
            self.install()?;
        }
        self.lock.take().context("it is finished")?.end()
    }

    /// Puts the versions of each conflict into the index.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn put_conflicts(&self, conflicts: &[Conflict]) -> Result<()> {
        self.put_lines(conflicts.iter().flat_map(Conflict::index_lines).collect())
    }

    /// Resolves conflicts by the version of one side. Submodules change in the index only.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn take(&self, conflicts: &[Conflict], side: Side) -> Result<()> {
        let has_file =
            |conflict: &&Conflict| conflict.version(side).is_some_and(|version| !version.is_submodule());
        let names = nul_lines(conflicts.iter().filter(has_file).map(|conflict| conflict.path.as_path()));
        if !names.is_empty() {
            let write = ["checkout-index", "--force", "--quiet", "-z", "--stdin", side.stage()];
            self.write(write).input(names).output()?;
        }
        for conflict in conflicts.iter().filter(|conflict| conflict.version(side).is_none()) {
            self.remove(&conflict.path)?;
        }
        self.put_lines(conflicts.iter().flat_map(|conflict| conflict.taken_lines(side)).collect())
    }

    /// Puts working files into the index as they are; one that is not there is taken out.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn add<'p>(&self, files: impl Iterator<Item = &'p Path>) -> Result<()> {
        let add = ["-c", "core.safecrlf=false", "update-index", "--add", "--remove", "-z", "--stdin"];
        self.work(add).input(nul_lines(files)).output().map(drop)
    }

    /// Takes these paths out of what is staged: the index has them as HEAD does.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn unstage(&self, files: &[PathBuf]) -> Result<()> {
        let reset = ["reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul"];
        let files = nul_lines(files.iter().map(PathBuf::as_path));
        self.work(reset).variable("GIT_LITERAL_PATHSPECS", "1").input(files).output().map(drop)
    }

    /// Brings these files back to HEAD's commit, and the whole index. Other files stay as they are: what was staged of them is
    /// not staged any more.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn restore(&self, files: &[PathBuf]) -> Result<()> {
        let index = self.folder().path().join("restored");
        let absent = self.absent_by_choice()?;
        self.work(["read-tree", "HEAD"]).variable("GIT_INDEX_FILE", &index).output()?;
        let list = self.work(["ls-files", "-z", "--full-name"]).variable("GIT_INDEX_FILE", &index);
        let known: BTreeSet<PathBuf> = paths(&list.output()?).into_iter().collect();
        let wanted: Vec<&Path> =
            files.iter().map(PathBuf::as_path).filter(|path| !absent.contains(*path)).collect();
        // First what goes: a folder may take the place of a file.
        for file in wanted.iter().filter(|file| !known.contains(**file)) {
            self.remove(file)?;
        }
        let back = nul_lines(wanted.iter().copied().filter(|file| known.contains(*file)));
        if !back.is_empty() {
            let write = ["checkout-index", "--force", "--quiet", "-z", "--stdin"];
            self.write(write).variable("GIT_INDEX_FILE", &index).input(back).output()?;
        }
        self.work(["read-tree", "--reset", "HEAD"]).output()?;
        if !absent.is_empty() {
            // Which files a sparse checkout leaves out is decided where files are updated.
            self.write(["read-tree", "-m", "-u", "HEAD"]).output()?;
        }
        Ok(())
    }

    /// A call that writes working files.
    fn write<'w, 's>(&'w self, args: impl IntoIterator<Item = &'s str>) -> GitCommand<'w, Work> {
        let call = self.work(args).bound();
        match &self.lock {
            Some(lock) => call.holding(lock.file()),
            None => call,
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take() else { return };
        // Without it the lock stays, by which the next command knows what is left.
        let taken_back = self.checkout.take_back(&self.journal, &lock).and_then(|_| lock.end());
        if let Err(error) = taken_back {
            let dir = self.checkout.dir().display();
            log::warn!(
                "files in {dir} are half written, and the next command for it takes that back: {error:#}"
            );
        }
    }
}
