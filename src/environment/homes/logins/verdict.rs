//! What is to become of a login file that an agent has put into the place of a link: a pure decision.

use serde_json::{Map, Value};

use super::record::digest;
use crate::formats::jsonc;
use crate::sys::tree::PlainFile;

/// What is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has the login that the user has.
    Same,
    /// It is a newer login of the same kind: what the user's file is to hold.
    Renewed(Vec<u8>),
    /// It is not to replace the user's, for this reason.
    Refused(&'static str),
}

use Verdict::{Refused, Renewed, Same};

/// Judges the agent's file `new` against the user's file `old`, whose bytes had the digest `began` when the agent began.
/// `keys`: which ones are the login, where the file has settings, too. `user`: the id of this process's user.
///
/// A login is a JSON object. The new one has all keys of the old one, with values of the same types: an agent CLI that
/// renews a login does not make it poorer, and a file of another kind is none.
pub(super) fn judge(
    old: &PlainFile,
    new: &PlainFile,
    began: &str,
    keys: Option<&[&str]>,
    user: u32,
) -> Verdict {
    if old.bytes == new.bytes {
        return Same;
    }
    let (Some(mine), Some(theirs)) = (object(&old.bytes), object(&new.bytes)) else {
        return Refused("one of the two is no JSON object");
    };
    let is_login = |key: &str| keys.is_none_or(|keys| keys.contains(&key));
    let (login, renewed) = (part(&mine, is_login), part(&theirs, is_login));
    if login == renewed {
        return if mine == theirs { Same } else { Refused("only its settings differ, and yours stay") };
    }
    if new.owner != user || new.names != 1 {
        return Refused("it is not a file of yours alone");
    }
    if old.owner != user {
        return Refused("your file belongs to another user");
    }
    if digest(&old.bytes) != began {
        return Refused("your file has changed since the agent began");
    }
    if new.modified <= old.modified {
        return Refused("it is not newer than your file");
    }
    if !has_shape_of(&login, &renewed) {
        return Refused("it lacks a key of your login, or has another kind of value there");
    }
    match keys {
        None => Renewed(new.bytes.clone()),
        Some(_) => with_login(&old.bytes, renewed)
            .map_or(Refused("your file has comments that would be lost"), Renewed),
    }
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    jsonc::parse_object(std::str::from_utf8(bytes).ok()?).ok()?
}

fn part(object: &Map<String, Value>, is_in: impl Fn(&str) -> bool) -> Map<String, Value> {
    let chosen = object.iter().filter(|(key, _)| is_in(key));
    chosen.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether an object has all keys of another one, with values of the same types. A key without a value may get any.
fn has_shape_of(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    let is_same = |one: &Value, other: &Value| {
        one.is_null() || std::mem::discriminant(one) == std::mem::discriminant(other)
    };
    old.iter().all(|(key, value)| new.get(key).is_some_and(|new| is_same(value, new)))
}

/// The user's file with the keys of a login replaced: the settings around them stay, and so do comments before the first
/// key. `None`: it has others.
fn with_login(bytes: &[u8], login: Map<String, Value>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_comment = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with("//");
    let head: usize = text.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
    let (head, rest) = text.split_at(head);
    let mut object: Map<String, Value> = serde_json::from_str(rest).ok()?;
    object.extend(login);
    Some(format!("{head}{}\n", serde_json::to_string_pretty(&object).ok()?).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn file(text: &str, modified: i64) -> PlainFile {
        PlainFile { bytes: text.into(), owner: ME, names: 1, modified: (modified, 0) }
    }

    #[test]
    fn only_a_newer_login_of_the_same_kind_is_one() {
        let old = file(r#"{"key":null,"tokens":{"a":1},"at":"x"}"#, 10);
        let good = r#"{"key":"k","tokens":{"a":2},"at":"y","new":true}"#;
        let began = digest(&old.bytes);
        let judge = |new: &PlainFile| judge(&old, new, &began, None, ME);
        assert_eq!(judge(&file(good, 11)), Renewed(good.into()));
        assert_eq!(judge(&file(good, 11)), Renewed(good.into()));
        let same = r#"{ "at": "x", "key": null, "tokens": {"a": 1} }"#;
        for text in [same, std::str::from_utf8(&old.bytes).unwrap()] {
            assert_eq!(judge(&file(text, 11)), Same);
        }
        for text in [
            "",
            "stolen",
            "[]",
            "null",
            r#"{"key":null,"tokens":{"a":2}"#,
            r#"{"key":null,"tokens":{"a":2}}"#,
            r#"{"key":null,"tokens":[],"at":"x"}"#,
            r#"{"key":null,"tokens":null,"at":"x"}"#,
            "{}",
        ] {
            assert!(matches!(judge(&file(text, 11)), Refused(_)), "{text}");
        }
        for new in [
            file(good, 10),
            file(good, 9),
            PlainFile { owner: 0, ..file(good, 11) },
            PlainFile { names: 2, ..file(good, 11) },
            PlainFile { bytes: vec![0xff, 0xfe], ..file(good, 11) },
        ] {
            assert!(matches!(judge(&new), Refused(_)), "{new:?}");
        }
    }

    #[test]
    fn the_users_file_must_be_the_one_that_the_agent_began_with() {
        let (old, new) = (file(r#"{"a":1}"#, 10), file(r#"{"a":2}"#, 11));
        let other = digest(br#"{"a":0}"#);
        assert!(matches!(judge(&old, &new, &other, None, ME), Refused(_)));
        let others = PlainFile { owner: 0, ..old.clone() };
        assert!(matches!(judge(&others, &new, &digest(&old.bytes), None, ME), Refused(_)));
        let no_login = file("token", 10);
        assert!(matches!(judge(&no_login, &new, &digest(&no_login.bytes), None, ME), Refused(_)));
    }

    #[test]
    fn settings_around_a_login_stay_the_users() {
        let old = "// by Copilot\n{\n  \"trusted\": [\"/mine\"],\n  \"tokens\": {\"u\": \"1\"}\n}\n";
        let new = r#"{"trusted":["/"],"plugins":["evil"],"tokens":{"u":"2"},"users":[]}"#;
        let keys = Some(&["tokens", "users"][..]);
        let judge = |old: &str, new: &str| {
            let (old, new) = (file(old, 10), file(new, 11));
            judge(&old, &new, &digest(&old.bytes), keys, ME)
        };
        let Renewed(bytes) = judge(old, new) else { panic!() };
        let text = String::from_utf8(bytes).unwrap();
        let json = text.strip_prefix("// by Copilot\n").unwrap();
        let expected = serde_json::json!({"trusted": ["/mine"], "tokens": {"u": "2"}, "users": []});
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), expected);
        // Other settings alone are no new login.
        assert!(matches!(judge(old, r#"{"trusted":["/"],"tokens":{"u":"1"}}"#), Refused(_)));
        assert_eq!(judge(old, r#"{"tokens":{"u":"1"},"trusted":["/mine"]}"#), Same);
        assert!(matches!(judge(r#"{"tokens":{}} // mine"#, r#"{"tokens":{"u":"2"}}"#), Refused(_)));
        assert!(matches!(judge(old, r#"{"trusted":["/mine"]}"#), Refused(_)));
    }
}
