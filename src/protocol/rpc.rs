//! JSON-RPC, one message a line: what ACP agents and Codex' app-server speak.

use std::borrow::Cow;

use crate::object;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A message from the other side.
#[derive(Debug)]
pub enum Message<'a> {
    /// It waits for an answer with this id, which is given back as it came.
    Request {
        /// A number or a string.
        id: &'a RawValue,
        /// What is asked for.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// It tells something.
    Notification {
        /// What.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// It answers a request of ours.
    Answer {
        /// The request's id; `None`: not one of ours.
        id: Option<u64>,
        /// The result, or the error.
        outcome: Result<&'a RawValue, RpcError>,
    },
}

/// An error of the other side.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct RpcError {
    /// Its code.
    #[serde(default)]
    pub code: i64,
    /// Its words.
    #[serde(default)]
    pub message: String,
    /// What it says besides; `null` where it says nothing.
    #[serde(default)]
    pub data: Value,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A value that is there, be it `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one line; `None`: it is no message.
pub fn read(line: &str) -> Option<Message<'_>> {
    let Line { id, method, params, result, error } = object::read(line).ok()?;
    Some(match (method, id) {
        (Some(method), Some(id)) if id.get() != "null" => Message::Request { id, method, params },
        (Some(method), _) => Message::Notification { method, params },
        (None, id) => {
            let outcome = match (error, result) {
                (Some(error), _) if error.get() != "null" => Err(read_error(error)),
                (_, Some(result)) => Ok(result),
                _ => return None,
            };
            Message::Answer { id: id.and_then(|id| id.get().parse().ok()), outcome }
        }
    })
}

/// An error of any form: some agents answer with a plain text.
fn read_error(error: &RawValue) -> RpcError {
    serde_json::from_str(error.get())
        .unwrap_or_else(|_| RpcError { message: error.get().to_owned(), ..RpcError::default() })
}

/// The code for a request that this side does not know.
pub const METHOD_NOT_FOUND: i64 = -32601;

/// Whether messages carry the key `jsonrpc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// As the standard says.
    Two,
    /// Codex leaves it out.
    Unsaid,
}

/// Writes messages, and numbers the requests from 1.
#[derive(Debug)]
pub struct Writer {
    version: Version,
    last_id: u64,
}

impl Writer {
    /// A writer.
    pub fn new(version: Version) -> Writer {
        Writer { version, last_id: 0 }
    }

    /// Appends a request to `frames`; returns its id.
    pub fn request(&mut self, frames: &mut Vec<u8>, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        self.line(frames, json!({ "id": self.last_id, "method": method, "params": params }));
        self.last_id
    }

    /// Appends a notification. Without parameters the key is left out.
    pub fn notify(&self, frames: &mut Vec<u8>, method: &str, params: Option<&Value>) {
        let mut message = json!({ "method": method });
        if let Some(params) = params {
            message["params"] = params.clone();
        }
        self.line(frames, message);
    }

    /// Appends the answer to a request.
    pub fn answer(&self, frames: &mut Vec<u8>, id: &RawValue, result: &Value) {
        self.line(frames, json!({ "id": id, "result": result }));
    }

    /// Appends the refusal of a request.
    pub fn refuse(&self, frames: &mut Vec<u8>, id: &RawValue, code: i64, message: &str) {
        self.line(frames, json!({ "id": id, "error": { "code": code, "message": message } }));
    }

    fn line(&self, frames: &mut Vec<u8>, mut message: Value) {
        if self.version == Version::Two
            && let Some(object) = message.as_object_mut()
        {
            object.shift_insert(0, "jsonrpc".into(), "2.0".into());
        }
        frames.extend_from_slice(message.to_string().as_bytes());
        frames.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let kind = |line: &str| match read(line) {
            Some(Message::Request { id, method, .. }) => format!("request {} {method}", id.get()),
            Some(Message::Notification { method, .. }) => format!("notification {method}"),
            Some(Message::Answer { id, outcome: Ok(result) }) => format!("answer {id:?} {}", result.get()),
            Some(Message::Answer { id, outcome: Err(error) }) => {
                format!("error {id:?} {} {}", error.code, error.message)
            }
            None => "none".to_owned(),
        };
        for (line, expected) in [
            (r#"{"id":0,"method":"a/b","params":{}}"#, "request 0 a/b"),
            (r#"{"id":"x","method":"a"}"#, r#"request "x" a"#),
            (r#"{"jsonrpc":"2.0","method":"a"}"#, "notification a"),
            (r#"{"id":null,"method":"a"}"#, "notification a"),
            (r#"{"id":3,"result":null}"#, "answer Some(3) null"),
            (r#"{"id":"3","result":{}}"#, "answer None {}"),
            (r#"{"id":3,"error":{"code":-32601,"message":"m"}}"#, "error Some(3) -32601 m"),
            (r#"{"id":3,"error":"text"}"#, r#"error Some(3) 0 "text""#),
            (r#"{"id":3,"result":1,"error":null}"#, "answer Some(3) 1"),
            (r#"{"type":"x"}"#, "none"),
            ("[]", "none"),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }

    #[test]
    fn each_message_is_one_line() {
        let mut frames = Vec::new();
        let mut writer = Writer::new(Version::Two);
        assert_eq!(writer.request(&mut frames, "a", &json!({ "t": "x\ny" })), 1);
        assert_eq!(writer.request(&mut frames, "b", &json!({})), 2);
        let id: &RawValue = serde_json::from_str("\"q\"").unwrap();
        Writer::new(Version::Unsaid).refuse(&mut frames, id, METHOD_NOT_FOUND, "no");
        writer.notify(&mut frames, "n", None);
        assert_eq!(
            String::from_utf8(frames).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"t\":\"x\\ny\"}}\n\
             {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\",\"params\":{}}\n\
             {\"id\":\"q\",\"error\":{\"code\":-32601,\"message\":\"no\"}}\n{\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n"
        );
    }
}
