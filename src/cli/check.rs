//! `phonetrail check`.

use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::output::print;
use super::settings::{DestinationArgs, UpstreamArgs};
use crate::extract::{Observer, Source};
use crate::pipeline::{self, Checked, Finding};

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    #[command(flatten)]
    upstream: UpstreamArgs,
}

/// Prints a line for everything tried, and gives the code of the first that fails.
pub(super) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let (destination, layers) = args.destination.resolve()?;
    let resolved = layers.upstream(&args.upstream, Observer::default())?;
    print(&line("ok", "settings", &resolved.describe()))?;
    let source = Source::try_new(resolved.credentials, resolved.settings)
        .map_err(|error| Failure::new(Exit::from(&error), &error, error.hint()))?;

    let mut exit = Exit::Done;
    let mut checked = pipeline::check_upstream(&source).await;
    checked.extend(pipeline::check_destination(&destination).await);
    for Checked { name, finding } in checked {
        let shown = match finding {
            Finding::Works(text) => line("ok", name, &text),
            Finding::Warning(text) => line("warning", name, &text),
            Finding::Skipped => line("skipped", name, "something before it fails"),
            Finding::Fails(error) => {
                let failure = Failure::from(error);
                exit = if exit == Exit::Done { failure.exit() } else { exit };
                line("fails", name, failure.text())
            }
        };
        print(&shown)?;
    }
    Ok(exit)
}

fn line(state: &str, name: &str, text: &str) -> String {
    format!("{state:<8}{name:<13}{text}\n")
}
