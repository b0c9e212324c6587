//! P8's child: prints so many megabytes and ends. The program starts itself as `generate raw|PROVIDER MEGABYTES`.

use std::io::Write;

use crate::dialects::{STREAMS, Stream};
use crate::measure::Trouble;

/// Prints a stream in pieces of 64 KiB, as a pipe takes them.
pub(crate) fn print(arguments: &[String]) -> Result<(), Trouble> {
    let [dialect, megabytes] = arguments else { return Err("generate raw|PROVIDER MEGABYTES".into()) };
    let total = megabytes.parse::<u64>()? * 1_000_000;
    let (first, cycle, last) = match dialect.as_str() {
        "raw" => ("", "a line of a program's output, as long as such lines are\n".repeat(20_000), ""),
        name => {
            let stream = STREAMS.iter().find(|stream| stream.name == name).ok_or("an unknown stream")?;
            (stream.first, cycle(stream), stream.last)
        }
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

/// About a megabyte of turns: what the tools say is mostly some lines, now and then a file.
fn cycle(stream: &Stream) -> String {
    let mut text = String::new();
    let mut turn = 0;
    while text.len() < 1 << 20 {
        turn += 1;
        let said = "I'll look at the file first, then run the tests again.\\n".repeat(1 + turn % 4);
        let result = "    let total = rows.iter().map(|row| \\\"x\\\".len()).sum();\\n"
            .repeat(if turn % 8 == 0 { 400 } else { 12 });
        text += &(stream.turn)(turn, &said, &result);
    }
    text
}
