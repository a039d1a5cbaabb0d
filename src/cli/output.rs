//! How data is written to standard output.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::exit::Exit;
use super::failure::Failure;

/// Form of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SummaryFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// Writes `text` to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write_out(|out| out.write_all(text.as_bytes()))
}

/// Writes `value` to standard output as one JSON object.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    write_out(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Lets `write` write to standard output.
pub(super) fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        // Whoever reads has read enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(Exit::Destination, &error, "Standard output cannot be written.")),
        Ok(()) => Ok(()),
    }
}
