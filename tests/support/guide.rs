//! `docs/guide.md` as parts, and as a manual page. It knows as much of Markdown as the guide uses; more is an error.

/// A part of the guide.
#[derive(Debug, PartialEq)]
pub enum Part {
    /// A heading, with the number of its marks.
    Heading(usize, String),
    /// Lines that belong together.
    Paragraph(String),
    /// The items of a list.
    List(Vec<String>),
    /// The rows of a table, its head first.
    Table(Vec<Vec<String>>),
    /// What stands between two fences, with the word behind the first one.
    Block { line: usize, info: String, text: String },
}

/// The parts in their order.
pub fn parts(markdown: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = markdown.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let mut rest = |is_more: &dyn Fn(&str) -> bool| {
            let mut more = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| is_more(line)) {
                more.push(line);
            }
            more
        };
        if let Some(info) = line.strip_prefix("```") {
            let text: String = rest(&|line| line != "```").iter().map(|line| format!("{line}\n")).collect();
            assert!(lines.next().is_some(), "line {}: a block without an end", index + 1);
            parts.push(Part::Block { line: index + 1, info: info.to_owned(), text });
        } else if line.starts_with('#') {
            let marks = line.bytes().take_while(|byte| *byte == b'#').count();
            parts.push(Part::Heading(marks, line[marks..].trim().to_owned()));
        } else if line.starts_with("- ") {
            let all =
                std::iter::once(line).chain(rest(&|line| line.starts_with("- ") || line.starts_with("  ")));
            let mut items: Vec<String> = Vec::new();
            for line in all {
                match line.strip_prefix("- ") {
                    Some(item) => items.push(item.to_owned()),
                    None => *items.last_mut().unwrap() += &format!(" {}", line.trim()),
                }
            }
            parts.push(Part::List(items));
        } else if line.starts_with('|') {
            let all = std::iter::once(line).chain(rest(&|line| line.starts_with('|')));
            let cells =
                |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            let rows: Vec<Vec<String>> = all.filter(|line| !line.starts_with("|---")).map(cells).collect();
            parts.push(Part::Table(rows));
        } else if !line.is_empty() {
            assert!(!line.starts_with([' ', '>', '<', '*', '!']), "line {}: {line:?}", index + 1);
            let begins_another =
                |line: &str| ["#", "|", "- ", "```"].iter().any(|mark| line.starts_with(mark));
            let is_text = |line: &str| !line.is_empty() && !begins_another(line);
            let all: Vec<&str> = std::iter::once(line).chain(rest(&is_text)).collect();
            parts.push(Part::Paragraph(all.join(" ")));
        }
    }
    parts
}

/// The longest line of the source: `mandoc -T lint` asks for 80, with a character that is not ASCII as eight.
const WIDTH: usize = 74;

/// The guide as the page `execenv-guide(7)`.
pub fn page(markdown: &str, version: &str, date: &str) -> String {
    let mut roff = format!(
        ".TH EXECENV-GUIDE 7 {date} \"execenv {version}\" \"execenv manual\"\n.nh\n.ad l\n.SH NAME\n\
         execenv\\-guide \\- from the first environment to a fleet of machines\n.SH DESCRIPTION\n"
    );
    // A paragraph needs no mark where a section begins.
    let mut is_first = true;
    for part in parts(markdown) {
        let mark = if is_first { "" } else { ".PP\n" };
        is_first = matches!(part, Part::Heading(..));
        match part {
            Part::Heading(1, _) => {}
            Part::Heading(2, title) => roff += &format!(".SH \"{}\"\n", inline(&title).to_uppercase()),
            Part::Heading(_, title) => roff += &format!(".SS \"{}\"\n", inline(&title)),
            Part::Paragraph(text) => roff += &format!("{mark}{}", filled(&inline(&text))),
            Part::List(items) => {
                for item in items {
                    roff += &format!(".IP \\(bu 2\n{}", filled(&inline(&item)));
                }
            }
            Part::Table(rows) => roff += &table(&rows),
            Part::Block { text, .. } => {
                let lines = text.lines().map(|line| format!("{}\n", verbatim(line)));
                roff += &format!("{mark}.RS 2\n.EX\n{}.EE\n.RE\n", lines.collect::<String>());
            }
        }
    }
    roff + ".SH FILES\n.TP\n/usr/share/doc/execenv/\nThe papers and the folder examples that this page names, where a package has installed them\n\
            .SH \"SEE ALSO\"\n\\fBexecenv\\fR(1)\n"
}

/// Each row as a term and what it means; of several columns each has its head before it.
fn table(rows: &[Vec<String>]) -> String {
    let (head, rows) = rows.split_first().unwrap();
    let mut roff = String::new();
    for row in rows {
        let cells = row.iter().zip(head).skip(1).map(|(cell, head)| match row.len() {
            2 => cell.clone(),
            _ => format!("*{head}*: {cell}"),
        });
        let meaning = cells.collect::<Vec<_>>().join("; ");
        roff += &format!(".TP\n{}\n{}", inline(&row[0]), filled(&inline(&meaning)));
    }
    roff
}

/// Text of which every character is typed as it is.
fn verbatim(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    let text = text.replace('^', "\\(ha").replace('~', "\\(ti");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

/// Code and `**` in bold, `*` in italics, links by their text and, if they lead elsewhere, by their address.
fn inline(text: &str) -> String {
    let mut roff = String::new();
    let mut rest = text;
    let (mut is_bold, mut is_italic) = (false, false);
    while let Some(character) = rest.chars().next() {
        if let Some((code, after)) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            roff += &format!("\\fB{}\\fR", verbatim(code));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("**") {
            is_bold = !is_bold;
            roff += if is_bold { "\\fB" } else { "\\fR" };
            rest = after;
        } else if let Some(after) = rest.strip_prefix('*') {
            is_italic = !is_italic;
            roff += if is_italic { "\\fI" } else { "\\fR" };
            rest = after;
        } else if let Some((words, (address, after))) = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]("))
            .and_then(|(words, rest)| Some((words, rest.split_once(')')?)))
        {
            let shown =
                if address.contains("://") { format!(" ({})", verbatim(address)) } else { String::new() };
            roff += &format!("\\fI{}\\fR{shown}", verbatim(words));
            rest = after;
        } else {
            match character {
                '\\' => roff += "\\e",
                '-' => roff += "\\-",
                '\'' => roff += "\\(aq",
                '~' => roff += "\\(ti",
                '^' => roff += "\\(ha",
                _ => roff.push(character),
            }
            rest = &rest[character.len_utf8()..];
        }
    }
    assert!(!is_bold && !is_italic, "marks without an end: {text}");
    roff
}

/// Text in lines of the usual length, none of which looks like a request.
fn filled(text: &str) -> String {
    let length = |text: &str| text.chars().map(|c| if c.is_ascii() { 1 } else { 8 }).sum::<usize>();
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if length(line) + length(word) < WIDTH {
            *line += &format!(" {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    let safe = |line: &String| {
        if line.starts_with(['.', '\'']) { format!("\\&{line}\n") } else { format!("{line}\n") }
    };
    lines.iter().map(safe).collect()
}
