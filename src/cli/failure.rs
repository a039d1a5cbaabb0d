//! How an error is shown: one line that says what failed, why, and what to do.

use std::error::Error;
use std::io::Write;

use super::exit::Exit;
use crate::load::LoadError;
use crate::model::AccountId;
use crate::pipeline::{CompactError, ReplayError, SyncError};

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    line: String,
}

impl Failure {
    /// `error` with all its causes, then `hint`.
    pub(super) fn new(exit: Exit, error: &(dyn Error + 'static), hint: &str) -> Self {
        let mut parts: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = without_xml(&cause.to_string()).replace(['\n', '\r'], " ");
            // Some libraries repeat a cause's text in their own.
            if !parts.last().is_some_and(|last| last.contains(&text)) {
                parts.push(text);
            }
            next = cause.source();
        }
        let line = format!("{}. {hint}", parts.join(": ").trim_end_matches(['.', ' ']));
        Self { exit, line: line.trim_end().to_owned() }
    }

    /// The code that the program ends with.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// The line.
    pub(super) fn text(&self) -> &str {
        &self.line
    }

    /// The same, of one account among several.
    pub(super) fn of(self, account: &AccountId) -> Self {
        Self { line: format!("account {account}: {}", self.line), ..self }
    }

    /// Prints the line, and gives the exit code.
    pub(super) fn report(self) -> Exit {
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(std::io::stderr(), "phonetrail: {}", self.line);
        self.exit
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        let hint = match &error {
            SyncError::Extract(error) => return Self::new(Exit::from(error), error, error.hint()),
            SyncError::EmptyRange { .. } => "Give --from a day that is not after --to, nor in the future.",
            SyncError::Contended { .. } => "Run again when fewer runs write to this destination.",
            SyncError::Load(error) => return Self::new(Exit::from(error), error, load_hint(error)),
            SyncError::Ledger(_) => "Nothing was changed.",
            _ => "Run again with PHONETRAIL_LOG=debug, and report it with that log.",
        };
        Self::new(Exit::from(&error), &error, hint)
    }
}

impl From<CompactError> for Failure {
    fn from(error: CompactError) -> Self {
        let hint = match &error {
            CompactError::NoTable { .. } => "Run `phonetrail sync` first.",
            CompactError::Load(cause) => return Self::new(Exit::from(&error), cause, load_hint(cause)),
            CompactError::RowsDiffer { .. } => {
                "Nothing was changed. Check the machine's memory and disk, then run again."
            }
            CompactError::Contended { .. } => "Run again when fewer runs write to this destination.",
            _ => "Nothing was changed.",
        };
        Self::new(Exit::from(&error), &error, hint)
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        let hint = match &error {
            ReplayError::NoPacks { .. } => "Give --source the destination of a sync.",
            ReplayError::NoTable { .. } => "Leave out --check to make one.",
            ReplayError::Occupied { .. } => "Give --destination a place without a table, or the source itself.",
            ReplayError::Incomplete { .. } => "Restore the packs from a copy. Nothing was changed.",
            ReplayError::RowsDiffer { .. } => {
                "Replaying would lose rows, so nothing was changed; --check says where they differ."
            }
            ReplayError::Load(cause) => return Self::new(Exit::from(&error), cause, load_hint(cause)),
            ReplayError::Contended => "Nothing was changed; run again when no other run writes to this destination.",
            _ => "Nothing was changed.",
        };
        Self::new(Exit::from(&error), &error, hint)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new(Exit::from(&error), &error, load_hint(&error))
    }
}

/// What to look at where object storage refuses.
const REMOTE_HINT: &str = "Check the variables AWS_*, GOOGLE_* or AZURE_* of the environment, and that they permit to \
                           list, read, write and delete.";

fn load_hint(error: &LoadError) -> &'static str {
    match error {
        LoadError::Destination { .. } => "Give a directory that this user may write to.",
        LoadError::Unencrypted { .. } => {
            "Use https; or set AWS_ALLOW_HTTP, AZURE_ALLOW_HTTP or GOOGLE_ALLOW_HTTP to true."
        }
        LoadError::Overwrites { .. } => {
            "Concurrent runs would lose commits there: choose a store that honours conditional writes (If-None-Match: *)."
        }
        LoadError::Url { .. } => REMOTE_HINT,
        _ if answered(error, &["401 ", "403 "]) => REMOTE_HINT,
        _ if answered(error, &["404 "]) => "See that the bucket or container exists.",
        LoadError::Object { .. } | LoadError::Table { .. } | LoadError::Parquet { action: "write", .. } => {
            "Check the destination's permissions and free space, then run again."
        }
        LoadError::Altered { .. } => "Restore it from a copy: somebody or something has altered it.",
        LoadError::Overdue => "Nothing of it was committed: run again.",
        LoadError::Unsorted { .. } => {
            "Another writer left it so: restore the files it replaced, or leave the month as it is."
        }
        LoadError::Commit { .. }
        | LoadError::ForeignFile { .. }
        | LoadError::UnknownColumn { .. }
        | LoadError::Pack { .. } => {
            "Something else may have written to the destination; restore it from a copy, or choose another one."
        }
        _ => "Check the destination, then run again.",
    }
}

/// Whether object storage answered with one of these statuses. The store's client tells it in words only.
fn answered(error: &(dyn Error + 'static), statuses: &[&str]) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if statuses.iter().any(|status| text.contains(&format!("status code: {status}"))) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// `text` with the code and the message of an XML answer in the answer's place: some repeat the request, with the session
/// token in it.
fn without_xml(text: &str) -> String {
    let Some((before, xml)) = text.split_once("<?xml").or_else(|| text.split_once("<Error>")) else {
        return text.to_owned();
    };
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
    };
    let parts: Vec<&str> = ["Code", "Message"].into_iter().filter_map(element).collect();
    format!("{before}{}", parts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_in_xml_only_code_and_message_are_shown() {
        let xml = "403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>No match.\
                   </Message><CanonicalRequest>x-amz-security-token:swordfish</CanonicalRequest></Error>";
        assert_eq!(without_xml(xml), "403 Forbidden: SignatureDoesNotMatch: No match.");
        assert_eq!(without_xml("<Error><Code>AccessDenied</Code></Error>"), "AccessDenied");
        assert_eq!(without_xml("no such file"), "no such file");
    }
}
