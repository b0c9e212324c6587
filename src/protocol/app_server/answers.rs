//! What the server asks of a person, and what it is answered: by the rule of the run, at once.

use serde_json::{Map, Value, json};

use crate::protocol::Permission;

/// An answer that stands for a person's.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// What was asked for.
    pub(super) request: String,
    /// What was decided.
    pub(super) decision: Permission,
    /// The result of the request.
    pub(super) result: Value,
}

/// The answer to a request; `None` where this side does not know it.
pub(super) fn answer(method: &str, params: &Value, rule: Permission) -> Option<Answer> {
    let is_allowed = rule == Permission::Allow;
    let by_rule = |request: &str, yes: Value, no: Value| Answer {
        request: request.to_owned(),
        decision: rule,
        result: if is_allowed { yes } else { no },
    };
    Some(match method {
        "item/commandExecution/requestApproval" => {
            by_rule("exec_command", json!({ "decision": "accept" }), json!({ "decision": "decline" }))
        }
        "item/fileChange/requestApproval" => {
            by_rule("patch_apply", json!({ "decision": "accept" }), json!({ "decision": "decline" }))
        }
        "execCommandApproval" => by_rule("exec_command", json!({ "decision": "approved" }), denied()),
        "applyPatchApproval" => by_rule("patch_apply", json!({ "decision": "approved" }), denied()),
        "item/permissions/requestApproval" => by_rule(
            "permissions",
            json!({ "permissions": requested(&params["permissions"]), "scope": "turn" }),
            json!({ "permissions": {}, "scope": "turn" }),
        ),
        "mcpServer/elicitation/request" => elicitation(params, rule),
        "item/tool/requestUserInput" => question(params, rule),
        _ => return None,
    })
}

fn denied() -> Value {
    json!({ "decision": { "denied": { "rejection": "this run gives no permissions" } } })
}

/// What was asked for, and nothing else.
fn requested(permissions: &Value) -> Map<String, Value> {
    let asked = ["network", "fileSystem"].into_iter().filter_map(|key| {
        let value = permissions.get(key).filter(|value| !value.is_null())?;
        Some((key.to_owned(), value.clone()))
    });
    asked.collect()
}

/// An MCP server asks. A plain yes can be given; what needs a person's data, eyes or device cannot.
fn elicitation(params: &Value, rule: Permission) -> Answer {
    let server = params["serverName"].as_str().unwrap_or("an MCP server");
    let needs = params["requestedSchema"]["required"].as_array().is_some_and(|names| !names.is_empty());
    let is_form = matches!(params["mode"].as_str(), Some("form" | "openai/form" | "openaiForm") | None);
    let decision = if is_form && !needs { rule } else { Permission::Deny };
    let action = if decision == Permission::Allow { "accept" } else { "decline" };
    Answer {
        request: format!("question of {server}"),
        decision,
        result: json!({ "action": action, "content": null, "_meta": null }),
    }
}

/// The model asks a person. Every question gets an answer, because the tool call waits for all of them.
fn question(params: &Value, rule: Permission) -> Answer {
    let words: &[&str] = match rule {
        Permission::Allow => &["No person is there to answer. Decide yourself, and say what you assumed."],
        Permission::Deny => &[],
    };
    let questions = params["questions"].as_array().map_or(&[][..], Vec::as_slice);
    let answers: Map<String, Value> = questions
        .iter()
        .filter_map(|question| Some((question["id"].as_str()?.to_owned(), json!({ "answers": words }))))
        .collect();
    Answer { request: "question".to_owned(), decision: rule, result: json!({ "answers": answers }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_yes_and_its_no() {
        let profile = r#"{"permissions":{"network":{"enabled":true},"fileSystem":null,"x":1}}"#;
        let no = r#"{"decision":{"denied":{"rejection":"this run gives no permissions"}}}"#;
        for (method, params, allowed, denied) in [
            (
                "item/commandExecution/requestApproval",
                "{}",
                r#"{"decision":"accept"}"#,
                r#"{"decision":"decline"}"#,
            ),
            (
                "item/fileChange/requestApproval",
                "{}",
                r#"{"decision":"accept"}"#,
                r#"{"decision":"decline"}"#,
            ),
            ("execCommandApproval", "{}", r#"{"decision":"approved"}"#, no),
            ("applyPatchApproval", "{}", r#"{"decision":"approved"}"#, no),
            (
                "item/permissions/requestApproval",
                profile,
                r#"{"permissions":{"network":{"enabled":true}},"scope":"turn"}"#,
                r#"{"permissions":{},"scope":"turn"}"#,
            ),
            (
                "mcpServer/elicitation/request",
                r#"{"mode":"form","serverName":"s","requestedSchema":{"properties":{}}}"#,
                r#"{"action":"accept","content":null,"_meta":null}"#,
                r#"{"action":"decline","content":null,"_meta":null}"#,
            ),
            (
                "mcpServer/elicitation/request",
                r#"{"mode":"form","requestedSchema":{"required":["name"]}}"#,
                r#"{"action":"decline","content":null,"_meta":null}"#,
                r#"{"action":"decline","content":null,"_meta":null}"#,
            ),
            (
                "mcpServer/elicitation/request",
                r#"{"mode":"url","url":"http://127.0.0.1/"}"#,
                r#"{"action":"decline","content":null,"_meta":null}"#,
                r#"{"action":"decline","content":null,"_meta":null}"#,
            ),
            (
                "item/tool/requestUserInput",
                r#"{"questions":[{"id":"q","question":"?"},{"no":1}]}"#,
                r#"{"answers":{"q":{"answers":["No person is there to answer. Decide yourself, and say what you assumed."]}}}"#,
                r#"{"answers":{"q":{"answers":[]}}}"#,
            ),
        ] {
            let params: Value = serde_json::from_str(params).unwrap();
            let result = |rule| answer(method, &params, rule).unwrap().result.to_string();
            assert_eq!(result(Permission::Allow), allowed, "{method}");
            assert_eq!(result(Permission::Deny), denied, "{method}");
        }
        assert_eq!(answer("attestation/generate", &Value::Null, Permission::Allow), None);
    }
}
