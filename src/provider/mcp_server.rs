//! One managed MCP server, as a task document has it, and in the words of each agent CLI.

use serde_json::{Map, Value, json};

use super::mcp_reader;

/// A server of the managed set.
#[derive(Debug, PartialEq)]
pub(super) struct Server<'a> {
    name: &'a str,
    transport: Transport<'a>,
    /// `enabled`, or not `disabled`.
    enabled: bool,
    /// Milliseconds.
    timeout: Option<&'a Value>,
    /// OpenCode's: an object, or `false`.
    oauth: Option<&'a Value>,
    /// Keys that the provider is known to understand.
    extras: Vec<(&'a String, &'a Value)>,
}

#[derive(Debug, PartialEq)]
enum Transport<'a> {
    Local { command: Vec<&'a str>, env: Vec<(&'a str, &'a str)>, cwd: Option<&'a str> },
    Remote { sse: bool, url: &'a str, headers: Vec<(&'a str, &'a str)> },
}

impl<'a> Server<'a> {
    /// Takes a server from the form that [`super::mcp_reader`] gives it.
    fn new(name: &'a str, object: &'a Map<String, Value>) -> Server<'a> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let pairs = |key: &str| {
            let map = object.get(key).and_then(Value::as_object).into_iter().flatten();
            map.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
        };
        let transport = match text("url") {
            Some(url) => {
                Transport::Remote { sse: text("type") == Some("sse"), url, headers: pairs("headers") }
            }
            None => {
                let args = object.get("args").and_then(Value::as_array).into_iter().flatten();
                let program = std::iter::once(text("command").unwrap_or_default());
                Transport::Local {
                    command: program.chain(args.filter_map(Value::as_str)).collect(),
                    env: pairs("env"),
                    cwd: text("cwd"),
                }
            }
        };
        Server {
            name,
            transport,
            enabled: object.get("enabled") != Some(&Value::Bool(false))
                && object.get("disabled") != Some(&Value::Bool(true)),
            timeout: object.get("timeout"),
            oauth: object.get("oauth"),
            extras: object.iter().filter(|(key, _)| mcp_reader::is_extra(key) && *key != "oauth").collect(),
        }
    }

    /// The name.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// Whether an agent may see it.
    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// As OpenCode wants it below `mcp`.
    pub(super) fn for_opencode(&self) -> Map<String, Value> {
        let value = match &self.transport {
            Transport::Local { command, env, cwd } => {
                let mut value = json!({ "type": "local", "command": command, "environment": object(env) });
                if let Some(cwd) = cwd {
                    value["cwd"] = json!(cwd);
                }
                value
            }
            Transport::Remote { url, headers, .. } => {
                let mut value = json!({ "type": "remote", "url": url, "headers": object(headers) });
                if let Some(oauth) = self.oauth {
                    value["oauth"] = oauth.clone();
                }
                value
            }
        };
        self.finish(value, |value| value["enabled"] = json!(self.enabled))
    }

    /// As Copilot wants it below `mcpServers`; `None` for one that is switched off.
    pub(super) fn for_copilot(&self) -> Option<Map<String, Value>> {
        let value = match &self.transport {
            Transport::Local { command, env, cwd } => {
                let mut value = json!({ "type": "local", "command": command[0], "args": command[1..], "env": object(env) });
                if let Some(cwd) = cwd {
                    value["cwd"] = json!(cwd);
                }
                value
            }
            Transport::Remote { sse, url, headers } => {
                json!({ "type": if *sse { "sse" } else { "http" }, "url": url, "headers": object(headers) })
            }
        };
        self.enabled.then(|| self.finish(value, |value| value["tools"] = json!(["*"])))
    }

    /// As Gemini and its fork Qwen want it below `mcpServers` (`url` means SSE there); `None` for one switched off.
    pub(super) fn for_gemini(&self) -> Option<Map<String, Value>> {
        let value = match &self.transport {
            Transport::Local { command, env, cwd } => {
                let mut value = json!({ "command": command[0], "args": command[1..], "env": object(env) });
                if let Some(cwd) = cwd {
                    value["cwd"] = json!(cwd);
                }
                value
            }
            Transport::Remote { sse, url, headers } => {
                json!({ (if *sse { "url" } else { "httpUrl" }): url, "headers": object(headers) })
            }
        };
        self.enabled.then(|| self.finish(value, |_| ()))
    }

    fn finish(&self, mut value: Value, more: impl FnOnce(&mut Value)) -> Map<String, Value> {
        more(&mut value);
        if let Some(timeout) = self.timeout {
            value["timeout"] = timeout.clone();
        }
        for (key, extra) in &self.extras {
            value[key.as_str()] = (*extra).clone();
        }
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn object(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

/// Every server of a managed set.
pub(super) fn all(servers: &Map<String, Value>) -> Vec<Server<'_>> {
    let objects = servers.iter().filter_map(|(name, server)| Some((name, server.as_object()?)));
    objects.map(|(name, server)| Server::new(name, server)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(text: &str) -> [String; 3] {
        let value: Value = serde_json::from_str(text).unwrap();
        let servers = mcp_reader::read(&json!({ "mcpServers": { "s": value } })).unwrap();
        let server = all(&servers).remove(0);
        let shown =
            |map: Option<Map<String, Value>>| map.map_or("-".into(), |map| Value::Object(map).to_string());
        [shown(Some(server.for_opencode())), shown(server.for_copilot()), shown(server.for_gemini())]
    }

    #[test]
    fn each_program_gets_its_own_words() {
        assert_eq!(
            shapes(r#"{"command":"uvx","args":["a","b"],"env":{"T":"x"},"cwd":"/w","timeout":5000}"#),
            [
                r#"{"type":"local","command":["uvx","a","b"],"environment":{"T":"x"},"cwd":"/w","enabled":true,"timeout":5000}"#,
                r#"{"type":"local","command":"uvx","args":["a","b"],"env":{"T":"x"},"cwd":"/w","tools":["*"],"timeout":5000}"#,
                r#"{"command":"uvx","args":["a","b"],"env":{"T":"x"},"cwd":"/w","timeout":5000}"#,
            ]
        );
        assert_eq!(
            shapes(r#"{"type":"http","url":"https://x","headers":{"A":"b"},"oauth":false}"#),
            [
                r#"{"type":"remote","url":"https://x","headers":{"A":"b"},"oauth":false,"enabled":true}"#,
                r#"{"type":"http","url":"https://x","headers":{"A":"b"},"tools":["*"]}"#,
                r#"{"httpUrl":"https://x","headers":{"A":"b"}}"#,
            ]
        );
        let [opencode, copilot, gemini] = shapes(r#"{"type":"SSE","url":"https://x","disabled":true}"#);
        assert_eq!(opencode, r#"{"type":"remote","url":"https://x","headers":{},"enabled":false}"#);
        assert_eq!((copilot.as_str(), gemini.as_str()), ("-", "-"));
        assert_eq!(
            shapes(r#"{"type":"local","command":["a","b"],"environment":{}}"#)[2],
            r#"{"command":"a","args":["b"],"env":{}}"#
        );
    }
}
