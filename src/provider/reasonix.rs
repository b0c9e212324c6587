//! Reasonix: a project file that denies the tool which asks the user, and a folder for its state.
//!
//! The project's `[permissions]` replace those of the user's configuration: the file repeats the user's rules, or is not
//! written.

pub mod launch;

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::agent_store::agent_store;
use super::plan::{HomePlan, HomeRequest, HomeSidecar, IfTaken, Os};
use super::user_file;
use crate::layout::names;

/// The variable that names its folder of state.
pub(super) const STATE_VARIABLE: &str = "REASONIX_STATE_HOME";
/// The project's configuration, in the work dir.
pub(super) const FILE: &str = "reasonix.toml";
const CONFIG: &str = "config.toml";
const HEADER: &str =
    "# Written by execenv for this task: it runs unattended, so the tool that asks the user is denied.\n\n";

/// Plans the project file and the state.
///
/// # Errors
/// When the agent's id cannot name a folder. The project file is never a reason to fail.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let store = agent_store(request, names::REASONIX_STATE)?;
    plan.exports.insert(STATE_VARIABLE.into(), store.display().to_string());
    plan.stores.push(store);
    let owner = owner_config(request)
        .map_or(Ok(None), |path| user_file::read_text(&path))
        .unwrap_or(Some("=".into()));
    match project_file(owner.as_deref().unwrap_or_default()) {
        None => plan.warnings.push(
            "your Reasonix configuration cannot be read, or its permissions are in an unknown form: execenv writes no \
             project file, so the agent may wait for an answer that never comes"
                .into(),
        ),
        Some(text) => plan.sidecars.push(HomeSidecar {
            path: FILE.into(),
            bytes: text.into_bytes(),
            mode: 0o644,
            if_taken: IfTaken::Leave(format!(
                "the work dir has its own {FILE}, so the agent may wait for an answer that never comes"
            )),
        }),
    }
    Ok(plan)
}

/// The owner's permissions with `ask` denied. `None`: they are not understood.
fn project_file(owner: &str) -> Option<String> {
    let owner: DocumentMut = owner.parse().ok()?;
    let mut permissions = match owner.get("permissions") {
        None => Table::new(),
        Some(Item::Table(table)) => table.clone(),
        Some(Item::Value(Value::InlineTable(table))) => table.clone().into_table(),
        Some(_) => return None,
    };
    let mut deny = match permissions.get("deny") {
        None => Array::new(),
        Some(Item::Value(Value::Array(list))) => list.clone(),
        Some(_) => return None,
    };
    if !deny.iter().all(Value::is_str) {
        return None;
    }
    if !deny.iter().any(|rule| rule.as_str() == Some("ask")) {
        deny.push("ask");
    }
    permissions.insert("deny", deny.into());
    permissions.decor_mut().clear();
    permissions.set_implicit(false);
    let mut document = DocumentMut::new();
    document.insert("permissions", Item::Table(permissions));
    Some(format!("{HEADER}{document}"))
}

/// Where Reasonix would read its owner's configuration.
fn owner_config(request: &HomeRequest<'_>) -> Option<PathBuf> {
    let variable = |name: &str| match request.task.agent.custom_env.get(name) {
        Some(value) => Some(value.clone()),
        None => request.variable(name).map(str::to_owned),
    };
    if let Some(home) = variable("REASONIX_HOME").filter(|home| !home.trim().is_empty()) {
        return Some(expand(home.trim(), &variable, request.user_home, request.work_dir).join(CONFIG));
    }
    let home = request.user_home?;
    let primary = home.join(".reasonix").join(CONFIG);
    let xdg = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let xdg = xdg.unwrap_or_else(|| home.join(".config")).join("reasonix");
    let system = match request.os {
        Os::MacOs => home.join("Library/Application Support/reasonix"),
        Os::Linux => xdg.clone(),
    };
    let older = [system, xdg].map(|folder| folder.join(CONFIG));
    Some([primary.clone()].into_iter().chain(older).find(|path| path.exists()).unwrap_or(primary))
}

/// `${V}` and `${V:-default}` (an empty value is none), `~/`, absolute, without detours.
fn expand(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
    above: &Path,
) -> PathBuf {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((inner, after)) = behind.split_once('}') else { break };
        let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
        expanded.push_str(before);
        expanded
            .push_str(&variable(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.into()));
        rest = after;
    }
    expanded.push_str(rest);
    let below_home = expanded.strip_prefix("~/").or(expanded.strip_prefix("~\\"));
    let path = match (below_home, home) {
        (Some(below), Some(home)) => home.join(below),
        _ => above.join(&expanded),
    };
    path.components().filter(|part| *part != Component::CurDir).fold(PathBuf::new(), |mut clean, part| {
        match part {
            Component::ParentDir => drop(clean.pop()),
            other => clean.push(other),
        }
        clean
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;

    fn world() -> World {
        let mut world = World::new();
        world.task.agent.id = "a".into();
        world
    }

    #[test]
    fn the_owners_rules_stay_and_ask_is_denied_once() {
        for (owner, expected) in [
            ("", Some("[permissions]\ndeny = [\"ask\"]\n")),
            ("model = \"x\"\n", Some("[permissions]\ndeny = [\"ask\"]\n")),
            (
                "# c\n[permissions]\nallow = [\"ls\"]\ndeny = [\"rm\"] # mine\n[other]\nx = 1\n",
                Some("[permissions]\nallow = [\"ls\"]\ndeny = [\"rm\", \"ask\"]\n"),
            ),
            ("permissions = { deny = [\"ask\"] }\n", Some("[permissions]\ndeny = [\"ask\"]\n")),
            (
                "[permissions.nested]\nx = 1\n",
                Some("[permissions]\ndeny = [\"ask\"]\n[permissions.nested]\nx = 1\n"),
            ),
            ("permissions = 1\n", None),
            ("[permissions]\ndeny = \"rm\"\n", None),
            ("[permissions]\ndeny = [1]\n", None),
            ("[permissions\n", None),
        ] {
            let text = project_file(owner);
            let body = text.as_deref().map(|text| text.strip_prefix(HEADER).expect("the header"));
            let parsed = |text: &str| {
                text.parse::<DocumentMut>().unwrap().to_string().replace(" ,", ",").replace(" # mine", "")
            };
            assert_eq!(body.map(parsed).as_deref(), expected, "{owner}");
        }
    }

    #[test]
    fn the_owners_file_is_looked_for_as_reasonix_does() {
        let place = |world: World, os: Os| {
            let mut world = world;
            world.os = os;
            let root = world.path("");
            let found = std::cell::RefCell::new(PathBuf::new());
            world
                .plan(|request| {
                    *found.borrow_mut() = owner_config(request).unwrap();
                    Ok(HomePlan::default())
                })
                .unwrap();
            found.into_inner().strip_prefix(&root).unwrap().display().to_string()
        };
        let mac = "home/Library/Application Support/reasonix/config.toml";
        for (world, os, expected) in [
            (world(), Os::Linux, "home/.reasonix/config.toml"),
            (
                world().file("home/.config/reasonix/config.toml", ""),
                Os::Linux,
                "home/.config/reasonix/config.toml",
            ),
            (
                world().file("x/reasonix/config.toml", "").variable("XDG_CONFIG_HOME", "[T]/x"),
                Os::Linux,
                "x/reasonix/config.toml",
            ),
            (world().file(mac, ""), Os::MacOs, mac),
            (world().file(mac, ""), Os::Linux, "home/.reasonix/config.toml"),
            (world().variable("REASONIX_HOME", " ~/a/../b "), Os::Linux, "home/b/config.toml"),
            (world().variable("REASONIX_HOME", "${NO:-[T]/d}/./e"), Os::Linux, "d/e/config.toml"),
            (
                world().variable("REASONIX_HOME", "/u").custom("REASONIX_HOME", "[T]/c"),
                Os::Linux,
                "c/config.toml",
            ),
        ] {
            assert_eq!(place(world, os), expected);
        }
    }

    #[test]
    fn a_malformed_owner_means_no_file_and_a_warning() {
        let planned = world().file("home/.reasonix/config.toml", "[").plan(plan).unwrap();
        assert_eq!((planned.sidecars.len(), planned.warnings.len()), (0, 1));
        let world = world();
        let planned = world.plan(plan).unwrap();
        assert!(matches!(planned.sidecars[0].if_taken, IfTaken::Leave(_)));
        let store = world.path("root/.stores/reasonix-state/w/a");
        assert_eq!(planned.exports["REASONIX_STATE_HOME"], store.display().to_string());
        assert_eq!(planned.stores, [store]);
    }
}
