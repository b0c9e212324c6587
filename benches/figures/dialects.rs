//! The streams of the agent CLIs, for P8: a beginning, turns of a sentence, a tool call and what the tool said, and an end.

/// One CLI's stream.
pub(crate) struct Stream {
    /// The provider, and the name of the stream; `provider:dialect` for another dialect than the first.
    pub(crate) name: &'static str,
    pub(crate) first: &'static str,
    /// The lines of a turn: its number, what the agent says, what the tool says.
    pub(crate) turn: fn(usize, &str, &str) -> String,
    pub(crate) last: &'static str,
}

pub(crate) const STREAMS: [Stream; 10] = [
    Stream {
        name: "claude",
        first: r#"{"type":"system","subtype":"init","session_id":"s-1","model":"m","tools":["Bash","Read"]}
"#,
        turn: claude,
        last: r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s-1","total_cost_usd":0.5,"usage":{"input_tokens":9,"output_tokens":9}}
"#,
    },
    Stream {
        name: "codex",
        first: r#"{"id":1,"result":{}}
{"id":2,"result":{"thread":{"id":"t-1"},"model":"m"}}
{"id":4,"result":{"turn":{"id":"u-1"}}}
"#,
        turn: codex,
        last: r#"{"method":"turn/completed","params":{"threadId":"t-1","turn":{"id":"u-1","status":"completed"}}}
"#,
    },
    Stream {
        name: "codex:exec",
        first: r#"{"type":"thread.started","thread_id":"t-1"}
"#,
        turn: codex_exec,
        last: r#"{"type":"turn.completed","usage":{"input_tokens":9,"cached_input_tokens":1,"output_tokens":9}}
"#,
    },
    Stream {
        name: "gemini",
        first: r#"{"type":"init","timestamp":"2026-11-28T17:18:21.231Z","session_id":"s-1","model":"m"}
"#,
        turn: gemini,
        last: r#"{"type":"result","status":"success","stats":{"models":{"m":{"input_tokens":9,"output_tokens":9,"cached":1}}}}
"#,
    },
    Stream {
        name: "copilot",
        first: "",
        turn: copilot,
        last: r#"{"type":"result","sessionId":"s-1","exitCode":0,"usage":{}}
"#,
    },
    Stream { name: "opencode", first: "", turn: opencode, last: "" },
    Stream {
        name: "pi",
        first: r#"{"type":"session","version":3,"id":"s-1","timestamp":"2026-11-28T17:14:41.733Z"}
"#,
        turn: pi,
        last: r#"{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"done"}],"model":"m","stopReason":"stop"}}
{"type":"agent_end","messages":[]}
"#,
    },
    Stream {
        name: "reasonix",
        first: "",
        turn: reasonix,
        last: r#"{"type":"result","subtype":"success","is_error":false,"result":"done","usage":{"input_tokens":9,"output_tokens":9}}
"#,
    },
    Stream {
        name: "cursor",
        first: r#"{"type":"system","subtype":"init","session_id":"s-1","model":"m","cwd":"/w"}
"#,
        turn: cursor,
        last: r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s-1"}
"#,
    },
    // Kiro speaks the Agent Client Protocol.
    Stream {
        name: "kiro",
        first: r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentCapabilities":{}}}
{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s-1"}}
"#,
        turn: acp,
        last: r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn"}}
"#,
    },
];

fn claude(turn: usize, said: &str, result: &str) -> String {
    let message = |content: &str| {
        format!(
            r#"{{"type":"assistant","message":{{"id":"m{turn}","role":"assistant","model":"m","content":[{content}],"usage":{{"input_tokens":12,"cache_read_input_tokens":20480,"output_tokens":96}}}},"session_id":"s-1"}}
"#
        )
    };
    let text = message(&format!(r#"{{"type":"text","text":"{said}"}}"#));
    let call = message(&format!(
        r#"{{"type":"tool_use","id":"t{turn}","name":"Bash","input":{{"command":"cargo test"}}}}"#
    ));
    let answer = format!(
        r#"{{"type":"user","message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t{turn}","content":"{result}"}}]}},"session_id":"s-1"}}
"#
    );
    text + &call + &answer
}

fn codex(turn: usize, said: &str, result: &str) -> String {
    const OF: &str = r#""threadId":"t-1","turnId":"u-1""#;
    const COMMAND: &str = r#""type":"commandExecution","command":"/bin/bash -lc 'cargo test'","cwd":"/w","processId":"44446","source":"unifiedExecStartup""#;
    format!(
        r#"{{"method":"item/agentMessage/delta","params":{{{OF},"itemId":"m{turn}","delta":"{said}"}},"emittedAtMs":1795886072909}}
{{"method":"item/completed","params":{{"item":{{"type":"agentMessage","id":"m{turn}","text":"{said}","phase":null}},{OF}}},"emittedAtMs":1795886072913}}
{{"method":"item/started","params":{{"item":{{{COMMAND},"id":"t{turn}","status":"inProgress","aggregatedOutput":null,"exitCode":null}},{OF}}},"emittedAtMs":1795886072389}}
{{"method":"item/completed","params":{{"item":{{{COMMAND},"id":"t{turn}","status":"completed","aggregatedOutput":"{result}","exitCode":0}},{OF}}},"emittedAtMs":1795886072476}}
"#
    )
}

fn codex_exec(turn: usize, said: &str, result: &str) -> String {
    format!(
        r#"{{"type":"item.completed","item":{{"id":"m{turn}","type":"agent_message","text":"{said}"}}}}
{{"type":"item.started","item":{{"id":"t{turn}","type":"command_execution","command":"cargo test","aggregated_output":"","exit_code":null,"status":"in_progress"}}}}
{{"type":"item.completed","item":{{"id":"t{turn}","type":"command_execution","command":"cargo test","aggregated_output":"{result}","exit_code":0,"status":"completed"}}}}
"#
    )
}

fn gemini(turn: usize, said: &str, result: &str) -> String {
    format!(
        r#"{{"type":"message","timestamp":"2026-11-28T17:18:22.611Z","role":"assistant","content":"{said}","delta":true}}
{{"type":"tool_use","timestamp":"2026-11-28T17:18:21.839Z","tool_name":"run_shell_command","tool_id":"t{turn}","parameters":{{"command":"cargo test"}}}}
{{"type":"tool_result","timestamp":"2026-11-28T17:18:22.098Z","tool_id":"t{turn}","status":"success","output":"{result}"}}
"#
    )
}

fn copilot(turn: usize, said: &str, result: &str) -> String {
    const END: &str = r#""id":"a19e60fb-69c8-45d6-9647-a468e775fd34","timestamp":"2026-11-28T17:16:25.033Z","parentId":"61f2bba5-85f3-4063-bd1e-52ae11bbcfe0""#;
    format!(
        r#"{{"type":"assistant.message","data":{{"messageId":"m{turn}","model":"m","content":"{said}","toolRequests":[{{"toolCallId":"t{turn}","name":"bash","arguments":{{"command":"cargo test"}},"type":"function"}}],"turnId":"0"}},{END}}}
{{"type":"tool.execution_start","data":{{"toolCallId":"t{turn}","toolName":"bash","arguments":{{"command":"cargo test"}}}},{END}}}
{{"type":"tool.execution_complete","data":{{"toolCallId":"t{turn}","model":"m","success":true,"result":{{"content":"{result}"}},"toolTelemetry":{{"metrics":{{"commandTimeout":30000}}}}}},{END}}}
"#
    )
}

fn opencode(turn: usize, said: &str, result: &str) -> String {
    const IDS: &str = r#""id":"prt_22338b122001eeXcjSzVJ2p1YJ","sessionID":"s-1""#;
    format!(
        r#"{{"type":"step_start","timestamp":1,"sessionID":"s-1","part":{{{IDS},"messageID":"m{turn}","type":"step-start"}}}}
{{"type":"text","timestamp":1,"sessionID":"s-1","part":{{{IDS},"messageID":"m{turn}","type":"text","text":"{said}"}}}}
{{"type":"tool_use","timestamp":1,"sessionID":"s-1","part":{{{IDS},"messageID":"m{turn}","type":"tool","tool":"bash","callID":"t{turn}","state":{{"status":"completed","input":{{"command":"cargo test"}},"output":"{result}","title":"x"}}}}}}
{{"type":"step_finish","timestamp":1,"sessionID":"s-1","part":{{{IDS},"messageID":"m{turn}","reason":"stop","tokens":{{"input":9,"output":9,"reasoning":0,"cache":{{"read":1,"write":0}}}},"cost":0.001}}}}
"#
    )
}

fn pi(turn: usize, said: &str, result: &str) -> String {
    const USAGE: &str =
        r#""model":"m","usage":{"input":9,"output":9,"cacheRead":1,"cacheWrite":0,"cost":{"total":0.001}}"#;
    format!(
        r#"{{"type":"message_update","assistantMessageEvent":{{"type":"text_delta","contentIndex":0,"delta":"{said}","partial":{{"role":"assistant","content":[{{"type":"text","text":"{said}"}}],{USAGE}}}}},"message":{{"role":"assistant","content":[{{"type":"text","text":"{said}"}}],{USAGE}}}}}
{{"type":"message_end","message":{{"role":"assistant","content":[{{"type":"text","text":"{said}"}},{{"type":"toolCall","id":"t{turn}","name":"bash","arguments":{{"command":"cargo test"}}}}],{USAGE},"stopReason":"toolUse"}}}}
{{"type":"tool_execution_start","toolCallId":"t{turn}","toolName":"bash","args":{{"command":"cargo test"}}}}
{{"type":"tool_execution_end","toolCallId":"t{turn}","toolName":"bash","result":{{"content":[{{"type":"text","text":"{result}"}}]}},"isError":false}}
"#
    )
}

fn reasonix(turn: usize, said: &str, result: &str) -> String {
    const HEAD: &str = r#""sessionId":"s-1","turnId":"turn_1","status":"in_progress""#;
    format!(
        r#"{{"kind":"text",{HEAD},"text":"{said}"}}
{{"kind":"message",{HEAD},"text":"{said}"}}
{{"kind":"tool_dispatch",{HEAD},"tool":{{"id":"t{turn}","name":"bash","args":"{{\"command\": \"cargo test\"}}"}}}}
{{"kind":"tool_result",{HEAD},"tool":{{"id":"t{turn}","name":"bash","output":"{result}"}}}}
"#
    )
}

fn cursor(turn: usize, said: &str, result: &str) -> String {
    format!(
        r#"{{"type":"assistant","session_id":"s-1","message":{{"role":"assistant","content":[{{"type":"text","text":"{said}"}}]}}}}
{{"type":"tool_call","subtype":"started","call_id":"t{turn}","tool_call":{{"shellToolCall":{{"args":{{"command":"cargo test"}}}}}}}}
{{"type":"tool_call","subtype":"completed","call_id":"t{turn}","tool_call":{{"shellToolCall":{{"args":{{"command":"cargo test"}},"result":{{"success":{{"content":"{result}"}}}}}}}}}}
"#
    )
}

fn acp(turn: usize, said: &str, result: &str) -> String {
    let update = |update: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s-1","update":{{{update}}}}}}}
"#
        )
    };
    let text =
        format!(r#""sessionUpdate":"agent_message_chunk","content":{{"type":"text","text":"{said}"}}"#);
    let call = format!(
        r#""sessionUpdate":"tool_call","toolCallId":"t{turn}","title":"cargo test","kind":"execute","status":"in_progress","rawInput":{{"command":"cargo test"}}"#
    );
    let answer = format!(
        r#""sessionUpdate":"tool_call_update","toolCallId":"t{turn}","status":"completed","content":[{{"type":"content","content":{{"type":"text","text":"{result}"}}}}]"#
    );
    [text, call, answer].map(|one| update(&one)).concat()
}
