//! The few files that make a repository, written here: `git init` would copy the user's templates, hooks among them.

use std::path::Path;

use anyhow::{Context, Result};

use crate::git::{BLOBLESS, BRANCHES, Repository};
use crate::sys::tree::Tree;

/// What a new repository is.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRepo<'a> {
    /// The address of its origin, without secrets.
    pub(super) address: &'a str,
    pub(super) is_bare: bool,
    /// It lacks the contents of files that were not checked out.
    pub(super) is_partial: bool,
    /// It has some folders checked out only.
    pub(super) is_sparse: bool,
    /// The length of the ids of its objects in hexadecimal digits.
    pub(super) id_length: usize,
    /// The branch that its HEAD names, without `refs/heads/`.
    pub(super) branch: Option<&'a str>,
}

/// Makes an open folder a repository.
pub(super) fn create(folder: &Tree, new: &NewRepo<'_>) -> Result<()> {
    let making = || format!("make a repository in {}", folder.path().display());
    let head = format!("ref: refs/heads/{}\n", new.branch.unwrap_or("main"));
    for name in ["objects", "refs"] {
        folder.ensure_dir(Path::new(name), 0o755).with_context(making)?;
    }
    folder
        .create_unseen(Path::new("config"), configuration(new).as_bytes(), 0o644)
        .and_then(|()| folder.create_unseen(Path::new("HEAD"), head.as_bytes(), 0o644))
        .with_context(making)
}

fn configuration(new: &NewRepo<'_>) -> String {
    let mut extensions = String::new();
    if new.id_length == 64 {
        extensions.push_str("\tobjectformat = sha256\n");
    }
    if new.is_partial {
        extensions.push_str("\tpartialclone = origin\n");
    }
    let version = u8::from(!extensions.is_empty());
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = {}\n",
        new.is_bare
    );
    if !new.is_bare {
        // Git's own default for a repository with working files.
        text.push_str("\tlogallrefupdates = true\n");
    }
    if new.is_sparse {
        text.push_str("\tsparseCheckout = true\n\tsparseCheckoutCone = true\n");
    }
    if !extensions.is_empty() {
        text.push_str("[extensions]\n");
        text.push_str(&extensions);
    }
    let address = new.address.replace('\\', r"\\").replace('"', "\\\"");
    text.push_str(&format!("[remote \"origin\"]\n\turl = \"{address}\"\n\tfetch = {BRANCHES}\n"));
    if new.is_partial {
        text.push_str(&format!("\tpromisor = true\n\tpartialclonefilter = {BLOBLESS}\n"));
    }
    if !new.is_bare {
        // By which multica knows it.
        text.push_str("[multica]\n\tcheckout-mode = isolated\n");
    }
    text
}

/// What a shared repository's configuration says of its origin. An agent can write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// The first address.
    pub(super) address: String,
    /// A fetch keeps the remote's branches apart from those of worktrees.
    pub(super) has_our_refspec: bool,
    pub(super) is_partial: bool,
}

/// Reads that.
pub(super) fn stored(git: Repository<'_>) -> Result<Stored> {
    let words = ["config", "--local", "-z", "--get-regexp", r"^remote\.origin\.(url|fetch|promisor)$"];
    let listed = git.look(words).answer()?.unwrap_or_default();
    Ok(parse(&String::from_utf8_lossy(&listed)))
}

fn parse(listed: &str) -> Stored {
    let mut stored = Stored::default();
    let mut refspecs = Vec::new();
    for setting in listed.split('\0') {
        let (key, value) = setting.split_once('\n').unwrap_or((setting, "true"));
        match key {
            "remote.origin.url" if stored.address.is_empty() => value.clone_into(&mut stored.address),
            "remote.origin.fetch" => refspecs.push(value.trim_start_matches('+')),
            "remote.origin.promisor" => stored.is_partial = value == "true",
            _ => {}
        }
    }
    stored.has_our_refspec = refspecs == [BRANCHES.trim_start_matches('+')];
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legacy_refspec_is_seen() {
        let url = "remote.origin.url\nhttps://h/x\0";
        for (listed, is_ours) in [
            ("remote.origin.fetch\n+refs/heads/*:refs/remotes/origin/*\0", true),
            ("remote.origin.fetch\nrefs/heads/*:refs/remotes/origin/*\0", true),
            ("remote.origin.fetch\n+refs/heads/*:refs/heads/*\0", false),
            ("", false),
            (
                "remote.origin.fetch\n+refs/heads/*:refs/remotes/origin/*\0remote.origin.fetch\n+refs/*:refs/*\0",
                false,
            ),
        ] {
            let stored = parse(&format!("{url}{listed}"));
            assert_eq!(
                (stored.address.as_str(), stored.has_our_refspec),
                ("https://h/x", is_ours),
                "{listed:?}"
            );
        }
        assert!(
            parse("remote.origin.promisor\ntrue\0").is_partial
                && parse("remote.origin.promisor\0").is_partial
        );
    }

    #[test]
    fn a_configuration_holds_any_address() {
        let new = NewRepo {
            address: "/a \"b\\c",
            is_bare: true,
            is_partial: false,
            is_sparse: false,
            id_length: 40,
            branch: None,
        };
        let text = configuration(&new);
        assert!(text.contains("\turl = \"/a \\\"b\\\\c\"\n"), "{text}");
        let text = configuration(&NewRepo { is_partial: true, id_length: 64, ..new });
        assert!(
            text.contains("repositoryformatversion = 1") && text.contains("objectformat = sha256"),
            "{text}"
        );
    }
}
