//! A view of a repository with a configuration of ours.
//!
//! `status`, `add` and `gc` run programs that a repository's configuration names: filters, hooks without a switch. Who can
//! write to the repository can swap that configuration between our look and git's use. So those calls get a git folder of
//! ours, outside of every environment: HEAD and harmless settings are copied, all else is links to the repository, as in a
//! `git-new-workdir`. Calls that run nothing whatever the configuration says (`rev-list`, `for-each-ref`, `ls-files`,
//! `hash-object --no-filters`, `update-ref`, …) need none.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::GitCommand;
use super::profile::Profile;
use super::reftable::{TABLES, has_tables};
use super::repository::Repository;
use super::scratch::{Scratch, Where};
use crate::sys::silent::{is_one_path, resolve};
use crate::sys::tree::Tree;

/// What a repository shares with its linked worktrees.
const SHARED: [&str; 7] = ["objects", "refs", "packed-refs", "logs", "shallow", "worktrees", TABLES];
/// Where a repository registers its linked worktrees.
pub(super) const WORKTREES: &str = "worktrees";
/// The part of a view that stands for the repository, where that is not the worktree's own folder.
const COMMON: &str = "common";
/// What of that a view without refs has.
const OF_FILES: [&str; 2] = ["objects", "shallow"];
/// The HEAD of a view without refs: a branch that is not there.
const NO_HEAD: &[u8] = b"ref: refs/heads/none\n";
/// What it shares below `info`.
const SHARED_INFO: [&str; 3] = ["exclude", "attributes", "grafts"];
/// The longest HEAD, and the longest path of a worktree, that is read, in bytes.
const MOST_OF_HEAD: u64 = 4 << 10;
const MOST_OF_A_PATH: u64 = 16 << 10;

/// The two git folders of a repository or worktree, as `git rev-parse` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitFolders {
    /// Its own: HEAD, the index, operations in progress.
    pub(super) own: PathBuf,
    /// The repository's: objects and refs. The same one, but for a linked worktree.
    pub(super) common: PathBuf,
}

impl GitFolders {
    /// Whether the repository itself has `path` registered as a linked worktree. A `.git` file alone proves nothing: who
    /// can write it can name any repository in it, or a registration somewhere else that names one.
    pub(super) fn know_worktree(&self, path: &Path) -> bool {
        let (own, common) = (resolve(&self.own), resolve(&self.common));
        let is_in_it = own
            .zip(common)
            .is_some_and(|(own, common)| own.parent().is_some_and(|above| above == common.join(WORKTREES)));
        if !is_in_it {
            return false;
        }
        let registered =
            Tree::open(&self.own).and_then(|tree| tree.read(Path::new("gitdir"), MOST_OF_A_PATH));
        let Ok(Some(registered)) = registered else { return false };
        let named = registered.strip_suffix(b"\n").unwrap_or(&registered);
        let Some(named) = Path::new(OsStr::from_bytes(named)).parent() else { return false };
        // A path may be relative to the registration.
        is_one_path(path, &self.own.join(named))
    }
}

/// A view of a repository; gone with this.
#[derive(Debug)]
pub(super) struct View {
    folder: Scratch,
    index: PathBuf,
    work_tree: Option<PathBuf>,
}

/// Whether a view has the repository's refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refs {
    /// It has.
    Shared,
    /// It has none.
    None,
}

impl View {
    /// The folder, to which git may write a lock file.
    pub(super) fn tree(&self) -> &Tree {
        self.folder.tree()
    }
}

impl Repository<'_> {
    /// The git folders.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub(super) fn git_folders(&self) -> Result<GitFolders> {
        let both = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
        let answer = self.look(both).output()?;
        let mut lines =
            answer.split(|byte| *byte == b'\n').map(|line| PathBuf::from(OsStr::from_bytes(line)));
        if let (Some(own), Some(common), Some(end), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
            && end.as_os_str().is_empty()
        {
            return Ok(GitFolders { own, common });
        }
        // A path with a line end in it.
        Ok(GitFolders { own: self.git_folder("--git-dir")?, common: self.git_folder("--git-common-dir")? })
    }

    /// A view of this repository: of its working files, or of a bare one.
    ///
    /// # Errors
    /// When the repository cannot be read, or there is no place for the view.
    pub(super) fn view(&self, folders: &GitFolders, is_bare: bool) -> Result<View> {
        let work_tree = (!is_bare).then(|| self.dir().to_owned());
        self.make_view(folders, work_tree, Refs::Shared, "")
    }

    /// The same with settings more, in the form of a configuration file.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn view_with(&self, folders: &GitFolders, is_bare: bool, more: &str) -> Result<View> {
        let work_tree = (!is_bare).then(|| self.dir().to_owned());
        self.make_view(folders, work_tree, Refs::Shared, more)
    }

    /// A view for calls that name commits and trees by their ids: the working files and the index, and no ref.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn view_of_files(&self, folders: &GitFolders) -> Result<View> {
        self.make_view(folders, Some(self.dir().to_owned()), Refs::None, "")
    }

    /// All settings that hold in this repository, each with its scope.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub(super) fn settings(&self) -> Result<Vec<u8>> {
        self.look(["config", "--includes", "--show-scope", "-z", "--list"]).output()
    }

    /// A view of the working files, where the settings have been listed already.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn view_by(&self, folders: &GitFolders, settings: &[u8]) -> Result<View> {
        let config = our_config(settings, false, Refs::Shared);
        self.make_view_by(folders, Some(self.dir().to_owned()), Refs::Shared, &config)
    }

    fn make_view(
        &self,
        folders: &GitFolders,
        work_tree: Option<PathBuf>,
        refs: Refs,
        more: &str,
    ) -> Result<View> {
        let config = our_config(&self.settings()?, work_tree.is_none(), refs) + more;
        self.make_view_by(folders, work_tree, refs, &config)
    }

    fn make_view_by(
        &self,
        folders: &GitFolders,
        work_tree: Option<PathBuf>,
        refs: Refs,
        config: &str,
    ) -> Result<View> {
        let GitFolders { own, common } = folders;
        let opened = |path: &Path| Tree::open(path).with_context(|| format!("open {}", path.display()));
        let own_tree = opened(own)?;
        let reading = || format!("read {}", own.join("HEAD").display());
        let head = own_tree.read(Path::new("HEAD"), MOST_OF_HEAD).with_context(reading)?;
        let mut head = head.with_context(|| format!("{} has no HEAD", own.display()))?;
        // HEAD is in the tables of the worktree, and a view that stands for both has room for those of one.
        let mut place = PathBuf::new();
        if refs == Refs::None {
            head = NO_HEAD.to_vec();
        } else if own != common && has_tables(&own_tree) {
            place = COMMON.into();
        }
        let has_two_folders = !place.as_os_str().is_empty();
        let mut links: Vec<(PathBuf, PathBuf)> =
            SHARED.iter().map(|name| (name.into(), common.join(name))).collect();
        if refs == Refs::None {
            links.retain(|(name, _)| OF_FILES.iter().any(|kept| name == Path::new(kept)));
        }
        links.extend(SHARED_INFO.iter().map(|name| Path::new("info").join(name)).map(|name| {
            let target = common.join(&name);
            (name, target)
        }));
        links.iter_mut().for_each(|(name, _)| *name = place.join(&name));
        if has_two_folders {
            links.push((TABLES.into(), own.join(TABLES)));
        }
        let sparse = Path::new("info/sparse-checkout");
        links.push((sparse.into(), own.join(sparse)));
        let names = own_tree.names(Path::new("")).with_context(|| format!("list {}", own.display()))?;
        let is_part = |name: &&OsStr| name.as_encoded_bytes().starts_with(b"sharedindex.");
        let parts = names.iter().map(|name| name.as_os_str()).filter(is_part);
        links.extend(parts.map(|name| (name.into(), own.join(name))));
        links.retain(|(name, target)| !name.ends_with(TABLES) || target.is_dir());

        let folder = self.scratch(Where::Memory)?;
        let view = View { folder, index: own.join("index"), work_tree };
        let tree = view.tree();
        let make_common = || {
            let commondir = format!("{COMMON}\n");
            tree.make_dir(&place, 0o700)
                .and_then(|()| tree.make_dir(&place.join("info"), 0o700))
                .and_then(|()| tree.create_unseen(&place.join("HEAD"), &head, 0o600))
                .and_then(|()| tree.create_unseen(Path::new("commondir"), commondir.as_bytes(), 0o600))
        };
        let filled = if has_two_folders { make_common() } else { Ok(()) }
            .and_then(|()| tree.create_unseen(&place.join("config"), config.as_bytes(), 0o600))
            .and_then(|()| tree.create_unseen(Path::new("HEAD"), &head, 0o600))
            .and_then(|()| tree.make_dir(Path::new("info"), 0o700))
            .and_then(|()| if refs == Refs::None { tree.make_dir(Path::new("refs"), 0o700) } else { Ok(()) })
            .and_then(|()| links.iter().try_for_each(|(name, target)| tree.make_link(name, target)));
        filled.with_context(|| format!("make a view of a repository at {}", tree.path().display()))?;
        Ok(view)
    }
}

impl<P: Profile> GitCommand<'_, P> {
    /// Works through a view instead of the repository's own git folder.
    #[must_use]
    pub(super) fn through(self, view: &View) -> Self {
        let command = self.viewed();
        let command = command.variable("GIT_DIR", view.tree().path()).variable("GIT_INDEX_FILE", &view.index);
        match &view.work_tree {
            Some(work_tree) => command.variable("GIT_WORK_TREE", work_tree),
            None => command,
        }
    }
}

/// Settings of `core` that say how files are stored and compared; none of them names a file or a program.
const HARMLESS: [&str; 14] = [
    "repositoryformatversion",
    "filemode",
    "symlinks",
    "ignorecase",
    "precomposeunicode",
    "protecthfs",
    "protectntfs",
    "autocrlf",
    "eol",
    "safecrlf",
    "trustctime",
    "checkstat",
    "sparsecheckout",
    "sparsecheckoutcone",
];

/// The configuration of a view, from what `git config --show-scope -z --list` says of the repository's.
fn our_config(listed: &[u8], is_bare: bool, refs: Refs) -> String {
    let mut config = format!("[core]\n\tbare = {is_bare}\n");
    let mut words = listed.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    while let (Some(scope), Some(setting)) = (words.next(), words.next()) {
        if !matches!(&*scope, "local" | "worktree") {
            continue;
        }
        let (key, value) = setting.split_once('\n').unwrap_or((&setting, "true"));
        let (section, key) = key.split_once('.').unwrap_or((key, ""));
        let is_word =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_word(value) {
            continue;
        }
        // A partial clone: which remote promises what is missing. Nothing is fetched.
        let promisor = key.strip_suffix(".promisor").filter(|name| !name.chars().any(char::is_control));
        let written = match (section, promisor) {
            ("core", _) if HARMLESS.contains(&key) => writeln!(config, "[core]\n\t{key} = {value}"),
            // How objects and refs are stored: git refuses what it does not know.
            ("extensions", _) if key == "refstorage" && refs == Refs::None => Ok(()),
            ("extensions", _) if is_word(key) && key != "worktreeconfig" => {
                writeln!(config, "[extensions]\n\t{key} = {value}")
            }
            ("remote", Some(name)) => {
                let name = name.replace('\\', r"\\").replace('"', "\\\"");
                writeln!(config, "[remote \"{name}\"]\n\tpromisor = {value}")
            }
            _ => Ok(()),
        };
        written.expect("a String takes every text");
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_of_the_repository_that_name_nothing_are_taken_over() {
        let listed = |settings: &[(&str, &str)]| {
            settings.iter().map(|(scope, setting)| format!("{scope}\0{setting}\0")).collect::<String>()
        };
        let head = "[core]\n\tbare = false\n";
        for (scope, setting, expected) in [
            ("local", "core.filemode\nfalse", "[core]\n\tfilemode = false\n"),
            ("worktree", "core.sparsecheckout\ntrue", "[core]\n\tsparsecheckout = true\n"),
            ("local", "core.ignorecase", "[core]\n\tignorecase = true\n"),
            ("global", "core.filemode\nfalse", ""),
            ("local", "core.bare\ntrue", ""),
            ("local", "core.worktree\n/etc", ""),
            ("local", "core.fsmonitor\nprogram", ""),
            ("local", "core.eol\nlf\n[filter \"x\"]\n\tclean = program", ""),
            ("local", "filter.x.clean\nprogram", ""),
            ("local", "include.path\n/x", ""),
            ("local", "gc.recentobjectshook\nprogram", ""),
            ("local", "extensions.objectformat\nsha256", "[extensions]\n\tobjectformat = sha256\n"),
            ("local", "extensions.worktreeconfig\ntrue", ""),
            ("local", "remote.o\"r\\.promisor\ntrue", "[remote \"o\\\"r\\\\\"]\n\tpromisor = true\n"),
            ("local", "remote.o.url\next", ""),
            ("local", "remote.a\nb.promisor\ntrue", ""),
        ] {
            let config = our_config(listed(&[(scope, setting)]).as_bytes(), false, Refs::Shared);
            assert_eq!(config.strip_prefix(head), Some(expected), "{scope} {setting:?}");
        }
        assert!(our_config(b"", true, Refs::Shared).contains("bare = true"));
    }
}
