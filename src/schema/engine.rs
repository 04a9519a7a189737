//! The migrations of our own tables, embedded, and what forbids undoing them.
//! Owns the list of the files in `migrations/engine/`. Knows nothing of how they are run.
//! Both databases get the same versions under the same names.

use super::error::Refusal;
use super::set::{Allowed, DownGuard, Migration, MigrationSet, SetKind};

macro_rules! embedded {
    ($database:literal: $($version:literal $stem:literal $name:literal),+ $(,)?) => {
        vec![$(Migration::embedded(
            $version,
            $name,
            include_str!(concat!(
                "../../migrations/engine/", $database, "/", $stem, "_", $name, ".up.sql"
            )),
            include_str!(concat!(
                "../../migrations/engine/", $database, "/", $stem, "_", $name, ".down.sql"
            )),
        )),+]
    };
}

pub(super) fn postgres_set() -> MigrationSet {
    MigrationSet {
        name: "engine".to_owned(),
        kind: SetKind::Own,
        migrations: embedded!("postgres":
            1 "0001" "keys",
            2 "0002" "fields",
            3 "0003" "runs",
            4 "0004" "quarantine",
            5 "0005" "audit",
            6 "0006" "rights",
            7 "0007" "relations",
            8 "0008" "keys",
            9 "0009" "procedures",
            10 "0010" "plaintext",
            11 "0011" "pacing",
        ),
        down_guards: &[
            DownGuard {
                since: 2,
                table: "encrypted_field_metadata",
                holds: FIELD_IS_SEALED,
                refusal: Refusal::SealedFields,
            },
            DownGuard {
                since: 1,
                table: "key_rotation_history",
                holds: "coalesce(finished_at, started_at) > now() - interval '6 years'",
                refusal: Refusal::YoungHistory,
            },
            DownGuard {
                since: 5,
                table: "audit_log",
                holds: "at > now() - interval '6 years'",
                refusal: Refusal::YoungAudit,
            },
        ],
        allowed: Allowed::default(),
    }
}

pub(super) fn sqlite_set() -> MigrationSet {
    MigrationSet {
        name: "engine".to_owned(),
        kind: SetKind::Own,
        migrations: embedded!("sqlite":
            1 "0001" "keys",
            2 "0002" "fields",
            3 "0003" "runs",
            4 "0004" "quarantine",
            5 "0005" "audit",
            6 "0006" "rights",
            7 "0007" "relations",
            8 "0008" "keys",
            9 "0009" "procedures",
            10 "0010" "plaintext",
            11 "0011" "pacing",
        ),
        down_guards: &[
            DownGuard {
                since: 2,
                table: "encrypted_field_metadata",
                holds: FIELD_IS_SEALED,
                refusal: Refusal::SealedFields,
            },
            DownGuard {
                since: 1,
                table: "key_rotation_history",
                holds: "coalesce(finished_at, started_at) > \
                        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 years')",
                refusal: Refusal::YoungHistory,
            },
            DownGuard {
                since: 5,
                table: "audit_log",
                holds: "at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 years')",
                refusal: Refusal::YoungAudit,
            },
        ],
        allowed: Allowed::default(),
    }
}

/// Everything between the first sealed column and the last restored value counts as sealed.
const FIELD_IS_SEALED: &str = "state NOT IN ('declared', 'restored', 'forgotten')";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::set::SCHEMA_PLACEHOLDER;
    use super::*;

    fn files_of(database: &str) -> BTreeSet<String> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations/engine")
            .join(database);
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn every_file_in_the_directories_is_embedded() {
        for (database, set) in [("postgres", postgres_set()), ("sqlite", sqlite_set())] {
            let embedded: BTreeSet<String> = set
                .migrations
                .iter()
                .flat_map(|m| {
                    ["up", "down"].map(|way| format!("{:04}_{}.{way}.sql", m.version, m.name))
                })
                .collect();
            assert_eq!(files_of(database), embedded);
        }
    }

    #[test]
    fn the_schema_placeholder_stands_in_no_function_body_string_or_comment() {
        for migration in postgres_set().migrations {
            for text in [Some(&migration.up), migration.down.as_ref()]
                .into_iter()
                .flatten()
            {
                let outside_bodies = text.split("$$").step_by(2);
                let in_bodies: String = text.split("$$").skip(1).step_by(2).collect();
                assert!(!in_bodies.contains(SCHEMA_PLACEHOLDER));
                for line in outside_bodies.flat_map(str::lines) {
                    let before = line.split(SCHEMA_PLACEHOLDER).next().unwrap();
                    let found = before.len() < line.len();
                    assert!(!found || !before.contains("--"), "{line}");
                    assert!(!found || before.matches('\'').count() % 2 == 0, "{line}");
                }
            }
        }
        for migration in sqlite_set().migrations {
            assert!(!migration.up.contains(SCHEMA_PLACEHOLDER));
        }
    }
}
