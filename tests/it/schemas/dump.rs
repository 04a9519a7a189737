//! A database's schema as `pg_dump` writes it, without phiseal's own.

use std::process::Command;

use crate::support::cluster::bin_dir;
use crate::support::database::Database;

/// Every statement that makes the schema, in the order of `pg_dump`.
pub fn schema(db: &Database) -> String {
    let program = bin_dir().map_or_else(|| "pg_dump".into(), |dir| dir.join("pg_dump"));
    let output = Command::new(program)
        .args(["--schema-only", "--no-owner", "--exclude-schema=phiseal"])
        .arg(db.url())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    // A token that differs from dump to dump guards some versions' restore.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Fails with the lines that only one of the two has.
pub fn assert_same(before: &str, after: &str, what: &str) {
    if before == after {
        return;
    }
    let only = |a: &str, b: &str| -> Vec<String> {
        let other: std::collections::BTreeSet<&str> = b.lines().collect();
        a.lines()
            .filter(|line| !other.contains(line))
            .map(str::to_owned)
            .collect()
    };
    panic!(
        "{what}: gone: {:#?}\nnew: {:#?}",
        only(before, after),
        only(after, before)
    );
}
