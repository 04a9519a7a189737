//! Changes of definitions that both databases know: renames, archives, copies, and changes of the plan.

use super::draw::Draw;
use super::model::{Entry, Place, Relation};
use super::world::{Fault, World};
use std::collections::HashMap;

impl World {
    /// A table that is not a leaf, or any.
    pub fn any_table(&self, draw: &mut Draw) -> Option<Relation> {
        let names = self.names(|_| true);
        draw.one(&names)
            .and_then(|name| self.relation(name))
            .cloned()
    }

    /// What follows a rename in the model, and in the plan if it is changed along.
    pub fn renamed(&mut self, old: &str, new: &str, plan_follows: bool) {
        for relation in &mut self.relations {
            if relation.name == old {
                new.clone_into(&mut relation.name);
            }
            if relation.place == Place::Leaf(old.to_owned()) {
                relation.place = Place::Leaf(new.to_owned());
            }
        }
        if plan_follows {
            for entry in self.plan.iter_mut().filter(|e| e.name == old) {
                new.clone_into(&mut entry.name);
            }
            self.write_plan();
        }
    }

    pub async fn rename(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let follows = draw.once_in(2);
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let old = relation.name.clone();
        let new = self.new_name(&old);
        let bare = new.rsplit('.').next().unwrap_or(&new);
        let what = format!("{old} renamed to {bare}, {}", along(follows));
        if self
            .ddl(&what, &format!("ALTER TABLE {old} RENAME TO {bare}"))
            .await
        {
            self.renamed(&old, &new, follows);
        }
        Ok(())
    }

    pub async fn rename_column(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let follows = draw.once_in(2);
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let (base, beside) = *draw.one(relation.shape.bases()).expect("columns");
        let of_seal = beside && draw.once_in(2);
        let columns = if of_seal {
            &relation.sealed
        } else {
            &relation.plain
        };
        let old = columns[base].clone();
        let new = format!("{}_s{}", old.split("_s").next().unwrap_or(&old), self.step);
        let new = if of_seal {
            format!("{base}_sealed{}", self.step)
        } else {
            new
        };
        let name = relation.name.clone();
        let what = format!("{old} of {name} renamed to {new}, {}", along(follows));
        if !self
            .ddl(
                &what,
                &format!("ALTER TABLE {name} RENAME COLUMN {old} TO {new}"),
            )
            .await
        {
            return Ok(());
        }
        for member in self.family(&name) {
            let relation = self.relation_mut(&member).expect("a member");
            let columns = if of_seal {
                &mut relation.sealed
            } else {
                &mut relation.plain
            };
            columns.insert(base, new.clone());
        }
        if follows {
            for entry in self.plan.iter_mut().filter(|e| e.name == name) {
                for (b, plain, sealed) in &mut entry.columns {
                    if *b == base {
                        new.clone_into(if of_seal { &mut *sealed } else { &mut *plain });
                    }
                }
            }
            self.write_plan();
        }
        Ok(())
    }

    /// A copy with all rows, of which nobody told the program, or which the plan names from now on.
    pub async fn copy(
        &mut self,
        draw: &mut Draw,
        create: impl Fn(&str, &str) -> String,
    ) -> Result<(), Fault> {
        let (into_plan, same_label) = (draw.once_in(3), draw.once_in(3));
        let Some(relation) = self.any_table(draw).filter(Relation::holds_rows) else {
            return Ok(());
        };
        let new = self.new_name(&relation.name);
        let far = 1_000_000 * i64::try_from(self.step + 1).unwrap();
        let name = relation.name.clone();
        let sql = format!(
            "{}; INSERT INTO {new} SELECT * FROM {name}; UPDATE {new} SET uid = uid + {far}",
            create(&new, &name)
        );
        let planned = if into_plan {
            ", and named in the plan"
        } else {
            ""
        };
        if !self
            .ddl(&format!("{name} copied to {new}{planned}"), &sql)
            .await
        {
            return Ok(());
        }
        let shifted: HashMap<_, _> = self
            .truth
            .iter()
            .map(|((uid, base), value)| ((uid + far, *base), value.clone()))
            .collect();
        self.truth.extend(shifted);
        let mut copied = relation.clone();
        copied.name = new;
        copied.place = Place::Alone;
        copied.labels.clear();
        if into_plan {
            let mut entry = Entry::of(&copied);
            if same_label && let Some(label) = relation.labels.first() {
                entry.label = Some(label.clone());
                self.plan.retain(|e| {
                    e.name != name && e.name != *label && e.label.as_ref() != Some(label)
                });
                self.history.push(format!(
                    "{name} out of the plan, its label given to the copy"
                ));
            }
            self.plan.push(entry);
            self.write_plan();
        }
        self.relations.push(copied);
        Ok(())
    }

    /// The old table put aside under another name, and a new one made in its place.
    pub async fn archive(
        &mut self,
        draw: &mut Draw,
        create: impl Fn(&str, &str) -> String,
    ) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw).filter(|r| r.place == Place::Alone) else {
            return Ok(());
        };
        let old = relation.name.clone();
        let aside = self.new_name(&old);
        let bare = aside.rsplit('.').next().unwrap_or(&aside);
        let sql = format!(
            "ALTER TABLE {old} RENAME TO {bare}; {}",
            create(&old, &aside)
        );
        if self
            .ddl(&format!("{old} put aside as {aside}, and made anew"), &sql)
            .await
        {
            self.renamed(&old, &aside, false);
            let mut anew = relation.clone();
            anew.labels.clear();
            self.relations.push(anew);
            let _ = self.insert(&old, 4).await;
        }
        Ok(())
    }

    pub async fn drop_table(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let out_of_plan = draw.once_in(2);
        let Some(relation) = self.any_table(draw).filter(|r| r.place == Place::Alone) else {
            return Ok(());
        };
        let name = relation.name;
        let told = if out_of_plan {
            ", and out of the plan"
        } else {
            ""
        };
        if self
            .ddl(
                &format!("{name} dropped{told}"),
                &format!("DROP TABLE {name}"),
            )
            .await
        {
            self.relations.retain(|r| r.name != name);
            if out_of_plan {
                self.plan.retain(|e| e.name != name);
                self.write_plan();
            }
        }
        Ok(())
    }

    pub async fn add_column(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let Some(relation) = self.any_table(draw) else {
            return Ok(());
        };
        let name = relation.name;
        let column = format!("more{}", self.step);
        let sql = format!("ALTER TABLE {name} ADD COLUMN {column} text");
        self.ddl(&format!("a column added to {name}"), &sql).await;
        Ok(())
    }

    /// The plan names a column that is not there, or tables and columns by the names they have now.
    pub fn edit_plan(&mut self, draw: &mut Draw) {
        if self.plan.is_empty() {
            return;
        }
        let at = draw.below(self.plan.len());
        if draw.once_in(3) {
            self.plan[at].columns[0].1.push('x');
            let what = format!(
                "the plan names {} of {}",
                self.plan[at].columns[0].1, self.plan[at].name
            );
            self.history.push(what);
        } else {
            let Some(relation) = self.relation(&self.plan[at].name).cloned() else {
                self.history
                    .push(format!("{} taken out of the plan", self.plan[at].name));
                self.plan.remove(at);
                return self.write_plan();
            };
            let entry = Entry::of(&relation);
            self.plan[at].columns = entry.columns;
            self.history.push(format!(
                "the plan names the columns of {} by their names",
                relation.name
            ));
        }
        self.write_plan();
    }
}

pub fn along(follows: bool) -> &'static str {
    if follows {
        "the plan along"
    } else {
        "not in the plan"
    }
}
