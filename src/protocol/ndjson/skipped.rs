//! What a reader of lines skipped, counted.

use std::collections::BTreeMap;

use super::lines::Lines;

/// Lines that were not understood.
#[derive(Debug, Default)]
pub struct Skipped {
    garbage: u64,
    unknown: BTreeMap<String, u64>,
}

impl Skipped {
    /// Counts a line that is not a JSON object.
    pub fn garbage(&mut self) {
        self.garbage += 1;
    }

    /// Counts a line of an unknown type. Types are shown to people: at most 16, of harmless characters only.
    pub fn unknown(&mut self, kind: &str) {
        let name: String =
            kind.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect();
        let name = if name.is_empty() { "(none)".to_owned() } else { name };
        if self.unknown.len() < 16 || self.unknown.contains_key(&name) {
            *self.unknown.entry(name).or_default() += 1;
        }
    }

    /// The counts as notices.
    pub fn remarks(&self, lines: &Lines) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.garbage > 0 {
            remarks.push(format!("{} lines of output are not JSON; they are in the log only", self.garbage));
        }
        if !self.unknown.is_empty() {
            let names: Vec<String> =
                self.unknown.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            remarks.push(format!("skipped output of unknown types: {}", names.join(", ")));
        }
        if lines.shortened() > 0 {
            remarks.push(format!("shortened the long strings of {} very long lines", lines.shortened()));
        }
        remarks
    }
}
