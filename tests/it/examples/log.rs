//! Nothing that an application seals, and no key, reaches the server's log or an error.

use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::examples::{Application, bytes, command, languages};
use crate::support::{Base, Fixture};
use serde_json::json;
use std::fs;

const CANARY: &str = "canary-7f3a91";

#[tokio::test]
async fn no_key_and_no_value_is_in_the_servers_log_or_in_an_error() {
    let cluster = Cluster::start();
    let db = Database::create(&cluster.url("postgres"), "examples_log", "").await;
    let sql = "CREATE TABLE people (mrn text PRIMARY KEY, id int, ssn text, dob date)";
    let plan = "[[table]]\nname = \"public.people\"\n[[table.column]]\nname = \"ssn\"\n\
        seal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"exact\", bits = 256, force = true }\n\
        [[table.column]]\nname = \"dob\"\nseal_into = \"dob_sealed\"\n";
    let fixture = Fixture::new(Base::Postgres(db), sql, plan).await;
    fixture.backfill().await;
    for setting in [
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
        "log_error_verbosity = verbose",
    ] {
        fixture.exec(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    fixture.exec("SELECT pg_reload_conf()").await;
    let field = ("public.people", "ssn");
    let insert = "INSERT INTO people (id, mrn, ssn_sealed, ssn_bidx) VALUES ($1::text::int, 'm' || $1::text, $2, $3) RETURNING mrn, ssn_sealed";
    let mut said = String::new();
    for (at, language) in languages().iter().enumerate() {
        let mut application = Application::start(*language, &fixture);
        let mrn = json!([{ "type": "text", "value": format!("m{at}") }]);
        let write = json!({
            "key": mrn, "value": CANARY, "sql": insert, "params": [at], "index": true,
        });
        application
            .done(command("write", field, write.clone()))
            .await;
        let lookups = application
            .done(command("lookups", field, json!({ "value": CANARY })))
            .await;
        let found = format!(
            "SELECT count(*) FROM people WHERE ssn_bidx = '\\x{}'",
            lookups[0].as_str().unwrap()
        );
        assert_eq!(
            fixture.db().count(&found).await,
            i64::try_from(at).unwrap() + 1
        );
        // Every way to fail that has a value in its hands.
        let twice = command("write", field, write.clone());
        assert!(
            application.ask(&twice).await.get("error").is_some(),
            "two rows of one key"
        );
        for (class, key, value, more) in [
            (
                "DoesNotOpen",
                "kennel",
                json!(CANARY),
                json!({ "params": [100 + at] }),
            ),
            (
                "NotTrusted",
                "m200",
                json!(CANARY),
                json!({ "params": [200], "unmarked": true }),
            ),
            (
                "WrongInput",
                "m201",
                json!([CANARY]),
                json!({ "params": [201] }),
            ),
        ] {
            let mut write = json!({
                "key": [{ "type": "text", "value": key }], "value": value, "sql": insert, "index": true,
            });
            write
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            application
                .fails(class, command("write", field, write))
                .await;
        }
        let date = json!({ "key": mrn.clone(), "value": CANARY });
        application
            .fails(
                "WrongInput",
                command("seal", ("public.people", "dob"), date),
            )
            .await;
        let open = json!({ "key": mrn, "sealed": bytes(&hex::encode(CANARY.repeat(4))) });
        application
            .fails("DoesNotOpen", command("open", field, open))
            .await;
        said.push_str(&application.shown);
    }
    let keys = fixture.keys().await;
    let mut secrets: Vec<String> = keys
        .keys
        .values()
        .filter_map(|key| key.key.map(hex::encode))
        .collect();
    assert_eq!(secrets.len(), 2);
    let line = fixture.project.key_line();
    secrets.push(hex::encode(crate::oracle::wrapping_key(line).unwrap()));
    secrets.push(line.trim_start_matches("phiseal-wk-1.").to_owned());
    secrets.extend([CANARY.to_owned(), hex::encode(CANARY), "kennel".to_owned()]);
    let log = fs::read(cluster.dir().join("server.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    for place in [
        "SET LOCAL phiseal.sealer",
        "encode(wrapped_key, 'hex')",
        "INSERT INTO people",
    ] {
        assert!(log.contains(place), "the log shows no {place}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "the server's log holds {secret}");
        assert!(!said.contains(&secret), "an error holds {secret}: {said}");
    }
}
