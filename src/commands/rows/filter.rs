//! `--filter`: a field, a comparison, a value.

use super::field::{Field, Form, Value};
use crate::invocation::{parse_duration, parse_size};

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Is,
    IsNot,
    Contains,
    Less,
    More,
}

/// In the order in which they are looked for: `!=` ends as `=` does.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("!=", Comparison::IsNot),
    ("=", Comparison::Is),
    ("~", Comparison::Contains),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// One of these.
    Texts(Vec<String>),
    /// A part, in lower case.
    Part(String),
    Flag(bool),
    Number(u64),
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) field: Field,
    comparison: Comparison,
    wanted: Wanted,
}

impl Filter {
    /// Reads `FIELD=VALUE`, `FIELD!=VALUE`, `FIELD~PART`, `FIELD<VALUE` or `FIELD>VALUE`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Filter, String> {
        let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let compared = COMPARISONS.iter().find_map(|(sign, is)| Some((*is, rest.strip_prefix(sign)?)));
        let field = Field::find(name, fields)?;
        let Some((comparison, value)) = compared else {
            return Err(format!("`{}` compares with nothing; {}", text.escape_debug(), example(field)));
        };
        let wrong = |why: &str| format!("`{}`: {why}; {}", text.escape_debug(), example(field));
        use Comparison::{Contains, Is, IsNot, Less, More};
        let wanted = match (field.form(), comparison) {
            (Form::Text | Form::Word(_), Contains) => Wanted::Part(value.to_lowercase()),
            (Form::Text, Is | IsNot) => Wanted::Texts(value.split(',').map(str::to_owned).collect()),
            (Form::Word(words), Is | IsNot) => {
                if let Some(unknown) = value.split(',').find(|word| !words.contains(word)) {
                    let known = words.join(", ");
                    return Err(wrong(&format!("`{}` is none of {known}", unknown.escape_debug())));
                }
                Wanted::Texts(value.split(',').map(str::to_owned).collect())
            }
            (Form::Flag, Is | IsNot) => match value {
                "true" => Wanted::Flag(true),
                "false" => Wanted::Flag(false),
                _ => return Err(wrong("it is `true` or `false`")),
            },
            (Form::Age, Less | More) => {
                let age = parse_duration(value).map_err(|why| wrong(&why))?;
                Wanted::Number(u64::try_from(age.num_seconds()).unwrap_or(0))
            }
            (Form::Size, Less | More) => Wanted::Number(parse_size(value).map_err(|why| wrong(&why))?),
            (Form::Text | Form::Word(_), Less | More) => {
                return Err(wrong("a text is compared by `=`, `!=` or `~`"));
            }
            (Form::Flag, _) => return Err(wrong("it is compared by `=`")),
            (Form::Age | Form::Size, _) => return Err(wrong("it is compared by `<` or `>`")),
        };
        Ok(Filter { field, comparison, wanted })
    }

    /// Whether a row with this value is shown. What is not known is neither less nor more, and is no text.
    pub(super) fn takes(&self, value: &Value<'_>) -> bool {
        match (value, &self.wanted) {
            (Value::Text(text), Wanted::Texts(wanted)) => {
                wanted.iter().any(|wanted| wanted == text) == (self.comparison == Comparison::Is)
            }
            (Value::Text(text), Wanted::Part(part)) => text.to_lowercase().contains(part),
            (Value::Flag(flag), Wanted::Flag(wanted)) => {
                (flag == wanted) == (self.comparison == Comparison::Is)
            }
            (Value::Number(number), Wanted::Number(limit)) => match self.comparison {
                Comparison::Less => number < limit,
                _ => number > limit,
            },
            _ => false,
        }
    }
}

/// A filter of this field that works.
fn example(field: Field) -> String {
    let word = field.word();
    match field.form() {
        Form::Text => format!("write `{word}=VALUE`, or `{word}~PART`"),
        Form::Word(words) => format!("write `{word}={}`", words.first().unwrap_or(&"")),
        Form::Flag => format!("write `{word}=true`"),
        Form::Age => format!("write `{word}>7d` or `{word}<1h`"),
        Form::Size => format!("write `{word}>1G` or `{word}<200M`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 5] = [Field::Task, Field::Status, Field::Live, Field::Age, Field::Size];

    #[test]
    fn a_filter_takes_what_it_says() {
        let (week, flag) = (Value::Number(7 * 86_400), Value::Flag(true));
        let (task, failed) = (Value::from("Fix-Login"), Value::from("failed"));
        for (filter, value, takes) in [
            ("task=Fix-Login", &task, true),
            ("task=fix-login", &task, false),
            ("task!=fix-login", &task, true),
            ("task~LOGIN", &task, true),
            ("task~logout", &task, false),
            ("task=a,Fix-Login", &task, true),
            ("task!=a,Fix-Login", &task, false),
            ("task=", &Value::from(""), true),
            ("status=failed,crashed", &failed, true),
            ("status!=failed", &failed, false),
            ("status~fail", &failed, true),
            ("live=true", &flag, true),
            ("live!=true", &flag, false),
            ("live=false", &flag, false),
            ("age>6d23h", &week, true),
            ("age>7d", &week, false),
            ("age<7d", &week, false),
            ("age<8d", &week, true),
            ("age<8d", &Value::Unknown, false),
            ("age>0", &Value::Unknown, false),
            ("size>1K", &Value::Number(1025), true),
            ("size<1K", &Value::Number(1024), false),
        ] {
            let parsed = Filter::parse(filter, &FIELDS).unwrap();
            assert_eq!(parsed.takes(value), takes, "{filter} {value:?}");
        }
    }

    #[test]
    fn what_is_no_filter_says_what_would_be_one() {
        for (filter, expected) in [
            ("colour=red", "there is no field `colour`; the fields are task, status, live, age, size"),
            ("", "there is no field ``"),
            ("=x", "there is no field ``"),
            ("provider=x", "there is no field `provider`"),
            ("live", "`live` compares with nothing; write `live=true`"),
            ("live=yes", "it is `true` or `false`"),
            ("live~t", "it is compared by `=`"),
            ("status=runing", "`runing` is none of prepared, "),
            ("status>failed", "compared by `=`, `!=` or `~`"),
            ("age=7d", "it is compared by `<` or `>`; write `age>7d`"),
            ("age>7", "`7` is not a duration"),
            ("size>big", "`big` is not a size"),
            ("size>=1G", "`=1G` is not a size"),
        ] {
            let told = Filter::parse(filter, &FIELDS).unwrap_err();
            assert!(told.contains(expected), "{filter}: {told}");
        }
    }
}
