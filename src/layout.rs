//! The one table of every name in an env root and in a workspaces root.
//!
//! A list of such names anywhere else is a question to this table. A new name is one row here; the constants in
//! [`names`] are made from the rows, so that a name without a row cannot be written down.

use std::path::{Path, PathBuf};

/// Whose thing it is: who writes it, and who knows what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This tool.
    Execenv,
    /// The agent CLI of this provider; execenv fills it in, the CLI goes on with it.
    Provider(&'static str),
    /// multica: its daemon or its CLI.
    Upstream,
    /// The agent that works there.
    Agent,
}

/// The folder that a name stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An env root, `<workspaces root>/<workspace>/<key>`.
    Env,
    /// This folder of an env root.
    EnvFolder(&'static str),
    /// A workspaces root.
    Root,
    /// A workspace's folder in a workspaces root.
    Workspace,
    /// The stores of a workspaces root, which outlive environments.
    Stores,
    /// The trash of a workspaces root.
    Trash,
    /// The locks of a workspaces root.
    Locks,
}

/// Which names a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// This name.
    Whole,
    /// Every name that begins so.
    Prefix,
    /// Every name that ends so.
    Suffix,
}

/// Whether it holds secrets of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// It does not.
    No,
    /// Parts of it are secret; the provider's module says which. The rest (conversations) outlives them.
    Parts,
    /// It is there for secrets only: it goes as a whole once no plan asks for it.
    Whole,
}

/// What a store keeps for the tasks that share it: `gc` has a time to live for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Conversations of an agent: setting `session_ttl`.
    Conversations,
    /// What an agent remembers from one conversation to the next: setting `memory_ttl`.
    Memories,
    /// What only saves time. A single file that is replaced in place: never collected.
    Cache,
}

/// One name and everything that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name, or the part of it that [`Row::form`] says.
    pub name: &'static str,
    /// What it is, as a text for people.
    pub what: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Whose it is.
    pub owner: Owner,
    /// Which names are meant.
    pub form: Form,
    /// Whether it holds secrets.
    pub secret: Secret,
    /// It stands in every environment that `prepare` has made.
    pub in_every_env: bool,
    /// A plain `cleanup` removes it together with the work dir; all else stays until the env root goes.
    pub goes_with_work_dir: bool,
    /// Only an environment has it: a folder two levels below a workspaces root that holds one of these is one.
    pub is_sign: bool,
    /// What kind of store it is.
    pub store: Option<StoreKind>,
}

impl Row {
    const fn new(name: &'static str, place: Place, owner: Owner) -> Row {
        Row {
            name,
            what: "",
            place,
            owner,
            form: Form::Whole,
            secret: Secret::No,
            in_every_env: false,
            goes_with_work_dir: false,
            is_sign: false,
            store: None,
        }
    }

    const fn env(name: &'static str, owner: Owner) -> Row {
        Row::new(name, Place::Env, owner)
    }

    const fn home(name: &'static str, provider: &'static str, secret: Secret) -> Row {
        Row { secret, ..Row::env(name, Owner::Provider(provider)) }
    }

    const fn kept_store(name: &'static str, provider: &'static str, kind: StoreKind) -> Row {
        Row { store: Some(kind), ..Row::new(name, Place::Stores, Owner::Provider(provider)) }
    }

    const fn form(self, form: Form) -> Row {
        Row { form, ..self }
    }

    const fn secret(self) -> Row {
        Row { secret: Secret::Whole, ..self }
    }

    const fn in_every_env(self) -> Row {
        Row { in_every_env: true, ..self }
    }

    const fn goes_with_work_dir(self) -> Row {
        Row { goes_with_work_dir: true, ..self }
    }

    const fn sign(self) -> Row {
        Row { is_sign: true, ..self }
    }

    const fn what(self, what: &'static str) -> Row {
        Row { what, ..self }
    }

    /// Whether a name is one of this row's.
    pub fn is(&self, name: &str) -> bool {
        match self.form {
            Form::Whole => name == self.name,
            Form::Prefix => name.starts_with(self.name),
            Form::Suffix => name.ends_with(self.name),
        }
    }

    /// Whether a provider's home may stand at this name of an env root.
    pub fn is_home(&self) -> bool {
        self.place == Place::Env
            && (matches!(self.owner, Owner::Provider(_)) || self.name == names::PLATFORM_CONFIG)
    }

    /// Its path below the env root; `None` for what does not stand in one.
    pub fn path_in_env(&self) -> Option<PathBuf> {
        match self.place {
            Place::Env => Some(PathBuf::from(self.name)),
            Place::EnvFolder(folder) => Some(Path::new(folder).join(self.name)),
            _ => None,
        }
    }
}

/// Makes the table and, of each row, the constant for its name.
macro_rules! table {
    ($($(#[doc = $what:literal])+ $constant:ident = $row:expr;)+) => {
        /// The names, each from its row of [`TABLE`].
        pub mod names {
            $($(#[doc = $what])+ pub const $constant: &str = super::rows::$constant.name;)+
        }

        mod rows {
            use super::{Form, Owner, Place, Row, Secret, StoreKind};
            $(pub(super) const $constant: Row = $row.what(concat!($($what),+).trim_ascii());)+
        }

        /// Every name, with everything that is known of it.
        pub static TABLE: &[Row] = &[$(rows::$constant),+];
    };
}

table! {
    // State of an env root.

    /// multica's record of an environment, with execenv's own part under the key `execenv`
    META = Row::env(".gc_meta.json", Owner::Upstream).in_every_env().sign();
    /// the list of the files that execenv put into the work dir
    MANIFEST = Row::env(".multica_sidecar_manifest.json", Owner::Upstream).in_every_env().sign();
    /// everything that was in a user folder before `prepare --inventory`, for `verify`
    INVENTORY = Row::env(".execenv.inventory", Owner::Execenv);
    /// the file whose kernel lock is the lock on the environment; without a holder it means nothing
    LOCK = Row::env(".task_lock", Owner::Execenv).in_every_env().sign();
    /// the lock for what a command does to the environment's repository beside a run; without a holder it means nothing
    GIT_LOCK = Row::env(".git_lock", Owner::Execenv);
    /// the plain task id, for later versions of multica (decision D2)
    OWNER = Row::env(".task_owner", Owner::Upstream).in_every_env().sign();
    /// multica's proof that an environment may be reused
    MANAGED = Row::env(".managed_env.json", Owner::Upstream).sign();
    /// the temporary name of the record while it is replaced, under the record's own lock
    RECORD_TEMPORARY = Row::env(".execenv.record", Owner::Execenv);
    /// the record as it was last synced, while a newer one may not be on the disk yet: it counts where a power cut has left
    /// the record empty
    RECORD_SYNCED = Row::env(".execenv.record-synced", Owner::Execenv);
    /// the temporary name of a state file that is being replaced
    TEMPORARY = Row::env(".execenv.tmp", Owner::Execenv);
    /// a change of the provider's homes that is being built, or is over: nothing in it counts
    HOMES_SCRATCH = Row::env(".execenv.homes", Owner::Execenv);
    /// a change of the provider's homes that is decided: the next command finishes it
    HOMES_NEXT = Row::env(".execenv.homes-next", Owner::Execenv);
    /// what git must ignore in a worktree: the user's own patterns, and the sidecars
    EXCLUDES = Row::env(".execenv.excludes", Owner::Execenv);
    /// the proof that execenv has made the worktree of the environment in a certain repository
    REPOSITORY_PROOF = Row::env(".repository_proof", Owner::Execenv);
    /// the proof that `prepare` or `reuse` has accepted the setup and teardown commands of a `.execenv.json` here
    SETUP_PROOF = Row::env(".setup_proof", Owner::Execenv);
    /// the index of a snapshot that `cleanup --force` is making
    SNAPSHOT_INDEX = Row::env(".execenv.index", Owner::Execenv);
    /// git's lock on that index
    SNAPSHOT_INDEX_LOCK = Row::env(".execenv.index.lock", Owner::Execenv);
    /// the temporary name of a folder or sidecar that execenv is moving
    MOVING = Row::env(".execenv-", Owner::Execenv).form(Form::Prefix);

    // What a task works with.

    /// the work dir, unless the agent works in the user's own folder
    WORK_DIR = Row::env("workdir", Owner::Agent).goes_with_work_dir().sign();
    /// the work dir in multica's worktree mode
    WORKTREE = Row::env("worktree", Owner::Upstream);
    /// the agent's results
    OUTPUT = Row::env("output", Owner::Agent).in_every_env().sign();
    /// the result of the last run
    RESULT = Row::new("result.json", Place::EnvFolder("output"), Owner::Execenv);
    /// the patches of checkpoints
    CHECKPOINTS = Row::new("checkpoints", Place::EnvFolder("output"), Owner::Execenv);
    /// copies of sidecars that were edited before they were removed (decision D17)
    KEPT = Row::new("kept-sidecars", Place::EnvFolder("output"), Owner::Execenv);
    /// what the agent printed
    LOGS = Row::env("logs", Owner::Execenv).in_every_env();
    /// the prompt of the run
    PROMPT_LOG = Row::new("prompt.txt", Place::EnvFolder("logs"), Owner::Execenv);
    /// what the agent printed on standard output, byte for byte
    AGENT_LOG = Row::new("agent.ndjson", Place::EnvFolder("logs"), Owner::Execenv);
    /// the same for standard error
    STDERR_LOG = Row::new("agent.stderr.log", Place::EnvFolder("logs"), Owner::Execenv);
    /// when each part of the two was read
    AGENT_TIMES = Row::new("agent.times", Place::EnvFolder("logs"), Owner::Execenv);
    /// when the agent was started, with what, what a person was told, and how it ended
    RUN_LOG = Row::new("run.log", Place::EnvFolder("logs"), Owner::Execenv);
    /// what the agent's CLI printed when it logged in
    LOGIN_LOG = Row::new("login.log", Place::EnvFolder("logs"), Owner::Execenv);
    /// the logs and the result of the run before
    PREVIOUS_LOGS = Row::new("previous", Place::EnvFolder("logs"), Owner::Execenv);
    /// the same while they are put there: the next run finishes it
    PREVIOUS_NEXT = Row::new("previous.next", Place::EnvFolder("logs"), Owner::Execenv);
    /// what the setup and teardown commands of the environment printed
    SETUP_LOG = Row::new("setup.log", Place::EnvFolder("logs"), Owner::Execenv);
    /// the private input of a run: folder 0700, files 0600
    LAUNCH = Row::env("launch", Owner::Execenv).secret().goes_with_work_dir();
    /// secret variables, one file each
    LAUNCH_ENV = Row::new("env", Place::EnvFolder("launch"), Owner::Execenv).secret();
    /// prompt, variables, arguments and servers from the task document
    LAUNCH_FILE = Row::new("task.json", Place::EnvFolder("launch"), Owner::Execenv).secret();
    /// the user's login files that the homes link to, with a proof: `--keep-login` writes no other
    LAUNCH_LOGINS = Row::new("logins.json", Place::EnvFolder("launch"), Owner::Execenv).secret();
    /// a run's prompt, where it is too long for a command line
    LAUNCH_PROMPT = Row::new("prompt.md", Place::EnvFolder("launch"), Owner::Execenv).secret();
    /// the MCP servers of a run, while it lives
    LAUNCH_MCP = Row::new("mcp.json", Place::EnvFolder("launch"), Owner::Execenv).secret();
    /// the user's files as they were before execenv added its block
    BACKUP = Row::env("backup", Owner::Execenv).secret().goes_with_work_dir();
    /// the private folder for temporary files of a run, while it lives
    RUN_TEMPORARY = Row::env("tmp", Owner::Agent);
    /// the mark of a run in its private folder, if that is outside of the env root: only a folder with it is removed
    RUN_MARK = Row::new(".execenv-run", Place::EnvFolder("tmp"), Owner::Execenv);
    /// the agent's private home folder (`--home private`)
    HOME = Row::env("home", Owner::Agent);
    /// what other commands ask of a run, while it lives, and its answers
    INBOX = Row::env("inbox", Owner::Execenv).goes_with_work_dir();

    // Homes of agent CLIs.

    /// Codex' home
    CODEX_HOME = Row::home("codex-home", "codex", Secret::Parts);
    /// GitHub Copilot's home
    COPILOT_HOME = Row::home("copilot-home", "copilot", Secret::Parts);
    /// Gemini's home
    GEMINI_HOME = Row::home(".gemini", "gemini", Secret::Parts);
    /// Hermes' home
    HERMES_HOME = Row::home("hermes-home", "hermes", Secret::Parts);
    /// QwenPaw's workspace
    QWENPAW_HOME = Row::home("qwenpaw-workspace", "qwenpaw", Secret::No);
    /// Cursor's data folder
    CURSOR_HOME = Row::home("cursor-data", "cursor", Secret::Whole);
    /// OpenClaw's configuration
    OPENCLAW_CONFIG = Row::home("openclaw-config.json", "openclaw", Secret::Whole);
    /// a copy of the user's own OpenClaw configuration
    OPENCLAW_SNAPSHOT = Row::home("openclaw-user-snapshot.json", "openclaw", Secret::Whole);
    /// Claude Code's settings for the skills of the task
    CLAUDE_SETTINGS = Row::home("claude-runtime-skill-settings.json", "claude", Secret::Whole);
    /// values of OpenCode's MCP servers that may be secrets
    OPENCODE_SECRETS = Row::home("opencode-values", "opencode", Secret::Whole);
    /// the task's MCP servers, for CLIs that take a file by their command line
    MCP_CONFIG = Row::home("mcp-config.json", "claude", Secret::Whole);
    /// Qwen Code's settings
    QWEN_SETTINGS = Row::home("qwen-settings.json", "qwen", Secret::Whole);
    /// the platform CLI's configuration folder: without it, its calls would use the login of whoever runs the machine
    PLATFORM_CONFIG = Row::env("multica-config", Owner::Upstream);

    // A workspaces root.

    /// the file that marks a folder as a workspaces root; it may be empty
    MARK = Row::new(".execenv-root", Place::Root, Owner::Execenv);
    /// the folder of multica's marker file
    UPSTREAM_FOLDER = Row::new(".multica", Place::Root, Owner::Upstream);
    /// multica's index of the env root of each task
    UPSTREAM_INDEX = Row::new(".task_roots", Place::Root, Owner::Upstream);
    /// environments that `gc`, `prepare` and `cleanup --trash` have put aside
    TRASH = Row::new(".trash", Place::Root, Owner::Execenv);
    /// the locks of the workspaces root
    LOCKS = Row::new(".locks", Place::Root, Owner::Execenv);
    /// what outlives environments: conversations and memories of agents
    STORES = Row::new(".stores", Place::Root, Owner::Execenv).secret();
    /// shared bare clones of repositories
    REPOS = Row::new(".repos", Place::Root, Owner::Execenv);
    /// an env root that `prepare` is building, or has left half made
    STAGING = Row::new(".staging-", Place::Workspace, Owner::Execenv).form(Form::Prefix);
    /// an entry of the trash that is being deleted
    REMOVING = Row::new(".removing", Place::Trash, Owner::Execenv).form(Form::Suffix);

    // Stores.

    /// Codex' conversations
    CODEX_SESSIONS = Row::kept_store("codex-sessions", "codex", StoreKind::Conversations);
    /// Hermes' conversations
    HERMES_SESSIONS = Row::kept_store("hermes-sessions", "hermes", StoreKind::Conversations);
    /// Hermes' memories
    HERMES_MEMORIES = Row::kept_store("hermes-state", "hermes", StoreKind::Memories);
    /// dsh's conversations
    DSH_SESSIONS = Row::kept_store("dsh-sessions", "dsh", StoreKind::Conversations);
    /// Reasonix' conversations
    REASONIX_STATE = Row::kept_store("reasonix-state", "reasonix", StoreKind::Conversations);
    /// what OpenClaw said of its configuration
    OPENCLAW_CACHE = Row::kept_store("openclaw-discovery-cache.json", "openclaw", StoreKind::Cache);
    /// a store that is being removed
    STORE_GOING = Row::new(".going-", Place::Stores, Owner::Execenv).form(Form::Prefix);

    // Locks of a workspaces root.

    /// held by the one `gc` that works in the root
    GC_LOCK = Row::new("gc", Place::Locks, Owner::Execenv);
    /// shared by every `prepare` while it builds
    STAGING_LOCK = Row::new("staging", Place::Locks, Owner::Execenv);
    /// held while a cache in the stores is written
    CACHES_LOCK = Row::new("caches", Place::Locks, Owner::Execenv);
    /// held for a user's folder where the folder itself cannot be locked
    PATH_LOCK = Row::new("path-", Place::Locks, Owner::Execenv).form(Form::Prefix);
    /// held for a shared repository while it changes
    REPO_LOCK = Row::new("repo-", Place::Locks, Owner::Execenv).form(Form::Prefix);
    /// held while the runs of a root are counted
    SLOTS_LOCK = Row::new("slots", Place::Locks, Owner::Execenv);
    /// held while a port is chosen, until the record has it
    PORTS_LOCK = Row::new("ports", Place::Locks, Owner::Execenv);
    /// held by a run that counts against a limit
    SLOT = Row::new("slot-", Place::Locks, Owner::Execenv).form(Form::Prefix);
    /// the path of a folder in which a `clone` is being made, so that `doctor` finds it if that is killed
    CLONE_NOTE = Row::new("clone-", Place::Locks, Owner::Execenv).form(Form::Prefix);
    /// held for a store while it is made, used or removed
    STORE_LOCK = Row::new("store-", Place::Locks, Owner::Execenv).form(Form::Prefix);
}

/// The workspaces root under which a path in an env root was recorded, where that is not the root in which it lies now: the
/// root was moved, copied, or mounted elsewhere. `recorded` names the work dir, a home or a file in the env root.
pub fn former_root<'a>(recorded: &'a Path, env_root: &Path) -> Option<&'a Path> {
    let place = Path::new(env_root.parent()?.file_name()?).join(env_root.file_name()?);
    if recorded.starts_with(env_root) {
        return None;
    }
    let above = recorded.ancestors().skip(1).filter(|above| above.ends_with(&place)).last()?;
    above.parent()?.parent()
}

/// A path below a former root, below the root in which `env_root` lies now. `None`: it lies elsewhere.
pub fn below_root_now(recorded: &Path, former_root: &Path, env_root: &Path) -> Option<PathBuf> {
    let below = recorded.strip_prefix(former_root).ok()?;
    Some(env_root.parent()?.parent()?.join(below))
}

/// The rows of an env root's own names.
pub fn env_rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(|row| row.place == Place::Env)
}

/// The row of a name that stands in an env root itself.
pub fn in_env(name: &str) -> Option<&'static Row> {
    env_rows().find(|row| row.is(name))
}

/// The row of a name that no folder of build output may have: to remove everything called so would take an
/// environment or a workspaces root apart.
pub fn reserved(name: &str) -> Option<&'static Row> {
    // An environment has no lock of the root in it.
    TABLE.iter().filter(|row| row.place != Place::Locks).find(|row| row.is(name))
}

/// The names that only an environment has.
pub fn signs() -> impl Iterator<Item = &'static str> {
    env_rows().filter(|row| row.is_sign).map(|row| row.name)
}

/// The names that a plain `cleanup` removes, the work dir's own included.
pub fn gone_with_work_dir() -> impl Iterator<Item = &'static str> {
    env_rows().filter(|row| row.goes_with_work_dir).map(|row| row.name)
}

/// The homes that go as a whole, because of their secrets, once no plan asks for them (decision D19).
pub fn secret_homes() -> impl Iterator<Item = &'static str> {
    env_rows().filter(|row| row.is_home() && row.secret == Secret::Whole).map(|row| row.name)
}

/// Whether a home may have this name: one that the table does not know belongs to a provider of another version.
pub fn may_be_home(name: &str) -> bool {
    in_env(name).is_none_or(Row::is_home)
}

/// What a store keeps, by the first name of its path below the stores. `None`: this version does not know it.
pub fn store_kind(name: &str) -> Option<StoreKind> {
    TABLE.iter().find(|row| row.place == Place::Stores && row.is(name))?.store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_row_in_each_place() {
        for (number, row) in TABLE.iter().enumerate() {
            assert!(!row.name.is_empty() && !row.name.contains('/'), "{row:?}");
            assert!(!row.what.is_empty() && row.what.trim() == row.what, "{row:?}");
            let same = |other: &Row| (other.name, other.place) == (row.name, row.place);
            assert!(!TABLE[..number].iter().any(same), "{row:?}");
            if let Place::EnvFolder(folder) = row.place {
                assert!(in_env(folder).is_some(), "{row:?}");
            }
        }
    }

    #[test]
    fn each_row_answers_each_question_as_its_fields_say() {
        for row in TABLE {
            let (name, is_env) = (row.name, row.place == Place::Env);
            assert_eq!(reserved(name).is_some(), row.place != Place::Locks, "{row:?}");
            assert_eq!(signs().any(|sign| sign == name), row.is_sign, "{row:?}");
            assert_eq!(gone_with_work_dir().any(|gone| gone == name), row.goes_with_work_dir, "{row:?}");
            assert_eq!(row.path_in_env().is_some(), matches!(row.place, Place::Env | Place::EnvFolder(_)));
            let is_secret_home = row.is_home() && row.secret == Secret::Whole;
            assert_eq!(secret_homes().any(|home| home == name), is_secret_home, "{row:?}");
            if is_env {
                assert_eq!(in_env(name), Some(row));
                assert_eq!(may_be_home(name), row.is_home(), "{row:?}");
            }
            assert_eq!(row.store.is_some(), row.place == Place::Stores && row.form == Form::Whole, "{row:?}");
            assert_eq!(store_kind(name), row.store, "{row:?}");
            assert!(is_env || !row.is_sign && !row.goes_with_work_dir && !row.in_every_env, "{row:?}");
        }
    }

    #[test]
    fn names_by_their_beginning_or_end_are_found() {
        assert_eq!(reserved(".staging-0123-x"), Some(&rows::STAGING));
        assert_eq!(reserved("w+k+1-x.removing"), Some(&rows::REMOVING));
        assert_eq!((reserved("node_modules"), reserved("staging"), reserved("dist")), (None, None, None));
        assert!(may_be_home("a-home-of-tomorrow") && !may_be_home("launch"));
    }
}
