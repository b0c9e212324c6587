//! One server, from the forms of many tools into the one form.

use serde_json::{Map, Value, json};

use super::keys::{Meaning, meaning};
use crate::failure::{Code, Failure};

/// The keys that make an object a server.
const STARTS: [&str; 6] = ["command", "url", "httpUrl", "serverUrl", "cmd", "uri"];

/// Whether a value is a server rather than an object that holds some.
pub(super) fn looks_like_one(value: &Value) -> bool {
    STARTS.iter().any(|key| value.get(key).is_some_and(|value| value.is_string() || value.is_array()))
        || value.get("command").is_some_and(|command| command.get("path").is_some())
}

/// Reads one server.
///
/// # Errors
/// A [`Code::BadDocument`] failure that names server and key.
pub(super) fn read(name: &str, value: &Value) -> Result<Map<String, Value>, Failure> {
    let reader = Reader { name };
    let Value::Object(given) = value else {
        return Err(reader.wrong_server("is not an object"));
    };
    let mut server = reader.renamed(given)?;
    reader.check_switches(&server)?;
    let is_off = server.get("disabled") == Some(&Value::Bool(true))
        || server.get("enabled") == Some(&Value::Bool(false));
    if is_off && !server.contains_key("command") && !server.contains_key("url") {
        return Ok(server); // it reaches no agent
    }
    reader.transport(&mut server)?;
    Ok(server)
}

struct Reader<'a> {
    name: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, key: &str, what: &str) -> Failure {
        let key: String = key.chars().take(80).collect();
        self.wrong_server(&format!("`{}` {what}", key.escape_debug()))
    }

    fn wrong_server(&self, what: &str) -> Failure {
        let name: String = self.name.chars().take(80).collect();
        Failure::new(Code::BadDocument, format!("MCP server `{}`: {what}", name.escape_debug()))
            .hint("a server has `command`, `args`, `env`, `cwd`, or `type` (http, sse), `url`, `headers`")
    }

    /// The server under the names of the one form. `null` is nothing.
    fn renamed(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        let mut server = Map::new();
        for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            let known = match meaning(key) {
                Meaning::Key(known) => known,
                Meaning::Extra => key,
                Meaning::Ignored => continue,
                Meaning::Unknown => return Err(self.wrong(key, "is not understood")),
            };
            if says_input(value) {
                return Err(self.wrong(key, "asks a person for an input (`${input:…}`)"));
            }
            if server.insert(known.to_owned(), value.clone()).is_some() {
                return Err(self.wrong(key, &format!("says `{known}` a second time")));
            }
        }
        if given.contains_key("httpUrl") {
            server.entry("type").or_insert_with(|| json!("http"));
        }
        Ok(server)
    }

    fn check_switches(&self, server: &Map<String, Value>) -> Result<(), Failure> {
        for key in ["enabled", "disabled"] {
            if server.get(key).is_some_and(|value| !value.is_boolean()) {
                return Err(self.wrong(key, "must be true or false"));
            }
        }
        if server.get("timeout").is_some_and(|value| value.as_f64().is_none_or(|ms| ms <= 0.0)) {
            return Err(self.wrong("timeout", "must be a number above 0"));
        }
        let oauth = server.get("oauth");
        if oauth.is_some_and(|value| !(value.is_object() || *value == Value::Bool(false))) {
            return Err(self.wrong("oauth", "must be an object or false"));
        }
        let port = oauth.and_then(|oauth| oauth.get("callbackPort"));
        if port.is_some_and(|port| port.as_u64().is_none_or(|port| !(1..=65535).contains(&port))) {
            return Err(self.wrong("oauth.callbackPort", "must be a port"));
        }
        Ok(())
    }

    fn transport(&self, server: &mut Map<String, Value>) -> Result<(), Failure> {
        let kind = self.kind(server)?;
        match (server.contains_key("command"), server.contains_key("url")) {
            (true, true) => Err(self.wrong("url", "stands beside `command`: a server has one of them")),
            (false, false) => Err(self.wrong("command", "is missing, and there is no `url` either")),
            (true, false) => match kind {
                None | Some("stdio") => self.local(server),
                Some(_) => Err(self.wrong("type", "is for a server with `url`, and this one has `command`")),
            },
            (false, true) => match kind {
                Some("stdio") => {
                    Err(self.wrong("type", "is for a server with `command`, and this one has `url`"))
                }
                _ => self.remote(server),
            },
        }
    }

    /// The type in the one form: `stdio`, `http`, `sse`.
    fn kind(&self, server: &mut Map<String, Value>) -> Result<Option<&'static str>, Failure> {
        let Some(kind) = server.get("type") else { return Ok(None) };
        let kind = kind.as_str().ok_or_else(|| self.wrong("type", "must be a text"))?;
        let kind = match kind.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
            "stdio" => "stdio",
            "http" | "streamablehttp" => "http",
            "sse" => "sse",
            // OpenCode's words, which say no more than `command` and `url` do.
            word @ ("local" | "remote") => {
                server.shift_remove("type");
                return Ok((word == "local").then_some("stdio"));
            }
            _ => return Err(self.wrong("type", "must be stdio, http or sse")),
        };
        server["type"] = json!(kind);
        Ok(Some(kind))
    }

    fn local(&self, server: &mut Map<String, Value>) -> Result<(), Failure> {
        self.only_empty(server, &["headers"])?;
        self.flatten_command(server)?;
        let program = server["command"].as_str();
        if program.is_none_or(|program| program.trim().is_empty()) {
            return Err(self.wrong("command", "must be a text that is not empty"));
        }
        if let Some(Value::String(text)) = server.get("args") {
            let words = words(text).ok_or_else(|| self.wrong("args", "has a quote without an end"))?;
            server["args"] = json!(words);
        }
        let all_texts =
            |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        if server.get("args").is_some_and(|args| !all_texts(args)) {
            return Err(self.wrong("args", "must be a list of texts"));
        }
        self.check_pairs(server, "env")?;
        self.check_text(server, "cwd")
    }

    /// A command as a list (OpenCode) or as an object with path, arguments and variables (Zed).
    fn flatten_command(&self, server: &mut Map<String, Value>) -> Result<(), Failure> {
        let (command, before) = match &server["command"] {
            Value::Array(list) => {
                let mut list = list.clone().into_iter();
                (list.next().unwrap_or_default(), list.collect::<Vec<_>>())
            }
            Value::Object(parts) => {
                let mut parts = parts.clone();
                let path = parts.shift_remove("path").unwrap_or_default();
                for key in ["args", "env"] {
                    if let Some(value) = parts.shift_remove(key).filter(|value| !value.is_null()) {
                        if server.contains_key(key) {
                            return Err(self.wrong(key, "is said twice"));
                        }
                        server.insert(key.into(), value);
                    }
                }
                if let Some(key) = parts.keys().next() {
                    return Err(self.wrong(&format!("command.{key}"), "is not understood"));
                }
                (path, Vec::new())
            }
            _ => return Ok(()),
        };
        server["command"] = command;
        if !before.is_empty() {
            match server.get_mut("args") {
                None => _ = server.insert("args".into(), before.into()),
                Some(Value::Array(args)) => _ = args.splice(0..0, before),
                Some(_) => return Err(self.wrong("args", "must be a list of texts")),
            }
        }
        Ok(())
    }

    fn remote(&self, server: &mut Map<String, Value>) -> Result<(), Failure> {
        self.only_empty(server, &["args", "env", "cwd"])?;
        if server["url"].as_str().is_none_or(|url| url.trim().is_empty()) {
            return Err(self.wrong("url", "must be a text that is not empty"));
        }
        self.check_pairs(server, "headers")
    }

    /// Removes keys that have no meaning for this kind of server, if they say nothing.
    fn only_empty(&self, server: &mut Map<String, Value>, keys: &[&str]) -> Result<(), Failure> {
        for key in keys {
            let is_empty = match server.get(*key) {
                None => continue,
                Some(Value::Object(map)) => map.is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                Some(Value::String(text)) => text.is_empty(),
                Some(_) => false,
            };
            if !is_empty {
                let other = if *key == "headers" { "url" } else { "command" };
                return Err(self.wrong(key, &format!("is for a server with `{other}`")));
            }
            server.shift_remove(*key);
        }
        Ok(())
    }

    fn check_pairs(&self, server: &Map<String, Value>, key: &str) -> Result<(), Failure> {
        match server.get(key) {
            None => Ok(()),
            Some(Value::Object(map)) if map.values().all(Value::is_string) => Ok(()),
            Some(_) => Err(self.wrong(key, "must be an object that holds texts only")),
        }
    }

    fn check_text(&self, server: &Map<String, Value>, key: &str) -> Result<(), Failure> {
        match server.get(key) {
            Some(value) if value.as_str().is_none_or(|text| text.trim().is_empty()) => {
                Err(self.wrong(key, "must be a text that is not empty"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a value has a placeholder that VS Code asks the user for.
fn says_input(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${input:"),
        Value::Array(list) => list.iter().any(says_input),
        Value::Object(map) => map.values().any(says_input),
        _ => false,
    }
}

/// The words of a command line, quotes respected. `None`: a quote has no end.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}
