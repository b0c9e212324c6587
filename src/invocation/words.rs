//! Options whose value is one of a few words.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Reads one of these words as what it stands for.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).map(move |chosen| {
        let found = words.iter().find(|(word, _)| *word == chosen);
        found.map(|(_, value)| *value).expect("clap checked the word")
    })
}
