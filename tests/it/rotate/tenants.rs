//! Keys of tenants: one rotated apart from the others, one shredded, ten thousand in one table.

use super::{json, number};
use crate::oracle::NonceLedger;
use crate::support::Fixture;
use serde_json::json;

const PLAN: &str = "[[table]]\nname = \"NAME\"\ntenant_column = \"clinic\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }\n";

fn ddl(rows: u32, tenants: u32) -> String {
    format!(
        "CREATE TABLE t (id integer primary key, clinic text, ssn text);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO t SELECT i, 'clinic ' || (i % {tenants}), 'ssn ' || i FROM n;
         CREATE TABLE saved AS SELECT * FROM t;"
    )
}

async fn in_postgres(name: &str, rows: u32, tenants: u32) -> Fixture {
    let plan = PLAN.replace("NAME", "public.t");
    let fixture = Fixture::postgres(name, &ddl(rows, tenants), &plan).await;
    fixture.backfill().await;
    fixture
}

async fn in_sqlite(rows: u32, tenants: u32) -> Fixture {
    let fixture = Fixture::sqlite(&ddl(rows, tenants), &PLAN.replace("NAME", "t")).await;
    fixture.backfill().await;
    fixture
}

fn label(fixture: &Fixture) -> &'static str {
    match fixture.base {
        crate::support::Base::Postgres(_) => "public.t",
        crate::support::Base::Sqlite(_) => "t",
    }
}

#[tokio::test]
async fn one_tenant_is_rotated_and_one_shredded_and_the_others_stay_in_postgres() {
    one_by_one(in_postgres("rotate_tenants", 300, 3).await).await;
}

#[tokio::test]
async fn one_tenant_is_rotated_and_one_shredded_and_the_others_stay_in_sqlite() {
    one_by_one(in_sqlite(300, 3).await).await;
}

async fn one_by_one(fixture: Fixture) {
    let keys = fixture.source().own("encryption_keys");
    let of = |tenant: &str| {
        format!(
            "SELECT key_id FROM {keys} WHERE tenant = '{tenant}' AND purpose = 'cell' AND status = 'active'"
        )
    };
    let other = number(&fixture, &of("clinic 2")).await;
    let done = json(&fixture, &["rotate", "--tenant", "clinic 1"], 0).await;
    assert_eq!(done["rows_resealed"], 100, "{done}");
    assert_eq!(number(&fixture, &of("clinic 2")).await, other);
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against((label(&fixture), "ssn"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    let new = u32::try_from(number(&fixture, &of("clinic 1")).await).unwrap();
    assert_eq!((checked.keys[&new], checked.keys.len()), (100, 3));
    // Its blind index, too: only its own rows are made anew, and all are found.
    let args = [
        "rotate",
        "--tenant",
        "clinic 1",
        "--purpose",
        "blind_index",
        "--grace",
        "0",
    ];
    json(&fixture, &args, 0).await;
    let checked = fixture
        .check_against((label(&fixture), "ssn"), "saved", ledger)
        .await;
    assert_eq!(checked.expect_all_sealed().indexes, 300);
    // Shredded: both keys gone, its rows do not open, its indexes are NULL, everyone else's stay.
    let args = [
        "keys", "destroy", "--tenant", "clinic 0", "--reason", "left us",
    ];
    assert_eq!(json(&fixture, &args, 2).await["error"]["code"], "E0115");
    let confirmed = [&args[..], &["--confirm", "clinic 0"]].concat();
    let done = json(&fixture, &confirmed, 0).await;
    assert_eq!(done["destroyed"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&done["values_lost"], &done["plaintext_left"]),
        (&json!(100), &json!(100))
    );
    let left = format!(
        "SELECT count(*) FROM {keys} WHERE tenant = 'clinic 0' AND wrapped_key IS NOT NULL"
    );
    assert_eq!(number(&fixture, &left).await, 0);
    let found = "SELECT count(*) FROM t WHERE clinic = 'clinic 0' AND ssn_bidx IS NOT NULL";
    assert_eq!(number(&fixture, found).await, 0);
    let verified = json(&fixture, &["verify"], 6).await;
    assert_eq!(
        (&verified["failed"], &verified["values_verified"]),
        (&json!(100), &json!(200))
    );
    let others = "SELECT count(*) FROM t WHERE ssn_bidx IS NOT NULL";
    assert_eq!(number(&fixture, others).await, 200);
    assert_eq!(
        json(&fixture, &confirmed, 7).await["error"]["code"],
        "E0443"
    );
    json(&fixture, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn thousands_of_tenants_in_one_table_take_a_few_statements() {
    const TENANTS: i64 = 3000;
    let fixture = in_postgres("rotate_thousands", 6000, 3000).await;
    let before = number(&fixture, STATEMENTS).await;
    let done = json(&fixture, &["rotate"], 0).await;
    let statements = number(&fixture, STATEMENTS).await - before;
    assert_eq!(done["rows_resealed"], 2 * TENANTS, "{}", done["outcome"]);
    // The one of no tenant, and those of the tenants.
    let rotations = done["rotations"].as_array().unwrap().len();
    assert_eq!(i64::try_from(rotations).unwrap(), TENANTS + 1);
    assert!(
        statements < 6 * TENANTS,
        "{statements} rows of ours were looked up one by one"
    );
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against(("public.t", "ssn"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    let old = "SELECT count(*) FROM phiseal.encryption_keys WHERE status = 'deactivated'";
    assert_eq!(number(&fixture, old).await, TENANTS + 1);
    let closed = "SELECT count(*) FROM phiseal.key_rotation_history
        WHERE outcome = 'complete' AND rows_resealed = 2 AND rows_found = 2";
    assert_eq!(number(&fixture, closed).await, TENANTS);
}

/// Transactions of this database so far.
const STATEMENTS: &str =
    "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
