//! The tables in which other tools of migration keep their history: no drift, where another tool went
//! before.
//! Owns their names. One that the migrations make themselves is compared like any other.

use super::super::catalog::{Catalog, Object, ObjectName};

/// Names that nothing else has.
const HISTORIES: [&str; 31] = [
    "_sqlx_migrations",
    "flyway_schema_history",
    "schema_version",
    "schema_migrations",
    "ar_internal_metadata",
    "\"SequelizeMeta\"",
    "\"SequelizeData\"",
    "knex_migrations",
    "knex_migrations_lock",
    "databasechangelog",
    "databasechangeloglock",
    "pgmigrations",
    "goose_db_version",
    "gorp_migrations",
    "micrate_db_version",
    "play_evolutions",
    "alembic_version",
    "django_migrations",
    "_prisma_migrations",
    "typeorm_metadata",
    "mikro_orm_migrations",
    "__drizzle_migrations",
    "\"__EFMigrationsHistory\"",
    "__diesel_schema_migrations",
    "refinery_schema_history",
    "phinxlog",
    "doctrine_migration_versions",
    "atlas_schema_revisions",
    "_yoyo_log",
    "_yoyo_migration",
    "_yoyo_version",
];

/// Names that an application may have given too, with the columns that tell.
const BY_COLUMNS: [(&str, &[&str]); 4] = [
    ("changelog", &["applied_at", "description", "id"]),
    ("migrations", &["id", "name", "timestamp"]),
    ("migrations", &["migration"]),
    ("migrations", &["batch", "id", "migration"]),
];

/// Whether it is such a table, or belongs to one.
pub(super) fn is_history(found: &Catalog, name: &ObjectName, object: &Object) -> bool {
    let table = match (&object.table, name.kind.as_str()) {
        (Some(table), _) => table.as_str(),
        (None, "table") => name.name.as_str(),
        (None, "sequence") => match object.definition.rsplit_once("owned by ") {
            Some((_, column)) => column.rsplit_once('.').map_or("", |(table, _)| table),
            None => return false,
        },
        (None, _) => return false,
    };
    // A schema's name with a dot in it is quoted, and no tool's.
    let bare = table.rsplit_once('.').map_or(table, |(_, bare)| bare);
    HISTORIES.contains(&bare)
        || BY_COLUMNS
            .iter()
            .any(|(known, columns)| *known == bare && columns_of(found, table) == *columns)
}

fn columns_of(found: &Catalog, table: &str) -> Vec<String> {
    let columns = found
        .iter()
        .filter(|(name, object)| name.kind == "column" && object.table.as_deref() == Some(table));
    let mut columns: Vec<String> = columns
        .flat_map(|(_, o)| o.columns.iter().cloned())
        .collect();
    columns.sort();
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(table: Option<&str>, definition: &str, columns: &[&str]) -> Object {
        Object {
            definition: definition.to_owned(),
            table: table.map(str::to_owned),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    fn name(kind: &str, name: &str) -> ObjectName {
        ObjectName {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_tools_history_and_what_belongs_to_it_is_known_and_an_applications_table_is_not() {
        let mut found = Catalog::new();
        for column in ["id", "applied_at", "description"] {
            found.insert(
                name("column", &format!("public.changelog.{column}")),
                object(Some("public.changelog"), "text", &[column]),
            );
        }
        let is = |kind: &str, of: &str, o: &Object| is_history(&found, &name(kind, of), o);
        let none = object(None, "", &[]);
        assert!(is("table", "public._sqlx_migrations", &none));
        assert!(is("table", "public.changelog", &none));
        assert!(!is("table", "public.migrations", &none));
        assert!(!is("table", "public.patients", &none));
        let of = object(Some("public.\"SequelizeMeta\""), "", &[]);
        assert!(is("constraint", "public.\"SequelizeMeta\".pk", &of));
        let owned = object(
            None,
            "bigint start 1 owned by public.goose_db_version.id",
            &[],
        );
        assert!(is("sequence", "public.goose_db_version_id_seq", &owned));
    }
}
