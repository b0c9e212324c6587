//! What the ports of an environment are called, and the variables that name them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use crate::environment::record::PortRecord;

/// The variable with the first port, and the beginning of those with each by its name.
const FIRST: &str = "EXECENV_PORT";
/// The longest name.
const LONGEST: usize = 32;
/// The most ports of an environment: of a record that names more, the first ones count.
pub(in crate::environment) const MOST_PORTS: usize = 32;

/// The name of a port: a letter, then letters, digits, `-`, `.` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortName(String);

impl PortName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two different names that have one variable.
    pub(in crate::environment) fn two_of_one_variable(names: &[PortName]) -> Option<(&PortName, &PortName)> {
        names.iter().enumerate().find_map(|(at, name)| {
            names[..at]
                .iter()
                .find(|earlier| *earlier != name && name.is_same(&earlier.0))
                .map(|one| (one, name))
        })
    }

    /// Whether two names have one variable.
    pub(super) fn is_same(&self, recorded: &str) -> bool {
        variable(&self.0) == variable(recorded)
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PortName {
    type Err = String;

    fn from_str(text: &str) -> Result<PortName, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_good = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= LONGEST
            && text.chars().all(is_part);
        if is_good {
            return Ok(PortName(text.to_owned()));
        }
        Err(format!(
            "`{}` is no name of a port: a letter, then at most {} letters, digits, `-`, `.` and `_`",
            text.escape_debug(),
            LONGEST - 1
        ))
    }
}

impl<'de> Deserialize<'de> for PortName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn variable(name: &str) -> String {
    let part = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{FIRST}_{}", name.chars().map(part).collect::<String>())
}

/// The variables of recorded ports. The agent can write to the record: what is no name of a port, and no port, is left out.
pub(in crate::environment) fn variables(ports: &[PortRecord]) -> impl Iterator<Item = (String, String)> {
    let good = || {
        ports
            .iter()
            .take(MOST_PORTS)
            .filter(|record| record.port > 0 && record.name.parse::<PortName>().is_ok())
    };
    let first = good().next().map(|record| (FIRST.to_owned(), record.port.to_string()));
    first.into_iter().chain(good().map(|record| (variable(&record.name), record.port.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_part_of_a_variable() {
        for (name, expected) in [("web", "EXECENV_PORT_WEB"), ("api-2.x", "EXECENV_PORT_API_2_X")] {
            assert_eq!(variable(name.parse::<PortName>().unwrap().as_str()), expected);
        }
        for bad in ["", "2web", "a b", "é", "a=b", "_x", &"x".repeat(33)] {
            assert!(bad.parse::<PortName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_port_has_two_variables_and_a_forged_one_none() {
        let port = |name: &str, port| PortRecord { name: name.into(), port, ..PortRecord::default() };
        let ports = [port("evil\n", 1), port("web", 20_001), port("none", 0), port("api", 20_002)];
        let all: Vec<String> = variables(&ports).map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["EXECENV_PORT=20001", "EXECENV_PORT_WEB=20001", "EXECENV_PORT_API=20002"]);
        assert_eq!(variables(&[]).count(), 0);
    }
}
