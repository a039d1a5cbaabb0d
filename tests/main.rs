//! phonetrail against the simulated account: a module a behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails says so"
)]

/// As the program itself has it: what it holds is measured here too.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod support;

mod accounts;
mod age;
mod check;
mod cli;
mod compact;
mod crash;
mod disk;
mod failures;
mod faults;
mod hostile;
mod ledger;
mod limits;
mod long_day;
#[cfg(target_os = "linux")]
mod memory;
mod objects;
mod progress;
mod quota;
mod replay;
mod samples;
mod schemas;
mod sync;
