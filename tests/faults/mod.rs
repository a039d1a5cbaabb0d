//! Whatever goes wrong on the way, the table is the account or the run says clearly why not; and once the fault is
//! over, another run makes it so.

mod trial;

mod access;
mod answers;
mod arrivals;
mod paging;
mod processes;
mod random;
mod reach;
mod secrets;
mod stopping;
