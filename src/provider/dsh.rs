//! dsh: sessions in a store of the agent, telemetry off.

use anyhow::Result;

use super::agent_store::agent_store;
use super::plan::{HomePlan, HomeRequest};
use crate::layout::names;

/// The variable that names the folder of its sessions.
pub(super) const SESSIONS_VARIABLE: &str = "MULTICA_DSH_SESSION_ROOT";
/// The variable that switches its telemetry off.
pub(super) const TELEMETRY_VARIABLE: &str = "DSH_TELEMETRY_DISABLED";

/// Plans the variables.
///
/// # Errors
/// When the agent's id cannot name a folder.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let store = agent_store(request, names::DSH_SESSIONS)?;
    plan.exports.insert(SESSIONS_VARIABLE.into(), store.display().to_string());
    plan.exports.insert(TELEMETRY_VARIABLE.into(), "1".into());
    plan.stores.push(store);
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;

    #[test]
    fn sessions_lie_in_the_agents_store() {
        let mut world = World::new();
        world.task.agent.id = "a-1".into();
        let planned = world.plan(plan).unwrap();
        let store = world.path("root/.stores/dsh-sessions/w/a-1");
        assert_eq!(planned.exports["MULTICA_DSH_SESSION_ROOT"], store.display().to_string());
        assert_eq!(planned.exports["DSH_TELEMETRY_DISABLED"], "1");
        assert_eq!(planned.stores, [store]);
    }

    #[test]
    fn without_an_agent_the_key_stands_in_for_its_id() {
        let world = World::new();
        assert_eq!(world.plan(plan).unwrap().stores, [world.path("root/.stores/dsh-sessions/w/e")]);
    }

    #[test]
    fn an_id_that_is_no_name_is_an_error() {
        for id in ["..", "a/b", "a.b", "ä"] {
            let mut world = World::new();
            world.task.agent.id = id.into();
            assert!(world.plan(plan).is_err(), "{id}");
        }
    }
}
