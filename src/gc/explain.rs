//! The decision on one environment, for a person who asks why.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::decide::protection;
use super::dry_run::DryRun;
use super::effects::Disk;
use super::judged::Judged;
use super::look::look_at_record;
use super::parents::Parents;
use super::reclaim::decide_and_apply;
use super::request::GcRequest;
use crate::environment::EnvRoot;
use crate::sys::tree::Tree;
use crate::sys::walk::measure;

/// Decides on one environment as a dry run does, with everything that the decision rests on. Bounds are not looked at:
/// they are about the whole root.
///
/// # Errors
/// When the environment cannot be opened.
pub fn explain(request: &GcRequest<'_>, env_root: &Path) -> Result<Judged> {
    let env = EnvRoot::open(env_root)?;
    let root =
        env_root.parent().and_then(Path::parent).context("an env root lies two levels below its root")?;
    let tree = Tree::open(root).with_context(|| format!("open {}", root.display()))?;
    let key = PathBuf::from(env_root.file_name().unwrap_or_default());
    let mut facts = look_at_record(&tree, &env.workspace(), &key, request.now)
        .with_context(|| format!("look at {}", env_root.display()))?;
    facts.look_at_user_folder(request);
    facts.look_at_lock(&tree);
    let mut parents = Parents::new(request.server.clone(), request.jobs, request.stop);
    parents.ask(std::iter::once(&facts).filter(|facts| protection(facts, request.now).is_none()));
    let parent = parents.of(&facts);
    let effects = DryRun::new(Disk { request, tree: &tree });
    let mut judged = decide_and_apply(request, &effects, &tree, facts, parent);
    judged.bytes = measure(env_root).bytes;
    Ok(judged)
}
