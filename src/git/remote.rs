//! Fetching into a shared bare repository.
//!
//! Who works in one of its worktrees can write to the repository. Its configuration could name a program for nearly each step
//! of a fetch (`core.sshCommand`, `remote.origin.uploadpack`, a credential helper, `ext::` addresses). So a fetch goes
//! through a view: address, refspec and filter are ours, and all else is the user's own configuration. Writes are confined
//! to the repository, as everywhere in it.

use anyhow::Result;

use super::command::GitCommand;
use super::profile::Network;
use super::refs::is_commit_id;
use super::repository::Repository;
use super::view::{GitFolders, View};

/// Where the branches of the remote are kept. As `refs/heads/*:refs/heads/*`, a fetch would fail as a whole once a worktree
/// has one of them checked out.
pub const BRANCHES: &str = "+refs/heads/*:refs/remotes/origin/*";
/// Where it is kept what else of the remote was asked for. As refs of a remote: what they hold is no work of an agent's.
pub const OTHERS: &str = "refs/remotes/execenv/";
/// What a partial clone leaves out.
pub const BLOBLESS: &str = "blob:none";
/// The protocols that an address may use; none of them runs a program that the address names.
const PROTOCOLS: &str = "file:git:http:https:ssh";
/// Settings of every call: nothing is deleted, maintenance has its own time, and a connection that is dead ends.
const SETTINGS: [(&str, &str); 10] = [
    ("remote.origin.fetch", BRANCHES),
    ("fetch.prune", "false"),
    ("fetch.pruneTags", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("fetch.all", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "120"),
];
/// A confined SSH cannot make the socket of a shared connection, and would end if it were to.
const SSH_OPTIONS: &str = "-o ControlMaster=no -o ServerAliveInterval=15 -o ServerAliveCountMax=8";
/// Answers git's question for a name and a password from variables, so that they stand in no argument and no file.
const HELPER: &str = "!f() { test \"$1\" = get || exit 0; printf 'username=%s\\npassword=%s\\n' \"$EXECENV_GIT_NAME\" \
                      \"$EXECENV_GIT_PASSWORD\"; }; f";

/// A name, and mostly a password, for one host.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    host: String,
    name: String,
    password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({}, <redacted>)", self.host)
    }
}

impl Login {
    /// What is presented to `host` (with its port).
    pub fn new(host: &str, name: &str, password: Option<&str>) -> Login {
        Login { host: host.to_owned(), name: name.to_owned(), password: password.map(str::to_owned) }
    }
}

/// Where a repository is fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address, without secrets.
    pub address: String,
    /// What was in it.
    pub login: Option<Login>,
    /// Git starts SSH.
    pub is_ssh: bool,
    /// Only what is checked out is fetched of the files' contents.
    pub is_partial: bool,
}

/// What a remote says of its HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteHead {
    /// Its default branch, without `refs/heads/`; `None`: its HEAD names none.
    pub branch: Option<String>,
    /// The length of its commits' ids in hexadecimal digits; `None`: it has no commits.
    pub id_length: Option<usize>,
}

impl<'a> Repository<'a> {
    /// A view of this bare repository, which stands by itself.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn bare_view(&self) -> Result<View> {
        let folder = self.dir().to_owned();
        self.view(&GitFolders { own: folder.clone(), common: folder }, true)
    }

    /// The same, from which another repository can fetch everything.
    fn served_view(&self) -> Result<View> {
        let folder = self.dir().to_owned();
        let served = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n";
        self.view_with(&GitFolders { own: folder.clone(), common: folder }, true, served)
    }

    /// Asks a remote for its default branch and the kind of its ids.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn remote_head(&self, remote: &Remote) -> Result<RemoteHead> {
        let view = self.bare_view()?;
        let said = self.remote_call(["ls-remote", "--symref", "origin", "HEAD"], remote, &view)?.text()?;
        Ok(parse_head(&said))
    }

    /// Fetches all branches, and the tags on them.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn fetch(&self, remote: &Remote) -> Result<()> {
        let view = self.bare_view()?;
        let words = ["fetch", "--quiet", "--no-write-fetch-head", "origin"];
        self.remote_call(words, remote, &view)?.output().map(drop)
    }

    /// Lets every fetch keep the remote's branches apart from those of worktrees, also one that an agent starts.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn keep_branches_apart(&self) -> Result<()> {
        let words = ["config", "--local", "--replace-all", "remote.origin.fetch", BRANCHES];
        self.work(words).output().map(drop)
    }

    /// Fetches what a fetch of branches leaves out: a tag, another ref in full, or a commit by its id. It is kept below
    /// [`OTHERS`].
    ///
    /// # Errors
    /// As [`output`](GitCommand::output), also when the remote does not have it.
    pub fn fetch_one(&self, remote: &Remote, name: &str) -> Result<()> {
        let view = self.bare_view()?;
        let source = if is_commit_id(name) || name.starts_with("refs/") {
            name.to_owned()
        } else {
            format!("refs/tags/{name}")
        };
        let refspec = format!("+{source}:{OTHERS}{name}");
        let words =
            ["fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--refmap=", "origin", &refspec];
        self.remote_call(words, remote, &view)?.output().map(drop)
    }

    /// Fetches the objects of a commit. No ref is made, so the repository holds them until it is tidied up next.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output), also when the remote does not have it.
    pub(super) fn fetch_objects(&self, remote: &Remote, commit: &str) -> Result<()> {
        let view = self.bare_view()?;
        let words = ["fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--refmap=", "origin", commit];
        self.remote_call(words, remote, &view)?.output().map(drop)
    }

    /// Copies the branches of the remote, and the tags on them, from a shared repository.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn copy_branches_from(&self, shared: Repository<'_>) -> Result<()> {
        self.copy_from(shared, &["+refs/remotes/origin/*:refs/remotes/origin/*", "^refs/remotes/origin/HEAD"])
    }

    /// Copies a commit from a shared repository, and keeps it below [`OTHERS`].
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn copy_commit_from(&self, shared: Repository<'_>, commit: &str) -> Result<()> {
        self.copy_from(shared, &[&format!("+{commit}:{OTHERS}{commit}")])
    }

    /// Copies refs from a repository, which is a bare one here whatever it is.
    pub(super) fn copy_from(&self, shared: Repository<'_>, refspecs: &[&str]) -> Result<()> {
        let served = shared.served_view()?;
        let view = self.bare_view()?;
        let promisor = ["config", "--get-regexp", r"^remote\..*\.promisor$"];
        let is_partial = self.look(promisor).through(&view).answer()?;
        let mut fetch =
            self.work(["fetch", "--quiet", "--no-write-fetch-head"]).through(&view).and_to(view.tree());
        if is_partial.is_some() {
            fetch = fetch.args([format!("--filter={BLOBLESS}")]);
        }
        let settings = SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let fetch = fetch.settings(&settings).variable("GIT_ALLOW_PROTOCOL", "file");
        fetch.args([served.tree().path()]).args(refspecs).output().map(drop)
    }

    /// A call that talks to a remote called `origin`, through a view.
    pub(super) fn remote_call<'v>(
        &self,
        words: impl IntoIterator<Item = &'v str>,
        remote: &Remote,
        view: &'a View,
    ) -> Result<GitCommand<'a, Network>> {
        let mut settings: Vec<(String, String)> =
            SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        settings.push(("remote.origin.url".into(), remote.address.clone()));
        if remote.is_partial {
            settings.push(("remote.origin.promisor".into(), "true".into()));
            settings.push(("remote.origin.partialclonefilter".into(), BLOBLESS.into()));
        }
        let mut call = self.network(words).through(view).and_to(view.tree());
        call = call.variable("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        if remote.is_ssh
            && let Some(command) = self.ssh_command(view)?
        {
            call = call.variable("GIT_SSH_COMMAND", command);
        }
        if let Some(Login { host, name, password }) = &remote.login {
            // A name alone may be a token, and git asks for its password by it.
            call = call.hiding(format!("//{name}@"), "//");
            for scheme in ["https", "http"] {
                settings.push((format!("credential.{scheme}://{host}.username"), name.clone()));
            }
            if let Some(password) = password {
                // No helper of the user's is asked for it, or told it.
                settings.push(("credential.helper".into(), String::new()));
                for scheme in ["https", "http"] {
                    settings.push((format!("credential.{scheme}://{host}.helper"), String::new()));
                    settings.push((format!("credential.{scheme}://{host}.helper"), HELPER.into()));
                }
                call = call.variable("EXECENV_GIT_NAME", name).variable("EXECENV_GIT_PASSWORD", password);
            }
        }
        Ok(call.settings(&settings))
    }

    /// The user's SSH command with our options. `None`: a program of the user's whose options are not known.
    fn ssh_command(&self, view: &View) -> Result<Option<String>> {
        let text = |command: &[u8]| String::from_utf8_lossy(command).trim_end().to_owned();
        let own = |name| self.own_variable(name).map(|command| text(command.as_encoded_bytes()));
        let command = match own("GIT_SSH_COMMAND") {
            Some(command) => Some(command),
            None => self
                .look(["config", "--get", "core.sshCommand"])
                .through(view)
                .answer()?
                .map(|found| text(&found)),
        };
        let Some(command) = command.or_else(|| own("GIT_SSH").is_none().then(|| "ssh".to_owned())) else {
            return Ok(None);
        };
        let program = command.split_whitespace().next().unwrap_or_default();
        let is_openssh = program == "ssh" || program.ends_with("/ssh");
        Ok(is_openssh.then(|| format!("{command} {SSH_OPTIONS}")))
    }
}

/// Reads what `git ls-remote --symref REMOTE HEAD` prints.
pub(super) fn parse_head(said: &str) -> RemoteHead {
    let mut head = RemoteHead { branch: None, id_length: None };
    for line in said.lines() {
        let Some((value, "HEAD")) = line.split_once('\t') else { continue };
        match value.strip_prefix("ref: ") {
            Some(target) => head.branch = target.strip_prefix("refs/heads/").map(str::to_owned),
            None => head.id_length = Some(value.len()),
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_and_the_kind_of_ids_are_read() {
        let id = "a".repeat(40);
        let long = "a".repeat(64);
        for (said, branch, id_length) in [
            (
                format!("ref: refs/heads/main\tHEAD\n{id}\tHEAD\n{id}\trefs/remotes/origin/HEAD"),
                Some("main"),
                Some(40),
            ),
            (format!("ref: refs/heads/a/b\tHEAD\n{long}\tHEAD"), Some("a/b"), Some(64)),
            (format!("{id}\tHEAD"), None, Some(40)),
            (format!("ref: refs/tags/v1\tHEAD\n{id}\tHEAD"), None, Some(40)),
            (String::new(), None, None),
        ] {
            assert_eq!(
                parse_head(&said),
                RemoteHead { branch: branch.map(str::to_owned), id_length },
                "{said}"
            );
        }
    }

    #[test]
    fn a_login_is_shown_without_its_secrets() {
        let shown = format!("{:?}", Login::new("h", "n4me", Some("s3cret")));
        assert!(shown.contains('h') && !shown.contains("s3cret") && !shown.contains("n4me"));
    }
}
