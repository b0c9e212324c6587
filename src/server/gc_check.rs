//! Turns a reply of the gc-check routes into a [`Parent`]. Pure; a doubtful reply is [`Parent::Unknown`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::client::ServerReply;
use super::parent::{Parent, ParentKind};

/// The longest status that is accepted, in bytes. The longest of the server's own words has 25.
const LONGEST_STATUS: usize = 64;
/// The body of upstream's router for a route that the server does not have.
const NO_ROUTE: &str = "404 page not found";

#[derive(Deserialize)]
struct Single {
    status: Option<String>,
    updated_at: Option<String>,
    completed_at: Option<String>,
}

#[derive(Deserialize)]
struct Batch {
    issues: Vec<BatchIssue>,
}

#[derive(Deserialize)]
struct BatchIssue {
    id: String,
    found: Option<bool>,
    status: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
}

/// The parent for a 404.
///
/// The server also answers 404 to a token that may not see a thing, and so may a proxy in front of it. Only for a chat
/// session are there replies that can only mean a deletion (decision D5): an empty body, or the handler's own words,
/// which are the only sign that this server gives.
pub(super) fn not_found(kind: ParentKind, reply: &ServerReply) -> Parent {
    let error = || decode::<Refusal>(&reply.body).ok().and_then(|refusal| refusal.error);
    let by_handler = if reply.body.is_empty() {
        reply.has_length
    } else {
        error().as_deref() == Some("chat session not found")
    };
    Parent::Gone { certain: kind == ParentKind::Chat && by_handler }
}

/// Reads a reply below 400 about one parent; `Err` says what is wrong with the reply.
pub(super) fn single(kind: ParentKind, body: &[u8]) -> Result<Parent, String> {
    let single: Single = decode(body)?;
    let at = match kind {
        ParentKind::Issue | ParentKind::Chat => single.updated_at,
        ParentKind::AutopilotRun | ParentKind::QuickCreate => single.completed_at,
    };
    found(single.status, at.as_deref())
}

/// Reads a reply below 400 about many issues, by id. An id that it leaves out is not in the result.
pub(super) fn batch(body: &[u8]) -> Result<HashMap<Uuid, Result<Parent, String>>, String> {
    let batch: Batch = decode(body)?;
    let mut parents = HashMap::with_capacity(batch.issues.len());
    for issue in batch.issues {
        let Ok(id) = Uuid::parse_str(&issue.id) else { continue };
        let parent = match issue.found {
            Some(true) => found(issue.status, issue.updated_at.as_deref()),
            Some(false) => Ok(Parent::Gone { certain: false }),
            None => Err("the answer does not say whether it was found".into()),
        };
        let contradicts = parents.get(&id).is_some_and(|earlier| *earlier != parent);
        parents.insert(id, if contradicts { Err("the answer contradicts itself".into()) } else { parent });
    }
    Ok(parents)
}

/// Whether the server has no batch route. A 404 with any other body is about access, not about the route.
pub(super) fn has_no_route(reply: &ServerReply) -> bool {
    reply.status == 404 && reply.body.trim_ascii() == NO_ROUTE.as_bytes()
}

/// Reads one JSON object. What follows it is ignored.
fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    // serde reads a struct from an array as well, field by field; the server never writes one.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("the answer is not a JSON object".into());
    }
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(format!("the answer cannot be read: {error}")),
        None => Err("the answer is empty".into()),
    }
}

fn found(status: Option<String>, at: Option<&str>) -> Result<Parent, String> {
    let status = status.filter(|status| !status.trim().is_empty()).ok_or("the answer has no status")?;
    if status.len() > LONGEST_STATUS || status.contains(|c: char| c.is_control()) {
        return Err("the answer's status is not a word".into());
    }
    Ok(Parent::Found { status, at: time(at)? })
}

/// Reads a time. Go writes its zero time where none is set.
fn time(text: Option<&str>) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "the answer's time is not an RFC 3339 time".to_owned())?;
    let time = time.with_timezone(&Utc);
    Ok(Some(time).filter(|time| time.to_rfc3339() != "0001-01-01T00:00:00+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_at(status: &str, at: Option<&str>) -> Parent {
        Parent::Found { status: status.into(), at: at.map(|at| at.parse().unwrap()) }
    }

    #[test]
    fn a_single_answer() {
        use ParentKind::{AutopilotRun, Chat, Issue, QuickCreate};
        const AT: &str = "2026-05-01T10:00:00Z";
        let rows = [
            (
                Issue,
                r#"{"status":"done","updated_at":"2026-05-01T12:00:00+02:00"}"#,
                found_at("done", Some(AT)),
            ),
            (
                Chat,
                r#"{"updated_at":"2026-05-01T10:00:00Z","status":"archived"}"#,
                found_at("archived", Some(AT)),
            ),
            (
                AutopilotRun,
                r#"{"status":"failed","completed_at":"2026-05-01T10:00:00Z"}"#,
                found_at("failed", Some(AT)),
            ),
            (
                QuickCreate,
                r#"{"status":"queued","completed_at":"0001-01-01T00:00:00Z"}"#,
                found_at("queued", None),
            ),
            (QuickCreate, r#"{"status":"queued","completed_at":null}"#, found_at("queued", None)),
            (Issue, r#"{"status":"done"}"#, found_at("done", None)),
            (Issue, r#"{"status":"done","completed_at":"2026-05-01T10:00:00Z"}"#, found_at("done", None)),
            (
                Issue,
                r#" {"status":"custom one","more":[1,{}]} trailing <html>"#,
                found_at("custom one", None),
            ),
        ];
        for (kind, body, want) in rows {
            assert_eq!(single(kind, body.as_bytes()), Ok(want), "{body}");
        }
        let long = format!(r#"{{"status":"{}"}}"#, "x".repeat(65));
        for body in [
            "",
            "<html></html>",
            "null",
            "[]",
            r#"["done"]"#,
            "{",
            "{}",
            r#"{"status":""}"#,
            r#"{"status":null}"#,
            r#"{"status":1}"#,
            r#"{"status":"done","updated_at":"yesterday"}"#,
            r#"{"status":"done","updated_at":7}"#,
            r#"{"status":"done","status":"todo"}"#,
            r#"{"STATUS":"done"}"#,
            r#"{"status":"a\nb"}"#,
            &long,
        ] {
            assert!(single(Issue, body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn only_a_chats_own_404_is_certain() {
        use ParentKind::{AutopilotRun, Chat, Issue, QuickCreate};
        let rows = [
            ("", true),
            (r#"{"error":"chat session not found"}"#, true),
            (r#"{"error":"not found"}"#, false),
            (r#"{"error":"Chat session not found"}"#, false),
            (r#"{"message":"chat session not found"}"#, false),
            ("chat session not found", false),
            (" ", false),
            ("404 page not found\n", false),
            ("<html>chat session not found</html>", false),
        ];
        let answer = |body: &str, has_length| ServerReply { status: 404, body: body.into(), has_length };
        for (body, certain) in rows {
            assert_eq!(not_found(Chat, &answer(body, true)), Parent::Gone { certain }, "{body}");
            for kind in [Issue, AutopilotRun, QuickCreate] {
                assert_eq!(not_found(kind, &answer(body, true)), Parent::Gone { certain: false }, "{body}");
            }
        }
        // A body that only ends because the connection did may have been cut off.
        assert_eq!(not_found(Chat, &answer("", false)), Parent::Gone { certain: false });
    }

    #[test]
    fn a_batch_answers_each_id_for_itself() {
        let id = Uuid::from_u128;
        let body = format!(
            r#"{{"issues":[
                {{"id":"{}","found":true,"status":"done","updated_at":"2026-05-01T10:00:00Z"}},
                {{"id":"{}","found":false}},
                {{"id":"{}","status":"done"}},
                {{"id":"{}","found":true,"status":"done","updated_at":"never"}},
                {{"id":"{}","found":true,"status":"done"}}, {{"id":"{}","found":false}},
                {{"id":"none","found":false}}]}}"#,
            id(1),
            id(2),
            id(3),
            id(4),
            id(5),
            id(5)
        );
        let parents = batch(body.as_bytes()).unwrap();
        assert_eq!(parents[&id(1)], Ok(found_at("done", Some("2026-05-01T10:00:00Z"))));
        assert_eq!(parents[&id(2)], Ok(Parent::Gone { certain: false }));
        assert!([3, 4, 5].iter().all(|n| parents[&id(*n)].is_err()), "{parents:?}");
        assert_eq!(parents.len(), 5);
        for body in ["{}", "[]", r#"{"issues":{}}"#, r#"{"issues":[{"found":false}]}"#, r#"{"issues":[1]}"#] {
            assert!(batch(body.as_bytes()).is_err(), "{body}");
        }
    }
}
