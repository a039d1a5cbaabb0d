//! A record as the upstream reported it: five fields, each verbatim, and its JSON text.
//!
//! The rule: nothing is trimmed, folded or guessed here; [`Record::source`] always reproduces the record.

use std::borrow::Cow;

/// One field of a record. Missing, null and empty are three different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// The key is absent.
    Missing,
    /// The value is `null`.
    Null,
    /// The value is a string of valid Unicode.
    Text(Cow<'a, str>),
    /// The value is a string with lone surrogates: readable text with U+FFFD in their place, and the JSON string as
    /// received.
    Broken {
        /// What can be shown.
        text: String,
        /// The exact JSON string, quotes included.
        json: &'a str,
    },
    /// The value is a number, boolean, list or object: its JSON text.
    Other(&'a str),
}

impl Field<'_> {
    /// The value as text, for a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Broken { text, .. } => Some(text),
            Self::Missing | Self::Null | Self::Other(_) => None,
        }
    }
}

/// A record: the fields of `zoom-api` section b, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// `action`, such as `ADD`.
    pub action: Field<'a>,
    /// `category_type`, a display name such as `Phone Number`.
    pub category_type: Field<'a>,
    /// `operation_detail`, free text.
    pub operation_detail: Field<'a>,
    /// `operator`, who did it.
    pub operator: Field<'a>,
    /// `time`.
    pub time: Field<'a>,
    /// Everything else the record holds, as canonical JSON (keys sorted, no white space), or the whole record where it is
    /// no object; `None` where there is nothing else.
    pub rest: Option<String>,
    /// What it was read from: its JSON text as received, if [`Source`] had that.
    pub source: &'a str,
}

/// What a record is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'p> {
    /// Its JSON text, within its page; or, of a record that the columns of its row give back, any text that holds `places`.
    pub text: &'p str,
    /// Where the texts of a record's five fields (in the order of [`Record`]'s) start and end in `text`, in bytes: known
    /// where they stand there without escapes and beside nothing else, as most do.
    pub places: Option<[(u16, u16); 5]>,
}
