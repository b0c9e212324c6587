use super::*;

#[test]
fn a_wrong_type_names_file_line_and_field() {
    let error = parse_document(b"{\n  \"agent\": {\n    \"name\": 7}}", "t.json").unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("t.json, line 3, column 13: field `agent.name`:"), "{message}");
    assert_eq!(Failure::code_of(&error), Code::BadDocument);
}

#[test]
fn an_error_quotes_no_value() {
    for bad in [
        r#"{"agent":{"custom_env":"sk-secret"}}"#,
        r#"{"agent":{"custom_args":"sk-secret at line 7, expected x"}}"#,
        r#"{"agent":{"custom_env":{"A":4711}}}"#,
        r#"{"agent":"sk-secret"}"#,
        r#"{"agent":["sk-secret"]}"#,
        r#"{"agent":{"skills":[["sk-secret"]]}}"#,
    ] {
        let message = format!("{:#}", parse_document(bad.as_bytes(), "t.json").unwrap_err());
        assert!(message.contains("field `agent") && message.contains("expected"), "{message}");
        assert!(!message.contains("sk-") && !message.contains("4711"), "{message}");
    }
}

#[test]
fn broken_json_and_trailing_text_are_errors() {
    for bad in ["", "{", "[]", "null", "{} x", "{\"id\":\"a\",\"id\":\"b\"}", "\u{feff}{}"] {
        assert!(parse_document(bad.as_bytes(), "t").is_err(), "{bad:?}");
    }
}

#[test]
fn unknown_fields_are_named_and_null_is_absent() {
    let text = br#"{"id":"a","auth_token":"x","agent":{"name":null,"zeta":1,"skills":[{"name":"s","y":2}]},"repos":null}"#;
    let (task, unknown) = parse_document(text, "t").unwrap();
    assert_eq!(task.id, "a");
    assert_eq!(unknown, ["agent.zeta", "agent.skills[].y"]);
}

#[test]
fn every_field_of_a_claim_has_its_wires_name_and_type() {
    let claim = br#"{"id":"t","runtime_id":"r","auth_token":"mat_x","status":"dispatched","priority":3,"is_leader_task":true,
        "leader_role_resolved":true,"squad_id":"q","squad_name":"Q",
        "issue_statuses":[{"key":"qa","name":"QA","category":"in_review","description":"d"}],"issue_statuses_omitted":2,
        "connected_apps":[{"provider":"composio","server_name":"c","toolkit_slug":"gmail","toolkit_name":"Gmail"}],
        "coalesced_comment_ids":["c1"],"coalesced_comments":[{"id":"c1","thread_id":"h","author_type":"system",
        "author_name":"n","content":"x","created_at":"2026-01-02T03:04:05Z"}],
        "active_sibling_runs":[{"task_id":"o","issue_id":"i","issue_identifier":"M-1","issue_title":"T","stale":true,
        "agent_name":"a","status":"running","created_at":"2026-01-02T03:04:05Z","started_at":"2026-01-02T03:04:05Z"}],
        "prior_session_resume_unavailable":true,"chat_channel_type":"slack","chat_type":"group","chat_in_thread":true,
        "chat_channel_delivers_files":true,"chat_message_attachments":[{"id":"f","filename":"a.png","content_type":"image/png"}],
        "chat_intro":true,"quick_create_priority":"high","quick_create_due_date":"2026-01-02","quick_create_attachment_ids":["f"],
        "parent_issue_id":"p","parent_issue_identifier":"M-2","thread_name":"t","remote_mcp_connections":[{}],"plugin_hook_tools":[{}],
        "agent":{"id":"a","skill_refs":[{"id":"s","name":"n"}],"thinking_level":"high","service_tier":"fast",
        "disabled_runtime_skills":[{"runtime_id":"r","provider":"claude","root":"plugin","key":"k","name":"n","plugin":"p@m"}]}}"#;
    let (task, unknown) = parse_document(claim, "t").unwrap();
    assert_eq!(unknown, Vec::<String>::new());
    assert!(task.is_leader() && task.chat_in_thread && task.prior_session_resume_unavailable);
    assert_eq!(task.agent.disabled_runtime_skills[0].plugin, "p@m");
    assert_eq!(task.coalesced_comments[0].author_type, "system");
    assert_eq!(not_served(&task).len(), 3);
    // Without the promise the flag says nothing, and a squad without a role is a pick in a box.
    let unresolved = parse_document(br#"{"is_leader_task":true,"squad_id":"q"}"#, "t").unwrap().0;
    assert!(!unresolved.is_leader());
}

#[test]
fn a_plugin_is_a_text_and_earlier_documents_have_a_flag() {
    let plugin = |value: &str| {
        let text = format!(r#"{{"agent":{{"disabled_runtime_skills":[{{"plugin":{value}}}]}}}}"#);
        parse_document(text.as_bytes(), "t")
            .map(|(task, _)| task.agent.disabled_runtime_skills[0].plugin.clone())
    };
    for (value, read) in [(r#""p""#, "p"), (r#""""#, ""), ("true", "true"), ("false", ""), ("null", "")] {
        assert_eq!(plugin(value).unwrap(), read);
    }
    assert!(plugin("7").is_err());
}

#[test]
fn suggestions_are_no_task_for_an_agent() {
    let error =
        parse_document(br#"{"issue_id":"i","regenerate_quick_actions_for":"x"}"#, "t.json").unwrap_err();
    assert_eq!(Failure::code_of(&error), Code::BadDocument);
    assert!(error.to_string().contains("regenerate_quick_actions_for"));
}

#[test]
fn a_resource_keeps_key_order_and_number_text() {
    let (task, _) = parse_document(
        br#"{"project_resources":[{"id":"r","resource_ref":{"z":1.50,"a":12345678901234567890123}}]}"#,
        "t",
    )
    .unwrap();
    let json = serde_json::to_string(&task.project_resources[0]).unwrap();
    assert_eq!(
        json,
        r#"{"id":"r","resource_type":"","resource_ref":{"z":1.50,"a":12345678901234567890123}}"#
    );
}
