//! What a manual page says besides what the grammar says: statuses, fields of the JSON answer, files.

mod document;
mod form;
mod look;
mod operate;
mod pages;
mod steps;
mod work;

pub(in crate::app) use document::DOCUMENT;
pub(super) use form::{Facts, STATUSES};
pub(super) use pages::pages;
