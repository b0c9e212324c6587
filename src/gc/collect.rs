//! Every environment of a root: looked at in batches, decided upon, dealt with.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::bounds::Candidate;
use super::decide::{Action, decide, protection};
use super::facts::GcFacts;
use super::judged::Judged;
use super::look::look_at_folder;
use super::parallel::halved;
use super::reclaim::decide_and_apply;
use super::state::{Cycle, Sink};
use super::way_out::TRY_AGAIN;
use crate::order;
use crate::server::Parent;

/// How many environments are looked at before their decisions are handed on: bounds the memory of a cycle.
const BATCH: usize = 2_048;
/// How many of them are dealt with before they are reported.
const GROUP: usize = 256;
/// From how many on it is worth a second thread.
const WORTH_A_THREAD: usize = 16;

impl Cycle<'_> {
    /// Looks at every environment, a batch at a time: across workspaces, so that a server is asked in few rounds.
    pub(super) fn collect(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut batch: Vec<(String, PathBuf)> = Vec::with_capacity(BATCH);
        for workspace in self.request.root.workspaces(self.tree)? {
            for key in self.keys(&workspace) {
                batch.push((workspace.clone(), key));
                if batch.len() == BATCH {
                    self.collect_batch(&batch, sink)?;
                    batch.clear();
                }
                if self.summary.interrupted {
                    return Ok(());
                }
            }
        }
        self.collect_batch(&batch, sink)
    }

    fn keys(&self, workspace: &str) -> Vec<PathBuf> {
        let names = match self.tree.names(Path::new(workspace)) {
            Ok(names) => names,
            Err(error) => {
                let folder = self.tree.path().join(workspace);
                log::warn!("cannot list {}: {error}; {TRY_AGAIN}", folder.display());
                return Vec::new();
            }
        };
        let visible = names.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b"."));
        let mut keys: Vec<PathBuf> = visible.map(PathBuf::from).collect();
        order::sort(&mut keys);
        keys
    }

    fn collect_batch(&mut self, batch: &[(String, PathBuf)], sink: &mut Sink<'_>) -> Result<()> {
        if batch.is_empty() || self.stopped() {
            return Ok(());
        }
        let (request, tree, effects) = (self.request, self.tree, self.effects);
        let looked =
            halved(batch.iter().collect(), batch.len() >= 64, |(workspace, key): &(String, PathBuf)| {
                look_at_folder(request, tree, workspace, key)
            });
        let wanted = request.workspace.as_ref();
        let is_wanted = |facts: &GcFacts| wanted.is_none_or(|id| facts.is_of_workspace(id));
        let looked: Vec<GcFacts> = looked.into_iter().flatten().filter(is_wanted).collect();
        self.parents.ask(looked.iter().filter(|facts| protection(facts, request.now).is_none()));
        let parents: Vec<Parent> = looked.iter().map(|facts| self.parents.of(facts)).collect();
        let mut looked = looked.into_iter().zip(parents);
        loop {
            let group: Vec<(GcFacts, Parent)> = looked.by_ref().take(GROUP).collect();
            if group.is_empty() {
                return Ok(());
            }
            let is_work = |facts: &GcFacts, parent: &Parent| {
                let decision = decide(facts, parent, &request.policy, request.now);
                decision.action != Action::Skip || facts.may_have_cache(request)
            };
            let work = group.iter().filter(|(facts, parent)| is_work(facts, parent)).count();
            let dealt = halved(group, work >= WORTH_A_THREAD, |(facts, parent)| {
                (!request.is_stopped()).then(|| decide_and_apply(request, effects, tree, facts, parent))
            });
            let is_cut = dealt.iter().any(Option::is_none);
            for judged in dealt.into_iter().flatten() {
                let candidate = self.candidate(&judged);
                // What a bound may still take is reported when that is clear.
                if candidate.as_ref().is_none_or(|candidate| candidate.reported.is_some()) {
                    self.report(&judged, sink)?;
                }
                self.candidates.extend(candidate);
            }
            if is_cut {
                self.summary.interrupted = true;
                return Ok(());
            }
        }
    }

    fn candidate(&self, judged: &Judged) -> Option<Candidate> {
        if !self.request.bounds.any() || judged.decision.action.removes() {
            return None;
        }
        let mut candidate =
            Candidate::of(&judged.facts, &judged.parent, &self.request.bounds, self.request.now)?;
        candidate.reported = (judged.decision.action != Action::Skip).then_some(judged.bytes);
        Some(candidate)
    }
}
