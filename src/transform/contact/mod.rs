//! Phone numbers, email addresses and extensions that a text mentions, wherever they stand in it.
//!
//! The rule: this recognises, it never validates. A number that is too short, too long or masked is still a number, and
//! what surrounds one (any script, no white space at all) does not hide it. Every scan passes over the text once.

mod email;
mod extension;
mod phone;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use memchr::memchr;
use smallvec::SmallVec;

use self::email::email_spans;
pub(super) use self::email::{email_key, holds_email, is_email};
use self::extension::{announced_extensions, leading_extension, suffixed_extension};
use self::phone::{compact, phone_spans};
use super::trim::trim;

/// Parts of a text, in order. Most texts have few.
type Spans = SmallVec<[Range<usize>; 2]>;

/// How many items are compared one by one before a set tells whether one is there.
const FEW: usize = 16;

/// Where a text mentions phone numbers and email addresses.
#[derive(Debug)]
pub(super) struct Contacts<'t> {
    text: &'t str,
    emails: Spans,
    phones: Spans,
}

impl<'t> Contacts<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let emails = email_spans(text).collect::<Spans>();
        let phones = if memchr(b'+', text.as_bytes()).is_some() { phone_spans(text, &emails) } else { Spans::new() };
        Self { text, emails, phones }
    }

    /// Where email addresses stand, in order.
    pub(super) fn email_spans(&self) -> &[Range<usize>] {
        &self.emails
    }

    /// Where phone numbers stand, in order.
    pub(super) fn phone_spans(&self) -> &[Range<usize>] {
        &self.phones
    }

    /// Every number written with a `+`, as `+` and digits, in order, once each.
    ///
    /// A masked number keeps the digits that show: `+1 415 *** 2671` is `+14152671`.
    pub(super) fn phone_numbers(&self) -> Vec<Cow<'t, str>> {
        once_each(self.phones.iter().map(|span| compact(&self.text[span.clone()])))
    }

    /// Every email address, lower case, in order, once each.
    pub(super) fn emails(&self) -> Vec<Cow<'t, str>> {
        once_each(self.emails.iter().map(|span| email_key(&self.text[span.clone()])))
    }

    /// Every extension number that a word announces (`Ext. 801`, `Extension Number: from 801 to 802`) or that directly
    /// follows a phone number (`+1 415 555 0100 x801`), in order, once each.
    pub(super) fn extensions(&self) -> Vec<Cow<'t, str>> {
        let mut spans = announced_extensions(self.text, &self.emails);
        spans.extend(self.phones.iter().filter_map(|phone| suffixed_extension(self.text, phone.end)));
        spans.sort_by_key(|span| span.start);
        once_each(spans.into_iter().map(|span| Cow::Borrowed(&self.text[span])))
    }
}

/// How many bytes at the start of `text` are phone numbers, email addresses and extensions, one or a list of them.
pub(super) fn leading_contacts(text: &str) -> usize {
    let start = leading_extension(text);
    if !text.starts_with('+') {
        return end_of_list(text, start, email_spans(text));
    }
    let emails = email_spans(text).collect::<Spans>();
    let mut spans = phone_spans(text, &emails);
    spans.extend(emails);
    spans.sort_by_key(|span| span.start);
    end_of_list(text, start, spans)
}

/// Where the list of `spans` ends that goes on at `start`.
fn end_of_list(text: &str, start: usize, spans: impl IntoIterator<Item = Range<usize>>) -> usize {
    let mut end = start;
    for span in spans {
        let between = text.get(end..span.start).unwrap_or("\0");
        if !matches!(trim(between), "" | "," | ";" | "&" | "and") {
            break;
        }
        end = span.end;
    }
    end
}

fn once_each<'t>(items: impl Iterator<Item = Cow<'t, str>>) -> Vec<Cow<'t, str>> {
    let mut list: Vec<Cow<'t, str>> = Vec::new();
    let mut listed: Option<HashSet<Cow<'t, str>>> = None;
    for item in items {
        let is_listed = if list.len() <= FEW {
            list.contains(&item)
        } else {
            !listed.get_or_insert_with(|| list.iter().cloned().collect()).insert(item.clone())
        };
        if !is_listed {
            list.push(item);
        }
    }
    list
}

/// Whether `at` lies in one of the ordered, disjoint `spans`.
fn within(spans: &[Range<usize>], at: usize) -> bool {
    let next = spans.partition_point(|span| span.end <= at);
    spans.get(next).is_some_and(|span| span.start <= at)
}
