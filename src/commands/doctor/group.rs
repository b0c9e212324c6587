//! The answer for people: groups of lines, each with a mark and, where it is not well, what to do.

use crate::output::{Screen, Tone, counted, styled, wrapped};

/// Where the texts begin.
const INDENT: usize = 9;

/// How well a line is. The word says it, whatever colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// It is said besides, and is neither well nor not.
    Aside,
    /// Nothing to do.
    Ok,
    /// `--fix` has done it.
    Fixed,
    /// Something does not work that one may not need.
    Note,
    /// Something will go wrong.
    Warn,
    /// Something is wrong.
    Fail,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Mark::Aside => "",
            Mark::Ok => "ok",
            Mark::Fixed => "fixed",
            Mark::Note => "note",
            Mark::Warn => "warn",
            Mark::Fail => "FAIL",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Mark::Ok | Mark::Fixed => Tone::Good,
            Mark::Note | Mark::Aside => Tone::Plain,
            Mark::Warn => Tone::Busy,
            Mark::Fail => Tone::Bad,
        }
    }
}

/// One thing that was looked at. Its texts are escaped already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    mark: Mark,
    text: String,
    /// What to do, one a line.
    todo: Vec<String>,
}

impl Line {
    pub(super) fn new(mark: Mark, text: impl Into<String>) -> Line {
        Line { mark, text: text.into(), todo: Vec::new() }
    }

    /// The same with what to do about it.
    pub(super) fn todo(mut self, todo: impl Into<String>) -> Line {
        self.todo.push(todo.into());
        self
    }
}

/// What belongs together.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    title: &'static str,
    lines: Vec<Line>,
    /// A table below them.
    table: Option<String>,
}

impl Group {
    pub(super) fn new(title: &'static str) -> Group {
        Group { title, ..Group::default() }
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub(super) fn extend(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines.extend(lines);
    }

    pub(super) fn table(&mut self, table: String) {
        self.table = Some(table);
    }
}

/// The groups that have lines, and a last line that counts the marks.
pub(super) fn text(groups: &[Group], last: &str, screen: Screen) -> String {
    let mut text = String::new();
    for group in groups.iter().filter(|group| !group.lines.is_empty()) {
        text.push_str(&styled(group.title, Tone::Strong, screen));
        text.push('\n');
        for line in &group.lines {
            let mark = styled(line.mark.word(), line.mark.tone(), screen);
            let space = " ".repeat("fixed".len() - line.mark.word().len());
            text.push_str(&format!("  {mark}{space}  {}\n", wrapped(&line.text, INDENT, screen.width)));
            for todo in &line.todo {
                let todo = wrapped(todo, INDENT + "do: ".len(), screen.width);
                text.push_str(&format!("{:INDENT$}do: {todo}\n", ""));
            }
        }
        for line in group.table.iter().flat_map(|table| table.lines()) {
            text.push_str(&format!("  {line}\n"));
        }
        text.push('\n');
    }
    text + &summary(groups, last)
}

/// `3 FAIL, 1 warn, 2 note: …`.
fn summary(groups: &[Group], last: &str) -> String {
    let count =
        |mark: Mark| groups.iter().flat_map(|group| &group.lines).filter(|line| line.mark == mark).count();
    let marks = [Mark::Fail, Mark::Warn, Mark::Note, Mark::Fixed, Mark::Ok];
    let counts = marks.into_iter().map(|mark| (mark, count(mark))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(mark, count)| format!("{count} {}", mark.word())).collect();
    format!("{}: {last}", counts.join(", "))
}

/// What a list leaves out.
pub(super) fn more(count: usize, one: &str, many: &str) -> String {
    format!("and {}", counted(count as u64, one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_mark_that_is_a_word_and_what_to_do() {
        let mut machine = Group::new("This machine");
        machine.push(Line::new(Mark::Ok, "git 2.47.3"));
        machine.push(Line::new(Mark::Note, "gh is not installed").todo("install gh"));
        machine.table("A  B\na  b".to_owned());
        let mut runs = Group::new("Runs that died");
        runs.push(
            Line::new(Mark::Fail, "crashed_run  /r/w/e")
                .todo("`execenv doctor --fix`")
                .todo("`execenv run e`"),
        );
        let groups = [machine, Group::new("Trash"), runs];
        let expected = "This machine\n  ok     git 2.47.3\n  note   gh is not installed\n         do: install gh\n  A  B\n  a  b\n\n\
                        Runs that died\n  FAIL   crashed_run  /r/w/e\n         do: `execenv doctor --fix`\n         do: `execenv run e`\n\n\
                        1 FAIL, 1 note, 1 ok: that is all";
        assert_eq!(text(&groups, "that is all", Screen::PLAIN), expected);
    }
}
