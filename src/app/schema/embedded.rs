//! The texts of `schemas/`, as `build.rs` has packed them.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::DeflateDecoder;
use serde_json::Value;

/// Name and text of each file, each followed by a byte 0, deflated together.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.deflate"));

static UNPACKED: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    DeflateDecoder::new(PACKED).read_to_string(&mut text).expect("`build.rs` has packed UTF-8");
    text
});

static TEXTS: LazyLock<Vec<Text>> = LazyLock::new(|| {
    let parts: Vec<&str> = UNPACKED.split_terminator('\0').collect();
    parts.chunks_exact(2).map(|pair| Text { name: pair[0], json: pair[1] }).collect()
});

/// One schema.
pub(super) struct Text {
    /// Its name.
    pub(super) name: &'static str,
    /// The file.
    pub(super) json: &'static str,
}

impl Text {
    /// The schema.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(self.json).expect("the file was generated")
    }

    /// What it describes.
    pub(super) fn title(&self) -> String {
        self.field("title")
    }

    /// Its address, which stays.
    pub(super) fn id(&self) -> String {
        self.field("$id")
    }

    fn field(&self, name: &str) -> String {
        self.value()[name].as_str().unwrap_or_default().to_owned()
    }
}

/// Every schema, by name.
pub(super) fn texts() -> &'static [Text] {
    &TEXTS
}

/// Whether there is a schema of this name.
pub(in crate::app) fn has(name: &str) -> bool {
    texts().iter().any(|text| text.name == name)
}
