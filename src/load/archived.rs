//! Packs -> the windows they hold.
//!
//! The rule: a window comes back with all its pages in order, or its pack is refused.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::archive::{PACK_SUFFIX, RAW_DIRECTORY, pages};
use super::{LoadError, Store};
use crate::model::{AccountId, Page, Window};

/// A window as it was read once, out of the archive.
#[derive(Clone, Debug)]
pub struct ArchivedWindow {
    /// Whose records it holds.
    pub account: AccountId,
    /// What was asked.
    pub window: Window,
    /// When its first page was received.
    pub received_at: DateTime<Utc>,
    /// All pages, in order.
    pub pages: Vec<Page>,
}

/// The published packs, by the month their windows begin in, then by age.
pub async fn packs(store: &Store) -> Result<Vec<String>, LoadError> {
    let listed = store.list(RAW_DIRECTORY).await?.into_iter().map(|listed| listed.path);
    let mut packs: Vec<String> = listed.filter(|path| path.ends_with(PACK_SUFFIX)).collect();
    packs.sort_by_cached_key(|path| (month(path), path.clone()));
    Ok(packs)
}

/// The windows of a pack, in order.
pub fn archived_windows(path: &str, bytes: &Bytes) -> Result<Vec<ArchivedWindow>, LoadError> {
    let mut windows: Vec<ArchivedWindow> = Vec::new();
    for (account, page) in pages(path, bytes)? {
        match windows.last_mut() {
            Some(last) if last.goes_on_with(&account, &page) => last.pages.push(page),
            _ if page.number == 0 => windows.push(ArchivedWindow {
                account,
                window: page.window.clone(),
                received_at: page.received_at,
                pages: vec![page],
            }),
            _ => {
                let lacking = format!("page {} of window {} has no page before it", page.number, page.window);
                let source = std::io::Error::new(std::io::ErrorKind::InvalidData, lacking);
                return Err(LoadError::Pack { action: "read", path: path.to_owned(), source });
            }
        }
    }
    Ok(windows)
}

impl ArchivedWindow {
    fn goes_on_with(&self, account: &AccountId, page: &Page) -> bool {
        page.number as usize == self.pages.len() && page.window == self.window && *account == self.account
    }
}

/// Year and month that the path names, unpadded as they are there.
fn month(path: &str) -> (Option<i32>, Option<u32>) {
    let part = |key: &str| path.split('/').find_map(|part| part.strip_prefix(key));
    (part("year=").and_then(|year| year.parse().ok()), part("month=").and_then(|month| month.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pack;
    use crate::model::Scope;

    fn page(day: &str, number: u32) -> Page {
        let day = day.parse().unwrap();
        Page {
            window: Window::try_new(day, day, Scope::All).unwrap(),
            number,
            request: String::new(),
            received_at: DateTime::UNIX_EPOCH,
            status: 200,
            tracking_id: None,
            body: Bytes::from_static(b"{}").into(),
        }
    }

    fn windows(pages: &[Page]) -> Result<Vec<usize>, LoadError> {
        let month = "2022-02-01".parse().unwrap();
        let (pack, bytes) = pack(&AccountId::new("a"), month, "x", pages).unwrap();
        let windows = archived_windows(&pack.path, &bytes)?;
        Ok(windows.iter().map(|window| window.pages.len()).collect())
    }

    #[test]
    fn pages_come_back_by_window() {
        let (one, other) = ("2022-02-01", "2022-02-02");
        assert_eq!(windows(&[page(one, 0), page(one, 1), page(other, 0), page(other, 0)]).unwrap(), [2, 1, 1]);
    }

    #[test]
    fn a_page_without_the_one_before_it_is_refused() {
        let error = windows(&[page("2022-02-01", 0), page("2022-02-01", 2)]).unwrap_err();
        assert!(error.to_string().contains("raw/year=2022/month=2/x.ndjson.zst"), "{error}");
    }

    #[test]
    fn months_sort_by_number() {
        assert!(month("raw/year=2022/month=2/x") < month("raw/year=2022/month=10/a"));
        assert!(month("raw/year=2022/month=12/x") < month("raw/year=2023/month=1/a"));
    }
}
