//! Links from homes into the stores, after the workspaces root was moved, copied or mounted elsewhere: they have absolute
//! texts, and would lead to the former root. `reuse` makes them anew; a run alone points them to the present root.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::layout::{self, names};
use crate::sys::silent::is_one_path;
use crate::sys::tree::{FileKind, Tree};

/// Points the links of an environment's homes into the stores of the root in which it lies now. Those whose store is not
/// there stay.
///
/// # Errors
/// As the system reports them.
pub(crate) fn renew_store_links(env: &Tree) -> Result<()> {
    let Some(root) = env.path().parent().and_then(Path::parent) else { return Ok(()) };
    let stores = root.join(names::STORES);
    for home in layout::env_rows().filter(|row| row.is_home()).map(|row| Path::new(row.name)) {
        if !matches!(env.kind(home), Ok(Some(FileKind::Dir))) {
            continue;
        }
        for name in env.names(home).with_context(|| format!("list {}", env.path().join(home).display()))? {
            let place = home.join(name);
            if !matches!(env.kind(&place), Ok(Some(FileKind::Link))) {
                continue;
            }
            let Some(target) = env.read_link(&place).ok().and_then(|text| in_stores(&text, &stores)) else {
                continue;
            };
            env.replace_by_link(&place, &target, names::TEMPORARY).with_context(|| {
                format!("point {} to {}", env.path().join(&place).display(), target.display())
            })?;
        }
    }
    Ok(())
}

/// Where a link into the stores of another root leads in these stores; `None`: it is no such link, or nothing is there.
fn in_stores(text: &Path, stores: &Path) -> Option<PathBuf> {
    if text.starts_with(stores) {
        return None;
    }
    let above = text.ancestors().skip(1).find(|above| above.ends_with(names::STORES))?;
    let below = text.strip_prefix(above).ok()?;
    let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let store = below.iter().next()?.to_str()?;
    if !is_plain || !layout::TABLE.iter().any(|row| row.store.is_some() && row.is(store)) {
        return None;
    }
    let target = stores.join(below);
    let leads_here = is_one_path(text, &target);
    // A database that has not been written yet lies in a store that is there.
    let is_there = target.parent().is_some_and(Path::is_dir);
    (is_there && !leads_here).then_some(target)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_links_into_the_stores_of_another_root_are_renewed() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("root");
        let stores = root.join(".stores");
        let home = root.join("w/k/codex-home");
        fs::create_dir_all(stores.join("codex-sessions/agent/issue")).unwrap();
        fs::create_dir_all(&home).unwrap();
        let below = "codex-sessions/agent/issue";
        let here = stores.join(below);
        symlink(&root, tmp.path().join("alias")).unwrap();
        let alias = tmp.path().join("alias/.stores").join(below);
        for (name, text, expected) in [
            ("moved", Path::new("/former/.stores").join(below), here.clone()),
            ("here", here.clone(), here.clone()),
            ("alias", alias.clone(), alias),
            ("other-name", "/former/.stores/strange/x".into(), "/former/.stores/strange/x".into()),
            (
                "up",
                "/former/.stores/codex-sessions/../x".into(),
                "/former/.stores/codex-sessions/../x".into(),
            ),
            (
                "gone",
                "/former/.stores/codex-sessions/no/no".into(),
                "/former/.stores/codex-sessions/no/no".into(),
            ),
            ("login", "/home/me/.codex/auth.json".into(), "/home/me/.codex/auth.json".into()),
        ] {
            symlink(&text, home.join(name)).unwrap();
            renew_store_links(&Tree::open(&root.join("w/k")).unwrap()).unwrap();
            assert_eq!(fs::read_link(home.join(name)).unwrap(), expected, "{name}");
        }
    }
}
