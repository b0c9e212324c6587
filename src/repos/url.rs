//! The address of a repository: what execenv fetches from, what it stores, and the names that follow from it.
//!
//! A name or a password in an address is taken out where the address is read. So neither an argument of git's, nor a
//! configuration, a record or an error can contain one. The user name of an SSH address is no secret and stays.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::git::{Login, Remote};

/// What git fetches over without running a program that the address names.
const SCHEMES: [&str; 4] = ["https", "http", "ssh", "git"];
/// The longest name of a shared repository's folder, in bytes: while it is cloned, the name is longer.
const MOST_OF_A_NAME: usize = 240;
/// The folder of an address of which nothing else is left.
const NO_NAME: &str = "repo";

/// The checked address of a repository, without secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct RepoUrl {
    address: String,
    login: Option<Login>,
    place: Place,
}

/// Which repository an address means, whatever its scheme, user and spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// The host in lower case, with its port; empty for a path.
    host: String,
    /// The parts of the path, the last without `.git`.
    segments: Vec<String>,
}

impl RepoUrl {
    /// Checks an address. `absolute` makes a path absolute (decision D31).
    ///
    /// # Errors
    /// A [`Code::Usage`] failure for what git would run a program for, and for what cannot be named (decision D27).
    pub fn parse(text: &str, absolute: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<RepoUrl> {
        let text = text.trim();
        let refuse = |why: &str, hint: &str| -> anyhow::Error {
            let shown = without_user_info(text);
            let message = format!("the repository address `{}` {why}", shown.escape_debug());
            Failure::new(Code::Usage, message).hint(hint.to_owned()).into()
        };
        if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
            return Err(refuse("is none", EXAMPLES));
        }
        let url = match form(text) {
            Form::Url { scheme, rest } => {
                let scheme = scheme.to_ascii_lowercase();
                if scheme == "file" {
                    let path = rest.trim_start_matches('/');
                    return Err(refuse(
                        "is a path in the form of a URL",
                        &format!("give the path: `/{path}`"),
                    ));
                }
                if !SCHEMES.contains(&scheme.as_str()) {
                    return Err(refuse("has a scheme that execenv does not fetch over", EXAMPLES));
                }
                if rest.contains(['?', '#']) {
                    return Err(refuse("has a query", "leave out what follows `?` or `#`"));
                }
                of_url(&scheme, rest)
            }
            Form::Helper => return Err(refuse("names a program of git's", EXAMPLES)),
            Form::Scp { user_and_host, path } if path.contains('@') && !user_and_host.contains('@') => {
                return Err(refuse("has its `@` behind the `:`", EXAMPLES));
            }
            Form::Scp { user_and_host, path } => of_scp(user_and_host, path),
            Form::Path => {
                let path = absolute(Path::new(text))?;
                let path = path
                    .to_str()
                    .ok_or_else(|| refuse("is not UTF-8", "rename the folder, or link to it"))?;
                if path.contains(['@', ':']) {
                    let hint = "link to the folder under a name without `@` and `:`";
                    return Err(refuse(
                        "is a path with `@` or `:`, whose shared copy has no clear name",
                        hint,
                    ));
                }
                let place = Place { host: String::new(), segments: segments(path) };
                RepoUrl { address: path.to_owned(), login: None, place }
            }
        };
        let is_option = |text: &str| text.starts_with('-');
        let user = url.address.split("://").last().unwrap_or_default();
        if is_option(&url.place.host) || is_option(user) {
            return Err(refuse("begins like an option", EXAMPLES));
        }
        if url.place.segments.iter().any(|segment| matches!(segment.as_str(), "." | "..")) {
            return Err(refuse("has a `.` or `..` in its path", "write the path out"));
        }
        let name = url.bare_name();
        if name.starts_with(['.', '-']) || name.len() > MOST_OF_A_NAME || url.place.segments.is_empty() {
            return Err(refuse("gives no name for a folder", EXAMPLES));
        }
        Ok(url)
    }

    /// Whether a text has the form of an address, and not that of a path.
    pub fn is_address(text: &str) -> bool {
        !matches!(form(text.trim()), Form::Path)
    }

    /// The address that git gets, and that is stored.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What git is told of it.
    pub fn remote(&self, is_partial: bool) -> Remote {
        let (address, login) = (self.address().to_owned(), self.login().cloned());
        Remote { address, login, is_ssh: self.is_ssh(), is_partial }
    }

    /// The name and the password that were in the address.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Whether git starts SSH for it.
    fn is_ssh(&self) -> bool {
        match form(&self.address) {
            Form::Url { scheme, .. } => scheme == "ssh",
            Form::Scp { .. } => true,
            Form::Helper | Form::Path => false,
        }
    }

    /// The name by which `gh` knows the repository: `HOST/OWNER/NAME`; `None`: it is no such address.
    pub fn on_forge(&self) -> Option<String> {
        let host = self.place.host.as_str();
        // The port of SSH is none of the API's.
        let host = if self.is_ssh() { host.split(':').next().unwrap_or(host) } else { host };
        match self.place.segments.as_slice() {
            [owner, name] if !host.is_empty() => Some(format!("{host}/{owner}/{name}")),
            _ => None,
        }
    }

    /// Whether another address means the same repository: only scheme and user differ.
    pub(super) fn is_same_repository(&self, address: &str) -> bool {
        place_of(address) == self.place
    }

    /// The name of the folder of its shared bare clone, as multica has it. Two repositories may have one name (`a+b` and
    /// `a/b`): the clone's own address decides.
    pub(super) fn bare_name(&self) -> String {
        bare_name(&self.address)
    }

    /// The name of the folder that a checkout of it gets.
    pub(super) fn folder_name(&self) -> String {
        folder_name(&self.address)
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// What helps against an address that is none.
const EXAMPLES: &str = "an address is `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `USER@HOST:PATH`, `git://HOST/PATH` or a path";

/// How an address is written, as git reads it.
enum Form<'a> {
    Url {
        scheme: &'a str,
        rest: &'a str,
    },
    /// `NAME::ADDRESS`, for which git runs `git-remote-NAME`.
    Helper,
    Scp {
        user_and_host: &'a str,
        path: &'a str,
    },
    Path,
}

fn form(text: &str) -> Form<'_> {
    if let Some((scheme, rest)) = text.split_once("://")
        && !scheme.contains(['/', ':'])
    {
        return Form::Url { scheme, rest };
    }
    let before_slash = text.split('/').next().unwrap_or_default();
    if before_slash.contains("::") {
        return Form::Helper;
    }
    match text.split_once(':') {
        Some((user_and_host, path)) if !user_and_host.contains('/') => Form::Scp { user_and_host, path },
        _ => Form::Path,
    }
}

fn of_url(scheme: &str, rest: &str) -> RepoUrl {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user_info, host) = match authority.rsplit_once('@') {
        Some((user_info, host)) => (Some(user_info), host),
        None => (None, authority),
    };
    let (user, password) = match user_info.and_then(|info| info.split_once(':')) {
        Some((user, password)) => (Some(user), Some(password)),
        None => (user_info, None),
    };
    let place = Place { host: host.to_lowercase(), segments: segments(path) };
    let (kept, login) = match (scheme, user) {
        // A name alone may be a token.
        ("https" | "http", Some(user)) => {
            (String::new(), Some(Login::new(host, &decoded(user), password.map(decoded).as_deref())))
        }
        // Nothing but the name reaches SSH.
        (_, Some(user)) if !user.is_empty() => (format!("{user}@"), None),
        _ => (String::new(), None),
    };
    RepoUrl { address: format!("{scheme}://{kept}{host}/{path}"), login, place }
}

fn of_scp(user_and_host: &str, path: &str) -> RepoUrl {
    let (user, host) = user_and_host.rsplit_once('@').unwrap_or(("", user_and_host));
    let kept = if user.is_empty() { String::new() } else { format!("{user}@") };
    let place = Place { host: host.to_lowercase(), segments: segments(path) };
    RepoUrl { address: format!("{kept}{host}:{path}"), login: None, place }
}

/// The parts of a path, the last without `.git`.
fn segments(path: &str) -> Vec<String> {
    let mut found: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if let Some(last) = found.last_mut()
        && let Some(name) = last.strip_suffix(".git")
        && !name.is_empty()
    {
        *last = name.to_owned();
    }
    found
}

/// Which repository an address means that may never have been checked.
fn place_of(address: &str) -> Place {
    match form(address) {
        Form::Url { scheme, rest } => of_url(&scheme.to_ascii_lowercase(), rest).place,
        Form::Scp { user_and_host, path } => of_scp(user_and_host, path).place,
        Form::Path => Place { host: String::new(), segments: segments(address) },
        Form::Helper => Place::default(),
    }
}

/// An address for a text, whatever is wrong with it: without a name and a password in it.
pub(super) fn without_user_info(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) =
                rest.split_once('/').map_or((rest, None), |(before, path)| (before, Some(path)));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None if matches!(form(text), Form::Scp { .. }) => text.rsplit('@').next().unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

/// The name of a shared bare clone's folder.
fn bare_name(address: &str) -> String {
    let address = address.trim_end_matches('/');
    let (host, path) = match address.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path)
        }
        None => {
            let rest = address.split_once('@').map_or(address, |(_, rest)| rest);
            rest.split_once(':').unwrap_or(("", rest))
        }
    };
    let host = host.to_lowercase().replace(':', "%3A");
    let parts = std::iter::once(host.as_str()).chain(path.split('/')).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("+");
    let name = if name.is_empty() { NO_NAME } else { &name };
    if name.ends_with(".git") { name.to_owned() } else { format!("{name}.git") }
}

/// The name of a checkout's folder.
fn folder_name(address: &str) -> String {
    let address = address.trim_end_matches('/');
    // A path to the git folder of a working copy.
    let address = address.strip_suffix("/.git").unwrap_or(address);
    let address = address.strip_suffix(".git").unwrap_or(address);
    let name = address.rsplit(['/', ':']).next().unwrap_or_default().trim();
    if matches!(name, "" | "." | "..") { NO_NAME.to_owned() } else { name.to_owned() }
}

/// A part of an address without its `%XX`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RepoUrl> {
        RepoUrl::parse(text, |path| Ok(Path::new("/here").join(path)))
    }

    #[test]
    fn a_shared_clone_is_called_as_multica_calls_it() {
        for (address, expected) in [
            ("https://github.com/org/my-repo", "github.com+org+my-repo.git"),
            ("https://github.com/org/my-repo.git", "github.com+org+my-repo.git"),
            ("https://GitHub.com/Org/my-repo.git/", "github.com+Org+my-repo.git"),
            ("git@github.com:org/my-repo.git", "github.com+org+my-repo.git"),
            (
                "ssh://git@gitlab.example.com:22/group/sub/repo.git",
                "gitlab.example.com%3A22+group+sub+repo.git",
            ),
            ("git@gitlab.example.com-22:org/repo.git", "gitlab.example.com-22+org+repo.git"),
            ("https://h/foo/bar-baz", "h+foo+bar-baz.git"),
            ("https://h/foo-bar/baz", "h+foo-bar+baz.git"),
            ("my-repo", "my-repo.git"),
            ("", "repo.git"),
            ("/abs/path/x", "abs+path+x.git"),
        ] {
            assert_eq!(bare_name(address), expected, "{address}");
        }
    }

    #[test]
    fn a_checkout_is_called_after_the_last_part() {
        for (address, expected) in [
            ("https://github.com/org/my-repo.git/", "my-repo"),
            ("git@github.com:my-repo.git", "my-repo"),
            ("git@github.com:org/my-repo", "my-repo"),
            ("/home/ada/project/.git", "project"),
            ("/", "repo"),
            ("https://h/org/..", "repo"),
        ] {
            assert_eq!(folder_name(address), expected, "{address}");
        }
    }

    #[test]
    fn no_address_runs_a_program_or_has_two_meanings() {
        for text in [
            "",
            "  ",
            "-u/tmp/x",
            "--upload-pack=touch x",
            "ext::sh -c 'touch x'",
            "ext::file:///x",
            "fd::7",
            "file:///home/ada/x",
            "FILE:///home/ada/x",
            "ftp://h/x",
            "ext://h/x",
            "ssh://-oProxyCommand=touch%20x/y",
            "ssh://-oProxyCommand=x@h/y",
            "-oProxyCommand=x:y",
            "-oProxyCommand=x@h:y",
            "a@-oProxyCommand=x:y",
            "git:s3cret@h:o/r",
            "https://h/a\nb",
            "https://h/",
            "https://h/a/../b",
            "https://h/a?token=s3cret",
            "/home/a@b/c",
            "./a:b",
            "/.hidden",
            "/",
            &format!("https://h/{}", "x".repeat(240)),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(Failure::code_of(&error), Code::Usage, "{text}");
            assert!(Failure::hint_of(&error).is_some(), "{text}");
        }
        assert!(
            Failure::hint_of(&parse("file:///home/ada/x").unwrap_err()).unwrap().contains("`/home/ada/x`")
        );
        let error = parse("ftp://ada:s3cret@h/x").unwrap_err();
        assert!(error.to_string().contains("ftp://h/x") && !format!("{error:?}").contains("s3cret"));
    }

    #[test]
    fn a_name_and_a_password_are_taken_out() {
        for (text, address, login) in [
            (
                "https://ada:p%40ss@Host:8443/o/r.git",
                "https://Host:8443/o/r.git",
                Some(("ada", Some("p@ss"))),
            ),
            ("https://t0ken@h/o/r", "https://h/o/r", Some(("t0ken", None))),
            ("http://h/o/r", "http://h/o/r", None),
            ("ssh://git:s3cret@h:22/o/r", "ssh://git@h:22/o/r", None),
            ("git@h:o/r.git", "git@h:o/r.git", None),
            ("r", "/here/r", None),
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.address(), address, "{text}");
            let expected = login.map(|(name, password)| Login::new(host_of(address), name, password));
            assert_eq!(url.login, expected, "{text}");
            assert!(!format!("{url} {url:?} {}", url.bare_name()).contains("s3cret"), "{text}");
        }
    }

    fn host_of(address: &str) -> &str {
        address.split("://").last().unwrap().split('/').next().unwrap()
    }

    #[test]
    fn two_addresses_of_one_repository_are_known_as_such() {
        let url = parse("https://GitHub.com/org/repo.git").unwrap();
        for (other, is_same) in [
            ("https://github.com/org/repo", true),
            ("git@github.com:org/repo.git", true),
            ("ssh://git@github.com/org/repo/", true),
            ("ssh://git@github.com:22/org/repo", false),
            ("https://github.com/org+repo", false),
            ("https://example.com/org/repo", false),
            ("ext::github.com/org/repo", false),
            ("/org/repo", false),
        ] {
            assert_eq!(url.is_same_repository(other), is_same, "{other}");
        }
    }
}
