//! Formats of files that people and agents write: parsing with positions, and writing into them.

pub mod yaml;
