//! A commit that the repository of a checkout lacks, from one of its remotes.

use std::time::Duration;

use anyhow::Result;

use super::checkout::Checkout;
use super::remote::Remote;

use crate::order;

/// The longest that it may take: a history may come with it.
const LIMIT: Duration = Duration::from_secs(30 * 60);

impl Checkout {
    /// The addresses of the repository's remotes, that of `origin` first.
    ///
    /// # Errors
    /// As git reports it.
    pub fn addresses(&self) -> Result<Vec<String>> {
        let repository = self.repository().beside(self.git_dir());
        let urls = ["config", "--local", "-z", "--get-regexp", r"^remote\..*\.url$"];
        let listed = repository.look(urls).answer()?.unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed);
        let pairs = listed.split('\0').filter_map(|setting| setting.split_once('\n'));
        let mut found: Vec<(bool, &str)> = pairs
            .map(|(key, url)| (key != "remote.origin.url", url))
            .filter(|(_, url)| !url.is_empty())
            .collect();
        order::sort_by_key(&mut found, |(is_other, _)| *is_other);
        Ok(found.into_iter().map(|(_, url)| url.to_owned()).collect())
    }

    /// Fetches the objects of a commit from a remote. Of the repository's configuration nothing is used, and no ref changes.
    ///
    /// # Errors
    /// As git reports it, also when the remote does not have it.
    pub fn fetch_objects(&self, remote: &Remote, commit: &str) -> Result<()> {
        let beside = self.repository();
        beside.beside(self.git_dir()).within(LIMIT, beside.stop()).fetch_objects(remote, commit)
    }
}
