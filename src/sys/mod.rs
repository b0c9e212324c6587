//! sys

pub mod child;
