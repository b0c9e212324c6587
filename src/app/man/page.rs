//! One manual page in roff: what the grammar says, then what it does not.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use clap_mangen::Man;

use super::facts::{DOCUMENT, Facts, STATUSES, pages};
use crate::app::schema;
use crate::exit::RETRIES;
use crate::failure::Code;
use crate::gc::Reason;
use crate::invocation::SETTINGS;
use crate::layout::{Owner, Place, Row, TABLE};
use crate::run::ENGINE_VARIABLES;

/// The date of the pages. Fixed, so that they change only when a command changes.
const DATE: &str = "2026-11-28";
/// The longest line of the source: `mandoc -T lint` asks for 80, with a character that is not ASCII as eight.
const WIDTH: usize = 74;

/// The page `name` of a command, in roff; `all`: the names of all pages.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub(super) fn page(command: &clap::Command, name: &str, all: &[String]) -> Result<String> {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.clone()).date(DATE).manual("execenv manual");
    let mut bytes = Vec::new();
    let done = man
        .render_title(&mut bytes)
        .and_then(|()| man.render_name_section(&mut bytes))
        .and_then(|()| man.render_synopsis_section(&mut bytes))
        .and_then(|()| man.render_description_section(&mut bytes))
        .and_then(|()| man.render_options_section(&mut bytes))
        .and_then(|()| match command.has_subcommands() {
            true => man.render_subcommands_section(&mut bytes),
            false => Ok(()),
        });
    done.context("render a manual page")?;
    let text = String::from_utf8(bytes).context("render a manual page")?;
    // Each part begins with the same two lines; the characters that they define are written as such below.
    let is_preamble = |line: &&str| line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
    let mut roff: String =
        text.lines().filter(|line| !is_preamble(line)).map(|line| format!("{line}\n")).collect();
    roff = roff.replace("\\*(Aq", "\\(aq");
    // A page is titled in capitals by convention.
    roff = roff.replacen(&format!(".TH {name} "), &format!(".TH {} ", name.to_uppercase()), 1);
    // Names of variables and options are not hyphenated, nor spread over the line.
    roff = roff.replacen("\n.SH NAME\n", "\n.nh\n.ad l\n.SH NAME\n", 1);
    let key = name.strip_prefix("execenv-");
    match key {
        Some("gc") => roff.push_str(&(reasons() + &settings(Some("gc")))),
        Some("hook" | "hook-claude") => roff.push_str(&claude_settings()),
        Some("run") => roff.push_str(&(settings(Some("run")) + &engines())),
        Some("prepare" | "reuse") => roff.push_str(&(settings(Some("prepare")) + &document_fields())),
        None => roff.push_str(&settings(None)),
        _ => {}
    }
    match pages().find(|facts| Some(facts.page) == key) {
        Some(facts) if facts.page == "run" => {
            roff.push_str(&(statuses(facts) + &retries() + &json_fields(facts)))
        }
        Some(facts) => roff.push_str(&(statuses(facts) + &json_fields(facts))),
        None => roff.push_str(&codes()),
    }
    roff.push_str(&example_section(&examples));
    let names = pages().find(|facts| Some(facts.page) == key).map(|facts| facts.files);
    roff.push_str(&files(names));
    roff.push_str(&see_also(name, all));
    Ok(wrapped(&roff))
}

/// A term and what it means.
fn term(text: &mut String, term: &str, meaning: &str) {
    let _ = writeln!(text, ".TP\n{term}\n{}", roff(meaning));
}

/// What Claude Code's settings say so that it calls execenv.
fn claude_settings() -> String {
    let line = |event: &str, comma: &str| {
        format!(
            "    \"{event}\": [{{\"hooks\": [{{\"type\": \"command\",\n      \"command\": \"execenv hook claude\"}}]}}]{comma}\n"
        )
    };
    let (create, remove) = (line("WorktreeCreate", ","), line("WorktreeRemove", ""));
    let settings = format!("{{\n  \"hooks\": {{\n{create}{remove}  }}\n}}\n");
    let before = "These two lines go into ~/.claude/settings.json, for all repositories, or into .claude/settings.json of one repository, \
                  committed, because Claude Code reads the settings that are in the worktree when it leaves it. Then `claude --worktree NAME`, \
                  subagents with `isolation: worktree` and background sessions get environments. Both lines are needed: without the second \
                  one Claude Code keeps each worktree, because its registration is locked.";
    format!(
        ".SH \"SETTINGS OF CLAUDE CODE\"\n{}\n.PP\n.EX\n{}.EE\n",
        roff(before),
        roff(&settings).replace('\'', "\\(aq")
    )
}

/// Whether to start `run` again after a status.
fn retries() -> String {
    let mut text = String::from(
        ".SS \"Whether to start it again\"\nFor an engine that starts \\fBrun\\fR again by its status:\n",
    );
    for (statuses, retry, why) in RETRIES {
        let statuses: Vec<String> = statuses.iter().map(u8::to_string).collect();
        let statuses = if statuses.is_empty() { "any other".to_owned() } else { statuses.join(", ") };
        term(&mut text, &statuses, &format!("{}: {why}", retry.word()));
    }
    text
}

/// The variables by which engines name their jobs.
fn engines() -> String {
    let mut text = String::from(
        ".SH ENGINES\nThe result names the machine (host) and the job (engine) in which the run was, by the first 256 bytes of these variables and no others:\n",
    );
    for (engine, names) in ENGINE_VARIABLES {
        term(&mut text, engine, &names.join(", "));
    }
    text
}

fn statuses(facts: &Facts) -> String {
    let mut text = String::from(
        ".SH \"EXIT STATUS\"\nThe words in brackets are the codes of the failures with \\fB\\-o json\\fR.\n",
    );
    for (status, meaning) in STATUSES {
        let codes = facts.codes().into_iter().filter(|code| facts.statuses_of(*code).contains(&status));
        let words: Vec<&str> = codes.map(Code::word).collect();
        match (status, words.is_empty()) {
            (0, _) => term(&mut text, "0", meaning),
            (_, true) => {}
            (_, false) => term(&mut text, &status.to_string(), &format!("{meaning} ({})", words.join(", "))),
        }
    }
    match facts.page {
        "run" => text.push_str(".PP\nOtherwise the agent's own status; 128 and the number of the signal that ended the agent; 1 if the agent ended with 0 but reported a failure.\n"),
        "shell" => text.push_str(".PP\nOnce the shell, or COMMAND, has started: its own status, whatever that is; 128 and the number of the signal that ended it.\n"),
        _ => {}
    }
    text
}

/// The statuses of all commands, by their stable words.
fn codes() -> String {
    let mut text =
        String::from(".SH \"EXIT STATUS\"\nThe words are the code of a failure with \\fB\\-o json\\fR.\n");
    term(&mut text, "0", "done");
    for code in Code::ALL {
        term(&mut text, &format!("{} \\fI{}\\fR", code.status(), code.word()), code.meaning());
    }
    text.push_str(".PP\n\\fBrun\\fR also returns the agent's own status; 128+N if signal N ended the agent; 1 if the agent ended with 0 but reported a failure. \\fBshell\\fR returns the status of its shell, or of COMMAND.\n");
    text.push_str(".SH \"JSON FIELDS\"\nWith \\fB\\-o json\\fR a command prints one object; the page of each command lists its fields, and \\fBexecenv schema\\fR prints the JSON Schemas. A failure is one object on standard error, as its last line:\n");
    for (name, meaning) in [
        ("error.code", "the stable word above"),
        ("error.message", "what failed, and where"),
        ("error.hint", "what to do, or null"),
        ("error.causes[]", "why"),
    ] {
        term(&mut text, &format!("\\fB{name}\\fR"), meaning);
    }
    text
}

fn json_fields(facts: &Facts) -> String {
    let mut text = String::from(".SH \"JSON FIELDS\"\n");
    match facts.page {
        "demo" => text.push_str("The demo prints text only.\n"),
        "schema" => text.push_str(
            "With \\fB\\-o json\\fR and a name the answer is the schema. Without a name it is a list of objects:\n",
        ),
        "merge" | "trash" => text.push_str("Each of the commands below has its own.\n"),
        "hook" | "hook-claude" => {
            text.push_str("A hook prints what the agent CLI expects, whatever the format is set to.\n")
        }
        _ => text.push_str("With \\fB\\-o json\\fR the answer is one object:\n"),
    }
    for (names, meaning) in facts.fields {
        term(&mut text, &format!("\\fB{}\\fR", roff(names)), meaning);
    }
    let schema = if facts.page == "run" { "run-event" } else { facts.page };
    if schema::has(schema) {
        let command = roff(&format!("execenv schema {schema}"));
        let _ = writeln!(text, ".PP\n\\fB{command}\\fR prints the JSON Schema.");
    }
    text
}

/// The examples, each line as it can be pasted: not filled, not hyphenated.
fn example_section(help: &str) -> String {
    let mut text = String::from(".SH EXAMPLES\n.EX\n");
    for line in help.lines().skip(1) {
        let line = roff(line.strip_prefix("  ").unwrap_or(line)).replace('\'', "\\(aq");
        let guard = if line.starts_with('.') { "\\&" } else { "" };
        let _ = writeln!(text, "{guard}{line}");
    }
    text.push_str(".EE\n");
    text
}

/// The files, by the table of the layout; `names`: which of them.
fn files(names: Option<&[&str]>) -> String {
    let mut text = String::from(".SH FILES\n");
    let is_shown = |row: &&Row| match names {
        Some(names) => names.contains(&row.name),
        None => row.in_every_env || row.place == Place::Root && row.owner == Owner::Execenv,
    };
    for row in TABLE.iter().filter(is_shown) {
        let path = match row.place {
            Place::Env => format!("<env root>/{}", row.name),
            Place::EnvFolder(folder) => format!("<env root>/{folder}/{}", row.name),
            _ => format!("<workspaces root>/{}", row.name),
        };
        let meaning = row.what.split(" (decision ").next().unwrap_or(row.what);
        term(&mut text, &format!("\\fI{}\\fR", roff(&path)), meaning);
    }
    term(&mut text, "\\fI~/.config/execenv/config.json\\fR", "configuration file");
    text
}

fn see_also(name: &str, all: &[String]) -> String {
    let others: Vec<String> = all
        .iter()
        .filter(|other| *other != name)
        .map(|other| format!("\\fB{}\\fR(1)", roff(other)))
        .collect();
    format!(".SH \"SEE ALSO\"\n{}\n", others.join(",\n"))
}

fn document_fields() -> String {
    let mut text = String::from(
        ".SH \"TASK DOCUMENT\"\nOne JSON object with any of these fields. Unknown fields are ignored with a warning; a value of the wrong type is an error that names the field and the line.\n",
    );
    for (names, meaning) in DOCUMENT {
        term(&mut text, &format!("\\fB{}\\fR", roff(names)), meaning);
    }
    text
}

/// The settings of a command, or all of them, with their variables and defaults.
fn settings(command: Option<&str>) -> String {
    let mut text = String::from(
        ".SH SETTINGS\nKeys of the configuration file: one JSON object, by default ~/.config/execenv/config.json. Precedence: option, environment variable, configuration file, default. \\fBexecenv config\\fR shows each value and where it comes from.\n",
    );
    for row in SETTINGS.iter().filter(|row| command.is_none_or(|command| row.command == command)) {
        let default = match (row.default, row.key) {
            ("", "workspaces_root") => "~/.local/share/execenv/workspaces",
            ("", _) => "none",
            (default, _) => default,
        };
        let option = if row.option.is_empty() { String::new() } else { format!("; option {}", row.option) };
        let line = format!("{}{option}; variables {}; default {default}", row.help, row.variables.join(", "));
        term(&mut text, &format!("\\fB{}\\fR", row.key), &line);
    }
    text
}

fn reasons() -> String {
    let mut text = String::from(".SH REASONS\nThe words for why an environment is kept or removed.\n");
    for (_, word, meaning) in Reason::ALL {
        term(&mut text, &format!("\\fI{word}\\fR"), meaning);
    }
    text
}

/// Text escaped for roff: no line begins with a control character, and what is typed stays what it is.
fn roff(text: &str) -> String {
    let escapes =
        [("-", "\\-"), ("`", "\\(ga"), ("~", "\\(ti"), ("^", "\\(ha"), ("\n.", "\n\\&."), ("\n'", "\n\\&'")];
    escapes.iter().fold(text.replace('\\', "\\e"), |text, (from, to)| text.replace(from, to))
}

/// The same page with filled text in lines of at most [`WIDTH`] characters. Examples and the line after `.TP`, which is
/// one term, stay as they are.
fn wrapped(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let (mut is_example, mut is_term) = (false, false);
    let mut before = "";
    for line in page.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        // Two breaks in a row are one.
        if std::mem::replace(&mut before, line) == ".br" && line == ".br" {
            continue;
        }
        match line {
            ".EX" => is_example = true,
            ".EE" => is_example = false,
            _ => {}
        }
        if is_example || is_term || line.starts_with('.') || line.len() <= WIDTH {
            let _ = writeln!(text, "{line}");
        } else {
            wrap(&mut text, line);
        }
        is_term = line == ".TP";
    }
    text
}

fn wrap(text: &mut String, line: &str) {
    let mut length = 0;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let guard = if word.starts_with(['.', '\'']) { "\\&" } else { "" };
        if length > 0 && length + 1 + guard.len() + word.len() > WIDTH {
            text.push('\n');
            length = 0;
        }
        let separator = if length > 0 { " " } else { "" };
        let guard = if length == 0 { guard } else { "" };
        text.push_str(&format!("{separator}{guard}{word}"));
        length += separator.len() + guard.len() + word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guide has the same table.
    #[test]
    fn the_guide_says_the_same_about_retries() {
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md")).unwrap();
        for (statuses, retry, why) in RETRIES {
            let statuses: Vec<String> = statuses.iter().map(u8::to_string).collect();
            let statuses = if statuses.is_empty() { "any other".to_owned() } else { statuses.join(", ") };
            let row = format!("| {statuses} | {} | {why} |\n", retry.word());
            assert!(guide.contains(&row), "{row}");
        }
    }

    #[test]
    fn an_empty_default_is_none() {
        assert!(settings(None).contains("EXECENV_GC_MIN_FREE; default none\n"), "{}", settings(None));
    }

    #[test]
    fn text_is_wrapped_and_examples_are_not() {
        let long = "word ".repeat(40);
        let page = format!(".SH A\n{long}\n.TP\n{long}\nmeaning\n.EX\n{long}\n.EE\n");
        let lines: Vec<usize> = wrapped(&page).lines().map(str::len).collect();
        assert_eq!(lines.iter().filter(|length| **length > WIDTH).count(), 2, "{lines:?}");
        let mut text = String::new();
        wrap(&mut text, &format!("{} .gc_meta.json", "x".repeat(75)));
        assert_eq!(text.lines().nth(1), Some("\\&.gc_meta.json"));
    }
}
