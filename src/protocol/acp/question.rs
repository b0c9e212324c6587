//! What the agent asks of its client. There is no person who could answer: a permission follows the rule of the run, a question
//! is declined, and what is not known is refused, so that no request is left without an answer.

use serde_json::{Value, json};

use super::read::{Any, Choice, Question, array, object, text};
use crate::protocol::Permission;
use crate::protocol::rpc::METHOD_NOT_FOUND;

/// The code for a request that cannot be answered as it is.
const INTERNAL_ERROR: i64 = -32603;

/// What a request is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// This.
    Result(Value),
    /// It is refused.
    Error(i64, &'static str),
}

/// The answer to a request, and what it means to people.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// The decision, where a person was asked.
    pub(super) decision: Option<Permission>,
}

/// Answers a request for a permission with an option that it offers. Never with one that holds for ever: the agent would
/// write it into the user's own configuration.
pub(super) fn permission(question: Option<&Question<'_>>, rule: Permission, is_cancelled: bool) -> Reply {
    if is_cancelled {
        let answer = Answer::Result(json!({ "outcome": { "outcome": "cancelled" } }));
        return Reply { answer, decision: Some(Permission::Deny) };
    }
    let choices: Vec<Choice<'_>> = array(question.and_then(|question| question.options))
        .into_iter()
        .filter_map(|choice| object(Some(choice)))
        .collect();
    let offered = |kind: &str| choices.iter().find(|choice| text(choice.kind) == kind);
    let allow = offered("allow_once").filter(|_| rule == Permission::Allow);
    let decision = if allow.is_some() { Permission::Allow } else { Permission::Deny };
    let answer = match allow.or_else(|| offered("reject_once")).and_then(|choice| choice.option_id) {
        Some(id) => Answer::Result(json!({ "outcome": { "outcome": "selected", "optionId": id } })),
        None => Answer::Error(INTERNAL_ERROR, "no option is offered that this run may choose"),
    };
    Reply { answer, decision: Some(decision) }
}

/// Answers any other request.
pub(super) fn other(method: &str) -> Reply {
    if method == "elicitation/create" || method == "session/elicitation" {
        let answer = Answer::Result(json!({ "action": "decline" }));
        return Reply { answer, decision: Some(Permission::Deny) };
    }
    // An agent's own way to ask a person.
    let is_question =
        ["elicit", "interaction", "question", "ask_user"].iter().any(|word| method.contains(word));
    let answer = Answer::Error(METHOD_NOT_FOUND, "method not found");
    Reply { answer, decision: is_question.then_some(Permission::Deny) }
}

/// Requests that agents make in the course of their work, and go on without an answer to.
pub(super) fn is_expected(method: &str) -> bool {
    method.starts_with('_') || method == "craft/drainMidTurnQueue"
}

/// Reads a request for a permission.
pub(super) fn read(params: Any<'_>) -> Option<Question<'_>> {
    object(params)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn only_an_offered_option_that_holds_once_is_chosen() {
        use Permission::{Allow, Deny};
        let once = r#"{"optionId":"y","kind":"allow_once"}"#;
        let always = r#"{"optionId":"a","kind":"allow_always"}"#;
        let reject = r#"{"optionId":"n","kind":"reject_once"}"#;
        for (options, rule, expected, decision) in [
            (format!("{always},{once},{reject}"), Allow, Some("y"), Allow),
            (format!("{always},{once},{reject}"), Deny, Some("n"), Deny),
            (format!("{always},{reject}"), Allow, Some("n"), Deny),
            (always.to_owned(), Allow, None, Deny),
            (once.to_owned(), Deny, None, Deny),
            (r#"7,{"kind":["allow_once"]}"#.to_owned(), Allow, None, Deny),
        ] {
            let json = format!(r#"{{"options":[{options}]}}"#);
            let params: &RawValue = serde_json::from_str(&json).unwrap();
            let reply = permission(read(Some(params)).as_ref(), rule, false);
            let chosen = match &reply.answer {
                Answer::Result(result) => result["outcome"]["optionId"].as_str(),
                Answer::Error(..) => None,
            };
            assert_eq!((chosen, reply.decision), (expected, Some(decision)), "{options} {rule:?}");
        }
        let reply = permission(None, Allow, true);
        assert!(matches!(reply.answer, Answer::Result(value) if value["outcome"]["outcome"] == "cancelled"));
    }

    #[test]
    fn every_other_request_has_an_answer() {
        for (method, is_declined, is_told) in [
            ("elicitation/create", true, true),
            ("_reasonix.io/mcp/request_interaction", false, true),
            ("fs/read_text_file", false, false),
            ("craft/drainMidTurnQueue", false, false),
        ] {
            let reply = other(method);
            assert_eq!(matches!(reply.answer, Answer::Result(_)), is_declined, "{method}");
            assert_eq!(reply.decision.is_some(), is_told, "{method}");
        }
    }
}
