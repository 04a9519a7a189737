//! Why a finalize does not begin, each by its code. Nothing is changed by a refusal.

use super::{
    arguments, finalize, has, next_phase, on_both, people, postgres, refusal, sealed_as_saved,
    state,
};
use crate::backfill::beside;
use crate::live::Application;
use crate::support::{Base, Fixture, marked, marked_in_sqlite};
use sqlx::{AssertSqlSafe, Connection};
use std::time::Duration;

on_both!(plaintext_that_is_not_sealed, 60, unsealed);

async fn unsealed(fixture: Fixture) {
    fixture
        .exec("UPDATE people SET ssn = 'new' WHERE id = 5")
        .await;
    fixture
        .exec("UPDATE saved SET ssn = 'new' WHERE id = 5")
        .await;
    assert_eq!(refusal(&fixture, &[], 3).await, "E0610");
    assert_eq!(next_phase(&fixture).await, None);
    let dry = ["finalize", "--dry-run", "--observe", "0s", "--json"];
    let dry = fixture.run(&dry).await.expect_code(3).json();
    assert_eq!(dry["would_refuse"], true, "{dry}");
    assert_eq!(dry["tables"][0]["rows_unsealed"], 1, "{dry}");
    // It takes plaintext as before.
    fixture
        .exec("UPDATE people SET ssn = 'newer' WHERE id = 5")
        .await;
    fixture
        .exec("UPDATE saved SET ssn = 'newer' WHERE id = 5")
        .await;
    fixture.backfill().await;
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

/// Whoever was seen writing is named, by role and application; what was written is not.
#[tokio::test]
async fn who_still_writes_plaintext_is_named() {
    let fixture = postgres("finalize_writers", 60).await;
    let clinic = fixture.db().role("clinic", "").await;
    fixture
        .exec(&format!("GRANT ALL ON people TO {}", clinic.name))
        .await;
    fixture
        .exec(&format!("GRANT USAGE ON SCHEMA phiseal TO {}", clinic.name))
        .await;
    let url = format!("{}?application_name=reception", clinic.url);
    let mut reception = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut run = fixture
        .phiseal(&["finalize", "--yes", "--observe", "2s"])
        .spawn();
    assert!(run.says("to see whether plaintext still comes").await);
    for n in 0..4 {
        let write = format!(
            "BEGIN; UPDATE people SET ssn = 'secret {n}' WHERE id = {}; SELECT pg_sleep(0.3); COMMIT",
            n + 1
        );
        let write = sqlx::raw_sql(AssertSqlSafe(write));
        write.execute(&mut reception).await.unwrap();
    }
    let said = run.wait().await.expect_code(3);
    let message = &said.stderr;
    assert!(message.contains("E0610"), "{message}");
    assert!(
        message.contains(&clinic.name) && message.contains("reception"),
        "{message}"
    );
    assert!(!format!("{}{}", said.stdout, said.stderr).contains("secret"));
    reception.close().await.unwrap();
}

/// One whose transactions are too short to be met between two looks.
#[tokio::test]
async fn who_writes_plaintext_in_short_transactions_is_named() {
    let fixture = postgres("finalize_short", 60).await;
    let clinic = fixture.db().role("clinic", "").await;
    fixture
        .exec(&format!("GRANT ALL ON people TO {}", clinic.name))
        .await;
    fixture
        .exec(&format!("GRANT USAGE ON SCHEMA phiseal TO {}", clinic.name))
        .await;
    let pool = sqlx::PgPool::connect(&clinic.url).await.unwrap();
    let mut application = Application::new();
    application.does(&pool, Duration::from_millis(5), |n| {
        format!(
            "UPDATE people SET ssn = 'short {n}' WHERE id = {}",
            n % 60 + 1
        )
    });
    let run = fixture.run(&["finalize", "--yes", "--observe", "2s", "--json"]);
    let said = run.await.expect_code(3).json();
    application.stop().await;
    assert_eq!(said["error"]["code"], "E0610");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains(&clinic.name), "{message}");
}

/// A row of which a person changed the sealed value, by other means than the program's.
async fn spoil(fixture: &Fixture) {
    let label = fixture.table("people");
    let change =
        "UPDATE people SET ssn_sealed = (SELECT ssn_sealed FROM people WHERE id = 8) WHERE id = 7";
    let sql = match fixture.base {
        Base::Postgres(_) => marked("seal", &label, change),
        Base::Sqlite(_) => marked_in_sqlite("seal", &label, change),
    };
    fixture.exec(&sql).await;
}

on_both!(a_value_that_does_not_open, 60, spoiled);

async fn spoiled(fixture: Fixture) {
    spoil(&fixture).await;
    // The verification finds it, whether or not anybody had verified before.
    assert_eq!(refusal(&fixture, &[], 6).await, "E0613");
    assert!(has(&fixture, "ssn").await);
    assert_ne!(state(&fixture, "ssn").await, "finalized");
    // The same call goes on, and finds the same.
    assert_eq!(refusal(&fixture, &[], 6).await, "E0613");
    super::undo(&fixture).await;
    assert_eq!(next_phase(&fixture).await, None);
    // Now the row is listed, and is asked for by name.
    assert_eq!(refusal(&fixture, &[], 6).await, "E0611");
    let listed = fixture.json(&["quarantine", "list"]).await;
    let tag = listed[0]["tag"].as_str().unwrap().to_owned();
    assert_eq!(
        refusal(&fixture, &["--give-up", "0000000000000000"], 6).await,
        "E0611"
    );
    finalize(&fixture, &["--give-up", &tag], 0).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    fixture
        .exec("DELETE FROM people WHERE id = 7; DELETE FROM saved WHERE id = 7")
        .await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

const REFUSING: [&str; 2] = [
    "CREATE TABLE refusing AS SELECT 1 AS one;
     CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM public.refusing) THEN
            RAISE EXCEPTION 'refused' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$;
     CREATE TRIGGER refuse BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.id = 42) EXECUTE FUNCTION refuse();",
    "CREATE TABLE refusing AS SELECT 1 AS one;
     CREATE TRIGGER refuse BEFORE UPDATE ON people WHEN NEW.id = 42 AND EXISTS (SELECT 1 FROM refusing)
        BEGIN SELECT RAISE(ABORT, 'refused'); END;",
];

fn firing(table: &str) -> String {
    let fire = "triggers = \"fire\"\n[[table.column]]";
    beside(table, &["ssn"]).replacen("[[table.column]]", fire, 1)
}

#[tokio::test]
async fn a_row_that_cannot_be_sealed_in_postgres() {
    let ddl = format!("{}{}", people(60), REFUSING[0]);
    let plan = firing("public.people");
    cannot_be_sealed(Fixture::postgres("finalize_refused", &ddl, &plan).await).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_sealed_in_sqlite() {
    let ddl = format!("{}{}", people(60), REFUSING[1]);
    cannot_be_sealed(Fixture::sqlite(&ddl, &firing("people")).await).await;
}

async fn cannot_be_sealed(fixture: Fixture) {
    fixture.json_code(&["backfill"], 6).await;
    assert_eq!(refusal(&fixture, &[], 6).await, "E0611");
    let listed = fixture.json(&["quarantine", "list"]).await;
    let tag = listed[0]["tag"].as_str().unwrap().to_owned();
    let kept = "SELECT count(*) FROM people WHERE id = 42 AND ssn IS NOT NULL";
    assert_eq!(super::number(&fixture, kept).await, 1);
    // Its value is the only copy: named, it may go with the column.
    fixture.exec("DELETE FROM refusing").await;
    finalize(&fixture, &["--give-up", &tag], 0).await;
    assert!(!has(&fixture, "ssn").await);
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    fixture
        .exec("UPDATE saved SET ssn = NULL WHERE id = 42")
        .await;
    sealed_as_saved(&fixture, &["ssn"]).await;
}

/// Each object by its kind, and the statement that removes it.
#[tokio::test]
async fn every_object_that_depends_on_the_column() {
    let ddl = format!(
        "{} CREATE VIEW people_view AS SELECT ssn FROM people;
         CREATE MATERIALIZED VIEW people_copy AS SELECT ssn FROM people;
         ALTER TABLE people ADD CONSTRAINT people_number UNIQUE (ssn);
         CREATE TABLE visits (ssn text REFERENCES people (ssn));
         ALTER TABLE people ADD CONSTRAINT people_both CHECK (ssn <> note);
         CREATE POLICY people_mine ON people USING (ssn <> '');
         CREATE TRIGGER people_changed BEFORE UPDATE OF ssn ON people FOR EACH ROW
            EXECUTE FUNCTION suppress_redundant_updates_trigger();
         CREATE INDEX people_lower ON people (lower(ssn));
         CREATE STATISTICS people_seen ON ssn, note FROM people;",
        people(60)
    );
    let plan = beside("public.people", &["ssn"]).replacen(
        "[[table.column]]",
        "triggers = \"suppress\"\n[[table.column]]",
        1,
    );
    let fixture = Fixture::postgres("finalize_objects", &ddl, &plan).await;
    fixture.backfill().await;
    let run = fixture.run(&arguments(&["--grace", "0s", "--json"])).await;
    let said = run.expect_code(3).json();
    assert_eq!(said["error"]["code"], "E0612", "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    // The foreign key goes before the constraint that it refers to.
    let objects = [
        "people_view",
        "people_copy",
        "visits_ssn_fkey",
        "people_number",
        "people_both",
        "people_mine",
        "people_changed",
    ];
    for name in objects {
        assert!(message.contains(name), "{name}: {message}");
    }
    // Each once.
    assert_eq!(
        message.matches("check constraint people_both (").count(),
        1,
        "{message}"
    );
    assert!(
        !message.contains("people_lower"),
        "goes with the column: {message}"
    );
    let dry = fixture
        .run(&["finalize", "--dry-run", "--observe", "0s", "--json"])
        .await;
    let dry = dry.expect_code(3).json();
    let found = dry["tables"][0]["dependents"].as_array().unwrap().clone();
    let blocks = |name: &str| {
        let one = found
            .iter()
            .find(|one| one["name"].as_str().unwrap().contains(name));
        one.unwrap_or_else(|| panic!("{name}: {dry}"))["blocks"]
            .as_bool()
            .unwrap()
    };
    assert!(!blocks("people_lower") && !blocks("people_seen"));
    // The printed statements are all that it takes.
    for name in objects {
        let one = found
            .iter()
            .find(|one| one["name"].as_str().unwrap().contains(name));
        fixture.exec(one.unwrap()["drop"].as_str().unwrap()).await;
    }
    finalize(&fixture, &[], 0).await;
    // What went with the column comes back as statements that work.
    let back = fixture.json(&["restore"]).await;
    let statements = back["statements"].as_array().unwrap();
    assert_eq!(statements.len(), 2, "{back}");
    for sql in statements {
        fixture.exec(sql.as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_unique_constraint_with_a_unique_blind_index_in_its_place_is_no_hindrance() {
    let ddl = format!(
        "{} ALTER TABLE people ADD CONSTRAINT people_number UNIQUE (ssn);",
        people(60)
    );
    let index = "blind_index = { column = \"ssn_bidx\", normalise = \"exact\", bits = 128, unique = true }\n";
    for (name, more, code) in [("finalize_unique", "", 3), ("finalize_blind", index, 0)] {
        let plan = format!("{}{more}", beside("public.people", &["ssn"]));
        let fixture = Fixture::postgres(name, &ddl, &plan).await;
        fixture.backfill().await;
        let done = finalize(&fixture, &[], code).await;
        if code == 3 {
            assert_eq!(done["error"]["code"], "E0612");
            continue;
        }
        let back = fixture.json(&["restore"]).await;
        let statement = back["statements"][0].as_str().unwrap();
        assert!(statement.contains("people_number UNIQUE (ssn)"), "{back}");
        fixture.exec(statement).await;
    }
}

/// A sequence goes with the column that owns it, and the default needs it when the column comes back.
#[tokio::test]
async fn a_sequence_that_the_column_owns_is_not_lost() {
    let ddl = "CREATE SEQUENCE numbers; CREATE TABLE people (id int PRIMARY KEY,
            ssn text DEFAULT 'ssn ' || nextval('numbers'), note text, other int);
        ALTER SEQUENCE numbers OWNED BY people.ssn;
        INSERT INTO people (id, note) SELECT i, 'note ' || i FROM generate_series(1, 60) i;
        CREATE TABLE saved AS TABLE people";
    let fixture = Fixture::postgres(
        "finalize_owned",
        ddl,
        &beside("public.people", &["ssn", "note"]),
    )
    .await;
    fixture.backfill().await;
    let run = fixture.run(&arguments(&["--grace", "0s", "--json"])).await;
    if run.code() == Some(3) {
        assert_eq!(run.json()["error"]["code"], "E0612");
        fixture.exec("ALTER SEQUENCE numbers OWNED BY NONE").await;
        finalize(&fixture, &[], 0).await;
    } else {
        run.expect_code(0);
    }
    fixture.json(&["restore"]).await;
    super::as_it_was(&fixture).await;
    fixture.exec("INSERT INTO people (id) VALUES (900)").await;
    let next = fixture
        .scalar("SELECT ssn FROM people WHERE id = 900")
        .await;
    assert_eq!(next.as_deref(), Some("ssn 61"));
}

on_both!(other_commands_wait_for_its_end, 60, others);

async fn others(fixture: Fixture) {
    super::stopped_at(&fixture, "grace", &["--column", "ssn"]).await;
    assert_eq!(fixture.refused(&["restore"], 8).await, "E0616");
    // Other columns of the table, too.
    for more in [&["--column", "note"][..], &[]] {
        assert_eq!(refusal(&fixture, more, 8).await, "E0616");
    }
    let other = ["finalize", "--undo", "--column", "note"];
    assert_eq!(fixture.refused(&other, 8).await, "E0616");
    // Those that read and seal go on.
    fixture.backfill().await;
    fixture.json(&["verify"]).await;
    fixture.json(&["rotate"]).await;
    finalize(&fixture, &["--column", "ssn"], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

on_both!(a_person_who_does_not_agree, 10, not_agreed);

async fn not_agreed(fixture: Fixture) {
    // Nobody to ask, and no --yes.
    let args = ["finalize", "--observe", "0s", "--grace", "0s"];
    assert_eq!(fixture.refused(&args, 2).await, "E0618");
    assert!(has(&fixture, "ssn").await);
    assert_eq!(next_phase(&fixture).await, None);
    // To keep the plaintext needs no consent.
    let keep = [&args[..], &["--plaintext", "keep"]].concat();
    fixture.json(&keep).await;
}
