//! What a sandbox lets its agent do: a pure decision, and what it means for a tree of folders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};
use crate::order;

/// What no sandbox shows, whatever is in it: other programs' temporary files and sockets.
pub(super) const PRIVATE: [&str; 3] = ["/run", "/tmp", "/var/tmp"];

/// All that a plan depends on. Every path is absolute, and has no link in it but perhaps as its last name.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    /// The user's home.
    pub(super) home: Option<PathBuf>,
    /// Where the agent works; it may write there.
    pub(super) work_dir: PathBuf,
    /// What it may not see.
    pub(super) secrets: Vec<PathBuf>,
    /// The environment's workspaces root.
    pub(super) root: PathBuf,
    /// Others.
    pub(super) other_roots: Vec<PathBuf>,
    /// What it may see, wherever that is.
    pub(super) shown: Vec<PathBuf>,
    /// Links that lead to such a place.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// What it may write, besides the work dir.
    pub(super) writable: Vec<PathBuf>,
    /// Folders of which it gets copies.
    pub(super) scratch: Vec<PathBuf>,
    /// What it may not write, although it lies in such a place.
    pub(super) sealed: Vec<PathBuf>,
    /// It keeps the network.
    pub(super) has_network: bool,
    /// The user is root.
    pub(super) is_root: bool,
}

/// What a sandbox is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Nothing of these is there.
    pub(super) hidden: Vec<PathBuf>,
    /// The workspaces root, where nothing is but what can be seen or changed.
    pub(super) root: PathBuf,
    /// These are, although they lie in what is hidden.
    pub(super) shown: Vec<PathBuf>,
    /// And these links.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// These can be changed; parents first.
    pub(super) writable: Vec<PathBuf>,
    /// Of these the agent gets copies, where that can be done.
    pub(super) scratch: Vec<PathBuf>,
    /// These cannot, although they lie there.
    pub(super) sealed: Vec<PathBuf>,
    /// The agent keeps the network.
    pub(super) has_network: bool,
    /// The user is root.
    pub(super) is_root: bool,
}

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// A [`Code::NoSandbox`] failure where the agent could write, in its work dir, what the sandbox is to keep from it.
    pub(super) fn new(scene: Scene) -> Result<Plan, Failure> {
        let Scene {
            home,
            work_dir,
            secrets,
            root,
            other_roots,
            mut shown,
            links,
            mut writable,
            scratch,
            sealed,
            has_network,
            is_root,
        } = scene;
        let roots: Vec<PathBuf> = other_roots.into_iter().chain([root.clone()]).collect();
        let private: Vec<PathBuf> = PRIVATE.iter().map(PathBuf::from).collect();
        let mut kept = home.iter().chain(&private).chain(&roots).chain(&secrets);
        if let Some(inside) = kept.find(|place| place.starts_with(&work_dir)) {
            return Err(exposed("the work dir", &work_dir, inside)
                .hint("let the agent work in a folder of its own, or in one project: `execenv prepare --local-dir DIR`"));
        }
        let inside = |folder: &PathBuf| {
            roots.iter().chain(&secrets).find(|place| *place != folder && place.starts_with(folder))
        };
        if let Some((folder, inside)) = writable.iter().find_map(|folder| Some((folder, inside(folder)?))) {
            return Err(exposed("a folder of the agent's,", folder, inside).hint("move one of them away"));
        }
        writable.push(work_dir);
        shown.extend(home);
        let mut hidden = private;
        hidden.extend(secrets.into_iter().chain(roots));
        // What it may write is no secret of others': its own login.
        hidden.retain(|place| !writable.contains(place) && !shown.contains(place));
        for paths in [&mut hidden, &mut shown, &mut writable] {
            order::sort(paths);
            paths.dedup();
        }
        let lies_between = |above: &Path, path: &Path| {
            hidden.iter().any(|place| place.starts_with(above) && path.starts_with(place))
        };
        let all = shown.clone();
        shown.retain(|path| {
            let is_seen_already =
                |above: &PathBuf| above != path && path.starts_with(above) && !lies_between(above, path);
            lies_between(Path::new("/"), path) && !all.iter().any(is_seen_already)
        });
        Ok(Plan { hidden, root, shown, links, writable, scratch, sealed, has_network, is_root })
    }
}

fn exposed(what: &str, folder: &Path, inside: &Path) -> Failure {
    let (folder, inside) = (folder.display(), inside.display());
    Failure::new(
        Code::NoSandbox,
        format!("{what} {folder} has {inside} in it, which a sandbox keeps from the agent"),
    )
}

/// An entry of a folder; of a link, where it leads.
pub(super) type Entry = (OsString, Option<PathBuf>);

/// A part of what can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A folder of which only some entries can be seen: they follow.
    Folder(PathBuf),
    /// A file, or a folder with all that is in it.
    Whole(PathBuf),
    /// A link.
    Link(PathBuf, PathBuf),
}

/// What can be seen below a path, without what is hidden; parents first.
pub(super) fn around(base: &Path, hidden: &[PathBuf], entries: &dyn Fn(&Path) -> Vec<Entry>) -> Vec<Part> {
    let leads_to_hidden = |path: &Path| hidden.iter().any(|place| place != path && place.starts_with(path));
    if !leads_to_hidden(base) {
        return vec![Part::Whole(base.to_owned())];
    }
    let mut parts = vec![Part::Folder(base.to_owned())];
    for (name, link) in entries(base) {
        let path = base.join(name);
        if hidden.contains(&path) {
            continue;
        }
        match link {
            Some(target) => parts.push(Part::Link(path, target)),
            None => parts.extend(around(&path, hidden, entries)),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<PathBuf> {
        text.split_whitespace().map(PathBuf::from).collect()
    }

    fn scene() -> Scene {
        Scene {
            home: Some("/home/u".into()),
            work_dir: "/home/u/ws/d/k/workdir".into(),
            secrets: paths("/home/u/.ssh /home/u/.ssh/id /home/u/.codex/auth.json"),
            root: "/home/u/ws".into(),
            shown: paths("/tmp/bin /usr/bin /tmp/bin/more"),
            writable: paths("/home/u/ws/d/k/codex-home /home/u/.codex/auth.json"),
            ..Scene::default()
        }
    }

    #[test]
    fn what_is_given_wins_over_what_is_hidden() {
        let plan = Plan::new(scene()).unwrap();
        assert_eq!(plan.hidden, paths("/home/u/.ssh /home/u/.ssh/id /home/u/ws /run /tmp /var/tmp"));
        assert_eq!(plan.shown, paths("/tmp/bin"));
        assert_eq!(
            plan.writable,
            paths("/home/u/.codex/auth.json /home/u/ws/d/k/codex-home /home/u/ws/d/k/workdir")
        );
    }

    #[test]
    fn a_work_dir_with_the_users_keys_in_it_is_refused() {
        for work_dir in ["/home/u", "/home", "/", "/home/u/.ssh", "/home/u/.codex"] {
            let failure = Plan::new(Scene { work_dir: work_dir.into(), ..scene() }).unwrap_err();
            assert_eq!(failure.code, Code::NoSandbox, "{work_dir}");
        }
        assert!(Plan::new(Scene { work_dir: "/home/u/project".into(), ..scene() }).is_ok());
    }

    #[test]
    fn all_is_seen_but_what_is_hidden() {
        let tree = |folder: &Path| -> Vec<Entry> {
            let names = match folder.to_str().unwrap() {
                "/" => "etc home tmp",
                "/home" => "u v",
                "/home/u" => ".ssh .config keys file",
                "/home/u/.config" => "gh git",
                _ => "",
            };
            let link = |name: &str| (name == "keys").then(|| PathBuf::from(".ssh"));
            names.split_whitespace().map(|name| (name.into(), link(name))).collect()
        };
        let hidden = paths("/home/u/.ssh /home/u/.config/gh /tmp");
        let whole = |path: &str| Part::Whole(path.into());
        let folder = |path: &str| Part::Folder(path.into());
        assert_eq!(
            around(Path::new("/"), &hidden, &tree),
            [
                folder("/"),
                whole("/etc"),
                folder("/home"),
                folder("/home/u"),
                folder("/home/u/.config"),
                whole("/home/u/.config/git"),
                Part::Link("/home/u/keys".into(), ".ssh".into()),
                whole("/home/u/file"),
                whole("/home/v"),
            ]
        );
        assert_eq!(around(Path::new("/tmp"), &hidden, &tree), [whole("/tmp")]);
    }
}
