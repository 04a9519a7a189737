//! Several tables, one of which fails or is refused: the others are worked on.

use super::{json, number};
use crate::backfill::beside;
use crate::support::{Base, Fixture, marked};

const THREE: &str =
    "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
    CREATE TABLE c (id int PRIMARY KEY, v text);
    INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 'x'); INSERT INTO c VALUES (1, 'x')";

async fn three(name: &str) -> Fixture {
    let tables = ["public.a", "public.b", "public.c"].map(|table| beside(table, &["v"]));
    Fixture::postgres(name, THREE, &tables.concat()).await
}

async fn sealed(fixture: &Fixture) -> i64 {
    let sql = "SELECT (SELECT count(v_sealed) FROM a) + (SELECT count(v_sealed) FROM c)";
    number(fixture, sql).await
}

/// Something that no run of this table gets past.
const BREAK: &str =
    "INSERT INTO phiseal.runs (kind, table_label, digest, state, params, started_at, actor)
    VALUES ('restore', 'public.b', 'x', 'interrupted', '{}', now(), 'me')";

#[tokio::test]
async fn a_table_that_fails_keeps_no_other_from_being_worked() {
    let fixture = three("several_fail").await;
    fixture.exec(BREAK).await;
    let run = fixture
        .project
        .phiseal(&["backfill"])
        .run()
        .await
        .expect_code(8);
    assert!(
        run.stderr.contains("public.b failed: error[E0607]"),
        "{run:?}"
    );
    assert!(run.stderr.contains("sealed 2 values"), "{run:?}");
    assert_eq!(sealed(&fixture).await, 2);
    let said = json(&fixture, &["backfill"], 8).await;
    assert_eq!(said["error"]["code"], "E0607", "{said}");
    json(&fixture, &["runs", "abandon", "public.b"], 0).await;
    json(&fixture, &["backfill"], 0).await;
    fixture.exec(BREAK).await;
    // A verification has no run in the way; its own failure is another.
    json(&fixture, &["verify"], 0).await;
    let rotated = fixture
        .project
        .phiseal(&["rotate"])
        .run()
        .await
        .expect_code(8);
    assert!(
        rotated.stderr.contains("public.b failed: error[E0607]"),
        "{rotated:?}"
    );
    let clear = ["a", "b", "c"].map(|table| {
        marked(
            "clear",
            &format!("public.{table}"),
            &format!("UPDATE {table} SET v = NULL"),
        )
    });
    fixture.exec(&clear.join("; ")).await;
    fixture
        .exec("UPDATE phiseal.runs SET kind = 'compare' WHERE finished_at IS NULL AND table_label = 'public.b'")
        .await;
    let restored = json(&fixture, &["restore"], 8).await;
    assert_eq!(restored["error"]["code"], "E0607", "{restored}");
    let back = "SELECT (SELECT count(v) FROM a) + (SELECT count(v) FROM c) * 10 + (SELECT count(v) FROM b) * 100";
    assert_eq!(number(&fixture, back).await, 11);
}

#[tokio::test]
async fn a_table_whose_guard_cannot_be_made_keeps_no_other_from_being_rotated() {
    let fixture = three("several_rotate").await;
    json(&fixture, &["backfill"], 0).await;
    // Its lane is held by somebody alive: nothing of it is to be had.
    fixture
        .exec(
            "INSERT INTO phiseal.runs (kind, table_label, digest, state, params, started_at, actor)
             VALUES ('rotate', 'public.a', 'other', 'interrupted', '{}', now(), 'me')",
        )
        .await;
    let said = json(&fixture, &["rotate"], 8).await;
    assert_eq!(said["error"]["code"], "E0607", "{said}");
    let left = "SELECT count(*) FROM phiseal.rotation_counts";
    assert_eq!(number(&fixture, left).await, 2, "b and c");
    json(&fixture, &["runs", "abandon", "public.a"], 0).await;
    let done = json(&fixture, &["rotate"], 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
}

#[tokio::test]
async fn a_refused_table_is_passed_over_only_where_that_is_asked_for() {
    let fixture = three("several_refused").await;
    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER upd BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()";
    fixture.exec(trigger).await;
    let refused = json(&fixture, &["backfill"], 3).await;
    assert_eq!(refused["error"]["code"], "E0224", "{refused}");
    let none = "SELECT count(*) FROM phiseal.encrypted_field_metadata";
    assert_eq!(number(&fixture, none).await, 0);
    let run = fixture
        .project
        .phiseal(&["backfill", "--keep-going"])
        .run()
        .await
        .expect_code(3);
    assert!(run.stderr.contains("refused[E0224]"), "{run:?}");
    assert_eq!(sealed(&fixture).await, 2);
    fixture.exec("DROP TRIGGER upd ON b").await;
    json(&fixture, &["backfill"], 0).await;
    fixture
        .exec("CREATE TRIGGER upd BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()")
        .await;
    let active =
        "SELECT key_id FROM phiseal.encryption_keys WHERE purpose = 'cell' AND status = 'active'";
    let before = number(&fixture, active).await;
    json(&fixture, &["rotate"], 3).await;
    assert_eq!(number(&fixture, active).await, before, "nothing was begun");
    let rotated = json(&fixture, &["rotate", "--keep-going"], 3).await;
    assert_eq!(rotated["error"]["code"], "E0224", "{rotated}");
    assert_ne!(number(&fixture, active).await, before);
    json(&fixture, &["verify", "--keep-going"], 0).await;
    let clear = ["a", "c"].map(|table| {
        marked(
            "clear",
            &format!("public.{table}"),
            &format!("UPDATE {table} SET v = NULL"),
        )
    });
    fixture.exec(&clear.join("; ")).await;
    json(&fixture, &["restore"], 3).await;
    json(&fixture, &["restore", "--keep-going"], 3).await;
    assert_eq!(
        number(
            &fixture,
            "SELECT (SELECT count(v) FROM a) + (SELECT count(v) FROM c)"
        )
        .await,
        2
    );
}

/// In place, and beside with a blind index, in one table; and a table of each kind.
fn mixed(schema: &str) -> String {
    let place = "in_place = \"application-reads-both-forms\"\n";
    format!(
        "[[table]]\nname = \"{schema}m\"\n[[table.column]]\nname = \"p\"\n{place}\
         blind_index = {{ column = \"p_bidx\", normalise = \"exact\", force = true }}\n\
         [[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n\
         [[table]]\nname = \"{schema}i\"\n[[table.column]]\nname = \"p\"\n{place}"
    ) + &beside(&format!("{schema}s"), &["v", "w"])
}

#[tokio::test]
async fn after_a_restore_of_what_is_in_place_the_rest_can_still_be_verified_and_dropped() {
    let ddl = "CREATE TABLE m (id integer PRIMARY KEY, p text, v text); CREATE TABLE i (id integer PRIMARY KEY, p text);
        CREATE TABLE s (id integer PRIMARY KEY, v text, w text);
        INSERT INTO m VALUES (1, 'a', 'b'), (2, 'c', NULL); INSERT INTO i VALUES (1, 'd');
        INSERT INTO s VALUES (1, 'e', 'f')";
    for fixture in [
        Fixture::postgres("several_mixed", ddl, &mixed("public.")).await,
        Fixture::sqlite(ddl, &mixed("")).await,
    ] {
        json(&fixture, &["backfill"], 0).await;
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 6);
        json(
            &fixture,
            &[
                "restore",
                "--table",
                "s",
                "--column",
                "w",
                "--drop-sealed",
                "--yes",
            ],
            0,
        )
        .await;
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 5);
        json(&fixture, &["restore"], 0).await;
        let plain = "SELECT count(*) FROM m WHERE p IN ('a', 'c')";
        assert_eq!(number(&fixture, plain).await, 2);
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 2);
        json(&fixture, &["rotate"], 0).await;
        json(&fixture, &["restore", "--drop-sealed", "--yes"], 0).await;
        let left = match fixture.base {
            Base::Postgres(_) => {
                "SELECT (SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'
                    AND column_name LIKE '%_sealed')
                 + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~phiseal%')"
            }
            Base::Sqlite(_) => {
                "SELECT count(*) FROM sqlite_schema WHERE name LIKE '~phiseal%'
                    OR (type = 'table' AND name IN ('m', 'i', 's') AND sql LIKE '%_sealed%')"
            }
        };
        assert_eq!(number(&fixture, left).await, 0);
        let after = json(&fixture, &["verify"], 3).await;
        assert_eq!(after["error"]["code"], "E0304", "{after}");
        // And forth again.
        assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 6);
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 6);
    }
}
