//! P8's child: prints so many megabytes and ends. The program starts itself as `generate raw|claude MEGABYTES`.

use std::io::Write;

use crate::measure::Trouble;

/// Prints a stream in pieces of 64 KiB, as a pipe takes them.
pub(crate) fn print(arguments: &[String]) -> Result<(), Trouble> {
    let [dialect, megabytes] = arguments else { return Err("generate raw|claude MEGABYTES".into()) };
    let total = megabytes.parse::<u64>()? * 1_000_000;
    let (first, cycle, last) = match dialect.as_str() {
        "raw" => ("", "a line of a program's output, as long as such lines are\n".repeat(20_000), ""),
        "claude" => (FIRST, claude_cycle(), LAST),
        other => return Err(format!("{other}: known are raw, claude").into()),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(first.as_bytes())?;
    let mut written = 0;
    while written < total {
        for piece in cycle.as_bytes().chunks(64 << 10) {
            out.write_all(piece)?;
        }
        written += cycle.len() as u64;
    }
    out.write_all(last.as_bytes())?;
    Ok(out.flush()?)
}

const FIRST: &str = r#"{"type":"system","subtype":"init","session_id":"s-1","model":"m","tools":["Bash","Read"]}
"#;
const LAST: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s-1","total_cost_usd":0.5,"usage":{"input_tokens":9,"output_tokens":9}}
"#;

/// About a megabyte of turns: a sentence, a tool call, and what the tool said: mostly some lines, now and then a file.
fn claude_cycle() -> String {
    let mut text = String::new();
    let mut turn = 0;
    while text.len() < 1 << 20 {
        turn += 1;
        let usage = r#""usage":{"input_tokens":12,"cache_read_input_tokens":20480,"output_tokens":96}"#;
        let said = "I'll look at the file first, then run the tests again.\\n".repeat(1 + turn % 4);
        let result = "    let total = rows.iter().map(|row| \\\"x\\\".len()).sum();\\n"
            .repeat(if turn % 8 == 0 { 400 } else { 12 });
        for content in [
            format!(r#"{{"type":"text","text":"{said}"}}"#),
            format!(
                r#"{{"type":"tool_use","id":"t{turn}","name":"Bash","input":{{"command":"cargo test"}}}}"#
            ),
        ] {
            text += &format!(
                "{{\"type\":\"assistant\",\"message\":{{\"id\":\"m{turn}\",\"role\":\"assistant\",\"model\":\"m\",\
                 \"content\":[{content}],{usage}}},\"session_id\":\"s-1\"}}\n"
            );
        }
        text += &format!(
            "{{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":[{{\"type\":\"tool_result\",\
             \"tool_use_id\":\"t{turn}\",\"content\":\"{result}\"}}]}},\"session_id\":\"s-1\"}}\n"
        );
    }
    text
}
