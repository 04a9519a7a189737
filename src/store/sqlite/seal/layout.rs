//! The statement that writes rows one by one, found by their keys.
//! Owns its text and its parameters, which must agree.

use super::super::fault;
use super::super::key_value::{self, KeyValue};
use super::super::select::{Encoding, Shape, ShapeField, image};
use super::super::sql::{Bind, bound};
use super::super::value::Kept;
use super::super::version::SeenCell;
use super::sealed_bind;
use crate::store::page::WriteCell;
use crate::store::{Result, StoreError, WriteRow};
use sqlx::sqlite::SqliteConnection;

/// The most parameters of one statement; SQLite's own limit is 32,766.
pub(super) const PARAMETERS_MAX: usize = 8_000;

/// The columns that the rows of a batch compare and set; a column that no row needs takes no
/// parameter.
pub(super) struct UpdateLayout<'a> {
    shape: &'a Shape,
    /// The compared columns: the tenant, then two for each field.
    compared: Vec<Option<&'a String>>,
    /// What is set of each field.
    sets: Vec<FieldSets>,
}

/// What the rows of a batch set of one field.
#[derive(Clone, Copy)]
struct FieldSets {
    /// Some row seals it.
    seals: bool,
    /// Some row restores it.
    opens: bool,
    /// Some row clears its plaintext.
    clears: bool,
}

impl<'a> UpdateLayout<'a> {
    pub(super) fn new(
        shape: &'a Shape,
        rows: &[&WriteRow],
        seen: &[Vec<SeenCell<'_>>],
    ) -> Result<Self> {
        let bad = StoreError::unexpected("a batch whose rows are not of the table's fields");
        let fields = shape.fields.len();
        let fits = rows.iter().all(|row| row.cells.len() == fields)
            && seen.iter().all(|seen| seen.len() == 1 + 2 * fields);
        if !fits {
            return Err(bad);
        }
        let columns = shape
            .fields
            .iter()
            .flat_map(|field| [field.plain.as_ref(), field.sealed.as_ref()]);
        let compared = std::iter::once(shape.tenant.as_ref())
            .chain(columns)
            .enumerate()
            .map(|(at, column)| {
                column.filter(|_| seen.iter().any(|seen| seen[at] != SeenCell::Unread))
            });
        let sets = (0..fields).map(|field| {
            let any =
                |wanted: fn(&WriteCell) -> bool| rows.iter().any(|row| wanted(&row.cells[field]));
            FieldSets {
                seals: any(|cell| matches!(cell, WriteCell::Seal { .. })),
                opens: any(|cell| matches!(cell, WriteCell::Open(_))),
                clears: any(|cell| matches!(cell, WriteCell::Clear)),
            }
        });
        Ok(Self {
            compared: compared.collect(),
            sets: sets.collect(),
            shape,
        })
    }

    /// How many parameters one row takes.
    pub(super) fn parameters(&self) -> usize {
        self.names().len()
    }

    /// The columns of the list of values: the key, then class and bytes of each compared column,
    /// then what is to be set.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = (0..self.shape.keys.len())
            .map(|at| format!("k{at}"))
            .collect();
        for at in (0..self.compared.len()).filter(|at| self.compared[*at].is_some()) {
            names.extend([format!("c{at}"), format!("b{at}")]);
        }
        for (at, sets) in self.sets.iter().enumerate() {
            if sets.seals {
                names.push(format!("s{at}"));
                names.extend(
                    self.shape.fields[at]
                        .index
                        .as_ref()
                        .map(|_| format!("i{at}")),
                );
            }
            if sets.opens {
                names.push(format!("o{at}"));
            }
            if sets.clears {
                names.push(format!("x{at}"));
            }
        }
        names
    }

    pub(super) fn assignments(&self) -> Vec<String> {
        let mut set = Vec::new();
        for (at, field) in self.shape.fields.iter().enumerate() {
            let FieldSets {
                seals,
                opens,
                clears,
            } = self.sets[at];
            let sealed = field.sealed.as_ref().or(field.plain.as_ref());
            if let Some(sealed) = sealed.filter(|_| seals) {
                if field.in_place() && opens {
                    set.push(format!("{sealed} = coalesce(v.s{at}, v.o{at}, t.{sealed})"));
                    continue;
                }
                set.push(format!("{sealed} = coalesce(v.s{at}, t.{sealed})"));
            }
            if let Some(index) = field.index.as_ref().filter(|_| seals) {
                set.push(format!(
                    "{index} = CASE WHEN v.s{at} IS NULL THEN t.{index} ELSE v.i{at} END"
                ));
            }
            if let Some(plain) = field.plain.as_ref().filter(|_| opens || clears) {
                let kept = match opens {
                    true => format!("coalesce(v.o{at}, t.{plain})"),
                    false => format!("t.{plain}"),
                };
                set.push(match clears {
                    true => format!("{plain} = CASE WHEN v.x{at} THEN NULL ELSE {kept} END"),
                    false => format!("{plain} = {kept}"),
                });
            }
        }
        set
    }

    pub(super) fn sql(&self, rows: usize, assignments: &[String]) -> String {
        let names = self.names();
        let row = format!("({})", vec!["?"; names.len()].join(","));
        let mut conditions = same_key(self.shape);
        for (at, column) in self.compared.iter().enumerate() {
            if let Some(column) = column {
                conditions.push(format!(
                    "(v.c{at} IS NULL OR (typeof(t.{column}) = v.c{at} \
                     AND (v.c{at} = 'null' OR {} = v.b{at})))",
                    image(&format!("t.{column}")),
                ));
            }
        }
        // The list has a name that no table has, so that SQLite cannot confuse the two.
        format!(
            "WITH \"~v\"({}) AS (VALUES {}) UPDATE {} AS t SET {} FROM \"~v\" AS v WHERE {} RETURNING {}",
            names.join(", "),
            vec![row; rows].join(","),
            self.shape.table,
            assignments.join(", "),
            conditions.join(" AND "),
            self.shape.key_columns(),
        )
    }

    pub(super) async fn write(
        &self,
        conn: &mut SqliteConnection,
        rows: &[&WriteRow],
        seen: &[Vec<SeenCell<'_>>],
    ) -> Result<Vec<Vec<KeyValue>>> {
        let assignments = self.assignments();
        if assignments.is_empty() {
            return Ok(Vec::new());
        }
        let mut binds = Vec::with_capacity(rows.len() * self.parameters());
        for (row, seen) in rows.iter().zip(seen) {
            self.bind(row, seen, &mut binds)?;
        }
        let found = bound(self.sql(rows.len(), &assignments), binds)
            .fetch_all(conn)
            .await
            .map_err(fault::of_rows)?;
        found.iter().map(|row| self.key_of(row)).collect()
    }

    pub(super) fn key_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Vec<KeyValue>> {
        (0..self.shape.keys.len())
            .map(|column| KeyValue::read(row, column))
            .collect()
    }

    /// The value that a restore writes for an opened value. In a UTF-16 file an earlier version
    /// sealed text as the file stores it, and sealed only text and blobs.
    fn opened(&self, field: &ShapeField, bytes: &[u8]) -> Result<Bind> {
        let encoding = self.shape.encoding;
        if encoding != Encoding::Utf8
            && field.kept != Kept::Bytes
            && let Some(text) = encoding.text(bytes)
        {
            return Ok(Bind::from(text));
        }
        let value = field.kept.restored(bytes);
        let value = value.ok_or(StoreError::unexpected("an opened value that is not UTF-8"))?;
        Ok(value.bind())
    }

    pub(super) fn bind(
        &self,
        row: &WriteRow,
        seen: &[SeenCell<'_>],
        binds: &mut Vec<Bind>,
    ) -> Result<()> {
        let key = key_value::unplace(&row.locator.place)?;
        if key.len() != self.shape.keys.len() || key.iter().any(|value| value.part().is_none()) {
            return Err(StoreError::unexpected(
                "a row to be written whose key has no fixed form",
            ));
        }
        binds.extend(key.iter().map(KeyValue::bind));
        for (at, _) in self
            .compared
            .iter()
            .enumerate()
            .filter(|(_, column)| column.is_some())
        {
            let (class, bytes) = match &seen[at] {
                SeenCell::Unread => (Bind::NULL, Bind::NULL),
                SeenCell::Value(class, bytes) => {
                    (Bind::from((*class).to_owned()), Bind::from(*bytes))
                }
                // A value that was not read in full equals nothing, so it is not overwritten.
                SeenCell::Large(_) => (Bind::from("large".to_owned()), Bind::NULL),
            };
            binds.extend([class, bytes]);
        }
        for (at, field) in self.shape.fields.iter().enumerate() {
            let sets = &self.sets[at];
            let (mut sealed, mut blind, mut opened) = (Bind::NULL, Bind::NULL, Bind::NULL);
            match &row.cells[at] {
                WriteCell::Keep | WriteCell::Clear => {}
                WriteCell::Seal {
                    sealed: envelope,
                    index,
                } => {
                    sealed = sealed_bind(envelope, field.sealed_text)?;
                    blind = Bind::from(index.as_deref());
                }
                WriteCell::Open(bytes) => {
                    opened = self.opened(field, bytes)?;
                }
            }
            if sets.seals {
                binds.push(sealed);
                binds.extend(field.index.as_ref().map(|_| blind));
            }
            if sets.opens {
                binds.push(opened);
            }
            if sets.clears {
                let is_cleared = matches!(row.cells[at], WriteCell::Clear);
                binds.push(Bind::from(i64::from(is_cleared)));
            }
        }
        Ok(())
    }
}

/// The conditions on the key: under its index's collation, which finds the row, and byte for byte.
pub(crate) fn same_key(shape: &Shape) -> Vec<String> {
    let one = |(at, key): (usize, &super::super::select::ShapeKey)| {
        [
            format!("t.{} = v.k{at}", key.ordered()),
            format!("typeof(t.{}) = typeof(v.k{at})", key.column),
            format!("CAST(t.{} AS BLOB) = CAST(v.k{at} AS BLOB)", key.column),
        ]
    };
    shape.keys.iter().enumerate().flat_map(one).collect()
}
