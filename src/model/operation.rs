//! A record made typed: time, category, operator and detail read out of it, beside its verbatim fields.

use std::borrow::Cow;
use std::fmt;

use super::AccountId;

/// The identity of a row: 16 bytes of SHA-256, shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// How many hex digits show one.
    pub const HEX_DIGITS: usize = 32;

    /// Writes the hex digits to `digits`, which has room for exactly [`Self::HEX_DIGITS`].
    pub fn write_hex(self, digits: &mut [u8]) {
        data_encoding::HEXLOWER.encode_mut(&self.0, digits);
    }

    /// Reads the 32 lower-case hex digits that [`fmt::Display`] writes.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if hex.len() != Self::HEX_DIGITS {
            return None;
        }
        data_encoding::HEXLOWER.decode_mut(hex.as_bytes(), &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A typed row. Columns that are the same for a whole run (`report`, `ingested_at`) are added when rows become a
/// [`super::Batch`].
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<'a> {
    /// Identity within the table.
    pub record_id: RecordId,
    /// Microseconds since the Unix epoch, UTC; `None` where `time` cannot be read.
    pub event_time: Option<i64>,
    /// Whose it is.
    pub account: &'a AccountId,
    /// `action`, verbatim.
    pub action: Option<Cow<'a, str>>,
    /// The action in lower case without its channel: `add`, `update`, `delete`, ...
    pub action_kind: Option<Cow<'static, str>>,
    /// How it was made where that was not the console: `scim_api`, `rest_api`, `batch`.
    pub channel: Option<Cow<'static, str>>,
    /// `category_type`, verbatim.
    pub category_type: Option<Cow<'a, str>>,
    /// `operator` and what it says.
    pub operator: Operator<'a>,
    /// `operation_detail`, verbatim.
    pub operation_detail: Option<Cow<'a, str>>,
    /// What the detail says. Rows share it where their details agree.
    pub detail: &'a Detail<'a>,
    /// The record's JSON where the columns cannot reproduce it.
    pub source_json: Option<Cow<'a, str>>,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator<'a> {
    /// `operator`, verbatim.
    pub verbatim: Option<Cow<'a, str>>,
    /// Trimmed, NFC, emails in lower case; `None` where nothing is left.
    pub id: Option<Cow<'a, str>>,
    /// What sort of actor it is.
    pub kind: OperatorKind,
    /// The domain of an email address.
    pub domain: Option<Cow<'a, str>>,
}

impl Operator<'_> {
    /// The same, for a text that does not live as long as the row.
    pub fn into_owned(self) -> Operator<'static> {
        Operator {
            verbatim: self.verbatim.map(owned),
            id: self.id.map(owned),
            kind: self.kind,
            domain: self.domain.map(owned),
        }
    }
}

/// What sort of actor an operator is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperatorKind {
    /// A person: an email address.
    User,
    /// The upstream itself, or its support.
    System,
    /// An app or an API client.
    App,
    /// Anything else, and none.
    #[default]
    Unknown,
}

impl OperatorKind {
    /// The column's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::App => "app",
            Self::Unknown => "unknown",
        }
    }
}

/// What `operation_detail` says, best effort. It borrows from the text it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail<'a> {
    /// How sure the reading is.
    pub status: DetailStatus,
    /// The head's first word, lower case, where it is a verb.
    pub verb: Option<Cow<'a, str>>,
    /// What was acted on: a snake_case slug in the singular.
    pub object_type: Option<Cow<'a, str>>,
    /// Which one, verbatim.
    pub object_name: Option<Cow<'a, str>>,
    /// `to`, `from`, `for`, ... where the head names a second party.
    pub target_relation: Option<&'static str>,
    /// The second party's name.
    pub target_name: Option<Cow<'a, str>>,
    /// The second party's email address, lower case.
    pub target_email: Option<Cow<'a, str>>,
    /// One per item.
    pub changes: Vec<Change<'a>>,
    /// `+` and digits, in order of appearance, once each.
    pub phone_numbers: Vec<Cow<'a, str>>,
    /// Lower case, in order of appearance, once each.
    pub emails: Vec<Cow<'a, str>>,
    /// Extension numbers, in order of appearance, once each.
    pub extensions: Vec<Cow<'a, str>>,
}

impl Detail<'_> {
    /// The same, for a text that does not live as long as the row.
    pub fn into_owned(self) -> Detail<'static> {
        let texts = |list: Vec<Cow<'_, str>>| list.into_iter().map(owned).collect();
        Detail {
            status: self.status,
            verb: self.verb.map(owned),
            object_type: self.object_type.map(owned),
            object_name: self.object_name.map(owned),
            target_relation: self.target_relation,
            target_name: self.target_name.map(owned),
            target_email: self.target_email.map(owned),
            changes: self.changes.into_iter().map(Change::into_owned).collect(),
            phone_numbers: texts(self.phone_numbers),
            emails: texts(self.emails),
            extensions: texts(self.extensions),
        }
    }
}

/// How sure a reading of a detail is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetailStatus {
    /// One reading, all text accounted for.
    Parsed,
    /// More than one reading; the likeliest is given.
    Ambiguous,
    /// No reading; the object name holds the whole head.
    #[default]
    Unparsed,
}

impl DetailStatus {
    /// Reads the column's value.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Parsed, Self::Ambiguous, Self::Unparsed].into_iter().find(|status| status.as_str() == text)
    }

    /// The column's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Ambiguous => "ambiguous",
            Self::Unparsed => "unparsed",
        }
    }
}

/// One item of a detail: a field that went from one value to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change<'a> {
    /// The setting's name.
    pub field: Cow<'a, str>,
    /// The value before; `None` where the text gives none, which is not the same as an empty one.
    pub old_value: Option<Cow<'a, str>>,
    /// The value after.
    pub new_value: Option<Cow<'a, str>>,
}

impl Change<'_> {
    fn into_owned(self) -> Change<'static> {
        Change { field: owned(self.field), old_value: self.old_value.map(owned), new_value: self.new_value.map(owned) }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
