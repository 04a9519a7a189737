//! One value, whose row the arguments name.

use super::{lines, of_people, people};
use crate::support::Fixture;

#[tokio::test]
async fn one_value_is_sealed_and_opened_for_the_row_that_the_arguments_name() {
    let fixture = people("scripts_one").await;
    let of_row = ["--row", "clinic=south", "--row", "no=1"];
    let sealed = of_people(&fixture, "seal", &of_row)
        .reads("987-65-4320\n")
        .run()
        .await;
    let sealed = lines(&sealed.expect_code(0)).remove(0);
    assert_eq!(
        (&sealed["clinic"], &sealed["no"]),
        (&"south".into(), &"1".into())
    );
    let value = sealed["ssn_sealed"].as_str().unwrap();
    assert!(sealed["ssn_bidx"].as_str().unwrap().starts_with("\\x"));
    let opened = of_people(&fixture, "open", &of_row)
        .reads(format!("{value}\n"))
        .run()
        .await;
    assert_eq!(opened.expect_code(0).stdout, "987-65-4320\n");
    let digits = value.strip_prefix("\\x").unwrap();
    let opened = of_people(&fixture, "open", &of_row)
        .reads(digits)
        .run()
        .await;
    assert_eq!(opened.expect_code(0).stdout, "987-65-4320\n");

    let other = ["--row", "clinic=south", "--row", "no=2"];
    let refused = of_people(&fixture, "open", &other)
        .reads(value)
        .run()
        .await
        .expect_code(6);
    assert!(refused.stderr.contains("E0323"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    let missing = of_people(&fixture, "open", &["--row", "no=1"])
        .reads(value)
        .run()
        .await;
    let missing = missing.expect_code(2);
    assert!(
        missing.stderr.contains("there is no clinic in it"),
        "{}",
        missing.stderr
    );
    // What is not NAME=VALUE may be a key: it is not repeated.
    let wrong = of_people(&fixture, "open", &["--row", "987-65-4320"])
        .run()
        .await
        .expect_code(2);
    assert!(wrong.stderr.contains("E0153"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("987"), "{}", wrong.stderr);
}

#[tokio::test]
async fn bytes_are_opened_as_they_are() {
    let ddl = "CREATE TABLE scans (id uuid PRIMARY KEY, scan bytea);
        INSERT INTO scans VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x61620a63')";
    let plan = "[[table]]\nname = \"public.scans\"\n[[table.column]]\nname = \"scan\"\nseal_into = \"scan_sealed\"\n";
    let fixture = Fixture::postgres("scripts_bytes", ddl, plan).await;
    fixture.backfill().await;
    let sealed = fixture
        .scalar("SELECT scan_sealed::text FROM scans")
        .await
        .unwrap();
    let row = "id=A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11";
    let open = fixture.phiseal(&["open", "--table", "scans", "--column", "scan", "--row", row]);
    assert_eq!(
        open.reads(sealed).run().await.expect_code(0).stdout,
        "ab\nc"
    );
}
