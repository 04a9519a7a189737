//! What a DBA does to the tables of a PostgreSQL database.

use super::draw::Draw;
use super::model::{Place, Relation};
use super::tables::along;
use super::world::{Fault, World};
use crate::support::Base;
use crate::support::dump::{Way, restored};

#[derive(Clone, Copy)]
enum Does {
    Rename,
    Move,
    RenameColumn,
    Detach,
    Attach,
    NewPartition,
    Disable,
    Enable,
    DropTrigger,
    DropFunction,
    Archive,
    Copy,
    Drop,
    AddColumn,
    Normalise,
    Triggers,
    View,
    Dump,
    Plan,
}

impl World {
    /// A change of definitions.
    pub async fn change_postgres(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let does = draw.weighted(&[
            (4, Does::Rename),
            (3, Does::Move),
            (4, Does::RenameColumn),
            (4, Does::Detach),
            (4, Does::Attach),
            (1, Does::NewPartition),
            (4, Does::Disable),
            (4, Does::Enable),
            (3, Does::DropTrigger),
            (2, Does::DropFunction),
            (3, Does::Archive),
            (3, Does::Copy),
            (1, Does::Drop),
            (1, Does::AddColumn),
            (2, Does::Normalise),
            (2, Does::Triggers),
            (1, Does::View),
            (3, Does::Dump),
            (3, Does::Plan),
        ]);
        let like = |new: &str, old: &str| format!("CREATE TABLE {new} (LIKE {old} INCLUDING ALL)");
        match does {
            Does::Rename => self.rename(draw).await,
            Does::Move => self.move_schema(draw).await,
            Does::RenameColumn => self.rename_column(draw).await,
            Does::Detach => self.detach(draw).await,
            Does::Attach => self.attach(draw).await,
            Does::NewPartition => self.new_partition().await,
            Does::Disable => self.triggers(draw, "DISABLE").await,
            Does::Enable => self.triggers(draw, "ENABLE").await,
            Does::DropTrigger => self.drop_trigger(draw).await,
            Does::DropFunction => self.drop_function(draw).await,
            Does::Archive => self.archive(draw, like).await,
            Does::Copy => self.copy(draw, like).await,
            Does::Drop => self.drop_table(draw).await,
            Does::AddColumn => self.add_column(draw).await,
            Does::Normalise => self.normalise(draw).await,
            Does::Triggers => self.trigger_policy(draw),
            Does::View => self.view(draw).await,
            Does::Dump => self.dump(draw).await,
            Does::Plan => {
                self.edit_plan(draw);
                Ok(())
            }
        }
    }

    async fn move_schema(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let follows = draw.once_in(2);
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let old = relation.name.clone();
        let schema = if old.starts_with("public.") {
            "archive"
        } else {
            "public"
        };
        let new = format!("{schema}.{}", relation.bare());
        let what = format!("{old} moved to schema {schema}, {}", along(follows));
        if self
            .ddl(&what, &format!("ALTER TABLE {old} SET SCHEMA {schema}"))
            .await
        {
            self.renamed(&old, &new, follows);
        }
        Ok(())
    }

    fn one_of(&self, draw: &mut Draw, of: impl Fn(&Relation) -> bool) -> Option<Relation> {
        let names = self.names(of);
        draw.one(&names)
            .and_then(|name| self.relation(name))
            .cloned()
    }

    async fn detach(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let leaf = self.one_of(draw, |r| matches!(r.place, Place::Leaf(_)));
        let Some((leaf, Place::Leaf(root))) = leaf.map(|r| (r.name, r.place)) else {
            return Ok(());
        };
        let sql = format!("ALTER TABLE {root} DETACH PARTITION {leaf}");
        if self.ddl(&format!("{leaf} detached"), &sql).await {
            self.relation_mut(&leaf).expect("the leaf").place = Place::Detached;
        }
        Ok(())
    }

    async fn attach(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let leaf = self.one_of(draw, |r| r.place == Place::Detached);
        let root = self.one_of(draw, |r| r.place == Place::Root);
        let (Some(leaf), Some(root)) = (leaf, root) else {
            return Ok(());
        };
        let sql = format!(
            "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})",
            root.name, leaf.name, leaf.part
        );
        if self.ddl(&format!("{} attached", leaf.name), &sql).await {
            self.relation_mut(&leaf.name).expect("the leaf").place = Place::Leaf(root.name);
        }
        Ok(())
    }

    async fn new_partition(&mut self) -> Result<(), Fault> {
        let Some(root) = self
            .relations
            .iter()
            .find(|r| r.place == Place::Root)
            .cloned()
        else {
            return Ok(());
        };
        let part = 10 + i32::try_from(self.step).unwrap();
        let name = format!("public.visits_p{part}");
        let sql = format!(
            "CREATE TABLE {name} PARTITION OF {} FOR VALUES IN ({part})",
            root.name
        );
        if self.ddl(&format!("partition {name} made"), &sql).await {
            let mut leaf = root.clone();
            leaf.name.clone_from(&name);
            leaf.place = Place::Leaf(root.name);
            leaf.part = part;
            self.relations.push(leaf);
            let _ = self.insert(&name, 3).await;
        }
        Ok(())
    }

    async fn triggers(&mut self, draw: &mut Draw, verb: &str) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let all = draw.once_in(2);
        let always = verb == "ENABLE" && !all && draw.once_in(2);
        let which = match (all, always) {
            (true, _) => format!("{verb} TRIGGER USER"),
            (false, true) => "ENABLE ALWAYS TRIGGER \"~phiseal_u\"".to_owned(),
            (false, false) => format!("{verb} TRIGGER \"~phiseal_u\""),
        };
        let name = relation.name;
        self.ddl(
            &format!("{name}: {which}"),
            &format!("ALTER TABLE {name} {which}"),
        )
        .await;
        Ok(())
    }

    async fn drop_trigger(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let which: &[&str] = draw.one(&[&["u"][..], &["i"], &["u", "i"]]).expect("some");
        let name = relation.name;
        let drops: Vec<String> = which
            .iter()
            .map(|event| format!("DROP TRIGGER \"~phiseal_{event}\" ON {name}"))
            .collect();
        self.ddl(
            &format!("guard of {name} dropped ({})", which.join(", ")),
            &drops.join("; "),
        )
        .await;
        Ok(())
    }

    async fn drop_function(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let functions = format!(
            "SELECT DISTINCT t.tgfoid::regprocedure::text FROM pg_trigger t WHERE t.tgrelid = '{}'::regclass
             AND t.tgname LIKE '~phiseal%' ORDER BY 1",
            relation.name
        );
        let rows = self.run(&functions).await.unwrap_or_default();
        let functions: Vec<String> = rows.into_iter().flatten().flatten().collect();
        if let Some(function) = draw.one(&functions).cloned() {
            let what = format!("a guard's function of {} dropped", relation.name);
            self.ddl(&what, &format!("DROP FUNCTION {function} CASCADE"))
                .await;
        }
        Ok(())
    }

    /// A BEFORE trigger of the application that keeps digits only; it sorts before the guard or behind.
    async fn normalise(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let name = *draw.one(&["norm", "~~norm"]).expect("some");
        let people = self.one_of(draw, |r| r.plain.contains_key("ssn"));
        let Some(relation) = people else {
            return Ok(());
        };
        let (table, column) = (&relation.name, &relation.plain["ssn"]);
        let function = format!("public.norm_{}", self.step);
        let sql = format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                NEW.{column} := regexp_replace(NEW.{column}, '[^0-9]', '', 'g'); RETURN NEW; END $$;
             CREATE TRIGGER \"{name}\" BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        );
        self.ddl(
            &format!("trigger {name} on {table} normalises {column}"),
            &sql,
        )
        .await;
        let fires = draw.once_in(2);
        if fires {
            for entry in self.plan.iter_mut().filter(|e| e.name == *table) {
                entry.fire = true;
            }
            self.history
                .push(format!("the plan lets the triggers of {table} fire"));
            self.write_plan();
        }
        Ok(())
    }

    fn trigger_policy(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        if !self.plan.is_empty() {
            let at = draw.below(self.plan.len());
            let entry = &mut self.plan[at];
            entry.fire = !entry.fire;
            let what = format!(
                "the plan lets triggers of {} fire: {}",
                entry.name, entry.fire
            );
            self.history.push(what);
            self.write_plan();
        }
        Ok(())
    }

    /// A materialized view holds sealed values as well as any table.
    async fn view(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let (name, view) = (relation.name, format!("public.view_{}", self.step));
        let sql = format!("CREATE MATERIALIZED VIEW {view} AS SELECT * FROM {name}");
        self.ddl(&format!("materialized view {view} of {name}"), &sql)
            .await;
        Ok(())
    }

    async fn dump(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let way = *draw
            .one(&[Way::Plain, Way::Custom, Way::Single, Way::InTwo])
            .expect("some");
        let Base::Postgres(db) = &self.base else {
            return Ok(());
        };
        let (copy, said) = restored(db, "ddl", way).await;
        self.history.push(format!(
            "dumped and restored ({way:?}) into another database"
        ));
        if way == Way::Single && !said.is_empty() {
            let line = said
                .lines()
                .find(|l| l.contains("rror"))
                .unwrap_or_default();
            return Err(format!("pg_restore --single-transaction fails: {line}"));
        }
        self.base = Base::Postgres(copy);
        self.write_plan();
        Ok(())
    }
}
