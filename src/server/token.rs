//! The token. It is written into the request's header and nowhere else.

use std::fmt;

/// Identifies the user to the server. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads a token from a text. Surrounding blanks are ignored.
    ///
    /// # Errors
    /// What is wrong with it, in words that don't repeat it.
    pub fn new(text: &str) -> Result<Token, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty");
        }
        if text.contains(['\n', '\r']) {
            return Err("it has more than one line");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it contains a blank or a character that tokens do not have");
        }
        Ok(Token(text.to_owned()))
    }

    /// The header's value.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The text with the token replaced, for what a server sends back.
    pub(super) fn mask(&self, text: &str) -> String {
        text.replace(&self.0, "<token>")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_visible_word_and_is_never_shown() {
        let token = Token::new(" mul_abc\n").unwrap();
        assert_eq!(format!("{token} {token:?}"), "<token> <token>");
        assert_eq!(
            (token.bearer().as_str(), token.mask("x mul_abc y").as_str()),
            ("Bearer mul_abc", "x <token> y")
        );
        for text in ["", " \n", "a\nb", "a b", "a\u{7f}", "ä"] {
            assert!(Token::new(text).is_err(), "{text:?}");
        }
    }
}
