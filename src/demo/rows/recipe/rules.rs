//! From a table's columns, keys and constraints to the rules its rows are made by.

use super::super::check::Clause;
use super::super::order::Step;
use super::super::values::{Make, absent_percent, fingerprint, make};
use super::super::{ForeignKey, Kind, Table};
use super::{KeyRule, Scoped, Source};

/// Of a hundred rows, how many leave a foreign key that may be NULL at that.
const KEY_ABSENT_PERCENT: u8 = 12;

pub fn sources(table: &Table, clauses: &[Clause]) -> Vec<Source> {
    let mut serials = table.serials.iter();
    let mut sources: Vec<Source> = table
        .columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            if table
                .foreign_keys
                .iter()
                .any(|key| key.columns.contains(&number))
            {
                return Source::Key;
            }
            if column.serial {
                return Source::Serial {
                    from: serials.next().copied().unwrap_or(0),
                };
            }
            match make(table, column) {
                Some(make) => Source::Made {
                    make,
                    absent: absent_percent(column),
                    column: fingerprint(&column.name),
                },
                None => Source::Leave,
            }
        })
        .collect();
    for clause in clauses {
        narrow(&mut sources, table, clause);
    }
    sources
}

/// Keeps what is made within what a constraint asks for.
fn narrow(sources: &mut [Source], table: &Table, clause: &Clause) {
    let (Clause::OneOf(column, _)
    | Clause::Least(column, _)
    | Clause::Most(column, _)
    | Clause::Bytes(column, _)) = clause
    else {
        if let Clause::Any(columns) = clause
            && let Some(Source::Made { absent, .. }) =
                columns.first().and_then(|c| sources.get_mut(*c))
        {
            *absent = 0;
        }
        return;
    };
    let text = table
        .columns
        .get(*column)
        .is_some_and(|column| matches!(column.kind, Kind::Text { .. }));
    let Some(Source::Made { make, .. }) = sources.get_mut(*column) else {
        return;
    };
    match (clause, make) {
        (Clause::OneOf(_, words), make) if text && !words.is_empty() => {
            *make = Make::OneOf(words.clone());
        }
        (Clause::Bytes(_, size), Make::Bytes(of)) => *of = *size,
        (Clause::Least(_, bound), Make::Integer { least, most, .. }) => {
            *least = (*least).max(*bound as i64);
            *most = (*most).max(*least);
        }
        (Clause::Most(_, bound), Make::Integer { least, most, .. }) => {
            *most = (*most).min(*bound as i64);
            *least = (*least).min(*most);
        }
        (Clause::Least(_, bound), Make::Decimal { least, most, .. }) => {
            *least = least.max(*bound);
            *most = most.max(*least);
        }
        (Clause::Most(_, bound), Make::Decimal { least, most, .. }) => {
            *most = most.min(*bound);
            *least = least.min(*most);
        }
        _ => {}
    }
}

pub fn key_rules(table: &Table, step: &Step, clauses: &[Clause]) -> Vec<KeyRule> {
    let may_be_null = |key: &ForeignKey| {
        let null = |column: &usize| table.columns.get(*column).is_some_and(|c| !c.not_null);
        key.columns.iter().any(null)
    };
    let asked_for = |key: &ForeignKey| {
        clauses.iter().any(|clause| match clause {
            Clause::Any(columns) => columns.first() == key.columns.first(),
            _ => false,
        })
    };
    let rule = |(number, key): (usize, &ForeignKey)| {
        if step.open.contains(&number) {
            return KeyRule::Open;
        }
        if let Some(of) = paired(table, key, clauses) {
            return KeyRule::After { of };
        }
        let kept = !may_be_null(key) || asked_for(key) || table.name == "system_configurations";
        KeyRule::Any {
            absent: if kept { 0 } else { KEY_ABSENT_PERCENT },
        }
    };
    table.foreign_keys.iter().enumerate().map(rule).collect()
}

/// The key of which a constraint says that it comes before this one.
fn paired(table: &Table, key: &ForeignKey, clauses: &[Clause]) -> Option<usize> {
    let mine = key.columns.first()?;
    clauses.iter().find_map(|clause| match clause {
        Clause::Ordered(first, then, true) if then == mine => table
            .foreign_keys
            .iter()
            .position(|other| other.columns == [*first] && other.target == key.target),
        _ => None,
    })
}

/// By how many parents of its own the target has: the closest first.
pub fn key_order(tables: &[Table], table: &Table) -> Vec<usize> {
    let parents = |number: &usize| {
        let target = tables.get(table.foreign_keys.get(*number)?.target)?;
        let keys = target.foreign_keys.iter();
        Some(keys.filter(|key| inherits(target, key)).count())
    };
    let mut order: Vec<usize> = (0..table.foreign_keys.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(parents(number)));
    order
}

/// Whether a key is of those that agree with the parent's: not the columns that say who did it.
pub fn inherits(table: &Table, key: &ForeignKey) -> bool {
    match key.columns.as_slice() {
        [column] => table
            .columns
            .get(*column)
            .is_some_and(|c| c.name.ends_with("_id")),
        _ => false,
    }
}

pub fn scoped(table: &Table) -> Option<Scoped> {
    if table.name != "system_configurations" {
        return None;
    }
    let column = |name: &str| table.columns.iter().position(|column| column.name == name);
    let owners = [
        ("DISTRICT", "district_id"),
        ("SCHOOL", "school_id"),
        ("USER", "user_id"),
    ];
    Some(Scoped {
        scope: column("scope")?,
        owners: owners
            .iter()
            .filter_map(|(label, name)| Some((*label, column(name)?)))
            .collect(),
    })
}
