//! A tree made of a patch, through a view: no filter and no hook of the repository runs.

use anyhow::Result;

use super::checkout::Checkout;
use super::commit::NewCommit;
use super::failure::GitFailure;
use super::identity::GitIdentity;

/// A patch that fits nothing; git's own words.
#[derive(Debug, PartialEq, Eq)]
pub struct DoesNotApply(pub String);

impl Checkout {
    /// Whether this is a commit of the repository.
    ///
    /// # Errors
    /// As git reports it.
    pub fn has_commit(&self, id: &str) -> Result<bool> {
        Ok(self.commit_of(id)?.is_some())
    }

    /// The id of the commit that a name leads to.
    ///
    /// # Errors
    /// As git reports it.
    pub fn commit_of(&self, name: &str) -> Result<Option<String>> {
        self.repository().commit_of(name)
    }

    /// The tree that a patch makes of a commit; of nothing where `base` is `None`. Working files and index are not touched.
    ///
    /// # Errors
    /// As git reports it.
    pub fn patched(
        &self,
        base: Option<&str>,
        patch: Vec<u8>,
    ) -> Result<std::result::Result<String, DoesNotApply>> {
        let repository = self.repository();
        let view = repository.view_of_files(self.folders())?;
        let index = view.tree().path().join("index");
        let call = |args: &[&str]| {
            let call = repository.work(args.iter().copied()).through(&view).and_to(view.tree());
            call.variable("GIT_INDEX_FILE", &index)
        };
        if let Some(base) = base {
            call(&["read-tree", base]).output()?;
        }
        if !patch.is_empty() {
            let apply = ["apply", "--cached", "--binary", "--3way", "--whitespace=nowarn", "-"];
            if let Err(error) = call(&apply).input(patch).output() {
                return match GitFailure::find(&error) {
                    Some(failure) if failure.is_refusal() => {
                        Ok(Err(DoesNotApply(failure.stderr.trim().to_owned())))
                    }
                    _ => Err(error),
                };
            }
        }
        match call(&["write-tree"]).text() {
            Ok(tree) => Ok(Ok(tree)),
            // What a three-way merge could not bring together is left in the index.
            Err(error) => match GitFailure::find(&error) {
                Some(failure) if failure.is_refusal() => {
                    Ok(Err(DoesNotApply(failure.stderr.trim().to_owned())))
                }
                _ => Err(error),
            },
        }
    }

    /// Commits a tree on what is checked out.
    ///
    /// # Errors
    /// As git reports it, also where the branch has moved meanwhile.
    pub fn commit_tree(&self, tree: &str, message: &str, by: &GitIdentity) -> Result<String> {
        let repository = self.repository();
        let head = self.head()?.commit;
        let parents: Vec<&str> = head.as_deref().into_iter().collect();
        let commit = self.make_commit(NewCommit { tree, parents: &parents, message, by })?;
        let before = head.as_deref().unwrap_or("");
        repository.work(["update-ref", "-m", "execenv restore", "HEAD", &commit, before]).output()?;
        Ok(commit)
    }
}
