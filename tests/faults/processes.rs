//! Two real programs that sync the same account to the same destination at once.

use test_case::test_matrix;

use super::trial::{RECORDS, Trial, config};

const RANGE: [&str; 6] = ["--from", "2022-01-01", "--to", "2022-03-31", "--output", "json"];

#[test_matrix([false, true])]
#[tokio::test(flavor = "multi_thread")]
async fn two_programs_at_once_end_well_and_the_table_is_exact(
    // Whether each sign-in ends the other's access token.
    single_access_token: bool,
) {
    let config = config().with_single_access_token(single_access_token).with_latency("3ms".parse().unwrap());
    let trial = Trial::start(config).await;
    let (one, other) = tokio::join!(trial.account.run("sync", &RANGE), trial.account.run("sync", &RANGE));
    let mut new = 0;
    for output in [one, other] {
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["days"]["final"], 90, "{log}");
        new += report["rows_new"].as_u64().unwrap();
    }
    assert_eq!(new, RECORDS);
    trial.assert_exact();
}
