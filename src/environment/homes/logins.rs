//! Links of a home to the user's login files. Some programs replace the link by a new file when they renew a login: then
//! the task would keep a copy of the login, and the user's own file one that may no longer be valid. After a run the link
//! is put back; what the agent has written is never copied into the user's file.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::layout::names;
use crate::provider;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

/// How many levels below a home are searched, and how many entries in total.
const MAX_DEPTH: u32 = 2;
const MAX_LOOKS: u32 = 2_000;

/// A link of a home to a login file of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginLink {
    place: PathBuf,
    target: PathBuf,
}

/// The login links in the homes that an agent's variables name. The search is limited in depth and entries, because a
/// home may contain many files of the agent.
pub(crate) fn login_links(env: &Tree, exports: &BTreeMap<String, String>) -> Vec<LoginLink> {
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
                    found.extend(tree.read_link(Path::new(&name)).map(|target| LoginLink { place, target }));
                }
                _ => {}
            }
        }
    }
    found.sort_by(|one, other| one.place.cmp(&other.place));
    found.dedup();
    found
}

/// Whether a path below the env root is a login in a provider's home.
fn is_login(place: &Path) -> bool {
    let home = place.iter().next().and_then(|home| provider::homes::folder(home.to_str()?));
    home.zip(place.file_name()).is_some_and(|(home, name)| home.is_login(name))
}

/// Puts the links back that the agent replaced by files. Returns a warning for each: the agent may have renewed the login,
/// and then the user's own one is no longer valid.
pub(crate) fn restore_logins(env: &Tree, links: &[LoginLink]) -> Vec<String> {
    let is_replaced = |link: &&LoginLink| matches!(env.kind(&link.place), Ok(Some(FileKind::File { .. })));
    // Without the user's file, the agent's is the only login.
    let replaced =
        links.iter().filter(is_replaced).filter(|link| silent::is_there(&link.target) == Some(true));
    replaced
        .map(|LoginLink { place, target }| {
            let (shown, target_shown) = (env.path().join(place), target.display());
            let shown = shown.display();
            match env.replace_by_link(place, target, names::TEMPORARY) {
                Ok(()) => format!(
                    "the agent replaced the link {shown} by a login file; the link is there again, and the login in \
                     {target_shown} may no longer be valid: if it is refused, log in again"
                ),
                Err(error) => format!(
                    "the agent replaced the link {shown} by a login file, which cannot be removed ({error}); the login \
                     in {target_shown} may no longer be valid"
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_replaced_login_is_reported() {
        let tmp = tempfile::tempdir().unwrap();
        let (home, user) = (tmp.path().join("codex-home"), tmp.path().join("user-auth.json"));
        fs::create_dir(&home).unwrap();
        fs::write(&user, "secret").unwrap();
        for name in ["auth.json", "config.toml", ".credentials.json"] {
            symlink(&user, home.join(name)).unwrap();
        }
        fs::write(home.join("own-auth"), "not ours to watch").unwrap();
        let env = Tree::open(tmp.path()).unwrap();
        let exports = BTreeMap::from([
            ("CODEX_HOME".to_owned(), home.display().to_string()),
            ("AGAIN".to_owned(), home.display().to_string()),
            ("SWITCH".to_owned(), "1".to_owned()),
        ]);
        let links = login_links(&env, &exports);
        assert_eq!(links.len(), 2);
        assert_eq!(restore_logins(&env, &links), Vec::<String>::new());
        for name in ["auth.json", "config.toml"] {
            fs::remove_file(home.join(name)).unwrap();
            fs::write(home.join(name), "new secret").unwrap();
        }
        let told = restore_logins(&env, &links);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("codex-home/auth.json") && told[0].contains("user-auth.json"), "{told:?}");
        assert!(!told[0].contains("secret"));
        assert_eq!(fs::read_link(home.join("auth.json")).unwrap(), user, "the link is back");
        assert_eq!(fs::read_to_string(&user).unwrap(), "secret", "and the user's file as it was");
        assert_eq!(fs::read_dir(&home).unwrap().count(), 4, "nothing else is left");
    }
}
