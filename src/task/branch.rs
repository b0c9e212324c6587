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

/// Whether a branch, without `refs/heads/`, is one that `prepare` makes for the environment of this key.
pub(crate) fn is_branch_of(branch: &str, key: &str) -> bool {
    let Some((agent, last)) = branch.strip_prefix(BRANCHES).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_number = |rest: &str| {
        rest.strip_prefix('-').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    agent_part(agent) == agent
        && last.strip_prefix(key).is_some_and(|rest| rest.is_empty() || is_number(rest))
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
    fn only_branches_that_carry_the_key_are_an_environments() {
        for (branch, is_its) in [
            ("agent/ada/k1", true),
            ("agent/ada/k1-2", true),
            ("agent/ada/k12", false),
            ("agent/ada/k2", false),
            ("agent/ada/k1-2x", false),
            ("agent/k1", false),
            ("agent/Ada/k1", false),
            ("main", false),
        ] {
            assert_eq!(is_branch_of(branch, "k1"), is_its, "{branch}");
        }
    }

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
