//! The guard against every stale writer that a clinic's database knows: after each of them no sealed
//! value opens to anything but the plaintext beside it, and the next backfill seals what was blanked.

mod engine;
mod in_place;
mod refusals;
mod sealer;
mod sqlite;

use crate::oracle::{Cell, KeyPart, NonceLedger, row_key, seal};
use crate::support::{Fixture, marked};

const TABLE: &str = "public.people";
const PLAN: &str = "
[[table]]
name = \"public.people\"
tenant_column = \"clinic\"
triggers = \"fire\"
on_untrusted_seal = \"undo\"
[[table.column]]
name = \"ssn\"
seal_into = \"ssn_sealed\"
blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }
[[table.column]]
name = \"name\"
seal_into = \"name_sealed\"
[[table.column]]
name = \"amount\"
seal_into = \"amount_sealed\"
[[table.column]]
name = \"doc\"
seal_into = \"doc_sealed\"
";
const COLUMNS: [&str; 4] = ["ssn", "name", "amount", "doc"];

// `rewritten` is for the trigger of somebody else.
const DDL: &str = "
    CREATE EXTENSION citext;
    CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL, ssn text, name citext,
        amount numeric, doc json, rewritten boolean NOT NULL DEFAULT false);
    CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.ssn := 'by trigger ' || NEW.id; RETURN NEW; END $$;
    CREATE TRIGGER a_rewrite BEFORE UPDATE ON people FOR EACH ROW
        WHEN (NEW.rewritten AND NOT OLD.rewritten) EXECUTE FUNCTION rewrite();
    CREATE TRIGGER zz_rewrite BEFORE INSERT ON people FOR EACH ROW
        WHEN (NEW.rewritten) EXECUTE FUNCTION rewrite();
    INSERT INTO people SELECT i, 'k' || i % 2, lpad(i::text, 9, '0'), 'Zoe ' || i, 1.0,
        '{\"a\": 1}' FROM generate_series(1, 40) i;";

/// A sealed table of forty people.
async fn people(name: &str) -> Fixture {
    let fixture = Fixture::postgres(name, DDL, PLAN).await;
    let done = fixture.backfill().await;
    assert_eq!(done["values_sealed"], 160);
    fixture
}

/// No seal of an older plaintext anywhere; the ids of rows that wait to be sealed.
async fn no_stale_seal(fixture: &Fixture, what: &str) {
    let mut ledger = NonceLedger::default();
    for column in COLUMNS {
        let checked = fixture.check(TABLE, column, &mut ledger).await;
        assert!(checked.faults.is_empty(), "{what}: {:#?}", checked.faults);
        assert_eq!(checked.equal, checked.opened, "{what}: {column}");
    }
}

/// The ids of rows of which this sealed column is blank.
async fn blank(fixture: &Fixture, column: &str) -> String {
    let sql =
        format!("SELECT string_agg(id::text, ' ' ORDER BY id) FROM people WHERE {column} IS NULL");
    fixture.scalar(&sql).await.unwrap_or_default()
}

async fn all_sealed(fixture: &Fixture) {
    fixture.backfill().await;
    for column in COLUMNS {
        let checked = fixture
            .check(TABLE, column, &mut NonceLedger::default())
            .await;
        checked.expect_all_sealed();
    }
}

/// A value of `ssn` as an application seals it itself, as SQL.
async fn sealed_ssn(fixture: &Fixture, id: i64, clinic: &str, plain: &str) -> String {
    let keys = fixture.keys().await;
    let active = keys
        .keys
        .iter()
        .find(|(_, k)| k.tenant == clinic && k.purpose == "cell" && k.status == "active");
    let (key_id, key) = active.expect("an active key");
    let row_key = row_key(&[KeyPart::Int(id)]);
    let cell = Cell {
        tenant: clinic,
        table: TABLE,
        column: "ssn",
        row_key: &row_key,
    };
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).unwrap();
    let key = key.key.as_ref().unwrap();
    let sealed = seal(&cell, key, *key_id, nonce, plain.as_bytes(), 0);
    format!("'\\x{}'::bytea", hex::encode(sealed))
}

#[tokio::test]
async fn every_writer_that_knows_nothing_of_seals_leaves_none_that_is_stale() {
    let fixture = people("guard_writers").await;
    let every = "ssn_sealed, ssn_bidx, name_sealed, amount_sealed, doc_sealed";
    let orm =
        "UPDATE people p SET ssn = 'new', clinic = o.clinic, name = o.name, amount = o.amount,
        doc = o.doc, ssn_sealed = o.ssn_sealed, ssn_bidx = o.ssn_bidx, name_sealed = o.name_sealed,
        amount_sealed = o.amount_sealed, doc_sealed = o.doc_sealed
        FROM loaded o WHERE p.id = 1 AND o.id = 1";
    let version = fixture.scalar("SHOW server_version_num").await.unwrap();
    // MERGE came with PostgreSQL 15.
    let merge = match version.parse::<u32>().unwrap() < 150_000 {
        true => {
            "UPDATE people p SET ssn = 'merged', ssn_sealed = o.ssn_sealed FROM loaded o WHERE p.id = 10 AND o.id = 10"
        }
        false => {
            "MERGE INTO people p USING loaded o ON p.id = o.id AND o.id = 10
            WHEN MATCHED AND o.id = 10 THEN UPDATE SET ssn = 'merged', ssn_sealed = o.ssn_sealed"
        }
    };
    let copied = format!(
        "INSERT INTO people (id, clinic, ssn, name, amount, doc, {every})
         SELECT 100, clinic, ssn, name, amount, doc, {every} FROM people WHERE id = 2"
    );
    let conflict = format!(
        "INSERT INTO people (id, clinic, ssn, name, amount, doc, {every})
         SELECT 11, clinic, 'upserted', name, amount, doc, {every}
         FROM loaded WHERE id = 11 ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn,
         ssn_sealed = people.ssn_sealed, ssn_bidx = people.ssn_bidx"
    );
    fixture.exec("CREATE TABLE loaded AS TABLE people").await;
    let cases: [(&str, &str, &str, &str); 14] = [
        ("an ORM writes back all it loaded", orm, "ssn_sealed", "1"),
        (
            "an index alone goes with its seal",
            "SELECT 1",
            "ssn_bidx",
            "1",
        ),
        ("an INSERT of a whole row", &copied, "ssn_sealed", "1 100"),
        (
            "another BEFORE UPDATE trigger rewrites the plaintext",
            "UPDATE people SET rewritten = true WHERE id = 3",
            "ssn_sealed",
            "1 3 100",
        ),
        (
            "the replica role, as a logical apply",
            "BEGIN; SET LOCAL session_replication_role = replica;
             UPDATE people SET ssn = 'replica' WHERE id = 4; COMMIT",
            "ssn_sealed",
            "1 3 4 100",
        ),
        (
            "citext: only a letter's case",
            "UPDATE people SET name = upper(name::text) WHERE id = 5",
            "name_sealed",
            "5 100",
        ),
        (
            "numeric: 1.0 becomes 1.00",
            "UPDATE people SET amount = 1.00 WHERE id = 6",
            "amount_sealed",
            "6 100",
        ),
        (
            "json: only a blank more",
            "UPDATE people SET doc = '{\"a\":  1}' WHERE id = 7",
            "doc_sealed",
            "7 100",
        ),
        (
            "the key changes",
            "UPDATE people SET id = 108 WHERE id = 8",
            "ssn_sealed",
            "1 3 4 100 108",
        ),
        (
            "the tenant changes",
            "UPDATE people SET clinic = 'k7' WHERE id = 9",
            "ssn_sealed",
            "1 3 4 9 100 108",
        ),
        ("MERGE", merge, "ssn_sealed", "1 3 4 9 10 100 108"),
        (
            "ON CONFLICT",
            &conflict,
            "ssn_sealed",
            "1 3 4 9 10 11 100 108",
        ),
        (
            "the seal alone is changed: undone",
            "UPDATE people SET ssn_sealed = (SELECT ssn_sealed FROM loaded WHERE id = 13),
             ssn_bidx = NULL WHERE id = 12; UPDATE people SET ssn_sealed = NULL WHERE id = 13",
            "ssn_sealed",
            "1 3 4 9 10 11 100 108",
        ),
        (
            "the plaintext is set to NULL",
            "UPDATE people SET ssn = NULL WHERE id = 14",
            "ssn_bidx",
            "1 3 4 9 10 11 14 100 108",
        ),
    ];
    for (what, sql, column, expected) in cases {
        fixture.exec(sql).await;
        assert_eq!(blank(&fixture, column).await, expected, "{what}");
        no_stale_seal(&fixture, what).await;
    }
    all_sealed(&fixture).await;
    let gone = "SELECT count(*) FROM people WHERE ssn IS NULL AND ssn_sealed IS NULL";
    assert_eq!(
        fixture.db().count(gone).await,
        1,
        "only what was set to NULL is NULL"
    );
}

#[tokio::test]
async fn copy_and_a_trigger_that_sorts_after_the_guard_leave_no_stale_seal() {
    let fixture = people("guard_copy").await;
    let dump = fixture.scalar("SELECT string_agg(concat_ws(E'\\t', 200, clinic, 'copied', ssn_sealed, ssn_bidx), E'\\n') FROM people WHERE id = 1").await.unwrap();
    let mut connection = fixture.db().connection().await;
    let statement = "COPY people (id, clinic, ssn, ssn_sealed, ssn_bidx) FROM STDIN";
    let mut copy = connection.copy_in_raw(statement).await.unwrap();
    // In COPY's text a backslash is doubled.
    copy.send(dump.replace('\\', "\\\\").into_bytes())
        .await
        .unwrap();
    copy.finish().await.unwrap();
    assert_eq!(blank(&fixture, "ssn_sealed").await, "200");
    // `zz_rewrite` sorts before `~phiseal_i`, which still has the last word.
    fixture
        .exec(
            "INSERT INTO people (id, clinic, ssn, ssn_sealed, rewritten)
             SELECT 201, clinic, ssn, ssn_sealed, true FROM people WHERE id = 1",
        )
        .await;
    assert_eq!(blank(&fixture, "ssn_sealed").await, "200 201");
    no_stale_seal(&fixture, "COPY").await;
    all_sealed(&fixture).await;
}

#[tokio::test]
async fn a_column_the_guard_watches_is_neither_dropped_nor_retyped_unnoticed() {
    let fixture = people("guard_ddl").await;
    for sql in [
        "ALTER TABLE people DROP COLUMN ssn",
        "ALTER TABLE people DROP COLUMN clinic",
        "ALTER TABLE people DROP COLUMN ssn_sealed",
        "ALTER TABLE people ALTER COLUMN amount TYPE numeric(10, 2)",
        "ALTER TABLE people ALTER COLUMN name TYPE text",
        "ALTER TABLE people ALTER COLUMN id TYPE bigint",
    ] {
        let said = fixture
            .refusal(sql)
            .await
            .unwrap_or_else(|| panic!("{sql}: went through"));
        assert!(
            said.contains("trigger") || said.contains("depend"),
            "{sql}: {said}"
        );
    }
    no_stale_seal(&fixture, "DDL").await;
}

#[tokio::test]
async fn a_row_that_moves_to_another_partition_is_sealed_anew_there() {
    let ddl = "CREATE TABLE people (id int, clinic text NOT NULL, ssn text, PRIMARY KEY (id))
            PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (100);
        CREATE TABLE high PARTITION OF people FOR VALUES FROM (100) TO (200);
        INSERT INTO people SELECT i, 'k', 'ssn ' || i FROM generate_series(1, 20) i";
    let plan = "[[table]]\nname = \"public.people\"\ntenant_column = \"clinic\"\n\
        [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"exact\", bits = 256 }\n";
    let fixture = Fixture::postgres("guard_parts", ddl, plan).await;
    fixture.backfill().await;
    fixture
        .exec("UPDATE people SET id = id + 100 WHERE id < 4")
        .await;
    assert_eq!(blank(&fixture, "ssn_sealed").await, "101 102 103");
    // Without its plaintext it stays where it is.
    fixture
        .exec(&marked(
            "clear",
            "public.people",
            "UPDATE people SET ssn = NULL WHERE id = 7",
        ))
        .await;
    let moved = fixture
        .refusal("UPDATE people SET id = 107 WHERE id = 7")
        .await;
    assert!(moved.is_some_and(|said| said.contains("phiseal")));
    fixture.exec("DELETE FROM people WHERE id = 7").await;
    // A leaf attached later has the guard as well.
    fixture
        .exec(
            "CREATE TABLE more PARTITION OF people FOR VALUES FROM (200) TO (300);
             INSERT INTO people (id, clinic, ssn, ssn_sealed)
             SELECT 201, clinic, 'other', ssn_sealed FROM people WHERE id = 8",
        )
        .await;
    assert_eq!(blank(&fixture, "ssn_sealed").await, "101 102 103 201");
    fixture.backfill().await;
    let checked = fixture
        .check(TABLE, "ssn", &mut NonceLedger::default())
        .await;
    checked.expect_all_sealed();
    assert_eq!(checked.opened, 20);
    // The guard of all leaves is made again where the plan wants another.
    let undo = plan.replacen(
        "tenant_column",
        "on_untrusted_seal = \"undo\"\ntenant_column",
        1,
    );
    fixture.project.plan(&fixture.url(), &undo);
    fixture.backfill().await;
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~phiseal%'";
    assert_eq!(fixture.db().count(triggers).await, 3 * 4);
    fixture.exec("UPDATE people SET ssn_sealed = NULL").await;
    assert_eq!(blank(&fixture, "ssn_sealed").await, "");
}
