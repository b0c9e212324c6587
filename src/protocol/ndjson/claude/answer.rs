//! What is written to Claude Code: prompts, and answers to its control requests.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::protocol::Permission;

/// A message of the user's, as one line.
pub(super) fn user_frame(text: &str) -> Vec<u8> {
    line(&json!({
        "type": "user",
        "message": { "role": "user", "content": [{ "type": "text", "text": text }] },
    }))
}

/// An answer to a control request.
pub(super) struct Answer {
    /// Its line.
    pub(super) frame: Vec<u8>,
    /// The tool for which the agent asked for permission.
    pub(super) tool: Option<String>,
}

/// Answers a control request by the rule of the run. A tool that was to run in the background is brought to the foreground,
/// because a run ends with its agent. `None` for a request that is not an object.
pub(super) fn control_response(
    request_id: &str,
    request: &RawValue,
    permission: Permission,
) -> Option<Answer> {
    let request: Value = serde_json::from_str(request.get()).ok()?;
    let is_permission = request["subtype"] == "can_use_tool";
    let response = if is_permission && permission == Permission::Deny {
        json!({ "behavior": "deny", "message": "this run gives no permissions" })
    } else if is_permission {
        let mut input = request.get("input").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        if let Some(background) = input.get_mut("run_in_background")
            && *background == Value::Bool(true)
        {
            *background = Value::Bool(false);
        }
        json!({ "behavior": "allow", "updatedInput": input })
    } else {
        json!({})
    };
    let frame = line(&json!({
        "type": "control_response",
        "response": { "subtype": "success", "request_id": request_id, "response": response },
    }));
    let tool = is_permission.then(|| request["tool_name"].as_str().unwrap_or("a tool").to_owned());
    Some(Answer { frame, tool })
}

fn line(frame: &Value) -> Vec<u8> {
    let mut line = frame.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_one_line() {
        let frame = user_frame("a\n\"b\"");
        assert_eq!(
            String::from_utf8(frame).unwrap(),
            "{\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\\n\\\"b\\\"\"}]}}\n"
        );
    }
}
