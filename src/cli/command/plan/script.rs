//! `phiseal plan --sql`: the DDL as a script for psql.
//! Owns the transactions around the statements, the settings and the comments. The statements come
//! from the store.

use crate::foreign::Foreign;
use crate::store::Ddl;

/// How long a transaction waits for its lock: below the server's `deadlock_timeout`, and so short
/// that the application's statements do not queue behind it for long.
const LOCK_TIMEOUT: &str = "200ms";

const HEAD: &str = "\
-- What tables need before `phiseal backfill`, for the role that owns them.
-- Run it with: psql -v ON_ERROR_STOP=1 -f FILE
-- A transaction that does not get its lock in time changes nothing. Then print this script again and run that:
-- it leaves out what is done.";

/// The script for these tables, each with its name.
pub(super) fn script(tables: &[(String, Ddl)]) -> String {
    let mut lines = Vec::new();
    for (name, ddl) in tables {
        let name = Foreign(name).to_string();
        if !ddl.together.is_empty() {
            lines.extend(in_transaction(&name, &ddl.together));
        }
        if !ddl.alone.is_empty() {
            lines.extend(one_by_one(&name, &ddl.alone));
        }
    }
    match lines.is_empty() {
        true => lines.push("-- nothing to do: columns and guards are there".to_owned()),
        false => lines.insert(0, HEAD.to_owned()),
    }
    for (name, ddl) in tables.iter().filter(|(_, ddl)| !ddl.later.is_empty()) {
        lines.extend(for_later(&Foreign(name).to_string(), &ddl.later));
    }
    lines.join("\n")
}

fn in_transaction(table: &str, statements: &[String]) -> Vec<String> {
    let mut lines = vec![
        format!("\n-- {table}: sealed columns, constraints, and the guard with its triggers."),
        "BEGIN;".to_owned(),
        "-- With the search path of the session, a name could mean an object that another role made."
            .to_owned(),
        "SET LOCAL search_path = pg_catalog, pg_temp;".to_owned(),
        format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';"),
    ];
    lines.extend(statements.iter().map(|statement| format!("{statement};")));
    lines.push("COMMIT;".to_owned());
    lines
}

/// PostgreSQL refuses CREATE INDEX CONCURRENTLY in a transaction. It waits for the transactions that
/// are open, so the session's time limits would make it fail.
fn one_by_one(table: &str, statements: &[String]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "\n-- {table}: unique indexes, before the first row is sealed. Writers go on; it waits for"
        ),
        "-- the transactions that are open now.".to_owned(),
        "SET lock_timeout = 0;\nSET statement_timeout = 0;".to_owned(),
    ];
    lines.extend(statements.iter().map(|statement| format!("{statement};")));
    lines.push("RESET lock_timeout;\nRESET statement_timeout;".to_owned());
    lines
}

/// A name may hold a line break, which would end the comment.
fn for_later(table: &str, statements: &[String]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "\n-- {table}: lookup indexes, after the backfill, which they would slow. The backfill makes"
        ),
        "-- them itself if its role owns the table. Otherwise run these, outside of a transaction:"
            .to_owned(),
    ];
    lines.extend(
        statements
            .iter()
            .map(|statement| format!("--   {};", Foreign(statement))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ddl() -> Ddl {
        Ddl {
            together: vec!["ALTER TABLE t ADD COLUMN a bytea".to_owned()],
            alone: vec!["CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)".to_owned()],
            later: vec!["CREATE INDEX CONCURRENTLY j ON t (\"b\nDROP TABLE t\")".to_owned()],
        }
    }

    #[test]
    fn indexes_stand_outside_of_the_transaction() {
        let script = script(&[("public.t".to_owned(), ddl())]);
        let at = |part: &str| script.find(part).unwrap();
        assert!(at("BEGIN;") < at("lock_timeout = '200ms'"));
        assert!(at("lock_timeout = '200ms'") < at("ALTER TABLE"));
        assert!(at("ALTER TABLE") < at("COMMIT;") && at("COMMIT;") < at("lock_timeout = 0"));
        assert!(at("lock_timeout = 0") < at("CREATE UNIQUE INDEX"));
    }

    #[test]
    fn nothing_gets_out_of_a_comment() {
        let name = "public.\"t\nDROP TABLE u\"".to_owned();
        for line in script(&[(name, ddl())]).lines() {
            assert!(!line.starts_with("DROP"), "{line}");
        }
    }

    #[test]
    fn a_table_that_has_everything_needs_nothing() {
        let script = script(&[("public.t".to_owned(), Ddl::default())]);
        assert_eq!(script, "-- nothing to do: columns and guards are there");
    }
}
