//! From options, settings and variables to the server that gc asks, or to none.
//!
//! Only `--server`, `--profile`, EXECENV_SERVER, MULTICA_SERVER_URL or `server` in execenv's own configuration switch it
//! on. A login of `multica` alone does not, because execenv's own environments need not be known to that server. The word
//! `multica`, or `--profile`, takes address and token from that login.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Deserialize;

use super::complete::{profile_completer, server_completer};
use super::input::UserInput;
use super::settings::Settings;
use crate::failure::{Code, Failure};
use crate::server::{Connection, Token, normalise};

/// Options of the commands that ask the server
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Multica server to ask about issues, chats and runs: its address, `multica` (the one of `multica login`), or `none`
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url, add = server_completer())]
    pub server: Option<String>,
    /// Name of the variable that holds the server's token [default: EXECENV_TOKEN, else MULTICA_TOKEN]
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    pub token_env: Option<String>,
    /// File that contains only the server's token
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Use the address and token of this profile of `multica`
    #[arg(long, value_name = "NAME", conflicts_with = "server", add = profile_completer())]
    pub profile: Option<String>,
}

/// The server to ask; `None`: `gc` decides by age alone.
///
/// The token comes from `--token-env` or `--token-file`, else with `multica` or `--profile` from upstream's
/// configuration, else from EXECENV_TOKEN or MULTICA_TOKEN, else from upstream's configuration if that is a login at
/// this very address: a login's token never goes to another server.
///
/// # Errors
/// A [`Code::Usage`] or [`Code::BadConfig`] failure for an address, a token, a proxy or certificates that cannot be used.
pub fn connection(args: &ServerArgs, settings: &Settings) -> Result<Option<Connection>> {
    let address = args.server.as_deref().unwrap_or(&settings.server).trim();
    let by_flag = given_token(args, settings)?;
    let (address, token) = if args.profile.is_some() || address == "multica" {
        let login = Login::load(args.profile.as_deref(), settings)?;
        (login.address()?, Some(by_flag.map_or_else(|| login.token(), Ok)?))
    } else if matches!(address, "" | "none") {
        if let Some(flag) =
            [("--token-env", args.token_env.is_some()), ("--token-file", args.token_file.is_some())]
                .iter()
                .find(|(_, is_given)| *is_given)
        {
            let message = format!("`{}` needs a server", flag.0);
            return Err(Failure::new(Code::Usage, message).hint("name it with `--server URL`").into());
        }
        return Ok(None);
    } else {
        let token = match by_flag {
            Some(token) => Some(token),
            None => match variable_token(settings)? {
                Some(token) => Some(token),
                None => login_at(address, settings),
            },
        };
        (address.to_owned(), token)
    };
    let mut connection = Connection::new(&address, token, &settings.inherited)?;
    connection.timeout = settings.server_timeout.to_std().unwrap_or_default();
    Ok(Some(connection))
}

fn given_token(args: &ServerArgs, settings: &Settings) -> Result<Option<Token>> {
    if let Some(name) = &args.token_env {
        let Some(value) = settings.variable(name) else {
            let message = format!("the variable {}, named by `--token-env`, is not set", name.escape_debug());
            return Err(Failure::new(Code::Usage, message)
                .hint("export it, or use `--token-file FILE`")
                .into());
        };
        return token(value, &format!("the token in {}", name.escape_debug())).map(Some);
    }
    let Some(file) = &args.token_file else { return Ok(None) };
    let path = settings.cwd.join(file)?;
    let shown = path.display().to_string();
    let text = UserInput::TOKEN.read_text(file, &settings.cwd)?;
    warn_of_readers(&path);
    token(&text, &format!("the token in {shown}")).map(Some)
}

fn variable_token(settings: &Settings) -> Result<Option<Token>> {
    let set = |name: &'static str| settings.variable(name).map(|value| (name, value));
    match set("EXECENV_TOKEN").or_else(|| set("MULTICA_TOKEN")) {
        Some((name, value)) => token(value, &format!("the token in {name}")).map(Some),
        None => Ok(None),
    }
}

/// The token of multica's login, if that login is at this address and can be read.
fn login_at(address: &str, settings: &Settings) -> Option<Token> {
    let login = Login::load(None, settings).ok()?;
    let is_here = normalise(login.address().ok()?.as_str()).ok()? == normalise(address).ok()?;
    if is_here { login.token().ok() } else { None }
}

fn token(text: &str, what: &str) -> Result<Token> {
    Token::new(text).map_err(|why| {
        Failure::new(Code::Usage, format!("{what} cannot be used: {why}"))
            .hint("a token is one word, such as `mul_…`")
            .into()
    })
}

fn warn_of_readers(path: &Path) {
    let is_open = path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o077 != 0);
    if is_open {
        log::warn!("other users can read the token in {}: run `chmod 600` on it", path.display());
    }
}

/// What `multica login` stores: `~/.multica/config.json`, for a profile `~/.multica/profiles/<name>/config.json`
/// (upstream's `internal/cli/config.go`).
struct Login {
    path: PathBuf,
    keys: LoginKeys,
}

#[derive(Default, Deserialize)]
struct LoginKeys {
    server_url: Option<String>,
    token: Option<String>,
}

impl Login {
    fn load(profile: Option<&str>, settings: &Settings) -> Result<Login> {
        let bad = |message: String| {
            Failure::new(Code::BadConfig, message).hint("log in with `multica login`, or use `--server URL`")
        };
        let home = settings.home.as_deref().ok_or_else(|| bad("the home folder is unknown".into()))?;
        let folder = match profile.map(str::trim) {
            None | Some("") => home.join(".multica"),
            Some(name) if name.starts_with('.') || name.contains(['/', '\0']) => {
                let message = format!("`--profile {}` is not the name of a profile", name.escape_debug());
                return Err(Failure::new(Code::Usage, message)
                    .hint("`ls ~/.multica/profiles` lists them")
                    .into());
            }
            Some(name) => home.join(".multica/profiles").join(name),
        };
        let path = folder.join("config.json");
        let shown = path.display();
        let text = UserInput::LOGIN.read_text(&path, &settings.cwd)?;
        // The place only: serde's message may repeat a secret value.
        let keys = serde_json::from_str(&text).map_err(|error| {
            bad(format!(
                "multica's login {shown} is not valid JSON at line {} column {}",
                error.line(),
                error.column()
            ))
        })?;
        Ok(Login { path, keys })
    }

    fn address(&self) -> Result<String> {
        self.text(self.keys.server_url.as_deref(), "server_url")
    }

    fn token(&self) -> Result<Token> {
        let text = self.text(self.keys.token.as_deref(), "token")?;
        token(&text, &format!("the token in {}", self.path.display()))
    }

    fn text(&self, value: Option<&str>, key: &str) -> Result<String> {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| {
            Failure::new(Code::BadConfig, format!("multica's login {} has no `{key}`", self.path.display()))
                .hint("log in with `multica login`, or use `--server URL`")
                .into()
        })
    }
}
