//! Values, keys of rows, tenants, padding and blind indexes: sealed by the program and opened by the modules,
//! sealed by each module and opened by the others, by the program and by the oracle.

use super::{applications, verified};
use crate::backfill::beside;
use crate::backfill::types::{TYPES, columns, every_type};
use crate::oracle::{FieldCheck, NonceLedger};
use crate::support::Fixture;
use crate::support::database::rows_of;
use crate::support::examples::{Application, Language, bytes, command, id};
use serde_json::{Value, json};
use sqlx::Executor;

/// The text of `column` in each row of `table`, as the server makes it for sealing.
async fn texts(fixture: &Fixture, table: &str, column: &str) -> Vec<(i64, String)> {
    let mut connection = fixture.db().connection().await;
    let settings = "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres; SET TimeZone = 'UTC'";
    connection.execute(settings).await.unwrap();
    let sql = format!(
        "SELECT id::text, {column}::text FROM {table} WHERE {column} IS NOT NULL ORDER BY id"
    );
    let rows = rows_of(&mut connection, &sql).await;
    let pair = |row: Vec<Option<String>>| {
        let [id, text] = <[_; 2]>::try_from(row).unwrap().map(Option::unwrap);
        (id.parse().unwrap(), text)
    };
    rows.into_iter().map(pair).collect()
}

/// The plaintext as hexadecimal digits, and as a value for an application.
fn plaintext(column: &str, text: &str) -> (String, Value) {
    match column {
        "by" => (text[2..].to_owned(), bytes(&text[2..])),
        _ => (hex::encode(text), text.into()),
    }
}

async fn sealed(fixture: &Fixture, table: &str, column: &str, row: i64) -> Value {
    let sql = format!("SELECT encode({column}, 'hex') FROM {table} WHERE id = {row}");
    bytes(&fixture.scalar(&sql).await.unwrap())
}

#[tokio::test]
async fn a_value_of_every_type_goes_from_each_module_to_each_other_and_back_into_its_column() {
    let plan = beside("public.every", &columns());
    let fixture = Fixture::postgres("examples_types", &every_type(), &plan).await;
    fixture.backfill().await;
    let mut applications = applications(&fixture);
    let mut values: usize = TYPES.iter().map(|(_, _, values)| values.len()).sum();
    let mut written = Vec::new();
    for column in columns() {
        let field = ("public.every", column);
        for (row, text) in texts(&fixture, "saved", column).await {
            let (expected, value) = plaintext(column, &text);
            let holder = format!("{column}_sealed");
            let stored = sealed(&fixture, "every", &holder, row).await;
            for application in &mut applications {
                let open = command("open", field, json!({ "key": id(row), "sealed": stored }));
                assert_eq!(
                    application.done(open).await["bytes"],
                    expected,
                    "{column}: {text}"
                );
                let row = 1000 + i64::try_from(written.len()).unwrap();
                let insert = format!(
                    "INSERT INTO every (id, {holder}) VALUES ($1, $2) RETURNING id, {holder}"
                );
                let write =
                    json!({ "key": id(row), "value": value, "sql": insert, "params": [row] });
                let done = application.done(command("write", field, write)).await;
                assert_eq!(done, json!({ "rows": 1, "calls": 1 }));
                written.push((row, column, text.clone(), expected.clone()));
            }
        }
    }
    values += written.len();
    for (row, column, _, expected) in &written {
        let stored = sealed(&fixture, "every", &format!("{column}_sealed"), *row).await;
        for application in &mut applications {
            let open = json!({ "key": id(*row), "sealed": stored });
            let opened = application
                .done(command("open", ("public.every", column), open))
                .await;
            assert_eq!(&opened["bytes"], expected, "{column}");
        }
    }
    verified(&fixture, values).await;
    fixture.json(&["restore"]).await;
    for column in columns() {
        let restored = texts(&fixture, "every", column).await;
        for (row, _, text, _) in written.iter().filter(|(_, its, ..)| *its == column) {
            let found = restored
                .iter()
                .find(|(at, _)| at == row)
                .map(|(_, text)| text);
            assert_eq!(found, Some(text), "{column}");
        }
    }
}

/// What each language has a type of its own for: the column, the value, its text, its type, the value opened.
fn native(
    language: Language,
) -> Vec<(
    &'static str,
    Value,
    &'static str,
    &'static str,
    &'static str,
)> {
    let given = |kind: &str, value: &str| json!({ "as": kind, "value": value });
    let utc = "2024-06-01 06:30:00.25+00";
    match language {
        Language::Python => vec![
            (
                "d",
                given("date", "0985-02-09"),
                "0985-02-09",
                "date",
                "0985-02-09",
            ),
            (
                "tz",
                given("time", "2024-06-01T12:00:00.250000+05:30"),
                utc,
                "str",
                utc,
            ),
            (
                "ts",
                given("time", "2024-06-01T12:00:00"),
                "2024-06-01 12:00:00",
                "str",
                "2024-06-01 12:00:00",
            ),
            ("n", given("decimal", "1.50E+1"), "15.0", "Decimal", "15.0"),
            ("i", json!(-7), "-7", "int", "-7"),
            ("b", json!(true), "true", "bool", "True"),
            ("u", given("uuid", UUID), UUID, "UUID", UUID),
            ("by", bytes("00ff"), "\0\u{fffd}", "bytes", "00ff"),
        ],
        Language::Node => vec![
            (
                "d",
                json!("0985-02-09"),
                "0985-02-09",
                "string",
                "0985-02-09",
            ),
            (
                "tz",
                given("time", "2024-06-01T12:00:00.250+05:30"),
                utc,
                "string",
                utc,
            ),
            ("n", json!(15), "15", "string", "15"),
            (
                "bi",
                json!("9007199254740993"),
                "9007199254740993",
                "string",
                "9007199254740993",
            ),
            ("i", json!(-7), "-7", "number", "-7"),
            ("b", json!(true), "true", "boolean", "true"),
            ("by", bytes("00ff"), "\0\u{fffd}", "bytes", "00ff"),
        ],
    }
}

const UUID: &str = "b95d97d6-51c0-f4d0-1555-1376058c771f";

#[tokio::test]
async fn values_of_a_languages_own_types_become_the_servers_text_and_others_are_refused() {
    let plan = beside("public.every", &columns());
    let fixture = Fixture::postgres("examples_native", &every_type(), &plan).await;
    fixture.backfill().await;
    for mut application in applications(&fixture) {
        for (column, value, text, kind, opened) in native(application.language) {
            let field = ("public.every", column);
            let seal = command("seal", field, json!({ "key": id(1), "value": value }));
            let pair = application.done(seal).await;
            assert_eq!(pair[1], Value::Null);
            let open = command("open", field, json!({ "key": id(1), "sealed": pair[0] }));
            let found = application.done(open).await;
            let plain = hex::decode(found["bytes"].as_str().unwrap()).unwrap();
            assert_eq!(String::from_utf8_lossy(&plain), text, "{column}");
            assert_eq!(
                (&found["type"], &found["value"]),
                (&kind.into(), &opened.into()),
                "{column}"
            );
        }
        for (column, value) in [
            ("d", json!("02/29/2024")),
            ("d", json!(5)),
            ("ts", json!("2024-06-01T12:00:00")),
            ("tz", json!("2024-06-01 12:00:00")),
            ("i", json!("007")),
            ("i", json!(true)),
            ("b", json!("t")),
            ("u", json!(UUID.to_uppercase())),
            ("t", json!(5)),
            ("t", json!("a\0b")),
            ("t", Value::Null),
            ("by", json!("text")),
        ] {
            let seal = json!({ "key": id(1), "value": value });
            let field = ("public.every", column);
            let said = application
                .fails("WrongInput", command("seal", field, seal))
                .await;
            let secret = value.as_str().unwrap_or("secret");
            // One letter is in every sentence.
            let is_shown = secret.len() > 1 && said.contains(secret);
            assert!(!is_shown, "{column}: {said}");
        }
    }
}

const KEYED: &str =
    "CREATE TABLE k (a bigint, b text, c date, d uuid, e numeric, f timestamptz, g bytea,
        h boolean, v text, id int, PRIMARY KEY (h, g, f, e, d, c, b, a));
    INSERT INTO k VALUES
        (-9223372036854775808, '', '0001-01-01', '00000000-0000-0000-0000-000000000000', 0.00,
         '1969-12-31 23:59:59.999999+00', '', false, 'first', 1),
        (42, 'Zoë ', '2024-02-29', 'b95d97d6-51c0-f4d0-1555-1376058c771f', -1.50,
         '2024-06-01 12:00+05:30', '\\x00ff', true, 'second', 2),
        (9223372036854775807, '🩺', '9999-12-31', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
         12345678901234567890, '1970-01-01 00:00+00', 'abc', true, 'third', 3)";

/// The key columns, in the forms that an application takes.
const KEY: &str = "h, g, (extract(epoch FROM f) * 1000000)::bigint AS f, e, d, c, b, a";

#[tokio::test]
async fn keys_of_every_type_at_once_open_and_seal() {
    let fixture = Fixture::postgres("examples_keys", KEYED, &beside("public.k", &["v"])).await;
    fixture.backfill().await;
    let kinds = [
        "bool",
        "bytes",
        "timestamp",
        "numeric",
        "uuid",
        "date",
        "text",
        "int",
    ];
    let key =
        "SELECT h::text, encode(g, 'hex'), (extract(epoch FROM f) * 1000000)::bigint::text, e::text, d::text,
            c::text, b, a::text, encode(v_sealed, 'hex'), v, id::text FROM k ORDER BY id";
    let rows = fixture.db().rows(key).await;
    let field = ("public.k", "v");
    for mut application in applications(&fixture) {
        for row in &rows {
            let text = |at: usize| row[at].clone().unwrap();
            let part = |(at, kind): (usize, &&str)| match *kind {
                "bool" => json!({ "type": kind, "value": text(at) == "true" }),
                _ => json!({ "type": kind, "value": text(at) }),
            };
            let key: Vec<Value> = kinds.iter().enumerate().map(part).collect();
            let open = json!({ "key": key, "sealed": bytes(&text(8)) });
            let opened = application.done(command("open", field, open)).await;
            assert_eq!(opened["value"], text(9));
            let update =
                format!("UPDATE k SET v_sealed = $2 WHERE id = $1 RETURNING {KEY}, v_sealed");
            let params = [text(10)];
            let write = json!({ "key": key, "value": text(9), "sql": update, "params": params });
            let done = application.done(command("write", field, write)).await;
            assert_eq!(done["rows"], 1);
        }
        let few = json!({ "key": id(1), "value": "x" });
        application
            .fails("WrongInput", command("seal", field, few))
            .await;
    }
    verified(&fixture, 3).await;
    let left = "SELECT count(*) FROM k WHERE v IS NOT NULL";
    assert_eq!(
        fixture.db().count(left).await,
        0,
        "a module's write leaves no plaintext"
    );
}

const NAMES: [(&str, u32); 5] = [
    ("exact", 256),
    ("trim", 128),
    ("caseless", 64),
    ("alnum", 33),
    ("digits", 12),
];

fn indexed() -> (String, String) {
    let values = "(VALUES ('  Straße 12 '), ('STRASSE 12'), (E'\\u00a0O''Brien-7\\t'), ('ﬁ ① ٣'), (''), ('---'),
        ('İstanbul'), ('é'), (E'e\\u0301'), (E'\\x1c x \\x1c'), ('123-45-6789'), ('ǅ ς'), ('x12'), ('y13'), ('z14'),
        ('b3'), ('c4'), ('d5'), ('e6'), ('f7'), ('g8'), ('h9')) AS v(x)";
    let columns: Vec<String> = NAMES
        .iter()
        .map(|(name, _)| format!("{name} text"))
        .collect();
    let sql = format!(
        "CREATE TABLE t (id serial PRIMARY KEY, clinic text NOT NULL DEFAULT 'north', {});
         INSERT INTO t (exact, trim, caseless, alnum, digits) SELECT x, x, x, x, x FROM {values};
         UPDATE t SET clinic = 'süd' WHERE id % 3 = 0;
         CREATE TABLE saved AS TABLE t;",
        columns.join(", ")
    );
    let mut plan = "[[table]]\nname = \"public.t\"\ntenant_column = \"clinic\"\n".to_owned();
    for (name, bits) in NAMES {
        plan.push_str(&format!(
            "[[table.column]]\nname = \"{name}\"\nseal_into = \"{name}_s\"\npad_to = 16\n\
             blind_index = {{ column = \"{name}_b\", normalise = \"{name}\", bits = {bits}, force = true }}\n"
        ));
    }
    (sql, plan)
}

#[tokio::test]
async fn tenants_padding_and_every_normaliser_are_the_same_in_every_language() {
    let (sql, plan) = indexed();
    let fixture = Fixture::postgres("examples_indexes", &sql, &plan).await;
    fixture.backfill().await;
    for mut application in applications(&fixture) {
        for (name, _) in NAMES {
            each_row(&fixture, &mut application, name).await;
        }
    }
    verified(&fixture, 22 * NAMES.len()).await;
    let keys = fixture.keys().await;
    for (name, _) in NAMES {
        let check = FieldCheck::against(keys.field("public.t", name), "saved", name);
        let checked = keys
            .check(fixture.source(), &check, &mut NonceLedger::default())
            .await;
        checked.expect_all_sealed();
        assert_eq!((checked.equal, checked.indexes), (22, 22), "{name}");
    }
}

/// Looks each row up by its value, as the program indexed it, opens it, and seals it again.
async fn each_row(fixture: &Fixture, application: &mut Application, name: &str) {
    let field = ("public.t", name);
    let sql = format!(
        "SELECT t.id::text, s.{name}, t.clinic, encode(t.{name}_s, 'hex'), encode(t.{name}_b, 'hex')
            FROM t JOIN saved s USING (id) ORDER BY id"
    );
    for row in fixture.db().rows(&sql).await {
        let (row_id, clinic) = (row[0].clone().unwrap(), row[2].clone().unwrap());
        let value = row[1].clone().unwrap();
        let key = id(row_id.parse().unwrap());
        let found = json!({ "value": value, "tenant": clinic });
        let found = application.done(command("lookups", field, found)).await;
        let stored: Vec<String> = row[4].clone().into_iter().collect();
        assert_eq!(found, json!(stored), "{name}: {value:?}");
        let sealed = bytes(row[3].as_deref().unwrap());
        let open = json!({ "key": key, "sealed": sealed, "tenant": clinic });
        let opened = application.done(command("open", field, open)).await;
        assert_eq!(opened["value"], value, "{name}");
        let update = format!(
            "UPDATE t SET {name}_s = $2, {name}_b = $3 WHERE id = $1 RETURNING id, clinic, {name}_s"
        );
        let write = json!({
            "key": key, "value": value, "tenant": clinic, "sql": update, "params": [row_id], "index": true,
        });
        let done = application.done(command("write", field, write)).await;
        assert_eq!(done, json!({ "rows": 1, "calls": 1 }), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn text_columns_hold_the_text_form_beside_and_in_place() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, ssn text, ssn_sealed text, note text);
        INSERT INTO t VALUES (1, 'one', NULL, 'in place'), (2, 'two', NULL, 'also')";
    let plan = beside("public.t", &["ssn"])
        + "[[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::postgres("examples_text", sql, &plan).await;
    fixture.backfill().await;
    for mut application in applications(&fixture) {
        for (name, holder, value) in [("ssn", "ssn_sealed", "two"), ("note", "note", "also")] {
            let stored = format!("SELECT {holder} FROM t WHERE id = 2");
            let stored = fixture.scalar(&stored).await.unwrap();
            assert!(stored.starts_with("ps1."), "{stored}");
            let field = ("public.t", name);
            let open = json!({ "key": id(2), "sealed": stored });
            let opened = application.done(command("open", field, open)).await;
            assert_eq!(opened["value"], value);
            let sql = format!("UPDATE t SET {holder} = $2 WHERE id = $1 RETURNING id, {holder}");
            let write = json!({
                "key": id(2), "value": value, "sql": sql, "params": [2], "text": name == "ssn",
            });
            let done = application.done(command("write", field, write)).await;
            assert_eq!(done["rows"], 1);
        }
    }
    verified(&fixture, 4).await;
}
