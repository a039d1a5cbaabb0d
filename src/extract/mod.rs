//! From a list of windows to whole windows: everything between what is asked of the upstream and its pages as
//! received.
//!
//! ```text
//!          plan                 share
//! days  ---------->  Window  <----------+   a window that was clamped, or is long while workers idle, is cut
//!                      |                |
//!                    crawl  ------------+
//!                      |  reads it until the reading is stable
//!                      v
//!       auth -------> fetch <------- limiter, quota     one page, whatever it takes
//!       (token)        |  ^             (line: who goes first)
//!                      v  +-------- classify, retry     what an answer means, how often to ask again
//!                    client
//!                      |
//!                      v
//!                    Page ... Page  ->  WindowRead
//! ```
//!
//! The rule: a window is handed on whole and proved stable, or it is an error. Nothing is guessed to be the end, and
//! no record is dropped for lying outside the window that returned it.

mod auth;
mod classify;
mod client;
mod crawl;
mod credentials;
mod digest;
mod endpoint;
mod error;
mod fetch;
mod limiter;
mod line;
mod pacer;
mod pause;
pub mod plan;
mod progress;
mod pulse;
mod quota;
mod retry;
mod retry_after;
mod seconds;
mod settings;
mod share;
mod source;
mod tally;
#[cfg(test)]
mod tests;
mod ticket;

pub use credentials::{Credentials, Secret};
pub use error::{Answer, Asked, Cause, Disturbance, ErrorKind, ExtractError, Refusal, WindowFailure};
pub use progress::{Event, Observer, Usage};
pub use quota::{DayCount, InvalidPlan, Plan};
pub use settings::{
    DEFAULT_BASE_URL, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FIRST_DELAY, DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_BODY_BYTES,
    DEFAULT_MAX_DELAY, DEFAULT_OAUTH_URL, DEFAULT_PAGE_SIZE, DEFAULT_READS_PER_WINDOW, DEFAULT_RETRIES_PER_RUN,
    DEFAULT_RETRIES_PER_WINDOW, DEFAULT_THROTTLE_PATIENCE, DEFAULT_THROTTLE_PAUSE, DEFAULT_THROTTLES_PER_WINDOW,
    DEFAULT_TOTAL_TIMEOUT, DEFAULT_TRIES_PER_PAGE, DateFormat, Retries, Settings, Timeouts,
};
pub use source::Source;
