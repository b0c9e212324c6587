//! A block that strict YAML refuses, read as the agent CLIs read it.
//!
//! They take a line `key: value` for what it says: `description: a: b`, `argument-hint: [x] [y]`, `*x*`, a key twice, a tab.
//! Each entry that is YAML on its own stays as it is; the value of any other is quoted. The result is parsed again; where it
//! still is no YAML, only the lines that can be read are kept. A flag that hides the skill is never lost.

use crate::formats::yaml::{self, Document};

/// The key that keeps a skill from the model, and so out of listings.
pub(super) const HIDDEN: &str = "disable-model-invocation";
/// The keys that hide a skill, each with the value by which it does.
const FLAGS: [(&str, &str); 2] = [(HIDDEN, "true"), ("user-invocable", "false")];

/// The longest key.
const LONGEST_KEY: usize = 64;
/// The most that the last resort keeps, in bytes; a block that is longer is no YAML to most readers.
const MOST_KEPT: usize = 32 << 10;
/// A block above this length, in bytes, is read line by line only.
const LARGE: usize = 64 << 10;
/// How deep mappings inside the block are mended.
const DEPTH: usize = 4;

/// A block that is YAML, in place of one that was not.
pub(super) struct Mended {
    /// The block.
    pub(super) text: String,
    /// The keys whose values had to be quoted, or that stood there twice.
    pub(super) keys: Vec<String>,
}

/// Whether nothing needs to be mended: one mapping, or nothing but comments.
fn is_sound(block: &str) -> bool {
    has_no_content(block) || Document::parse(block).is_some()
}

/// Whether a block is nothing but comments.
pub(super) fn has_no_content(block: &str) -> bool {
    block.lines().all(is_no_content)
}

/// Makes YAML of a block.
pub(super) fn mend(block: &str) -> Mended {
    mend_at(block, 0)
}

fn mend_at(block: &str, depth: usize) -> Mended {
    let (before, entries) = entries(block);
    let (mut entries, twice) = unique(entries);
    if block.len() > LARGE {
        return last_resort(&entries);
    }
    if entries.is_empty() && hides_in_braces(block) {
        entries.push(Entry { key: HIDDEN, lines: vec!["disable-model-invocation: true"] });
    }
    // An alias is no YAML without the entry that it refers to, so first all that may be one are left alone.
    for keeps_aliases in [true, false] {
        let mut keys = twice.clone();
        let mut lines: Vec<String> = before.iter().map(|line| as_comment(line)).collect();
        for entry in &entries {
            let text = entry.text();
            if let Some(flag) = entry.as_flag() {
                lines.push(flag);
            } else if is_entry(&text) || (keeps_aliases && text.contains('*')) {
                lines.push(text);
            } else {
                lines.push(entry.mended(depth));
                keys.push(entry.key.to_owned());
            }
        }
        let text = lines.join("\n");
        if is_sound(&text) {
            return Mended { text, keys };
        }
    }
    last_resort(&entries)
}

/// A key with its lines: the one it stands in, and those that follow up to the next key.
struct Entry<'a> {
    key: &'a str,
    lines: Vec<&'a str>,
}

/// The lines before the first key, and the entries.
fn entries(block: &str) -> (Vec<&str>, Vec<Entry<'_>>) {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let base = block.split('\n').find(|line| key_of(line).is_some()).map_or(0, indent);
    let (mut before, mut entries) = (Vec::new(), Vec::<Entry<'_>>::new());
    let keeps_rest = block.len() <= LARGE;
    for line in block.split('\n') {
        match (key_of(line).filter(|_| indent(line) <= base), entries.last_mut()) {
            (Some((key, _)), _) => entries.push(Entry { key, lines: vec![line] }),
            (None, _) if !keeps_rest => {}
            (None, Some(entry)) => entry.lines.push(line),
            (None, None) => before.push(line),
        }
    }
    (before, entries)
}

/// The key at the start of a line, and what follows its colon.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (key, rest) = match line.chars().next()? {
        quote @ ('"' | '\'') => {
            let (key, rest) = line[1..].split_once(quote)?;
            (key, rest.trim_start().strip_prefix(':')?)
        }
        _ => line.split_once(':').map(|(key, rest)| (key.trim_end(), rest))?,
    };
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_key = !key.is_empty() && !key.starts_with(['-', '.']) && key.chars().all(is_word);
    // A flag counts also without the space that YAML asks for.
    let is_apart = rest.is_empty() || rest.starts_with([' ', '\t']) || is_flag(key);
    (is_key && key.len() <= LONGEST_KEY && is_apart).then_some((key, rest))
}

/// Of two entries with one key the last, as readers take it, but a flag that hides goes before one that does not. Also the
/// keys that stood there twice.
fn unique(entries: Vec<Entry<'_>>) -> (Vec<Entry<'_>>, Vec<String>) {
    let (mut kept, mut twice) = (Vec::<Entry<'_>>::new(), Vec::new());
    let mut places = std::collections::HashMap::new();
    for entry in entries {
        match places.get(entry.key) {
            None => {
                places.insert(entry.key, kept.len());
                kept.push(entry);
            }
            Some(place) => {
                twice.push(entry.key.to_owned());
                if !kept[*place].hides() || entry.hides() {
                    kept[*place] = entry;
                }
            }
        }
    }
    (kept, twice)
}

impl Entry<'_> {
    fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// What stands before its key.
    fn indent(&self) -> &str {
        &self.lines[0][..self.lines[0].len() - self.lines[0].trim_start().len()]
    }

    /// Whether it is a flag that hides the skill: its own line counts, whatever follows.
    fn hides(&self) -> bool {
        let (_, rest) = key_of(self.lines[0]).unwrap_or_default();
        let value = rest.split(" #").next().unwrap_or_default();
        let value = value.trim().trim_matches(['"', '\'']).trim();
        FLAGS.iter().any(|(key, hides)| *key == self.key && value.eq_ignore_ascii_case(hides))
    }

    /// A flag that hides, its further lines as comments.
    fn as_flag(&self) -> Option<String> {
        let own = self.lines[0].replace('\t', "  ");
        let own = if is_entry(&own) { own } else { format!("{}{}", self.indent(), self.quoted()) };
        let more = self.lines[1..].iter().map(|line| format!("\n{}", as_comment(line)));
        self.hides().then(|| std::iter::once(own).chain(more).collect())
    }

    /// The entry as YAML.
    fn mended(&self, depth: usize) -> String {
        let spaces = self.text().replace('\t', "  ");
        if is_entry(&spaces) {
            return spaces;
        }
        let (_, rest) = key_of(self.lines[0]).unwrap_or_default();
        let inner = self.lines[1..].join("\n").replace('\t', "  ");
        if rest.trim().is_empty() && depth < DEPTH && !entries(&inner).1.is_empty() {
            let inner = mend_at(&inner, depth + 1).text;
            let nested = format!("{}{}:\n{inner}", self.indent(), yaml::scalar(self.key));
            if is_entry(&nested) {
                return nested;
            }
        }
        let ending = if self.lines[0].ends_with('\r') { "\r" } else { "" };
        format!("{}{}{ending}", self.indent(), self.quoted())
    }

    fn quoted(&self) -> String {
        let hides = FLAGS.iter().find(|(key, _)| *key == self.key && self.hides());
        let value = hides.map_or_else(|| yaml::scalar(&self.value()), |(_, value)| (*value).to_owned());
        format!("{}: {value}", yaml::scalar(self.key))
    }

    /// The value as a reader of lines has it: its lines joined, without the quotes around it.
    fn value(&self) -> String {
        let (_, rest) = key_of(self.lines[0]).unwrap_or_default();
        let is_block = matches!(rest.trim(), "|" | "|-" | "|+" | ">" | ">-" | ">+");
        let first = if is_block { "" } else { rest.trim() };
        let more = self.lines[1..].iter().map(|line| line.trim()).filter(|line| !is_no_content(line));
        let lines: Vec<_> = std::iter::once(first).chain(more).filter(|line| !line.is_empty()).collect();
        let value = lines.join(if rest.trim().starts_with('|') { "\n" } else { " " });
        let bare = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
        bare('"').or_else(|| bare('\'')).unwrap_or(&value).to_owned()
    }
}

fn is_entry(text: &str) -> bool {
    Document::parse(text).is_some_and(|document| document.entries.len() == 1)
}

fn is_flag(key: &str) -> bool {
    FLAGS.iter().any(|(flag, _)| *flag == key)
}

fn is_no_content(line: &str) -> bool {
    let line = line.trim();
    // To YAML a carriage return ends a line, and a comment.
    line.is_empty() || (line.starts_with('#') && !line.contains('\r'))
}

fn as_comment(line: &str) -> String {
    if is_no_content(line) { line.to_owned() } else { format!("# {}", line.trim().replace('\r', " ")) }
}

/// Whether a block in braces, which has no lines to read, has the flag.
fn hides_in_braces(block: &str) -> bool {
    let says_true = |after: &str| {
        let value = after.trim_start_matches(['"', '\'', ' ']).strip_prefix(':');
        let value = value.map(|value| value.trim_start_matches(['"', '\'', ' ', '\n']));
        value.and_then(|value| value.get(..4)).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    };
    block.trim_start().starts_with('{')
        && block.match_indices(HIDDEN).any(|(at, _)| says_true(&block[at + HIDDEN.len()..]))
}

/// Every entry that can be read as one line, the flags first.
fn last_resort(entries: &[Entry<'_>]) -> Mended {
    let mut lines: Vec<String> = Vec::new();
    let mut room = MOST_KEPT;
    let (flags, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_flag(entry.key));
    for entry in flags.into_iter().chain(others) {
        let line = entry.quoted();
        let Some(left) = room.checked_sub(line.len() + 1) else { continue };
        room = left;
        lines.push(line);
    }
    Mended { text: lines.join("\n"), keys: entries.iter().map(|entry| entry.key.to_owned()).collect() }
}
