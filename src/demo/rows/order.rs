//! Which table is filled after which.
//! Owns the order alone. A key that may be NULL waits for nothing where it closes a circle: it is
//! left NULL then.

use super::Table;

/// One table to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub table: usize,
    /// The foreign keys, by their number, that are left NULL because their rows come later.
    pub open: Vec<usize>,
}

/// All tables, parents first; `None` where keys that may not be NULL go around in a circle.
pub fn order(tables: &[Table]) -> Option<Vec<Step>> {
    let mut done = vec![false; tables.len()];
    let mut steps = Vec::with_capacity(tables.len());
    while steps.len() < tables.len() {
        // Of those that wait for nothing, or at least for nothing that they must have, the one
        // that waits for the least, and then the first.
        let next = (0..tables.len())
            .filter(|table| !done.get(*table).copied().unwrap_or(true))
            .filter_map(|table| Some((open(tables, table, &done)?, table)))
            .min_by_key(|(open, table)| (open.len(), *table))?;
        let (open, table) = next;
        if let Some(mark) = done.get_mut(table) {
            *mark = true;
        }
        steps.push(Step { table, open });
    }
    Some(steps)
}

/// The keys of a table whose rows are not there yet; `None` where one of them must be.
fn open(tables: &[Table], at: usize, done: &[bool]) -> Option<Vec<usize>> {
    let table = tables.get(at)?;
    let mut open = Vec::new();
    for (number, key) in table.foreign_keys.iter().enumerate() {
        let there = key.target == at || done.get(key.target).copied().unwrap_or(false);
        if there {
            continue;
        }
        let may_wait = key
            .columns
            .iter()
            .any(|column| table.columns.get(*column).is_some_and(|c| !c.not_null));
        if !may_wait {
            return None;
        }
        open.push(number);
    }
    Some(open)
}

#[cfg(test)]
mod tests {
    use super::super::{Column, ForeignKey, Kind};
    use super::*;

    fn table(keys: &[(usize, bool)]) -> Table {
        let column = |not_null| Column {
            name: "x_id".to_owned(),
            sql_type: "uuid".to_owned(),
            kind: Kind::Uuid,
            not_null,
            serial: false,
            phi: false,
        };
        Table {
            columns: keys.iter().map(|(_, not_null)| column(*not_null)).collect(),
            foreign_keys: keys
                .iter()
                .enumerate()
                .map(|(at, (target, _))| ForeignKey {
                    columns: vec![at],
                    target: *target,
                    refs: vec![0],
                })
                .collect(),
            ..Table::default()
        }
    }

    fn tables_in(steps: &[Step]) -> Vec<usize> {
        steps.iter().map(|step| step.table).collect()
    }

    #[test]
    fn parents_come_first_also_where_they_may_be_absent() {
        let steps = order(&[
            table(&[(1, true), (2, false)]),
            table(&[(2, false)]),
            table(&[]),
        ]);
        let steps = steps.unwrap();
        assert_eq!(tables_in(&steps), [2, 1, 0]);
        assert!(steps.iter().all(|step| step.open.is_empty()));
    }

    #[test]
    fn a_circle_is_opened_where_a_key_may_be_null() {
        let steps = order(&[table(&[(1, true)]), table(&[(0, false)])]).unwrap();
        assert_eq!(tables_in(&steps), [1, 0]);
        assert_eq!(steps.first().map(|step| step.open.clone()), Some(vec![0]));
    }

    #[test]
    fn a_table_may_refer_to_itself_and_a_circle_of_keys_that_must_be_there_is_none() {
        assert!(order(&[table(&[(0, true)])]).is_some());
        assert!(order(&[table(&[(1, true)]), table(&[(0, true)])]).is_none());
    }
}
