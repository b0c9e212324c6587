//! Which calls to git may run without a view, on the configuration of a repository that an agent can write.

use std::ffi::OsString;

/// Commands that neither read a working file (but for patterns), nor refresh an index, nor pack: whatever a repository's configuration names, they
/// run none of it. Every other one goes through a [`View`](super::view::View), or does not start; but for those that talk to a
/// remote, which are about a repository that the user has named.
const WITHOUT_VIEW: [&str; 21] = [
    "cat-file",
    "check-ignore",
    "check-ref-format",
    "commit-tree",
    "config",
    "diff-index",
    "diff-tree",
    "for-each-ref",
    "init",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "merge-base",
    "mktree",
    "reflog",
    "rev-list",
    "rev-parse",
    "symbolic-ref",
    "update-ref",
    "version",
    "worktree",
];
/// Options without which a command of that list reads working files, and options with which it does.
const NEEDED: [(&str, &str); 1] = [("diff-index", "--cached")];
const READING: [(&str, &str); 4] = [
    ("ls-files", "-m"),
    ("ls-files", "--modified"),
    ("diff-tree", "--ext-diff"),
    ("diff-tree", "--textconv"),
];

/// Whether a call may run without a view.
pub(super) fn needs_no_view(args: &[OsString]) -> bool {
    // Settings come first, each as two words.
    let mut rest = args;
    while let [setting, _, others @ ..] = rest
        && setting == "-c"
    {
        rest = others;
    }
    let Some((command, options)) = rest.split_first() else { return false };
    let has = |(of, option): &&(&str, &str)| command == of && options.iter().any(|word| word == option);
    let lacks = |(of, option): &&(&str, &str)| command == of && !options.iter().any(|word| word == option);
    WITHOUT_VIEW.iter().any(|known| command == known)
        && NEEDED.iter().find(lacks).is_none()
        && READING.iter().find(has).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_working_files_or_refreshes_an_index_needs_a_view() {
        for (words, is_free) in [
            (&["rev-parse", "HEAD"][..], true),
            (&["-c", "core.splitIndex=false", "update-ref", "HEAD", "1"], true),
            (&["-c", "core.splitIndex=false", "write-tree"], false),
            (&["-c", "ls-files", "update-index", "--skip-worktree"], false),
            (&["ls-files", "-z"], true),
            (&["ls-files", "-z", "--modified"], false),
            (&["diff-index", "--cached", "HEAD"], true),
            (&["diff-index", "HEAD"], false),
            (&["diff-tree", "--textconv", "1", "2"], false),
            (&["status"], false),
            (&["read-tree", "HEAD"], false),
            (&["merge-tree", "--write-tree"], false),
            (&[], false),
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(needs_no_view(&words), is_free, "{words:?}");
        }
    }
}
