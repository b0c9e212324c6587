//! One managed MCP server, as a task document has it, and in the words of each agent CLI.

use serde_json::{Map, Value, json};

use crate::failure::{Code, Failure};

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
}

#[derive(Debug, PartialEq)]
enum Transport<'a> {
    Local { command: Vec<&'a str>, env: Vec<(&'a str, &'a str)>, cwd: Option<&'a str> },
    Remote { sse: bool, url: &'a str, headers: Vec<(&'a str, &'a str)> },
}

/// The keys that a server may have. Any other could not be translated, and is refused.
const KNOWN: &[&str] = &[
    "type",
    "command",
    "args",
    "env",
    "environment",
    "cwd",
    "enabled",
    "disabled",
    "timeout",
    "url",
    "httpUrl",
    "headers",
    "oauth",
];

impl<'a> Server<'a> {
    /// Reads the object of one server.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure that names server and key, never a value.
    pub(super) fn read(name: &'a str, value: &'a Value) -> Result<Server<'a>, Failure> {
        let wrong = |key: &str, what: &str| {
            let message = format!("MCP server `{}`: `{key}` {what}", name.escape_debug());
            Failure::new(Code::BadDocument, message)
        };
        let Value::Object(object) = value else { return Err(wrong("mcpServers", "holds no object for it")) };
        if let Some(key) = object.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(wrong(&key.escape_debug().to_string(), "is not understood for this provider"));
        }
        let text = |key: &str| match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.as_str())),
            Some(_) => Err(wrong(key, "must be a text that is not empty")),
        };
        let switch = |key: &str| match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "must be true or false")),
        };
        let pairs = |key: &str| match object.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(map)) => map
                .iter()
                .map(|(name, value)| Some((name.as_str(), value.as_str()?)))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong(key, "must hold texts only")),
            Some(_) => Err(wrong(key, "must be an object")),
        };
        let list = |key: &str| match object.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong(key, "must hold texts only")),
            Some(_) => Err(wrong(key, "must be a list")),
        };
        let kind = text("type")?.unwrap_or_default().to_ascii_lowercase();
        let transport =
            match text("url")?.map(|url| (url, kind == "sse")).or(text("httpUrl")?.map(|url| (url, false))) {
                Some((url, sse)) => Transport::Remote { sse, url, headers: pairs("headers")? },
                None => {
                    let mut command = match object.get("command") {
                        Some(Value::Array(_)) => list("command")?, // OpenCode's own form
                        _ => text("command")?.into_iter().collect(),
                    };
                    if command.first().is_none_or(|program| program.trim().is_empty()) {
                        return Err(wrong("command", "is missing, and there is no `url` either"));
                    }
                    command.extend(list("args")?);
                    let mut env = pairs("env")?;
                    env.extend(pairs("environment")?);
                    Transport::Local { command, env, cwd: text("cwd")? }
                }
            };
        let timeout = object.get("timeout").filter(|value| !value.is_null());
        if timeout.is_some_and(|value| value.as_f64().is_none_or(|ms| ms <= 0.0)) {
            return Err(wrong("timeout", "must be a number above 0"));
        }
        let oauth = object.get("oauth").filter(|value| !value.is_null());
        if oauth.is_some_and(|value| !(value.is_object() || *value == Value::Bool(false))) {
            return Err(wrong("oauth", "must be an object or false"));
        }
        let port = oauth.and_then(|oauth| oauth.get("callbackPort"));
        if port.is_some_and(|port| port.as_u64().is_none_or(|port| !(1..=65535).contains(&port))) {
            return Err(wrong("oauth.callbackPort", "must be a port"));
        }
        let enabled = switch("enabled")?.unwrap_or(true) && !switch("disabled")?.unwrap_or(false);
        Ok(Server { name, transport, enabled, timeout, oauth })
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
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn object(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

/// Reads every server of a managed set.
///
/// # Errors
/// As [`Server::read`].
pub(super) fn read_all(servers: &Map<String, Value>) -> Result<Vec<Server<'_>>, Failure> {
    servers.iter().map(|(name, value)| Server::read(name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(text: &str) -> [String; 3] {
        let value: Value = serde_json::from_str(text).unwrap();
        let server = Server::read("s", &value).unwrap();
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

    #[test]
    fn what_cannot_be_kept_is_refused_by_name_and_without_values() {
        for (text, key) in [
            ("7", "mcpServers"),
            ("{}", "command"),
            (r#"{"command":" "}"#, "command"),
            (r#"{"command":"sk-x","zeta":1}"#, "zeta"),
            (r#"{"command":"sk-x","args":[1]}"#, "args"),
            (r#"{"command":"sk-x","env":{"A":1}}"#, "env"),
            (r#"{"command":"sk-x","env":[]}"#, "env"),
            (r#"{"command":"sk-x","timeout":0}"#, "timeout"),
            (r#"{"command":"sk-x","timeout":"1"}"#, "timeout"),
            (r#"{"command":"sk-x","enabled":1}"#, "enabled"),
            (r#"{"url":""}"#, "url"),
            (r#"{"url":"sk-x","oauth":true}"#, "oauth"),
            (r#"{"url":"sk-x","oauth":{"callbackPort":0}}"#, "oauth.callbackPort"),
            (r#"{"url":"sk-x","headers":{"A":null}}"#, "headers"),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let failure = Server::read("s", &value).unwrap_err();
            assert!(failure.message.starts_with(&format!("MCP server `s`: `{key}` ")), "{}", failure.message);
            assert!(!failure.message.contains("sk-x"));
        }
    }
}
