//! The building itself: migration after migration, unit after unit, as they were applied.
//! Owns what is not run as it is written, and tells each: what is of the whole cluster or of the host, what
//! only a superuser may do, and what is there already.

use sqlx::{AssertSqlSafe, PgConnection};

use super::super::catalog::{self, Catalog, Scope};
use super::super::error::{Doing, Failure, MigrateError};
use super::super::postgres::{BEGIN, END_OF_FILE, Schema, failure, no_timeouts, run};
use super::super::script::{Script, Statement};
use super::super::set::{Migration, SetKind};
use super::super::version::shown;
use crate::quote;

pub(super) struct Building<'a> {
    pub kind: SetKind,
    pub migrations: &'a [&'a Migration],
    pub schema: &'a Schema,
    pub path: &'a [String],
    /// Each unit commits; else all is one transaction, which somebody else ends.
    pub commits: bool,
    /// Schemas that were made beforehand, for extensions.
    pub schemas_made: Vec<String>,
    /// Whether a role may be missing, since what makes it was left out.
    pub roles_missing: bool,
    pub left_out: Vec<String>,
}

/// Makes the builder a member of every role that it made, as a superuser would not have to be.
const JOIN_ROLES: &str = "DO $$ DECLARE made text; BEGIN
    FOR made IN SELECT rolname FROM pg_catalog.pg_roles
        WHERE NOT rolsuper AND rolname !~ '^pg_' AND rolname <> session_user
          AND NOT pg_catalog.pg_has_role(session_user, oid, 'member')
    LOOP EXECUTE pg_catalog.format('GRANT %I TO %I', made, session_user); END LOOP;
END $$";

impl Building<'_> {
    pub async fn build(&mut self, conn: &mut PgConnection) -> Result<Catalog, Failure> {
        let failed = failure(Doing::Comparing);
        let scope = match self.kind {
            SetKind::Own => {
                let make = format!("CREATE SCHEMA {}", self.schema.quoted);
                run(conn, make).await.map_err(failed)?;
                Scope::Own(self.schema)
            }
            SetKind::Platform => Scope::Platform(self.schema),
        };
        for migration in self.migrations {
            self.search(conn).await.map_err(failed)?;
            self.apply(conn, migration).await?;
            let end = format!("{END_OF_FILE}; {}", no_timeouts(false));
            run(conn, end).await.map_err(failed)?;
        }
        catalog::read(conn, scope).await
    }

    async fn search(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        // The server's own schemas are there, and nobody may make one of such a name.
        let path = || self.path.iter().filter(|name| !name.starts_with("pg_"));
        for name in path() {
            let quoted = Schema::new(name).map(|schema| schema.quoted);
            let quoted = quoted.unwrap_or_default();
            run(conn, format!("CREATE SCHEMA IF NOT EXISTS {quoted}")).await?;
        }
        let path: Vec<String> = path()
            .map(|name| quote::identifier(name))
            .chain(["pg_temp".to_owned()])
            .collect();
        let path = path.join(", ");
        run(
            conn,
            format!("SET search_path = {path}; SET standard_conforming_strings = on"),
        )
        .await
    }

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        migration: &Migration,
    ) -> Result<(), Failure> {
        let version = migration.version;
        let building = |line| failure(Doing::Building { version, line });
        if self.kind == SetKind::Own {
            let placed = self.schema.place(&migration.up);
            return run(conn, placed).await.map_err(building(1));
        }
        for unit in Script::of(&migration.up)?.units {
            let line = unit.statements.first().map_or(1, |s| s.line);
            if self.commits {
                run(conn, BEGIN.to_owned()).await.map_err(building(line))?;
            }
            for statement in &unit.statements {
                if let Some(why) = statement.is_of_the_host() {
                    self.leave_out(migration, statement, why);
                } else if !statement.is_maintenance() {
                    self.statement(conn, migration, statement).await?;
                }
            }
            // What is checked at the commit is checked here: there may be none.
            let end = if self.commits {
                "COMMIT"
            } else {
                "SET CONSTRAINTS ALL IMMEDIATE"
            };
            run(conn, end.to_owned()).await.map_err(building(line))?;
        }
        Ok(())
    }

    async fn statement(
        &mut self,
        conn: &mut PgConnection,
        migration: &Migration,
        statement: &Statement,
    ) -> Result<(), Failure> {
        let failed = failure(Doing::Comparing);
        let (version, line) = (migration.version, statement.line);
        let building = failure(Doing::Building { version, line });
        // Made beforehand, where it can be made.
        if statement.extension_made().is_some() {
            return Ok(());
        }
        // Some settings cannot be made within a savepoint.
        if statement.sets_transaction() {
            let text = statement.text.clone();
            return self.migrations_own(conn, text).await.map_err(building);
        }
        run(conn, "SAVEPOINT phiseal_statement".to_owned())
            .await
            .map_err(failed)?;
        let done = self
            .migrations_own(conn, statement.without_concurrently())
            .await;
        let Err(error) = done else {
            run(conn, "RELEASE SAVEPOINT phiseal_statement".to_owned())
                .await
                .map_err(failed)?;
            if self.commits && statement.may_make_roles() {
                self.join_roles(conn).await?;
            }
            if self.commits
                && let Some(schema) = statement.schema_made()
            {
                // As in `public`: see there.
                let grant = format!("GRANT ALL ON SCHEMA {schema} TO PUBLIC");
                self.aside(conn, grant).await?;
            }
            return Ok(());
        };
        let back = "ROLLBACK TO SAVEPOINT phiseal_statement; RELEASE SAVEPOINT phiseal_statement";
        match building(error) {
            Failure::Stop(MigrateError::Database { sqlstate, .. })
                if self.is_there(statement, &sqlstate) =>
            {
                run(conn, back.to_owned()).await.map_err(failed)
            }
            Failure::Stop(MigrateError::Database { sqlstate, .. }) if sqlstate == "42501" => {
                run(conn, back.to_owned()).await.map_err(failed)?;
                if self.commits
                    && let Some(role) = statement.role_made()
                {
                    // Without the attributes that only a superuser gives.
                    let bare = run(conn, format!("CREATE ROLE {role}")).await;
                    bare.map_err(failure(Doing::Building { version, line }))?;
                    self.join_roles(conn).await?;
                }
                self.leave_out(
                    migration,
                    statement,
                    "needs rights that the building has not",
                );
                Ok(())
            }
            Failure::Stop(MigrateError::Database { sqlstate, .. })
                if self.roles_missing && statement.lacks_a_role(&sqlstate) =>
            {
                run(conn, back.to_owned()).await.map_err(failed)?;
                self.leave_out(migration, statement, "names what was left out before");
                Ok(())
            }
            failure => Err(failure),
        }
    }

    /// What stands in a migration. Where somebody else rolls all of it back, the server is sent no more than
    /// one statement at a time: no COMMIT comes along, however the text was cut.
    async fn migrations_own(
        &self,
        conn: &mut PgConnection,
        sql: String,
    ) -> Result<(), sqlx::Error> {
        if self.commits {
            return run(conn, sql).await;
        }
        let one = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        one.execute(conn).await.map(drop)
    }

    /// Whether it only makes what is there for good: a role of the cluster, a schema made beforehand.
    fn is_there(&self, statement: &Statement, sqlstate: &str) -> bool {
        match sqlstate {
            "42710" => statement.role_made().is_some(),
            "42P06" => statement.schema_made().is_some_and(|name| {
                let name = name.trim_matches('"');
                self.schemas_made
                    .iter()
                    .any(|made| made.eq_ignore_ascii_case(name))
            }),
            _ => false,
        }
    }

    async fn join_roles(&self, conn: &mut PgConnection) -> Result<(), Failure> {
        self.aside(conn, JOIN_ROLES.to_owned()).await
    }

    /// What no migration says; where it fails, nothing of it is left.
    async fn aside(&self, conn: &mut PgConnection, sql: String) -> Result<(), Failure> {
        let failed = failure(Doing::Comparing);
        run(conn, "SAVEPOINT phiseal_aside".to_owned())
            .await
            .map_err(failed)?;
        let end = match run(conn, sql).await {
            Ok(()) => "RELEASE SAVEPOINT phiseal_aside",
            Err(_) => "ROLLBACK TO SAVEPOINT phiseal_aside; RELEASE SAVEPOINT phiseal_aside",
        };
        run(conn, end.to_owned()).await.map_err(failed)
    }

    fn leave_out(&mut self, migration: &Migration, statement: &Statement, why: &str) {
        self.roles_missing |= statement.may_make_roles();
        self.left_out.push(format!(
            "line {} of migration {}: {why}",
            statement.line,
            shown(migration.version)
        ));
    }
}
