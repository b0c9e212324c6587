//! The job of an engine (Slurm, Kubernetes, CI, …) that a run is part of, as the engine's own variables name it: so the result
//! of a run leads to the job. No other variable is ever copied.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::formats::escape;

/// The longest value that is kept, in bytes.
const LONGEST: usize = 256;

/// The variables by which engines name a job, each with the engine.
pub const VARIABLES: [(&str, &[&str]); 13] = [
    ("Slurm", &["SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"]),
    ("Kubernetes", &["JOB_COMPLETION_INDEX", "POD_NAME", "POD_NAMESPACE"]),
    ("HTCondor", &["_CONDOR_SLOT", "_CONDOR_JOB_AD"]),
    ("HyperQueue", &["HQ_JOB_ID", "HQ_TASK_ID", "HQ_INSTANCE_ID"]),
    ("GNU parallel", &["PARALLEL_SEQ"]),
    ("PBS", &["PBS_JOBID", "PBS_ARRAY_INDEX"]),
    ("LSF", &["LSB_JOBID", "LSB_JOBINDEX"]),
    ("Grid Engine", &["SGE_TASK_ID"]),
    ("Nomad", &["NOMAD_ALLOC_ID", "NOMAD_ALLOC_INDEX"]),
    ("AWS Batch", &["AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ATTEMPT"]),
    ("Cloud Run jobs", &["CLOUD_RUN_EXECUTION", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT"]),
    ("GitHub Actions", &["GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB"]),
    ("GitLab CI", &["CI_PIPELINE_ID", "CI_JOB_ID", "CI_NODE_INDEX"]),
];

/// The variables of the engine, with their values.
pub(super) type Engine = BTreeMap<&'static str, String>;

/// What the variables that execenv was started with say. Control characters in a value become visible; the end of one that is
/// too long is left out.
pub(super) fn engine_of(inherited: &[(OsString, OsString)]) -> Engine {
    let known = VARIABLES.iter().flat_map(|(_, names)| names.iter());
    let value = |name: &str| {
        let (_, value) = inherited.iter().rfind(|(key, _)| key == name)?;
        Some(value.to_string_lossy()).filter(|value| !value.is_empty()).map(|value| bounded(&value))
    };
    known.filter_map(|name| value(name).map(|value| (*name, value))).collect()
}

fn bounded(value: &str) -> String {
    let end = (0..=LONGEST.min(value.len())).rfind(|end| value.is_char_boundary(*end)).unwrap_or_default();
    escape(&value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_the_table_are_kept_and_their_values_are_bounded_and_harmless() {
        let given = [
            ("SLURM_JOB_ID", "17".to_owned()),
            ("SLURM_JOB_IDX", "secret".to_owned()),
            ("SLURM_ARRAY_TASK_ID", String::new()),
            ("SLURM_JWT", "secret".to_owned()),
            ("HQ_TASK_ID", "\u{1b}[31m\n7".to_owned()),
            ("CI_JOB_TOKEN", "secret".to_owned()),
            ("PBS_JOBID", "ä".repeat(200)),
        ];
        let given = given.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let engine = engine_of(&given);
        let names: Vec<&str> = engine.keys().copied().collect();
        assert_eq!(names, ["HQ_TASK_ID", "PBS_JOBID", "SLURM_JOB_ID"]);
        assert_eq!(engine["HQ_TASK_ID"], "\\u{1b}[31m\\n7");
        assert_eq!(engine["PBS_JOBID"], "ä".repeat(LONGEST / 2));
        assert_eq!(engine_of(&[]), Engine::new());
    }

    #[test]
    fn a_variable_is_that_of_one_engine_and_names_no_secret() {
        let all: Vec<&str> = VARIABLES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for (n, name) in all.iter().enumerate() {
            assert!(!all[..n].contains(name), "{name}");
            assert!(!["TOKEN", "SECRET", "KEY", "PASSWORD"].iter().any(|word| name.contains(word)), "{name}");
        }
    }
}
