//! The command line: arguments in, one of the exit codes out.
//!
//! The rule: data goes to standard output, everything else to standard error; a secret is never an argument.

mod account_tables;
mod accounts;
mod check;
mod compact;
mod exit;
mod failure;
mod interrupt;
mod logging;
mod output;
mod progress;
mod readings;
mod settings;

#[cfg(feature = "simulator")]
mod demo;
#[cfg(feature = "query")]
mod query;
mod replay;
#[cfg(feature = "query")]
mod rows;
mod schema;
#[cfg(feature = "simulator")]
mod simulate;
mod status;
mod sync;

use clap::{Parser, Subcommand};

pub use self::exit::Exit;
use self::failure::Failure;
use self::logging::LogFormat;

/// A provable audit trail of the Zoom Phone operation log.
#[derive(Debug, Parser)]
#[command(name = "phonetrail", version, about, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Form of the log on standard error. Its level is set by PHONETRAIL_LOG, such as `debug` or `phonetrail=trace`.
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Log")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read from the upstream whatever is not final yet, and add it to the table.
    Sync(sync::SyncArgs),
    /// Try configuration, credentials, scopes and destination, and say what works and what to do.
    Check(check::CheckArgs),
    /// Merge the files of months that are final, so that no partition has more than one.
    Compact(compact::CompactArgs),
    /// Make the table anew from the raw pages alone, or compare it with them.
    Replay(replay::ReplayArgs),
    /// Show what a destination holds and which days it covers.
    Status(status::StatusArgs),
    /// Answer a SQL query over the table `operation_logs`.
    #[cfg(feature = "query")]
    Query(query::QueryArgs),
    /// Print the table's schema: Arrow, JSON Schema, or the statements that bring it into an engine.
    Schema(schema::SchemaArgs),
    /// Serve a simulated account on loopback, to try phonetrail against.
    #[cfg(feature = "simulator")]
    Simulate(Box<simulate::SimulateArgs>),
    /// Show the main job against the built-in simulated account; needs no credentials.
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
}

/// Runs the program with the process's arguments.
pub fn main() -> Exit {
    let cli = Cli::parse();
    logging::start(cli.log_format);
    let done = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => {
            Err(Failure::new(Exit::Upstream, &error, "The system gives no threads: free some, then run again."))
        }
    };
    done.unwrap_or_else(|failure| failure.report())
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Sync(args) => sync::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Compact(args) => compact::run(args).await,
        Command::Status(args) => status::run(args).await,
        #[cfg(feature = "query")]
        Command::Query(args) => query::run(args).await,
        Command::Schema(args) => schema::run(&args),
        #[cfg(feature = "simulator")]
        Command::Simulate(args) => simulate::run(*args).await,
        #[cfg(feature = "simulator")]
        Command::Demo(args) => demo::run(args).await,
    }
}
