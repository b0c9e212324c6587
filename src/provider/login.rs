//! Whether the user is logged in to an agent CLI, as far as variables and files show: no CLI is started, no login read.

use std::path::{Path, PathBuf};

use super::row::Provider;

/// Where a login was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A variable has a key.
    Variable(&'static str),
    /// A file of the program's.
    File(PathBuf),
}

/// The login of a provider's CLI. `None`: execenv does not know where this CLI keeps it; `Some(None)`: none was seen,
/// which is no proof: a CLI may keep it in the system's keychain.
pub fn find(
    provider: &Provider,
    home: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<Option<Login>> {
    let places = provider.login.as_ref()?;
    let has_value = |name: &&&'static str| variable(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = places.variables.iter().find(has_value) {
        return Some(Some(Login::Variable(name)));
    }
    let file = places.file.as_ref().and_then(|file| file.path(home, variable));
    // An empty file is no login.
    let is_there = |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0);
    Some(file.filter(is_there).map(Login::File))
}

/// What to type when an agent's error says that a login is missing.
pub fn hint(provider: &str) -> String {
    match super::registry::find(provider).and_then(|row| row.login_hint) {
        Some(hint) => hint.to_owned(),
        None => format!("log in to {provider}, then run again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::registry;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_login_is_seen_by_variable_or_by_file() {
        let tmp = tempfile::tempdir().unwrap();
        let home = tmp.path();
        for (place, text) in
            [(".codex/auth.json", "{}"), (".gemini/oauth_creds.json", ""), ("other/auth.json", "{}")]
        {
            std::fs::create_dir_all(home.join(place).parent().unwrap()).unwrap();
            std::fs::write(home.join(place), text).unwrap();
        }
        let file = |place: &str| Some(Some(Login::File(home.join(place))));
        let other = home.join("other").display().to_string();
        for (provider, variables, expected) in [
            ("codex", vec![], file(".codex/auth.json")),
            ("codex", vec![("CODEX_HOME", other.as_str())], file("other/auth.json")),
            ("codex", vec![("CODEX_API_KEY", "k")], Some(Some(Login::Variable("CODEX_API_KEY")))),
            ("codex", vec![("CODEX_API_KEY", "")], file(".codex/auth.json")),
            ("gemini", vec![], Some(None)),
            ("claude", vec![("ANTHROPIC_API_KEY", "k")], Some(Some(Login::Variable("ANTHROPIC_API_KEY")))),
            ("copilot", vec![], Some(None)),
            ("kimi", vec![], None),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(
                find(registry::find(provider).unwrap(), Some(home), &variable),
                expected,
                "{provider} {variables:?}"
            );
        }
        assert_eq!(find(registry::find("codex").unwrap(), None, &|_| None), Some(None));
    }
}
