//! `.multica/project/resources.json`: the project's resources for tools.

use serde::Serialize;

use crate::task::{ProjectResource, TaskDocument};

#[derive(Serialize)]
struct Resources<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    project_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    project_title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    project_description: &'a str,
    resources: &'a [ProjectResource],
}

/// The file's text. `None` when the task has no project: tools take the file's existence as the sign of one.
pub fn resources_json(task: &TaskDocument) -> Option<String> {
    if task.project_id.is_empty() && task.project_resources.is_empty() {
        return None;
    }
    let resources = Resources {
        project_id: &task.project_id,
        project_title: &task.project_title,
        project_description: &task.project_description,
        resources: &task.project_resources,
    };
    Some(serde_json::to_string_pretty(&resources).expect("strings and JSON values always serialise"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::parse_document;

    fn json(document: &str) -> Option<String> {
        resources_json(&parse_document(document.as_bytes(), "t").unwrap().0)
    }

    #[test]
    fn without_a_project_there_is_no_file() {
        assert_eq!(json(r#"{"issue_id":"i","project_title":"left over"}"#), None);
    }

    #[test]
    fn a_project_without_resources_has_an_empty_list() {
        let expected = "{\n  \"project_id\": \"p\",\n  \"resources\": []\n}";
        assert_eq!(json(r#"{"project_id":"p"}"#).as_deref(), Some(expected));
    }

    #[test]
    fn keys_numbers_and_text_stay_as_they_came() {
        let document = r#"{"project_id":"p","project_title":"<T> & \u2028","project_description":"d","project_resources":[
            {"id":"r1","resource_type":"github_repo","resource_ref":{"url":"u","b":1.50,"a":12345678901234567890123},"label":"l"},
            {"id":"r2","resource_type":"x","resource_ref":null},
            {"id":"r3","resource_type":"x"}]}"#;
        let expected = "{
  \"project_id\": \"p\",
  \"project_title\": \"<T> & \u{2028}\",
  \"project_description\": \"d\",
  \"resources\": [
    {
      \"id\": \"r1\",
      \"resource_type\": \"github_repo\",
      \"resource_ref\": {
        \"url\": \"u\",
        \"b\": 1.50,
        \"a\": 12345678901234567890123
      },
      \"label\": \"l\"
    },
    {
      \"id\": \"r2\",
      \"resource_type\": \"x\",
      \"resource_ref\": null
    },
    {
      \"id\": \"r3\",
      \"resource_type\": \"x\",
      \"resource_ref\": {}
    }
  ]
}";
        assert_eq!(json(document).as_deref(), Some(expected));
    }

    #[test]
    fn resources_alone_are_enough_and_read_back_as_they_were() {
        let document = r#"{"project_resources":[{"id":"r","resource_type":"t","resource_ref":[1]}]}"#;
        let (task, _) = parse_document(document.as_bytes(), "t").unwrap();
        let written: serde_json::Value = serde_json::from_str(&resources_json(&task).unwrap()).unwrap();
        assert!(written.get("project_id").is_none());
        let read: Vec<ProjectResource> = serde_json::from_value(written["resources"].clone()).unwrap();
        assert_eq!(read, task.project_resources);
    }
}
