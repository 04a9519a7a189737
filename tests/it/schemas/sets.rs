//! The sets that the program carries: up, down to nothing, up again, one at a time, and what
//! docs/schemas.md and the plan files say of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::dump::{assert_same, schema};
use super::migrate;
use crate::support::database;
use crate::support::database::Database;

const SETS: [&str; 3] = ["white_cross", "facility", "webqx"];

/// Everything that is left of schemas, tables, types, functions and extensions, but phiseal's
/// empty schema.
const LEFT: &str = "SELECT string_agg(what, ', ' ORDER BY what) FROM (
    SELECT relname::text AS what FROM pg_class
        WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT typname FROM pg_type
        WHERE typnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT proname FROM pg_proc
        WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^(pg_|information_schema$|public$|phiseal$)') AS _";

fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(set)
}

/// The versions of a set, by the names of its files: all digits before the description.
fn versions(set: &str) -> Vec<i64> {
    let names = std::fs::read_dir(folder(set)).unwrap();
    let versions: BTreeSet<i64> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql"))
        .map(|name| {
            let digits = |c: char| c.is_ascii_digit() || c == '_';
            let end = name.find(|c| !digits(c)).unwrap();
            name[..end].replace('_', "").parse().unwrap()
        })
        .collect();
    versions.into_iter().collect()
}

async fn goes_up_and_down_to_nothing(set: &str) {
    let db = database(&format!("set_{set}")).await;
    let all = versions(set);
    let empty = schema(&db);
    let up = migrate(&db, &["up", "--set", set], 0).await;
    assert_eq!(up, json!({ "applied": all }));
    let first = schema(&db);
    let same = migrate(&db, &["verify", "--set", set], 0).await;
    let last = all.last();
    assert_eq!(same["version"], json!(last));
    for found in ["missing", "extra", "different", "left_out"] {
        assert_eq!(same[found], json!([]), "{found}");
    }

    let backwards: Vec<i64> = all.iter().rev().copied().collect();
    let down = migrate(&db, &["down", "--to", "0", "--set", set], 0).await;
    assert_eq!(down, json!({ "undone": backwards }));
    assert_eq!(db.scalar(LEFT).await, None);
    assert_same(&empty, &schema(&db), "down to nothing");

    migrate(&db, &["up", "--set", set], 0).await;
    assert_same(&first, &schema(&db), "up again");
    let nothing = migrate(&db, &["up", "--set", set], 0).await;
    assert_eq!(nothing, json!({ "applied": [] }));
}

/// Migrations are undone one at a time (`make soak`), or five at a time, since a dump takes longer than a migration. What
/// that leaves is compared with what was there before them.
async fn goes_down_as_it_came_step_by_step(set: &str) {
    let db = database(&format!("steps_{set}")).await;
    let step = match std::env::var_os("PHISEAL_SOAK_ROWS") {
        Some(_) => 1,
        None => 5,
    };
    let all = versions(set);
    let mut before = Vec::new();
    for versions in all.chunks(step) {
        before.push(schema(&db));
        let to = versions.last().unwrap().to_string();
        let up = migrate(&db, &["up", "--set", set, "--to", &to], 0).await;
        assert_eq!(up, json!({ "applied": versions }));
    }
    let mut left = all.as_slice();
    for (versions, before) in all.chunks(step).zip(&before).rev() {
        left = &left[..left.len() - versions.len()];
        let to = left.last().unwrap_or(&0).to_string();
        let down = migrate(&db, &["down", "--set", set, "--to", &to], 0).await;
        let undone: Vec<_> = versions.iter().rev().collect();
        assert_eq!(down, json!({ "undone": undone }));
        assert_same(before, &schema(&db), &format!("{set} down to {to}"));
    }
    assert_eq!(db.scalar(LEFT).await, None);
}

/// `up` from wherever somebody stopped ends where all others end.
async fn goes_up_from_every_version(set: &str) {
    let whole = schema(&migrated(set, "whole").await);
    for version in versions(set) {
        let db = database(&format!("from_{set}")).await;
        let to = version.to_string();
        migrate(&db, &["up", "--set", set, "--to", &to], 0).await;
        migrate(&db, &["up", "--set", set], 0).await;
        assert_same(&whole, &schema(&db), &format!("{set} from {version}"));
    }
}

macro_rules! of_each_set {
    ($($set:ident),+) => {$(
        mod $set {
            #[tokio::test]
            async fn goes_up_down_to_nothing_and_up_to_the_same() {
                super::goes_up_and_down_to_nothing(stringify!($set)).await;
            }

            #[tokio::test]
            async fn goes_down_as_it_came_step_by_step() {
                super::goes_down_as_it_came_step_by_step(stringify!($set)).await;
            }

            #[tokio::test]
            #[ignore = "minutes: make soak"]
            async fn goes_up_from_every_version() {
                super::goes_up_from_every_version(stringify!($set)).await;
            }
        }
    )+};
}

of_each_set!(white_cross, facility, webqx);

/// What docs/schemas.md counts, and how the server counts it.
const COUNTS: [(&str, &str); 7] = [
    (
        "tables",
        "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
    ),
    (
        "enums",
        "SELECT count(*) FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace",
    ),
    (
        "values",
        "SELECT count(*) FROM pg_enum JOIN pg_type AS t ON t.oid = enumtypid
         WHERE typnamespace = 'public'::regnamespace",
    ),
    (
        "foreign keys",
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace",
    ),
    (
        "PHI tables",
        "SELECT count(DISTINCT objoid) FROM pg_description
         WHERE classoid = 'pg_class'::regclass AND objsubid > 0 AND description LIKE 'PHI: %'",
    ),
    (
        "PHI columns",
        "SELECT count(*) FROM pg_description
         WHERE classoid = 'pg_class'::regclass AND objsubid > 0 AND description LIKE 'PHI: %'",
    ),
    (
        "append-only",
        // One function that fires under every role before any UPDATE, DELETE and TRUNCATE. What it
        // does is tried in `security`.
        "SELECT count(*) FROM pg_class AS c WHERE EXISTS (
             SELECT FROM pg_trigger AS g
             WHERE g.tgrelid = c.oid AND g.tgenabled = 'A' AND g.tgtype & 2 > 0 AND g.tgqual IS NULL
             GROUP BY g.tgfoid HAVING bit_or(g.tgtype::int) & 56 = 56)",
    ),
];

/// The row of `set` in the table of counts, by its heading.
fn documented(set: &str) -> Vec<(String, i64)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas.md");
    let page = std::fs::read_to_string(page).unwrap();
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim().trim_matches('|').split('|');
        cells
            .map(|c| c.trim().trim_matches('`').to_owned())
            .collect()
    };
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| set |"));
    let heads = cells(lines.next().expect("no table of counts"));
    let row = lines
        .map(cells)
        .find(|row| row[0] == set)
        .unwrap_or_else(|| panic!("{set} is not in the table of counts"));
    let numbers = row.into_iter().map(|cell| cell.parse().unwrap_or(-1));
    heads.into_iter().zip(numbers).skip(1).collect()
}

#[tokio::test]
async fn the_page_counts_what_the_migrations_make() {
    for set in SETS {
        let db = migrated(set, "count").await;
        let mut counted = Vec::new();
        for (what, sql) in COUNTS {
            counted.push((what.to_owned(), db.count(sql).await));
        }
        let count = i64::try_from(versions(set).len()).unwrap();
        counted.push(("migrations".to_owned(), count));
        assert_eq!(documented(set), counted, "{set}");
    }
    // As the platform's own inventories count it.
    let white_cross: Vec<i64> = documented("white_cross")
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(white_cross, [112, 68, 416, 308, 49, 170, 5, 53]);
}

pub(super) async fn migrated(set: &str, what: &str) -> Database {
    let db = database(&format!("{what}_{set}")).await;
    migrate(&db, &["up", "--set", set], 0).await;
    db
}

/// Table and column, of every column that the plan file seals.
fn planned(set: &str) -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(folder(set).join("phiseal.toml")).unwrap();
    let plan: toml::Table = text.parse().unwrap();
    let mut found = BTreeSet::new();
    for table in plan["table"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let name = name.trim_start_matches("public.").trim_matches('"');
        for column in table["column"].as_array().unwrap() {
            let column = column["name"].as_str().unwrap().to_owned();
            assert!(found.insert((name.to_owned(), column)));
        }
    }
    found
}

#[tokio::test]
async fn plan_and_comments_name_the_same_columns_and_an_indexed_one_has_a_blind_index() {
    for set in SETS {
        let db = migrated(set, "phi").await;
        let marked = db
            .rows(
                "SELECT c.relname::text, a.attname::text FROM pg_description AS d
                 JOIN pg_class AS c ON c.oid = d.objoid
                 JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid
                 WHERE d.classoid = 'pg_class'::regclass AND d.objsubid > 0 AND description LIKE 'PHI: %'",
            )
            .await;
        let marked: BTreeSet<(String, String)> = marked
            .into_iter()
            .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
            .collect();
        assert_eq!(planned(set), marked, "{set}");

        let indexed = db
            .rows(
                "SELECT DISTINCT c.relname::text, a.attname::text, bool_or(i.indisunique)::text
                 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
                 JOIN pg_depend AS p ON p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
                     AND p.refobjid = c.oid AND p.refobjsubid > 0
                 JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.refobjsubid
                 JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass
                     AND d.objoid = c.oid AND d.objsubid = a.attnum AND description LIKE 'PHI: %'
                 GROUP BY 1, 2
                 UNION SELECT c.relname::text, a.attname::text, 'true' FROM pg_constraint AS u
                 JOIN pg_class AS c ON c.oid = u.conrelid
                 JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (u.conkey)
                 JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass
                     AND d.objoid = c.oid AND d.objsubid = a.attnum AND description LIKE 'PHI: %'
                 WHERE u.contype = 'u'",
            )
            .await;
        assert!(!indexed.is_empty(), "{set}: the catalog was not understood");
        for row in indexed {
            let [table, column, unique] = row.map_texts();
            let bits = blind_index_bits(set, &table, &column);
            let least = if unique == "true" { 128 } else { 8 };
            assert!(
                bits.is_some_and(|bits| bits >= least),
                "{set}.{table}.{column} is indexed, and its blind index has {bits:?} bits"
            );
        }
    }
}

trait Texts {
    fn map_texts(self) -> [String; 3];
}

impl Texts for Vec<Option<String>> {
    fn map_texts(self) -> [String; 3] {
        let texts: Vec<String> = self.into_iter().map(Option::unwrap).collect();
        texts.try_into().unwrap()
    }
}

fn blind_index_bits(set: &str, table: &str, column: &str) -> Option<i64> {
    let text = std::fs::read_to_string(folder(set).join("phiseal.toml")).unwrap();
    let plan: toml::Table = text.parse().unwrap();
    let tables = plan["table"].as_array().unwrap();
    let table = tables.iter().find(|t| {
        let name = t["name"].as_str().unwrap();
        name.trim_start_matches("public.").trim_matches('"') == table
    })?;
    let columns = table["column"].as_array().unwrap();
    let column = columns
        .iter()
        .find(|c| c["name"].as_str() == Some(column))?;
    column.get("blind_index")?["bits"].as_integer()
}

#[tokio::test]
async fn every_foreign_key_leads_an_index_and_every_table_has_its_clock() {
    for set in SETS {
        let db = migrated(set, "keys").await;
        let bare = "SELECT string_agg(conrelid::regclass || '.' || conname, ', ')
                    FROM pg_constraint AS f WHERE contype = 'f' AND NOT EXISTS (
                        SELECT FROM pg_index AS i WHERE i.indrelid = f.conrelid AND i.indisvalid
                            AND i.indpred IS NULL
                            AND i.indkey[0] = ANY (f.conkey))";
        assert_eq!(db.scalar(bare).await, None, "{set}");
        let clockless = "SELECT string_agg(relname, ', ') FROM pg_class AS c
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT EXISTS (
                 SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND attname = 'created_at')";
        assert_eq!(db.scalar(clockless).await, None, "{set}");
    }
}
