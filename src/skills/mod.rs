//! skills

pub mod slug;
