//! Token counts, as agents state them.

use super::read::{Any, Counts, Meta, ModelUsage, Quota, array, object, text};
use crate::protocol::Usage;

/// Counts in any of the spellings; `None` where there are none.
pub(super) fn read(value: Any<'_>) -> Option<Usage> {
    let counts: Counts<'_> = object(value)?;
    let number = |spellings: &[Any<'_>]| -> u64 {
        spellings.iter().flatten().find_map(|number| number.get().parse().ok()).unwrap_or(0)
    };
    let input = number(&[counts.input_tokens, counts.snake_input, counts.prompt_tokens]);
    let output = number(&[counts.output_tokens, counts.snake_output, counts.completion_tokens]);
    let cache_read = number(&[counts.cached_read_tokens, counts.snake_read, counts.cache_hit_tokens]);
    let cache_write = number(&[counts.cached_write_tokens, counts.snake_write]);
    let total = number(&[counts.total_tokens, counts.snake_total]);
    // Some count the cache as a part of the input, and some beside it; the total tells.
    let is_part = total > 0 && total < input.saturating_add(output).saturating_add(cache_read);
    let usage = Usage {
        input_tokens: if is_part { input.saturating_sub(cache_read + cache_write) } else { input },
        output_tokens: output,
        cache_read_tokens: cache_read,
        cache_write_tokens: cache_write,
    };
    (!usage.is_zero()).then_some(usage)
}

/// What an agent states outside of the protocol's own field: by model, or for the one at work, which has no name then.
pub(super) fn read_meta(meta: Any<'_>) -> Vec<(String, Usage)> {
    let Some(meta) = object::<Meta<'_>>(meta) else { return Vec::new() };
    if let Some(usage) = read(meta.usage) {
        let model = object::<Counts<'_>>(meta.usage).map(|counts| text(counts.model).into_owned());
        return vec![(model.unwrap_or_default(), usage)];
    }
    let Some(quota) = object::<Quota<'_>>(meta.quota) else { return Vec::new() };
    let by_model: Vec<_> = array(quota.model_usage)
        .into_iter()
        .filter_map(|row| object::<ModelUsage<'_>>(Some(row)))
        .filter_map(|row| Some((text(row.model).into_owned(), read(row.token_count)?)))
        .collect();
    if !by_model.is_empty() {
        return by_model;
    }
    read(quota.token_count).map(|usage| (String::new(), usage)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn counts_beside_the_protocol_are_told_by_model() {
        let json = r#"{"quota":{"token_count":{"input_tokens":9},"model_usage":[{"model":"m","token_count":{"input_tokens":5,"output_tokens":1}}]}}"#;
        let meta: &RawValue = serde_json::from_str(json).unwrap();
        let usage = Usage { input_tokens: 5, output_tokens: 1, ..Usage::default() };
        assert_eq!(read_meta(Some(meta)), [("m".to_owned(), usage)]);
        for (json, model) in
            [(r#"{"usage":{"inputTokens":3}}"#, ""), (r#"{"usage":{"inputTokens":3,"model":"m"}}"#, "m")]
        {
            let meta: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(
                read_meta(Some(meta))[0],
                (model.to_owned(), Usage { input_tokens: 3, ..Usage::default() })
            );
        }
    }

    #[test]
    fn the_buckets_never_overlap() {
        for (json, expected) in [
            (
                r#"{"inputTokens":1000,"outputTokens":34,"totalTokens":1234,"cachedReadTokens":200}"#,
                Some((1000, 34, 200)),
            ),
            (
                r#"{"inputTokens":2400,"outputTokens":68,"totalTokens":2468,"cachedReadTokens":400,"cachedWriteTokens":0}"#,
                Some((2000, 68, 400)),
            ),
            (
                r#"{"totalTokens":1234,"promptTokens":1200,"completionTokens":34,"cacheHitTokens":200}"#,
                Some((1000, 34, 200)),
            ),
            (r#"{"input_tokens":5,"output_tokens":"x"}"#, Some((5, 0, 0))),
            (r#"{"inputTokens":0}"#, None),
            ("[1]", None),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            let usage = read(Some(value));
            let shown = usage.map(|usage| (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens));
            assert_eq!(shown, expected, "{json}");
        }
    }
}
