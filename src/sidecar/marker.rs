//! execenv's marked block inside a user's file: finding, adding and removing it.
//!
//! Works on raw bytes, because the file belongs to the user and may not be UTF-8. Invariants:
//!
//! - [`excise`] undoes any number of [`inject`]s to the byte, whatever the file contained (except for decision D15).
//! - A marker counts only if it fills a line. Text that mentions one is not changed.
//! - A block that execenv writes has one begin line and one end line: markers inside the brief are broken up
//!   ([`defuse`]).
//! - Bytes that execenv may not have written are removed only with an incomplete block; [`Injected::dropped`] names
//!   them, so that the caller can save them first.

use std::ops::Range;

use memchr::memmem;

pub use crate::brief::{BEGIN, END, defuse_markers as defuse};

/// Separates the user's text from the block, whatever that text ends with: a fixed separator can be removed
/// without guessing.
const SEPARATOR: &[u8] = b"\n\n";

/// A block in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// From the begin marker to after the end line's line feed; to the end of the file if no end line follows.
    pub range: Range<usize>,
    /// It has one begin line and one end line. Otherwise the range may contain bytes that execenv did not write.
    pub complete: bool,
}

/// A file with the block in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Bytes of the original that execenv may not have written and that `bytes` lacks: save them before writing.
    pub dropped: Option<Range<usize>>,
}

/// What to do with a file to remove its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excised {
    /// It has no block: leave the file unchanged.
    NoBlock,
    /// execenv created the file and it contains nothing else: delete it.
    Delete,
    /// The file without the block, perhaps empty.
    Rewrite(Vec<u8>),
}

/// The first block: from the first begin line to the first end line after it.
pub fn locate(content: &[u8]) -> Option<Located> {
    let begin = marker_line(content, BEGIN)?;
    let rest = &content[begin.end..];
    let Some(end) = marker_line(rest, END) else {
        return Some(Located { range: begin.start..content.len(), complete: false });
    };
    // execenv never writes a begin line into a block, so there is other text between the two.
    let complete = marker_line(&rest[..end.start], BEGIN).is_none();
    Some(Located { range: begin.start..begin.end + end.end, complete })
}

/// Adds the brief to a file, or creates the file (`original` is `None`). An existing block is replaced.
pub fn inject(original: Option<&[u8]>, brief: &str) -> Injected {
    let block = format!("{BEGIN}\n{}\n{END}\n", defuse(brief).trim_end_matches('\n'));
    let content = original.unwrap_or_default();
    let (before, after, dropped): (&[u8], &[u8], _) = match (original, locate(content)) {
        (_, Some(Located { range, complete })) => {
            (&content[..range.start], &content[range.end..], (!complete).then_some(range))
        }
        (Some(_), None) => (&[content, SEPARATOR].concat(), b"", None),
        (None, None) => (b"", b"", None),
    };
    Injected { bytes: [before, block.as_bytes(), after].concat(), dropped }
}

/// Removes every block, judging by the bytes alone: two line feeds before a block count as the separator.
pub fn excise(content: &[u8]) -> Excised {
    match cut(content, true) {
        None => Excised::NoBlock,
        Some(rest) if rest.bytes.is_empty() && !rest.separated => Excised::Delete,
        Some(rest) => Excised::Rewrite(rest.bytes),
    }
}

/// Removes the block, given the file as it was before the first [`inject`] (`None`: it did not exist).
///
/// If the text above the block is unchanged, the result is the original to the byte, including an incomplete block of
/// the user's, followed by what was added below. Otherwise `original` still decides whether the line feeds before the
/// block are the separator. A complete block in the original is an older one of execenv's and is removed as well.
pub fn excise_recorded(current: &[u8], original: Option<&[u8]>) -> Excised {
    let content = original.unwrap_or_default();
    let old = locate(content);
    if old.as_ref().is_some_and(|old| old.complete || old.range.end < content.len()) {
        return excise(current);
    }
    let above = match (original, &old) {
        (None, _) => Vec::new(),
        (Some(_), Some(half)) => content[..half.range.start].to_vec(),
        (Some(_), None) => [content, SEPARATOR].concat(),
    };
    let ours = current.strip_prefix(&above[..]).and_then(|rest| Some((rest, locate(rest)?)));
    let rest = match ours {
        Some((rest, found)) if found.range.start == 0 => {
            let below = &rest[found.range.end..];
            let below = cut(below, true).map_or_else(|| below.to_vec(), |rest| rest.bytes);
            let mut bytes = content.to_vec();
            append(&mut bytes, &below);
            Some(bytes)
        }
        // The separator is still in its place; the text after it was added later. If the original has no line feed
        // at its end, the later text would continue its last line, and an original of blank lines cannot be
        // distinguished from blank lines added on top: in these cases judging by the bytes gives the better result.
        Some((rest, _)) if old.is_none() && content.ends_with(b"\n") && !content.trim_ascii().is_empty() => {
            cut(rest, false).map(|rest| [content, &rest.bytes].concat())
        }
        _ => cut(current, original.is_some()).map(|rest| rest.bytes),
    };
    match rest {
        None => Excised::NoBlock,
        Some(bytes) if bytes.is_empty() && original.is_none() => Excised::Delete,
        Some(bytes) => Excised::Rewrite(bytes),
    }
}

/// A file without its blocks.
struct Rest {
    bytes: Vec<u8>,
    /// A separator was removed: the file existed before execenv added the block.
    separated: bool,
}

/// The file without its blocks and, if asked, their separators; `None` without a block.
fn cut(content: &[u8], with_separator: bool) -> Option<Rest> {
    let mut rest = Rest { bytes: Vec::new(), separated: false };
    let mut from = 0;
    while let Some(found) = locate(&content[from..]) {
        let (before, block) = content[from..].split_at(found.range.start);
        let kept = if with_separator { strip_separator(before, block) } else { before };
        rest.separated |= kept.len() < before.len();
        append(&mut rest.bytes, kept);
        from += found.range.end;
    }
    append(&mut rest.bytes, &content[from..]);
    (from > 0).then_some(rest)
}

/// Joins the text above a block and the text below it. Adds a line feed if only the separator kept the two apart.
fn append(bytes: &mut Vec<u8>, below: &[u8]) {
    let would_join = bytes.last().is_some_and(|last| *last != b'\n');
    if would_join && below.first().is_some_and(|first| !b"\r\n".contains(first)) {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(below);
}

/// The bytes before a block without the separator; an editor may have turned all line ends into CRLF.
fn strip_separator<'a>(before: &'a [u8], block: &[u8]) -> &'a [u8] {
    let turned = block[BEGIN.len()..].starts_with(b"\r").then(|| before.strip_suffix(b"\r\n\r\n")).flatten();
    turned.or_else(|| before.strip_suffix(SEPARATOR)).unwrap_or(before)
}

/// The first line that consists of the marker (a CR after it is tolerated), its line feed included.
fn marker_line(content: &[u8], marker: &str) -> Option<Range<usize>> {
    memmem::find_iter(content, marker).find_map(|start| {
        let after = &content[start + marker.len()..];
        let line_end = match after {
            [] => 0,
            [b'\n', ..] | [b'\r'] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        let at_line_start = start == 0 || content[start - 1] == b'\n';
        at_line_start.then_some(start..start + marker.len() + line_end)
    })
}

#[cfg(test)]
mod tests;
