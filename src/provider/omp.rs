//! omp: the managed MCP servers in `.omp/mcp.json` of the project.
//!
//! It has no switch for "only these", and it also reads the configurations of other agent CLIs.

use anyhow::Result;

use super::mcp_file;
use super::plan::{HomePlan, HomeRequest, HomeSidecar, IfTaken, Mcp, McpMode};

/// The project's servers, in the work dir.
pub(super) const MCP_FILE: &str = ".omp/mcp.json";

/// Plans the file.
///
/// # Errors
/// Never.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let Mcp::Managed(servers) = request.mcp else { return Ok(plan) };
    if !servers.is_empty() {
        plan.sidecars.push(HomeSidecar {
            path: MCP_FILE.into(),
            bytes: mcp_file::bytes(servers),
            mode: 0o600,
            if_taken: IfTaken::Refuse,
        });
    }
    if request.options.mcp_mode == McpMode::Strict {
        plan.warnings.push(
            "omp has no switch for `--mcp-mode strict`: MCP servers in your own configuration of it, and of the agent CLIs whose \
             files it reads, stay visible to the agent"
                .into(),
        );
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;

    #[test]
    fn the_servers_are_in_the_projects_file() {
        assert_eq!(World::new().plan(plan).unwrap(), HomePlan::default());
        let planned = World::new().mcp(r#"{"a":{"command":"x"}}"#).plan(plan).unwrap();
        assert_eq!(planned.sidecars[0].path, std::path::Path::new(".omp/mcp.json"));
        assert_eq!(planned.sidecars[0].bytes, br#"{"mcpServers":{"a":{"command":"x"}}}"#);
        assert_eq!((planned.sidecars[0].mode, planned.warnings.len()), (0o600, 1));
        let empty = World::new().mcp("{}").plan(plan).unwrap();
        assert_eq!((empty.sidecars.len(), empty.warnings.len()), (0, 1));
        assert!(World::new().mcp("{}").merge().plan(plan).unwrap().warnings.is_empty());
    }
}
