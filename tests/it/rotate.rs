//! Keys that live: rotation, compromise, destruction, tenants, wrapping keys, and the night when it
//! goes wrong. The oracle opens every value, and says under which key it is.

mod kills;
mod life;
mod once;
mod tenants;
mod wrapping;
pub mod writers;

use crate::oracle::NonceLedger;
use crate::support::Fixture;
use serde_json::Value;

/// A table with everything a rotation meets: two columns beside, one in place, one with an index.
const TABLE: &str = "patients";

fn ddl(rows: u32) -> String {
    format!(
        "CREATE TABLE patients (id integer primary key, ssn text, note text, dob text);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO patients SELECT i, 'ssn ' || i, CASE WHEN i % 3 > 0 THEN 'note ' || i END,
            '2001-01-' || i FROM n;
         CREATE TABLE saved AS SELECT * FROM patients;"
    )
}

fn plan(run: &str, table: &str) -> String {
    format!(
        "[run]\n{run}\n[[table]]\nname = \"{table}\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
         blind_index = {{ column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }}\n\
         [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n\
         [[table.column]]\nname = \"dob\"\nseal_into = \"dob_sealed\"\n"
    )
}

pub async fn postgres(name: &str, rows: u32) -> Fixture {
    let run = "batch_target_ms = 30";
    let fixture = Fixture::postgres(name, &ddl(rows), &plan(run, "public.patients")).await;
    fixture.backfill().await;
    fixture
}

pub async fn sqlite(rows: u32) -> Fixture {
    let run = "batch_target_ms = 30";
    let fixture = Fixture::sqlite(&ddl(rows), &plan(run, TABLE)).await;
    fixture.backfill().await;
    fixture
}

fn label(fixture: &Fixture) -> &'static str {
    match fixture.base {
        crate::support::Base::Postgres(_) => "public.patients",
        crate::support::Base::Sqlite(_) => TABLE,
    }
}

pub async fn json(fixture: &Fixture, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(code)
        .json()
}

pub async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}

/// The active key of a purpose, for no tenant.
pub async fn active(fixture: &Fixture, purpose: &str) -> i64 {
    let keys = fixture.source().own("encryption_keys");
    let sql = format!(
        "SELECT key_id FROM {keys} WHERE purpose = '{purpose}' AND status = 'active' AND tenant = ''"
    );
    number(fixture, &sql).await
}

/// Every value opens to what was saved, and is under this key.
pub async fn all_under(fixture: &Fixture, key: i64) {
    let ledger = &mut NonceLedger::default();
    for column in ["ssn", "note", "dob"] {
        let checked = fixture
            .check_against((label(fixture), column), "saved", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!(checked.opened, checked.equal, "{column}");
        let under: Vec<i64> = checked.keys.keys().map(|id| i64::from(*id)).collect();
        assert_eq!(under, [key], "{column}");
    }
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
}

/// A test of both databases.
macro_rules! on_both {
    ($name:ident, $rows:expr, $body:ident) => {
        mod $name {
            #[tokio::test]
            async fn in_postgres() {
                let fixture = $crate::rotate::postgres(stringify!($name), $rows).await;
                super::$body(fixture).await;
            }

            #[tokio::test]
            async fn in_sqlite() {
                let fixture = $crate::rotate::sqlite($rows).await;
                super::$body(fixture).await;
            }
        }
    };
}
pub(crate) use on_both;
