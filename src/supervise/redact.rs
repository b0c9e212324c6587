//! Removes secrets and control characters from texts that are shown or kept.

const WORDS: [&str; 8] =
    ["token", "auth", "authorization", "api_key", "api-key", "apikey", "secret", "password"];
const PREFIXES: [&str; 5] = ["sk-", "ghp_", "github_pat_", "mat_", "xoxb-"];
const GONE: &str = "<redacted>";

/// The text without control characters (but for newlines and tabs), without the values of fields, variables and headers
/// that are named like secrets, and without words that look like keys.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        redact_line(&line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>(), &mut out);
    }
    out
}

fn redact_line(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let name_length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if name_length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (name, after) = rest.split_at(name_length);
        rest = after;
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && name.len() >= 16 {
            out.push_str(GONE);
            continue;
        }
        out.push_str(name);
        let lower = name.to_ascii_lowercase();
        if !WORDS.iter().any(|word| lower.ends_with(word)) {
            continue;
        }
        if lower.ends_with("authorization") && after.trim_start().starts_with(':') {
            // A header: its value is the rest of the line.
            out.push_str(": ");
            out.push_str(GONE);
            return;
        }
        if let Some((kept, value_end)) = value(after) {
            out.push_str(&after[..kept]);
            out.push_str(GONE);
            rest = &after[value_end..];
        }
    }
}

/// Where the value after a name begins and ends: `=value`, `": "value"`, also with escaped quotes.
fn value(after: &str) -> Option<(usize, usize)> {
    let quoted_name = after.trim_start_matches('\\').starts_with(['"', '\'']);
    let mut at = after.len() - after.trim_start_matches(['\\', '"', '\'']).len();
    let spaces = |at: usize| at + after[at..].len() - after[at..].trim_start().len();
    at = spaces(at);
    let separator = after[at..].chars().next()?;
    if separator != '=' && !(separator == ':' && quoted_name) {
        return None;
    }
    at = spaces(at + 1);
    let quote = after[at..].trim_start_matches('\\').chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let start = at + after[at..].find(quote)? + 1;
        let escaped = start - at > 1;
        let mut end = start;
        while let Some(found) = after[end..].find(quote) {
            let here = end + found;
            if escaped || !after[start..here].ends_with('\\') {
                return Some((start, here - usize::from(escaped && after[..here].ends_with('\\'))));
            }
            end = here + 1;
        }
        return Some((start, after.len()));
    }
    let end = after[at..].find(|c: char| c.is_whitespace() || ",;&}\"'".contains(c));
    let end = end.map_or(after.len(), |end| at + end);
    (end > at).then_some((at, end))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let cases = [
            ("plain text, no secret: 5 tokens", "plain text, no secret: 5 tokens"),
            ("a\x1b[31mb\tc\nd\r", "a[31mb\tc\nd"),
            ("x\nAuthorization: Bearer abc def\ny", "x\nAuthorization: <redacted>\ny"),
            (r#"{"api_key":"abc","b":"c"}"#, r#"{"api_key":"<redacted>","b":"c"}"#),
            (r#"{"token" : "a\"b","n":1}"#, r#"{"token" : "<redacted>","n":1}"#),
            (r#""{\"token\":\"abc\",\"n\":1}""#, r#""{\"token\":\"<redacted>\",\"n\":1}""#),
            ("ANTHROPIC_API_KEY=abc next", "ANTHROPIC_API_KEY=<redacted> next"),
            ("password='a b' c", "password='<redacted>' c"),
            ("url?token=abc&x=1", "url?token=<redacted>&x=1"),
            ("invalid token: expected `}`", "invalid token: expected `}`"),
            ("key sk-ant-0123456789abcdef ä", "key <redacted> ä"),
            ("token=", "token="),
        ];
        for (text, want) in cases {
            assert_eq!(redact(text), want, "{text}");
        }
    }
}
