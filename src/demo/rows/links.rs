//! Which row refers to which: for each filled table, the parents of each of its rows.
//! Owns the choice of parents, and the values of keys. A row's parents agree: where a visit and
//! its student both have a school, it is the same one; rows of a tenant refer to rows of their
//! tenant alone.

use rand::RngExt;

use super::recipe::{KeyRule, Recipe, Source};
use super::values::{At, Draw, fingerprint};
use super::{ForeignKey, Table};

/// No parent.
const NONE: u32 = u32::MAX;

/// Tenants that have rows of others: the first ones.
const TENANTS_MAX: usize = 20;

/// What is known of the tables so far.
pub struct Links<'t> {
    tables: &'t [Table],
    draws: Vec<Draw>,
    filled: Vec<Option<Joined>>,
    /// The column that belongs to several foreign keys of a row: the tenant.
    shared: Option<String>,
}

/// A table whose rows are decided.
struct Joined {
    recipe: Recipe,
    /// The rows that are really there, where not all are.
    there: Option<Vec<u32>>,
    /// Of each foreign key, the parent of each row.
    parents: Vec<Vec<u32>>,
}

impl<'t> Links<'t> {
    pub fn new(tables: &'t [Table], seed: u64) -> Self {
        let shared = tables.iter().find_map(|table| {
            let pair = table
                .foreign_keys
                .iter()
                .find(|key| key.columns.len() > 1)?;
            let of_others = |column: &&usize| {
                let alone = |key: &ForeignKey| key.columns == [**column];
                table.foreign_keys.iter().any(alone)
            };
            let column = pair.columns.iter().find(of_others)?;
            table.columns.get(*column).map(|column| column.name.clone())
        });
        Self {
            tables,
            draws: tables
                .iter()
                .map(|table| Draw::new(seed, &table.name))
                .collect(),
            filled: tables.iter().map(|_| None).collect(),
            shared,
        }
    }

    /// How many rows a table has that may be referred to.
    pub fn rows(&self, table: usize) -> usize {
        match self.filled.get(table) {
            Some(Some(joined)) => joined.there.as_ref().map_or(joined.recipe.rows, Vec::len),
            _ => 0,
        }
    }

    /// Whether a column of this name is the tenant.
    pub fn is_tenant(&self, column: &str) -> bool {
        self.shared.as_deref() == Some(column)
    }

    /// Decides the parents of all rows of a table.
    pub fn join(&mut self, recipe: &Recipe) {
        let Some(table) = self.tables.get(recipe.table) else {
            return;
        };
        let mut parents = vec![Vec::with_capacity(recipe.rows); table.foreign_keys.len()];
        for row in 0..recipe.rows {
            for (of, parent) in parents.iter_mut().zip(self.parents(table, recipe, row)) {
                of.push(parent.unwrap_or(NONE));
            }
        }
        if let Some(place) = self.filled.get_mut(recipe.table) {
            *place = Some(Joined {
                recipe: recipe.clone(),
                there: None,
                parents,
            });
        }
    }

    /// Says which rows of a table are really there.
    pub fn keep(&mut self, table: usize, there: Vec<u32>) {
        if let Some(Some(joined)) = self.filled.get_mut(table) {
            joined.there = Some(there);
        }
    }

    /// The dice of a column in a row.
    pub fn at(&self, table: usize, row: usize, column: u64) -> Option<At<'_>> {
        Some(At::new(self.draws.get(table)?, row as u64, column))
    }

    /// What a column that refers to a row holds; `None` where the row refers to nothing.
    pub fn key(&self, table: usize, row: usize, column: usize) -> Option<String> {
        let of = self.tables.get(table)?;
        of.foreign_keys
            .iter()
            .enumerate()
            .find_map(|(number, key)| {
                let place = key.columns.iter().position(|c| *c == column)?;
                let parent = self.parent(table, number, row)?;
                self.cell(key.target, parent as usize, *key.refs.get(place)?)
            })
    }

    /// What stands in a column of a row that others refer to.
    fn cell(&self, table: usize, row: usize, column: usize) -> Option<String> {
        let joined = self.filled.get(table)?.as_ref()?;
        match joined.recipe.source(column)? {
            Source::Key => self.key(table, row, column),
            source => joined.recipe.value(self, source, row),
        }
    }

    fn parent(&self, table: usize, key: usize, row: usize) -> Option<u32> {
        let joined = self.filled.get(table)?.as_ref()?;
        let parent = joined.parents.get(key)?.get(row)?;
        (*parent != NONE).then_some(*parent)
    }

    /// The row of a table at this place among those that are there.
    fn nth(&self, table: usize, place: usize) -> Option<u32> {
        let joined = self.filled.get(table)?.as_ref()?;
        match &joined.there {
            Some(there) => there.get(place).copied(),
            None => u32::try_from(place).ok(),
        }
    }

    fn parents(&self, table: &Table, recipe: &Recipe, row: usize) -> Vec<Option<u32>> {
        let keys = &table.foreign_keys;
        let mut parents = vec![None; keys.len()];
        let mut decided = vec![false; keys.len()];
        for number in recipe.key_order() {
            let Some(key) = keys.get(number) else {
                continue;
            };
            if decided.get(number) != Some(&false) {
                continue;
            }
            let found = self.choose(table, recipe, number, row, &parents);
            settle(&mut parents, &mut decided, number, found);
            // What the parent says of the others holds for this row, too.
            let Some(parent) = found.filter(|_| key.target != recipe.table) else {
                continue;
            };
            for (other, heir) in keys.iter().enumerate() {
                if decided.get(other) == Some(&false) && recipe.inherits(other) {
                    let inherited = self.inherited(table, key.target, parent, heir);
                    if inherited.is_some() {
                        settle(&mut parents, &mut decided, other, inherited);
                    }
                }
            }
        }
        parents
    }

    /// The parent's own parent, by a key of the same name and target.
    fn inherited(&self, table: &Table, of: usize, parent: u32, heir: &ForeignKey) -> Option<u32> {
        let from = self.tables.get(of)?;
        let name = |table: &'t Table, key: &ForeignKey| {
            let column = table.columns.get(*key.columns.first()?)?;
            Some(column.name.clone())
        };
        let wanted = heir
            .columns
            .first()
            .and_then(|column| table.columns.get(*column))
            .map(|column| column.name.clone());
        let number = from.foreign_keys.iter().position(|key| {
            key.target == heir.target && key.columns.len() == 1 && name(from, key) == wanted
        })?;
        self.parent(of, number, parent as usize)
    }

    fn choose(
        &self,
        table: &Table,
        recipe: &Recipe,
        number: usize,
        row: usize,
        so_far: &[Option<u32>],
    ) -> Option<u32> {
        let key = table.foreign_keys.get(number)?;
        let own = key.target == recipe.table;
        // Of its own table, a row may refer to those before it.
        let there = if own { row } else { self.rows(key.target) };
        if there == 0 {
            return None;
        }
        let salt = fingerprint(&format!("{number}>{}", key.target));
        let mut dice = self.draws.get(recipe.table)?.of(row as u64, salt | 0x200);
        let (absent, place) = match recipe.key_rule(number) {
            KeyRule::Open => return None,
            KeyRule::Digit { divisor } => (0, Some(row / divisor % there)),
            KeyRule::After { of } => {
                let first = so_far.get(of).copied().flatten()? as usize;
                (0, Some((first + 1) % there))
            }
            KeyRule::Any { absent } => (absent, None),
        };
        if row > 0 && dice.random_range(0..100) < absent {
            return None;
        }
        if let Some(place) = place {
            return if own {
                u32::try_from(place).ok()
            } else {
                self.nth(key.target, place)
            };
        }
        match self.tenants(table, key) {
            Some((tenants, true)) => u32::try_from(row % tenants).ok(),
            Some((tenants, false)) => {
                let first = row % tenants;
                let of_tenant = (there + tenants - 1).saturating_sub(first) / tenants;
                let place = first + tenants * dice.random_range(0..of_tenant.max(1));
                (place < there).then(|| u32::try_from(place).ok()).flatten()
            }
            None if own => u32::try_from(dice.random_range(0..there)).ok(),
            None => self.nth(key.target, dice.random_range(0..there)),
        }
    }

    /// How many tenants there are, and whether the key refers to the tenant itself; `None` for
    /// a key that has nothing to do with tenants.
    fn tenants(&self, table: &Table, key: &ForeignKey) -> Option<(usize, bool)> {
        let shared = self.shared.as_deref()?;
        let is_shared =
            |column: &usize| table.columns.get(*column).is_some_and(|c| c.name == shared);
        if !key.columns.iter().any(is_shared) {
            return None;
        }
        let root = self.tables.iter().find_map(|table| {
            let alone = |key: &&ForeignKey| match key.columns.as_slice() {
                [column] => table.columns.get(*column).is_some_and(|c| c.name == shared),
                _ => false,
            };
            table.foreign_keys.iter().find(alone).map(|key| key.target)
        })?;
        let tenants = (self.rows(root) / 5).clamp(1, TENANTS_MAX);
        Some((tenants, key.columns.len() == 1))
    }
}

fn settle(parents: &mut [Option<u32>], decided: &mut [bool], number: usize, parent: Option<u32>) {
    if let (Some(place), Some(mark)) = (parents.get_mut(number), decided.get_mut(number)) {
        *place = parent;
        *mark = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::order;
    use super::super::{Column, Kind, SEED};
    use super::*;

    /// A table with a uuid key and keys to others: columns, target, columns there.
    fn table(name: &str, keys: &[(&[&str], usize, &[usize])]) -> Table {
        let column = |name: &str| Column {
            name: name.to_owned(),
            sql_type: "uuid".to_owned(),
            kind: Kind::Uuid,
            not_null: true,
            serial: false,
            phi: false,
        };
        let mut columns = vec![column("id")];
        let mut foreign_keys = Vec::new();
        for (names, target, refs) in keys {
            let mut numbers = Vec::new();
            for name in *names {
                if !columns.iter().any(|column: &Column| column.name == *name) {
                    columns.push(column(name));
                }
                numbers.extend(columns.iter().position(|column| column.name == *name));
            }
            foreign_keys.push(ForeignKey {
                columns: numbers,
                target: *target,
                refs: refs.to_vec(),
            });
        }
        Table {
            name: name.to_owned(),
            columns,
            foreign_keys,
            uniques: vec![vec![0]],
            ..Table::default()
        }
    }

    fn joined(tables: &[Table], rows: usize) -> Links<'_> {
        let mut links = Links::new(tables, SEED);
        for step in order(tables).unwrap() {
            let recipe = Recipe::new(tables, &step, rows, &links);
            assert_eq!(recipe.rows, rows);
            links.join(&recipe);
        }
        links
    }

    #[test]
    fn a_row_of_a_tenant_refers_to_rows_of_its_tenant_alone() {
        let tables = [
            table("tenant", &[]),
            table("client", &[(&["tenant_id"], 0, &[0])]),
            table(
                "medication",
                &[
                    (&["tenant_id"], 0, &[0]),
                    (&["tenant_id", "client_id"], 1, &[1, 0]),
                ],
            ),
        ];
        let links = joined(&tables, 300);
        let mut tenants = std::collections::HashSet::new();
        for row in 0..300 {
            let (own, client) = (links.parent(2, 0, row), links.parent(2, 1, row).unwrap());
            assert_eq!(own, links.parent(1, 0, client as usize));
            assert_eq!(
                links.key(2, row, 1),
                links.cell(0, own.unwrap() as usize, 0)
            );
            tenants.insert(own);
        }
        assert!(tenants.len() > 5);
    }

    #[test]
    fn a_visit_is_at_the_school_of_its_student() {
        let tables = [
            table("schools", &[]),
            table("students", &[(&["school_id"], 0, &[0])]),
            table(
                "clinic_visits",
                &[(&["school_id"], 0, &[0]), (&["student_id"], 1, &[0])],
            ),
        ];
        let links = joined(&tables, 200);
        for row in 0..200 {
            let student = links.parent(2, 1, row).unwrap();
            assert_eq!(
                links.parent(2, 0, row),
                links.parent(1, 0, student as usize)
            );
        }
    }
}
