//! The keys by which Cursor knows that a person has approved an MCP server for a project.

use std::path::Path;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::javascript::stringify;

/// The fields that Cursor hashes of a server on this machine and of one elsewhere, in its order.
const LOCAL: [&str; 5] = ["type", "command", "args", "env", "cwd"];
const REMOTE: [&str; 3] = ["type", "url", "headers"];

/// The key of one server: its name and a hash of the project and the server, as Cursor computes it.
pub(super) fn key(project_root: &Path, name: &str, server: &Map<String, Value>) -> String {
    let path = stringify(&Value::from(project_root.to_string_lossy()));
    let payload = format!("{{\"path\":{path},\"server\":{}}}", stringify(&normalised(server)));
    let digest = Sha256::digest(payload.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{hex}")
}

fn normalised(server: &Map<String, Value>) -> Value {
    let fields: &[&str] = if server.contains_key("command") {
        &LOCAL
    } else if server.contains_key("url") {
        &REMOTE
    } else {
        return Value::Object(server.clone());
    };
    let kept = fields.iter().filter_map(|field| Some(((*field).to_owned(), server.get(*field)?.clone())));
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vector_of_the_specification_holds() {
        for (path, name, server, expected) in [
            (
                "/tmp/work",
                "fetch",
                r#"{"command":"uvx","args":["mcp-server-fetch"]}"#,
                "fetch-b3a6127d3cbd8e52",
            ),
            (
                "/tmp/work",
                "fetch",
                r#"{ "args": [ "mcp-server-fetch" ], "command": "uvx", "env": { "TOKEN": "x" } }"#,
                "fetch-4c7232835349773b",
            ),
            (
                "/tmp/work",
                "fetch",
                r#"{"command":"uvx","args":["mcp"],"env":{"URL":"https://x.test?a=1&b=2"}}"#,
                "fetch-37ab92a3e088d73a",
            ),
            (
                "/private/tmp/work",
                "withtypecwd",
                r#"{"enabled":true,"cwd":"/tmp/probe","timeout":30,"args":["mcp"],"command":"uvx","type":"stdio"}"#,
                "withtypecwd-ba71d2f70913528e",
            ),
            (
                "/private/tmp/work",
                "remote",
                r#"{"enabled":true,"headers":{"Authorization":"Bearer x"},"timeout":30,"url":"https://mcp.example.com","type":"http"}"#,
                "remote-abc2ffe78532b37e",
            ),
        ] {
            let server: Map<String, Value> = serde_json::from_str(server).unwrap();
            assert_eq!(key(Path::new(path), name, &server), expected);
        }
    }

    #[test]
    fn what_cursor_does_not_hash_makes_no_difference() {
        let of = |text: &str| key(Path::new("/w"), "s", &serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"command":"a","url":"b","timeout":1}"#), of(r#"{"command":"a"}"#));
        assert_eq!(of(r#"{"url":"b","cwd":"x"}"#), of(r#"{"url":"b"}"#));
        assert_ne!(of(r#"{"command":"a","cwd":"x"}"#), of(r#"{"command":"a"}"#));
        assert_ne!(of(r#"{"other":1}"#), of(r#"{"other":2}"#));
    }
}
