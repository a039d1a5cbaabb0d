//! A provable audit trail of the Zoom Phone operation log.
//!
//! ```text
//!  extract            transform             load
//!  Window -> Page ->  Record -> Operation -> Batch -> StagedFile -> a version of the table
//!             |                                                       with its ledger entry
//!             +-----> raw pack, byte for byte ------------------------+
//! ```
//!
//! Stages meet in [`model`] and never import each other; [`pipeline`] joins them. [`ledger`] is the account of what was
//! done, [`query`] reads the table, [`schema`] describes it, [`simulator`] serves an account to try all of it against.

pub mod cli;
pub mod extract;
/// For the tests; no part of the library's interface.
#[doc(hidden)]
pub mod failpoint;
pub mod ledger;
pub mod load;
pub mod model;
pub mod pipeline;
#[cfg(feature = "query")]
pub mod query;
pub mod schema;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod transform;
