//! Tables: columns below each other that fit into a terminal.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::terminal::Screen;

/// The space between two columns.
const GAP: usize = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    is_number: bool,
    /// It may be shortened to this width.
    least: Option<usize>,
    /// Where the terminal is too narrow, the column with the highest rank is left out first; 0: it stays.
    rank: u8,
}

impl Column {
    /// A column of words.
    pub const fn words(name: &'static str) -> Column {
        Column { name, is_number: false, least: None, rank: 0 }
    }

    /// A column of numbers, which stand at its right end.
    pub const fn numbers(name: &'static str) -> Column {
        Column { is_number: true, ..Column::words(name) }
    }

    /// The same column, which may be shortened to this width.
    pub const fn at_least(self, least: usize) -> Column {
        Column { least: Some(least), ..self }
    }

    /// The same column, which is left out of a narrow terminal, before those of a lower rank.
    pub const fn rank(self, rank: u8) -> Column {
        Column { rank, ..self }
    }
}

/// How a cell looks on a terminal with colours. Its words say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As all text.
    #[default]
    Plain,
    /// It is well.
    Good,
    /// It is under way, or wants attention.
    Busy,
    /// It is not well.
    Bad,
    /// It matters less.
    Faint,
    /// It matters more.
    Strong,
}

impl Tone {
    /// The style that it has.
    pub(super) fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Busy => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        }
    }
}

/// A text in a tone, as standard output takes it.
pub fn styled(text: &str, tone: Tone, screen: Screen) -> String {
    screen.painted(text, tone.style())
}

/// A cell of a table. Its text is escaped already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// The same text in another tone.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.into(), tone: Tone::Plain }
    }
}

/// A table: its columns, and for each row a cell a column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Table {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for each column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, its header first, without the last newline. What is no terminal gets all of it.
    pub fn text(&self, screen: Screen) -> String {
        let shown = fitted(&self.columns, &self.widths(), screen.width);
        let header: Vec<Cell> =
            self.columns.iter().map(|column| Cell::from(column.name).tone(Tone::Faint)).collect();
        let lines = std::iter::once(&header).chain(&self.rows).map(|row| self.line(row, &shown, screen));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The width that each column needs.
    fn widths(&self) -> Vec<usize> {
        let widest = |(at, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width());
            cells.fold(column.name.width(), usize::max)
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    fn line(&self, row: &[Cell], shown: &[(usize, usize)], screen: Screen) -> String {
        let (mut line, mut owed) = (String::new(), 0);
        for (at, width) in shown {
            let (Some(column), Some(cell)) = (self.columns.get(*at), row.get(*at)) else { continue };
            let text = shortened(&cell.text, *width);
            let rest = width.saturating_sub(text.width());
            let before = owed + if column.is_number { rest } else { 0 };
            owed = GAP + if column.is_number { 0 } else { rest };
            if !text.is_empty() {
                line.push_str(&" ".repeat(before));
                line.push_str(&screen.painted(&text, cell.tone.style()));
            } else {
                owed += before;
            }
        }
        line
    }
}

/// The columns that are shown, each with its width: so that they fit into `most`, columns are shortened first and left out then.
fn fitted(columns: &[Column], widths: &[usize], most: Option<usize>) -> Vec<(usize, usize)> {
    let mut shown: Vec<(usize, usize)> = widths.iter().copied().enumerate().collect();
    let Some(most) = most else { return shown };
    loop {
        let whole = shown.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP);
        let excess = whole.saturating_sub(most);
        let can_lose = |(at, width): &(usize, usize)| {
            width.saturating_sub(columns[*at].least.unwrap_or(usize::MAX).max(columns[*at].name.len()))
        };
        let slack: usize = shown.iter().map(can_lose).sum();
        let last = shown.iter().map(|(at, _)| columns[*at].rank).max().unwrap_or(0);
        if slack < excess && last > 0 {
            shown.retain(|(at, _)| columns[*at].rank < last);
            continue;
        }
        for _ in 0..excess.min(slack) {
            let widest =
                shown.iter_mut().filter(|column| can_lose(column) > 0).max_by_key(|(_, width)| *width);
            widest.into_iter().for_each(|(_, width)| *width -= 1);
        }
        return shown;
    }
}

/// A text that is at most so wide on a terminal; `…` stands for what is left out.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let needed = c.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    };
    let begin: String = text.chars().take_while(fits).collect();
    if width == 0 { begin } else { begin + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::words("ENV"),
            Column::words("STATUS"),
            Column::numbers("SIZE"),
            Column::words("KIND").rank(2),
            Column::words("TASK").at_least(6).rank(1),
        ]);
        for [env, status, size, kind, task] in
            [["3f9c", "prepared", "1.5 MiB", "issue", "11111111-2222"], ["环境", "failed", "0 B", "", "t"]]
        {
            let status = Cell::from(status).tone(Tone::Bad);
            table.row([env.into(), status, size.into(), kind.into(), Cell::from(task)]);
        }
        table
    }

    #[test]
    fn columns_are_shortened_and_left_out_until_they_fit() {
        let whole = "ENV   STATUS       SIZE  KIND   TASK\n\
                     3f9c  prepared  1.5 MiB  issue  11111111-2222\n\
                     环境  failed        0 B         t";
        let shorter = "ENV   STATUS       SIZE  KIND   TASK\n\
                       3f9c  prepared  1.5 MiB  issue  11111…\n\
                       环境  failed        0 B         t";
        let fewer = "ENV   STATUS       SIZE  TASK\n\
                     3f9c  prepared  1.5 MiB  11111…\n\
                     环境  failed        0 B  t";
        let least = "ENV   STATUS       SIZE\n\
                     3f9c  prepared  1.5 MiB\n\
                     环境  failed        0 B";
        for (width, expected) in [
            (None, whole),
            (Some(45), whole),
            (Some(38), shorter),
            (Some(37), &*fewer.replace("11111…", "11111111-22…")),
            (Some(31), fewer),
            (Some(30), least),
            (Some(3), least),
        ] {
            let screen = Screen { width, ..Screen::PLAIN };
            assert_eq!(table().text(screen), expected, "{width:?}");
            if let Some(width) = width.filter(|width| *width > 22) {
                assert!(table().text(screen).lines().all(|line| line.width() <= width));
            }
        }
    }

    #[test]
    fn colours_change_no_width_and_no_word() {
        let plain = table().text(Screen::PLAIN);
        let colored = table().text(Screen { is_colored: true, ..Screen::PLAIN });
        assert_ne!(plain, colored);
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
    }

    #[test]
    fn a_shortened_text_is_no_wider_and_splits_no_character() {
        for (text, width, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("环境环境", 6, "环境…"),
            ("环境环境", 5, "环境…"),
            ("环境环境", 4, "环…"),
            ("e\u{301}xyz", 3, "e\u{301}x…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(shortened(text, width), expected, "{text} {width}");
        }
    }
}
