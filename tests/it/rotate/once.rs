//! Rotation as it is scheduled: when it is due, once, whoever starts it, whatever the clock says.

use super::{active, all_under, json, number, on_both, postgres};
use crate::oracle::NonceLedger;
use crate::support::{Fixture, formless, marked};
use std::time::Duration;

on_both!(rotates_only_when_due_and_says_so, 300, due);

async fn due(fixture: Fixture) {
    let before = active(&fixture, "cell").await;
    let done = json(&fixture, &["rotate", "--if-due"], 0).await;
    assert_eq!(done["outcome"], "not due");
    assert_eq!(done["history_id"], serde_json::Value::Null);
    assert_eq!(active(&fixture, "cell").await, before);
    let keys = fixture.source().own("encryption_keys");
    // Thirteen days before: not due, and a key that was made today is not called due yet.
    let (soon, past) = match fixture.base {
        crate::support::Base::Postgres(_) => (
            "clock_timestamp() + interval '13 days'",
            "clock_timestamp() - interval '1 day'",
        ),
        crate::support::Base::Sqlite(_) => (
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+13 days')",
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')",
        ),
    };
    fixture
        .exec(&format!(
            "UPDATE {keys} SET rotation_due_at = {soon} WHERE purpose = 'cell'"
        ))
        .await;
    json(&fixture, &["status", "--check"], 0).await;
    if let crate::support::Base::Postgres(_) = fixture.base {
        // A key of a whole quarter is: a warning, and exit 10.
        let older = "activated_at = clock_timestamp() - interval '78 days'";
        let older = format!("UPDATE {keys} SET {older} WHERE purpose = 'cell'");
        fixture.tamper("encryption_keys", "", &older).await;
        json(&fixture, &["status", "--check"], 10).await;
        let listed = fixture.project.phiseal(&["keys", "list"]).run().await;
        assert!(
            format!("{listed:?}").contains("due for rotation in 12 days"),
            "{listed:?}"
        );
    }
    json(&fixture, &["rotate", "--if-due"], 0).await;
    assert_eq!(active(&fixture, "cell").await, before);
    fixture
        .exec(&format!(
            "UPDATE {keys} SET rotation_due_at = {past} WHERE purpose = 'cell'"
        ))
        .await;
    let done = json(&fixture, &["rotate", "--if-due"], 0).await;
    assert_eq!(done["from_key_ids"][0], before);
    assert_eq!(done["rows_resealed"], 300);
    all_under(&fixture, active(&fixture, "cell").await).await;
    json(&fixture, &["status", "--check"], 0).await;
}

on_both!(
    a_rotation_leaves_nothing_to_the_next_and_keeps_every_other_column,
    500,
    twice
);

async fn twice(fixture: Fixture) {
    for round in 1..=3 {
        let before = active(&fixture, "cell").await;
        let done = json(&fixture, &["rotate", "--reason", "quarter's end"], 0).await;
        assert_eq!(done["rows_found"], 500, "{done}");
        assert_eq!(done["rows_resealed"], 500);
        assert_eq!(done["from_key_ids"], serde_json::json!([before]));
        assert_eq!(done["history_id"], round);
        let key = active(&fixture, "cell").await;
        assert_eq!(done["to_key_id"], key);
        all_under(&fixture, key).await;
    }
    let status = json(&fixture, &["status"], 0).await;
    let rows: Vec<i64> = status["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["purpose"] == "cell")
        .map(|key| key["rows"].as_i64().unwrap())
        .collect();
    assert_eq!(
        rows.iter().sum::<i64>(),
        rows.iter().max().copied().unwrap()
    );
    let reasons = format!(
        "SELECT count(*) FROM {} WHERE reason = 'quarter''s end' AND finished_at IS NOT NULL",
        fixture.source().own("key_rotation_history")
    );
    assert_eq!(number(&fixture, &reasons).await, 3);
    let verified = json(&fixture, &["verify"], 0).await;
    assert_eq!(verified["failed"], 0);
    json(&fixture, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn two_at_once_never_make_two_versions() {
    let fixture = postgres("rotate_two", 40_000).await;
    let before = active(&fixture, "cell").await;
    // From the same moment, and from the middle of the other.
    let later = |wait| {
        let run = fixture.project.phiseal(&["rotate", "--json"]);
        async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            run.run().await
        }
    };
    // An older transaction, which a rotation waits for, keeps it from ending before the third looks.
    let mut older = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN; SELECT 1")
        .execute(&mut older)
        .await
        .unwrap();
    let until = async {
        let begun = "SELECT count(*) FROM phiseal.key_rotation_history";
        while number(&fixture, begun).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        sqlx::raw_sql("COMMIT").execute(&mut older).await.unwrap();
    };
    let (one, two, three, ()) = tokio::join!(later(0), later(0), later(150), until);
    let codes = [one.code(), two.code(), three.code()];
    assert!(codes.contains(&Some(0)), "{one:?} {two:?} {three:?}");
    for run in [&one, &two, &three] {
        assert!(matches!(run.code(), Some(0 | 8)), "{run:?}");
    }
    let versions = "SELECT count(*) FROM phiseal.encryption_keys WHERE purpose = 'cell'";
    assert_eq!(number(&fixture, versions).await, 2);
    let history = "SELECT count(*) FROM phiseal.key_rotation_history WHERE outcome = 'complete'";
    assert_eq!(number(&fixture, history).await, 1);
    let after = active(&fixture, "cell").await;
    assert_ne!(after, before);
    all_under(&fixture, after).await;
}

#[tokio::test]
async fn what_was_under_way_when_it_was_ordered_is_joined_though_it_ends_before() {
    let fixture = postgres("rotate_joined", 500).await;
    let first = json(&fixture, &["rotate"], 0).await;
    // As it stood a moment before its end.
    fixture
        .exec(
            "ALTER TABLE phiseal.key_rotation_history DISABLE TRIGGER USER;
             UPDATE phiseal.key_rotation_history SET finished_at = NULL",
        )
        .await;
    let mut held = fixture.db().connection().await;
    let hold = "BEGIN; LOCK TABLE phiseal.encrypted_field_metadata IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(hold).execute(&mut held).await.unwrap();
    let second = fixture.project.phiseal(&["rotate", "--json"]).spawn();
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted
        AND relation = 'phiseal.encrypted_field_metadata'::regclass";
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while number(&fixture, waits).await == 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "it never came that far"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fixture
        .exec("UPDATE phiseal.key_rotation_history SET finished_at = clock_timestamp()")
        .await;
    sqlx::raw_sql("COMMIT").execute(&mut held).await.unwrap();
    let second = second.wait().await.expect_code(0).json();
    assert_eq!(second["history_id"], first["history_id"], "{second}");
    let versions = "SELECT count(*) FROM phiseal.encryption_keys WHERE purpose = 'cell'";
    assert_eq!(number(&fixture, versions).await, 2);
}

#[tokio::test]
async fn times_a_year_off_change_no_data() {
    let fixture = postgres("rotate_clock", 2_000).await;
    for years in ["-1", "1"] {
        let before = active(&fixture, "cell").await;
        fixture
            .exec(&format!(
                "ALTER TABLE phiseal.encryption_keys DISABLE TRIGGER encryption_keys_lifecycle;
                 UPDATE phiseal.encryption_keys SET created_at = created_at + interval '{years} year',
                    activated_at = activated_at + interval '{years} year';
                 ALTER TABLE phiseal.encryption_keys ENABLE ALWAYS TRIGGER encryption_keys_lifecycle;
                 ALTER TABLE phiseal.key_rotation_history DISABLE TRIGGER key_rotation_history_frozen;
                 UPDATE phiseal.key_rotation_history SET started_at = started_at + interval '{years} year';
                 ALTER TABLE phiseal.key_rotation_history ENABLE ALWAYS TRIGGER key_rotation_history_frozen;
                 UPDATE phiseal.runs SET started_at = started_at + interval '{years} year';
                 UPDATE phiseal.lanes SET updated_at = updated_at + interval '{years} year'"
            ))
            .await;
        let done = json(&fixture, &["rotate"], 0).await;
        assert_eq!(done["rows_resealed"], 2_000, "{done}");
        let after = active(&fixture, "cell").await;
        assert_ne!(after, before);
        all_under(&fixture, after).await;
        json(&fixture, &["verify"], 0).await;
    }
}

/// Key 7 and key 33 differ only in a letter's case in text form; a column under a collation that
/// ignores case must not take the one for the other.
#[tokio::test]
async fn keys_that_differ_in_a_letters_case_are_told_apart() {
    use phiseal::crypto::{DataKey, KeyId, Purpose};
    use phiseal::keys::{KeyFor, KeyTable, NewKey, ProviderConfig, RotationPeriod};
    let ddl = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE patients (id int primary key, note text COLLATE blind, ssn text);
        INSERT INTO patients SELECT i, 'Note ' || i, 'ssn ' || i FROM generate_series(1, 200) i;
        CREATE TABLE saved AS TABLE patients";
    let tables = "[[table]]\nname = \"public.patients\"\n\
         [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
    let db = crate::support::database("rotate_case").await;
    let project = crate::support::Project::new();
    let fixture = Fixture {
        base: crate::support::Base::Postgres(db),
        project,
    };
    fixture.exec(ddl).await;
    fixture.project.plan(&fixture.url(), tables);
    fixture
        .project
        .phiseal(&["migrate", "up"])
        .run()
        .await
        .expect_code(0);
    let schema = phiseal::ident::Ident::new("phiseal").unwrap();
    let store = phiseal::store::postgres::PostgresStore::connect(&fixture.url(), &schema)
        .await
        .unwrap();
    let provider = ProviderConfig::File(fixture.project.key_file())
        .open()
        .unwrap();
    let whom = KeyFor {
        tenant: String::new(),
        purpose: Purpose::Cell,
    };
    for (version, id) in [(1, 7), (2, 33)] {
        let key_id = KeyId::new(id).unwrap();
        let data_key = DataKey::generate().unwrap();
        let mut row = NewKey::wrap(&data_key, key_id, &whom, version, &provider)
            .await
            .unwrap();
        row.created_by = "test".to_owned();
        assert!(store.insert_keys(&[row]).await.unwrap().is_empty());
        if version == 1 {
            store
                .activate_keys(&[key_id], RotationPeriod::Quarter, &phiseal::keys::Unnoted)
                .await
                .unwrap();
        }
    }
    fixture.backfill().await;
    // The key that was prepared is the one that takes over: 7 hands over to 33.
    let done = json(&fixture, &["rotate"], 0).await;
    assert_eq!(
        (&done["from_key_ids"][0], &done["to_key_id"]),
        (&7.into(), &33.into())
    );
    assert_eq!(done["rows_resealed"], 200, "{done}");
    let ledger = &mut NonceLedger::default();
    for column in ["note", "ssn"] {
        let checked = fixture
            .check_against(("public.patients", column), "saved", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!(
            checked.keys.keys().copied().collect::<Vec<_>>(),
            [33],
            "{column}"
        );
    }
    let status = json(&fixture, &["status"], 0).await;
    for key in status["keys"].as_array().unwrap() {
        let expected = if key["key_id"] == 33 { 400 } else { 0 };
        assert_eq!(key["rows"], expected, "{key}");
    }
    let args = ["keys", "destroy", "7", "--confirm", "7", "--reason", "old"];
    assert_eq!(json(&fixture, &args, 0).await["destroyed"][0], 7);
}

#[tokio::test]
async fn values_that_do_not_open_leave_a_remainder_and_their_key() {
    let fixture = postgres("rotate_remainder", 300).await;
    let before = active(&fixture, "cell").await;
    fixture.exec(&formless("public.patients")).await;
    // With its plaintext beside it, each would be sealed from that.
    fixture
        .exec(&marked("clear", "public.patients",
            "UPDATE patients SET ssn = NULL WHERE id = 5; UPDATE patients SET dob = NULL WHERE id = 9"))
        .await;
    fixture
        .exec(&marked("seal", "public.patients",
            "UPDATE patients SET ssn_sealed = set_byte(ssn_sealed, 20, get_byte(ssn_sealed, 20) # 1) WHERE id = 5;
             UPDATE patients SET dob_sealed = substr(dob_sealed, 1, 20) WHERE id = 9"))
        .await;
    let done = json(&fixture, &["rotate"], 6).await;
    assert_eq!(done["outcome"], "complete with remainder", "{done}");
    assert_eq!(done["quarantined"], 2);
    let listed = json(&fixture, &["quarantine", "list"], 0).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let key = before.to_string();
    let args = [
        "keys",
        "destroy",
        &key,
        "--confirm",
        &key,
        "--reason",
        "old",
    ];
    let refused = json(&fixture, &args, 7).await;
    assert_eq!(refused["error"]["code"], "E0441", "{refused}");
    // Mended and tried again: the next rotation takes what was left behind along.
    fixture
        .exec(&marked("seal", "public.patients",
            "UPDATE patients SET ssn_sealed = set_byte(ssn_sealed, 20, get_byte(ssn_sealed, 20) # 1) WHERE id = 5;
             UPDATE patients SET dob_sealed = NULL, ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 9;
             UPDATE patients SET dob = (SELECT dob FROM saved WHERE id = 9) WHERE id = 9"))
        .await;
    json(&fixture, &["quarantine", "retry"], 0).await;
    fixture.backfill().await;
    let done = json(&fixture, &["rotate"], 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
    let from = done["from_key_ids"].as_array().unwrap();
    assert!(from.iter().any(|id| *id == before), "{done}");
    all_under(&fixture, active(&fixture, "cell").await).await;
    json(&fixture, &args, 0).await;
}

/// What would be lost or stop the switch is refused before anything is done; what can be kept is.
#[tokio::test]
async fn what_depends_on_an_index_column_is_refused_and_its_privileges_stay() {
    let fixture = postgres("rotate_depends", 100).await;
    let before = active(&fixture, "blind_index").await;
    let args = ["rotate", "--purpose", "blind_index", "--grace", "0"];
    for (make, undo, what) in [
        (
            "CREATE INDEX own ON patients (id, ssn_bidx)",
            "DROP INDEX own",
            "index public.own",
        ),
        (
            "CREATE VIEW seen AS SELECT ssn_bidx FROM patients",
            "DROP VIEW seen",
            "view public.seen",
        ),
        (
            "CREATE PUBLICATION out FOR TABLE patients",
            "DROP PUBLICATION out",
            "publication out",
        ),
    ] {
        fixture.exec(make).await;
        let refused = json(&fixture, &args, 3).await;
        assert_eq!(refused["error"]["code"], "E0516", "{refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(what), "{message}");
        assert_eq!(active(&fixture, "blind_index").await, before);
        fixture.exec(undo).await;
    }
    fixture
        .exec(
            "GRANT SELECT (ssn_bidx) ON patients TO PUBLIC;
            COMMENT ON COLUMN patients.ssn_bidx IS 'looked up by the portal'",
        )
        .await;
    json(&fixture, &args, 0).await;
    assert_ne!(active(&fixture, "blind_index").await, before);
    let kept = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'patients'::regclass
        AND attname = 'ssn_bidx' AND attacl::text LIKE '%=r/%'
        AND col_description(attrelid, attnum) = 'looked up by the portal'";
    assert_eq!(number(&fixture, kept).await, 1);
}

#[tokio::test]
async fn a_table_is_no_narrowing_of_a_rotation() {
    let fixture = postgres("rotate_table", 5).await;
    let key = active(&fixture, "cell").await.to_string();
    for args in [
        vec!["rotate", "--table", "public.patients"],
        vec![
            "keys",
            "compromise",
            &key,
            "--reason",
            "x",
            "--table",
            "public.patients",
        ],
        vec![
            "keys",
            "destroy",
            &key,
            "--reason",
            "x",
            "--table",
            "public.patients",
        ],
    ] {
        assert_eq!(json(&fixture, &args, 2).await["error"]["code"], "E0116");
    }
}
