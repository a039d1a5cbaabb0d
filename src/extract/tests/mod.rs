//! The extractor against a scripted upstream on loopback: what it makes of the answers, and what the upstream saw.

mod calibration;
mod failures;
mod limits;
mod reading;
mod signing_in;
mod upstream;

use self::upstream::{credentials, february};
use super::*;
use crate::model::Seam;

#[test]
fn futures_and_streams_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let source = Source::try_new(credentials(), Settings::default()).unwrap();
    is_sync(&source);
    is_send(&source.read(&february()));
    is_send(&source.sign_in());
    is_send(&source.read_all([], Seam::Shared));
}
