//! What a command line asks for, as far as that shows before it is parsed, or when it cannot be parsed at all.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::invocation::{GlobalArgs, Settings};
use crate::output::{Color, Format};

/// How to print before the settings are known; `None`: nothing on the command line and no variable says.
pub(super) struct Asked {
    format: Option<Format>,
    color: Option<Color>,
    config: Option<PathBuf>,
}

impl Asked {
    /// The colour of what is printed before the settings are known.
    pub(super) fn color(&self) -> Color {
        self.color.unwrap_or(Color::Auto)
    }

    /// The format of a failure when the settings cannot be known.
    pub(super) fn format(&self) -> Format {
        self.format.unwrap_or(Format::Text)
    }

    /// The same decision that a command would make, where the command line cannot be understood or asks for help: what it
    /// does not say is in the configuration file.
    pub(super) fn with_file(self, inherited: &[(OsString, OsString)]) -> (Format, Color) {
        let flags = GlobalArgs { config: self.config.clone(), ..GlobalArgs::default() };
        let settings = Settings::resolve(&flags, inherited.to_vec()).ok();
        let from = |asked: &Settings| (asked.output, asked.color);
        let (format, color) = settings.as_ref().map_or((Format::Text, Color::Auto), from);
        (self.format.unwrap_or(format), self.color.unwrap_or(color))
    }
}

/// Looks for `--output` and `--color`, else for their variables.
pub(super) fn asked(arguments: &[OsString], inherited: &[(OsString, OsString)]) -> Asked {
    let words: Vec<&str> =
        arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let value = |long: &str, short: Option<&str>, name: &str| {
        by_option(&words, long, short).or_else(|| {
            let (_, value) = inherited.iter().find(|(key, _)| key == name)?;
            value.to_str()
        })
    };
    Asked {
        format: word(value("--output", Some("-o"), "EXECENV_OUTPUT"), &Format::WORDS),
        color: word(value("--color", None, "EXECENV_COLOR"), &Color::WORDS),
        config: value("--config", None, "EXECENV_CONFIG").map(PathBuf::from),
    }
}

fn by_option<'a>(words: &[&'a str], long: &str, short: Option<&str>) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(place, word)| {
        if *word == long || Some(*word) == short {
            return words.get(place + 1).copied();
        }
        let joined = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        joined.or_else(|| word.strip_prefix(short?)).map(|value| value.trim_start_matches('='))
    })
}

fn word<T: Copy>(text: Option<&str>, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| Some(*word) == text).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_go_before_variables_and_end_at_the_dashes() {
        for (words, format) in [
            (&["list", "-o", "json"][..], Format::Json),
            (&["list", "-ojson"], Format::Json),
            (&["list", "-o=json"], Format::Json),
            (&["--output=shell", "prepare"], Format::Shell),
            (&["--output", "text"], Format::Text),
            (&["list"], Format::Shell),
            (&["run", "x", "--", "-o", "json"], Format::Shell),
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let inherited = [("EXECENV_OUTPUT".into(), "shell".into())];
            assert_eq!(asked(&words, &inherited).format(), format, "{words:?}");
        }
        let never = asked(&["--color=never".into()], &[]);
        assert_eq!((never.color(), never.format()), (Color::Never, Format::Text));
    }
}
