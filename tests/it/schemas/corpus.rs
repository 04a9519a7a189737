//! How files are cut into statements, against the server's own parser: each piece must be one whole
//! statement to it. It refuses several in one Parse message, and what is none, with 42601.
//! The corpus is every file that this repository carries, and what was made to be hard; folders named by
//! `PHISEAL_SQL_CORPUS`, with colons between, come besides.

use std::path::{Path, PathBuf};

use phiseal::schema::cut;
use sqlx::{AssertSqlSafe, Executor, PgConnection, SqlSafeStr};

use crate::support::database;

/// A text and how many statements it has.
const HARD: &[(&str, usize)] = &[
    (
        "CREATE TABLE period (id bigint, start date, \"end\" date);
         CREATE FUNCTION days(p period) RETURNS int LANGUAGE SQL
         BEGIN ATOMIC
           SELECT p.end - p.start AS end;
           SELECT p.start end FROM period AS p;
           SELECT CASE WHEN p.end IS NULL THEN 0 ELSE CASE p.end WHEN NULL THEN 1 ELSE 2 END END;
         END;
         SELECT 1;",
        3,
    ),
    ("SELECT E'take one\\n'\n  'don\\'t drive; call us'; SELECT E'a' -- b;\n  'c\\';';", 2),
    ("SET standard_conforming_strings = on; SELECT 'C:\\'; SELECT 2", 3),
    (
        "\u{feff}/* a /* nested; */ ; */ CREATE TABLE \"we;ird\" (a text DEFAULT $t$;$t$, \"b\"\"c;\" int);
         CREATE TABLE x$y (id int); COMMENT ON TABLE x$y IS U&'d\\0061t\\+000061;' ;
         CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $größe$ SELECT $$;$$::text $größe$;
         DO $a$ BEGIN EXECUTE $b$ SELECT ';' $b$; END $a$;SELECT 1-- no line end",
        6,
    ),
    ("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b); SELECT $1::int, 1", 2),
    ("SELECT $→$;$→$, 5 */* ; */3, a.b\r\n; -- c\r\nSELECT 1::text||';'", 2),
    ("\\restrict x1\nSELECT B'1', X'F', N'n;', 1e5, 'a''b;' ;\n\\unrestrict x1\n", 1),
    ("CREATE PROCEDURE p() BEGIN ATOMIC END; SELECT 1", 2),
];

fn sql_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sql_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "sql") {
            found.push(path);
        }
    }
}

/// Those of the pieces that are not one statement to the server.
async fn refused_of(conn: &mut PgConnection, pieces: &[String]) -> Vec<String> {
    let mut refused = Vec::new();
    for piece in pieces {
        let sql = AssertSqlSafe(piece.clone()).into_sql_str();
        if let Err(error) = conn.prepare(sql).await {
            let code = error.as_database_error().and_then(|e| e.code());
            if code.as_deref() == Some("42601") {
                refused.push(piece.clone());
            }
        }
    }
    refused
}

#[tokio::test]
async fn every_piece_of_a_file_is_one_statement_to_the_servers_own_parser() {
    let db = database("corpus").await;
    let mut conn = db.connection().await;
    for (text, count) in HARD {
        let pieces = cut(text).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert_eq!(pieces.len(), *count, "{pieces:#?}");
        assert_eq!(refused_of(&mut conn, &pieces).await, Vec::<String>::new());
    }
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for set in ["white_cross", "facility", "webqx"] {
        sql_files(&root.join("migrations").join(set), &mut files);
    }
    let carried = files.len();
    let others = std::env::var("PHISEAL_SQL_CORPUS").unwrap_or_default();
    for dir in others.split(':').filter(|dir| !dir.is_empty()) {
        sql_files(Path::new(dir), &mut files);
    }
    assert!(carried > 100, "{carried} files were found");
    let mut count = 0;
    for (at, file) in files.iter().enumerate() {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        match cut(&text) {
            Ok(pieces) => {
                count += pieces.len();
                let refused = refused_of(&mut conn, &pieces).await;
                assert!(refused.is_empty(), "{}: {refused:#?}", file.display());
            }
            // Folders of others may hold scripts for psql, which are no migrations.
            Err(why) => assert!(at >= carried, "{}: {why}", file.display()),
        }
    }
    println!("{} files, {count} statements", files.len());
}
