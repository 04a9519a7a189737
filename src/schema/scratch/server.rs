//! What a private cluster is told of the server that it stands in for: its roles by name, its extensions,
//! the database's own name, encoding and locale.
//! Owns both sides: what is read, and how it is made there. Of a role no password, setting or right is
//! read.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::super::error::{Doing, Failure};
use super::super::postgres::{failure, run};
use super::super::script::Script;
use super::super::set::Migration;
use super::reach;
use crate::quote;
use crate::store::postgres::opening::Opening;

/// The server and database that a set is compared with.
pub(super) struct Server {
    pub major: u32,
    pub database: String,
    pub login: String,
    /// Why the login could change what no rollback undoes, if it could.
    pub login_reaches: Option<String>,
    encoding: String,
    collate: String,
    ctype: String,
    roles: Vec<String>,
    pub extensions: Vec<Extension>,
}

pub(super) struct Extension {
    pub name: String,
    pub schema: String,
}

impl Server {
    pub async fn read(conn: &mut PgConnection) -> Result<Self, Failure> {
        let failed = failure(Doing::Comparing);
        let mut tx = conn
            .begin_with(Opening::begin_as_login())
            .await
            .map_err(failed)?;
        let found = Self::read_in(&mut tx).await;
        tx.rollback().await.map_err(failed)?;
        found.map_err(failed)
    }

    async fn read_in(tx: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::integer / 10000,
                    datname::text, session_user::text,
                    pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text,
                    ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1)
             FROM pg_database WHERE datname = current_database()",
        )
        .persistent(false)
        .fetch_one(&mut *tx)
        .await?;
        let extensions = extensions(tx).await?;
        let major: i32 = row.try_get(0)?;
        Ok(Self {
            major: major.unsigned_abs(),
            database: row.try_get(1)?,
            login: row.try_get(2)?,
            login_reaches: reach::beyond(tx, &[]).await?,
            encoding: row.try_get(3)?,
            collate: row.try_get(4)?,
            ctype: row.try_get(5)?,
            roles: row.try_get(6)?,
            extensions,
        })
    }

    /// What makes a database like it: of the same encoding and locale, without whatever the server's
    /// template holds.
    pub fn like(&self) -> String {
        format!(
            "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            quote::literal(&self.encoding),
            quote::literal(&self.collate),
            quote::literal(&self.ctype)
        )
    }

    /// Makes roles and database in a private cluster, over its administrator's connection. Returns what
    /// could not be made alike.
    pub async fn rebuild(
        &self,
        administrator: &mut PgConnection,
        password: &str,
        migrations: &[&Migration],
    ) -> Result<Vec<String>, Failure> {
        let failed = failure(Doing::Comparing);
        run(administrator, NO_WAY_TO_THE_HOST.to_owned())
            .await
            .map_err(failed)?;
        let login = quote::identifier(&self.login);
        let attributes = "LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS";
        let password = quote::literal(password);
        run(
            administrator,
            format!("CREATE ROLE {login} {attributes} PASSWORD {password}"),
        )
        .await
        .map_err(failed)?;
        for role in self.roles.iter().filter(|role| **role != self.login) {
            if migrations.iter().any(|m| makes_role(&m.up, role)) {
                continue;
            }
            let role = quote::identifier(role);
            let sql = format!("CREATE ROLE {role}; GRANT {role} TO {login} WITH ADMIN OPTION");
            run(administrator, sql).await.map_err(failed)?;
        }
        // A fresh cluster has one called postgres.
        let name = quote::identifier(&self.database);
        run(administrator, format!("DROP DATABASE IF EXISTS {name}"))
            .await
            .map_err(failed)?;
        let make = format!(
            "CREATE DATABASE {} OWNER {login}",
            quote::identifier(&self.database)
        );
        let mut left_out = Vec::new();
        if run(administrator, format!("{make} {}", self.like()))
            .await
            .is_err()
        {
            let encoding = quote::literal(&self.encoding);
            let plain =
                format!("TEMPLATE template0 ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'");
            run(administrator, format!("{make} {plain}"))
                .await
                .map_err(failed)?;
            left_out.push(format!(
                "the locale {}, which this host has not",
                self.collate
            ));
        }
        Ok(left_out)
    }
}

/// Before version 16, who may make roles may give itself any role but a superuser's. These run programs
/// and open files on the host.
const NO_WAY_TO_THE_HOST: &str = "SET allow_system_table_mods = on; \
     UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname IN \
         ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'); \
     RESET allow_system_table_mods";

/// The functions of `extension` are the administrator's alone.
const NO_WAY_OUT: &str = "DO $$ DECLARE found pg_catalog.oid; BEGIN
    FOR found IN SELECT d.objid FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
          AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.extname = EXTENSION
    LOOP EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', found::pg_catalog.regprocedure);
    END LOOP;
END $$";

/// The extensions of a database, but for the one that each has.
pub(super) async fn extensions(conn: &mut PgConnection) -> Result<Vec<Extension>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT e.extname::pg_catalog.text, n.nspname::pg_catalog.text
         FROM pg_catalog.pg_extension AS e
         JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
         WHERE e.extname OPERATOR(pg_catalog.<>) 'plpgsql' ORDER BY 1",
    )
    .persistent(false)
    .fetch_all(conn)
    .await?;
    let extension = |row: &sqlx::postgres::PgRow| {
        Ok(Extension {
            name: row.try_get(0)?,
            schema: row.try_get(1)?,
        })
    };
    rows.iter().map(extension).collect()
}

/// Makes the extensions that the database has, and those that the migrations make, with the rights of
/// `conn`. Returns those that could not be made, and the schemas that were made for them.
pub(super) async fn make_extensions(
    conn: &mut PgConnection,
    there: &[Extension],
    migrations: &[&Migration],
    owner: Option<&str>,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let failed = failure(Doing::Comparing);
    let mut wanted: Vec<(String, Option<String>)> = there
        .iter()
        .map(|e| (e.name.clone(), Some(e.schema.clone())))
        .collect();
    for migration in migrations {
        for statement in Script::of(&migration.up)?.statements() {
            if let Some(name) = statement.extension_made()
                && !wanted.iter().any(|(other, _)| *other == name)
            {
                wanted.push((name, None));
            }
        }
    }
    let (mut missing, mut schemas) = (Vec::new(), Vec::new());
    for (name, schema) in wanted {
        let outward = reach::OUTWARD.contains(&name.as_str());
        if outward && owner.is_none() {
            missing.push(format!(
                "the extension {name}, which reaches out of its database"
            ));
            continue;
        }
        run(conn, "SAVEPOINT phiseal_extension".to_owned())
            .await
            .map_err(failed)?;
        let mut sql = String::new();
        let mut place = String::new();
        if let Some(schema) = schema.filter(|s| s != "public" && !s.starts_with("pg_")) {
            let quoted = quote::identifier(&schema);
            let owned = owner.map(|role| format!(" AUTHORIZATION {}", quote::identifier(role)));
            sql = format!(
                "CREATE SCHEMA IF NOT EXISTS {quoted}{};",
                owned.unwrap_or_default()
            );
            place = format!(" SCHEMA {quoted}");
            schemas.push(schema);
        }
        let quoted = quote::identifier(&name);
        let mut make = format!("{sql} CREATE EXTENSION IF NOT EXISTS {quoted}{place} CASCADE");
        if outward {
            let closed = NO_WAY_OUT.replace("EXTENSION", &quote::literal(&name));
            make = format!("{make}; {closed}");
        }
        let made = run(conn, make).await;
        let end = match made {
            Ok(()) => "RELEASE SAVEPOINT phiseal_extension",
            Err(_) => "ROLLBACK TO SAVEPOINT phiseal_extension",
        };
        if made.is_err() {
            missing.push(format!("the extension {name}, which cannot be made"));
        }
        run(conn, end.to_owned()).await.map_err(failed)?;
    }
    Ok((missing, schemas))
}

/// Whether the text makes this role, be it in a block of code.
fn makes_role(text: &str, role: &str) -> bool {
    let lower = text.to_lowercase();
    let role = role.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '(' | ')' | ','))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).enumerate().any(|(at, pair)| {
        let makes = pair[0] == "create" && matches!(pair[1], "role" | "user" | "group");
        let behind = words.get(at + 2..).unwrap_or_default();
        let named = match behind {
            ["if", "not", "exists", name, ..] | [name, ..] => *name,
            [] => "",
        };
        makes && (named == role || named.starts_with('%') && lower.contains(&role))
    })
}

/// Drops a database, whoever is connected to it by now.
pub(super) async fn drop_database(
    server: &mut PgConnection,
    name: &str,
) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(format!("DROP DATABASE {name}"));
    sqlx::raw_sql(sql).execute(server).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::makes_role;

    #[test]
    fn a_role_is_made_by_a_statement_or_a_block_of_code() {
        for text in [
            "CREATE ROLE app LOGIN;",
            "create user \"app\" password 'x'",
            "DO $$ BEGIN CREATE ROLE app; END $$",
            "DO $$ BEGIN EXECUTE format('CREATE ROLE %I', 'app'); END $$",
        ] {
            assert!(makes_role(text, "app"), "{text}");
        }
        for text in [
            "GRANT SELECT ON t TO app",
            "CREATE ROLE other; GRANT app TO other",
        ] {
            assert!(!makes_role(text, "app"), "{text}");
        }
    }
}
