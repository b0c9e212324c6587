//! A manual page as plain text, for a terminal without the program `man`. It knows the requests that our pages have.

/// How far text is indented, and what explains a term.
const INDENT: [&str; 2] = ["       ", "              "];
/// The length of a filled line.
const WIDTH: usize = 78;

/// The page as text.
pub(super) fn text(page: &str) -> String {
    let mut printer = Printer { lines: Vec::new(), words: Vec::new(), level: 0, is_example: false };
    let mut is_term = false;
    for line in page.lines() {
        let (request, rest) = match line.strip_prefix('.') {
            Some(request) => request.split_once(' ').unwrap_or((request, "")),
            None => ("", line),
        };
        match request {
            "" if std::mem::take(&mut is_term) => {
                printer.flush();
                printer.lines.push(format!("{}{}", INDENT[0], plain(rest)));
                printer.level = 1;
            }
            "" if printer.is_example => printer.lines.push(format!("{}{}", INDENT[0], plain(rest))),
            "" => printer.words.extend(plain(rest).split_whitespace().map(str::to_owned)),
            "SH" => {
                printer.paragraph();
                printer.lines.push(plain(rest.trim_matches('"')));
            }
            "TP" => {
                printer.flush();
                is_term = true;
            }
            "EX" | "EE" => {
                printer.flush();
                printer.is_example = request == "EX";
            }
            "IP" => {
                printer.flush();
                printer.words.push("-".to_owned());
            }
            "PP" | "sp" => printer.paragraph(),
            "br" => printer.flush(),
            _ => {}
        }
    }
    printer.flush();
    printer.lines.join("\n").trim().to_owned()
}

struct Printer {
    lines: Vec<String>,
    /// What is to be filled into lines.
    words: Vec<String>,
    level: usize,
    is_example: bool,
}

impl Printer {
    fn flush(&mut self) {
        let mut line = String::new();
        for word in self.words.drain(..) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.lines.push(std::mem::take(&mut line));
            }
            line.push_str(if line.is_empty() { INDENT[self.level] } else { " " });
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.lines.push(line);
        }
    }

    fn paragraph(&mut self) {
        self.flush();
        self.lines.push(String::new());
        self.level = 0;
    }
}

/// A line without fonts and escapes.
fn plain(line: &str) -> String {
    let fonts = ["\\fB", "\\fI", "\\fR", "\\fP", "\\&"];
    let text = fonts.iter().fold(line.to_owned(), |text, font| text.replace(font, ""));
    let escapes =
        [("\\-", "-"), ("\\(aq", "'"), ("\\(ga", "`"), ("\\(ti", "~"), ("\\(ha", "^"), ("\\e", "\\")];
    escapes.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_pages_have_is_shown() {
        let page = ".TH a 1\n.SH NAME\na \\- b\n.SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ndone\n.TP\n1\nfailed\n.PP\nmore\n.SH EXAMPLES\n.EX\na \\(aqx\\(aq   y \\e\n.EE\n.PP\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo\n";
        let expected = "NAME\n       a - b\n\nEXIT STATUS\n       0\n              done\n       1\n              failed\n\n       more\n\nEXAMPLES\n       a 'x'   y \\\n\n       - one\n       - two";
        assert_eq!(text(page), expected);
    }
}
