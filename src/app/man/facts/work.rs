//! What is done with the work of an environment.

use super::form::{CHANGE, ENV, FIND, Facts, HOLD, LOOK, OPEN, STATE};
use crate::failure::Code::*;
use crate::layout::names;

/// Its pages.
pub(super) const PAGES: &[Facts] = &[
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
];

pub(super) const CONFLICTS: (&str, &str) = (
    "conflicts[]",
    "what is still to be resolved: path, kind (`both_modified`, `both_added`, `deleted_by_us`, `deleted_by_them`, `added_by_us`, \
     `added_by_them`, `both_deleted`) and what (`file`, `symlink`, `submodule`)",
);
const BRANCHES: (&str, &str) = (
    "branches[]",
    "branch, task (the key of its task), status (`merged`, `skipped`, `unmerged`, `older`), merged_by (`git`, `record`, `chain`), reason, \
     commit, committed_at, subject",
);
