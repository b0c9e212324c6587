//! A patch, file by file.

/// How lines begin that say again what a patch is about.
const HEADS: [&str; 3] = ["index ", "--- ", "+++ "];

/// The patch of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileDiff<'a> {
    /// The file, as the patch names it.
    pub(super) name: &'a str,
    /// Lines added.
    pub(super) added: usize,
    /// Lines removed.
    pub(super) removed: usize,
    /// The lines below the first one.
    pub(super) lines: Vec<(LineKind, &'a str)>,
}

/// What a line of a patch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Added,
    Removed,
    /// The head of a hunk, or what became of the file as a whole.
    Place,
    /// What the names and the ids of the file say again.
    Head,
    Same,
}

/// The files of a patch. Lines of a file that look like the head of another are marked in a patch, so none is mistaken.
pub(super) fn files(patch: &str) -> Vec<FileDiff<'_>> {
    let mut files: Vec<FileDiff<'_>> = Vec::new();
    let mut in_hunk = false;
    for line in patch.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            files.push(FileDiff { name: name(names), ..FileDiff::default() });
            in_hunk = false;
            continue;
        }
        let Some(file) = files.last_mut() else { continue };
        in_hunk |= line.starts_with("@@");
        let kind = match line.as_bytes().first() {
            _ if !in_hunk && HEADS.iter().any(|head| line.starts_with(head)) => LineKind::Head,
            _ if !in_hunk => LineKind::Place,
            Some(b'@') => LineKind::Place,
            Some(b'+') => LineKind::Added,
            Some(b'-') => LineKind::Removed,
            _ => LineKind::Same,
        };
        file.added += usize::from(kind == LineKind::Added);
        file.removed += usize::from(kind == LineKind::Removed);
        file.lines.push((kind, line));
    }
    files
}

/// `a/NAME b/NAME`: the second one.
fn name(names: &str) -> &str {
    let half = names.len() / 2;
    // The same name twice, as a rule.
    match (names.get(..half), names.get(half + 1..)) {
        (Some(a), Some(b)) if a.get(2..) == b.get(2..) && b.starts_with("b/") => &b[2..],
        // A name that git quotes.
        (Some(a), Some(b)) if a.get(3..) == b.get(3..) && b.starts_with("\"b/") => {
            b[3..].trim_end_matches('"')
        }
        _ => names.rsplit_once(" b/").map_or(names, |(_, name)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_lines() {
        let patch = "diff --git a/x b b/x b\nindex 1..2\n--- a/x b\n+++ b/x b\n@@ -1 +1,2 @@\n-a\n+b\n+diff --git a/q b/q\n c\n\
                     diff --git a/old b/new\nrename from old\ndiff --git \"a/\\303\" \"b/\\303\"\n";
        let found = files(patch);
        let shown: Vec<_> =
            found.iter().map(|file| (file.name, file.added, file.removed, file.lines.len())).collect();
        assert_eq!(shown, [("x b", 2, 1, 8), ("new", 0, 0, 1), ("\\303", 0, 0, 0)]);
        assert_eq!(found[0].lines[3], (LineKind::Place, "@@ -1 +1,2 @@"));
        assert_eq!(found[0].lines[4], (LineKind::Removed, "-a"));
        assert_eq!(files("no patch\n"), []);
    }
}
