//! The user's configuration as its files say it, includes followed, variables left for OpenClaw to fill in.
//!
//! OpenClaw's CLI prints values with the secrets redacted (2026.9.6), and an included file can only be added to, not
//! taken from: arrays are joined, objects merged. Where something of the user's must not be seen, the files are read
//! here, after the CLI has found them valid. The rules of `$include` are its `IncludeProcessor`'s.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::provider::read::read_bounded;

const INCLUDE: &str = "$include";
/// OpenClaw's own limits.
const MAX_DEPTH: usize = 10;
const MAX_BYTES: u64 = 2 << 20;
/// The deepest nesting that is read. (`serde_json` stops at 128 itself.)
const MAX_NESTING: usize = 128;

/// The whole configuration that begins in the file at `path`.
///
/// # Errors
/// A file that is missing, too long, or neither JSON nor JSON5. No error quotes a file.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>> {
    match load(path, 0)? {
        Value::Object(whole) => Ok(whole),
        _ => bail!("{} holds no object", path.display()),
    }
}

fn load(path: &Path, depth: usize) -> Result<Value> {
    ensure!(depth <= MAX_DEPTH, "{} is included too deeply, or by itself", path.display());
    let bytes = read_bounded(path, MAX_BYTES).with_context(|| format!("read {}", path.display()))?;
    resolve(parse(&bytes).with_context(|| format!("read {}", path.display()))?, path, depth)
}

/// JSON first: there the text of a number survives.
fn parse(bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes).map_err(|_| anyhow::anyhow!("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    ensure!(!is_too_deep(text), "it is nested too deeply");
    json5::from_str(text).map_err(|error| {
        let place = error.position().map(|at| format!(", line {}, column {}", at.line + 1, at.column + 1));
        anyhow::anyhow!("it is not JSON5{}", place.unwrap_or_default())
    })
}

/// Whether a text may hold more levels than a parser without a limit of its own has stack for. Brackets in strings
/// and comments count too; real files do not have so many.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_NESTING
    })
}

fn resolve(value: Value, file: &Path, depth: usize) -> Result<Value> {
    Ok(match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| resolve(item, file, depth)).collect::<Result<_>>()?)
        }
        Value::Object(mut object) => {
            let include = object.shift_remove(INCLUDE);
            let siblings = object
                .into_iter()
                .map(|(key, value)| Ok((key, resolve(value, file, depth)?)))
                .collect::<Result<Map<_, _>>>()?;
            match include {
                None => Value::Object(siblings),
                Some(include) => {
                    let included = included(&include, file, depth)?;
                    if siblings.is_empty() { included } else { merge(included, Value::Object(siblings)) }
                }
            }
        }
        other => other,
    })
}

fn included(include: &Value, file: &Path, depth: usize) -> Result<Value> {
    let place = |name: &str| -> PathBuf { file.parent().unwrap_or(Path::new("/")).join(name) };
    match include {
        Value::String(name) => load(&place(name), depth + 1),
        Value::Array(names) => names.iter().try_fold(Value::Object(Map::new()), |whole, name| {
            let name = name.as_str().with_context(|| format!("an {INCLUDE} of {}", file.display()))?;
            Ok(merge(whole, load(&place(name), depth + 1)?))
        }),
        _ => bail!("an {INCLUDE} of {} is neither a path nor a list of paths", file.display()),
    }
}

/// Objects merge, arrays join, anything else is the later one's.
fn merge(earlier: Value, later: Value) -> Value {
    match (earlier, later) {
        (Value::Object(mut earlier), Value::Object(later)) => {
            for (key, value) in later {
                let merged = match earlier.get_mut(&key) {
                    Some(known) => merge(known.take(), value),
                    None => value,
                };
                earlier.insert(key, merged);
            }
            Value::Object(earlier)
        }
        (Value::Array(mut earlier), Value::Array(later)) => {
            earlier.extend(later);
            Value::Array(earlier)
        }
        (_, later) => later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;
    use serde_json::json;

    #[test]
    fn includes_are_merged_as_openclaw_merges_them() {
        let world = World::new();
        world.write("c/parts/deep.json5", "{ k: { x: 1, list: [1] }, /* 1 */ token: '${KEEP_ME}' }");
        world.write("c/parts/one.json", r#"{"$include":"./deep.json5","k":{"y":1.50},"list":["a"]}"#);
        world.write("c/two.json", r#"{"list":["b"],"k":{"x":2}}"#);
        let main = world.write(
            "c/openclaw.json",
            "{ $include: ['./parts/one.json', './two.json'], list: ['c'], sub: { $include: 'two.json' }, // x\n }",
        );
        let whole = Value::Object(read(&main).unwrap());
        assert_eq!(whole["list"], json!(["a", "b", "c"]));
        assert_eq!(whole["k"].to_string(), r#"{"x":2,"list":[1],"y":1.50}"#);
        assert_eq!(whole["sub"], json!({"list": ["b"], "k": {"x": 2}}));
        assert_eq!(whole["token"], "${KEEP_ME}");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_quoted() {
        let world = World::new();
        for (text, named) in [
            ("{ a: 'sk-secret' b }", "line 1"),
            ("['sk-secret']", "no object"),
            ("{ $include: 'missing.json', k: 'sk-secret' }", "missing.json"),
            ("{ $include: './c.json', k: 'sk-secret' }", "too deeply"),
            ("{ $include: 7, k: 'sk-secret' }", "$include"),
            (&"{a:".repeat(200_000), "too deeply"),
            (&"{\"a\":[".repeat(100_000), "too deeply"),
        ] {
            let file = world.write("c.json", text);
            let error = format!("{:#}", read(&file).unwrap_err());
            assert!(error.contains(named) && !error.contains("sk-secret"), "{error}");
        }
    }
}
