//! From bytes to events: [`lines`] cuts the stream, [`shorten`] makes oversized lines bearable, one file a dialect
//! reads them.

pub mod claude;
pub mod lines;
mod shorten;
