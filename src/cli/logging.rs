//! The log on standard error.

use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that sets the level.
const LEVEL_VARIABLE: &str = "PHONETRAIL_LOG";

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line of text per event.
    #[default]
    Text,
    /// A JSON object per event.
    Json,
}

/// Starts logging. On a terminal, where a progress bar tells how things go, only warnings are logged by default.
pub(super) fn start(format: LogFormat) {
    // The log's library gives back as an error whatever it logs as one, and a table that is not there is none.
    let default = if stderr().is_terminal() {
        "off,phonetrail=warn"
    } else {
        "warn,phonetrail=info,delta_kernel=off,delta_kernel_default_engine=off"
    };
    let filter = std::env::var(LEVEL_VARIABLE).unwrap_or_else(|_| default.to_owned());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false);
    let harmless = filter_fn(is_harmless);
    match format {
        LogFormat::Text => subscriber.finish().with(harmless).init(),
        LogFormat::Json => subscriber.json().finish().with(harmless).init(),
    }
}

/// Whether what is logged there holds no contents of records, whatever level is set: the library of the table's log prints
/// the statistics of data files, least and greatest values included, where it is to be debugged.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("delta_kernel") || *metadata.level() <= Level::INFO
}
