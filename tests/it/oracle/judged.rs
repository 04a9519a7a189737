//! The oracle judged: it finds a hand-made table right, and each of the ways to spoil it wrong.

use super::format::{check_value, wrapping_key, wrapping_key_reference};
use super::{
    Cell, FieldCheck, Key, KeyPart, Keys, NonceLedger, Sealed, Source, blind_index, row_key, seal,
    wrap_key,
};
use crate::support::{Project, database, sqlite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;

const DATA_KEY: Key = [7; 32];
const INDEX_KEY: Key = [8; 32];
const CREATE: &str = "
    CREATE TABLE {p}encryption_keys (key_id integer PRIMARY KEY, tenant text, purpose text,
        status text, kek_ref text, wrapped_key {b}, check_value {b});
    CREATE TABLE {p}encrypted_field_metadata (table_label text, column_label text,
        schema_name text, table_name text, column_name text, sealed_column text,
        blind_index_column text, blind_index_normaliser text, blind_index_bits integer,
        tenant_column text, key_columns text, key_types text, source_type text, form text,
        pad_to integer, state text);";

// A table whose key has a column of every type; `note` is sealed in place, `ssn` beside.
const PEOPLE: &str = r#"
    CREATE TABLE "Peo""ple" (i smallint, u uuid, t text, c char(5), n numeric, d date,
        z timestamptz, s timestamp, b bytea, o boolean, clinic text, ssn text,
        ssn_sealed bytea, ssn_bidx bytea, note text, PRIMARY KEY (i, u, t, c, n, d, z, s, b, o));
    INSERT INTO "Peo""ple" VALUES
        (-2, 'b95d97d6-51c0-f4d0-1555-1376058c771f', 'Zoë', 'ab', 1.50, '2024-02-29',
         '2024-02-29 15:01:02.5+02', '1969-12-31 23:59:59.999999', '\x00ff', true,
         'k1', '123-45-6789', NULL, NULL, 'as written'),
        (3, 'b95d97d6-51c0-f4d0-1555-1376058c7720', '', 'abcde', 0.00, '0001-01-01',
         '2000-03-01 00:00:00+00', '0001-12-31 00:00:00 BC', '', false,
         'k1', NULL, NULL, NULL, NULL);
    CREATE TABLE saved AS TABLE "Peo""ple";
    INSERT INTO phiseal.encrypted_field_metadata VALUES
        ('public."Peo""ple"', 'ssn', 'public', 'Peo"ple', 'ssn', 'ssn_sealed', 'ssn_bidx',
         'digits', 128, 'clinic', '["i","u","t","c","n","d","z","s","b","o"]',
         '["smallint","uuid","text","character(5)","numeric","date","timestamp with time zone",
           "timestamp without time zone","bytea","boolean"]', 'text', 'beside', 32, 'sealed'),
        ('public."Peo""ple"', 'note', 'public', 'Peo"ple', 'note', NULL, NULL, NULL, NULL,
         'clinic', '["u"]', '["u"]', 'text', 'in_place', 0, 'sealed');
"#;
const TABLE: &str = r#""Peo""ple""#;
const LABEL: &str = r#"public."Peo""ple""#;

fn first_key() -> Vec<u8> {
    let uuid = hex::decode("b95d97d651c0f4d015551376058c771f").unwrap();
    row_key(&[
        KeyPart::Int(-2),
        KeyPart::Uuid(uuid.try_into().unwrap()),
        KeyPart::Text("Zoë".to_owned()),
        KeyPart::Text("ab".to_owned()),
        KeyPart::Numeric("1.5".to_owned()),
        KeyPart::Date("2024-02-29".to_owned()),
        KeyPart::Timestamp(1_709_211_662_500_000),
        KeyPart::Timestamp(-1),
        KeyPart::Bytes(vec![0, 0xFF]),
        KeyPart::Bool(true),
    ])
}

fn keys_sql(project: &Project, prefix: &str, bytes: fn(Vec<u8>) -> String, tenant: &str) -> String {
    let wrapping = wrapping_key(project.key_line()).unwrap();
    let reference = wrapping_key_reference(&wrapping);
    let mut sql = String::new();
    for (id, key, purpose) in [(70, DATA_KEY, "cell"), (71, INDEX_KEY, "blind_index")] {
        let wrapped = bytes(wrap_key(&wrapping, &key, id, purpose, tenant));
        let check = bytes(check_value(&key).to_vec());
        write!(
            sql,
            "INSERT INTO {prefix}encryption_keys VALUES \
             ({id}, '{tenant}', '{purpose}', 'active', '{reference}', {wrapped}, {check});"
        )
        .unwrap();
    }
    sql
}

fn bytea(bytes: Vec<u8>) -> String {
    format!("'\\x{}'::bytea", hex::encode(bytes))
}

fn blob(bytes: Vec<u8>) -> String {
    format!("x'{}'", hex::encode(bytes))
}

#[tokio::test]
async fn a_postgres_table_sealed_right_passes_and_each_spoiled_one_does_not() {
    let (db, project) = (database("judged").await, Project::new());
    let create = CREATE.replace("{p}", "phiseal.").replace("{b}", "bytea");
    db.exec(&format!("CREATE SCHEMA phiseal; {create} {PEOPLE}"))
        .await;
    db.exec(&keys_sql(&project, "phiseal.", bytea, "k1")).await;
    let row_key = first_key();
    let cell = Cell {
        tenant: "k1",
        table: LABEL,
        column: "ssn",
        row_key: &row_key,
    };
    let ssn = |plain: &[u8], pad| bytea(seal(&cell, &DATA_KEY, 70, [1; 12], plain, pad));
    let index = blind_index(&INDEX_KEY, &cell, "digits", 128, "123456789").unwrap();
    let (good, index) = (ssn(b"123-45-6789", 32), bytea(index));
    let set = format!("UPDATE {TABLE} SET ssn_sealed = {good}, ssn_bidx = {index} WHERE i = -2");
    db.exec(&set).await;

    let source = Source::Postgres(&db, "phiseal");
    let keys = Keys::load(source, project.key_line()).await.unwrap();
    let field = keys.field(LABEL, "ssn");
    let ledger = &mut NonceLedger::default();
    let check = FieldCheck::beside(field.clone());
    let checked = keys.check(source, &check, ledger).await;
    checked.expect_all_sealed();
    assert_eq!((checked.rows, checked.opened, checked.equal), (2, 1, 1));
    assert_eq!((checked.nulls, checked.indexes), (1, 1));
    assert_eq!(checked.keys, [(70, 1)].into());

    let unpadded = ssn(b"123-45-6789", 0);
    let other = ssn(b"123-45-6780", 32);
    for (spoil, fault) in [
        ("ssn = '123-45-678'", "another value"),
        ("ssn_bidx = NULL", "blind index"),
        ("ssn_bidx = set_byte(ssn_bidx, 15, 0)", "blind index"),
        ("ssn_sealed = NULL", "index without"),
        ("ssn_sealed = set_byte(ssn_sealed, 40, 0)", "does not open"),
        (
            "ssn_sealed = set_byte(ssn_sealed, 5, 71)",
            "for blind_index",
        ),
        ("ssn_sealed = set_byte(ssn_sealed, 5, 72)", "does not exist"),
        ("ssn_sealed = substr(ssn_sealed, 1, 33)", "34 bytes"),
        ("clinic = 'k2'", "does not open"),
        ("i = -3", "does not open"),
        ("z = z + interval '1us'", "does not open"),
        (&format!("ssn_sealed = {unpadded}"), "suite 1"),
        (&format!("ssn_sealed = {other}"), "another value"),
    ] {
        db.exec(&format!("UPDATE {TABLE} SET {spoil} WHERE i = -2"))
            .await;
        let checked = keys.check(source, &check, ledger).await;
        let faults = checked.faults.join("\n");
        assert!(faults.contains(fault), "{spoil}: {checked:?}");
        db.exec(&format!(
            "DELETE FROM {TABLE}; INSERT INTO {TABLE} TABLE saved; {set}"
        ))
        .await;
    }
    // `unpadded` and `other` used the nonce of `good` again.
    assert!(ledger.cell_repeats >= 2 && ledger.key_repeats >= 2);
}

#[tokio::test]
async fn text_in_place_is_compared_with_the_saved_copy_and_unsealed_rows_are_counted() {
    let (db, project) = (database("judged").await, Project::new());
    let create = CREATE.replace("{p}", "phiseal.").replace("{b}", "bytea");
    db.exec(&format!("CREATE SCHEMA phiseal; {create} {PEOPLE}"))
        .await;
    db.exec(&keys_sql(&project, "phiseal.", bytea, "k1")).await;
    let uuid = hex::decode("b95d97d651c0f4d015551376058c771f").unwrap();
    let row_key = row_key(&[KeyPart::Uuid(uuid.try_into().unwrap())]);
    let cell = Cell {
        tenant: "k1",
        table: LABEL,
        column: "note",
        row_key: &row_key,
    };
    let sealed = seal(&cell, &DATA_KEY, 70, [2; 12], b"as written", 0);
    let text = format!("ps1.{}", URL_SAFE_NO_PAD.encode(&sealed));
    db.exec(&format!("UPDATE {TABLE} SET note = '{text}' WHERE i = -2"))
        .await;

    let source = Source::Postgres(&db, "phiseal");
    let keys = Keys::load(source, project.key_line()).await.unwrap();
    for form in [Sealed::Binary(sealed), Sealed::Text(text.clone())] {
        assert_eq!(keys.open_cell(&cell, &form).unwrap(), b"as written");
    }
    let check = FieldCheck::against(keys.field(LABEL, "note"), "saved", "note");
    let checked = keys
        .check(source, &check, &mut NonceLedger::default())
        .await;
    checked.expect_all_sealed();
    assert_eq!((checked.equal, checked.nulls), (1, 1));

    db.exec(&format!(
        "UPDATE {TABLE} SET note = 'as written' WHERE i = -2"
    ))
    .await;
    let checked = keys
        .check(source, &check, &mut NonceLedger::default())
        .await;
    assert_eq!((checked.unsealed, checked.faults.len()), (1, 0));

    db.exec(&format!("UPDATE {TABLE} SET note = NULL")).await;
    let checked = keys
        .check(source, &check, &mut NonceLedger::default())
        .await;
    assert_eq!((checked.unsealed, checked.nulls), (1, 1));

    db.exec("UPDATE phiseal.encryption_keys SET status = 'destroyed', wrapped_key = NULL")
        .await;
    db.exec(&format!("UPDATE {TABLE} SET note = '{text}' WHERE i = -2"))
        .await;
    let keys = Keys::load(source, project.key_line()).await.unwrap();
    let checked = keys
        .check(source, &check, &mut NonceLedger::default())
        .await;
    assert!(checked.faults[0].contains("is destroyed"), "{checked:?}");
}

#[tokio::test]
async fn another_wrapping_key_and_a_false_check_value_are_refused() {
    let (db, project) = (database("judged").await, Project::new());
    let create = CREATE.replace("{p}", "phiseal.").replace("{b}", "bytea");
    db.exec(&format!("CREATE SCHEMA phiseal; {create}")).await;
    db.exec(&keys_sql(&project, "phiseal.", bytea, "")).await;
    let source = Source::Postgres(&db, "phiseal");
    assert_eq!(
        Keys::load(source, project.key_line())
            .await
            .unwrap()
            .keys
            .len(),
        2
    );
    let other = Keys::load(source, Project::new().key_line()).await;
    assert!(other.err().unwrap().contains("is under wk:"));
    db.exec("UPDATE phiseal.encryption_keys SET check_value = wrapped_key")
        .await;
    let false_check = Keys::load(source, project.key_line()).await;
    assert!(false_check.err().unwrap().contains("check value"));
    db.exec("UPDATE phiseal.encryption_keys SET tenant = 'x'")
        .await;
    let moved = Keys::load(source, project.key_line()).await;
    assert!(moved.err().unwrap().contains("does not open"));
}

#[tokio::test]
async fn a_sqlite_table_is_judged_by_the_storage_class_of_its_values() {
    let (file, project) = (sqlite().await, Project::new());
    let create = CREATE.replace("{p}", "phiseal_").replace("{b}", "blob");
    file.exec(&create).await;
    file.exec(&keys_sql(&project, "phiseal_", blob, "")).await;
    file.exec(
        "INSERT INTO phiseal_encrypted_field_metadata VALUES ('t', 'v', NULL, 't', 'v', 'v_sealed',
            NULL, NULL, NULL, NULL, '[\"k\"]', '[]', '', 'beside', 0, 'sealed');
         CREATE TABLE t (k PRIMARY KEY, v, v_sealed blob);
         INSERT INTO t VALUES (1, -12, NULL), ('1', 'é', NULL), (x'01', x'00ff', NULL),
            (2, 0.1, NULL), (3, '', NULL), (4, NULL, NULL);",
    )
    .await;
    let rows: [(&str, KeyPart, &[u8]); 5] = [
        ("1", KeyPart::Int(1), b"-12"),
        ("'1'", KeyPart::Text("1".to_owned()), "é".as_bytes()),
        ("x'01'", KeyPart::Bytes(vec![1]), b"\0\xFF"),
        ("2", KeyPart::Int(2), b"0.10000000000000001"),
        ("3", KeyPart::Int(3), b""),
    ];
    for (n, (k, part, plain)) in rows.into_iter().enumerate() {
        let row_key = row_key(&[part]);
        let cell = Cell {
            tenant: "",
            table: "t",
            column: "v",
            row_key: &row_key,
        };
        let nonce = [u8::try_from(n).unwrap(); 12];
        let sealed = blob(seal(&cell, &DATA_KEY, 70, nonce, plain, 0));
        file.exec(&format!("UPDATE t SET v_sealed = {sealed} WHERE k = {k}"))
            .await;
    }
    let source = Source::Sqlite(&file);
    let keys = Keys::load(source, project.key_line()).await.unwrap();
    let check = FieldCheck::beside(keys.field("t", "v"));
    let ledger = &mut NonceLedger::default();
    let checked = keys.check(source, &check, ledger).await;
    checked.expect_all_sealed();
    assert_eq!((checked.equal, checked.nulls), (5, 1));
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));

    file.exec("UPDATE t SET v_sealed = (SELECT v_sealed FROM t WHERE k = 3) WHERE k = 2")
        .await;
    let checked = keys.check(source, &check, ledger).await;
    assert!(checked.faults[0].contains("does not open"), "{checked:?}");
}
