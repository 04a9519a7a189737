//! Names that would end a quote: whatever a table's owner calls a column, the SQL that phiseal runs and
//! prints says that name and nothing else, under either setting of `standard_conforming_strings`.

use super::attempt;
use crate::support::{Fixture, database};

/// Each would run as a statement of its own in a careless quote.
const NAMES: &[&str] = &[
    "$phiseal$;COMMIT;ALTER ROLE eve SUPERUSER;DO $phiseal$",
    "a\";DROP TABLE t;--",
    "it's",
    "back\\",
    "back\\';SELECT 1;--",
    "two\nlines",
    "$1",
    "{0}%I%s",
    "t",
    "old",
    "phiseal_$phiseal_$phiseal",
];

fn sql_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn toml_name(name: &str) -> String {
    toml::Value::from(sql_name(name)).to_string()
}

#[tokio::test]
async fn no_name_ends_its_quote_in_what_is_run_or_printed() {
    for setting in ["on", "off"] {
        let db = database("names").await;
        let setting = format!(
            "ALTER DATABASE {} SET standard_conforming_strings = {setting}",
            db.name()
        );
        db.exec(&setting).await;
        let mut ddl = String::new();
        let mut plan = String::new();
        for (at, name) in NAMES.iter().enumerate() {
            let (column, key) = (sql_name(name), sql_name(&format!("{name}k")));
            ddl.push_str(&format!(
                "CREATE TABLE {column} ({key} int PRIMARY KEY, {tenant} text NOT NULL DEFAULT 'one', {plain} text, \"sealed{column_end} bytea);
                 INSERT INTO {column} ({key}, {plain}) SELECT g, 'v' || g FROM generate_series(1, 5) g;",
                tenant = sql_name(&format!("{name}t")),
                plain = sql_name(&format!("{name}p")),
                column_end = &column[1..],
            ));
            plan.push_str(&format!(
                "[[table]]\nname = {table}\ntenant_column = {tenant}\n[[table.column]]\nname = {plain}\nseal_into = {sealed}\n\
                 blind_index = {{ column = {index}, normalise = \"digits\", bits = 256, unique = {unique} }}\n",
                table = toml::Value::from(format!("public.{column}")),
                tenant = toml_name(&format!("{name}t")),
                plain = toml_name(&format!("{name}p")),
                sealed = toml_name(&format!("sealed{name}")),
                index = toml_name(&format!("i{name}")),
                unique = at % 2 == 0,
            ));
        }
        let fixture = Fixture::new(crate::support::Base::Postgres(db), &ddl, &plan).await;
        let eve = "SELECT count(*) FROM pg_roles WHERE rolsuper";
        let before = fixture.db().count(eve).await;

        // As the DBA: what `plan --sql` prints, statement by statement, in a session of his own.
        let printed = fixture.project.phiseal(&["plan", "--json"]).run().await;
        let printed = printed.expect_code(0).json();
        let mut statements = vec!["BEGIN".to_owned()];
        let (alone, together): (Vec<String>, Vec<String>) = printed["ddl"]
            .as_array()
            .unwrap()
            .iter()
            .map(|statement| statement.as_str().unwrap().to_owned())
            .partition(|statement| statement.contains("CONCURRENTLY"));
        statements.extend(together);
        statements.push("COMMIT".to_owned());
        assert!(statements.len() > NAMES.len() * 5, "{statements:?}");
        assert_eq!(alone.len(), NAMES.len().div_ceil(2));
        assert_eq!(attempt(&fixture.url(), &statements.join(";\n")).await, None);
        for statement in alone {
            assert_eq!(
                attempt(&fixture.url(), &statement).await,
                None,
                "{statement}"
            );
        }

        for command in [
            &["backfill"][..],
            &["verify"],
            &["rotate"],
            &["status", "--check"],
        ] {
            fixture.project.phiseal(command).run().await.expect_code(0);
        }
        for name in NAMES {
            // The guard, too, says the names that it was given.
            let table = sql_name(name);
            let plain = sql_name(&format!("{name}p"));
            let sealed = sql_name(&format!("sealed{name}"));
            let key = sql_name(&format!("{name}k"));
            fixture
                .exec(&format!(
                    "UPDATE {table} SET {plain} = 'new' WHERE {key} = 1"
                ))
                .await;
            let blank = format!("SELECT count(*) FROM {table} WHERE {sealed} IS NULL");
            assert_eq!(fixture.db().count(&blank).await, 1, "{name}");
        }
        assert_eq!(fixture.backfill().await["rows_sealed"], NAMES.len());
        let restore = &["restore", "--drop-sealed", "--yes"];
        fixture.project.phiseal(restore).run().await.expect_code(0);
        for name in NAMES {
            let kept = format!(
                "SELECT count(*) FROM {} WHERE {} IN ('new', 'v2', 'v3', 'v4', 'v5')",
                sql_name(name),
                sql_name(&format!("{name}p"))
            );
            assert_eq!(fixture.db().count(&kept).await, 5, "{name}");
        }
        assert_eq!(fixture.db().count(eve).await, before);
    }
}

/// Nothing else in the sources quotes a name or a text, or opens a dollar quote.
#[test]
fn one_module_quotes() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    let mut folders = vec![src];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let sql = path.components().any(|part| {
                ["store", "schema", "demo", "ident.rs"]
                    .contains(&part.as_os_str().to_str().unwrap())
            });
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let quotes = ["replace('\\''", "replace('\"'", "$phiseal$", "AS $$"];
            let found = quotes.iter().find(|quote| code.contains(**quote));
            let array = path.ends_with("demo/rows/values/make.rs");
            let test = path
                .components()
                .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
            if let (true, false, false, Some(quote)) = (sql, array, test, found) {
                faults.push(format!("{}: {quote}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
