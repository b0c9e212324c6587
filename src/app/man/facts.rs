//! What a manual page says besides what the grammar says: statuses, fields of the JSON answer, files.

use crate::exit::{End, of_command};
use crate::failure::Code::{self, *};
use crate::layout::names;

/// What one page says.
pub(super) struct Facts {
    /// The page, without `execenv-`.
    pub(super) page: &'static str,
    /// The failures that the command can end with, besides those of every command. The exit statuses follow from them. The tests
    /// compare them with what each command they start has returned.
    codes: &'static [&'static [Code]],
    /// The fields of its answer with `-o json`, and their meaning. A test compares the outermost ones with real answers.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// The files that it reads or writes, by their names in the table of the layout.
    pub(super) files: &'static [&'static str],
}

/// What an exit status means.
pub(super) const STATUSES: [(u8, &str); 11] = [
    (0, "done"),
    (1, "it failed, or a part of it did; no file of yours is lost"),
    (2, "wrong usage, or an input that cannot be understood"),
    (3, "there is no such environment, or its work dir is gone"),
    (
        4,
        "busy: a running process uses the environment or the folder, or the environment is reserved and holds work",
    ),
    (
        5,
        "conflict: a merge stopped, unsaved work was kept, or a path is occupied by a file that execenv must not touch",
    ),
    (124, "a time limit ended the agent"),
    (125, "execenv itself failed"),
    (126, "the program could not be started"),
    (127, "the program was not found"),
    (130, "interrupted; 128 and the signal's number"),
];

/// What any command can end with.
const EVERY: &[Code] = &[Failed, Usage, BadConfig, Interrupted];
/// Where ENV is looked up, and its state files are read.
const FIND: &[Code] = &[BadPath, AmbiguousEnv, NoEnv, UnreadableState];

/// Where the work dir, or a user folder, is opened.
const OPEN: &[Code] = &[WorkDirGone, LeavesTree, Unproved];
/// Where the environment is held while it is changed.
const HOLD: &[Code] = &[EnvBusy, PathBusy, RootBusy];
/// Where an environment is made or refreshed.
const MAKE: &[Code] = &[BadDocument, Occupied, Incomplete, AgentNotStarted, AgentNotFound];
/// What a run of an agent adds.
const AGENT: &[Code] = &[NoSlot, TimedOut, RunFailed, NoSandbox, GhMissing, Retained, Conflicts, Dirty];
/// Where the files, the index or the branch of a repository are changed.
const CHANGE: &[Code] = &[Occupied, Dirty, Conflicts];

const PLAIN: &[&[Code]] = &[];
const LOOK: &[&[Code]] = &[FIND, OPEN];
/// What the commands of a repository, and ports, add to that.
const SETUP: &[Code] = &[Untrusted, SetupFailed, PortTaken];
const PREPARE: &[&[Code]] = &[FIND, OPEN, HOLD, MAKE, SETUP];
const ENV: &[&[Code]] = &[FIND, OPEN, HOLD, CHANGE];
const ORDER: &[&[Code]] = &[FIND, &[NotRunning, NoAnswer]];

impl Facts {
    /// The failures that the command can end with, in the order of the table.
    pub(super) fn codes(&self) -> Vec<Code> {
        let own: Vec<&Code> = self.codes.iter().copied().flatten().chain(EVERY).collect();
        Code::ALL.iter().copied().filter(|code| own.contains(&code)).collect()
    }

    /// Whether the command returns the status of the program that it has started.
    pub(super) fn is_of_program(&self) -> bool {
        ["run", "shell"].contains(&self.page)
    }

    /// The exit statuses of a failure. `run` ends as `prepare` does where it makes the environment, before its agent starts;
    /// `shell` makes none.
    pub(super) fn statuses_of(&self, code: Code) -> Vec<u8> {
        let kinds: &[bool] = match self.page {
            "run" => &[true, false],
            "shell" => &[true],
            _ => &[false],
        };
        kinds.iter().map(|is_run| of_command(End::Failed(code), *is_run, None)).collect()
    }
}

const ORDERS: &[&str] = &[names::META, names::INBOX];
const PAUSED: &[(&str, &str)] = &[
    ("schema, root_dir", "version of this object, and the env root"),
    ("paused, changed", "whether the agent is paused now, and whether this command has changed that"),
];
const STATE: &[&str] = &[names::META, names::MANIFEST];

const CONFLICTS: (&str, &str) = (
    "conflicts[]",
    "what is still to be resolved: path, kind (`both_modified`, `both_added`, `deleted_by_us`, `deleted_by_them`, `added_by_us`, \
     `added_by_them`, `both_deleted`) and what (`file`, `symlink`, `submodule`)",
);
const BRANCHES: (&str, &str) = (
    "branches[]",
    "branch, task (the key of its task), status (`merged`, `skipped`, `unmerged`, `older`), merged_by (`git`, `record`, `chain`), reason, \
     commit, committed_at, subject",
);

const PREPARED: &[(&str, &str)] = &[
    ("schema", "version of this object"),
    ("root_dir, work_dir", "paths of the env root and of the folder in which the agent runs"),
    ("provider, task_id, workspace_id", "agent CLI, task and workspace"),
    ("local_directory", "true: the work dir is a folder of yours"),
    (
        "type, branch_name",
        "`git_worktree`: the work dir is a worktree of a repository that stays, on this branch; `directory`: it is a folder of its own, with a branch if it is a new repository (`--repo new://`), else null",
    ),
    ("env", "variables with which the agent must be started"),
    ("private_env", "the same for secrets: name to a file with the value"),
    (
        "setup",
        "state (running, done, failed, skipped or torn_down), digest of the `.execenv.json`, commands, at; null: there is none",
    ),
    ("ports", "the environment's ports, by their names"),
    ("sidecars", "files and dirs that execenv created in the work dir"),
    ("warnings[]", "the warnings that were printed"),
    ("reused", "true: the environment existed before"),
    ("replaced", "entry and path in the trash of the environment that was replaced, or null"),
];

/// All pages but that of `execenv` itself.
pub(super) const PAGES: &[Facts] = &[
    Facts {
        page: "prepare",
        codes: PREPARE,
        fields: PREPARED,
        files: &[names::META, names::MANIFEST, names::WORK_DIR, names::LAUNCH, names::TRASH],
    },
    Facts {
        page: "reuse",
        codes: PREPARE,
        fields: PREPARED,
        files: &[names::META, names::MANIFEST, names::LAUNCH, names::KEPT],
    },
    Facts {
        page: "run",
        codes: &[FIND, OPEN, HOLD, MAKE, AGENT, SETUP, &[TeardownFailed]],
        fields: &[
            (
                "type",
                "one event a line: session, text, thinking, tool_use, tool_result, usage, permission, notice, stderr, auth_required, \
                 heartbeat, iteration; the last is result. All their fields are in schemas/run-event.json",
            ),
            (
                "time",
                "of each event: when it was printed, in UTC; the first event has schema, the version of the contract",
            ),
            (
                "status",
                "of the result: completed, failed, timeout, interrupted or killed; crashed where execenv died, and another command has \
                 rebuilt the result from the log (it has recovered: true then)",
            ),
            ("failure_reason, error", "of the result: a stable word, and a sentence; null after a success"),
            (
                "exit_code, agent_exit",
                "of the result: the status that `run` returns, and the code or signal of the agent",
            ),
            ("session_id", "of session and result: the conversation, for `run --resume`"),
            (
                "text",
                "of text and thinking: a part; of the result: the agent's last answer (of more than 512 KiB: its beginning and its end, with a line between them)",
            ),
            (
                "commits, pr_url",
                "of the result: the commits of --heartbeat, and the pull request of --on-success; null where there is none",
            ),
            (
                "published",
                "of the result: what --on-success has published (to, target, branch, commit, base, merged); null: nothing",
            ),
            ("run_id", "of the result: the run, which its processes have as EXECENV_RUN_ID"),
            ("usage, cost_usd", "of the result: tokens by model, and the cost where the agent states it"),
            ("duration_ms, iterations", "of the result: time from start to end, and turns"),
            (
                "source_drift",
                "of the result: what has changed in the checkout that the work dir is a worktree of (what, before, after), \
                 [] if nothing; null: it is no worktree, or it could not be looked at",
            ),
            ("sandbox", "of the result: kind and network of the sandbox that the agent was in; null: none"),
            ("logs", "of the result: paths of the logs"),
            ("survivors_killed, ended_at", "of the result: processes that were left over, and when it ended"),
            (
                "host, engine",
                "of the result: the name of the machine, and the job that the run was part of, by the variables of the engine (see ENGINES); \
                 absent: there is none",
            ),
        ],
        files: &[names::META, names::LOGS, names::RESULT, names::LAUNCH, names::RUN_TEMPORARY],
    },
    Facts {
        page: "cleanup",
        codes: &[FIND, OPEN, HOLD, &[Occupied, Incomplete, Retained, TeardownFailed]],
        fields: &[
            ("schema", "version of this object; for several ENV an array of such objects"),
            ("root_dir", "the env root"),
            (
                "outcome",
                "removed, trashed, retained_dirty, retained_unpushed, retained_live, retained_unreadable, raced or failed",
            ),
            ("removed[]", "paths that were removed or put back"),
            ("kept[]", "path and why of what was kept"),
            (
                "kept[].unsaved[]",
                "each reason: kind (uncommitted, in_progress, commits, stash or refs), count, and first: the first five files, \
                 operations, commits or stashes",
            ),
            ("errors[]", "what went wrong"),
            ("bytes", "bytes that were removed or moved to the trash"),
            (
                "teardown",
                "outcome (none, ran, failed, timed_out, stopped, skipped_untrusted, skipped_unproved, skipped_sandboxed or \
                 skipped_unreadable), commands, why",
            ),
        ],
        files: &[names::META, names::MANIFEST, names::OUTPUT, names::KEPT, names::TRASH],
    },
    Facts {
        page: "gc",
        codes: &[FIND, &[RootBusy, Incomplete, TeardownFailed]],
        fields: GC,
        files: &[names::MARK, names::META, names::TRASH, names::STORES, names::REPOS],
    },
    Facts {
        page: "list",
        codes: PLAIN,
        fields: &[
            ("schema", "version of this object"),
            (
                "environments[]",
                "root_dir, workspace_id, key, task_id, provider, made_by, kind, status, live, held_by (the process that holds it, or null), local_directory, last_used, run (host of the current or last run), last_result (status, exit_code, failure_reason and ended_at of the last run that ended), failed_start (at, code and message of a later run that failed before its agent started); with --sizes bytes",
            ),
            (
                "roots[]",
                "with --foreign: path, environments and the command to collect it of each root of another tool",
            ),
        ],
        files: &[names::META],
    },
    Facts {
        page: "du",
        codes: PLAIN,
        fields: &[
            ("schema, generated_at", "version of this object, and when the report was made"),
            ("workspaces_root", "the root"),
            ("artifact_patterns[], managed_artifact_subpaths[]", "what counts as build artifacts"),
            (
                "tasks[]",
                "one for each environment, largest first: workspace_id, path, kind, status, age_seconds, size_bytes, artifact_size_bytes",
            ),
            ("workspaces[]", "the same, summed up for each workspace"),
            (
                "total_task_count, total_workspace_count, total_size_bytes, total_artifact_size_bytes, total_artifact_ratio",
                "sums over all, also if only a part is listed",
            ),
            ("repo_cache_size_bytes, repo_cache_count", "shared repositories"),
            ("trash_size_bytes, trash_count", "the trash"),
            ("stores_size_bytes, stores_count", "conversations and memories of agents"),
            ("other_size_bytes", "marker file, locks, leftovers"),
            ("outside[]", "what belongs to environments and lies outside of the root"),
            ("shares", "bytes and fraction of each of these"),
        ],
        files: &[names::META, names::TRASH, names::STORES, names::REPOS],
    },
    Facts {
        page: "show",
        codes: LOOK,
        fields: &[
            ("schema", "version of this object"),
            ("root_dir, work_dir, key, workspace_id", "where it is"),
            ("task_id, provider, agent_name, platform, kind", "what it is for"),
            ("status, live", "its status, and whether a process holds its lock"),
            ("held_by", "which process that is, as far as the system tells; else null"),
            ("local_directory", "true: the work dir is a folder of yours"),
            ("prepared_at, completed_at, lease_until", "times"),
            (
                "repository",
                "git_dir, source, branch, former (branches before that one), base, base_commit, worktree; null: none was made with it",
            ),
            ("checkpoints[]", "what `execenv checkpoint` saved"),
            (
                "env, private_env",
                "variables with which the agent must be started, and files with the secret ones",
            ),
            ("setup, ports", "as in `execenv prepare`; null, {}: none"),
            ("session, run, last_result", "conversation, current or last run, and how the last one ended"),
            ("failed_start", "at, code and message of a later run that failed before its agent started"),
            (
                "last_result.recovered",
                "true: the run died, and another command has rebuilt its result from its log",
            ),
            (
                "sidecars",
                "files and dirs that execenv created in the work dir; complete: no step was interrupted",
            ),
            ("paths", "folders of output and logs"),
            ("damaged[]", "path and why of each state file that cannot be read"),
            ("path, bytes", "in place of all these with --file: the file, and its length"),
            ("encoding, content", "with --file: `utf-8` or `base64`, and the content in that form"),
            ("truncated", "with --file: true: the content is the beginning of the file, 1 MiB at most"),
        ],
        files: STATE,
    },
    Facts {
        page: "shell",
        codes: &[FIND, OPEN, HOLD, &[AgentNotStarted, AgentNotFound, RunFailed, PortTaken]],
        fields: &[],
        files: &[names::META, names::LOCK, names::RUN_TEMPORARY],
    },
    Facts {
        page: "logs",
        codes: &[FIND, OPEN],
        fields: &[
            ("time", "when execenv read the output, or noted the event; null: that was not recorded"),
            ("schema", "version of the events, in the first one"),
            ("type, …", "the event and its fields, as in execenv-run(1)"),
        ],
        files: &[
            names::LOGS,
            names::PROMPT_LOG,
            names::AGENT_LOG,
            names::STDERR_LOG,
            names::AGENT_TIMES,
            names::RUN_LOG,
            names::PREVIOUS_LOGS,
            names::RESULT,
        ],
    },
    Facts {
        page: "verify",
        codes: &[FIND, OPEN, &[Differs]],
        fields: &[
            ("schema", "version of this object"),
            ("verdict", "as_it_was or differs"),
            ("work_dir, compared", "the folder, and how many places were compared"),
            (
                "scope",
                "touched: only the places that execenv touched were compared; folder: everything in it",
            ),
            (
                "inventory",
                "number of entries that the folder had before `prepare --inventory`; null without one",
            ),
            ("not_compared[]", "path and why of folders that could not be read, and of mounts"),
            ("differences[]", "path, expected, found, by (`execenv` or `other`)"),
        ],
        files: STATE,
    },
    Facts {
        page: "report",
        codes: LOOK,
        fields: &[
            ("schema, made_at", "version of this object, and when it was made"),
            ("previous", "true: it is about the run before the last one"),
            (
                "task",
                "key, root_dir, work_dir, has_work_dir, workspace_id, task_id, kind, provider, agent_name, branch, prompt, \
                 is_prompt_of_document (the run kept none), context",
            ),
            (
                "run",
                "id, status, is_over, failure_reason, explanation (the same in plain words), error, exit_code, text, started_at, ended_at, \
                 duration_ms, iterations, cost_usd, usage, session_id, host, engine, sandbox, recovered, survivors_killed, commits, pr_url, \
                 published, source_drift",
            ),
            (
                "timeline",
                "unit (milliseconds, or bytes where the log has no times), length, turns[], lanes[] (tool, calls, errors, unanswered, \
                 total, marks[]), spent[] (at, tokens, micro_usd)",
            ),
            (
                "transcript",
                "entries[]: time, at, turn, type and what it is; left_out and end[] of a long one",
            ),
            ("stderr", "the end of the agent's standard error, without what looks like a secret"),
            (
                "changes[], no_changes",
                "of each repository, by all runs together: base, files[], more_files, added, removed, patch, is_patch_cut; why there are none",
            ),
            ("checkpoints[]", "n, commit, message, at, files, added, removed, patch"),
            ("warnings[]", "what a reader should know"),
            ("text, left_out, end", "of each text: its beginning, how many bytes were left out, and its end"),
        ],
        files: &[names::META, names::LOGS, names::OUTPUT],
    },
    Facts {
        page: "diff",
        codes: LOOK,
        fields: &[
            ("schema, repository", "version of this object, and the folder of the repository"),
            ("base", "the commit that was compared with; null: everything is new"),
            (
                "files[]",
                "action (`A` added, `M` modified, `D` deleted, `R` renamed, `T` of another kind), path, from",
            ),
            ("added, removed", "numbers of lines; binary files have none"),
            ("patch", "the difference as text; null with --stat"),
        ],
        files: STATE,
    },
    Facts {
        page: "checkpoint",
        codes: ENV,
        fields: &[
            ("schema, repository", "version of this object, and the folder of the repository"),
            ("created", "false: nothing differs from the last commit, and there are no other fields"),
            ("n, sha", "number of the checkpoint, and its commit"),
            ("base_sha", "the commit that the patch begins from; null: from nothing"),
            ("branch, on_branch", "the branch that is checked out, or null; whether the commit is on it"),
            ("files[]", "action, path and from, as in execenv-diff(1)"),
            ("added, removed", "numbers of lines; binary files have none"),
            (
                "patch",
                "file (below the env root), bytes and sha256; null: it would have been longer than 10 MiB",
            ),
            ("links[]", "submodules and other repositories, of which only the commit is saved"),
        ],
        files: &[names::META, names::OUTPUT],
    },
    Facts {
        page: "restore",
        codes: &[FIND, OPEN, HOLD, CHANGE, &[BadDocument, NoCheckpoint, UnknownBase, Retained]],
        fields: &[
            ("schema, repository", "version of this object, and the folder of the repository"),
            ("n", "number of the checkpoint; null: from a file"),
            ("written", "how many files were written or removed"),
            (
                "base, fetched_from",
                "the commit that the patch began from (null: from nothing), and the address from which it was fetched, or null",
            ),
            ("branch", "the branch that is checked out, or null"),
            ("files[]", "action, path and from of what differs from the last commit, as in execenv-diff(1)"),
            ("added, removed", "numbers of lines; binary files have none"),
            ("commit", "the commit that was made, with --commit; else null"),
        ],
        files: &[names::META, names::OUTPUT, names::WORK_DIR],
    },
    Facts {
        page: "clone",
        codes: &[FIND, OPEN, &[Occupied]],
        fields: &[
            ("schema, path", "version of this object, and the folder of the clone"),
            ("links[]", "submodules and other repositories, of which only the commit was copied"),
            (
                "exists, empty",
                "in place of path with --dry-run: whether the folder is there, and whether it may be used",
            ),
        ],
        files: STATE,
    },
    Facts {
        page: "branch",
        codes: ENV,
        fields: &[
            ("schema, repository", "version of this object, and the folder of the repository"),
            (
                "branch, commit",
                "the branch, and the commit where it begins; null in a repository without one",
            ),
            ("before", "what was checked out before: a branch, in full, or a commit"),
        ],
        files: STATE,
    },
    Facts {
        page: "checkout",
        codes: &[FIND, OPEN, HOLD, &[Occupied]],
        fields: &[
            ("schema, path", "version of this object, and the folder of the checkout"),
            ("branch_name", "its branch"),
            (
                "base, commit",
                "the branch, tag or commit at which the branch begins, and the id of that commit",
            ),
            ("mode", "linked: a worktree of the shared repository; isolated: a clone that stands alone"),
            ("notes[]", "what the checkout lacks, such as submodules"),
        ],
        files: &[names::REPOS, names::WORK_DIR],
    },
    Facts { page: "merge", codes: ENV, fields: &[], files: STATE },
    Facts {
        page: "merge-list",
        codes: LOOK,
        fields: &[("schema", "version of this object"), BRANCHES],
        files: STATE,
    },
    Facts {
        page: "merge-start",
        codes: ENV,
        fields: &[
            ("schema, branch, source", "version of this object, the branch that is merged and its commit"),
            ("up_to_date", "true: it is merged already; nothing was begun"),
            CONFLICTS,
            ("messages[]", "what git says of them"),
            ("commit", "the commit, with `--commit`; else null"),
        ],
        files: STATE,
    },
    Facts {
        page: "merge-status",
        codes: LOOK,
        fields: &[
            (
                "schema, state",
                "version of this object; `none`, `merging`, or `interrupted`: a command was cut short",
            ),
            (
                "branch, source, head",
                "the branch that is merged, its commit, and the commit that is checked out",
            ),
            CONFLICTS,
        ],
        files: STATE,
    },
    Facts {
        page: "merge-resolve",
        codes: ENV,
        fields: &[("schema, resolved[]", "version of this object; the files"), CONFLICTS],
        files: STATE,
    },
    Facts {
        page: "merge-commit",
        codes: ENV,
        fields: &[
            ("schema, commit", "version of this object; the commit"),
            ("branch, squash", "the branch that was merged; true: the commit has one parent"),
        ],
        files: STATE,
    },
    Facts {
        page: "merge-abort",
        codes: ENV,
        fields: &[
            ("schema, aborted", "version of this object; false: no merge was in progress"),
            ("branch, head", "the branch that was being merged, and the commit that is checked out"),
            ("kept", "a ref with the files of the merge that were edited by hand, or null"),
        ],
        files: STATE,
    },
    Facts {
        page: "merge-skip",
        codes: &[FIND, OPEN, HOLD],
        fields: &[
            ("schema, branch, task", "version of this object; the branch and the key of its task"),
            ("reason", "why; null with `--undo`"),
        ],
        files: STATE,
    },
    Facts {
        page: "merge-check",
        codes: &[FIND, OPEN, &[Unmerged]],
        fields: &[
            ("schema, can_complete", "version of this object; true: no branch is left to be merged"),
            (
                "older[]",
                "the branches that were there before the environment, and do not count; as in `list`",
            ),
            ("merged[], skipped[], unmerged[]", "the branches, as `execenv merge list` has them"),
        ],
        files: STATE,
    },
    Facts {
        page: "send",
        codes: &[FIND, &[NotRunning, NoAnswer, NoInput, QueueFull]],
        fields: &[
            ("schema, root_dir", "version of this object, and the env root"),
            ("delivery", "`written`: on its way to the agent; `queued`: it waits for the end of the turn"),
        ],
        files: ORDERS,
    },
    Facts { page: "pause", codes: ORDER, fields: PAUSED, files: ORDERS },
    Facts { page: "resume", codes: ORDER, fields: PAUSED, files: ORDERS },
    Facts {
        page: "stop",
        codes: &[FIND, &[EnvBusy, NoAnswer, Incomplete]],
        fields: &[
            (
                "schema, root_dir",
                "version of this object, and the env root; with --all an array of such objects",
            ),
            ("outcome", "`stopped`, `asked` (it was not waited for) or `not_running`"),
            ("status", "how the run has ended, as in `execenv show`; null where it was not waited for"),
        ],
        files: ORDERS,
    },
    Facts {
        page: "publish",
        codes: &[FIND, OPEN, HOLD, CHANGE, &[BadDocument, GhMissing]],
        fields: &[
            ("schema, to", "version of this object; `branch`, `merge` or `pr`"),
            ("branch, commit", "the branch, and its commit"),
            ("saved", "true: uncommitted work was committed first"),
            ("target", "where: the folder of a repository, or an address without a login"),
            ("base", "the branch that it was merged into, or that the pull request is for; else null"),
            ("merged", "the commit of that branch with the work in it, with `--to merge`; else null"),
            CONFLICTS,
            ("pr_url, pr_number", "the pull request; null without `--to pr`"),
        ],
        files: STATE,
    },
    Facts { page: "hook", codes: &[FIND, OPEN, HOLD, MAKE, SETUP, &[Retained]], fields: &[], files: STATE },
    Facts {
        page: "hook-claude",
        codes: &[FIND, OPEN, HOLD, MAKE, SETUP, &[Retained]],
        fields: &[],
        files: STATE,
    },
    Facts {
        page: "trust",
        codes: &[&[BadPath, BadDocument, RootBusy]],
        fields: &[
            ("schema", "version of this object"),
            (
                "path, sha256",
                "the file, and the digest of its bytes; null: there is none, and only marks were taken off",
            ),
            ("setup, teardown, ports", "what it names"),
            ("trusted", "whether it is trusted now; with --list, each file: path, sha256, trusted_at"),
            (
                "reviewed",
                "what agents in a sandbox have changed there, of which you say that you have looked at it: folders, commits",
            ),
            (
                "sandboxed",
                "with --list, what they have written and you have not looked at: folders, commits, and runs whose end is not recorded",
            ),
            ("removed[]", "with --remove: the digests that were trusted"),
        ],
        files: &[names::SETUP_LOG],
    },
    Facts { page: "trash", codes: PLAIN, fields: &[], files: &[names::TRASH] },
    Facts {
        page: "trash-list",
        codes: PLAIN,
        fields: &[
            ("schema, trash", "version of this object, and the folder"),
            ("entries[]", "entry, origin, workspace_id, key, trashed_at, deleted_after, bytes"),
        ],
        files: &[names::TRASH],
    },
    Facts {
        page: "trash-restore",
        codes: &[FIND, &[Occupied, RootBusy]],
        fields: &[
            ("schema", "version of this object"),
            ("restored, entry", "path to which it was moved, and the entry's name"),
        ],
        files: &[names::TRASH, names::META],
    },
    Facts {
        page: "trash-empty",
        codes: &[&[Incomplete]],
        fields: &[
            ("schema", "version of this object"),
            ("deleted, bytes, failed", "entries deleted, their size, and entries that could not be deleted"),
        ],
        files: &[names::TRASH],
    },
    Facts {
        page: "doctor",
        codes: &[&[RootBusy, Incomplete]],
        fields: &[
            ("schema, root", "version of this object, and the workspaces root"),
            (
                "programs[]",
                "name, program, found, path, version, too_old, minimum, login, agent; empty with --fix",
            ),
            (
                "programs[].agent",
                "what execenv makes of it: dialects [{name, tells}], mcp {strict, why}, resumes, own_sandbox; null: no agent",
            ),
            (
                "sandboxes",
                "which kinds of `run --sandbox` work here: bwrap, landlock, landlock_version (0: none), namespaces; null with --fix",
            ),
            ("codex_sandbox", "namespaces: whether Codex can sandbox its commands here; null: unknown"),
            (
                "locks",
                "file_system and reach: whether the locks of the root hold on other machines too; null without a root",
            ),
            ("environments", "how many there are"),
            ("live", "environments that are in use: path, and holder (the process, or null)"),
            ("problems[]", "path, complaint, fixed, note, repair"),
            (
                "problems[].recoverable, problems[].next",
                "of a run that died: resume (its work dir is there), restore (a checkpoint is) or lost, and the command to type next",
            ),
            (
                "problems[].status, problems[].killed",
                "of a run that --fix recovered: how it ended, and how many of its processes were left",
            ),
            (
                "problems[].checkpoint, problems[].operations, problems[].notes",
                "of its work: n and commit of the checkpoint that was made, operations of git in progress, and what else was found",
            ),
        ],
        files: &[names::MARK, names::META, names::MANIFEST, names::TRASH],
    },
    Facts { page: "demo", codes: PREPARE, fields: &[], files: &[] },
    Facts {
        page: "config",
        codes: PLAIN,
        fields: &[
            ("schema, file", "version of this object, and the configuration file that was read, or null"),
            ("settings", "each setting by its name: value and origin"),
        ],
        files: &[],
    },
    Facts {
        page: "completions",
        codes: PLAIN,
        fields: &[("schema, shell, script", "version of this object, the shell and its script")],
        files: &[],
    },
    Facts { page: "schema", codes: PLAIN, fields: &[("name, id, title", "of each schema")], files: &[] },
    Facts {
        page: "man",
        codes: PLAIN,
        fields: &[("schema, name, roff", "version of this object, the page's name and its text")],
        files: &[],
    },
];

/// The keys of `gc -o json`.
const GC: &[(&str, &str)] = &[
    ("schema, dry_run", "version of this object, and whether nothing was changed"),
    (
        "decisions[]",
        "one for each environment: root_dir, kind, action, reason, outcome, evidence, bytes, unsaved, error",
    ),
    ("decisions[].action", "skip, clean, orphan or clean_artifacts: what was decided"),
    (
        "decisions[].outcome",
        "result: removed, trashed, failed, raced, retained_live, retained_dirty, retained_unpushed, retained_unreadable; null: not touched, or dry run",
    ),
    ("decisions[].unsaved[]", "the work that keeps it: path, why, and unsaved[] as in `execenv cleanup`"),
    (
        "decisions[].teardown",
        "absent where there is none: outcome, commands and why as in `execenv cleanup`; would_run: a dry run",
    ),
    ("scanned", "number of environments examined"),
    (
        "cleaned, orphaned",
        "environments removed (in a dry run: that would be removed): finished ones, and those whose task is unknown",
    ),
    ("skipped, active", "environments kept, and those of them in use"),
    ("failed", "environments that could not be removed"),
    ("artifact_dirs", "kept environments from which build artifacts were removed"),
    ("artifact_removed, by_pattern", "number of removed artifact folders; the same by pattern, with bytes"),
    ("bytes_reclaimed", "bytes removed in this cycle, including those that are in the trash now"),
    (
        "bytes_freed",
        "bytes freed on the disk, including those of deleted trash entries; not those still in the trash",
    ),
    ("trash", "entries and bytes at the end; swept: entries deleted"),
    ("parents_unknown", "environments kept because the server gave no usable answer"),
    (
        "parents_no_uuid",
        "environments kept because the id of their issue or chat is not a UUID, so that the server cannot be asked",
    ),
    ("bounds[]", "each bound with its limit, the value at the end, and whether it is met"),
    ("requests", "number of requests to the server"),
    ("repos, stores", "what was done to shared repositories, and how many unused stores were removed"),
    ("already_running, interrupted", "true: another cycle was at work; true: a signal ended this one early"),
    ("not_reached", "how many environments a cycle that was ended early did not come to; null: not counted"),
    ("type", "with --stream, one object a line: decision or summary"),
    ("due, damaged[]", "with --explain: when it will be removed, and state files that cannot be read"),
];

/// The fields of the task document that execenv uses, with their meaning.
pub(in crate::app) const DOCUMENT: [(&str, &str); 55] = [
    ("id, workspace_id", "ids of the task and its workspace: 1 to 128 letters, digits, `.`, `_`, `-`"),
    ("provider", "agent CLI the environment is for"),
    ("prompt", "what the agent is to do, in place of the prompt that is composed from the other fields"),
    ("agent.id, agent.name", "the agent that does the task"),
    ("agent.instructions", "instructions for the agent, at the start of the brief"),
    ("agent.skills[]", "name, description, content (the text of SKILL.md), files[] of path and content"),
    (
        "agent.mcp_config",
        "an object with mcpServers: the agent sees only these servers; absent or null: the user's own",
    ),
    ("agent.custom_env", "variables for the agent, name to value"),
    ("agent.custom_args", "additional arguments for the agent's program"),
    ("agent.model", "the model"),
    ("agent.skill_refs[]", "skills without their files: a warning says that they are not installed"),
    (
        "agent.disabled_runtime_skills[]",
        "skills of the user that are hidden from this agent: root (provider, universal), key, name, plugin",
    ),
    ("agent.runtime_config", "settings of the provider's runtime: OpenClaw's `mode` and `gateway`"),
    ("issue_id", "issue the task works on"),
    ("trigger_comment_id, trigger_thread_id", "comment that triggered the task, and its thread"),
    ("trigger_comment_content", "text of that comment, quoted in the prompt"),
    ("trigger_author_type, trigger_author_name", "author of that comment"),
    (
        "coalesced_comments[], coalesced_comment_ids[]",
        "earlier comments that this run answers as well: id, thread_id, author_type, author_name, content, created_at",
    ),
    (
        "new_comment_count, new_comments_since",
        "number of comments since the last run, and since when (RFC 3339)",
    ),
    ("handoff_note", "note of the person who assigned the issue"),
    ("is_squad_leader", "true: the agent leads a squad"),
    ("is_leader_task, leader_role_resolved", "the same as multica's server says it: valid if both are true"),
    ("squad_id, squad_name", "squad that the agent leads"),
    (
        "issue_statuses[]",
        "key, name, category, description: statuses that the workspace has besides the built-in ones",
    ),
    ("issue_statuses_omitted", "how many more there are"),
    (
        "active_sibling_runs[]",
        "task_id, issue_id, issue_identifier, issue_title, stale, agent_name, status, created_at, started_at: runs that are on \
         at the same time",
    ),
    ("connected_apps[]", "provider, server_name, toolkit_slug, toolkit_name: apps that the agent can use"),
    ("chat_session_id, chat_message", "chat session, and the message to answer"),
    (
        "chat_channel_type, chat_type",
        "messenger that the chat comes from; `group`, or `p2p` for a talk with one person",
    ),
    ("chat_in_thread", "true: the message is part of a thread"),
    ("chat_channel_delivers_files", "true: a file that the agent uploads reaches the channel"),
    ("chat_message_attachments[]", "id, filename, content_type: files of the message"),
    ("quick_create_prompt", "sentence from which the agent creates an issue"),
    (
        "quick_create_priority, quick_create_due_date",
        "priority and due date that were picked for the new issue",
    ),
    ("quick_create_attachment_ids[]", "files that belong to the new issue"),
    ("parent_issue_id, parent_issue_identifier", "issue under which the new one goes"),
    ("regenerate_quick_actions_for", "refused: no task for an agent"),
    ("autopilot_run_id, autopilot_id", "run of an autopilot, and the autopilot"),
    ("autopilot_title, autopilot_description", "its title and instructions"),
    ("autopilot_source", "manual, schedule, webhook or api"),
    ("autopilot_trigger_payload", "any JSON"),
    ("repos[]", "url, description, ref: repositories that the agent may check out"),
    ("project_id, project_title", "the project"),
    ("project_description", "what the project is about"),
    ("project_resources[]", "id, resource_type, resource_ref (any JSON), label"),
    ("workspace_context", "text of an administrator for every agent"),
    ("requesting_user_name", "person on whose behalf the task runs"),
    ("requesting_user_profile_description", "profile of that person"),
    ("initiator_type, initiator_id", "who triggered the task: `member` or `agent`, and the id"),
    ("initiator_name, initiator_email", "name and email address of that member or agent"),
    ("prior_session_id", "session to resume; used for codex, whose task gets a copy of that conversation"),
    ("prior_session_resume_unavailable", "true: that session cannot be resumed, and the agent is told so"),
    ("remote_mcp_connections[], plugin_hook_tools[]", "need multica's daemon: a warning says so"),
    ("prior_work_dir", "accepted for multica's daemon; execenv does not use it"),
    ("agent_id", "id of the agent where `agent` is absent"),
];
