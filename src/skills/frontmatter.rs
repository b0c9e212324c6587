//! The frontmatter of a `SKILL.md`: finding it, and making its `name` the name of the folder.
//!
//! Some CLIs know a skill by its folder, others by its frontmatter, so both must say the same. The user's text
//! is changed as little as possible: one entry where that can be proved right, the block where it cannot, and
//! a new block only where there is nothing to keep. Proof means that the result is parsed again and everything
//! but the name has its old meaning. A block that is no YAML is mended first. No input is lost: everything but
//! frontmatter is body.

mod mend;

use std::borrow::Cow;

use self::mend::{HIDDEN, has_no_content, mend};
use crate::formats::yaml::{self, Document, Kind, Node};

/// A `SKILL.md` in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The lines between the delimiters, without the last line feed.
    pub yaml: &'a str,
    /// What follows the closing line; all of the text when there is no block.
    pub body: &'a str,
    /// There is an opening line, at the very start, and a closing line.
    pub found: bool,
}

/// Finds the block. All code that needs it calls this, so that it is found in one way.
pub fn split(content: &str) -> Split<'_> {
    let none = Split { yaml: "", body: content, found: false };
    let Some(rest) = after_opening(content) else { return none };
    let mut line_start = 0;
    loop {
        let line_end = memchr::memchr(b'\n', &rest.as_bytes()[line_start..]).map(|at| line_start + at);
        let line = &rest[line_start..line_end.unwrap_or(rest.len())];
        if line.trim_end() == "---" {
            let body = line_end.map_or("", |end| &rest[end + 1..]);
            return Split { yaml: &rest[..line_start.saturating_sub(1)], body, found: true };
        }
        let Some(end) = line_end else { return none };
        line_start = end + 1;
    }
}

fn after_opening(content: &str) -> Option<&str> {
    let (line, rest) = content.split_once('\n')?;
    (line.trim_end() == "---").then_some(rest)
}

/// The text without the byte order mark that editors of other systems put before it.
fn without_mark(content: &str) -> &str {
    content.strip_prefix('\u{feff}').unwrap_or(content)
}

/// The text of `SKILL.md` for the folder `slug`. `description` is used only where a block has to be made.
pub fn normalise(content: &str, slug: &str, description: &str) -> String {
    let content = without_mark(content);
    let parts = split(content);
    if !parts.found {
        return synthesise(slug, description, content);
    }
    // Everything from the end of the yaml on: its line feed, the closing line, the body.
    let opening = content.len() - after_opening(content).map_or(0, str::len);
    let (head, tail) = (&content[..opening], &content[opening + parts.yaml.len()..]);
    let (mended, document) = sound(parts.yaml);
    let parts = Split { yaml: &mended, ..parts };
    let inserted = format!("{head}{}\n{}{tail}", name_line(slug), parts.yaml);
    // Nothing but comments.
    let Some(document) = document else { return inserted };
    let position = document.position("name");
    let small = match position {
        None => inserted,
        Some(at) => {
            let extent = entry_extent(parts.yaml, &document, at);
            let ending = if parts.yaml[extent.clone()].ends_with('\r') { "\r" } else { "" };
            let (before, after) = (&parts.yaml[..extent.start], &parts.yaml[extent.end..]);
            format!("{head}{before}{}{ending}{after}{tail}", name_line(slug))
        }
    };
    let others = document.entries.iter().enumerate().filter(|(n, _)| Some(*n) != position);
    let others: Vec<_> = others.map(|(_, entry)| entry.clone()).collect();
    if proves(&small, slug, parts.body, &others) {
        return small;
    }
    let rebuild = || {
        let entries = document.with_value("name", slug)?;
        let text = format!("{head}{}{tail}", yaml::write(&entries)?);
        let at = position.unwrap_or(0);
        let others: Vec<_> = [&entries[..at], &entries[at + 1..]].concat();
        proves(&text, slug, parts.body, &others).then_some(text)
    };
    rebuild().unwrap_or_else(|| {
        let hidden = if hides(&document) { format!("{HIDDEN}: true\n") } else { String::new() };
        synthesise(slug, description, parts.body).replacen('\n', &format!("\n{hidden}"), 1)
    })
}

/// The block itself, or mended, and what it says; `None`: nothing but comments.
fn sound(block: &str) -> (Cow<'_, str>, Option<Document>) {
    let document = Document::parse(block);
    if document.is_some() || has_no_content(block) {
        return (Cow::Borrowed(block), document);
    }
    let text = mend(block).text;
    let document = Document::parse(&text);
    (Cow::Owned(text), document)
}

/// What a skill's frontmatter says of the skill, and of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Notes {
    /// The skill asks to be kept out of listings.
    pub hidden: bool,
    /// The keys of a block that is no YAML whose values had to be mended; `None` where nothing had to be.
    pub mended: Option<Vec<String>>,
}

/// Reads the frontmatter for what has to be known before it is written.
pub fn notes(content: &str) -> Notes {
    let block = split(without_mark(content)).yaml;
    let (text, document) = sound(block);
    let mended = matches!(text, Cow::Owned(_)).then(|| mend(block).keys);
    Notes { hidden: document.is_some_and(|document| hides(&document)), mended }
}

/// Whether the text has a valid block, of one extent for every reader, whose name is the slug, with the same
/// other entries and the same body.
fn proves(text: &str, slug: &str, body: &str, others: &[(Node, Node)]) -> bool {
    let parts = split(text);
    if !parts.found || parts.body != body || ends_early(parts.yaml) {
        return false;
    }
    let Some(document) = Document::parse(parts.yaml) else { return false };
    let Some(at) = document.position("name") else { return false };
    let (key, value) = &document.entries[at];
    let expected = [(Node::string("name"), Node::string(slug))];
    let rest = [&document.entries[..at], &document.entries[at + 1..]].concat();
    yaml::same(std::iter::once(&(key.clone(), value.clone())), expected.iter())
        && yaml::same(rest.iter(), others.iter())
}

/// Whether a line inside the block starts with the delimiter. Some readers end the block there (gray-matter does,
/// which OpenCode reads skills with, and upstream's import), others only at a line that is the delimiter.
fn ends_early(block: &str) -> bool {
    block.split('\n').any(|line| line.starts_with("---"))
}

/// The bytes of an entry, without the last line feed: from its key's line to before the next key's, less the
/// blank lines and comments at its end, which belong to what follows.
fn entry_extent(text: &str, document: &Document, at: usize) -> std::ops::Range<usize> {
    let byte = |index| text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte);
    let line_start = |byte: usize| text[..byte].rfind('\n').map_or(0, |line_feed| line_feed + 1);
    let (key, value) = &document.entries[at];
    let start = line_start(byte(key.start));
    // Inside quotes and brackets nothing is a comment, even if a line begins with `#`.
    let block = matches!(value.kind, Kind::Scalar { block: true, .. } | Kind::Mapping(_) | Kind::Sequence(_));
    let inside = if block { start } else { byte(value.end.max(value.start)) };
    let mut end = match document.entries.get(at + 1) {
        Some((next, _)) => line_start(byte(next.start)).saturating_sub(1).max(start),
        None => text.len(),
    };
    while let Some(last) = text[start..end].rfind('\n').map(|line_feed| start + line_feed + 1) {
        let line = &text[last..end];
        if last <= inside || !(line.trim().is_empty() || line.starts_with('#')) {
            break;
        }
        end = last - 1;
    }
    start..end
}

fn name_line(slug: &str) -> String {
    format!("name: {}", yaml::scalar(slug))
}

/// A new block in front of a body.
fn synthesise(slug: &str, description: &str, body: &str) -> String {
    let mut text = format!("---\n{}\n", name_line(slug));
    let description = description.trim().replace("\r\n", " ").replace(['\r', '\n'], " ");
    if !description.is_empty() {
        // Always quoted: `null`, `true` or a date would not be a string.
        let escaped = description.replace('\\', "\\\\").replace('"', "\\\"");
        text += &format!("description: \"{escaped}\"\n");
    }
    text + "---\n\n" + body
}

fn hides(document: &Document) -> bool {
    matches!(
        document.value(HIDDEN).map(|value| &value.kind),
        Some(Kind::Scalar { text, .. }) if text.trim().eq_ignore_ascii_case("true")
    )
}

/// Name and description of a skill that is imported from a folder; empty where they are not given or the block
/// cannot be read. The block ends at the first line that *starts* with the delimiter, as upstream's reader has it.
pub fn read_name_description(content: &str) -> (String, String) {
    let read = || {
        let rest = after_opening(without_mark(content))?;
        let document = sound(&rest[..rest.find("\n---")?]).1?;
        let text = |key| match document.value(key) {
            Some(value) => document.text_of(value).map(|text| text.trim().to_owned()),
            None => Some(String::new()),
        };
        Some((text("name")?, text("description")?))
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests;
