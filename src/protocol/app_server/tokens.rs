//! The tokens of a thread. The server states the sum since the thread began, which may have been in another run.

use serde_json::Value;

use crate::protocol::Usage;

/// What a thread used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    /// Before this run.
    before: Option<Usage>,
    total: Usage,
}

impl Tokens {
    /// A statement from before this run's turn.
    pub(super) fn told_before(&mut self, usage: &Value) {
        let total = read(&usage["total"]);
        (self.before, self.total) = (Some(total), total);
    }

    /// A statement of this run's turn. Returns what this run has used so far, where it is more than before.
    pub(super) fn told(&mut self, usage: &Value) -> Option<Usage> {
        let (total, last) = (read(&usage["total"]), read(&usage["last"]));
        let before = *self.before.get_or_insert_with(|| less(&total, &last));
        if total == self.total || total.is_zero() {
            return None; // the limits of the account are told with the same numbers again
        }
        self.total = total;
        Some(less(&total, &before))
    }
}

/// The server counts what came from the cache, and what was put into it, as input too; reasoning is a part of the output.
fn read(counts: &Value) -> Usage {
    let count = |name: &str| counts[name].as_u64().unwrap_or_default();
    let (cached, written) = (count("cachedInputTokens"), count("cacheWriteInputTokens"));
    Usage {
        input_tokens: count("inputTokens").saturating_sub(cached).saturating_sub(written),
        output_tokens: count("outputTokens"),
        cache_read_tokens: cached,
        cache_write_tokens: written,
    }
}

fn less(all: &Usage, part: &Usage) -> Usage {
    Usage {
        input_tokens: all.input_tokens.saturating_sub(part.input_tokens),
        output_tokens: all.output_tokens.saturating_sub(part.output_tokens),
        cache_read_tokens: all.cache_read_tokens.saturating_sub(part.cache_read_tokens),
        cache_write_tokens: all.cache_write_tokens.saturating_sub(part.cache_write_tokens),
    }
}
