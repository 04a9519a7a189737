//! Databases that are dumped and restored, copied, or taken over by a newer server: the guard comes along and
//! works, and nothing of them is trusted before it was compared.

mod partly;
mod sqlite;
mod upgraded;

use crate::oracle::NonceLedger;
use crate::support::dump::{Way, restored};
use crate::support::{Base, Fixture};
use serde_json::Value;

const DDL: &str = "CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL, ssn text, note text);
    INSERT INTO people SELECT i, 'k' || i % 2, '900-' || i, 'note ' || i FROM generate_series(1, 40) i;
    CREATE TABLE visits (id int, part int, reason text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN (1);
    CREATE TABLE visits_2 PARTITION OF visits FOR VALUES IN (2);
    INSERT INTO visits SELECT i, 1 + i % 2, 'reason ' || i FROM generate_series(1, 40) i;
    CREATE TABLE saved_people AS TABLE people; CREATE TABLE saved_visits AS TABLE visits;";

const PLAN: &str = r#"
[[table]]
name = "public.people"
tenant_column = "clinic"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 128 }
[[table.column]]
name = "note"
in_place = "application-reads-both-forms"
[[table]]
name = "public.visits"
[[table.column]]
name = "reason"
seal_into = "reason_sealed"
"#;

async fn json(fixture: &Fixture, args: &[&str], code: i32) -> Value {
    let args = [args, &["--json"]].concat();
    fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(code)
        .json()
}

async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}

/// How `status --check` ends, and what needs a person.
async fn check(fixture: &Fixture) -> (Option<i32>, String) {
    let done = fixture.project.phiseal(&["status", "--check"]).run().await;
    (done.code(), done.stdout)
}

/// Sealed once, and well.
async fn sealed(name: &str) -> Fixture {
    let fixture = Fixture::postgres(name, DDL, PLAN).await;
    fixture.backfill().await;
    json(&fixture, &["verify"], 0).await;
    assert_eq!(check(&fixture).await.0, Some(0));
    fixture
}

/// The same in the copy, with the same keys and the plan for it.
async fn copied(name: &str, way: Way) -> (Fixture, String) {
    let fixture = sealed(name).await;
    let (copy, said) = restored(fixture.db(), name, way).await;
    let Fixture { project, .. } = fixture;
    project.plan(&copy.url(), PLAN);
    let base = Base::Postgres(copy);
    (Fixture { base, project }, said)
}

/// The triggers of the guard on each table that has any.
const GUARDS: &str = "SELECT string_agg(tgrelid::regclass || ' ' || tgname, ', ' ORDER BY tgrelid::regclass::text, tgname)
    FROM pg_trigger WHERE tgname IN ('~phiseal_i', '~phiseal_u') AND tgenabled <> 'D'";

async fn both_triggers_are_there(fixture: &Fixture) {
    let expected = ["people", "visits", "visits_1", "visits_2"];
    let expected: Vec<String> = expected
        .iter()
        .flat_map(|table| ["i", "u"].map(|event| format!("{table} ~phiseal_{event}")))
        .collect();
    let there = fixture.scalar(GUARDS).await.unwrap_or_default();
    assert_eq!(there, expected.join(", "));
}

/// Every value opens to what is in the copies that the test keeps, and none waits.
async fn every_value_opens(fixture: &Fixture) {
    let ledger = &mut NonceLedger::default();
    let fields = [("people", "ssn"), ("people", "note"), ("visits", "reason")];
    for (table, column) in fields {
        let label = format!("public.{table}");
        let copy = format!("saved_{table}");
        let checked = fixture.check_against((&label, column), &copy, ledger).await;
        checked.expect_all_sealed();
        assert_eq!(checked.opened, checked.equal, "{table}.{column}");
    }
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
}

/// What a database goes through that was made from another: see the top of this file.
async fn is_not_trusted_until_compared(fixture: &Fixture) {
    both_triggers_are_there(fixture).await;
    fixture
        .exec(
            "UPDATE people SET ssn = 'changed' WHERE id = 1; UPDATE saved_people SET ssn = 'changed' WHERE id = 1;
             UPDATE visits SET reason = 'changed' WHERE id = 2; UPDATE saved_visits SET reason = 'changed' WHERE id = 2",
        )
        .await;
    let blank =
        "SELECT (SELECT count(*) FROM people WHERE ssn_sealed IS NULL OR ssn_bidx IS NULL) * 10
        + (SELECT count(*) FROM visits WHERE reason_sealed IS NULL)";
    assert_eq!(
        number(fixture, blank).await,
        11,
        "the guard blanks the seal"
    );
    // While nobody looked, as far as the program can know.
    fixture
        .exec(
            "ALTER TABLE people DISABLE TRIGGER \"~phiseal_u\";
             UPDATE people SET ssn = 'stale' WHERE id = 3; UPDATE saved_people SET ssn = 'stale' WHERE id = 3;
             ALTER TABLE people ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
        )
        .await;
    let (code, said) = check(fixture).await;
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("not compared"), "{said}");
    json(fixture, &["backfill"], 0).await;
    every_value_opens(fixture).await;
    let verified = json(fixture, &["verify"], 0).await;
    assert_eq!(
        (&verified["failed"], &verified["unsealed"]),
        (&0.into(), &0.into())
    );
    let (code, said) = check(fixture).await;
    assert_eq!(code, Some(0), "{said}");
    let guards = format!("{GUARDS} AND tgenabled = 'A'");
    assert_eq!(
        fixture.scalar(&guards).await,
        fixture.scalar(GUARDS).await,
        "ENABLE ALWAYS"
    );
    keys_end(fixture).await;
}

/// A rotation is complete, the keys before it can go, and every value opens.
async fn keys_end(fixture: &Fixture) {
    let rotated = json(fixture, &["rotate"], 0).await;
    assert_eq!(rotated["outcome"], "complete", "{rotated}");
    let old: Vec<String> = rotated["from_key_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(!old.is_empty());
    for key in &old {
        let destroy = [
            "keys",
            "destroy",
            key,
            "--confirm",
            key,
            "--reason",
            "trial",
        ];
        json(fixture, &destroy, 0).await;
    }
    json(fixture, &["verify"], 0).await;
    json(fixture, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn pg_dump_into_psql() {
    let (fixture, said) = copied("dump_plain", Way::Plain).await;
    assert_eq!(said, "");
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
}

#[tokio::test]
async fn pg_restore_of_a_custom_dump() {
    let (fixture, said) = copied("dump_custom", Way::Custom).await;
    assert_eq!(said, "");
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
}

#[tokio::test]
async fn pg_restore_in_one_transaction() {
    let (fixture, said) = copied("dump_single", Way::Single).await;
    assert_eq!(said, "");
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
}

#[tokio::test]
async fn definitions_first_and_rows_after_them() {
    let (fixture, said) = copied("dump_in_two", Way::InTwo).await;
    assert_eq!(said, "");
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
}

// Low OIDs collide: what was made first in one database has the number of something else in another.
#[tokio::test]
async fn a_copy_in_which_other_tables_have_the_numbers_goes_by_name() {
    let fixture = sealed("dump_numbers").await;
    let copy = crate::support::database("dump_numbers").await;
    // What moves the numbers, and an innocent table that may get one of them.
    copy.exec("CREATE TABLE before (id int PRIMARY KEY, ssn text, note text); INSERT INTO before VALUES (1, 'a', 'b')")
        .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump").display().to_string();
    let (from, into) = (fixture.url(), copy.url());
    crate::support::dump::ran("pg_dump", &["-Fc", "-f", &file, &from]).await;
    let said = crate::support::dump::ran("pg_restore", &["-d", &into, &file]).await;
    assert_eq!(said, "");
    let Fixture { project, .. } = fixture;
    project.plan(&copy.url(), PLAN);
    let fixture = Fixture {
        base: Base::Postgres(copy),
        project,
    };
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
    let untouched = "SELECT id || ssn || note FROM before";
    assert_eq!(fixture.scalar(untouched).await.as_deref(), Some("1ab"));
}
