//! All pages.

use super::form::Facts;
use super::{look, operate, steps, work};

/// All pages but that of `execenv` itself.
pub(in crate::app::man) fn pages() -> impl Iterator<Item = &'static Facts> {
    [steps::PAGES, look::PAGES, work::PAGES, operate::PAGES].into_iter().flatten()
}
