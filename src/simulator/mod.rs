//! A simulated account: the operation-log report and its OAuth endpoint, served over HTTP on loopback.
//!
//! ```text
//! GeneratorConfig --+
//!                   +-> Account -> Selection -> PageDraft -> Reply -> HTTP
//! NDJSON files -----+   (sorted)   (a query's)  (a page's)      ^
//!                                                   FaultPlan --+
//! ```
//!
//! What the upstream documents is served as documented; what it leaves open (the time zone of a day, whether `to`
//! counts, the order of records, ranges over a month, ...) is a setting of [`SimulatorConfig`], so that a client can be
//! tried against each reading.
//!
//! The rule: nothing here knows the client. The simulator shares no code with the stages it is used to test, or a
//! misreading of the API would be made on both sides and cancel out.

mod access;
mod account;
mod category;
mod config;
mod draft;
mod error;
mod faults;
mod generator;
mod latency;
mod oauth;
mod opaque;
mod pages;
mod query;
mod records;
mod reply;
mod report;
mod server;
mod settings;
mod state;
mod stats;
mod throttle;
mod truth;

pub use config::{Credentials, RequestHook, SimulatorConfig};
pub use draft::PageDraft;
pub use error::SimulatorError;
pub use faults::{Fault, FaultPlan, PageEdit};
pub use generator::{GeneratorConfig, InvalidGenerator, generate};
pub use latency::Latency;
pub use records::{AccountRecord, METADATA_KEYS, SUBSTITUTE_TIME, read_records};
pub use server::{RunningSimulator, serve};
pub use settings::{Future, InvalidSetting, LastToken, LongRange, MonthLength, Paging, RecordOrder, SecondWindow};
pub use stats::{Endpoint, SeenRequest, Stats};
pub use throttle::RateLimits;
pub use truth::GroundTruth;

#[cfg(test)]
mod tests;
