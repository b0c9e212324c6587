//! `execenv gc`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::Duration;
use clap::Args;

use crate::environment::{CleanupOutcome, Occupants, damage};
use crate::failure::{Code, Failure};
use crate::gc::{Bound, Bounds, GcRequest, Judged, Patterns, Policy, StorePolicy, Summary, cycle, explain};
use crate::git::Git;
use crate::invocation::{
    Context, ServerArgs, Settings, connection, describe_setting, env_completer, parse_duration, parse_size,
    workspace_completer,
};
use crate::output::{
    self, Format, HarmlessJson, Stream, Version, counted, document, harmless_json, line, show_bytes, stream,
};
use crate::repos::RepoPolicy;
use crate::run::temporary_places;
use crate::sys::lock::Holder;
use crate::sys::space::disk_size;

mod document;
mod report;
#[cfg(test)]
pub(crate) use document::GcDocument;
use document::{Counts, DecisionDocument, SummaryDocument};
pub(crate) use document::{ExplainDocument, GcLine};
use report::{explanation, row};

/// Remove old environments: one cycle over the workspaces root
///
/// `gc` decides for each environment by its record, by the state of its issue, chat or run on the server, and by its age.
/// Without a server it decides by age alone. Removed environments go to the trash, from which `execenv trash restore`
/// restores them; build artifacts (`--artifact-pattern`) are deleted at once. `gc` never removes an environment that is in
/// use, is leased, contains work that exists nowhere else, or works in a folder of yours.
///
/// Prints one tab-separated line per affected environment: action (`trash`; `remove`: deleted; `clean_artifacts`: only
/// build artifacts; `keep`; `failed`), reason, size, path and, if kept, what keeps it. With -v it also prints a line for
/// each skipped environment (`skip`).
#[derive(Debug, Args)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  execenv gc --dry-run
  execenv gc --max-total 20G --min-free 5G
  execenv gc --server https://multica.example.com --token-file ~/.config/execenv/token
  execenv gc --orphan-ttl 7d --trash-ttl 0
  execenv gc --explain 3f9c
  echo '0 * * * * root execenv gc -q' > /etc/cron.d/execenv")]
pub struct GcArgs {
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the decision on one environment, and every fact it is based on
    #[arg(long, value_name = "ENV", add = env_completer(), conflicts_with_all = ["dry_run", "workspace", "stream"])]
    pub explain: Option<String>,
    /// Remove environments this long after their issue or chat was closed or, without one, after their run ended
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub ttl: Option<Duration>,
    /// Remove an environment unused for this long whose task is unknown
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub orphan_ttl: Option<Duration>,
    /// Remove any environment this long after its run ended, even if its issue is open; 0 disables this rule
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub completed_ttl: Option<Duration>,
    /// Remove build artifacts (`node_modules` …) this long after the run; 0: never
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub artifact_ttl: Option<Duration>,
    /// Names of folders that are build artifacts
    #[arg(long = "artifact-pattern", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub artifact_patterns: Vec<String>,
    /// Keep removed environments in the trash this long; 0 deletes them at once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub trash_ttl: Option<Duration>,
    /// Keep the workspaces root within this size: empty the trash first, then remove shared repositories that no checkout uses, then
    /// the oldest finished environments
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_total: Option<u64>,
    /// Keep at most this many environments
    #[arg(long, value_name = "N")]
    pub max_count: Option<u64>,
    /// Remove nothing for a limit (--max-total, --max-count, --min-free, --free) that ended less than this ago
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub keep_younger: Option<Duration>,
    /// Keep this much space free on the disk of the workspaces root; remove nothing if that cannot be reached
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub min_free: Option<u64>,
    /// Free at least this much space now; remove nothing if that cannot be reached
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub free: Option<u64>,
    /// Free as much as possible even if --min-free or --free cannot be reached
    #[arg(long)]
    pub as_far_as_possible: bool,
    /// Remove environments of this workspace only; limits for the whole root (size, count) are ignored
    #[arg(long, value_name = "ID", add = workspace_completer(), conflicts_with_all = ["max_total", "max_count", "min_free", "free"])]
    pub workspace: Option<String>,
    /// Maximum number of concurrent server requests
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Print one JSON object per line: each decision as it is made, then the summary
    #[arg(long)]
    pub stream: bool,
    /// Do not prune the shared repository caches
    #[arg(long)]
    pub no_prune_repos: bool,
    /// The server to ask.
    #[command(flatten)]
    pub server: ServerArgs,
}

pub(crate) fn run(args: &GcArgs, context: &Context) -> Result<u8> {
    let git = context.git().until(Arc::clone(&context.stop));
    let request = match args.request(context, &git)? {
        ControlFlow::Continue(request) => request,
        ControlFlow::Break(()) => {
            log::warn!("gc is switched off by the setting `gc`; nothing was removed");
            return Ok(0);
        }
    };
    if let Some(env) = &args.explain {
        let found = context.find_even_damaged(env)?;
        let damaged = damage(&found.env);
        // Nothing is done, whatever the settings say.
        let request = GcRequest { dry_run: true, ..request };
        let judged = explain(&request, &found.env.path)?;
        let policy = &args.policy(&context.settings);
        match context.settings.output {
            Format::Json => {
                let explained = ExplainDocument::of(&judged, &request, policy, &damaged);
                line(&harmless_json(&document(explained).to_string()))?;
            }
            _ => line(&explanation(&judged, &damaged, policy, context.now))?,
        }
        return Ok(0);
    }
    context.defer_signals()?;
    warn_if_nothing_is_there(args, context)?;
    expect(context)?;
    let summary = match context.settings.output {
        _ if args.stream => print_stream(&request)?,
        Format::Json => print_json(&request, context)?,
        _ => print_text(&request, context)?,
    };
    if summary.already_running {
        let failure = already_running(context, summary.held_by.as_ref());
        output::failure(&failure, context.settings.output == Format::Json);
        return Ok(Code::RootBusy.status());
    }
    report_server_trouble(&summary);
    // A cycle that was stopped had no time to meet them.
    let unmet = summary.bounds.iter().filter(|report| !report.met && !summary.interrupted);
    for report in unmet {
        let (value, limit) = match report.bound {
            Bound::MaxCount => (report.value.to_string(), report.limit.to_string()),
            _ => (show_bytes(report.value), show_bytes(report.limit)),
        };
        if let Some(bytes) = report.could_free {
            log::error!(
                "`{} {limit}` cannot be met: it is {value}, and everything that may be removed would free {}. \
                 Nothing was removed for it; `--as-far-as-possible` removes it all the same",
                report.bound.flag(),
                show_bytes(bytes)
            );
            continue;
        }
        log::error!(
            "`{} {limit}` cannot be met: still {value}. The other environments are in use, leased, contain unsaved \
             work, work in your own folders, or could not be removed{}",
            report.bound.flag(),
            match report.bound {
                Bound::MaxTotal => ". Repositories, stores and the trash count, too: see `execenv du`",
                _ => "",
            }
        );
    }
    // A cron job whose token has expired must not look like one with nothing to do.
    let is_blind = summary.server_is_of_no_use && summary.parents_unknown > 0 && !summary.interrupted;
    let is_whole = summary.failed == 0 && summary.is_within_bounds() && !is_blind;
    Ok(if is_whole { 0 } else { Code::Incomplete.status() })
}

/// A cron job whose cycle did nothing must not look like one that had nothing to do.
fn already_running(context: &Context, held_by: Option<&Holder>) -> anyhow::Error {
    let root = context.root.path().display();
    let by = held_by.map(|holder| format!(" ({holder})")).unwrap_or_default();
    Failure::new(Code::RootBusy, format!("another `execenv gc` is running in {root}{by}; nothing was done"))
        .hint("wait for it to end, then try again")
        .into()
}

/// Reports once which environments are kept because of the server, and why.
fn report_server_trouble(summary: &Summary) {
    let kept = |count: u64| format!("{} kept", counted(count, "environment", "environments"));
    match (summary.parents_unknown, &summary.server_trouble, &summary.parents_unknown_why) {
        (0, Some(why), _) => log::warn!("the server stopped answering: {why}"),
        (0, None, _) => {}
        (count, trouble, why) => log::error!(
            "{}, because the server's answer about the parent is missing or unclear: {}",
            kept(count),
            trouble.as_ref().or(why.as_ref()).map_or("it was not asked", String::as_str)
        ),
    }
    if summary.parents_no_uuid > 0 {
        log::warn!(
            "{}, because an id in the record (the parent's or the workspace's) is not a UUID, so the server cannot be asked; see \
             `execenv gc --explain ENV`",
            kept(summary.parents_no_uuid)
        );
    }
}

/// Warns that there is nothing to collect where a name may be mistyped.
fn warn_if_nothing_is_there(args: &GcArgs, context: &Context) -> Result<()> {
    match (context.root.open()?, &args.workspace) {
        (Some(_), None) => Ok(()),
        (tree, wanted) => context.warn_if_no_workspace(tree.as_ref(), wanted.as_deref().unwrap_or_default()),
    }
}

/// Refuses a bound on free space that no disk of this size can meet.
fn refuse_more_than_the_disk(bounds: &Bounds, root: &Path) -> Result<()> {
    let Ok(size) = disk_size(root) else { return Ok(()) };
    for (bound, limit) in [(Bound::MinFree, bounds.min_free), (Bound::Free, bounds.free)] {
        let Some(limit) = limit.filter(|limit| *limit > size) else { continue };
        let (asked, size) = (show_bytes(limit), show_bytes(size));
        let message =
            format!("`{} {asked}` is more than the disk of {} has ({size})", bound.flag(), root.display());
        return Err(Failure::new(Code::Usage, message).hint("give a smaller size, such as 5G").into());
    }
    Ok(())
}

impl GcArgs {
    fn policy(&self, settings: &Settings) -> Policy {
        let unless_zero = |ttl: Duration| Some(ttl).filter(|ttl| !ttl.is_zero());
        Policy {
            ttl: self.ttl.unwrap_or(settings.ttl),
            orphan_ttl: self.orphan_ttl.unwrap_or(settings.orphan_ttl),
            completed_ttl: unless_zero(self.completed_ttl.unwrap_or(settings.completed_ttl)),
            artifact_ttl: unless_zero(self.artifact_ttl.unwrap_or(settings.artifact_ttl)),
        }
    }

    /// The cycle that is asked for; `Break`: none, collection is switched off.
    fn request<'a>(&self, context: &'a Context, git: &'a Git) -> Result<ControlFlow<(), GcRequest<'a>>> {
        let settings = &context.settings;
        let patterns = match &self.artifact_patterns[..] {
            [] => settings.artifact_patterns.clone(),
            names => names.join(","),
        };
        // Bounds are about the whole root.
        let bound =
            |flag: Option<u64>, setting| flag.or(if self.workspace.is_some() { None } else { setting });
        let bounds = Bounds {
            max_total: bound(self.max_total, settings.max_total),
            max_count: bound(self.max_count, settings.max_count),
            min_free: bound(self.min_free, settings.min_free),
            free: self.free,
            keep_younger: self.keep_younger.unwrap_or(settings.keep_younger),
            as_far_as_possible: self.as_far_as_possible,
        };
        refuse_more_than_the_disk(&bounds, context.root.path())?;
        let repos = RepoPolicy {
            repo_ttl: settings.repo_ttl.to_std().ok().filter(|ttl| !ttl.is_zero()),
            maintenance: settings.repo_maintenance,
            dry_run: self.dry_run,
            now: context.now,
            limits: Default::default(),
        };
        let unless_zero = |ttl: Duration| Some(ttl).filter(|ttl| !ttl.is_zero());
        let stores = StorePolicy {
            session_ttl: unless_zero(settings.session_ttl),
            memory_ttl: unless_zero(settings.memory_ttl),
            claude_projects: claude_projects(settings),
        };
        let request = GcRequest {
            root: &context.root,
            keys: &context.keys,
            hooks: &context.hooks,
            policy: self.policy(settings),
            patterns: Patterns::parse(&patterns)?,
            bounds,
            repos: (!self.no_prune_repos && self.workspace.is_none()).then_some(repos),
            stores: self.workspace.is_none().then_some(stores),
            run_folders: if self.workspace.is_none() {
                temporary_places(&settings.inherited)
            } else {
                Vec::new()
            },
            server: connection(&self.server, settings)?,
            jobs: usize::from(self.jobs),
            trash_ttl: self.trash_ttl.unwrap_or(settings.trash_ttl),
            dry_run: self.dry_run,
            workspace: self.workspace.clone(),
            now: context.now,
            git,
            occupants: Occupants::default(),
            stop: &context.stop,
        };
        // Looked at last, so that a mistake elsewhere is seen before the day it is switched on again.
        let is_off = !settings.gc && self.explain.is_none() && !self.dry_run;
        Ok(if is_off { ControlFlow::Break(()) } else { ControlFlow::Continue(request) })
    }
}

/// The folder in which Claude Code keeps its conversations.
fn claude_projects(settings: &Settings) -> Option<PathBuf> {
    let named =
        settings.inherited.iter().find(|(name, value)| name == "CLAUDE_CONFIG_DIR" && !value.is_empty());
    let named = named.map(|(_, value)| PathBuf::from(value)).filter(|folder| folder.is_absolute());
    Some(named.or_else(|| Some(settings.home.as_ref()?.join(".claude")))?.join("projects"))
}

/// The output of a cycle's report. A cycle that changes things goes on without its reader, and when the disk is too full
/// for the report: it was asked to keep a root within bounds, and it may be freeing the space that is missing.
struct Report {
    out: HarmlessJson<io::BufWriter<Stream>>,
    outlives_errors: bool,
    lost: Option<io::Error>,
}

impl Report {
    fn of(request: &GcRequest<'_>) -> Report {
        Report { out: HarmlessJson(stream()), outlives_errors: !request.dry_run, lost: None }
    }

    fn write_unless_lost<T>(
        &mut self,
        otherwise: T,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.lost.is_some() {
            return Ok(otherwise);
        }
        write(&mut self.out).or_else(|error| {
            if self.outlives_errors {
                self.lost = Some(error);
                return Ok(otherwise);
            }
            Err(error)
        })
    }

    /// Ends the report, and returns what went wrong with it.
    fn end(mut self) -> Result<()> {
        self.flush()?;
        match self.lost.take() {
            Some(error) => Err(error).context("the cycle is done, but its report could not be written"),
            None => Ok(()),
        }
    }
}

impl Write for Report {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_unless_lost(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_unless_lost((), |out| out.flush())
    }
}

/// Prints one document, written as the cycle goes on: a hundred thousand decisions need no memory.
fn print_json(request: &GcRequest<'_>, context: &Context) -> Result<Summary> {
    let mut out = Report::of(request);
    write!(out, "{{\"schema\":1,\"dry_run\":{},\"decisions\":[", request.dry_run)?;
    let mut first = true;
    let summary = cycle(request, &mut |judged| {
        if !std::mem::take(&mut first) {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut out, &DecisionDocument::of(judged, request))?;
        count(context, judged);
        report_trouble(judged);
        Ok(())
    })?; // an incomplete document; the error says why
    let counts = serde_json::to_string(&Counts::of(&summary))?;
    writeln!(out, "],{}", counts.trim_start_matches('{'))?;
    out.end()?;
    Ok(summary)
}

/// Prints one object per line.
fn print_stream(request: &GcRequest<'_>) -> Result<Summary> {
    let mut out = Report::of(request);
    let summary = cycle(request, &mut |judged| {
        serde_json::to_writer(&mut out, &GcLine::Decision(DecisionDocument::of(judged, request)))?;
        out.write_all(b"\n")?;
        // A reader that follows sees at once what was done.
        if judged.outcome.is_some() && !request.dry_run {
            out.flush()?;
        }
        report_trouble(judged);
        Ok(())
    })?;
    let (dry_run, counts) = (request.dry_run, Counts::of(&summary));
    let last = GcLine::Summary(SummaryDocument { schema: Version, dry_run, counts });
    serde_json::to_writer(&mut out, &last)?;
    out.write_all(b"\n")?;
    out.end()?;
    Ok(summary)
}

fn print_text(request: &GcRequest<'_>, context: &Context) -> Result<Summary> {
    let mut out = Report::of(request);
    let all = log::log_enabled!(log::Level::Info);
    let is_quiet = log::max_level() < log::Level::Warn;
    let summary = cycle(request, &mut |judged| {
        count(context, judged);
        let is_news = judged.outcome.is_some() || judged.decision.action.removes() || judged.has_artifacts();
        if (is_news && !is_quiet) || all {
            writeln!(out, "{}", row(judged))?;
        }
        report_trouble(judged);
        Ok(())
    })?;
    // Cron mails what is printed.
    if summary.already_running || is_quiet {
        return Ok(summary);
    }
    write!(out, "{}", report::summary_text(&summary, request.dry_run))?;
    out.end()?;
    Ok(summary)
}

/// Counts an environment for the line that shows the progress.
fn count(context: &Context, judged: &Judged) {
    context.progress.count();
    if matches!(judged.outcome, Some(CleanupOutcome::Removed | CleanupOutcome::Trashed)) {
        context.progress.add_bytes(judged.bytes, "reclaimed");
    }
}

/// Counts what lies ahead, where that is shown.
fn expect(context: &Context) -> Result<()> {
    if let Some(tree) = context.root.open()?.filter(|_| context.progress.is_shown()) {
        let workspaces = context.root.workspaces(&tree)?;
        let keys = |name: &String| context.root.keys(&tree, name).map_or(0, |keys| keys.len() as u64);
        context.progress.expect(Some(workspaces.iter().map(keys).sum()), "environments");
    }
    Ok(())
}

fn report_trouble(judged: &Judged) {
    if let Some(notice) = judged.teardown.notice() {
        let name = judged.facts.root_dir.display();
        match judged.teardown.has_failed() {
            true => log::error!("{name}: {notice}; end by hand what its setup has started outside"),
            false => log::warn!("{name}: {notice}"),
        }
    }
    if let Some(error) = &judged.error {
        let name = judged.facts.root_dir.display();
        match judged.outcome {
            Some(CleanupOutcome::Failed) => log::error!("{name}: {error}; {}", report::way_out(judged)),
            _ => log::warn!("{}", report::kept(judged, error)),
        }
    }
}
