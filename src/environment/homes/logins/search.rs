//! Finding the login links in the homes of an environment.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::order;
use crate::provider::homes::is_login;
use crate::sys::tree::{FileKind, Tree};

/// How many levels below a home are searched, and how many entries in total.
const MAX_DEPTH: u32 = 2;
const MAX_LOOKS: u32 = 2_000;

/// A link of a home to a login file, as it was found: the agent may have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenLink {
    /// The link, below the env root.
    pub(super) place: PathBuf,
    /// Its text.
    pub(super) target: PathBuf,
}

/// The login links in the homes that an agent's variables name. The search is limited in depth and entries, because a
/// home may contain many files of the agent.
pub(super) fn links_in(env: &Tree, exports: &BTreeMap<String, String>) -> Vec<SeenLink> {
    let mut found = Vec::new();
    let homes = exports.values().filter_map(|value| Path::new(value).strip_prefix(env.path()).ok());
    let mut folders: VecDeque<(PathBuf, u32)> = homes.map(|home| (home.to_owned(), 0)).collect();
    let mut looks = MAX_LOOKS;
    while let Some((folder, depth)) = folders.pop_front() {
        let Ok(tree) = env.subtree(&folder) else { continue };
        for name in tree.names(Path::new("")).unwrap_or_default() {
            looks -= 1;
            if looks == 0 {
                folders.clear();
                break;
            }
            let place = folder.join(&name);
            match tree.kind(Path::new(&name)) {
                Ok(Some(FileKind::Dir)) if depth < MAX_DEPTH => folders.push_back((place, depth + 1)),
                Ok(Some(FileKind::Link)) if is_login(&place) => {
                    found.extend(tree.read_link(Path::new(&name)).map(|target| SeenLink { place, target }));
                }
                _ => {}
            }
        }
    }
    order::sort_by(&mut found, |one, other| one.place.cmp(&other.place));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_with_the_name_of_a_login_are_found_once() {
        let tmp = tempfile::tempdir().unwrap();
        let home = tmp.path().join("codex-home");
        fs::create_dir_all(home.join("a/b/c")).unwrap();
        for name in ["auth.json", "config.toml", ".credentials.json", "a/b/token", "a/b/c/token"] {
            symlink("/user", home.join(name)).unwrap();
        }
        fs::write(home.join("own-auth"), "not a link").unwrap();
        symlink("/user", tmp.path().join("auth.json")).unwrap();
        let exports = BTreeMap::from([
            ("CODEX_HOME".to_owned(), home.display().to_string()),
            ("AGAIN".to_owned(), home.display().to_string()),
            ("SWITCH".to_owned(), "1".to_owned()),
        ]);
        let found = links_in(&Tree::open(tmp.path()).unwrap(), &exports);
        let places: Vec<_> = found.iter().map(|link| link.place.to_str().unwrap()).collect();
        assert_eq!(
            places,
            [".credentials.json", "a/b/token", "auth.json"].map(|name| format!("codex-home/{name}"))
        );
        assert!(found.iter().all(|link| link.target == Path::new("/user")));
    }
}
