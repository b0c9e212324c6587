//! What is written to Claude Code: prompts, and answers to its control requests.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A message of the user's, as one line.
pub(super) fn user_frame(text: &str) -> Vec<u8> {
    line(&json!({
        "type": "user",
        "message": { "role": "user", "content": [{ "type": "text", "text": text }] },
    }))
}

/// Allows what the agent asks for: it was started with the permission to do it. A tool that was to run in the background
/// is brought to the foreground, because a run ends with its agent. `None` for a request that is not an object.
pub(super) fn control_response(request_id: &str, request: &RawValue) -> Option<Vec<u8>> {
    let request: Value = serde_json::from_str(request.get()).ok()?;
    let response = if request["subtype"] == "can_use_tool" {
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
    Some(line(&json!({
        "type": "control_response",
        "response": { "subtype": "success", "request_id": request_id, "response": response },
    })))
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
