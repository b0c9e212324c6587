//! Whether an agent CLI has a login, as far as that can be told without starting it, and without reading one.

use std::path::{Path, PathBuf};

/// Where a login was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A variable has a key.
    Variable(&'static str),
    /// A file of the program's.
    File(PathBuf),
}

/// What is known of a CLI's logins (`real-clients.md`, and the programs' own documentation).
struct Row {
    provider: &'static str,
    variables: &'static [&'static str],
    /// The file below the folder that `home` names.
    file: Option<(Folder, &'static str)>,
}

/// A folder of the user's: by a variable, else by a path below the user's home.
struct Folder {
    variable: &'static str,
    below_home: &'static str,
}

const fn folder(variable: &'static str, below_home: &'static str) -> Folder {
    Folder { variable, below_home }
}

const ROWS: [Row; 8] = [
    Row {
        provider: "claude",
        variables: &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
        ],
        file: Some((folder("CLAUDE_CONFIG_DIR", ".claude"), ".credentials.json")),
    },
    Row {
        provider: "codex",
        variables: &["CODEX_API_KEY"],
        file: Some((folder("CODEX_HOME", ".codex"), "auth.json")),
    },
    Row { provider: "copilot", variables: &["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"], file: None },
    Row {
        provider: "cursor",
        variables: &["CURSOR_API_KEY"],
        file: Some((folder("XDG_CONFIG_HOME", ".config"), "cursor/auth.json")),
    },
    Row {
        provider: "gemini",
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        file: Some((folder("GEMINI_CLI_HOME", ""), ".gemini/oauth_creds.json")),
    },
    Row {
        provider: "opencode",
        variables: &[],
        file: Some((folder("XDG_DATA_HOME", ".local/share"), "opencode/auth.json")),
    },
    Row {
        provider: "pi",
        variables: &[],
        file: Some((folder("PI_CODING_AGENT_DIR", ".pi/agent"), "auth.json")),
    },
    Row {
        provider: "qwen",
        variables: &["OPENAI_API_KEY"],
        file: Some((folder("QWEN_HOME", ".qwen"), "oauth_creds.json")),
    },
];

/// The login of a provider: `None` where nobody knows where to look, `Some(None)` where none was seen. A system may
/// keep one where no file shows it, so "none" is no proof.
pub fn find(
    provider: &str,
    home: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<Option<Login>> {
    let row = ROWS.iter().find(|row| row.provider == provider)?;
    let has_value = |name: &&&'static str| variable(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = row.variables.iter().find(has_value) {
        return Some(Some(Login::Variable(name)));
    }
    let file = row.file.as_ref().and_then(|(folder, file)| {
        let named = variable(folder.variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        Some(named.or_else(|| Some(home?.join(folder.below_home)))?.join(file))
    });
    // An empty file is no login.
    let is_there = |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0);
    Some(file.filter(is_there).map(Login::File))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(find(provider, Some(home), &variable), expected, "{provider} {variables:?}");
        }
        assert_eq!(find("codex", None, &|_| None), Some(None));
        assert!(ROWS.iter().all(|row| crate::provider::find(row.provider).is_some()));
    }
}
