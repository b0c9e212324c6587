//! What only looks at environments, and `shell`.

use super::form::{FIND, Facts, HOLD, LOOK, OPEN, PLAIN, STATE};
use crate::failure::Code::*;
use crate::layout::names;

/// Its pages.
pub(super) const PAGES: &[Facts] = &[
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
];
