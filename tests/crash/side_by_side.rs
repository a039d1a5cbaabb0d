//! Runs at once, one of which dies: each version has one writer, who was not the first computes again, and readers see it all.

use std::os::unix::process::ExitStatusExt;

use test_case::test_case;

use super::origin::{Origin, Scenario};
use super::place::Kind;
use super::readers::Readers;
use super::trial::assert_all_is_well;
use crate::support::output;

#[test_case(Kind::Disk)]
#[test_case(Kind::S3)]
#[tokio::test(flavor = "multi_thread")]
async fn syncs_of_two_accounts_and_compactions_at_once_end_well_though_one_dies(kind: Kind) {
    let origin = Origin::start().await;
    let place = origin.copy(Scenario::SyncOnto, kind).await;
    let readers = Readers::start(&place);
    let sync = || origin.command(Scenario::SyncOnto, &place);
    let compact = || origin.command(Scenario::Compact, &place);
    let mut dying = sync().await;
    dying.env("PHONETRAIL_FAIL_POINT", "commit.made");
    let (dead, one, other, compacted) =
        tokio::join!(output(dying), output(sync().await), output(sync().await), output(compact().await));
    assert!(dead.status.signal().is_some() || dead.status.success(), "the others may have left it nothing to do");
    for done in [one, other, compacted, output(sync().await).await] {
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_all_is_well(&origin, &place, readers, true).await;
}
