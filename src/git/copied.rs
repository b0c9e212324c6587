//! A repository of its own with the work of a checkout: no link to the first one is left, and no object is shared with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::base::Head;
use super::checkout::Checkout;
use super::picture::{Bounds, Objects, Ours};
use super::view::GitFolders;
use crate::sys::tree::Tree;

/// The longest that it may take: a large history is copied.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// What of the repository's configuration the copy gets.
const KEPT: &str =
    r"^(remote\..*\.(url|pushurl|fetch|promisor|partialclonefilter)|branch\..*\.(remote|merge))$";
/// Where a shallow history ends, and how much of that is read, in bytes.
const SHALLOW: &str = "shallow";
const MOST_OF_SHALLOW: u64 = 64 << 20;

impl Checkout {
    /// Makes an empty folder a repository with what is checked out, the branches of the remotes, the tags, and the working files:
    /// changes are uncommitted there, too, and new files are not tracked. Files in `ours` are left out. The copy of a shallow or
    /// partial clone is one, too. Returns the repositories among the files, of which only the commit is copied.
    ///
    /// # Errors
    /// As git and the system report them; the folder is then half made.
    pub fn copy_to(&self, folder: &Tree, head: &Head, ours: &Ours, bounds: Bounds) -> Result<Vec<PathBuf>> {
        let making = || format!("make a repository in {}", folder.path().display());
        let git = Path::new(".git");
        folder.make_dir(git, 0o755).with_context(making)?;
        let git_dir = folder.plain_subtree(git).with_context(making)?;
        let settings = self.repository().look(["config", "--local", "-z", "--get-regexp", KEPT]).answer()?;
        let config = configuration(&settings.unwrap_or_default(), head);
        let checked_out = match (&head.branch, &head.commit) {
            (Some(branch), _) => format!("ref: refs/heads/{branch}\n"),
            (None, Some(commit)) => format!("{commit}\n"),
            (None, None) => "ref: refs/heads/main\n".to_owned(),
        };
        git_dir
            .make_dir(Path::new("objects"), 0o755)
            .and_then(|()| git_dir.make_dir(Path::new("refs"), 0o755))
            .and_then(|()| git_dir.create_unseen(Path::new("config"), config.as_bytes(), 0o644))
            .and_then(|()| git_dir.create_unseen(Path::new("HEAD"), checked_out.as_bytes(), 0o644))
            .with_context(making)?;
        // Before the history comes, or git refuses one that ends there.
        let common = Tree::open(&self.folders().common).with_context(making)?;
        if let Some(ends) = common.read(Path::new(SHALLOW), MOST_OF_SHALLOW).with_context(making)? {
            git_dir.create_unseen(Path::new(SHALLOW), &ends, 0o644).with_context(making)?;
        }
        let writable = [folder.try_clone().with_context(making)?];
        let beside = self.repository();
        let copy = beside.beside(git_dir.path()).around(&writable).within(LIMIT, beside.stop());
        let mut refs =
            vec!["+refs/tags/*:refs/tags/*".to_owned(), "+refs/remotes/*:refs/remotes/*".to_owned()];
        refs.push("^refs/remotes/origin/HEAD".to_owned());
        if let Some(commit) = &head.commit {
            let name = head.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
            // One without a branch is kept as git keeps the last fetch.
            refs.push(format!("+{commit}:{}", name.as_deref().unwrap_or("refs/execenv/detached")));
        }
        let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
        copy.copy_from(beside.beside(&self.folders().common), &refs)?;

        let picture = self.picture(ours, bounds, Objects::Dropped)?;
        picture.warn_of_special_files();
        let files = beside.beside(folder.path()).around(&writable).within(LIMIT, beside.stop());
        let own = git_dir.path().to_owned();
        let view = files.view_of_files(&GitFolders { own: own.clone(), common: own })?;
        let write = ["read-tree", "--reset", "-u", picture.tree()];
        picture.lend(files.work(write).through(&view).and_to(view.tree())).output()?;
        // The index holds what is committed: all else is a change.
        let committed = head
            .commit
            .as_deref()
            .map_or_else(|| vec!["read-tree", "--empty"], |commit| vec!["read-tree", "--reset", commit]);
        files.work(committed).through(&view).and_to(view.tree()).output()?;
        Ok(picture.links().to_vec())
    }
}

/// The configuration of the copy. An agent may have written the settings: an address that names a helper program is left out.
fn configuration(listed: &[u8], head: &Head) -> String {
    let id = head.commit.as_deref().unwrap_or_default();
    let is_sha256 = id.len() == 64;
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {}\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n",
        u8::from(is_sha256)
    );
    if is_sha256 {
        text.push_str("[extensions]\n\tobjectformat = sha256\n");
    }
    let listed = String::from_utf8_lossy(listed);
    let parsed = || {
        listed.split('\0').filter_map(|setting| {
            let (key, value) = setting.split_once('\n')?;
            let (section, rest) = key.split_once('.')?;
            let (name, key) = rest.rsplit_once('.')?;
            Some((section, name, key, value))
        })
    };
    let is_bad = |text: &str| text.chars().any(char::is_control);
    let is_program = |(_, _, key, value): &(&str, &str, &str, &str)| {
        matches!(*key, "url" | "pushurl") && value.contains("::")
    };
    // A remote without its address would be one all the same.
    let dropped: Vec<&str> = parsed().filter(is_program).map(|(_, name, ..)| name).collect();
    for (section, name, key, value) in parsed() {
        if is_bad(name) || is_bad(value) || section == "remote" && dropped.contains(&name) {
            continue;
        }
        let quoted = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
        let written = writeln!(text, "[{section} \"{}\"]\n\t{key} = \"{}\"", quoted(name), quoted(value));
        written.expect("a String takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_kept_but_for_addresses_that_are_programs() {
        let listed = b"remote.o\"x.url\n/a \\b\0remote.o\"x.fetch\n+refs/heads/*:refs/remotes/o/*\0remote.e.url\next::sh -c x\0\
                       branch.main.remote\no\0remote.n.url\na\nb\0";
        let text = configuration(listed, &Head::default());
        let expected = "[remote \"o\\\"x\"]\n\turl = \"/a \\\\b\"\n[remote \"o\\\"x\"]\n\tfetch = \"+refs/heads/*:refs/remotes/o/*\"\n\
                        [branch \"main\"]\n\tremote = \"o\"\n";
        assert!(text.ends_with(expected) && !text.contains("extensions"), "{text}");
        let head = Head { commit: Some("a".repeat(64)), ..Head::default() };
        assert!(configuration(b"", &head).contains("objectformat = sha256"));
    }
}
