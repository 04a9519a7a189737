//! A database that version 0.1.0 made can be finalized and restored.

use super::{columns, finalize, number};
use crate::support::Fixture;
use crate::upgrade;

/// The tables that can be finalized; a trigger refuses each write to a row of another.
const TABLES: [(&str, &[&str]); 4] = [
    ("people", &["ssn", "name"]),
    ("clinics", &["phone"]),
    ("visits", &["reason"]),
    ("orders", &["memo"]),
];

#[tokio::test]
async fn a_postgres_database_of_0_1_0() {
    let fixture = upgrade::postgres().await;
    fixture.exec(include_str!("../upgrade/guards.sql")).await;
    finalized(fixture).await;
}

#[tokio::test]
async fn a_restored_postgres_database_of_0_1_0() {
    finalized(upgrade::postgres().await).await;
}

#[tokio::test]
async fn a_sqlite_file_of_0_1_0() {
    finalized(upgrade::sqlite_file().await).await;
}

async fn finalized(fixture: Fixture) {
    fixture.json(&["migrate", "up"]).await;
    let orders = upgrade::planned(&fixture, "orders");
    fixture.json(&["backfill", "--table", &orders]).await;
    fixture.json(&["rotate"]).await;
    fixture.json_code(&["backfill"], 6).await;
    for (table, beside) in TABLES {
        let label = upgrade::planned(&fixture, table);
        finalize(&fixture, &["--table", &label], 0).await;
        let left = columns(&fixture, table, "").await;
        assert!(
            beside
                .iter()
                .all(|column| !left.contains(&(*column).to_owned())),
            "{table}: {left:?}"
        );
    }
    upgrade::every_value_is_as_it_was(&fixture, 1).await;
    for (table, _) in TABLES {
        let label = upgrade::planned(&fixture, table);
        fixture.json(&["restore", "--table", &label]).await;
        let columns = upgrade::TABLES
            .iter()
            .find(|(name, _)| *name == table)
            .unwrap()
            .1;
        let keys = if table == "visits" {
            "clinic, id"
        } else {
            "id"
        };
        for (column, values) in columns {
            let equal = format!(
                "SELECT count(*) FROM truth_{table} AS truth JOIN {table} AS restored USING ({keys})
                 WHERE truth.{column} = CAST(restored.{column} AS text)"
            );
            let equal = usize::try_from(number(&fixture, &equal).await).unwrap();
            assert_eq!(equal, *values, "{table}.{column}");
        }
    }
    fixture.json(&["audit", "verify"]).await;
}
