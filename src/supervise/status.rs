//! Numbers in a text that may be the status of a server's answer: 401, 503.

/// A number of three digits, and what stands beside it in its line. The text is in lower case.
pub(super) struct Number<'a> {
    digits: &'a str,
    before: &'a str,
    after: &'a str,
}

/// The numbers of three digits in a text.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = Number<'_>> {
    let is_digit = |c: char| c.is_ascii_digit();
    text.lines().flat_map(move |line| {
        let starts = line.match_indices(is_digit).filter(move |(at, _)| !line[..*at].ends_with(is_digit));
        starts.filter_map(move |(start, _)| {
            let (before, rest) = line.split_at(start);
            let (digits, after) = rest.split_at(rest.find(|c| !is_digit(c)).unwrap_or(rest.len()));
            (digits.len() == 3).then_some(Number { digits, before, after })
        })
    })
}

impl Number<'_> {
    /// Whether it is this number; `5xx`: any from 500 to 599.
    pub(super) fn is(&self, wanted: &str) -> bool {
        if wanted == "5xx" { self.digits.starts_with('5') } else { self.digits == wanted }
    }

    /// Whether the words beside it make it the status of an answer: `http/1.1 503`, `error code: 401`, `403 forbidden`.
    pub(super) fn is_status(&self) -> bool {
        const BEFORE: [&str; 8] =
            ["status", "code", "error", "http", "response", "http/1.0", "http/1.1", "http/2"];
        const AFTER: [&str; 7] = [
            "forbidden",
            "payment required",
            "too many requests",
            "internal server error",
            "bad gateway",
            "service unavailable",
            "gateway timeout",
        ];
        // Between the word and the number: `": `, `=`, `: (`.
        let is_between = |c: char| !c.is_alphanumeric();
        let before = self.before.trim_end_matches(is_between);
        let is_beside = self.before[before.len()..].chars().count() <= 4;
        (is_beside && BEFORE.iter().any(|word| before.ends_with(word)))
            || AFTER.iter().any(|phrase| self.after.trim_start_matches(is_between).starts_with(phrase))
    }
}
