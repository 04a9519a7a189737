//! What an application is told when something is wrong, and that nothing was written then.

use super::{applications, verified};
use crate::support::Fixture;
use crate::support::examples::{Application, bytes, command, id, languages};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const SSN: (&str, &str) = ("public.patients", "ssn");
const UPDATE: &str =
    "UPDATE patients SET ssn_sealed = $2, ssn_bidx = $3 WHERE id = $1 RETURNING id, ssn_sealed";

async fn patients(name: &str) -> Fixture {
    let sql = "CREATE TABLE patients (id int PRIMARY KEY, ssn text);
        INSERT INTO patients SELECT i, '123-45-' || lpad(i::text, 4, '0') FROM generate_series(1, 40) i;";
    let plan = "[[table]]\nname = \"public.patients\"\n[[table.column]]\nname = \"ssn\"\n\
        seal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }\n";
    let fixture = Fixture::postgres(name, sql, plan).await;
    fixture.backfill().await;
    fixture
}

fn write(row: i64, more: Value) -> Value {
    let mut write = json!({
        "key": id(row), "value": "987-65-4321", "sql": UPDATE, "params": [row], "index": true,
    });
    write
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    command("write", SSN, write)
}

async fn stored(fixture: &Fixture, row: i64) -> String {
    let sql = format!("SELECT encode(ssn_sealed, 'hex') FROM patients WHERE id = {row}");
    fixture.scalar(&sql).await.unwrap()
}

#[tokio::test]
async fn a_transaction_whose_key_was_rotated_away_is_run_again_with_the_new_one() {
    let fixture = patients("examples_stale").await;
    for mut application in applications(&fixture) {
        application.done(json!({ "do": "load" })).await;
        fixture.json(&["rotate"]).await;
        let done = application.done(write(1, json!({}))).await;
        assert_eq!(done, json!({ "rows": 1, "calls": 2 }));
        // A value under a key that is newer than the keys loaded.
        fixture.json(&["rotate"]).await;
        let open = json!({ "key": id(1), "sealed": bytes(&stored(&fixture, 1).await) });
        let opened = application.done(command("open", SSN, open)).await;
        assert_eq!(opened["value"], "987-65-4321");
    }
    verified(&fixture, 40).await;
}

#[tokio::test]
async fn lookups_find_rows_before_and_after_the_key_of_the_index_is_rotated() {
    let fixture = patients("examples_lookups").await;
    let index = "SELECT encode(ssn_bidx, 'hex') FROM patients WHERE id = 7";
    let lookups = command("lookups", SSN, json!({ "value": "123 45 0007" }));
    for language in languages() {
        let (url, key) = (fixture.url(), fixture.project.key_file());
        let mut application = Application::start_with(*language, &url, &key, 0.2);
        let before = fixture.scalar(index).await.unwrap();
        // A rotation for the language before this one left its key behind.
        let found = application.done(lookups.clone()).await;
        assert_eq!(found[0], before.as_str(), "{found}");
        let rotate = ["rotate", "--purpose", "blind_index", "--grace", "1"];
        fixture.json(&rotate).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = fixture.scalar(index).await.unwrap();
        assert_ne!(before, after);
        let found = application.done(lookups.clone()).await;
        assert_eq!(found[0], after.as_str(), "{found}");
        // The keys were loaded in the background.
        assert_eq!(application.done(write(2, json!({}))).await["calls"], 1);
    }
}

#[tokio::test]
async fn keys_older_than_a_minute_seal_nothing_and_a_lost_connection_is_made_again() {
    let fixture = patients("examples_age").await;
    let lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'example'";
    let seal = command("seal", SSN, json!({ "key": id(1), "value": "x" }));
    let later = json!({ "do": "later", "seconds": 61 });
    for mut application in applications(&fixture) {
        application.done(seal.clone()).await;
        fixture.exec(lose).await;
        application.done(later.clone()).await;
        application.done(seal.clone()).await;
        fixture.exec(lose).await;
        application.done(json!({ "do": "break" })).await;
        // Keys of less than a minute go on.
        application.done(seal.clone()).await;
        application.done(later.clone()).await;
        let open = json!({ "key": id(1), "sealed": bytes(&stored(&fixture, 1).await) });
        for stale in [seal.clone(), command("open", SSN, open)] {
            let said = application.fails("StaleKeys", stale).await;
            assert!(said.contains("more than a minute old"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_value_in_the_wrong_row_and_one_that_nobody_saw_again_are_not_committed() {
    let fixture = patients("examples_row").await;
    let before = fixture
        .db()
        .rows("SELECT * FROM patients ORDER BY id")
        .await;
    let other = UPDATE.replace("id = $1", "id = $1::int + 1");
    let silent = UPDATE.replace(" RETURNING id, ssn_sealed", "");
    for mut application in applications(&fixture) {
        let wrong = write(5, json!({ "sql": other }));
        let said = application.fails("DoesNotOpen", wrong).await;
        assert!(said.contains("a row for which it was not sealed"), "{said}");
        let said = application
            .fails("NotChecked", write(5, json!({ "sql": silent })))
            .await;
        assert!(said.contains("RETURNING id, ssn_sealed"), "{said}");
        for part in ["id", "ssn_sealed"] {
            let sql = UPDATE.replace("id, ssn_sealed", part);
            application
                .fails("NotChecked", write(5, json!({ "sql": sql })))
                .await;
        }
        let after = fixture
            .db()
            .rows("SELECT * FROM patients ORDER BY id")
            .await;
        assert!(before == after, "something was written");
    }
    for mut application in applications(&fixture) {
        let none = write(999, json!({}));
        assert_eq!(application.done(none).await["rows"], 0, "no such row");
        let read = "SELECT id, ssn_sealed FROM patients WHERE id = 5";
        let again = write(5, json!({ "sql": silent, "then": read }));
        assert_eq!(application.done(again).await["rows"], 1);
    }
    verified(&fixture, 40).await;
}

#[tokio::test]
async fn a_writer_without_the_mark_is_told_so() {
    let fixture = patients("examples_mark").await;
    for mut application in applications(&fixture) {
        let unmarked = write(3, json!({ "unmarked": true }));
        let said = application.fails("NotTrusted", unmarked).await;
        assert!(said.contains("PS006"), "{said}");
        let insert = "INSERT INTO patients (id, ssn_sealed, ssn_bidx) VALUES ($1, $2, $3) RETURNING id, ssn_sealed";
        let unmarked = write(99, json!({ "unmarked": true, "sql": insert }));
        let said = application.fails("NotTrusted", unmarked).await;
        assert!(said.contains("PS003"), "{said}");
    }
    verified(&fixture, 40).await;
}

#[tokio::test]
async fn a_new_tenant_gets_its_keys_from_an_operator() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, clinic text, v text);
        INSERT INTO t VALUES (1, 'north', 'a')";
    let plan = "[[table]]\nname = \"public.t\"\ntenant_column = \"clinic\"\n\
        [[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n";
    let fixture = Fixture::postgres("examples_tenants", sql, plan).await;
    fixture.backfill().await;
    let field = ("public.t", "v");
    let insert =
        "INSERT INTO t (id, clinic, v_sealed) VALUES ($1, $2, $3) RETURNING id, clinic, v_sealed";
    for (mut application, (row, tenant)) in applications(&fixture)
        .into_iter()
        .zip([(10, "süd"), (11, "west")])
    {
        let write = json!({
            "key": id(row), "value": "b", "tenant": tenant, "sql": insert, "params": [row, tenant],
        });
        let write = command("write", field, write);
        let said = application.fails("NoTenantKey", write.clone()).await;
        assert!(
            said.contains("phiseal keys create --tenant T --if-missing"),
            "{said}"
        );
        assert!(!said.contains(tenant), "{said}");
        let ensure = ["keys", "create", "--tenant", tenant, "--if-missing"];
        fixture.run(&ensure).await.expect_code(0);
        fixture.run(&ensure).await.expect_code(0);
        // A key that was not found is looked for again after two seconds.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        assert_eq!(application.done(write.clone()).await["rows"], 1);
        // Neither another tenant nor none.
        let sealed = fixture
            .scalar("SELECT encode(v_sealed, 'hex') FROM t WHERE id = 1")
            .await;
        let sealed = bytes(&sealed.unwrap());
        let open = json!({ "key": id(1), "sealed": sealed, "tenant": tenant });
        application
            .fails("DoesNotOpen", command("open", field, open))
            .await;
        let none = json!({ "key": id(9), "value": "c" });
        application
            .fails("WrongInput", command("seal", field, none))
            .await;
    }
    verified(&fixture, 1 + languages().len()).await;
    let key = "SELECT key_id::text FROM phiseal.encryption_keys WHERE tenant = 'north' AND purpose = 'cell'";
    let key = fixture.scalar(key).await.unwrap();
    fixture
        .run(&["keys", "suspend", &key, "--reason", "test"])
        .await
        .expect_code(0);
    for mut application in applications(&fixture) {
        let seal = json!({ "key": id(1), "value": "b", "tenant": "north" });
        let said = application
            .fails("NoTenantKey", command("seal", field, seal))
            .await;
        assert!(said.contains("suspended"), "{said}");
    }
}

#[tokio::test]
async fn a_wrong_wrapping_key_is_named_by_its_reference_and_a_readable_file_is_refused() {
    let fixture = patients("examples_wrapping").await;
    let (right, other) = (
        fixture.project.key_file(),
        fixture.project.dir().join("other.key"),
    );
    let make = [
        "keys",
        "new-wrapping-key",
        other.to_str().unwrap(),
        "--json",
    ];
    let made = fixture.run(&make).await.expect_code(0).json();
    let wanted = "SELECT kek_ref FROM phiseal.encryption_keys LIMIT 1";
    let wanted = fixture.scalar(wanted).await.unwrap();
    for language in languages() {
        let start = |file: &_| Application::start_with(*language, &fixture.url(), file, 30.0);
        let load = json!({ "do": "load" });
        let said = start(&other).fails("KeysUnusable", load.clone()).await;
        let given = made["reference"].as_str().unwrap();
        assert!(said.contains(&wanted) && said.contains(given), "{said}");
        fs::set_permissions(&right, fs::Permissions::from_mode(0o644)).unwrap();
        let said = start(&right).fails("KeysUnusable", load.clone()).await;
        assert!(said.contains("mode 0600"), "{said}");
        fs::set_permissions(&right, fs::Permissions::from_mode(0o600)).unwrap();
        let missing = fixture.project.dir().join("missing.key");
        start(&missing).fails("KeysUnusable", load.clone()).await;
        let empty = fixture.project.dir().join("empty.key");
        fs::write(&empty, "").unwrap();
        fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
        start(&empty).fails("KeysUnusable", load.clone()).await;
        start(&right).done(load).await;
    }
}

#[tokio::test]
async fn what_was_altered_moved_or_never_sealed_does_not_open() {
    let fixture = patients("examples_altered").await;
    let right = stored(&fixture, 1).await;
    let mut altered = hex::decode(&right).unwrap();
    altered[20] ^= 1;
    let unknown = format!("e70100000001{}", &right[12..]);
    let cases = [
        (1, hex::encode(altered)),
        (2, right.clone()),
        (1, right[..60].to_owned()),
        (1, "00".repeat(40)),
        (1, String::new()),
        (1, unknown),
    ];
    for mut application in applications(&fixture) {
        for (row, sealed) in &cases {
            let open = json!({ "key": id(*row), "sealed": bytes(sealed) });
            application
                .fails("DoesNotOpen", command("open", SSN, open))
                .await;
        }
        let text = json!({ "key": id(1), "sealed": "ps1.5wE=" });
        application
            .fails("DoesNotOpen", command("open", SSN, text))
            .await;
        let open = json!({ "key": id(1), "sealed": bytes(&right) });
        application.done(command("open", SSN, open.clone())).await;
        let said = application
            .fails(
                "NotRegistered",
                command("open", ("public.patients", "sn"), open),
            )
            .await;
        assert!(said.contains("phiseal fields list"), "{said}");
    }
}
