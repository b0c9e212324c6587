//! What a CLI of each dialect prints in a turn, as lines for a scripted agent.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::fake_claude::World;
use super::{KEY, Run, TASK, TestEnv};

/// What the lines of a dialect stand between.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// One JSON object a line.
    Lines,
    /// The same, in both directions.
    Rpc,
    /// One JSON document.
    Document,
    /// The answer and nothing else.
    Text,
}

/// One dialect.
pub struct Spoken {
    pub provider: &'static str,
    /// Where it is not the provider's first.
    pub dialect: Option<&'static str>,
    pub form: Form,
    /// The session that it names before its answer; empty where it names none.
    pub session: &'static str,
    pub begin: &'static [&'static str],
    /// The answer, `hällo`.
    pub says: &'static str,
    pub end: &'static [&'static str],
    /// A line of work with a place, `…`, for a long text.
    pub works: &'static str,
}

impl Spoken {
    /// What the dialect is called in messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.provider, self.dialect.unwrap_or_default())
    }

    /// An environment for it, and an agent.
    pub fn world(&self) -> World {
        let t = TestEnv::new();
        let claw = t.write("bin/openclaw", OPENCLAW);
        std::fs::set_permissions(&claw, std::fs::Permissions::from_mode(0o755)).unwrap();
        let prepare = t.execenv(["prepare", "--task-id", TASK, "--provider", self.provider]);
        // Some providers have something to warn of.
        let done = prepare.var("MULTICA_OPENCLAW_PATH", &claw).run().status(0);
        let env = PathBuf::from(done.stdout.trim_end_matches('\n'));
        let w = World::around(t, env);
        // A version that is new enough for each.
        let agent = w.read("fake-claude").replace("2.1.0 (Claude Code)", "2026.9.6");
        w.t.write("fake-claude", agent);
        w
    }

    /// The lines of a turn, with these in front of the answer.
    pub fn turn(&self, between: &[String]) -> Vec<String> {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let answer = format!("print {}", self.says);
        [lines(self.begin), between.to_vec(), vec![answer], lines(self.end)].concat()
    }

    /// A run of an agent with this script.
    pub fn asked<'a>(&self, w: &'a World, script: &[String]) -> Run<'a> {
        self.asked_with(w, script, &[])
    }

    /// The same with these arguments.
    pub fn asked_with<'a>(&self, w: &'a World, script: &[String], more: &[&str]) -> Run<'a> {
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        w.script("script", &script);
        let fixed = ["run", KEY, "--agent-bin", "./fake-claude", "--prompt", "go", "--kill-grace", "1s"];
        let dialect = self.dialect.map(|name| format!("--dialect={name}"));
        let more = more.iter().map(|argument| (*argument).to_owned());
        w.t.execenv(fixed.into_iter().map(str::to_owned).chain(dialect).chain(more)).var("IS_SANDBOX", "1")
    }
}

/// OpenClaw is asked where its configuration is, before there is an environment.
const OPENCLAW: &str =
    "#!/bin/sh\n[ \"$1\" = config ] && echo \"$HOME/.openclaw/openclaw.json\" || echo OpenClaw 2026.9.6\n";

const CLAUDE: Spoken = Spoken {
    provider: "claude",
    dialect: None,
    form: Form::Lines,
    session: "s",
    begin: &[r#"print {"type":"system","subtype":"init","session_id":"s","model":"m"}"#],
    says: r#"{"type":"assistant","session_id":"s","message":{"id":"a","model":"m","content":[{"type":"text","text":"hällo"}]}}"#,
    end: &[
        r#"print {"type":"result","subtype":"success","is_error":false,"result":"hällo","session_id":"s"}"#,
    ],
    works: r#"{"type":"user","session_id":"s","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"…"}]}}"#,
};

/// All dialects: of those that several CLIs share, each CLI whose reading differs.
pub const SPOKEN: &[Spoken] = &[
    CLAUDE,
    Spoken { provider: "codebuddy", ..CLAUDE },
    Spoken { provider: "qwen", dialect: Some("stream-json"), ..CLAUDE },
    Spoken { provider: "qoder", dialect: Some("stream-json"), ..CLAUDE },
    Spoken {
        provider: "cursor",
        works: r#"{"type":"tool_call","subtype":"completed","call_id":"t","tool_call":{"shellToolCall":{"args":{},"result":{"success":{"content":"…"}}}}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "gemini",
        dialect: Some("stream-json"),
        begin: &[r#"print {"type":"init","session_id":"s","model":"m"}"#],
        says: r#"{"type":"message","role":"assistant","content":"hällo","delta":true}"#,
        end: &[r#"print {"type":"result","status":"success","stats":{}}"#],
        works: r#"{"type":"tool_result","tool_id":"t","status":"success","output":"…"}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "copilot",
        dialect: Some("json"),
        begin: &[r#"print {"type":"session.start","data":{"sessionId":"s","selectedModel":"m"}}"#],
        says: r#"{"type":"assistant.message","data":{"messageId":"m","content":"hällo","toolRequests":[]}}"#,
        end: &[r#"print {"type":"result","sessionId":"s","exitCode":0}"#],
        works: r#"{"type":"tool.execution_complete","data":{"toolCallId":"t","success":true,"result":{"content":"…"}}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "opencode",
        dialect: Some("json"),
        begin: &[r#"print {"type":"step_start","sessionID":"s","part":{"type":"step-start"}}"#],
        says: r#"{"type":"text","sessionID":"s","part":{"messageID":"m","type":"text","text":"hällo"}}"#,
        end: &[
            r#"print {"type":"step_finish","sessionID":"s","part":{"reason":"stop","tokens":{"input":1,"output":1}}}"#,
        ],
        works: r#"{"type":"tool_use","sessionID":"s","part":{"type":"tool","tool":"bash","callID":"t","state":{"status":"completed","input":{},"output":"…"}}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "pi",
        begin: &[r#"print {"type":"session","id":"s"}"#],
        says: r#"{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"hällo"}],"model":"m","stopReason":"stop"}}"#,
        end: &[r#"print {"type":"agent_end","messages":[]}"#],
        works: r#"{"type":"tool_execution_end","toolCallId":"t","toolName":"bash","result":{"content":[{"type":"text","text":"…"}]},"isError":false}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "reasonix",
        dialect: Some("stream-json"),
        begin: &[r#"print {"kind":"turn_started","sessionId":"s"}"#],
        says: r#"{"kind":"message","sessionId":"s","text":"hällo"}"#,
        end: &[r#"print {"type":"result","subtype":"success","is_error":false,"result":"hällo"}"#],
        works: r#"{"kind":"tool_result","sessionId":"s","tool":{"id":"t","name":"bash","output":"…"}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "grok",
        session: "",
        begin: &[r#"print {"role":"user","content":"go"}"#],
        says: r#"{"role":"assistant","content":"hällo"}"#,
        end: &[],
        works: r#"{"role":"tool","tool_call_id":"t","content":"…"}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "codex",
        dialect: Some("exec"),
        begin: &[r#"print {"type":"thread.started","thread_id":"s"}"#],
        says: r#"{"type":"item.completed","item":{"id":"a","type":"agent_message","text":"hällo"}}"#,
        end: &[r#"print {"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}"#],
        works: r#"{"type":"item.completed","item":{"id":"t","type":"command_execution","command":"make","aggregated_output":"…","exit_code":0}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "codex",
        form: Form::Rpc,
        begin: &[
            "read @/told",
            r#"print {"id":1,"result":{}}"#,
            "read @/told",
            "read @/told",
            r#"print {"id":2,"result":{"thread":{"id":"s"},"model":"m"}}"#,
            "read @/told",
            "read @/told",
            r#"print {"id":4,"result":{"turn":{"id":"u"}}}"#,
        ],
        says: r#"{"method":"item/completed","params":{"threadId":"s","turnId":"u","item":{"type":"agentMessage","id":"a","text":"hällo"}}}"#,
        end: &[
            r#"print {"method":"turn/completed","params":{"threadId":"s","turn":{"id":"u","status":"completed"}}}"#,
        ],
        works: r#"{"method":"item/completed","params":{"threadId":"s","turnId":"u","item":{"type":"commandExecution","id":"t","command":"make","aggregatedOutput":"…","exitCode":0}}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "kiro",
        form: Form::Rpc,
        begin: &[
            "read @/told",
            r#"print {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentCapabilities":{}}}"#,
            "read @/told",
            r#"print {"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}"#,
            "read @/told",
        ],
        says: r#"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"hällo"}}}}"#,
        end: &[r#"print {"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn"}}"#],
        works: r#"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"tool_call_update","toolCallId":"t","status":"completed","content":[{"type":"content","content":{"type":"text","text":"…"}}]}}}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "openclaw",
        form: Form::Document,
        session: "",
        begin: &[r#"print {"log":"a line of it"}"#],
        says: r#"{"payloads":[{"text":"hällo"}],"meta":{"durationMs":9,"agentMeta":{"sessionId":"s"}}}"#,
        end: &[],
        works: r#"{"log":"…"}"#,
        ..CLAUDE
    },
    Spoken {
        provider: "hermes",
        dialect: Some("chat"),
        form: Form::Text,
        session: "",
        begin: &[],
        says: "hällo",
        end: &[],
        works: "…",
    },
    Spoken {
        provider: "antigravity",
        form: Form::Text,
        session: "",
        begin: &[],
        says: "hällo",
        end: &[],
        works: "…",
        ..CLAUDE
    },
];
