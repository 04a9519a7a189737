//! The values that the files are searched for: plaintexts of the table itself, opened from its
//! sealed values. Nothing is stored for this, since the sealed values are the plaintexts, sealed.
//! Owns which values are good to search for. They live in memory that is wiped.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::report::ColumnLooked;
use super::search::Needles;
use crate::crypto::RowKey;
use crate::engine::columns::{Cell, Columns};
use crate::engine::error::EngineError;
use crate::engine::pages::{PageSource, Pages};
use crate::engine::throttle::Unthrottled;
use crate::engine::{Engine, Job};
use crate::keys::KeySet;
use crate::store::{
    Access, Bound, ColumnsRead, KeyText, Page, PageRequest, Select, TableField, Visibility,
};

/// At most so many values of a column.
const VALUES: usize = 200;
/// At most so many relations are read.
const RELATIONS: usize = 40;
/// At so many places of each.
const PLACES: u32 = 10;
/// So many rows at each place.
const ROWS: u32 = 40;
/// A shorter value is found by chance.
const BYTES_MIN: usize = 8;
/// A longer value is searched for by its beginning: the server stores it in pieces.
const BYTES_MAX: usize = 64;

/// Types whose values are stored as the bytes that were sealed.
const STORED_AS_IS: [&str; 11] = [
    "text",
    "varchar",
    "character varying",
    "bpchar",
    "char",
    "character",
    "citext",
    "bytea",
    "blob",
    "clob",
    "nvarchar",
];

/// The values of all columns.
pub(super) struct Canaries {
    /// The values.
    pub(super) needles: Arc<Needles>,
    /// How many of each column.
    pub(super) columns: Vec<ColumnLooked>,
}

/// What is left of the values of one column: those that were met once.
fn distinct(mut values: Vec<Zeroizing<Vec<u8>>>) -> Vec<Zeroizing<Vec<u8>>> {
    values.sort_by(|one, other| one.as_slice().cmp(other));
    let is_alone = |at: usize| {
        let same = |other: Option<&Zeroizing<Vec<u8>>>| {
            other.is_some_and(|other| other.as_slice() == values[at].as_slice())
        };
        !(same(at.checked_sub(1).and_then(|at| values.get(at))) || same(values.get(at + 1)))
    };
    let alone: Vec<bool> = (0..values.len()).map(is_alone).collect();
    let kept = values.into_iter().zip(alone).filter(|(_, alone)| *alone);
    kept.map(|(value, _)| value).take(VALUES).collect()
}

/// The part of a value that is searched for; `None` if it is too short.
fn needle(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let part = value.get(..value.len().min(BYTES_MAX))?;
    (part.len() >= BYTES_MIN).then(|| Zeroizing::new(part.to_vec()))
}

/// Whether values of the type are stored as they were sealed.
fn is_stored_as_is(source_type: &str) -> bool {
    let bare = source_type.split('(').next().unwrap_or_default();
    let bare = bare.rsplit('.').next().unwrap_or_default();
    let bare = bare.trim().trim_matches('"').to_ascii_lowercase();
    STORED_AS_IS.contains(&bare.as_str())
}

impl Engine {
    /// Opens a sample of the sealed values of a table, from places all over it.
    pub(super) async fn canaries(&self, job: &Job) -> Result<Canaries, EngineError> {
        let access = Access {
            reads: ColumnsRead {
                source: false,
                sealed: true,
                index: false,
            },
            ..job.access().without_indexes()
        };
        let source = PageSource {
            store: Arc::clone(&self.store),
            access: Arc::new(access),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            throttle: Arc::new(Unthrottled),
            patience: Some(self.settings.patience),
        };
        let (columns, keys) = (job.columns(), self.tenants.keyring.snapshot());
        let mut met: Vec<Vec<Zeroizing<Vec<u8>>>> = vec![Vec::new(); job.table.fields.len()];
        let mut relations = self.store.relations(&source.access).await?;
        let every = relations.len().div_ceil(RELATIONS).max(1);
        relations = relations.into_iter().step_by(every).collect();
        for relation in relations {
            let cuts = self
                .store
                .sample_keys(&job.table, &relation, PLACES)
                .await?;
            let mut after = None;
            // Each place ends where the next begins: a row that was read twice would look like two.
            for upto in cuts.into_iter().map(Some).chain([None]) {
                let request = self.few_rows(&relation, after, upto.clone());
                after = upto;
                if let Some(read) = Pages::new(source.clone(), request).next().await? {
                    open(job, &columns, &keys, &read.page, &mut met);
                }
            }
        }
        chosen(&job.table.fields, met)
    }

    fn few_rows(
        &self,
        relation: &str,
        after: Option<KeyText>,
        upto: Option<KeyText>,
    ) -> PageRequest {
        PageRequest {
            relation: relation.to_owned(),
            after: after.map(Bound::Key),
            upto: upto.map(Bound::Key),
            rows_max: ROWS,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select: Select::Sealed,
            with_key_text: false,
            versions: Visibility::All,
        }
    }
}

/// Opens the values of a page. One that does not open is a matter of `verify`.
fn open(
    job: &Job,
    columns: &Columns,
    keys: &KeySet,
    page: &Page,
    met: &mut [Vec<Zeroizing<Vec<u8>>>],
) {
    for row in &page.rows {
        let Some(Ok(row_key)) = row.key.as_ref().ok().map(|parts| RowKey::encode(parts)) else {
            continue;
        };
        for (field, read) in row.cells.iter().enumerate() {
            let in_place = job.table.fields[field].sealed.beside().is_none();
            let sealed = match in_place {
                true => read.plain.as_ref().map(|text| text.as_slice()),
                false => read.sealed.as_deref(),
            };
            let cell = Cell {
                tenant: row.tenant.as_deref().unwrap_or_default(),
                field,
                row_key: &row_key,
            };
            let opened = sealed.and_then(|sealed| columns.open(keys, cell, sealed).ok());
            met[field].extend(opened.and_then(|(value, _)| needle(&value)));
        }
    }
}

/// The values that are searched for, and what is said of each column.
fn chosen(
    fields: &[TableField],
    met: Vec<Vec<Zeroizing<Vec<u8>>>>,
) -> Result<Canaries, EngineError> {
    let mut needles = Vec::new();
    let mut columns = Vec::new();
    for (field, met) in fields.iter().zip(met) {
        let (kept, none) = match is_stored_as_is(&field.source_type) {
            false => (
                Vec::new(),
                Some(format!("not searchable: {}", field.source_type)),
            ),
            true => {
                let kept = distinct(met);
                let none = kept
                    .is_empty()
                    .then(|| format!("no value of {BYTES_MIN} bytes that stands once"));
                (kept, none)
            }
        };
        columns.push(ColumnLooked {
            column: field.label.clone(),
            values: kept.len() as u64,
            none,
        });
        needles.extend(kept);
    }
    Ok(Canaries {
        needles: Arc::new(Needles::new(needles)?),
        columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(all: &[&str]) -> Vec<Zeroizing<Vec<u8>>> {
        let bytes = all.iter().map(|one| one.as_bytes().to_vec());
        bytes.map(Zeroizing::new).collect()
    }

    #[test]
    fn values_that_stand_more_than_once_say_nothing_and_are_left_out() {
        let kept = distinct(values(&["b", "a", "b", "c", "c", "c", "d"]));
        assert_eq!(kept, values(&["a", "d"]));
        assert!(distinct(Vec::new()).is_empty());
    }

    #[test]
    fn a_value_is_searched_for_by_its_first_bytes_if_it_has_enough() {
        assert_eq!(needle(b"1234567"), None);
        assert_eq!(needle(b"12345678").unwrap().len(), 8);
        assert_eq!(needle(&[7; 5000]).unwrap().len(), 64);
    }

    #[test]
    fn types_that_are_stored_otherwise_are_not_searched_for() {
        for stored in ["text", "varchar(11)", "character varying(11)", "TEXT"] {
            assert!(is_stored_as_is(stored), "{stored}");
        }
        for stored in ["public.citext", "\"public\".\"citext\"", "bytea", "BLOB"] {
            assert!(is_stored_as_is(stored), "{stored}");
        }
        for other in ["date", "integer", "numeric(10,2)", "jsonb", "uuid", ""] {
            assert!(!is_stored_as_is(other), "{other}");
        }
    }
}
