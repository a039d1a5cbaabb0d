//! Why a simulator could not be set up.

use std::io;
use std::net::SocketAddr;

use super::InvalidGenerator;

/// What can go wrong before the simulator serves; once it serves, problems are answers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The address can be reached from other machines, which must be asked for.
    #[error("{addr} is no loopback address")]
    NotLoopback {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The port could not be opened.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file of records could not be read.
    #[error("cannot read records from {file}")]
    Read {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line of a file of records is no JSON object.
    #[error("line {line} of {file} is not a JSON object")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The records to generate make no sense.
    #[error("no account can be generated")]
    Generator(#[from] InvalidGenerator),
}
