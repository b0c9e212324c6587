//! The branch on which an agent works for a task.

/// The longest part of the agent's name in it, in bytes.
const MOST_OF_A_NAME: usize = 30;
/// That part where nothing of the name is left.
const NO_NAME: &str = "agent";

/// Begins the branch of every task.
pub(crate) const BRANCHES: &str = "agent/";

/// The name of the branch, without `refs/heads/`: `agent/<agent>/<key>`. A key that is multica's may hold any character.
pub fn agent_branch(agent: &str, key: &str) -> String {
    let key: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{BRANCHES}{}/{key}", agent_part(agent))
}

/// The agent's part of that name: lower case, other characters than letters and digits become one dash.
pub(crate) fn agent_part(agent: &str) -> String {
    let mut name = String::new();
    for c in agent.trim().to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(MOST_OF_A_NAME);
    let name = name.trim_end_matches('-');
    if name.is_empty() { NO_NAME.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_part_of_a_ref() {
        for (agent, expected) in [
            ("Code Reviewer", "code-reviewer"),
            ("my_agent!@#v2", "my-agent-v2"),
            ("a-very-long-name-that-exceeds-thirty-characters-total", "a-very-long-name-that-exceeds"),
            ("", "agent"),
            ("---", "agent"),
            ("日本語テスト", "agent"),
            ("..\u{212a}/x.lock", "k-x-lock"),
        ] {
            assert_eq!(agent_part(agent), expected, "{agent}");
        }
        assert_eq!(agent_branch("Ada", "0123456789ab"), "agent/ada/0123456789ab");
        assert_eq!(agent_branch("", "a..b@{1}.lock"), "agent/agent/a--b--1--lock");
    }
}
