//! Tests of what happens to marks and guards before a command writes.

use crate::store::{Catalog, SealedRelations};
use sqlx::AssertSqlSafe;

use crate::store::UntrustedSeal;
use crate::store::change::Change;
use crate::store::sqlite::fixture::{Fixture, table, with};

#[tokio::test]
async fn the_engine_is_known_by_its_last_insert_and_no_longer() {
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)").await;
    let mut guarded = with(table("t", &["id"]), "v", "TEXT", true);
    guarded.on_untrusted_seal = Some(UntrustedSeal::Undo);
    fixture.store.prepare(&guarded).await.unwrap();
    fixture
        .exec("INSERT INTO t (id, v) VALUES (1, 'one')")
        .await
        .unwrap();
    let mut conn = fixture.store.opener.open().await.unwrap();
    for (between, kept) in [
        ("SELECT 1", true),
        ("UPDATE t SET id = id", true),
        ("INSERT INTO t (id) VALUES (7)", false),
    ] {
        super::as_engine(&mut conn, Change::Seal, "t")
            .await
            .unwrap();
        let write = format!("{between}; UPDATE t SET v_sealed = x'0a' WHERE id = 1");
        sqlx::raw_sql(AssertSqlSafe(write))
            .execute(&mut conn)
            .await
            .unwrap();
        let sealed = fixture
            .rows("SELECT quote(v_sealed) FROM t WHERE id = 1")
            .await;
        assert_eq!(sealed == ["X'0A'"], kept, "{between}");
        super::clear(&mut conn).await.unwrap();
        fixture
            .unguarded("DELETE FROM t WHERE id = 7; UPDATE t SET v_sealed = NULL")
            .await;
    }
}

#[tokio::test]
async fn nothing_is_written_where_there_is_nothing_to_do() {
    let mut fixture = Fixture::new("").await;
    // There is nothing to do, so these calls do not wait for this writer.
    fixture.exec("BEGIN IMMEDIATE").await.unwrap();
    fixture.store.start_writing().await.unwrap();
    fixture.store.all_verified().await.unwrap();
    fixture.exec("ROLLBACK").await.unwrap();
}
