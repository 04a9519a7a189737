//! One bad row never stops the rest: whatever the database says of a row, when it is written, read or committed,
//! the row is listed and the others go on. Where every row fails alike, the cause is not in the rows.

use crate::oracle::NonceLedger;
use crate::support::{Base, Fixture, database_with, unguarded};
use serde_json::{Value, json};

const NOTES: &str = "[[table]]\nname = \"public.notes\"\ntriggers = \"fire\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";
const SQLITE_NOTES: &str = "[[table]]\nname = \"notes\"\ntriggers = \"fire\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";

/// A table of so many notes, and a trigger whose body says what becomes of an update.
fn notes(rows: u32, body: &str) -> String {
    format!(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text, closed boolean NOT NULL DEFAULT false);
         INSERT INTO notes SELECT i, 'note ' || i, i % 200 = 0 FROM generate_series(1, {rows}) i;
         CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER judge BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION judge()"
    )
}

async fn json_code(fixture: &Fixture, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(code)
        .json()
}

/// The open entries of the quarantine, each `SQLSTATE rows`.
async fn listed(fixture: &Fixture) -> String {
    let own = fixture.source().own("quarantine");
    let sql = format!(
        "SELECT coalesce(sqlstate, reason) || ' ' || count(*) FROM {own} WHERE state = 'open' \
         GROUP BY coalesce(sqlstate, reason)"
    );
    fixture.scalar(&sql).await.unwrap_or_default()
}

#[tokio::test]
async fn what_a_trigger_raises_is_of_its_row() {
    for (at, code, name) in [
        (0, "P0001", "raise_exception"),
        (1, "54000", "program_limit_exceeded"),
        (2, "ABC12", "ABC12"),
    ] {
        let body = format!(
            "IF OLD.closed THEN RAISE EXCEPTION USING ERRCODE = '{name}', MESSAGE = OLD.note; END IF;"
        );
        let fixture =
            Fixture::postgres(&format!("rows_raise_{at}"), &notes(1000, &body), NOTES).await;
        let done = json_code(&fixture, &["backfill"], 6).await;
        assert_eq!(
            (&done["rows_sealed"], &done["quarantined"]),
            (&json!(995), &json!(5))
        );
        assert_eq!(listed(&fixture).await, format!("{code} 5"));
        let verified = json_code(&fixture, &["verify"], 6).await;
        assert_eq!(
            (&verified["failed"], &verified["unsealed"]),
            (&json!(0), &json!(5))
        );
        // The next run leaves them where they are.
        let again = json_code(&fixture, &["backfill"], 6).await;
        assert_eq!(
            (&again["rows_sealed"], &again["rows_found"]),
            (&json!(0), &json!(0))
        );
        fixture
            .exec("UPDATE phiseal.quarantine SET state = 'retry'; DROP TRIGGER judge ON notes")
            .await;
        assert_eq!(
            json_code(&fixture, &["backfill"], 0).await["rows_sealed"],
            5
        );
    }
}

#[tokio::test]
async fn a_trigger_that_passes_over_an_update_is_told_from_a_writer_who_was_quicker() {
    let body = "IF OLD.closed THEN RETURN NULL; END IF;";
    let fixture = Fixture::postgres("rows_skip", &notes(3000, body), NOTES).await;
    let done = json_code(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&json!(2985), &json!(15))
    );
    assert_eq!(done["conflicts"], 0, "nobody else wrote");
    assert!(listed(&fixture).await.contains("passes over"));
    // A restore meets the same trigger.
    fixture
        .exec("UPDATE phiseal.quarantine SET state = 'resolved', resolved_at = now()")
        .await;
    fixture
        .exec("ALTER TABLE notes DISABLE TRIGGER judge")
        .await;
    json_code(&fixture, &["backfill"], 0).await;
    fixture
        .exec(&unguarded("notes", "UPDATE notes SET note = NULL;"))
        .await;
    fixture.exec("ALTER TABLE notes ENABLE TRIGGER judge").await;
    let restored = json_code(&fixture, &["restore"], 6).await;
    assert_eq!(restored["quarantined"], 15, "{restored}");
    let left = "SELECT count(*) FROM notes WHERE note IS NULL";
    assert_eq!(fixture.scalar(left).await.unwrap(), "15");
}

#[tokio::test]
async fn what_is_raised_at_commit_is_of_its_row_too() {
    let ddl = "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 300) i;
        CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF OLD.id = 77 THEN RAISE EXCEPTION 'too late'; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER judge AFTER UPDATE ON notes DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION judge()";
    let fixture = Fixture::postgres("rows_commit", ddl, NOTES).await;
    let done = json_code(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&json!(299), &json!(1))
    );
    assert_eq!(listed(&fixture).await, "P0001 1");
}

#[tokio::test]
async fn a_row_that_does_not_fit_its_page_with_its_seals_is_listed() {
    let columns: Vec<String> = (1..=330).map(|at| format!("q{at}")).collect();
    let values: Vec<String> = (1..=330).map(|at| format!("'answer {at}'")).collect();
    let ddl = format!(
        "CREATE TABLE answers (id bigint PRIMARY KEY, {});
         INSERT INTO answers (id, q1, q2) SELECT i, 'yes', 'no' FROM generate_series(1, 200) i;
         INSERT INTO answers VALUES (777, {})",
        columns
            .iter()
            .map(|column| format!("{column} text"))
            .collect::<Vec<_>>()
            .join(", "),
        values.join(", "),
    );
    let of_column = |column: &String| {
        format!("[[table.column]]\nname = \"{column}\"\nseal_into = \"{column}_sealed\"\n")
    };
    let plan = format!(
        "[[table]]\nname = \"public.answers\"\n{}",
        columns.iter().map(of_column).collect::<String>()
    );
    let fixture = Fixture::postgres("rows_big", &ddl, &plan).await;
    let done = json_code(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&json!(200), &json!(1))
    );
    assert_eq!(listed(&fixture).await, "54000 1");
}

#[tokio::test]
async fn a_value_that_the_server_cannot_send_is_listed_and_the_rest_is_read() {
    let options = "ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C'";
    let db = database_with("rows_unread", options).await;
    // Byte 0x81 means nothing in this encoding.
    let ddl = "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, CASE WHEN i IN (5, 700, 701) THEN 'note ' || chr(129) ELSE 'note ' || i END
          FROM generate_series(1, 1000) i";
    let fixture = Fixture::new(Base::Postgres(db), ddl, NOTES).await;
    let done = json_code(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&json!(997), &json!(3))
    );
    assert_eq!(listed(&fixture).await, "22P05 3");
    let verified = json_code(&fixture, &["verify"], 6).await;
    assert_eq!(verified["values_verified"], 997, "{verified}");
}

#[tokio::test]
async fn a_table_that_refuses_every_row_is_never_listed_as_a_whole() {
    for (name, rows, body, sealed) in [
        ("rows_all", 40, "RAISE EXCEPTION 'closed for today';", "0"),
        ("rows_all_skip", 40, "RETURN NULL;", "0"),
        // The first are sealed, and a thousand in a row are not.
        (
            "rows_rest",
            12_000,
            "IF OLD.id > 2000 THEN RAISE EXCEPTION 'closed'; END IF;",
            "some",
        ),
    ] {
        let fixture = Fixture::postgres(name, &notes(rows, body), NOTES).await;
        let args = ["backfill"];
        let finished = fixture.project.phiseal(&args).run().await.expect_code(9);
        assert!(
            finished.stderr.contains("E0524") && finished.stderr.contains("judge"),
            "{}",
            finished.stderr
        );
        assert!(
            !finished.stderr.contains("closed"),
            "a trigger's words may be PHI"
        );
        assert_eq!(listed(&fixture).await, "", "{name}");
        let count = "SELECT CASE count(*) WHEN 0 THEN '0' ELSE 'some' END FROM notes WHERE note_sealed IS NOT NULL";
        assert_eq!(fixture.scalar(count).await.unwrap(), sealed);
        fixture.exec("DROP TRIGGER judge ON notes").await;
        json_code(&fixture, &["backfill"], 0).await;
        fixture
            .exec("CREATE TABLE saved AS SELECT * FROM notes")
            .await;
        let mut ledger = NonceLedger::default();
        let checked = fixture.check("public.notes", "note", &mut ledger).await;
        assert_eq!(checked.opened, rows as usize, "{name}");
        assert_eq!(listed(&fixture).await, "");
    }
}

#[tokio::test]
async fn a_value_that_fails_in_two_rotations_is_listed_once_and_makes_no_third_key() {
    let ddl = "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 50) i";
    let fixture = Fixture::postgres("rows_twice", ddl, NOTES).await;
    json_code(&fixture, &["backfill"], 0).await;
    let damage = "UPDATE notes SET note = NULL,
        note_sealed = set_byte(note_sealed, 30, get_byte(note_sealed, 30) # 1) WHERE id = 7;";
    fixture.exec(&unguarded("notes", damage)).await;
    let keys = "SELECT count(*) FROM phiseal.encryption_keys WHERE purpose = 'cell'";
    for rotations in 1..=3 {
        json_code(&fixture, &["rotate"], 6).await;
        let entries =
            "SELECT count(*) FROM phiseal.quarantine WHERE step = 'rotate' AND state = 'open'";
        assert_eq!(
            fixture.scalar(entries).await.unwrap(),
            "1",
            "rotation {rotations}"
        );
    }
    assert_eq!(
        fixture.scalar(keys).await.unwrap(),
        "2",
        "a rotation over a remainder makes no key"
    );
}

#[tokio::test]
async fn a_trigger_of_sqlite_that_raises_or_ignores_is_of_its_row() {
    for (raise, reason) in [("ABORT, 'no'", "SQLITE"), ("IGNORE", "passes over")] {
        let ddl = format!(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
             INSERT INTO notes SELECT i, 'note ' || i FROM n;
             CREATE TRIGGER judge BEFORE UPDATE ON notes WHEN OLD.id % 100 = 0 BEGIN SELECT RAISE({raise}); END"
        );
        let fixture = Fixture::sqlite(&ddl, SQLITE_NOTES).await;
        let done = json_code(&fixture, &["backfill"], 6).await;
        assert_eq!(
            (&done["rows_sealed"], &done["quarantined"]),
            (&json!(594), &json!(6)),
            "{raise}"
        );
        assert!(
            listed(&fixture).await.contains(reason),
            "{}",
            listed(&fixture).await
        );
    }
    // With every row refused, none is listed.
    let ddl = "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT);
        INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c');
        CREATE TRIGGER judge BEFORE UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'no'); END";
    let fixture = Fixture::sqlite(ddl, SQLITE_NOTES).await;
    let refused = fixture
        .project
        .phiseal(&["backfill"])
        .run()
        .await
        .expect_code(9);
    assert!(refused.stderr.contains("E0524"), "{}", refused.stderr);
    assert_eq!(listed(&fixture).await, "");
}
