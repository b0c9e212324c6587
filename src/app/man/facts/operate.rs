//! Runs that are on, publishing, the trash, the machine and the program itself.

use super::form::{CHANGE, FIND, Facts, HOLD, MAKE, OPEN, ORDER, PLAIN, PREPARE, SETUP, STATE};
use super::work::CONFLICTS;
use crate::failure::Code::*;
use crate::layout::names;

/// Its pages.
pub(super) const PAGES: &[Facts] = &[
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

const ORDERS: &[&str] = &[names::META, names::INBOX];
const PAUSED: &[(&str, &str)] = &[
    ("schema, root_dir", "version of this object, and the env root"),
    ("paused, changed", "whether the agent is paused now, and whether this command has changed that"),
];
