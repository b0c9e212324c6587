//! What is put into a work dir, and how it comes out again.

pub mod marker;
