//! Page tokens: each stands for a place in the records of one query, and is good for that query only.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::account::Selection;
use super::opaque::Opaque;
use super::query::{Asked, Range};

/// As long as the token in the upstream's documentation.
const TOKEN_LENGTH: usize = 35;

/// Where in a query's records a page begins.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What was asked: a request with the token must ask the same.
    pub(super) asked: Asked,
    /// The range that this meant when the first page was read.
    pub(super) range: Range,
    /// How many records lie before the page.
    pub(super) offset: usize,
    /// The records, where later arrivals shall not move them.
    pub(super) snapshot: Option<Arc<Selection<'static>>>,
}

/// The tokens given out and not yet dead.
pub(super) struct PageTokens {
    lifetime: Duration,
    single_use: bool,
    texts: Opaque,
    places: HashMap<String, Place>,
    by_age: VecDeque<(Instant, String)>,
    given_out: Vec<String>,
}

impl PageTokens {
    pub(super) fn new(lifetime: Duration, single_use: bool) -> Self {
        Self {
            lifetime,
            single_use,
            texts: Opaque::new(),
            places: HashMap::new(),
            by_age: VecDeque::new(),
            given_out: Vec::new(),
        }
    }

    pub(super) fn issue(&mut self, place: Place, now: Instant) -> String {
        let token = self.texts.text(TOKEN_LENGTH);
        self.places.insert(token.clone(), place);
        self.by_age.push_back((now + self.lifetime, token.clone()));
        self.given_out.push(token.clone());
        token
    }

    /// All tokens, dead ones included.
    pub(super) fn given_out(&self) -> &[String] {
        &self.given_out
    }

    /// The place of `token`, unless the token is unknown, dead, used up, or of another query.
    pub(super) fn redeem(&mut self, token: &str, asked: &Asked, now: Instant) -> Option<Place> {
        self.bury_dead(now);
        let place = self.places.get(token).filter(|place| place.asked == *asked).cloned()?;
        if self.single_use {
            self.places.remove(token);
        }
        Some(place)
    }

    /// Ends `token` before its time.
    pub(super) fn expire(&mut self, token: &str) {
        self.places.remove(token);
    }

    /// Frees the snapshots of dead tokens: all tokens live equally long, so the oldest die first.
    fn bury_dead(&mut self, now: Instant) {
        while self.by_age.front().is_some_and(|(expiry, _)| *expiry <= now) {
            if let Some((_, token)) = self.by_age.pop_front() {
                self.places.remove(&token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::SimulatorConfig;

    const MINUTE: Duration = Duration::from_secs(60);

    fn asked(query: &str) -> Asked {
        Asked::parse(&crate::simulator::stats::parameters(query.as_bytes())).unwrap()
    }

    fn place(query: &str) -> Place {
        let asked = asked(query);
        let range = asked.range(&SimulatorConfig::default(), chrono::Utc::now()).unwrap();
        Place { asked, range, offset: 30, snapshot: None }
    }

    #[test]
    fn a_token_is_good_for_its_own_query_only() {
        let now = Instant::now();
        let mut tokens = PageTokens::new(MINUTE, false);
        let query = "from=2022-02-01&to=2022-02-02";
        let token = tokens.issue(place(query), now);
        for other in ["&page_size=31", "&category_type=device"] {
            assert!(tokens.redeem(&token, &asked(&format!("{query}{other}")), now).is_none());
        }
        assert!(tokens.redeem(&token, &asked("from=2022-02-01&to=2022-02-03"), now).is_none());
        for same in ["", "&page_size=30", "&category_type=all"] {
            assert!(tokens.redeem(&token, &asked(&format!("{query}{same}")), now).is_some());
        }
    }

    #[test]
    fn a_token_dies() {
        let now = Instant::now();
        let mut tokens = PageTokens::new(MINUTE, false);
        let token = tokens.issue(place(""), now);
        assert!(tokens.redeem(&token, &asked(""), now + MINUTE / 2).is_some());
        assert!(tokens.redeem(&token, &asked(""), now + MINUTE).is_none());
        assert!(tokens.places.is_empty());
    }

    #[test]
    fn a_single_use_token_works_once() {
        let now = Instant::now();
        let mut tokens = PageTokens::new(MINUTE, true);
        let token = tokens.issue(place(""), now);
        assert!(tokens.redeem(&token, &asked(""), now).is_some());
        assert!(tokens.redeem(&token, &asked(""), now).is_none());
    }
}
