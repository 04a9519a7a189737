//! What the catalog of a real PostgreSQL says of awkward objects, and what preflight makes of it.
//! Every check by itself has its tests with made-up facts, in `src/engine/preflight/tests`; `objects`
//! has the facts one by one.

mod objects;

use phiseal::engine::preflight::{Dialect, KeysHave, Preflight, RunPurpose, check, resolve};
use phiseal::ident::Ident;
use phiseal::plan::{ColumnPlan, SealTo, TablePlan, TriggerPolicy};
use phiseal::schema::Migrations;
use phiseal::store::catalog::{RelationKind, ServerFacts, TableFacts};
use phiseal::store::postgres::PostgresStore;
use phiseal::store::{Catalog, Right, StoreError};

use crate::backfill::beside as tables;
use crate::support::database::Database;
use crate::support::{Fixture, database, database_with};
use std::time::{Duration, Instant};

async fn store_at(url: &str) -> PostgresStore {
    let schema = Ident::new("phiseal").unwrap();
    PostgresStore::connect(url, &schema).await.unwrap()
}

async fn server(url: &str) -> ServerFacts {
    store_at(url).await.server().await.unwrap()
}

async fn facts_at(url: &str, table: &str) -> TableFacts {
    let found = store_at(url)
        .await
        .table(&table.parse().unwrap())
        .await
        .unwrap();
    found.unwrap_or_else(|| panic!("{table} was not found"))
}

async fn facts(db: &Database, table: &str) -> TableFacts {
    facts_at(&db.url(), table).await
}

fn plan(table: &str, column: &str, target: SealTo) -> TablePlan {
    TablePlan {
        name: table.parse().unwrap(),
        label: None,
        tenant_column: None,
        triggers: TriggerPolicy::Refuse,
        on_untrusted_seal: None,
        columns: vec![ColumnPlan {
            name: column.parse().unwrap(),
            target,
            blind_index: None,
            pad_to: 0,
        }],
    }
}

fn beside(table: &str, column: &str) -> TablePlan {
    let sealed = format!("{column}_sealed").parse().unwrap();
    plan(table, column, SealTo::Beside(sealed))
}

#[tokio::test]
async fn a_transaction_that_cannot_begin_does_not_spoil_the_next_one() {
    let db = database("preflight_begin").await;
    db.exec("CREATE TABLE t (id bigint PRIMARY KEY)").await;
    let role = db.role("later", "").await.name;
    let rename = async |from: &str, to: &str| {
        db.exec(&format!("ALTER ROLE {from} RENAME TO {to}")).await;
    };
    let away = format!("{role}_away");
    rename(&role, &away).await;
    let (schema, of_plan) = (Ident::new("phiseal").unwrap(), Ident::new(&role).unwrap());
    let store = PostgresStore::connect_as(&db.url(), &schema, Some(&of_plan))
        .await
        .unwrap();
    let table = "public.t".parse().unwrap();
    // BEGIN takes effect, and SET ROLE fails.
    let refused = store.table(&table).await;
    assert!(matches!(refused, Err(StoreError::RoleRefused { .. })));
    rename(&away, &role).await;
    assert!(store.table(&table).await.unwrap().is_some());
}

/// The codes of the refusals, and of the warnings.
fn judged(
    server: &ServerFacts,
    table: &TableFacts,
    plan: &TablePlan,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let findings = check(&Preflight {
        server,
        table: Some(table),
        plan,
        registered: &[],
        keys: KeysHave {
            cell: true,
            blind_index: true,
        },
        purpose: RunPurpose::Backfill,
        dialect: Dialect::Postgres,
    });
    let refusals = findings.refusals().map(|finding| finding.code).collect();
    (
        refusals,
        findings.warnings().map(|finding| finding.code).collect(),
    )
}

async fn installed(db: &Database) {
    let mut conn = db.connection().await;
    let mut schema = Migrations::own_in_postgres(&mut conn, "phiseal").unwrap();
    schema.up(None).await.unwrap();
}

fn shown(rights: &[Right]) -> Vec<String> {
    rights.iter().map(ToString::to_string).collect()
}

fn names<'a>(of: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    of.into_iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_plain_table_in_an_installed_database_is_not_refused() {
    let db = database("preflight_plain").await;
    installed(&db).await;
    db.exec("CREATE TABLE patients (id bigserial PRIMARY KEY, ssn text)")
        .await;
    let server = server(&db.url()).await;
    assert!(server.installed && server.superuser && server.may_suppress_triggers);
    assert_eq!(
        (server.encoding.as_str(), server.read_only),
        ("UTF8", false)
    );
    assert!(
        server.version.starts_with("PostgreSQL 1"),
        "{}",
        server.version
    );
    let facts = facts(&db, "patients").await;
    assert_eq!(
        (facts.schema.as_str(), facts.kind),
        ("public", RelationKind::Table)
    );
    let plan = beside("patients", "ssn");
    assert_eq!(judged(&server, &facts, &plan), (vec![], vec![]));
    let target = resolve(&plan, &facts, &[], Dialect::Postgres).unwrap();
    assert_eq!(target.label, "public.patients");
}

#[tokio::test]
async fn an_sql_ascii_database_without_our_tables_is_refused() {
    let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
    let db = database_with("preflight_ascii", options).await;
    db.exec("CREATE TABLE patients (id int PRIMARY KEY, ssn text)")
        .await;
    let server = server(&db.url()).await;
    assert!(!server.installed);
    let facts = facts(&db, "public.patients").await;
    let (refusals, _) = judged(&server, &facts, &beside("public.patients", "ssn"));
    assert_eq!(refusals, ["E0213", "E0215"]);
}

#[tokio::test]
async fn a_table_that_is_not_there_has_no_facts() {
    let db = database("preflight_none").await;
    let store = store_at(&db.url()).await;
    for name in [
        "patients",
        "public.patients",
        "nowhere.patients",
        "\"Public\".pg_class",
    ] {
        assert!(
            store.table(&name.parse().unwrap()).await.unwrap().is_none(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn partitions_are_read_with_their_leaves_and_judged_as_one() {
    let db = database("preflight_partitions").await;
    installed(&db).await;
    db.exec(
        "CREATE TABLE ev (id bigint, at date, ssn text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')
             PARTITION BY RANGE (id);
         CREATE TABLE \"Ev_2a\" PARTITION OF ev_2 FOR VALUES FROM (0) TO (1000);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER touched BEFORE UPDATE ON ev FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TRIGGER on_leaf AFTER UPDATE ON ev_1 FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE INDEX on_leaf_only ON ev_1 (ssn);
         CREATE TABLE refers (id bigint, at date, FOREIGN KEY (id, at) REFERENCES ev);
         INSERT INTO ev SELECT n, date '2020-01-01' + n, 'x' FROM generate_series(0, 699) AS n; ANALYZE;",
    )
    .await;
    let root = facts(&db, "public.ev").await;
    assert_eq!(root.kind, RelationKind::Partitioned);
    assert_eq!(
        names(root.leaves.iter().map(|l| &l.relation)),
        ["public.\"Ev_2a\"", "public.ev_1"]
    );
    assert!(
        root.leaves
            .iter()
            .all(|leaf| !leaf.guarded && !leaf.foreign)
    );
    assert_eq!(root.rows, 700);
    assert!(root.bytes > 0 && root.row_bytes > 0);
    assert_eq!(
        names(root.triggers.iter().map(|t| &t.name)),
        ["on_leaf", "touched"]
    );
    assert_eq!(
        names(root.indexes.iter().map(|i| &i.name)),
        ["ev_pkey", "on_leaf_only"]
    );
    assert_eq!(root.foreign_keys.len(), 1);
    let leaf = facts(&db, "ev_1").await;
    assert_eq!((leaf.kind, leaf.leaves.len()), (RelationKind::Partition, 0));
    assert_eq!(leaf.root.as_ref().unwrap().label(), "public.ev");
    assert_eq!(
        resolve(&beside("ev_1", "ssn"), &leaf, &[], Dialect::Postgres)
            .unwrap()
            .label,
        "public.ev"
    );
    let (refusals, _) = judged(&server(&db.url()).await, &root, &beside("public.ev", "ssn"));
    assert_eq!(refusals, ["E0224", "E0224"]);
}

#[tokio::test]
async fn a_key_of_each_partition_is_no_key_and_foreign_partitions_are_seen() {
    let db = database("preflight_leaf_keys").await;
    installed(&db).await;
    db.exec(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
         CREATE TABLE ev (id bigint, ssn text) PARTITION BY RANGE (id);
         CREATE TABLE ev_1 PARTITION OF ev (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (9);
         CREATE FOREIGN TABLE ev_2 PARTITION OF ev FOR VALUES FROM (9) TO (19) SERVER away;",
    )
    .await;
    let facts = facts(&db, "public.ev").await;
    let (refusals, _) = judged(
        &server(&db.url()).await,
        &facts,
        &beside("public.ev", "ssn"),
    );
    assert_eq!(refusals, ["E0203", "E0207"]);
}

#[tokio::test]
async fn a_role_learns_what_it_may_not_do_and_what_is_hidden_from_it() {
    let db = database("preflight_role").await;
    installed(&db).await;
    let role = db.role("engine", "").await;
    db.exec(&format!(
        "CREATE SCHEMA clinic; CREATE TABLE clinic.t (id int PRIMARY KEY, ssn text, ssn_sealed bytea);
         ALTER TABLE clinic.t ENABLE ROW LEVEL SECURITY;
         GRANT USAGE ON SCHEMA phiseal TO {0};
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA phiseal TO {0};
         GRANT DELETE ON phiseal.pace_requests, phiseal.pace_reports TO {0};
         REVOKE INSERT ON phiseal.runs FROM {0};",
        role.name
    ))
    .await;
    let mine = server(&role.url).await;
    assert!(!mine.superuser && !mine.may_suppress_triggers && mine.installed);
    let create = mine.create_denied.as_ref().map(ToString::to_string);
    assert_eq!(create.as_deref(), Some("CREATE on schema phiseal"));
    assert_eq!(shown(&mine.missing_rights), ["INSERT on phiseal.runs"]);
    let t = facts_at(&role.url, "clinic.t").await;
    let missing = [
        "SELECT on clinic.t",
        "UPDATE on clinic.t",
        "USAGE on schema clinic",
    ];
    assert_eq!(shown(&t.missing_rights), missing);
    // Each statement is complete: run as it stands, it gives the right.
    let rights = mine.missing_rights.iter().chain(&t.missing_rights);
    for right in rights.chain(&mine.create_denied) {
        db.exec(&right.grant_to(&role.name)).await;
    }
    let given = server(&role.url).await;
    assert!(given.missing_rights.is_empty() && given.create_denied.is_none());
    let given = facts_at(&role.url, "clinic.t").await;
    assert!(given.missing_rights.is_empty());
    db.exec(&format!(
        "REVOKE INSERT ON phiseal.runs FROM {0}; REVOKE CREATE ON SCHEMA phiseal FROM {0};
         REVOKE ALL ON clinic.t FROM {0}; REVOKE USAGE ON SCHEMA clinic FROM {0}",
        role.name
    ))
    .await;
    assert!(t.row_security_applies && !t.owner && t.columns[2].update_denied);

    db.exec(&format!(
        "GRANT USAGE ON SCHEMA clinic TO {0}; GRANT SELECT, UPDATE (ssn_sealed) ON clinic.t TO {0};
         ALTER ROLE {0} BYPASSRLS;",
        role.name
    ))
    .await;
    let t = facts_at(&role.url, "clinic.t").await;
    assert!(t.missing_rights.is_empty() && !t.row_security_applies);
    assert!(t.columns[1].update_denied && !t.columns[2].update_denied);
    let (refusals, _) = judged(&mine, &t, &beside("clinic.t", "ssn"));
    assert_eq!(refusals, ["E0217", "E0218", "E0218"]);
}

#[tokio::test]
async fn an_owner_sees_all_rows_until_row_security_is_forced() {
    let db = database("preflight_force").await;
    let role = db.role("owner", "").await;
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO {};
         ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        role.name
    ))
    .await;
    let seen = facts_at(&role.url, "t").await;
    assert!(seen.owner && !seen.row_security_applies);
    db.exec("ALTER TABLE t FORCE ROW LEVEL SECURITY").await;
    assert!(facts_at(&role.url, "t").await.row_security_applies);
}

#[tokio::test]
async fn settings_that_log_values_are_listed() {
    let db = database("preflight_logging").await;
    assert!(server(&db.url()).await.statement_logging.is_empty());
    db.exec(&format!(
        "ALTER DATABASE {} SET log_min_duration_statement = 500",
        db.name()
    ))
    .await;
    let logging = server(&db.url()).await.statement_logging;
    assert_eq!(names(&logging), ["log_min_duration_statement = 500ms"]);
}

#[tokio::test]
async fn rows_of_a_table_without_statistics_are_those_the_server_saw_come() {
    let sql = "CREATE TABLE wide (id int PRIMARY KEY, note text) WITH (autovacuum_enabled = false);
        INSERT INTO wide SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 5000) i;";
    let fixture = Fixture::postgres("no_statistics", sql, &tables("public.wide", &["note"])).await;
    let known = "SELECT pg_stat_get_live_tuples('wide'::regclass)";
    let deadline = Instant::now() + Duration::from_secs(120);
    while fixture.db().count(known).await == 0 {
        assert!(Instant::now() < deadline, "the server counts nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let planned = fixture.json(&["plan"]).await;
    assert_eq!(planned["tables"][0]["rows"], 5000, "{planned}");
    let sealed = fixture.phiseal(&["backfill"]).run().await.expect_code(0);
    assert!(
        sealed.stderr.contains("about 5000 rows"),
        "{}",
        sealed.stderr
    );
}
