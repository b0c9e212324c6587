//! The commit from which a checkout begins: what was asked for, or the default branch.

use std::path::Path;

use anyhow::Result;

use super::shared::{ORIGIN_HEAD, SharedRepo};
use crate::failure::{Code, Failure};
use crate::git::{Base, OTHERS, is_commit_id};

/// Where the branches of the remote are.
const ORIGIN: &str = "refs/remotes/origin/";
/// Where its tags are, as far as they are on a branch.
const TAGS: &str = "refs/tags/";
/// Where branches of the repository itself are.
const HEADS: &str = "refs/heads/";
/// The longest HEAD that is read, in bytes.
const MOST_OF_HEAD: u64 = 4 << 10;

impl SharedRepo<'_> {
    /// The commit that `asked` names: a branch of the remote, a tag, or what git makes of the text. Without it that of the
    /// default branch.
    ///
    /// # Errors
    /// A [`Code::Failed`] failure when there is none; as git reports them.
    pub fn base(&self, asked: Option<&str>) -> Result<Base> {
        let Some(asked) = asked.map(str::trim).filter(|asked| !asked.is_empty()) else {
            return self.default_base();
        };
        let found = match self.first_of(asked, &[ORIGIN, TAGS])? {
            Some(base) => Some(base),
            // What no branch leads to is fetched only when it is asked for.
            None => {
                self.fetch_other(asked);
                self.first_of(asked, &[OTHERS, ""])?
            }
        };
        if let Some(base) = found {
            return Ok(base);
        }
        let message = format!("cannot resolve requested ref `{}` in {}", asked.escape_debug(), self.url);
        let hint = format!("`git ls-remote {}` lists its branches and tags", self.url);
        Err(Failure::new(Code::Failed, message).hint(hint).into())
    }

    fn fetch_other(&self, asked: &str) {
        // These have a meaning of their own where something is fetched.
        if asked.starts_with('-') || asked.contains(['*', ':', '^', '+']) {
            return;
        }
        if let Err(error) = self.fetch_one(asked) {
            log::debug!("{error:#}");
        }
    }

    /// The commit that `asked` names below one of these places.
    fn first_of(&self, asked: &str, places: &[&str]) -> Result<Option<Base>> {
        for place in places {
            if let Some(commit) = self.commit(&format!("{place}{asked}"))? {
                let short = if *place == ORIGIN { format!("origin/{asked}") } else { asked.to_owned() };
                return Ok(Some(Base { name: short, commit }));
            }
        }
        Ok(None)
    }

    fn commit(&self, name: &str) -> Result<Option<String>> {
        let named = format!("{name}^{{commit}}");
        let found =
            self.git().look(["rev-parse", "--verify", "--quiet", "--end-of-options", &named]).answer()?;
        let found = found.map(|id| String::from_utf8_lossy(&id).trim().to_owned());
        Ok(found.filter(|id| is_commit_id(id)))
    }

    fn default_base(&self) -> Result<Base> {
        let format = "--format=%(refname)%00%(symref)";
        let listed = self.git().look(["for-each-ref", format, ORIGIN, HEADS]).text()?;
        let refs: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('\0')).collect();
        let head = self.bare.read(Path::new("HEAD"), MOST_OF_HEAD).ok().flatten().unwrap_or_default();
        let head = String::from_utf8_lossy(&head);
        let chosen = default_ref(&refs, head.trim_end().strip_prefix("ref: "));
        if let Some(name) = chosen
            && let Some(commit) = self.commit(name)?
        {
            let short = name.strip_prefix("refs/remotes/").or(name.strip_prefix(HEADS)).unwrap_or(name);
            return Ok(Base { name: short.to_owned(), commit });
        }
        let path = self.path().display().to_string();
        let message = format!("{} has no default branch", self.url);
        let is_empty = !refs.iter().any(|(name, _)| name.starts_with(ORIGIN));
        let hint = if is_empty {
            format!(
                "its shared clone may be damaged; if nothing uses it, remove it: `rm -r {}`",
                super::cache::quoted(&path)
            )
        } else {
            "name a branch, a tag or a commit: `--ref REF`".to_owned()
        };
        Err(Failure::new(Code::Failed, message).hint(hint).into())
    }
}

/// The ref of the default branch. `refs` are those that lead to something, each with the one that it is another name for;
/// `head` is what the repository's own HEAD names. Where several could be meant, none is chosen: the order of names says
/// nothing.
fn default_ref<'a>(refs: &[(&'a str, &'a str)], head: Option<&str>) -> Option<&'a str> {
    let named = |name: &str| refs.iter().find(|(known, _)| *known == name).map(|(known, _)| *known);
    let of_origin: Vec<&'a str> = refs
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.starts_with(ORIGIN) && *name != ORIGIN_HEAD)
        .collect();
    let followed = refs.iter().find(|(name, _)| *name == ORIGIN_HEAD).and_then(|(_, target)| named(target));
    let by_head = head.and_then(|head| head.strip_prefix(HEADS));
    followed
        .or_else(|| named("refs/remotes/origin/main"))
        .or_else(|| named("refs/remotes/origin/master"))
        .or_else(|| named(&format!("{ORIGIN}{}", by_head?)))
        .or_else(|| match of_origin.as_slice() {
            [only] => Some(*only),
            [] => named(head?),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_is_the_remotes_and_never_a_guess_among_several() {
        let plain = |names: &[&'static str]| names.iter().map(|name| (*name, "")).collect::<Vec<_>>();
        let (develop, main) = ("refs/remotes/origin/develop", "refs/remotes/origin/main");
        let (trunk, feature) = ("refs/remotes/origin/trunk", "refs/remotes/origin/feature-alpha");
        for (refs, head, expected) in [
            (vec![(ORIGIN_HEAD, develop), (develop, ""), (main, "")], None, Some(develop)),
            // It names what is not there.
            (vec![(ORIGIN_HEAD, "refs/remotes/origin/gone"), (develop, ""), (main, "")], None, Some(main)),
            (plain(&[main, trunk]), Some("refs/heads/trunk"), Some(main)),
            (plain(&["refs/remotes/origin/master", trunk]), None, Some("refs/remotes/origin/master")),
            (plain(&[develop]), None, Some(develop)),
            (plain(&[feature, trunk, "refs/heads/trunk"]), Some("refs/heads/trunk"), Some(trunk)),
            (plain(&["refs/heads/x", "refs/heads/y"]), Some("refs/heads/x"), Some("refs/heads/x")),
            (plain(&[feature, trunk]), Some("refs/heads/x"), None),
            (plain(&[feature, trunk]), None, None),
            (plain(&[feature, trunk, "refs/heads/x"]), Some("refs/heads/x"), None),
            (vec![], Some("refs/heads/main"), None),
        ] {
            assert_eq!(default_ref(&refs, head), expected, "{refs:?} {head:?}");
        }
    }
}
