//! Removes from the user's arguments those that `run` sets itself: twice given, they would break the conversation with the
//! agent.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::registry;
use super::row::Takes::{Nothing, Optional, Value};

/// Returns the arguments that are passed on, and the names of the removed flags. Values are never named: they may be secrets.
pub fn filter(provider: &str, args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let table = registry::find_or_generic(provider).own_arguments;
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let mut args = args.into_iter().map(unquote).peekable();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        let equals = memchr::memchr(b'=', bytes);
        let name = &bytes[..equals.unwrap_or(bytes.len())];
        let Some((flag, takes)) = table.iter().find(|(flag, _)| flag.as_bytes() == name) else {
            kept.push(arg);
            continue;
        };
        dropped.push((*flag).to_owned());
        let takes_next = match takes {
            Nothing => false,
            Value => equals.is_none(),
            Optional => {
                equals.is_none() && args.peek().is_some_and(|next| !next.as_bytes().starts_with(b"-"))
            }
        };
        if takes_next {
            args.next();
        }
    }
    (kept, dropped)
}

/// Takes off one layer of quotes that a configuration left on: around the argument, or around a flag's inline value.
fn unquote(arg: OsString) -> OsString {
    fn bare(text: &[u8]) -> Option<&[u8]> {
        match text {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => Some(inner),
            _ => None,
        }
    }
    let bytes = arg.as_bytes();
    if let Some(inner) = bare(bytes) {
        return OsStr::from_bytes(inner).to_owned();
    }
    if bytes.starts_with(b"-")
        && let Some(equals) = memchr::memchr(b'=', bytes)
        && let Some(inner) = bare(&bytes[equals + 1..])
    {
        return OsString::from_vec([&bytes[..=equals], inner].concat());
    }
    arg
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

    #[test]
    fn owned_flags_go_with_their_values() {
        let cases: [Case; 10] = [
            ("claude", &["--add-dir", "x"], &["--add-dir", "x"], &[]),
            ("claude", &["-p", "--verbose"], &["--verbose"], &["-p"]),
            ("claude", &["--output-format", "text", "y"], &["y"], &["--output-format"]),
            ("claude", &["--output-format=text", "y"], &["y"], &["--output-format"]),
            ("claude", &["--resume", "id", "--x"], &["--x"], &["--resume"]),
            ("claude", &["-r", "--x"], &["--x"], &["-r"]),
            ("claude", &["'--effort'", "high"], &[], &["--effort"]),
            ("claude", &["--k='v w'", "key=\"v\"", "\"q\""], &["--k=v w", "key=\"v\"", "q"], &[]),
            ("claude", &["--mcp-config"], &[], &["--mcp-config"]),
            ("command", &["-p", "--resume"], &["-p", "--resume"], &[]),
        ];
        for (provider, args, kept, dropped) in cases {
            let (k, d) = filter(provider, args.iter().map(OsString::from));
            assert_eq!(
                (k, d),
                (
                    kept.iter().map(OsString::from).collect(),
                    dropped.iter().map(|s| (*s).to_owned()).collect()
                ),
                "{args:?}"
            );
        }
    }
}
