//! What an environment consists of.

use std::ffi::OsStr;

use serde::Serialize;

use crate::layout::{Row, in_env, names};

/// A part of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The work dir.
    Workdir,
    /// What the agent hands over, checkpoints, results.
    Output,
    /// Logs of runs.
    Logs,
    /// Homes of agent CLIs.
    Homes,
    /// State files and whatever else there is.
    Other,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 5] = [Part::Workdir, Part::Output, Part::Logs, Part::Homes, Part::Other];

    /// What a folder of an env root belongs to.
    fn of(name: &OsStr) -> Part {
        match name.to_str() {
            Some(names::WORK_DIR) => Part::Workdir,
            Some(names::OUTPUT) => Part::Output,
            Some(names::LOGS) => Part::Logs,
            Some(name) if name == names::HOME || in_env(name).is_some_and(Row::is_home) => Part::Homes,
            _ => Part::Other,
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Part::Workdir => "workdir",
            Part::Output => "output",
            Part::Logs => "logs",
            Part::Homes => "homes",
            Part::Other => "other",
        }
    }
}

/// The size of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PartUsage {
    /// Which part.
    pub part: Part,
    /// Its size.
    pub size_bytes: u64,
    /// Of these, build artifacts.
    pub artifact_size_bytes: u64,
}

/// Adds up folders.
#[derive(Debug, Default)]
pub(super) struct Parts([(u64, u64); Part::ALL.len()]);

impl Parts {
    pub(super) fn add(&mut self, folder: &OsStr, bytes: u64, artifacts: u64) {
        let part = Part::of(folder);
        let sums = Part::ALL.iter().zip(&mut self.0).find(|(known, _)| **known == part);
        sums.into_iter().for_each(|(_, (size, artifact))| {
            *size += bytes;
            *artifact += artifacts;
        });
    }

    /// The parts that take space, the largest first. Of `whole`, what lies in no folder is the rest.
    pub(super) fn of_whole(mut self, whole: u64) -> Vec<PartUsage> {
        let in_folders: u64 = self.0.iter().map(|(size, _)| size).sum();
        if let Some((rest, _)) = self.0.last_mut() {
            *rest += whole.saturating_sub(in_folders);
        }
        let parts = Part::ALL.into_iter().zip(self.0).map(|(part, (size_bytes, artifact_size_bytes))| {
            PartUsage { part, size_bytes, artifact_size_bytes }
        });
        let mut parts: Vec<PartUsage> = parts.filter(|part| part.size_bytes > 0).collect();
        crate::order::sort_by_key(&mut parts, |part| std::cmp::Reverse(part.size_bytes));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_of_one_part_and_the_sum_is_the_whole() {
        let mut parts = Parts::default();
        for (folder, bytes) in [
            ("workdir", 10),
            ("codex-home", 30),
            (".gemini", 5),
            ("output", 7),
            ("home", 1),
            ("launch", 2),
            ("x", 1),
        ] {
            parts.add(OsStr::new(folder), bytes, u64::from(folder == "workdir") * 4);
        }
        let found = parts.of_whole(60);
        let rows: Vec<_> =
            found.iter().map(|part| (part.part.word(), part.size_bytes, part.artifact_size_bytes)).collect();
        assert_eq!(rows, [("homes", 36, 0), ("workdir", 10, 4), ("output", 7, 0), ("other", 7, 0)]);
    }
}
