//! `execenv show --file`: one file of a work dir.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::environment::FoundEnv;
use crate::failure::{Code, Failure};
use crate::formats::base64;
use crate::invocation::Context;
use crate::output::{Answer, Deed, Format, Version, answer, stream};
use crate::sys::tree::{FileKind, Tree, leaves_tree};

/// The most of a file that JSON has, in bytes, without `--no-limit`.
const MOST: u64 = 1 << 20;
/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 30;

/// Prints a file of the work dir as it is, or as JSON.
pub(super) fn print(found: &FoundEnv, path: &Path, is_limited: bool, context: &Context) -> Result<u8> {
    let (tree, resolved) = resolve(found, path, context)?;
    let shown = tree.path().join(&resolved);
    let reading = || format!("read {}", shown.display());
    if context.settings.output == Format::Json {
        let len = match tree.kind(&resolved).with_context(reading)? {
            Some(FileKind::File { len, .. }) => len,
            _ => 0,
        };
        let most = if is_limited { MOST } else { LONGEST };
        let bytes = tree.read_start(&resolved, most).with_context(reading)?;
        let bytes = bytes.with_context(|| format!("{} does not exist", shown.display()))?;
        let is_truncated = len > bytes.len() as u64;
        return answer(
            &Answer::new("", document(&shown, &bytes, len, is_truncated)),
            Deed::Nothing,
            Format::Json,
        );
    }
    let bytes = tree.read(&resolved, LONGEST).with_context(reading)?;
    let bytes = bytes.with_context(|| format!("{} does not exist", shown.display()))?;
    let mut out = stream();
    out.write_all(&bytes)?;
    out.flush()?;
    Ok(0)
}

/// The work dir, and the path in it that a user's path leads to.
fn resolve(found: &FoundEnv, path: &Path, context: &Context) -> Result<(Tree, PathBuf)> {
    let work_dir = found.work_dir_path();
    let outside = || {
        Failure::new(Code::LeavesTree, format!("{} is outside {}", path.display(), work_dir.display()))
            .hint("`--file` takes a path relative to the work dir")
    };
    let relative = if path.is_absolute() {
        path.strip_prefix(&work_dir).map_err(|_| outside())?.to_owned()
    } else {
        path.to_owned()
    };
    if relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside().into());
    }
    let tree = found.open_work_dir(context.trust(None))?;
    let resolved = tree
        .resolve(&relative)
        .map_err(|error| if leaves_tree(&error) { anyhow::Error::from(outside()) } else { error.into() });
    let resolved = resolved.with_context(|| format!("read {}", work_dir.join(&relative).display()))?;
    Ok((tree, resolved))
}

/// What JSON says of a file of `len` bytes that begins with these.
fn document<'a>(path: &'a Path, bytes: &[u8], len: u64, is_truncated: bool) -> FileDocument<'a> {
    let (encoding, content) = match text(bytes, is_truncated) {
        Some(text) => ("utf-8", text.to_owned()),
        None => ("base64", base64::encode(bytes)),
    };
    let path = path.to_string_lossy();
    FileDocument { schema: Version, path, bytes: len, encoding, content, truncated: is_truncated }
}

/// A file of a work dir.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FileDocument<'a> {
    schema: Version,
    /// The file.
    path: Cow<'a, str>,
    /// Its length.
    bytes: u64,
    /// The form of the content: `utf-8` or `base64`.
    encoding: &'static str,
    /// The content in that form.
    content: String,
    /// Whether the content is only the beginning of the file, 1 MiB at most.
    truncated: bool,
}

/// The bytes as text; a character that was cut through at their end is left out. `None`: they are none.
fn text(bytes: &[u8], is_truncated: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_truncated && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_through_does_not_make_a_text_binary() {
        for (bytes, is_truncated, expected) in [
            (&b"a\xc3\xa4"[..], false, Some("a\u{e4}")),
            (b"a\xc3", true, Some("a")),
            (b"a\xc3", false, None),
            (b"\xc3a", true, None),
            (b"", false, Some("")),
        ] {
            assert_eq!(text(bytes, is_truncated), expected, "{bytes:?}");
        }
    }
}
