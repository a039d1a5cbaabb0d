//! phonetrail against the simulated account: a module a behaviour.

mod support;

mod cli;
mod crash;
mod failures;
mod hostile;
mod ledger;
mod samples;
mod schemas;
mod sync;
