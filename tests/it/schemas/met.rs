//! Sets that meet what another tool made: tables, types and extensions stay as they were, with
//! their rows, on the way up and down. What cannot be met is refused, and nothing of it is changed.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};

use super::dump::{assert_same, schema};
use super::sets::migrated;
use super::{migrate, refused};
use crate::support::database;
use crate::support::database::Database;

const UP: [&str; 3] = ["up", "--set", "facility"];
const DOWN: [&str; 7] = [
    "down",
    "--drop-data",
    "--yes",
    "--to",
    "0",
    "--set",
    "facility",
];

async fn gives(db: &Database, sql: &str, expected: &str) {
    assert_eq!(db.scalar(sql).await.as_deref(), Some(expected), "{sql}");
}

/// The SQLSTATE with which the server refuses the statements.
async fn sqlstate(db: &Database, sql: &str) -> String {
    // They may leave a transaction open: in a session that ends.
    let mut session = db.connection().await;
    let run = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut session)
        .await;
    session.close().await.unwrap();
    let error = run.expect_err(sql);
    let code = error.as_database_error().and_then(|e| e.code());
    code.unwrap_or_else(|| panic!("{error}")).into_owned()
}

/// The way of the set facility is refused by the server at this migration.
async fn refused_at(db: &Database, way: &[&str], version: &str, sqlstate: &str) {
    let (code, message) = refused(db, way, 3).await;
    assert_eq!(code, "E0707");
    assert!(message.contains(version), "{message}");
    assert!(message.contains(sqlstate), "{message}");
}

#[tokio::test]
async fn tables_of_another_tool_keep_their_rows_and_get_what_they_lack() {
    let db = database("met_tenant").await;
    db.exec(
        r#"CREATE SCHEMA extensions;
        CREATE EXTENSION "uuid-ossp" SCHEMA extensions;
        CREATE EXTENSION pg_trgm SCHEMA extensions;
        CREATE TYPE user_role_enum AS ENUM
            ('PLATFORM_ADMIN', 'TENANT_ADMIN', 'FACILITY_MANAGER', 'STAFF', 'VIEWER');
        CREATE TABLE tenant (
            id uuid CONSTRAINT "PK_da8c6efd67bb301e810e56ac139" PRIMARY KEY
                DEFAULT extensions.uuid_generate_v4(),
            name varchar NOT NULL, "createdAt" timestamp NOT NULL DEFAULT now());
        CREATE TABLE "user" (
            id uuid CONSTRAINT "PK_cace4a159ff9f2512dd42373760" PRIMARY KEY
                DEFAULT extensions.uuid_generate_v4(),
            email varchar NOT NULL, "firstName" varchar,
            role user_role_enum NOT NULL DEFAULT 'STAFF',
            "tenantId" uuid CONSTRAINT "FK_685bf353c85f23b6f848e4dcded" REFERENCES tenant (id));
        COMMENT ON TABLE "user" IS 'ours';
        COMMENT ON COLUMN "user".role IS 'what they may do';
        INSERT INTO tenant (id, name) VALUES ('00000000-0000-4000-8000-00000000000a', 'A');
        INSERT INTO "user" (email, "firstName", "tenantId") VALUES
            ('a@example.org', 'Ann', '00000000-0000-4000-8000-00000000000a'),
            ('no address', 'Bob', NULL)"#,
    )
    .await;
    let before = schema(&db);
    migrate(&db, &UP, 0).await;
    gives(
        &db,
        r#"SELECT string_agg(role::text, ',') FROM "user""#,
        "STAFF,STAFF",
    )
    .await;
    let added = "SELECT string_agg(column_name, ',' ORDER BY column_name)
        FROM information_schema.columns WHERE table_name = 'user'
            AND column_name NOT IN ('id', 'email', 'firstName', 'role', 'tenantId')";
    let columns = "created_at,deleted_at,first_name,is_active,last_name,supertokens_user_id,\
                   tenant_id,updated_at";
    gives(&db, added, columns).await;
    // What the rows lack is not required, and the CHECK that one breaks is left out.
    let nullable = "SELECT string_agg(column_name || ' ' || is_nullable, ',' ORDER BY column_name)
        FROM information_schema.columns
        WHERE (table_name, column_name) IN (('user', 'tenant_id'), ('tenant', 'slug'))";
    gives(&db, nullable, "slug YES,tenant_id YES").await;
    let check = "SELECT count(*) FROM pg_constraint WHERE conname = 'user_email_check'";
    gives(&db, check, "0").await;
    let not_valid = "SELECT count(*) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND NOT convalidated";
    gives(&db, not_valid, "0").await;
    // The rest works with the extension in the schema where it is.
    let default = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
        WHERE adrelid = 'client'::regclass AND adnum = 1";
    gives(&db, default, "extensions.uuid_generate_v4()").await;
    db.exec(
        "INSERT INTO facility (tenant_id, name)
         VALUES ('00000000-0000-4000-8000-00000000000a', 'House')",
    )
    .await;
    let isolated = "SELECT count(*) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relrowsecurity";
    gives(&db, isolated, "15").await;

    migrate(&db, &DOWN, 0).await;
    assert_same(&before, &schema(&db), "down");
    let rows = r#"SELECT string_agg(email || ' ' || "firstName", ',' ORDER BY email) FROM "user""#;
    gives(&db, rows, "a@example.org Ann,no address Bob").await;
    let extensions = "SELECT count(*) FROM pg_extension WHERE extname IN ('uuid-ossp', 'pg_trgm')";
    gives(&db, extensions, "2").await;
}

#[tokio::test]
async fn policies_constraints_and_comments_of_another_tool_stay_and_phi_is_marked() {
    let db = database("met_client").await;
    db.exec(
        "CREATE EXTENSION pg_trgm;
         COMMENT ON EXTENSION pg_trgm IS NULL;
         CREATE TABLE client (
             id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid, facility_id uuid,
             first_name varchar(100), last_name varchar(100), status text DEFAULT 'new',
             admitted_on date, discharged_on date, mrn text,
             CONSTRAINT client_stay_check CHECK (discharged_on >= admitted_on));
         COMMENT ON TABLE client IS 'clients';
         COMMENT ON COLUMN client.first_name IS 'given name, as in the passport';
         COMMENT ON COLUMN client.mrn IS 'number';
         CREATE INDEX client_tenant_id_status_idx ON client (status);
         ALTER TABLE client ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON client USING (status <> 'hidden');
         INSERT INTO client (first_name, last_name, tenant_id) VALUES
             ('Ann', 'Lee', '00000000-0000-4000-8000-00000000000a'),
             ('Bob', 'Ray', '00000000-0000-4000-8000-00000000000b')",
    )
    .await;
    let before = schema(&db);
    migrate(&db, &UP, 0).await;
    let kept = "SELECT count(*) FROM client
        WHERE first_name IN ('Ann', 'Bob') AND created_at IS NOT NULL";
    gives(&db, kept, "2").await;
    // No row lacked tenant_id, so it is required; facility_id stays as it was.
    let nullable = "SELECT string_agg(column_name || ' ' || is_nullable, ',' ORDER BY column_name)
        FROM information_schema.columns
        WHERE table_name = 'client' AND column_name IN ('tenant_id', 'facility_id')";
    gives(&db, nullable, "facility_id YES,tenant_id NO").await;
    let not_valid = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint
        WHERE conrelid = 'client'::regclass AND NOT convalidated";
    gives(&db, not_valid, "client_tenant_id_fkey").await;
    let check = "SELECT count(*) FROM pg_constraint WHERE conname = 'client_status_check'";
    gives(&db, check, "0").await;
    let comment = "SELECT split_part(col_description('client'::regclass, 4), chr(10), 1)";
    gives(&db, comment, "PHI: given name").await;
    let index = "SELECT (pg_get_indexdef('client_tenant_id_status_idx'::regclass)
        LIKE '%tenant_id,%')::text";
    gives(&db, index, "false").await;
    // Its policy is narrowed to the tenant.
    let policies = "SELECT string_agg(polname || ' ' || polpermissive, ',' ORDER BY polname)
        FROM pg_policy WHERE polrelid = 'client'::regclass";
    gives(&db, policies, "facility_tenant_isolation false,mine true").await;
    let role = db.role("met_reader", "").await.name;
    db.exec(&format!("GRANT SELECT ON client TO {role}")).await;
    let seen = format!(
        "BEGIN;
         SET LOCAL ROLE {role};
         SET LOCAL app.tenant_id = '00000000-0000-4000-8000-00000000000a';
         SELECT string_agg(first_name, ',') FROM client;
         COMMIT"
    );
    gives(&db, &seen, "Ann").await;
    db.exec(&format!("DROP OWNED BY {role}")).await;

    // A sealed value in a column that was added is not thrown away with it.
    db.exec(r"UPDATE client SET first_name_sealed = '\x01'")
        .await;
    refused_at(&db, &DOWN, "1754250023000", "55006").await;
    db.exec("UPDATE client SET first_name_sealed = NULL").await;
    migrate(&db, &DOWN, 0).await;
    assert_same(&before, &schema(&db), "down");
    let rows = "SELECT string_agg(first_name || ' ' || last_name, ',' ORDER BY first_name)
        FROM client";
    gives(&db, rows, "Ann Lee,Bob Ray").await;
    let isolated = "SELECT relrowsecurity::text FROM pg_class WHERE oid = 'client'::regclass";
    gives(&db, isolated, "true").await;
}

#[tokio::test]
async fn logs_with_rows_become_append_only_and_are_their_owners_again_after_down() {
    let db = database("met_logs").await;
    db.exec(
        r#"CREATE TABLE user_action_audit_log (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), action text, details jsonb);
        INSERT INTO user_action_audit_log (action, details)
            SELECT 'a', jsonb_build_object('n', n) FROM generate_series(1, 100) AS n;
        CREATE TABLE address (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), line1 text NOT NULL, city text,
            updated_at timestamp, raw json);
        INSERT INTO address (line1, city, raw) VALUES ('1 High Street', 'Ely', '{"a":1}');
        CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.updated_at := ''2000-01-01''; RETURN NEW; END';
        CREATE TRIGGER address_updated_at BEFORE UPDATE ON address
            FOR EACH ROW EXECUTE FUNCTION mine();
        CREATE TABLE metadata (id uuid PRIMARY KEY, form_name text)"#,
    )
    .await;
    let before = schema(&db);
    migrate(&db, &UP, 0).await;
    let kept = "SELECT count(*) FROM user_action_audit_log
        WHERE tenant_id IS NULL AND created_at IS NOT NULL";
    gives(&db, kept, "100").await;
    let delete = "DELETE FROM user_action_audit_log";
    assert_eq!(sqlstate(&db, delete).await, "42501");
    // A table without rows takes what is required, but for its own column.
    let nullable = "SELECT string_agg(column_name || ' ' || is_nullable, ',' ORDER BY column_name)
        FROM information_schema.columns
        WHERE table_name = 'metadata' AND column_name IN ('tenant_id', 'form_name')";
    gives(&db, nullable, "form_name YES,tenant_id NO").await;
    let trigger = "SELECT proname FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE tgname = 'address_updated_at'";
    gives(&db, trigger, "mine").await;

    migrate(&db, &DOWN, 0).await;
    assert_same(&before, &schema(&db), "down");
    let rows = "SELECT count(*) FROM user_action_audit_log WHERE action = 'a' AND details ? 'n'";
    gives(&db, rows, "100").await;
    db.exec(delete).await;
    gives(&db, rows, "0").await;
}

#[tokio::test]
async fn a_type_with_other_values_and_a_table_with_another_key_are_refused() {
    let db = database("met_type").await;
    db.exec("CREATE TYPE user_role_enum AS ENUM ('VIEWER', 'STAFF')")
        .await;
    refused_at(&db, &UP, "1754250021000", "42710").await;
    let none =
        r#"SELECT (to_regclass('"user"') IS NULL AND to_regclass('tenant') IS NOT NULL)::text"#;
    gives(&db, none, "true").await;

    let db = database("met_key").await;
    db.exec(
        "CREATE TABLE client (id serial PRIMARY KEY, first_name text);
         INSERT INTO client (first_name) VALUES ('Ann')",
    )
    .await;
    refused_at(&db, &UP, "1754250023000", "42809").await;
    let columns = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position)
        FROM information_schema.columns WHERE table_name = 'client'";
    gives(&db, columns, "id,first_name").await;
}

#[tokio::test]
async fn down_takes_nothing_that_something_else_uses_by_now() {
    let db = migrated("facility", "type_in_use").await;
    db.exec("CREATE TABLE other (role user_role_enum)").await;
    refused_at(&db, &DOWN, "1754250021000", "2BP01").await;
    gives(
        &db,
        "SELECT count(*) FROM pg_class WHERE relname = 'other'",
        "1",
    )
    .await;

    let db = migrated("facility", "extension_in_use").await;
    db.exec(
        "CREATE TABLE other (name text);
         CREATE INDEX other_name_idx ON other USING gin (name gin_trgm_ops)",
    )
    .await;
    migrate(&db, &DOWN, 0).await;
    let extensions = "SELECT string_agg(extname, ',') FROM pg_extension WHERE extname <> 'plpgsql'";
    gives(&db, extensions, "pg_trgm").await;
    gives(
        &db,
        "SELECT to_regclass('other_name_idx')::text",
        "other_name_idx",
    )
    .await;
}

/// A file of the set webqx, as another tool would run it.
fn webqx(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/webqx");
    std::fs::read_to_string(path.join(name)).unwrap()
}

#[tokio::test]
async fn webqx_files_do_not_run_twice() {
    let db = migrated("webqx", "twice").await;
    let first = webqx("20240115_143000_create_users_table.sql");
    assert_eq!(sqlstate(&db, &first).await, "42P07");
}

#[tokio::test]
async fn webqx_users_that_are_there_keep_their_rows_and_stay_on_the_way_down() {
    let db = database("met_users").await;
    db.exec(
        "CREATE TABLE users (
             id serial PRIMARY KEY, email varchar(255) UNIQUE NOT NULL,
             password_hash varchar(255) NOT NULL, role varchar(50) NOT NULL DEFAULT 'patient',
             first_name varchar(100), last_name varchar(100), phone varchar(20),
             date_of_birth date, is_active boolean, extra text);
         INSERT INTO users (email, password_hash) VALUES ('a@example.org', 'x')",
    )
    .await;
    let before = schema(&db);
    migrate(&db, &["up", "--set", "webqx"], 0).await;
    gives(&db, "SELECT count(*) FROM users", "1").await;
    migrate(
        &db,
        &[
            "down",
            "--drop-data",
            "--yes",
            "--to",
            "0",
            "--set",
            "webqx",
        ],
        0,
    )
    .await;
    assert_same(&before, &schema(&db), "down");
    gives(
        &db,
        "SELECT string_agg(email, ',') FROM users",
        "a@example.org",
    )
    .await;
}

#[tokio::test]
async fn another_webqx_table_that_is_there_stops_the_set_and_its_file() {
    let db = database("met_providers").await;
    db.exec("CREATE TABLE providers (id int)").await;
    let (code, message) = refused(&db, &["up", "--set", "webqx"], 3).await;
    assert_eq!(code, "E0712");
    assert!(message.contains("providers"), "{message}");
    let tables = "SELECT string_agg(relname, ',') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    gives(&db, tables, "providers").await;

    // The files alone: nothing of the one that fails is left.
    db.exec(&webqx("20240115_143000_create_users_table.sql"))
        .await;
    let second = webqx("20240115_151500_create_patients_and_providers.sql");
    assert_eq!(sqlstate(&db, &second).await, "42P07");
    let left =
        "SELECT (to_regclass('patients') IS NULL AND to_regclass('users') IS NOT NULL)::text";
    gives(&db, left, "true").await;
}
