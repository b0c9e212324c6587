use serde_json::json;

use super::*;

#[test]
fn every_known_form_is_read() {
    let local = json!({"a": {"command": "x", "args": ["y"], "env": {"K": "v"}}});
    let remote = json!({"a": {"type": "http", "url": "u", "headers": {"K": "v"}}});
    for (config, expected) in [
        (json!({}), json!({})),
        (json!({"mcpServers": null}), json!({})),
        (json!({"mcpServers": {}, "other": 1}), json!({})),
        (json!({"mcpServers": local}), local.clone()),
        (json!({"servers": local, "inputs": []}), local.clone()), // VS Code
        (json!({"mcp_servers": local}), local.clone()),           // Codex
        (
            json!({"context_servers": {"a": {"source": "custom", "command": {"path": "x", "args": ["y"], "env": {"K": "v"}}}}}),
            local.clone(),
        ),
        (
            json!({"mcp": {"a": {"type": "local", "command": ["x", "y"], "environment": {"K": "v"}}}}),
            local.clone(),
        ),
        (json!({"mcp": {"servers": local}}), local.clone()), // OpenClaw
        (local.clone(), local.clone()),                      // a bare map
        (
            json!({"mcpServers": {"a": {"command": "x", "args": "y", "env": {"K": "v"}, "description": "d"}}}),
            local.clone(),
        ),
        (
            json!({"mcpServers": {"a": {"command": ["x"], "args": ["y"], "env": {"K": "v"}, "headers": {}}}}),
            local,
        ),
        (
            json!({"mcpServers": {"a": {"httpUrl": "u", "headers": {"K": "v"}}}}),
            json!({"a": {"url": "u", "headers": {"K": "v"}, "type": "http"}}),
        ),
        (json!({"mcpServers": {"a": {"serverUrl": "u"}}}), json!({"a": {"url": "u"}})),
        (
            json!({"mcpServers": {"a": {"type": "streamable-http", "url": "u", "http_headers": {"K": "v"}, "env": {}}}}),
            remote.clone(),
        ),
        (json!({"a": {"transport": "streamableHttp", "url": "u", "headers": {"K": "v"}}}), remote),
        (json!({"a": {"type": "remote", "url": "u"}}), json!({"a": {"url": "u"}})),
        (json!({"a": {"type": "SSE", "url": "u"}}), json!({"a": {"type": "sse", "url": "u"}})),
        (json!({"mcpServers": {"a": {"disabled": true}}}), json!({"a": {"disabled": true}})),
    ] {
        assert_eq!(Value::Object(read(&config).unwrap()), expected, "{config}");
        assert_eq!(
            Value::Object(read(&json!({"mcpServers": expected})).unwrap()),
            expected,
            "again: {config}"
        );
    }
}

#[test]
fn arguments_in_one_text_are_words() {
    for (text, expected) in [
        ("", json!([])),
        ("-y  pkg", json!(["-y", "pkg"])),
        ("-c 'a b' \"\" x\"y\"", json!(["-c", "a b", "", "xy"])),
    ] {
        assert_eq!(read(&json!({"a": {"command": "x", "args": text}})).unwrap()["a"]["args"], expected);
    }
}

#[test]
fn what_has_no_form_is_refused_by_server_and_key_and_without_values() {
    for (server, key) in [
        (json!({}), "command"),
        (json!({"command": " "}), "command"),
        (json!({"command": []}), "command"),
        (json!({"command": [1]}), "command"),
        (json!({"command": {"path": "x", "zeta": 1}}), "command.zeta"),
        (json!({"command": "sk-x", "url": "sk-x"}), "url"),
        (json!({"command": "sk-x", "headers": {"A": "b"}}), "headers"),
        (json!({"command": "sk-x", "type": "http"}), "type"),
        (json!({"command": "sk-x", "args": "'sk-x"}), "args"),
        (json!({"command": "sk-x", "args": [1]}), "args"),
        (json!({"command": "sk-x", "env": {"A": 1}}), "env"),
        (json!({"command": "sk-x", "env": []}), "env"),
        (json!({"command": "sk-x", "env": {"A": "${input:key}"}}), "env"),
        (json!({"command": "sk-x", "cwd": ""}), "cwd"),
        (json!({"command": "sk-x", "timeout": 0}), "timeout"),
        (json!({"command": "sk-x", "enabled": 1}), "enabled"),
        (json!({"command": "sk-x", "zeta": 1}), "zeta"),
        (json!({"url": ""}), "url"),
        (json!({"url": "sk-x", "httpUrl": "sk-x"}), "httpUrl"),
        (json!({"url": "sk-x", "type": "ws"}), "type"),
        (json!({"url": "sk-x", "type": "stdio"}), "type"),
        (json!({"url": "sk-x", "env": {"A": "b"}}), "env"),
        (json!({"url": "sk-x", "headers": {"A": null}}), "headers"),
        (json!({"url": "sk-x", "oauth": true}), "oauth"),
        (json!({"url": "sk-x", "oauth": {"callbackPort": 0}}), "oauth.callbackPort"),
    ] {
        let failure = read(&json!({"mcpServers": {"s": server.clone()}})).unwrap_err();
        assert!(
            failure.message.starts_with(&format!("MCP server `s`: `{key}` ")),
            "{server}: {}",
            failure.message
        );
        assert!(!failure.message.contains("sk-x"), "{}", failure.message);
        assert_eq!(failure.code, Code::BadDocument);
    }
}

#[test]
fn what_holds_no_servers_is_refused() {
    for (config, part) in [
        (json!([]), "is not an object"),
        (json!("x"), "is not an object"),
        (json!({"mcpServers": []}), "`mcpServers` that is not an object"),
        (json!({"servers": [{"command": "x"}]}), "`servers` that is not an object"),
        (json!({"McpServers": {}}), "has `McpServers`, but no `mcpServers`"),
        (json!({"a": {"command": "x"}, "other": 1}), "has `a`, `other`, but no `mcpServers`"),
        (json!({"mcpServers": {}, "servers": {}}), "has both `mcpServers` and `servers`"),
        (json!({"mcpServers": {" ": {}}}), "a server without a name"),
    ] {
        let message = read(&config).unwrap_err().message;
        assert!(
            message.starts_with("the MCP configuration ") && message.contains(part),
            "{config}: {message}"
        );
    }
    assert_eq!(
        read(&json!({"mcpServers": {"a": 42}})).unwrap_err().message,
        "MCP server `a`: is not an object"
    );
}

#[test]
fn a_key_of_one_tool_is_for_that_tool() {
    let config = |key: &str, value: Value| json!({"a": {"command": "x", key: value}});
    for (key, value, provider, is_foreign) in [
        ("bearer_token_env_var", json!("T"), "codex", false),
        ("bearer_token_env_var", json!("T"), "claude", true),
        ("includeTools", json!(["x"]), "gemini", false),
        ("includeTools", json!(["x"]), "cursor", true),
        ("tools", json!(["x"]), "opencode", true),
        ("tools", json!(["*"]), "opencode", false),
    ] {
        let servers = read(&config(key, value)).unwrap();
        let found = foreign_key(servers["a"].as_object().unwrap(), provider);
        assert_eq!(found, is_foreign.then_some(key), "{key} {provider}");
    }
}
