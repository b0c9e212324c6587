//! A view of a repository with a configuration of ours.
//!
//! `status`, `add` and `gc` run programs that a repository's configuration names: filters, hooks without a switch. Who can
//! write to the repository can swap that configuration between our look and git's use. So those calls get a git folder of
//! ours, outside of every environment: HEAD and harmless settings are copied, all else is links to the repository, as in a
//! `git-new-workdir`. Calls that run nothing whatever the configuration says (`rev-list`, `for-each-ref`, `ls-files`,
//! `hash-object --no-filters`, `update-ref`, …) need none.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::{GitCommand, Profile, Repository};
use crate::sys::fault;
use crate::sys::silent::is_one_path;
use crate::sys::tree::Tree;

/// Where views are made: in memory, where a full disk does not matter.
const IN_MEMORY: &str = "/dev/shm";
/// Where they are made without that and without a TMPDIR.
const ON_DISK: &str = "/tmp";
/// Begins the name of a view.
const NAME: &str = "execenv-git-";
/// How many digits end it.
const TOKEN: usize = 16;
/// What a repository shares with its linked worktrees.
const SHARED: [&str; 7] = ["objects", "refs", "packed-refs", "logs", "shallow", "worktrees", "reftable"];
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
    /// can write it can name any repository in it.
    pub(super) fn know_worktree(&self, path: &Path) -> bool {
        let registered =
            Tree::open(&self.own).and_then(|tree| tree.read(Path::new("gitdir"), MOST_OF_A_PATH));
        let Ok(Some(registered)) = registered else { return false };
        let named = registered.strip_suffix(b"\n").unwrap_or(&registered);
        let Some(named) = Path::new(OsStr::from_bytes(named)).parent() else { return false };
        // A path may be relative to the registration.
        self.own != self.common && is_one_path(path, &self.own.join(named))
    }
}

/// A view of a repository; gone with this.
#[derive(Debug)]
pub(super) struct View {
    place: Tree,
    name: PathBuf,
    tree: Tree,
    index: PathBuf,
    work_tree: Option<PathBuf>,
}

impl Drop for View {
    fn drop(&mut self) {
        if let Err(error) = self.place.remove_all(&self.name) {
            log::warn!("cannot remove {}: {error}", self.tree.path().display());
        }
    }
}

impl View {
    /// The folder, to which git may write a lock file.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
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
        self.view_with(folders, is_bare, "")
    }

    /// The same with settings more, in the form of a configuration file.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn view_with(&self, folders: &GitFolders, is_bare: bool, more: &str) -> Result<View> {
        let GitFolders { own, common } = folders;
        let settings = ["config", "--includes", "--show-scope", "-z", "--list"];
        let config = our_config(&self.look(settings).output()?, is_bare) + more;
        let opened = |path: &Path| Tree::open(path).with_context(|| format!("open {}", path.display()));
        let own_tree = opened(own)?;
        let reading = || format!("read {}", own.join("HEAD").display());
        let head = own_tree.read(Path::new("HEAD"), MOST_OF_HEAD).with_context(reading)?;
        let head = head.with_context(|| format!("{} has no HEAD", own.display()))?;
        if own != common {
            let refs = opened(common)?.kind(Path::new("reftable"))?;
            anyhow::ensure!(
                refs.is_none(),
                "a worktree of a repository with a reftable is not looked at yet"
            );
        }
        let mut links: Vec<(PathBuf, PathBuf)> =
            SHARED.iter().map(|name| (name.into(), common.join(name))).collect();
        links.extend(SHARED_INFO.iter().map(|name| Path::new("info").join(name)).map(|name| {
            let target = common.join(&name);
            (name, target)
        }));
        let sparse = Path::new("info/sparse-checkout");
        links.push((sparse.into(), own.join(sparse)));
        let names = own_tree.names(Path::new("")).with_context(|| format!("list {}", own.display()))?;
        let is_part = |name: &&OsStr| name.as_encoded_bytes().starts_with(b"sharedindex.");
        let parts = names.iter().map(|name| name.as_os_str()).filter(is_part);
        links.extend(parts.map(|name| (name.into(), own.join(name))));
        links.retain(|(name, target)| name != Path::new("reftable") || target.is_dir());

        let (place, name, tree) = self.make_place()?;
        let work_tree = (!is_bare).then(|| self.dir().to_owned());
        let view = View { place, name, tree, index: own.join("index"), work_tree };
        let filled = view
            .tree
            .create_unseen(Path::new("config"), config.as_bytes(), 0o600)
            .and_then(|()| view.tree.create_unseen(Path::new("HEAD"), &head, 0o600))
            .and_then(|()| view.tree.make_dir(Path::new("info"), 0o700))
            .and_then(|()| links.iter().try_for_each(|(name, target)| view.tree.make_link(name, target)));
        filled.with_context(|| format!("make a view of a repository at {}", view.tree.path().display()))?;
        Ok(view)
    }

    fn make_place(&self) -> Result<(Tree, PathBuf, Tree)> {
        let token = &uuid::Uuid::new_v4().simple().to_string()[..TOKEN];
        let name = PathBuf::from(format!("{NAME}{token}"));
        let mut trouble = None;
        let wanted = self.variable("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
        for place in [IN_MEMORY.into()].into_iter().chain(wanted).chain([ON_DISK.into()]) {
            let made = Tree::open(&place).and_then(|tree| {
                tree.make_dir(&name, 0o700)?;
                let view = tree.plain_subtree(&name)?;
                // Another process may take it for a dead one's until it is locked.
                let is_ours = view.try_hold().unwrap_or(true) && view.is_at_its_path();
                fault::uncounted(|| sweep(&tree));
                match is_ours {
                    true => Ok((tree, name.clone(), view)),
                    false => Err(io::Error::other("another execenv has removed it")),
                }
            });
            match made {
                Ok(made) => return Ok(made),
                Err(error) => {
                    trouble = Some(anyhow::Error::new(error).context(format!("in {}", place.display())));
                }
            }
        }
        Err(trouble.unwrap_or_else(|| anyhow::anyhow!("no place")))
            .context("make a folder for git, outside of the environment")
    }
}

/// Removes the views of processes that were killed: nobody has their locks.
fn sweep(place: &Tree) {
    for name in place.names(Path::new("")).unwrap_or_default() {
        let is_view = name
            .to_str()
            .and_then(|name| name.strip_prefix(NAME))
            .is_some_and(|token| token.len() == TOKEN && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let name = Path::new(&name);
        let Some(view) = is_view.then(|| place.plain_subtree(name).ok()).flatten() else { continue };
        if matches!((view.is_private(), view.try_hold()), (Ok(true), Ok(true))) {
            match place.remove_all(name) {
                Ok(()) => log::debug!("removed {}, which a killed process had left", view.path().display()),
                Err(error) => log::debug!("remove {}: {error}", view.path().display()),
            }
        }
    }
}

impl<P: Profile> GitCommand<'_, P> {
    /// Works through a view instead of the repository's own git folder.
    #[must_use]
    pub(super) fn through(self, view: &View) -> Self {
        let command = self.variable("GIT_DIR", view.tree.path()).variable("GIT_INDEX_FILE", &view.index);
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
fn our_config(listed: &[u8], is_bare: bool) -> String {
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
            let config = our_config(listed(&[(scope, setting)]).as_bytes(), false);
            assert_eq!(config.strip_prefix(head), Some(expected), "{scope} {setting:?}");
        }
        assert!(our_config(b"", true).contains("bare = true"));
    }
}
