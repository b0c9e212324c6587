//! The user's guide, `man/execenv-guide.7`, as `build.rs` has packed it.

use std::io::Read;

use flate2::read::DeflateDecoder;

/// The name of its page.
pub(super) const NAME: &str = "execenv-guide";

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guide.deflate"));

/// The page, in roff.
pub(super) fn page() -> String {
    let mut text = String::new();
    DeflateDecoder::new(PACKED).read_to_string(&mut text).expect("`build.rs` has packed UTF-8");
    text
}
