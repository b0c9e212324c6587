//! The five steps.

use super::form::{AGENT, FIND, Facts, HOLD, MAKE, OPEN, PREPARE, SETUP};
use crate::failure::Code::*;
use crate::layout::names;

/// Its pages.
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
];

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
