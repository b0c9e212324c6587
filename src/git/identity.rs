//! In whose name commits are made. It is passed to git and to the agent by variables and never written into a configuration:
//! in a linked worktree `git config` would change the user's own repository.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::GitCommand;
use super::profile::Profile;
use super::program::Git;

/// The settings that decide it: git prefers the special ones.
const SETTINGS: &str = r"^(user|author|committer)\.(name|email)$";

/// Characters that git removes from the ends of a name: one of nothing else is refused by it.
const EMPTY_WORDS: &[char] = &['.', ',', ':', ';', '<', '>', '"', '\\', '\''];

/// The author and the committer of commits; an empty text is one that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct GitIdentity {
    /// The author's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_name: String,
    /// The author's address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_email: String,
    /// The committer's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub committer_name: String,
    /// The committer's address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub committer_email: String,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl GitIdentity {
    /// Whoever makes a commit where no user is known.
    pub fn execenv() -> GitIdentity {
        GitIdentity::of("execenv", "execenv@localhost")
    }

    fn of(name: &str, email: &str) -> GitIdentity {
        GitIdentity {
            author_name: name.to_owned(),
            author_email: email.to_owned(),
            committer_name: name.to_owned(),
            committer_email: email.to_owned(),
            other: Map::new(),
        }
    }

    /// Reads `git config -z --get-regexp`: of several values the last one counts.
    fn parse(listed: &[u8]) -> GitIdentity {
        let text = String::from_utf8_lossy(listed);
        let value = |wanted: &str| {
            let mut settings = text.rsplit('\0').filter_map(|setting| setting.split_once('\n'));
            let found = settings.find(|(key, value)| *key == wanted && is_usable(value));
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let special = |who: &str, what: &str| match value(&format!("{who}.{what}")) {
            found if found.is_empty() => value(&format!("user.{what}")),
            found => found,
        };
        GitIdentity {
            author_name: special("author", "name"),
            author_email: special("author", "email"),
            committer_name: special("committer", "name"),
            committer_email: special("committer", "email"),
            other: Map::new(),
        }
    }

    /// The variables by which git gets it. Texts that git would refuse are left out: a record, which an agent can write, may
    /// hold any.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("GIT_AUTHOR_NAME", &self.author_name),
            ("GIT_AUTHOR_EMAIL", &self.author_email),
            ("GIT_COMMITTER_NAME", &self.committer_name),
            ("GIT_COMMITTER_EMAIL", &self.committer_email),
        ];
        all.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| is_usable(value))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.variables().next().is_none()
    }

    /// The same, with what is not known taken from another one.
    #[must_use]
    pub fn or(self, other: &GitIdentity) -> GitIdentity {
        let first = |ours: String, theirs: &String| if is_usable(&ours) { ours } else { theirs.clone() };
        GitIdentity {
            author_name: first(self.author_name, &other.author_name),
            author_email: first(self.author_email, &other.author_email),
            committer_name: first(self.committer_name, &other.committer_name),
            committer_email: first(self.committer_email, &other.committer_email),
            other: self.other,
        }
    }
}

/// Whether git takes a text as a name or an address.
fn is_usable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '<' | '>'))
        && text.chars().any(|c| !c.is_whitespace() && !EMPTY_WORDS.contains(&c))
}

impl Git {
    /// The user of the repository that `dir` lies in, as git finds it there: in the repository's own configuration, the
    /// user's or the system's. Runs nothing that they name.
    ///
    /// # Errors
    /// As [`GitCommand::answer`].
    pub fn identity_in(&self, dir: &Path) -> Result<GitIdentity> {
        let asked = self.at(dir).look(["config", "-z", "--get-regexp", SETTINGS]);
        let listed = asked.variable("GIT_CEILING_DIRECTORIES", "").answer()?;
        Ok(GitIdentity::parse(&listed.unwrap_or_default()))
    }

    /// In whose name execenv commits: as `known`, else as the user's own configuration says, whatever the repositories of an
    /// agent say, else as [`GitIdentity::execenv`].
    pub fn committer(&self, known: Option<&GitIdentity>) -> GitIdentity {
        let own = || {
            let asked = self.at(Path::new("/")).look(["config", "-z", "--get-regexp", SETTINGS]);
            asked.variable("GIT_DIR", "/dev/null").answer().ok().flatten().unwrap_or_default()
        };
        let known = known.cloned().unwrap_or_default();
        let known =
            if known.variables().count() == 4 { known } else { known.or(&GitIdentity::parse(&own())) };
        known.or(&GitIdentity::execenv())
    }
}

impl<P: Profile> GitCommand<'_, P> {
    /// Makes commits in this name.
    #[must_use]
    pub(super) fn by(self, identity: &GitIdentity) -> Self {
        identity.variables().fold(self, |command, (name, value)| command.variable(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_special_settings_win_and_the_last_value_counts() {
        for (listed, expected) in [
            ("", "| | |"),
            ("user.name\nAda\0user.email\na@x\0", "Ada|a@x|Ada|a@x"),
            ("user.name\nAda\0user.name\nGrace\0", "Grace| |Grace|"),
            ("user.email\na@x\0author.name\nBot\0committer.email\nc@x\0", "Bot|a@x| |c@x"),
            ("user.name\0user.email\n\0", "| | |"),
            ("user.name\nAda Löve\0user.name\n..\0user.email\na\nb\0", "Ada Löve| |Ada Löve|"),
        ] {
            let found = GitIdentity::parse(listed.as_bytes());
            let shown =
                [&found.author_name, &found.author_email, &found.committer_name, &found.committer_email];
            let expected: Vec<&str> = expected.split('|').map(str::trim).collect();
            assert_eq!(shown.map(String::as_str).as_slice(), expected, "{listed:?}");
        }
    }

    #[test]
    fn texts_that_git_refuses_are_not_passed_on() {
        let known = GitIdentity { committer_name: "...".into(), ..GitIdentity::of("A\nGIT: x", "<>") };
        assert!(known.is_empty());
        assert_eq!(known.or(&GitIdentity::execenv()), GitIdentity::execenv());
    }
}
