//! How the rows of one table are made: where each column's value comes from, how each foreign key
//! finds its parent, and how many rows there can be.
//! Owns what unique and CHECK constraints ask for. What must differ from row to row does so by the
//! row's number, so that no value has to be remembered.

mod rules;

use super::Table;
use super::check::{Clause, clauses};
use super::links::Links;
use super::order::Step;
use super::values::Make;
use rules::{inherits, key_order, key_rules, scoped, sources};

/// Where a column's value comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The database: a default, a trigger, NULL.
    Leave,
    /// The parent.
    Key,
    /// Counted on from what was there.
    Serial {
        from: i64,
    },
    Made {
        make: Make,
        absent: u8,
        column: u64,
    },
    /// The row's number, cut up, chooses one of a few.
    Few {
        make: Make,
        divisor: usize,
        few: usize,
    },
}

/// How a foreign key finds its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRule {
    /// Not at all.
    Open,
    /// By the row's number.
    Digit { divisor: usize },
    /// The one after the parent of another key.
    After { of: usize },
    /// Any, or in so many of a hundred rows none.
    Any { absent: u8 },
}

/// How the rows of a table are made.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub table: usize,
    pub rows: usize,
    sources: Vec<Source>,
    keys: Vec<KeyRule>,
    key_order: Vec<usize>,
    inherits: Vec<bool>,
    clauses: Vec<Clause>,
    /// Columns of which the scope says which one is there.
    scoped: Option<Scoped>,
}

/// A row that belongs to a district, a school, a user or to none of them.
#[derive(Debug, Clone)]
struct Scoped {
    scope: usize,
    owners: Vec<(&'static str, usize)>,
}

impl Recipe {
    pub fn new(tables: &[Table], step: &Step, rows: usize, links: &Links<'_>) -> Self {
        let empty = Table::default();
        let table = tables.get(step.table).unwrap_or(&empty);
        let column = |name: &str| table.columns.iter().position(|column| column.name == name);
        let clauses: Vec<Clause> = table
            .checks
            .iter()
            .flat_map(|check| clauses(check, column))
            .collect();
        let mut recipe = Self {
            table: step.table,
            rows,
            sources: sources(table, &clauses),
            keys: key_rules(table, step, &clauses),
            key_order: key_order(tables, table),
            inherits: table
                .foreign_keys
                .iter()
                .map(|key| inherits(table, key))
                .collect(),
            clauses,
            scoped: scoped(table),
        };
        for unique in &table.uniques {
            recipe.rows = recipe.rows.min(recipe.set_apart(table, unique, links));
        }
        let orphans = table.foreign_keys.iter().enumerate().any(|(number, key)| {
            let must = |column: &usize| table.columns.get(*column).is_some_and(|c| c.not_null);
            key.target != step.table
                && recipe.key_rule(number) != KeyRule::Open
                && key.columns.iter().all(must)
                && links.rows(key.target) == 0
        });
        if orphans {
            recipe.rows = 0;
        }
        recipe
    }

    /// The columns that are written, by number.
    pub fn columns(&self, table: &Table) -> Vec<usize> {
        let written =
            |column: &usize| !matches!(self.sources.get(*column), Some(Source::Leave) | None);
        (0..table.columns.len()).filter(written).collect()
    }

    /// The values of a row, in the order of [`Recipe::columns`].
    pub fn row(&self, links: &Links<'_>, row: usize) -> Vec<Option<String>> {
        let mut values: Vec<Option<String>> = (0..self.sources.len())
            .map(|column| match self.sources.get(column)? {
                Source::Key => links.key(self.table, row, column),
                source => self.value(links, source, row),
            })
            .collect();
        self.put_right(&mut values);
        let written = |(value, source): (Option<String>, &Source)| {
            (!matches!(source, Source::Leave)).then_some(value)
        };
        values
            .into_iter()
            .zip(&self.sources)
            .filter_map(written)
            .collect()
    }

    /// The value of a row's primary key.
    pub fn key(&self, table: &Table, links: &Links<'_>, row: usize) -> Option<String> {
        self.value(links, self.sources.get(table.primary()?)?, row)
    }

    pub fn source(&self, column: usize) -> Option<&Source> {
        self.sources.get(column)
    }

    /// What a column holds that refers to no other table.
    pub fn value(&self, links: &Links<'_>, from: &Source, row: usize) -> Option<String> {
        match from {
            Source::Leave | Source::Key => None,
            Source::Serial { from } => Some((from + 1 + row as i64).to_string()),
            Source::Few { make, divisor, few } => Some(make.nth(row / divisor % few)),
            Source::Made {
                make,
                absent,
                column,
            } => {
                let at = links.at(self.table, row, *column)?;
                let there = row == 0 && *absent < 50 || !at.chance(*absent);
                there.then(|| make.value(&at))
            }
        }
    }

    pub fn key_rule(&self, number: usize) -> KeyRule {
        self.keys.get(number).copied().unwrap_or(KeyRule::Open)
    }

    /// The keys that must not be what a parent says come first, then those to the tables that
    /// know most of others.
    pub fn key_order(&self) -> impl Iterator<Item = usize> + '_ {
        let fixed = |number: &usize| !matches!(self.key_rule(*number), KeyRule::Any { .. });
        let first = self.key_order.iter().copied().filter(move |n| fixed(n));
        let then = self.key_order.iter().copied().filter(move |n| !fixed(n));
        first.chain(then)
    }

    /// Whether a key takes what another parent says.
    pub fn inherits(&self, number: usize) -> bool {
        self.inherits.get(number).copied().unwrap_or(false)
            && matches!(self.key_rule(number), KeyRule::Any { .. })
    }

    /// Makes the columns of a unique index differ from row to row. Returns how many rows there
    /// can be.
    fn set_apart(&mut self, table: &Table, unique: &[usize], links: &Links<'_>) -> usize {
        let rows = self.rows;
        let differs = |source: &Source| match source {
            Source::Serial { .. } => true,
            Source::Made { make, .. } => make.differs(),
            _ => false,
        };
        let sources = || {
            unique
                .iter()
                .filter_map(|column| Some((*column, self.sources.get(*column)?)))
        };
        if sources().any(|(_, source)| differs(source) || matches!(source, Source::Leave)) {
            return rows;
        }
        let keys = unique_keys(table, unique, links);
        if keys
            .iter()
            .any(|(number, _)| matches!(self.key_rule(*number), KeyRule::Digit { divisor: 1 }))
        {
            return rows;
        }
        // A parent each.
        if let Some((number, _)) = keys.iter().find(|(_, parents)| *parents >= rows) {
            self.set_key(*number, 1);
            return rows;
        }
        // A value each.
        let wide = sources().find(
            |(_, source)| matches!(source, Source::Made { make, .. } if make.few().is_none()),
        );
        if let Some((column, _)) = wide {
            if let Some(Source::Made { make, absent, .. }) = self.sources.get_mut(column) {
                make.set_apart();
                *absent = 0;
            }
            return rows;
        }
        // All combinations of the few there are.
        let mut divisor = 1_usize;
        for (number, parents) in keys {
            self.set_key(number, divisor);
            divisor = divisor.saturating_mul(parents.max(1));
        }
        for column in unique {
            let Some(place) = self.sources.get_mut(*column) else {
                continue;
            };
            if let Source::Made { make, .. } = place
                && let Some(few) = make.few()
            {
                let make = make.clone();
                *place = Source::Few { make, divisor, few };
                divisor = divisor.saturating_mul(few);
            }
        }
        rows.min(divisor)
    }

    fn set_key(&mut self, number: usize, divisor: usize) {
        if let Some(rule) = self.keys.get_mut(number) {
            *rule = KeyRule::Digit { divisor };
        }
    }

    /// What one column asks of another.
    fn put_right(&self, values: &mut [Option<String>]) {
        for clause in &self.clauses {
            match clause {
                Clause::Ordered(first, then, _) => {
                    let of = |column: &usize| values.get(*column).cloned().flatten();
                    if let (Some(a), Some(b)) = (of(first), of(then))
                        && after(&a, &b)
                    {
                        values.swap(*first, *then);
                    }
                }
                Clause::Both(a, b) => {
                    let there = |column: &usize| values.get(*column).is_some_and(Option::is_some);
                    if there(a) != there(b) {
                        for column in [a, b] {
                            if let Some(value) = values.get_mut(*column) {
                                *value = None;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let Some(scoped) = &self.scoped else {
            return;
        };
        let scope = values.get(scoped.scope).cloned().flatten();
        for (label, column) in &scoped.owners {
            if scope.as_deref() != Some(label)
                && let Some(value) = values.get_mut(*column)
            {
                *value = None;
            }
        }
    }
}

/// The foreign keys of which a unique index has a column, with how many parents there are. What
/// says no more than the tenant is left out: rows differ within their tenant.
fn unique_keys(table: &Table, unique: &[usize], links: &Links<'_>) -> Vec<(usize, usize)> {
    let is_tenant = |column: &usize| {
        let column = table.columns.get(*column);
        column.is_some_and(|column| links.is_tenant(&column.name))
    };
    let key_of = |column: &usize| {
        let keys = table.foreign_keys.iter().enumerate();
        keys.filter(|(_, key)| key.columns.contains(column))
            .map(|(number, key)| (number, links.rows(key.target)))
            .next()
    };
    unique
        .iter()
        .filter(|column| !is_tenant(column))
        .filter_map(key_of)
        .collect()
}

/// Whether the first text stands for more than the second.
fn after(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a > b,
        _ => a > b,
    }
}
