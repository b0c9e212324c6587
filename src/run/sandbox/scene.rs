//! What there is on this machine that a plan depends on. Reads the disk, and makes the folders that the agent's own CLI writes in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::plan::{Entry, PRIVATE, Scene};
use super::secrets;
use crate::environment::{Exports, FoundEnv, Trust};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::layout::{self, Owner, Place, names};
use crate::provider::{self, Provider};
use crate::run::options::Variables;
use crate::run::record::RunningEnv;
use crate::run::sandbox_request::SandboxRequest;
use crate::run::variables::value;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

/// What a program reads of a system that keeps its programs elsewhere.
const SYSTEMS: [&str; 4] =
    ["/run/booted-system", "/run/current-system", "/run/opengl-driver", "/run/wrappers"];
/// Where the addresses of name servers are; often a link into `/run`.
const RESOLVER: &str = "/etc/resolv.conf";
/// Folders of programs in an installation.
const PROGRAMS: [&str; 2] = ["bin", "sbin"];
const MODULES: &str = "node_modules";
/// Files of a worktree's registration that say which repository it belongs to, and settings of it.
const REGISTRATION: [&str; 3] = ["commondir", "config.worktree", "gitdir"];
/// A table of the sockets that have a place.
const SOCKETS: &str = "/proc/net/unix";
/// The most sockets that are hidden one by one.
const MOST_SOCKETS: usize = 256;

/// What is asked for a run's sandbox.
#[derive(Clone, Copy)]
pub(in crate::run) struct Asked<'a> {
    pub(in crate::run) request: &'a SandboxRequest,
    pub(in crate::run) inherited: &'a Variables,
    /// The agent's variables.
    pub(in crate::run) variables: &'a Variables,
    /// Those that the operator gives to it.
    pub(in crate::run) given: &'a Variables,
    pub(in crate::run) program: &'a Path,
    /// The row of the agent's CLI; `None`: another program runs.
    pub(in crate::run) row: Option<&'static Provider>,
    pub(in crate::run) temporary: &'a Path,
}

/// The places that matter to a sandbox, as they were when the run began.
pub(in crate::run) struct Places(Scene);

impl Places {
    /// Looks for them.
    ///
    /// # Errors
    /// When a folder that the agent's CLI writes in cannot be made.
    pub(in crate::run) fn find(
        env: &RunningEnv,
        asked: Asked<'_>,
        git: &Git,
        trust: Trust<'_>,
    ) -> Result<Places> {
        let spelt_home = asked.request.home.as_deref();
        let home = spelt_home.and_then(real);
        let root = env.found.env.path.parent().and_then(Path::parent);
        let mut scene = Scene {
            work_dir: resolved(&env.found.work_dir_path()),
            root: root.map(resolved).unwrap_or_default(),
            other_roots: asked.request.other_roots.iter().filter_map(|root| real(root)).collect(),
            has_network: asked.request.has_network,
            is_root: rustix::process::geteuid().is_root(),
            ..Scene::default()
        };
        scene.secrets = secret_places(home.as_deref(), &asked);
        scene.links.extend(spelt_home.into_iter().chain(root).filter_map(link_at));
        scene.home = home;
        scene.shown.extend(resolver());
        scene.writable.push(resolved(asked.temporary));
        let git_folder = scene.work_dir.join(".git");
        if env.found.work_dir.is_user_folder() && git_folder.is_symlink() {
            let message = format!(
                "{} is a link, which no sandbox can keep the agent from replacing",
                git_folder.display()
            );
            return Err(Failure::new(Code::NoSandbox, message)
                .hint("use a worktree: `execenv prepare --local-dir DIR --worktree`")
                .into());
        }
        scene.add_own_files(env);
        scene.add_places_of_its_cli(&asked)?;
        scene.add_repository(&env.found, git, trust);
        scene.add_programs(&asked);
        for path in asked.given.iter().map(|(_, path)| Path::new(path)) {
            // What was given to the agent by its path.
            if path.is_absolute() && scene.secrets.iter().any(|secret| path.starts_with(secret)) {
                scene.secrets.retain(|secret| secret != path);
                scene.show(path);
            }
        }
        Ok(Places(scene))
    }

    pub(super) fn scene(&self) -> Scene {
        self.0.clone()
    }
}

impl Scene {
    /// Lets a path be seen, wherever it lies; also what it leads to.
    fn show(&mut self, path: &Path) {
        let Some(place) = real(path) else { return };
        if place != path {
            self.links.extend(link_at(path));
        }
        self.shown.push(place);
    }

    /// The agent's program, and those that it may start. What an agent can write has no say in what is seen: a link there could lead to
    /// a key.
    fn add_programs(&mut self, asked: &Asked<'_>) {
        let path = value(asked.variables, "PATH").unwrap_or_default();
        let folders = std::env::split_paths(path).filter(|path| path.is_absolute());
        let all = SYSTEMS.iter().map(PathBuf::from).chain([asked.program.to_owned()]).chain(folders);
        for path in all {
            let is_writable = |path: &Path| {
                self.writable.iter().chain([&self.work_dir]).any(|place| path.starts_with(place))
            };
            let above = path.parent().map(resolved).unwrap_or_default();
            if is_writable(&path) || is_writable(&above) {
                continue;
            }
            let around = real(&path).and_then(|place| {
                if path == asked.program { installation(&place) } else { above_programs(&place) }
            });
            let is_secret = |place: &PathBuf| self.secrets.iter().any(|secret| place.starts_with(secret));
            let around = around.filter(|place| !is_secret(place));
            if !real(&path).is_some_and(|place| is_secret(&place)) {
                self.show(&path);
            }
            self.shown.extend(around);
        }
    }

    /// The homes of the env root, and the stores that they lead to.
    fn add_own_files(&mut self, env: &RunningEnv) {
        let tree = &env.found.env.tree;
        let folder = resolved(&env.found.env.path);
        let stores = folder.parent().and_then(Path::parent).map(|root| root.join(names::STORES));
        for row in layout::env_rows().filter(|row| row.is_home()) {
            let name = Path::new(row.name);
            match tree.kind(name) {
                Ok(Some(FileKind::Dir)) => self.writable.push(folder.join(name)),
                Ok(Some(FileKind::File { .. })) => self.shown.push(folder.join(name)),
                _ => continue,
            }
            for entry in tree.names(name).unwrap_or_default() {
                let link = tree.read_link(&name.join(entry)).ok();
                let store =
                    link.zip(stores.as_deref()).and_then(|(link, stores)| store_of(env, &link, stores));
                self.writable.extend(store);
            }
        }
        let exports = Exports::of(&env.own()).variables;
        let named = exports.values().filter_map(|path| store_of(env, Path::new(path), stores.as_deref()?));
        self.writable.extend(named);
        if matches!(tree.kind(Path::new(names::EXCLUDES)), Ok(Some(FileKind::File { .. }))) {
            self.shown.push(folder.join(names::EXCLUDES));
        }
    }

    /// The login and the data of the agent's own CLI.
    fn add_places_of_its_cli(&mut self, asked: &Asked<'_>) -> Result<()> {
        let (Some(row), Some(home)) = (asked.row, &self.home) else { return Ok(()) };
        let text = |name: &str| value(asked.inherited, name).and_then(OsStr::to_str).map(str::to_owned);
        let (mut found, mut scratch) = (Vec::new(), Vec::new());
        for place in row.scratch.iter().chain(row.writes) {
            let Some(path) = place.path(Some(home), &text) else { continue };
            let below = path.strip_prefix(home).ok().filter(|_| real(&path).is_none());
            if let Some(below) = below {
                let mut above: Vec<&Path> =
                    below.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
                above.reverse();
                let made = Tree::open(home)
                    .and_then(|home| above.iter().try_for_each(|folder| home.ensure_dir(folder, 0o700)));
                made.with_context(|| format!("make {} for {}", path.display(), row.name))?;
            }
            let list =
                if row.writes.iter().any(|own| std::ptr::eq(own, place)) { &mut found } else { &mut scratch };
            list.extend(real(&path));
        }
        let login = row.login.as_ref().and_then(|login| login.file.as_ref()?.path(Some(home), &text));
        // In what the agent can write, a link could stand in its place.
        let login = login.filter(|login| {
            !found.iter().any(|place| resolved(login.parent().unwrap_or(login)).starts_with(place))
        });
        found.extend(login.and_then(|login| real(&login)));
        self.writable.extend(found);
        self.scratch.extend(scratch);
        Ok(())
    }

    /// What git needs to work in a worktree, and what it must not be told there.
    fn add_repository(&mut self, found: &FoundEnv, git: &Git, trust: Trust<'_>) {
        let folders = found.written_by_commits(git, trust.keys);
        // The first is the registration: `<repository>/worktrees/<name>`.
        if let Some(registration) = folders.first().map(|folder| resolved(folder)) {
            self.shown.extend(registration.ancestors().nth(2).map(Path::to_path_buf));
            forestall_settings(&registration);
            let files = REGISTRATION.iter().map(|name| registration.join(name));
            self.sealed.extend(files.filter(|file| file.exists()));
        }
        self.writable.extend(folders.iter().map(|folder| resolved(folder)));
        let git_folder = self.work_dir.join(".git");
        let is_of_user = found.work_dir.is_user_folder();
        match git_folder.symlink_metadata() {
            Ok(entry) if entry.is_file() || entry.is_dir() && is_of_user => self.sealed.push(git_folder),
            _ => {}
        }
    }

    /// Hides the sockets that can be seen: a program connects to them without writing a file.
    pub(super) fn hide_sockets(&mut self) {
        let table = std::fs::read_to_string(SOCKETS).unwrap_or_default();
        let sockets = table.lines().filter_map(|line| line.get(line.find(" /")? + 1..).map(PathBuf::from));
        let is_given = |path: &PathBuf| {
            let is_below = |above: &PathBuf| path.starts_with(above);
            let is_private = PRIVATE.iter().any(|private| path.starts_with(private))
                && !self.shown.iter().chain(&self.home).any(is_below);
            is_private
                || self.shown.contains(path)
                || self.writable.iter().chain([&self.work_dir]).any(is_below)
                || self.secrets.iter().chain(&self.other_roots).chain([&self.root]).any(is_below)
        };
        let found: Vec<PathBuf> = sockets
            .filter(|path| !is_given(path))
            .filter_map(|path| real(&path))
            .take(MOST_SOCKETS)
            .collect();
        self.secrets.extend(found);
    }
}

/// Makes a worktree's settings, without any: the agent could make some by which git starts a program, as soon as the repository lets
/// worktrees have settings.
fn forestall_settings(registration: &Path) {
    let made = Tree::open(registration)
        .and_then(|folder| folder.create_unseen(Path::new("config.worktree"), b"", 0o644));
    if let Err(error) = made {
        log::debug!("{}: {error}", registration.display()); // most often one is there
    }
}

/// A store that a path leads to, if it is one of this agent's: the agent can make links to any.
fn store_of(env: &RunningEnv, path: &Path, stores: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(stores).ok()?;
    let own = env.own();
    let agent: String =
        own.agent_id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    let key = env.found.env.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let kind = below.iter().next()?.to_str()?;
    let is_kind = layout::TABLE
        .iter()
        .any(|row| row.place == Place::Stores && row.is(kind) && is_of(row.owner, &own.provider));
    let agents = [if agent.is_empty() { "_" } else { &agent }, if agent.is_empty() { key } else { &agent }];
    let is_own = below.iter().skip(1).any(|part| agents.iter().any(|agent| part == *agent));
    // Through no link of the agent's.
    (is_kind && is_own).then(|| real(path)).flatten().filter(|place| *place == stores.join(below))
}

fn is_of(owner: Owner, provider: &str) -> bool {
    matches!(owner, Owner::Provider(name) if name == provider)
}

/// What is secret: each place itself, and what it leads to.
fn secret_places(home: Option<&Path>, asked: &Asked<'_>) -> Vec<PathBuf> {
    let is_root = rustix::process::geteuid().is_root();
    let mut places = secrets::places(home, asked.inherited, is_root);
    let text = |name: &str| value(asked.inherited, name).and_then(OsStr::to_str).map(str::to_owned);
    let is_own = |row: &&Provider| asked.row.is_some_and(|own| own.name == row.name);
    for row in provider::all().filter(|row| !is_own(row)) {
        places.extend(row.login.as_ref().and_then(|login| login.file.as_ref()?.path(home, &text)));
    }
    places.extend(asked.request.key_file.clone());
    places.extend(asked.request.trusted_file.clone());
    let mut found = Vec::new();
    // Also what is not there: it may come while the agent works.
    for place in places {
        found.extend(real(&place).filter(|target| *target != place));
        found.push(place);
    }
    found
}

/// Where an installation begins that a program is part of: it reads more than its own file.
fn installation(place: &Path) -> Option<PathBuf> {
    let modules = place.ancestors().filter(|above| above.file_name() == Some(OsStr::new(MODULES))).last();
    match modules {
        Some(modules) => Some(modules.to_owned()),
        None => above_programs(place.parent()?),
    }
}

/// The folder above one of programs, unless that is everybody's.
fn above_programs(folder: &Path) -> Option<PathBuf> {
    let is_of_programs = PROGRAMS.iter().any(|name| folder.file_name() == Some(OsStr::new(name)));
    let above = folder.parent().filter(|_| is_of_programs)?;
    let is_shared = PRIVATE.iter().any(|private| Path::new(private).starts_with(above));
    (!is_shared).then(|| above.to_owned())
}

/// The file with the name servers' addresses, if it lies in what is hidden: the folder, because the file is replaced.
fn resolver() -> Option<PathBuf> {
    let file = real(Path::new(RESOLVER))?;
    let folder = file.parent()?;
    let is_private = PRIVATE.iter().any(|private| folder == Path::new(private));
    Some(if is_private { file } else { folder.to_owned() })
}

/// A link, if there is one at a path; only its last name counts.
fn link_at(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let is_hidden = PRIVATE.iter().any(|private| path.starts_with(private));
    let target = std::fs::read_link(path).ok().filter(|_| is_hidden)?;
    Some((path.to_owned(), target))
}

/// A path without links; `None`: it leads nowhere.
pub(super) fn real(path: &Path) -> Option<PathBuf> {
    silent::resolve(path)
}

/// A path without links, as far as it leads somewhere.
fn resolved(path: &Path) -> PathBuf {
    real(path).unwrap_or_else(|| path.to_owned())
}

/// The entries of a folder; none where it cannot be listed, so that nothing of it is seen.
pub(super) fn entries(folder: &Path) -> Vec<Entry> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name(), std::fs::read_link(entry.path()).ok())).collect()
}
