//! The whole pipeline as a library: an account, a destination, a sync, a look at what is covered.
//!
//! `cargo run --example minimal_sync` runs it against a simulated account. For a real one, leave the two addresses in
//! `Settings` at their defaults and take the credentials from a safe place.

use std::net::{Ipv4Addr, SocketAddr};

use phonetrail::extract::{Credentials, Plan, Secret, Settings, Source};
use phonetrail::load::Destination;
use phonetrail::model::AccountId;
use phonetrail::pipeline::{self, SyncRequest};
use phonetrail::simulator::{self, GeneratorConfig, SimulatorConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let generated = GeneratorConfig { seed: 1, records: 2_000, from: "2022-01-01".parse()?, to: "2022-03-31".parse()? };
    let config = SimulatorConfig::default().with_generated(generated);
    let simulator = simulator::serve(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;

    let account = AccountId::new(simulator::Credentials::ACCOUNT_ID);
    let credentials = Credentials::ServerToServer {
        account_id: account.clone(),
        client_id: simulator::Credentials::CLIENT_ID.to_owned(),
        client_secret: Secret::new(simulator::Credentials::CLIENT_SECRET),
    };
    let settings = Settings {
        base_url: simulator.base_url(),
        oauth_url: simulator.oauth_url(),
        plan: Plan::BUSINESS,
        ..Settings::default()
    };
    let source = Source::try_new(credentials, settings)?;

    let folder = tempfile::tempdir()?;
    let destination: Destination = folder.path().to_str().ok_or("the folder's name is not Unicode")?.parse()?;
    let request =
        SyncRequest { from: Some("2022-01-01".parse()?), to: Some("2022-03-31".parse()?), ..SyncRequest::new(account) };
    let report = pipeline::sync(&source, &destination, &request).await?;
    let status = pipeline::status(&destination).await?.ok_or("no table was made")?;

    let mut out = std::io::stdout().lock();
    std::io::Write::write_fmt(
        &mut out,
        format_args!(
            "{} new rows, {} days final, table version {}\n",
            report.rows_new, report.days.settled, status.version
        ),
    )?;
    Ok(())
}
