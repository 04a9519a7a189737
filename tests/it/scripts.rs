//! `phiseal open` and `phiseal seal` in scripts: rows from psql's COPY or as JSON, values of every type,
//! tenants, keys of several columns. What `seal` gave is loaded into the table and judged by the oracle.

mod failures;
mod one;
mod stream;

use crate::oracle::NonceLedger;
use crate::support::cluster::bin_dir;
use crate::support::phiseal::Finished;
use crate::support::{Fixture, Phiseal};
use serde_json::Value;
use std::process::Command;

/// A table with a column of every kind of type, two rows of values and one of NULLs.
const TYPES: [(&str, &str, [&str; 2]); 17] = [
    ("t", "text", ["'Zo\u{eb}, \"quoted\"\nline'", "''"]),
    ("v", "varchar(11)", ["'142-52-0042'", "' x '"]),
    ("c", "char(5)", ["'ab'", "'abcde'"]),
    ("s", "smallint", ["-7", "0"]),
    ("i", "integer", ["42", "-2147483648"]),
    ("b", "bigint", ["9007199254740993", "-9223372036854775808"]),
    ("n", "numeric", ["1.50", "12345678901234567890.123456789"]),
    ("f", "double precision", ["0.1", "1e+20"]),
    ("o", "boolean", ["true", "false"]),
    ("d", "date", ["'1952-03-04'", "'2024-02-29'"]),
    (
        "z",
        "timestamptz",
        [
            "'2024-02-29 15:01:02.5+02'",
            "'1969-12-31 23:59:59.999999+00'",
        ],
    ),
    (
        "l",
        "timestamp",
        ["'2024-02-29 13:01:02'", "'0001-01-01 00:00:00'"],
    ),
    (
        "p",
        "interval",
        ["'1 year 2 mons 3 days 04:05:06'", "'-1 day'"],
    ),
    (
        "u",
        "uuid",
        [
            "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
            "'00000000-0000-0000-0000-000000000000'",
        ],
    ),
    ("j", "json", ["'{\"b\":1,  \"a\":[null]}'", "'\"text\"'"]),
    ("k", "jsonb", ["'{\"b\":1,  \"a\":[null]}'", "'1.0'"]),
    ("y", "bytea", ["'\\x00ff0a22'", "''"]),
];

const PEOPLE: &str = "
    CREATE TABLE people (clinic text, no int, ssn text, PRIMARY KEY (clinic, no));
    INSERT INTO people VALUES
        ('north', 1, '142-52-0042'), ('north', 2, NULL), ('south', 1, '142 52 0042'), ('south', 2, '');
    CREATE TABLE saved AS TABLE people";

const PEOPLE_PLAN: &str = "[[table]]\nname = \"public.people\"\ntenant_column = \"clinic\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\npad_to = 16\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }\n";

/// The table of all types, sealed.
async fn types(name: &str) -> Fixture {
    let columns: Vec<String> = TYPES
        .iter()
        .map(|(c, kind, _)| format!("{c} {kind}"))
        .collect();
    let row = |n: usize| TYPES.map(|(_, _, values)| values[n]).join(", ");
    let ddl = format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, {});
         INSERT INTO t VALUES (1, {}), (-2, {}); INSERT INTO t (id) VALUES (3);
         CREATE TABLE saved AS TABLE t",
        columns.join(", "),
        row(0),
        row(1)
    );
    let fields = TYPES
        .map(|(c, ..)| format!("[[table.column]]\nname = \"{c}\"\nseal_into = \"{c}_sealed\"\n"));
    let plan = format!("[[table]]\nname = \"public.t\"\n{}", fields.join(""));
    let fixture = Fixture::postgres(name, &ddl, &plan).await;
    fixture.backfill().await;
    fixture
}

/// People of two tenants, under a key of two columns, sealed.
async fn people(name: &str) -> Fixture {
    let fixture = Fixture::postgres(name, PEOPLE, PEOPLE_PLAN).await;
    fixture.backfill().await;
    fixture
}

/// `open` or `seal` of the column `ssn` of `people`.
fn of_people(fixture: &Fixture, command: &str, more: &[&str]) -> Phiseal {
    let args = [command, "--table", "public.people", "--column", "ssn"];
    fixture.phiseal(&[&args, more].concat())
}

/// What psql prints.
fn psql(fixture: &Fixture, sql: &str) -> String {
    let program = bin_dir().unwrap().join("psql");
    let ran = Command::new(program)
        .args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            &fixture.url(),
            "-c",
            sql,
        ])
        .env("PGTZ", "UTC")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    String::from_utf8(ran.stdout).unwrap()
}

fn lines(finished: &Finished) -> Vec<Value> {
    let lines = finished.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The way of a script: psql's COPY into `open`, that into `seal`, and its output back into the table.
#[tokio::test]
async fn a_column_of_every_type_goes_through_open_and_seal_and_is_the_same() {
    let fixture = types("scripts_types").await;
    for (column, kind, _) in TYPES {
        let args = ["--table", "public.t", "--column", column];
        let select =
            format!("COPY (SELECT id, {column}_sealed FROM t ORDER BY id) TO STDOUT CSV HEADER");
        let sealed = psql(&fixture, &select);
        let open = fixture
            .phiseal(&[&["open"], &args[..]].concat())
            .reads(&sealed);
        let opened = open.run().await.expect_code(0);
        // The server's own COPY of the plaintext says the same.
        let select =
            format!("COPY (SELECT id, {column} FROM saved ORDER BY id) TO STDOUT CSV HEADER");
        let expected = match kind {
            // Its text, which COPY shortens to t and f.
            "boolean" => select.replace(", o ", ", o::text AS o "),
            // COPY writes the blanks at the end.
            "char(5)" => select.replace(", c ", ", c::text AS c "),
            _ => select,
        };
        assert_eq!(opened.stdout, psql(&fixture, &expected), "{column} {kind}");
        assert!(
            opened.stderr.contains("opened 2 values; 1 NULL"),
            "{}",
            opened.stderr
        );
        let seal = fixture
            .phiseal(&[&["seal"], &args[..]].concat())
            .reads(&opened.stdout);
        let again = seal.run().await.expect_code(0).stdout;
        assert_ne!(again, sealed, "{column}");
        let file = fixture.project.dir().join("again.csv");
        std::fs::write(&file, again).unwrap();
        psql(
            &fixture,
            &format!("CREATE UNLOGGED TABLE again_{column} (id bigint, sealed bytea)"),
        );
        psql(
            &fixture,
            &format!("\\copy again_{column} FROM '{}' CSV HEADER", file.display()),
        );
        psql(
            &fixture,
            &format!(
                "BEGIN; SET LOCAL phiseal.sealer = 'on';
                 UPDATE t SET {column}_sealed = sealed FROM again_{column} a WHERE a.id = t.id;
                 COMMIT"
            ),
        );
    }
    let columns = TYPES.map(|(column, ..)| column);
    let opened = fixture.expect_sealed("public.t", &columns, "saved").await;
    assert_eq!(opened, 2 * TYPES.len());
}

/// Rows as JSON, by tenant and a key of two columns, with a blind index and padding.
#[tokio::test]
async fn rows_of_json_are_sealed_for_their_tenant_and_key_with_their_blind_index() {
    let fixture = people("scripts_json").await;
    let select = "SELECT json_build_object('x', 1.50, 'no', no, 'clinic', clinic, 'ssn_sealed', ssn_sealed)::text
                  FROM people ORDER BY clinic, no";
    let rows: Vec<String> = (fixture.db().rows(select).await.into_iter())
        .map(|row| row[0].clone().unwrap())
        .collect();
    let opened = of_people(&fixture, "open", &[])
        .reads(rows.join("\n"))
        .run()
        .await
        .expect_code(0);
    let values: Vec<Value> = lines(&opened)
        .iter()
        .map(|row| row["ssn"].clone())
        .collect();
    let expected = [
        "142-52-0042".into(),
        Value::Null,
        "142 52 0042".into(),
        "".into(),
    ];
    assert_eq!(values, expected);
    assert!(opened.stdout.contains("\"x\" : 1.50") || opened.stdout.contains("\"x\":1.50"));
    assert!(!opened.stdout.contains("ssn_sealed"), "{}", opened.stdout);

    let sealed = of_people(&fixture, "seal", &[])
        .reads(&opened.stdout)
        .run()
        .await
        .expect_code(0);
    assert!(!sealed.stdout.contains("0042"), "{}", sealed.stdout);
    for row in lines(&sealed) {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let literal =
            |text: Option<String>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
        let set = format!(
            "SET LOCAL phiseal.sealer = 'on';
             UPDATE people SET ssn_sealed = {}, ssn_bidx = {} WHERE clinic = '{}' AND no = {}",
            literal(text("ssn_sealed")),
            literal(text("ssn_bidx")),
            row["clinic"].as_str().unwrap(),
            row["no"]
        );
        fixture.exec(&format!("BEGIN; {set}; COMMIT")).await;
    }
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against(("public.people", "ssn"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    // The oracle compares padding and blind index, too: the empty text has none.
    assert_eq!((checked.equal, checked.nulls, checked.indexes), (3, 1, 3));
}

/// In SQLite, where the storage class of a key decides and there are no types.
#[tokio::test]
async fn a_file_of_sqlite_is_opened_and_sealed_too() {
    let ddl = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
        INSERT INTO t VALUES (1, 'one'), (2, NULL);
        CREATE TABLE saved AS SELECT * FROM t";
    let plan =
        "[[table]]\nname = \"t\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n";
    let fixture = Fixture::sqlite(ddl, plan).await;
    fixture.backfill().await;
    let sealed = fixture
        .scalar("SELECT hex(v_sealed) FROM t WHERE id = 1")
        .await
        .unwrap();
    let args = ["--table", "t", "--column", "v"];
    let input = format!("id,v_sealed\n1,\\x{sealed}\n2,\n");
    let opened = fixture
        .phiseal(&[&["open"], &args[..]].concat())
        .reads(input);
    let opened = opened.run().await.expect_code(0).stdout;
    assert_eq!(opened, "id,v\n1,one\n2,\n");
    let again = fixture
        .phiseal(&[&["seal"], &args[..]].concat())
        .reads(opened);
    let again = again.run().await.expect_code(0).stdout;
    let hex = again
        .lines()
        .nth(1)
        .unwrap()
        .strip_prefix("1,\\x")
        .unwrap()
        .to_owned();
    fixture
        .exec(&format!(
            "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer');
             UPDATE t SET v_sealed = x'{hex}' WHERE id = 1; DELETE FROM phiseal_mark; COMMIT"
        ))
        .await;
    assert_eq!(fixture.expect_sealed("t", &["v"], "saved").await, 1);
}

#[tokio::test]
async fn a_column_in_place_is_opened_where_it_is_sealed_and_left_where_it_is_not() {
    let ddl = "CREATE TABLE notes (id int PRIMARY KEY, note text);
        INSERT INTO notes VALUES (1, 'as written');
        CREATE TABLE saved AS TABLE notes";
    let plan = "[[table]]\nname = \"public.notes\"\n[[table.column]]\nname = \"note\"\n\
        in_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::postgres("scripts_in_place", ddl, plan).await;
    fixture.backfill().await;
    fixture
        .exec("INSERT INTO notes VALUES (2, 'not sealed yet')")
        .await;
    let args = ["--table", "notes", "--column", "note"];
    let input = psql(
        &fixture,
        "COPY (SELECT * FROM notes ORDER BY id) TO STDOUT CSV HEADER",
    );
    assert!(input.contains("ps1."), "{input}");
    let opened = fixture
        .phiseal(&[&["open"], &args[..]].concat())
        .reads(input);
    let opened = opened.run().await.expect_code(0).stdout;
    assert_eq!(opened, "id,note\n1,as written\n2,not sealed yet\n");
    let sealed = fixture
        .phiseal(&[&["seal"], &args[..]].concat())
        .reads(opened);
    let sealed = sealed.run().await.expect_code(0).stdout;
    assert_eq!(sealed.matches(",ps1.").count(), 2, "{sealed}");
}
