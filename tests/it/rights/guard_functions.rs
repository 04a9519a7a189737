//! Functions in our schema run with the rights of whoever calls them, and nobody can hang them on a table
//! of his own; the owner of a guarded table and applications that seal go on as before.

use std::time::Duration;

use super::{attempt, connect};
use crate::support::{Fixture, Project, database};
use phiseal::schema::Migrations;

const PLAN: &str = r#"
[[table]]
name = "public.patients"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
"#;

const TABLE: &str = "CREATE TABLE patients (id int PRIMARY KEY, ssn text);
    INSERT INTO patients VALUES (1, '123'), (2, '456');";

/// Functions that run with their owner's rights, and functions that everybody may execute.
const LOOSE: &str = "
    SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'phiseal'
       AND (p.prosecdef OR has_function_privilege('public', p.oid, 'EXECUTE')) ORDER BY 1";

#[tokio::test]
async fn none_runs_with_its_owners_rights_or_may_be_called_by_everybody() {
    let fixture = Fixture::postgres("functions", TABLE, PLAN).await;
    fixture.backfill().await;
    assert_eq!(
        fixture.db().rows(LOOSE).await,
        Vec::<Vec<Option<String>>>::new()
    );
    let guards = "SELECT count(*) FROM pg_proc WHERE proname ~ '^guard_'";
    assert_eq!(fixture.db().count(guards).await, 2);
}

/// A reader needs USAGE on our schema and SELECT on the keys.
#[tokio::test]
async fn a_reader_can_hang_none_of_them_on_a_table_of_its_own() {
    let fixture = Fixture::postgres("hang", TABLE, PLAN).await;
    fixture.backfill().await;
    let eve = fixture.db().role("eve", "").await;
    fixture
        .exec(&format!(
            "GRANT USAGE ON SCHEMA phiseal TO {0}; GRANT SELECT ON phiseal.encryption_keys TO {0};
             GRANT CREATE ON SCHEMA public TO {0}",
            eve.name
        ))
        .await;
    let functions = "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'phiseal' AND p.prorettype = 'trigger'::regtype";
    let functions = fixture.db().rows(functions).await;
    assert!(functions.len() >= 6, "{functions:?}");
    for function in functions.iter().flatten().flatten() {
        for when in ["BEFORE", "AFTER"] {
            let sql = format!(
                "CREATE TEMP TABLE k (key_id int, status text, created_by text, reason text, changed_by text,
                    id int, ssn text, ssn_sealed bytea);
                 CREATE TRIGGER \"~phiseal_i\" {when} INSERT ON k FOR EACH ROW EXECUTE FUNCTION {function};
                 INSERT INTO k VALUES (1, 'active', 'x', 'x', 'x')"
            );
            let refused = attempt(&eve.url, &sql).await;
            assert_eq!(refused.as_deref(), Some("42501"), "{function}");
        }
        let call = format!("SELECT {function}");
        assert!(attempt(&eve.url, &call).await.is_some(), "{function}");
    }
}

/// Even for a role that may execute them, they do nothing on another table.
#[tokio::test]
async fn on_another_table_they_refuse_to_run() {
    let fixture = Fixture::postgres("another_table", TABLE, PLAN).await;
    fixture.backfill().await;
    let moved = "CREATE TABLE phiseal.other (key_id int, status text, created_by text, reason text, changed_by text);
        CREATE TRIGGER t AFTER INSERT ON phiseal.other FOR EACH ROW
            EXECUTE FUNCTION phiseal.encryption_keys_moved();
        INSERT INTO phiseal.other VALUES (1, 'active', 'x', 'x', 'x')";
    assert_eq!(
        attempt(&fixture.url(), moved).await.as_deref(),
        Some("PS001")
    );
    let guard = fixture
        .scalar("SELECT p.oid::regprocedure::text FROM pg_proc p WHERE proname ~ '^guard_insert_'")
        .await
        .unwrap();
    let guard = format!(
        "CREATE TABLE other (id int, ssn text, ssn_sealed bytea);
         CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION {guard};
         INSERT INTO other VALUES (1, 'x', 'x')"
    );
    assert_eq!(
        attempt(&fixture.url(), &guard).await.as_deref(),
        Some("PS005")
    );
}

/// The server asks for EXECUTE on the guard's functions again for a new partition.
#[tokio::test]
async fn the_owner_of_a_partitioned_table_goes_on_making_partitions() {
    let fixture = Fixture::postgres("partitions", TABLE, PLAN).await;
    let owner = fixture.db().role("owner", "").await;
    let table = format!(
        "DROP TABLE patients; CREATE TABLE patients (id int PRIMARY KEY, ssn text) PARTITION BY RANGE (id);
         CREATE TABLE one PARTITION OF patients FOR VALUES FROM (0) TO (10);
         INSERT INTO patients VALUES (1, '123'); GRANT CREATE ON SCHEMA public TO {0};
         ALTER TABLE patients OWNER TO {0}; ALTER TABLE one OWNER TO {0};",
        owner.name
    );
    fixture.exec(&table).await;
    fixture.backfill().await;
    let made = "CREATE TABLE two PARTITION OF patients FOR VALUES FROM (10) TO (20);
        CREATE TABLE three (id int NOT NULL, ssn text, ssn_sealed bytea);
        ALTER TABLE patients ATTACH PARTITION three FOR VALUES FROM (20) TO (30);
        INSERT INTO patients VALUES (11, '456'), (21, '789')";
    assert_eq!(attempt(&owner.url, made).await, None);
    assert_eq!(fixture.backfill().await["rows_sealed"], 2);
}

#[tokio::test]
async fn a_suspended_key_seals_nothing_at_once_and_older_transactions_are_waited_for() {
    let fixture = Fixture::postgres("suspend", TABLE, PLAN).await;
    fixture.backfill().await;
    let app = fixture.db().role("app", "").await;
    let grants = format!(
        "GRANT USAGE ON SCHEMA phiseal TO {0}; GRANT SELECT ON phiseal.encryption_keys TO {0};
         GRANT SELECT, INSERT, UPDATE ON patients TO {0};
         CREATE TABLE kept AS SELECT * FROM patients; GRANT SELECT ON kept TO {0}",
        app.name
    );
    fixture.exec(&grants).await;
    // A value that was sealed for a row goes out and comes back: sealed by the application, so to speak.
    let seal = |id: i32| {
        format!(
            "BEGIN; SET LOCAL phiseal.sealer = 'on'; UPDATE patients SET ssn_sealed = NULL WHERE id = {id};
             UPDATE patients SET ssn_sealed = (SELECT ssn_sealed FROM kept WHERE id = {id}) WHERE id = {id}"
        )
    };
    let mut open = connect(&app.url).await;
    let sealed = sqlx::AssertSqlSafe(seal(1));
    sqlx::raw_sql(sealed).execute(&mut open).await.unwrap();
    let key = fixture
        .scalar("SELECT key_id FROM phiseal.encryption_keys WHERE purpose = 'cell'")
        .await
        .unwrap();
    let suspend = ["keys", "suspend", &key, "--reason", "trial"];
    let mut running = fixture.project.phiseal(&suspend).spawn();
    let status = format!("SELECT status FROM phiseal.encryption_keys WHERE key_id = {key}");
    while fixture.scalar(&status).await.as_deref() != Some("suspended") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Nobody seals under it any more, although the transaction from before is still open.
    let refused = attempt(&app.url, &format!("{}; COMMIT", seal(2))).await;
    assert_eq!(refused.as_deref(), Some("PS002"));
    assert!(running.says("older transaction").await);
    sqlx::raw_sql("COMMIT").execute(&mut open).await.unwrap();
    running.wait().await.expect_code(0);
}

/// What a guard of version 0.1.0 consisted of, shortened to what matters here.
const OLD_GUARD: &str = r#"
    CREATE TABLE patients (id int PRIMARY KEY, ssn text, ssn_sealed bytea);
    CREATE FUNCTION phiseal.guard_require_active(id bigint, owner text) RETURNS void
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $phiseal$
    BEGIN
      PERFORM 1 FROM phiseal.encryption_keys k WHERE k.key_id = id AND k.tenant = owner
        AND k.purpose = 'cell' AND k.status = 'active' FOR SHARE;
      IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = 'PS001', MESSAGE = 'refused'; END IF;
    END $phiseal$;
    CREATE FUNCTION phiseal.guard_insert_0123456789abcdef() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $phiseal$
    BEGIN
      IF NEW.ssn_sealed IS NOT NULL THEN PERFORM phiseal.guard_require_active(NEW.id, ''); END IF;
      RETURN NEW;
    END $phiseal$;
    CREATE TRIGGER "~phiseal_i" BEFORE INSERT ON patients FOR EACH ROW
      EXECUTE FUNCTION phiseal.guard_insert_0123456789abcdef();"#;

#[tokio::test]
async fn guards_of_an_earlier_version_lose_their_owners_rights_by_the_migration_and_go_on() {
    let db = database("old_guard").await;
    let mut conn = db.connection().await;
    let mut own = Migrations::own_in_postgres(&mut conn, "phiseal").unwrap();
    own.up(Some(5)).await.unwrap();
    db.exec(OLD_GUARD).await;
    let key = "INSERT INTO phiseal.encryption_keys (key_id, purpose, version, algorithm, status, kek_ref,
        wrapped_key, check_value, created_by) VALUES (7, 'cell', 1, 'AES-256-GCM', 'active', 'wk:0', 'x', 'x', 'x')";
    db.exec(key).await;
    let app = db.role("app", "").await;
    let grants = format!(
        "GRANT USAGE ON SCHEMA phiseal TO {0}; GRANT SELECT ON phiseal.encryption_keys TO {0};
         GRANT INSERT ON patients TO {0}",
        app.name
    );
    db.exec(&grants).await;
    let loose = db.rows(LOOSE).await;
    assert!(loose.len() >= 7, "the control finds {loose:?}");

    let project = Project::new();
    project.plan(&db.url(), PLAN);
    let early = project.phiseal(&["status"]).run().await;
    assert!(early.expect_code(3).stderr.contains("E0515"));
    project
        .phiseal(&["migrate", "up"])
        .run()
        .await
        .expect_code(0);

    let left = db.rows(LOOSE).await;
    // Called by the old guard on behalf of whoever writes; it has no rights of its own any more.
    assert_eq!(left, [[Some("guard_require_active".to_owned())]]);
    let definers =
        "SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 'phiseal'::regnamespace";
    assert_eq!(db.count(definers).await, 0);
    assert_eq!(
        attempt(&app.url, "INSERT INTO patients VALUES (7, NULL, 'x')").await,
        None
    );
    let other = attempt(&app.url, "INSERT INTO patients VALUES (8, NULL, 'x')").await;
    assert_eq!(other.as_deref(), Some("PS001"));
    // And back: the functions as version 5 has them.
    let mut own = Migrations::own_in_postgres(&mut conn, "phiseal").unwrap();
    own.down(Some(5)).await.unwrap();
    let moved = "SELECT prosecdef FROM pg_proc WHERE proname = 'encryption_keys_moved'";
    assert_eq!(db.scalar(moved).await.as_deref(), Some("t"));
}
