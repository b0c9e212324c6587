//! What a cycle knows while it goes on.

use anyhow::Result;

use super::bounds::Candidate;
use super::effects::Effects;
use super::judged::Judged;
use super::parents::Parents;
use super::request::GcRequest;
use super::summary::Summary;
use super::way_out::with_way_out;
use crate::repos::RepoReport;
use crate::sys::tree::Tree;

/// Where a cycle reports each environment as soon as it is dealt with.
pub type Sink<'a> = dyn FnMut(&Judged) -> Result<()> + 'a;

/// What a cycle knows while it goes on.
pub(super) struct Cycle<'a> {
    pub(super) request: &'a GcRequest<'a>,
    pub(super) tree: &'a Tree,
    pub(super) effects: &'a dyn Effects,
    pub(super) parents: Parents<'a>,
    pub(super) summary: Summary,
    /// What the bounds may take, where there are any.
    pub(super) candidates: Vec<Candidate>,
    /// Workspaces from which an environment was removed.
    pub(super) touched: Vec<String>,
}

impl Cycle<'_> {
    /// Whether the cycle was asked to end.
    pub(super) fn stopped(&mut self) -> bool {
        self.summary.interrupted |= self.request.is_stopped();
        self.summary.interrupted
    }

    /// Counts an environment that is dealt with, and reports it.
    pub(super) fn report(&mut self, judged: &Judged, sink: &mut Sink<'_>) -> Result<()> {
        if judged.is_gone() && !self.touched.contains(&judged.facts.workspace) {
            self.touched.push(judged.facts.workspace.clone());
        }
        self.summary.count(judged);
        sink(judged)
    }

    /// Counts what was done with shared repositories.
    pub(super) fn note_repos(&mut self, report: RepoReport) {
        for note in &report.notes {
            log::warn!("{note}");
        }
        self.summary.failed += report.failed;
        self.summary.bytes_reclaimed += report.bytes_reclaimed;
        self.summary.bytes_freed += report.bytes_reclaimed; // no repository goes to the trash
        self.summary.repos.add(report);
    }

    /// Notes a step that failed.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        log::error!("{}", with_way_out(error));
        self.summary.failed += 1;
    }
}
