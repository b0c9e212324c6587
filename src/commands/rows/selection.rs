//! The options, and what they select.

use std::time::Duration;

use anyhow::Result;
use clap::{Arg, Args};

use super::field::{Field, Value, names};
use super::filter::Filter;
use super::sort::{Key, compare};
use crate::failure::{Code, Failure};
use crate::formats::parse_whole;
use crate::invocation::parse_duration;
use crate::order;

/// Which rows are shown, in which order, and how often.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectArgs {
    /// Sort by these fields, separated by commas; `-FIELD`: the largest first
    #[arg(long, value_name = "FIELD", value_delimiter = ',', allow_hyphen_values = true)]
    pub sort: Vec<String>,
    /// Print the rows in the opposite order
    #[arg(long)]
    pub reverse: bool,
    /// Print only what meets this condition: `FIELD=VALUE[,VALUE]`, `FIELD!=VALUE`, `FIELD~PART` (upper and lower case are the same),
    /// `age>7d`, `size<1G`; with several, only what meets all
    #[arg(long, value_name = "CONDITION")]
    pub filter: Vec<String>,
    /// On a terminal: print the answer again every so many seconds [default: 2] over the last one; Ctrl-C ends it
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = parse_pause)]
    pub watch: Option<Duration>,
}

/// Reads seconds, or a duration.
fn parse_pause(text: &str) -> Result<Duration, String> {
    const WRONG: &str = "write whole seconds from 1 on, or a duration such as `5m`";
    let seconds = parse_whole(text).or_else(|| u64::try_from(parse_duration(text).ok()?.num_seconds()).ok());
    seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(|| WRONG.to_owned())
}

/// Adds the names of a table's fields to the help of these options.
pub(in crate::commands) fn describe(fields: &'static [Field]) -> impl Fn(Arg) -> Arg {
    move |arg| match (arg.get_id().as_str(), arg.get_help()) {
        ("sort" | "filter", Some(help)) => {
            let help = format!("{help}. Fields: {}", names(fields));
            arg.help(help)
        }
        _ => arg,
    }
}

/// What the options ask for, checked.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Selection {
    filters: Vec<Filter>,
    keys: Vec<Key>,
    reverse: bool,
}

impl Selection {
    /// Reads the options of a table that has these fields.
    ///
    /// # Errors
    /// 2 for a field that the table does not have, and a comparison that makes no sense.
    pub(in crate::commands) fn of(args: &SelectArgs, fields: &[Field]) -> Result<Selection> {
        let wrong = |option: &'static str| {
            move |why: String| {
                let (message, hint) = why.split_once("; ").unwrap_or((&why, ""));
                let failure = Failure::new(Code::Usage, format!("`{option}`: {message}"));
                if hint.is_empty() { failure } else { failure.hint(hint) }
            }
        };
        let filters = args.filter.iter().map(|text| Filter::parse(text, fields).map_err(wrong("--filter")));
        let keys = args.sort.iter().map(|text| Key::parse(text, fields).map_err(wrong("--sort")));
        Ok(Selection {
            filters: filters.collect::<Result<_, _>>()?,
            keys: keys.collect::<Result<_, _>>()?,
            reverse: args.reverse,
        })
    }

    /// Whether a field has to be known.
    pub(in crate::commands) fn needs(&self, field: Field) -> bool {
        self.filters
            .iter()
            .map(|filter| filter.field)
            .chain(self.keys.iter().map(|key| key.field))
            .any(|needed| needed == field)
    }

    /// Whether it leaves rows out.
    pub(in crate::commands) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Leaves out the rows that are not wanted.
    pub(in crate::commands) fn filter<T>(&self, rows: &mut Vec<T>, value: impl Fn(&T, Field) -> Value<'_>) {
        rows.retain(|row| self.filters.iter().all(|filter| filter.takes(&value(row, filter.field))));
    }

    /// Puts the rows in order. Those that are equal keep theirs.
    pub(in crate::commands) fn sort<T>(&self, rows: &mut [T], value: impl Fn(&T, Field) -> Value<'_>) {
        if !self.keys.is_empty() {
            order::sort_by(rows, |one, other| {
                compare(&self.keys, |field| value(one, field), |field| value(other, field))
            });
        }
        if self.reverse {
            rows.reverse();
        }
    }
}
