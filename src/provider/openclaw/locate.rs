//! Which configuration OpenClaw uses: what its CLI prints, and a search of execenv's own for a version that
//! cannot print it. Nothing here reads the disk: the caller passes in a function that does.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The names that its configuration and its folder have had, the present one first.
const FILES: [&str; 4] = ["openclaw.json", "clawdbot.json", "moltbot.json", "moldbot.json"];
const FOLDERS: [&str; 4] = [".openclaw", ".clawdbot", ".moltbot", ".moldbot"];

/// The variables and the home that paths are understood by.
pub(super) struct Surroundings<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<&'a str>,
    pub(super) home: Option<&'a Path>,
}

/// The path in what `config file` printed: the last line with anything on it. Warnings stand before it.
pub(super) fn last_line(stdout: &str) -> Option<&str> {
    stdout.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Whether an error text says that this CLI has no `config file`.
pub(super) fn is_unsupported(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("too many arguments for 'config'")
        || text.contains("expected 0 arguments but got 1")
        || ["unknown", "config", "file"].iter().all(|word| text.contains(word))
}

impl Surroundings<'_> {
    /// A path as OpenClaw writes it, made absolute: `~` and `$OPENCLAW_HOME`, with either separator behind them.
    pub(super) fn expand(&self, path: &str) -> Result<PathBuf> {
        let expanded = match self.openclaw_home_in(path)? {
            Some(expanded) => expanded,
            None => self.expand_tilde(path)?,
        };
        if !expanded.is_absolute() {
            bail!("`{}` is not an absolute path", path.escape_debug());
        }
        Ok(expanded)
    }

    fn openclaw_home_in(&self, path: &str) -> Result<Option<PathBuf>> {
        let rest = path.strip_prefix("${OPENCLAW_HOME}").or_else(|| path.strip_prefix("$OPENCLAW_HOME"));
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\'])) else {
            return Ok(None);
        };
        let Some(value) = (self.variable)("OPENCLAW_HOME").map(str::trim).filter(|value| !value.is_empty())
        else {
            bail!("`{}` needs OPENCLAW_HOME, which is not set", path.escape_debug());
        };
        Ok(Some(join(&self.expand_tilde(value)?, rest)))
    }

    fn expand_tilde(&self, path: &str) -> Result<PathBuf> {
        let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
        match (rest, self.home) {
            (None, _) => Ok(PathBuf::from(path)),
            (Some(rest), Some(home)) => Ok(join(home, rest)),
            (Some(_), None) => bail!("`{}` needs a home, and none is known", path.escape_debug()),
        }
    }

    /// The search for a CLI that cannot name its configuration. `exists` says whether something is there.
    pub(super) fn search(&self, exists: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
        let variable = |name: &str| (self.variable)(name).map(str::trim).filter(|value| !value.is_empty());
        if let Some(path) = variable("OPENCLAW_CONFIG_PATH") {
            return self.expand(path);
        }
        let mut candidates = Vec::new();
        if let Some(path) = variable("CLAWDBOT_CONFIG_PATH") {
            candidates.push(self.expand(path)?);
        }
        for name in ["OPENCLAW_STATE_DIR", "CLAWDBOT_STATE_DIR"] {
            if let Some(folder) = variable(name) {
                let folder = self.expand(folder)?;
                candidates.extend(FILES.iter().map(|file| folder.join(file)));
            }
        }
        let home = match (variable("OPENCLAW_HOME"), self.home) {
            (Some(home), _) => self.expand(home)?,
            (None, Some(home)) => home.to_owned(),
            (None, None) => bail!("no home is known to look in"),
        };
        for folder in FOLDERS {
            candidates.extend(FILES.iter().map(|file| home.join(folder).join(file)));
        }
        let found = candidates.into_iter().find(|candidate| exists(candidate));
        Ok(found.unwrap_or_else(|| home.join(FOLDERS[0]).join(FILES[0])))
    }
}

fn join(base: &Path, rest: &str) -> PathBuf {
    // A backslash is no separator here, but it was where the text comes from.
    let rest = if rest.starts_with('\\') { rest.replace('\\', "/") } else { rest.to_owned() };
    let rest = rest.trim_start_matches('/');
    if rest.is_empty() { base.to_owned() } else { base.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(variables: &[(&str, &'static str)], ask: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        ask(&Surroundings { variable: &variable, home: Some(Path::new("/home/ada")) })
    }

    #[test]
    fn each_form_of_a_path_is_expanded() {
        let svc = [("OPENCLAW_HOME", "/srv/claw")];
        let tilde = [("OPENCLAW_HOME", "~/svc")];
        for (variables, path, expected) in [
            (&svc[..], "/x/openclaw.json", "/x/openclaw.json"),
            (&svc, "~/.openclaw/openclaw.json", "/home/ada/.openclaw/openclaw.json"),
            (&svc, "~", "/home/ada"),
            (&svc, "~\\.openclaw\\openclaw.json", "/home/ada/.openclaw/openclaw.json"),
            (&svc, "$OPENCLAW_HOME\\a\\b.json", "/srv/claw/a/b.json"),
            (&svc, "${OPENCLAW_HOME}/a.json", "/srv/claw/a.json"),
            (&svc, "$OPENCLAW_HOME", "/srv/claw"),
            (&tilde, "$OPENCLAW_HOME/a", "/home/ada/svc/a"),
        ] {
            with(variables, |around| assert_eq!(around.expand(path).unwrap(), Path::new(expected), "{path}"));
        }
        for (variables, path) in
            [(&[][..], "$OPENCLAW_HOME/a"), (&[("OPENCLAW_HOME", " ")], "${OPENCLAW_HOME}")]
        {
            let text = with(variables, |around| around.expand(path).unwrap_err().to_string());
            assert!(text.contains("OPENCLAW_HOME") && text.contains(path), "{text}");
        }
        for look_alike in ["$OPENCLAW_HOMEX/a", "~ada/x", "openclaw.json", "$HOME/x", "${OPENCLAW_HOME}x"] {
            let text = with(&svc, |around| around.expand(look_alike).unwrap_err().to_string());
            assert!(text.contains("not an absolute path"), "{text}");
        }
    }

    #[test]
    fn the_last_line_is_the_path() {
        for (printed, expected) in [
            ("/a\n", Some("/a")),
            ("│ warning ◇\n\n  ~/.openclaw/openclaw.json  \n\n", Some("~/.openclaw/openclaw.json")),
            (" \n\n", None),
            ("", None),
        ] {
            assert_eq!(last_line(printed), expected);
        }
    }

    #[test]
    fn an_old_cli_is_known_by_its_words() {
        for (text, expected) in [
            ("error: too many arguments for 'config'. Expected 0 arguments but got 1.", true),
            ("Unknown command: config file", true),
            ("unknown option", false),
            ("EACCES: permission denied, open '/x/openclaw.json'", false),
        ] {
            assert_eq!(is_unsupported(text), expected, "{text}");
        }
    }

    #[test]
    fn the_search_goes_from_the_most_special_to_the_default() {
        let all = [
            ("OPENCLAW_CONFIG_PATH", "/a/missing.json"),
            ("CLAWDBOT_CONFIG_PATH", "/b/b.json"),
            ("OPENCLAW_STATE_DIR", "/c"),
            ("CLAWDBOT_STATE_DIR", "/d"),
            ("OPENCLAW_HOME", "/e"),
        ];
        let there = [
            "/b/b.json",
            "/c/moltbot.json",
            "/d/openclaw.json",
            "/e/.clawdbot/moldbot.json",
            "/home/ada/.moldbot/clawdbot.json",
        ];
        for (variables, present, expected) in [
            (&all[..], &there[..], "/a/missing.json"),
            (&all[1..], &there, "/b/b.json"),
            (&all[1..], &there[1..], "/c/moltbot.json"),
            (&all[1..], &there[2..], "/d/openclaw.json"),
            (&all[1..], &there[3..], "/e/.clawdbot/moldbot.json"),
            (&all[4..], &there, "/e/.clawdbot/moldbot.json"),
            (&[], &there, "/home/ada/.moldbot/clawdbot.json"),
            (&all[4..], &[], "/e/.openclaw/openclaw.json"),
            (&[], &[], "/home/ada/.openclaw/openclaw.json"),
        ] {
            let exists = |path: &Path| present.iter().any(|known| Path::new(known) == path);
            with(variables, |around| assert_eq!(around.search(&exists).unwrap(), Path::new(expected)));
        }
    }
}
