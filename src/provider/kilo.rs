//! Kilo (7.7), a fork of OpenCode: its arguments and events, with files and folders of its own names.

use anyhow::Result;

use super::launch::{Dialect, LaunchPlan, LaunchRequest};
use super::plan::{HomePlan, HomeRequest};
use super::{acp, opencode};

/// The file that Kilo itself would put into the work dir.
pub(super) const IGNORE_FILE: &str = ".kilo/.gitignore";

/// How Kilo is run.
pub const DIALECTS: &[Dialect] = &[Dialect { start: json, ..opencode::JSON }, acp::OPENCODE];

/// Plans the file.
///
/// # Errors
/// Never; as all plans.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let file = "node_modules\npackage.json\npackage-lock.json\npnpm-lock.yaml\nbun.lock\nyarn.lock\n.gitignore\n\
                agent-manager.json";
    let mut plan = HomePlan::default();
    plan.sidecars.extend(opencode::ignore_file(request, IGNORE_FILE, file));
    Ok(plan)
}

fn json(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    request.refuse_servers("kilo run", "kilo acp")?;
    (opencode::JSON.start)(request)
}
