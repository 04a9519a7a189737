//! What becomes of the tables of a SQLite file: renames, rebuilds, triggers dropped and made again, copies.

use super::draw::Draw;
use super::model::Relation;
use super::world::{Fault, World};
use crate::support::Base;
use crate::support::dump::{loaded, text_of};
use crate::support::sqlite::vacuumed;

#[derive(Clone, Copy)]
enum Does {
    Rename,
    RenameOldWay,
    RenameColumn,
    Rebuild,
    DropTrigger,
    Remake,
    Archive,
    Copy,
    Drop,
    AddColumn,
    Load,
    Plan,
}

impl World {
    /// A change of definitions.
    pub async fn change_sqlite(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let does = draw.weighted(&[
            (4, Does::Rename),
            (1, Does::RenameOldWay),
            (4, Does::RenameColumn),
            (4, Does::Rebuild),
            (4, Does::DropTrigger),
            (4, Does::Remake),
            (3, Does::Archive),
            (3, Does::Copy),
            (1, Does::Drop),
            (1, Does::AddColumn),
            (4, Does::Load),
            (3, Does::Plan),
        ]);
        match does {
            Does::Rename => self.rename(draw).await,
            Does::RenameOldWay => {
                let Some(relation) = self.any_table(draw) else {
                    return Ok(());
                };
                let new = self.new_name(&relation.name);
                let old = relation.name;
                let sql = format!(
                    "PRAGMA legacy_alter_table = ON; ALTER TABLE {old} RENAME TO {new}; PRAGMA legacy_alter_table = OFF"
                );
                if self
                    .ddl(&format!("{old} renamed to {new} the old way"), &sql)
                    .await
                {
                    self.renamed(&old, &new, false);
                }
                Ok(())
            }
            Does::RenameColumn => self.rename_column(draw).await,
            Does::Rebuild => self.rebuild(draw).await,
            Does::DropTrigger => self.drop_sqlite_trigger(draw).await,
            Does::Remake => self.remake(draw).await,
            Does::Archive => {
                let created = self.definitions().await;
                self.archive(draw, |new, old| as_called(&created, new, old))
                    .await
            }
            Does::Copy => {
                let created = self.definitions().await;
                self.copy(draw, |new, old| as_called(&created, new, old))
                    .await
            }
            Does::Drop => self.drop_table(draw).await,
            Does::AddColumn => self.add_column(draw).await,
            Does::Load => self.load(draw).await,
            Does::Plan => {
                self.edit_plan(draw);
                Ok(())
            }
        }
    }

    // The columns of every table, as CREATE TABLE has them between its parentheses.
    async fn definitions(&self) -> Vec<(String, String)> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'table'";
        let rows = self.run(sql).await.unwrap_or_default();
        rows.into_iter()
            .filter_map(|row| {
                let sql = row[1].clone()?;
                Some((row[0].clone()?, sql[sql.find('(')?..].to_owned()))
            })
            .collect()
    }

    /// The way that SQLite's own pages recommend for a change that ALTER TABLE does not know.
    async fn rebuild(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let with_triggers = draw.once_in(3);
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let name = relation.name;
        let created = self.definitions().await;
        let new = format!("{name}_new");
        let mut sql = format!(
            "PRAGMA foreign_keys = OFF; BEGIN; {}; INSERT INTO {new} SELECT * FROM {name};
             DROP TABLE {name}; ALTER TABLE {new} RENAME TO {name}",
            as_called(&created, &new, &name)
        );
        if with_triggers {
            for trigger in self.trigger_texts(&name).await {
                sql += &format!("; {trigger}");
            }
        }
        sql += "; COMMIT; PRAGMA foreign_keys = ON";
        let what = format!(
            "{name} rebuilt, {} its triggers",
            if with_triggers { "with" } else { "without" }
        );
        self.ddl(&what, &sql).await;
        Ok(())
    }

    async fn trigger_texts(&self, table: &str) -> Vec<String> {
        let sql = format!(
            "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = '{table}' ORDER BY name"
        );
        let rows = self.run(&sql).await.unwrap_or_default();
        rows.into_iter().flatten().flatten().collect()
    }

    async fn guards(&self, relation: &Relation) -> Vec<(String, String)> {
        let sql = format!(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = '{}'
             AND name GLOB '~phiseal*' ORDER BY name",
            relation.name
        );
        let rows = self.run(&sql).await.unwrap_or_default();
        rows.into_iter()
            .filter_map(|row| Some((row[0].clone()?, row[1].clone()?)))
            .collect()
    }

    async fn drop_sqlite_trigger(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let guards = self.guards(&relation).await;
        if let Some((name, _)) = draw.one(&guards).cloned() {
            self.ddl(
                &format!("trigger {name} dropped"),
                &format!("DROP TRIGGER \"{name}\""),
            )
            .await;
        }
        Ok(())
    }

    /// The guard dropped, a write that it would have met, and the guard made again from its text.
    async fn remake(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let guards = self.guards(&relation).await;
        let Some((name, text)) = draw.one(&guards).cloned() else {
            return Ok(());
        };
        self.ddl(
            &format!("trigger {name} dropped"),
            &format!("DROP TRIGGER \"{name}\""),
        )
        .await;
        self.application(draw).await?;
        self.ddl(&format!("trigger {name} made again from its text"), &text)
            .await;
        Ok(())
    }

    async fn load(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Base::Sqlite(file) = &self.base else {
            return Ok(());
        };
        let by_text = draw.once_in(2);
        let copy = if by_text {
            loaded(&text_of(file).await).await
        } else {
            vacuumed(file).await
        };
        let how = if by_text { "its text" } else { "VACUUM INTO" };
        self.history
            .push(format!("the file replaced by a copy, by {how}"));
        self.base = Base::Sqlite(copy);
        self.write_plan();
        Ok(())
    }
}

fn as_called(created: &[(String, String)], new: &str, old: &str) -> String {
    // An archive is made after its old name is free: the definition is known under either.
    let known = created.iter().find(|(name, _)| name == old || name == new);
    let columns = known.map_or("(id integer PRIMARY KEY)", |(_, columns)| columns);
    format!("CREATE TABLE {new} {columns}")
}
