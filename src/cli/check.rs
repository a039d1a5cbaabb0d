//! `phonetrail check`.

use std::time::Duration;

use clap::Args;
use futures::future::join_all;

use super::exit::Exit;
use super::failure::Failure;
use super::output::print;
use super::settings::{Accounts, DestinationArgs, Resolved, UpstreamArgs};
use crate::extract::Source;
use crate::model::AccountId;
use crate::pipeline::{self, Checked, Finding};

/// Somebody waits for the answer: it is asked for three times while the account's rate is used up.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// Only this account of the settings file's; may be given more than once [default: all]
    #[arg(long, value_name = "ID")]
    account: Vec<String>,

    #[command(flatten)]
    upstream: UpstreamArgs,
}

/// Prints a line for everything tried, and gives the code of the first that fails; of several accounts, the gravest.
pub(super) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let layers = args.destination.layers()?;
    // Resolved before anything is printed: wrong usage is told by itself.
    let destination = usable(args.destination.destination(&layers))?;
    let upstream = match usable(layers.accounts(&args.upstream, &args.account))? {
        Ok(Accounts::One(resolved)) => check_account(*resolved).await?,
        Ok(Accounts::Several(accounts)) => check_accounts(accounts).await?,
        Err(failure) => skip("settings", &failure, pipeline::skip_upstream())?,
    };
    let destination = match destination {
        Ok(destination) => show(pipeline::check_destination(&destination).await, "")?,
        Err(failure) => skip("destination", &failure, vec![Checked { name: "table", finding: Finding::Skipped }])?,
    };
    // What is wrong with the upstream is met first.
    Ok(if upstream == Exit::Done { destination } else { upstream })
}

/// What was resolved, or why not, unless the command itself is at fault.
fn usable<T>(resolved: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match resolved {
        Err(failure) if failure.exit() == Exit::Usage => Err(failure),
        resolved => Ok(resolved),
    }
}

async fn check_account(resolved: Resolved) -> Result<Exit, Failure> {
    let described = resolved.describe();
    match source(resolved) {
        Ok(source) => {
            print(&line("ok", "settings", &described))?;
            show(pipeline::check_upstream(&source).await, "")
        }
        Err(failure) => skip("settings", &failure, pipeline::skip_upstream()),
    }
}

/// Prints what fails, and what could therefore not be tried.
fn skip(name: &str, failure: &Failure, skipped: Vec<Checked>) -> Result<Exit, Failure> {
    print(&line("fails", name, failure.text()))?;
    show(skipped, "")?;
    Ok(failure.exit())
}

/// Tries the accounts side by side, and shows each by itself.
async fn check_accounts(accounts: Vec<(AccountId, Result<Resolved, Failure>)>) -> Result<Exit, Failure> {
    let check = |(id, resolved): (AccountId, Result<Resolved, Failure>)| async move {
        let checked = match resolved.and_then(|resolved| Ok((resolved.describe(), source(resolved)?))) {
            Ok((described, source)) => Ok((described, pipeline::check_upstream(&source).await)),
            Err(failure) => Err(failure),
        };
        (id, checked)
    };
    let mut exit = Exit::Done;
    for (id, checked) in join_all(accounts.into_iter().map(check)).await {
        let found = match checked {
            Ok((described, checked)) => {
                print(&line("ok", "settings", &described))?;
                show(checked, &format!("account {id}: "))?
            }
            Err(failure) => {
                print(&line("fails", "settings", &format!("account {id}: {}", failure.text())))?;
                failure.exit()
            }
        };
        exit = if found.gravity() > exit.gravity() { found } else { exit };
    }
    Ok(exit)
}

fn source(mut resolved: Resolved) -> Result<Source, Failure> {
    resolved.settings.retries.throttle_patience = PATIENCE;
    Source::try_new(resolved.credentials, resolved.settings)
        .map_err(|error| Failure::new(Exit::from(&error), &error, error.hint()))
}

/// Prints what was tried, of `whom`, and gives the code of the first that fails.
fn show(checked: Vec<Checked>, whom: &str) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for Checked { name, finding } in checked {
        let (state, text) = match finding {
            Finding::Works(text) => ("ok", text),
            Finding::Warning(text) => ("warning", text),
            Finding::Skipped => ("skipped", "something before it fails".to_owned()),
            Finding::Fails(error) => {
                let failure = Failure::from(error);
                exit = if exit == Exit::Done { failure.exit() } else { exit };
                ("fails", failure.text().to_owned())
            }
        };
        print(&line(state, name, &format!("{whom}{text}")))?;
    }
    Ok(exit)
}

fn line(state: &str, name: &str, text: &str) -> String {
    format!("{state:<8}{name:<13}{text}\n")
}
