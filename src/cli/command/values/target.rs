//! The field that is worked on: what its columns are called and how its values are written.
//! Owns the opening and sealing of the value of one row, by the library that applications use.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Work;
use super::error::{ValuesError, no_column};
use super::key_text::KeyReader;
use super::row::{Cell, Given, Row};
use crate::crypto::{IndexSpec, RowKey, text};
use crate::engine::look::Database;
use crate::engine::registered::name_of;
use crate::error::Fault;
use crate::keys::Keyring;
use crate::sealer::{Field, Opener, Plaintext, Sealer, Value, ValueError};
use crate::store::{CellAccess, FieldRecord, Sealed, StoreError};

/// A registered field.
pub struct Target {
    record: FieldRecord,
    keys: Vec<KeyReader>,
    /// The type whose form its values have.
    form: String,
    is_bytes: bool,
    /// Whether it is a char(n), whose text comes with blanks at its end.
    is_padded: bool,
    /// Whether sealed values are stored in text form.
    sealed_is_text: bool,
    opener: Opener,
    sealer: Sealer,
}

/// What became of the value of a row.
pub struct Done {
    /// The columns that take the place of the value.
    pub results: Vec<Cell>,
    pub is_null: bool,
}

impl Target {
    /// Finds a field by the names or the labels of its table and column.
    ///
    /// # Errors
    /// There is none, or several; and what the store reports.
    pub async fn find(
        database: &Database<'_>,
        table: &str,
        column: &str,
        keyring: &Arc<Keyring>,
    ) -> Result<Self, Fault> {
        let registered = database.store.fields().await?;
        let record = chosen(&registered, table, column)?;
        let Some((job, facts)) = database.one_field(record).await? else {
            let what = format!("table {}", name_of(record));
            return Err(StoreError::Missing { what }.into());
        };
        let cell = CellAccess::of(&job.table.fields[0]);
        let form = cell.source.form().to_owned();
        let spec = &job.fields[0];
        let field = field(&job.table.label, &spec.label, spec.pad_to, spec.index).sql_type(&form);
        Ok(Self {
            record: record.clone(),
            keys: (job.table.keys.iter())
                .map(|key| {
                    let facts = facts
                        .columns
                        .iter()
                        .find(|one| one.name == key.name.as_str());
                    KeyReader::new(key, facts)
                })
                .collect(),
            form,
            is_bytes: cell.source.is_bytes,
            is_padded: cell.source.sql_type.starts_with("character("),
            sealed_is_text: match cell.sealed {
                Some(Sealed::Beside { text, .. }) => text,
                Some(Sealed::InPlace) | None => true,
            },
            opener: Opener::new(Arc::clone(keyring), field.clone()),
            sealer: Sealer::new(Arc::clone(keyring), field),
        })
    }

    pub fn table_label(&self) -> &str {
        &self.record.table_label
    }

    pub fn column_label(&self) -> &str {
        &self.record.column_label
    }

    /// Whether opened values are bytes and not text.
    pub const fn is_bytes(&self) -> bool {
        self.is_bytes
    }

    /// The column that is read.
    pub fn source(&self, work: Work) -> &str {
        match work {
            Work::Open => self.sealed_column(),
            Work::Seal => &self.record.column_name,
        }
    }

    /// The columns that are written in its place.
    pub fn results(&self, work: Work) -> Vec<&str> {
        match work {
            Work::Open => vec![&self.record.column_name],
            Work::Seal => std::iter::once(self.sealed_column())
                .chain(self.record.blind_index_column.as_deref())
                .collect(),
        }
    }

    /// The columns that each row must have.
    pub fn needs(&self, work: Work) -> Vec<&str> {
        let keys = self.keys.iter().map(|key| key.name.as_str());
        keys.chain(self.record.tenant_column.as_deref())
            .chain([self.source(work)])
            .collect()
    }

    /// Opens the sealed value of a row. NULL gives the plaintext that the row has beside it, if any; in
    /// place, a value that is not sealed stays as it is.
    ///
    /// # Errors
    /// See [`ValuesError`].
    pub fn open(&self, row: &dyn Row) -> Result<Done, ValuesError> {
        let column = &self.record.column_name;
        let result = |text| vec![(column.clone(), text)];
        let given = given(row, self.source(Work::Open))?;
        if given == Given::Null {
            let beside = match row.get(column)? {
                Some(Given::Text(text)) if !self.record.in_place => Some(text.into_owned()),
                Some(Given::Number(text) | Given::Nested(text)) => Some(text.to_owned()),
                _ => None,
            };
            return Ok(Done {
                results: result(beside.map(Zeroizing::new)),
                is_null: true,
            });
        }
        if let Given::Text(text) = &given
            && self.record.in_place
            && !text.starts_with(text::PREFIX)
        {
            return Ok(Done {
                results: result(Some(Zeroizing::new(text.to_string()))),
                is_null: false,
            });
        }
        let opened = self.opened(row, &given)?;
        let text = match self.is_bytes {
            true => Zeroizing::new(format!("\\x{}", hex::encode(&*opened))),
            false => Zeroizing::new(opened.text()?.to_owned()),
        };
        Ok(Done {
            results: result(Some(text)),
            is_null: false,
        })
    }

    /// Opens the sealed value of a row into its bytes.
    ///
    /// # Errors
    /// See [`ValuesError`].
    pub fn open_bytes(&self, row: &dyn Row) -> Result<Plaintext, ValuesError> {
        self.opened(row, &given(row, self.source(Work::Open))?)
    }

    /// Seals the value of a row, and makes its blind index.
    ///
    /// # Errors
    /// See [`ValuesError`].
    pub fn seal(&self, row: &dyn Row) -> Result<Done, ValuesError> {
        let names = self.results(Work::Seal);
        let cells = |texts: Vec<Option<String>>| {
            let text = texts.into_iter().map(|text| text.map(Zeroizing::new));
            (names.iter().map(|name| (*name).to_owned()))
                .zip(text)
                .collect()
        };
        let column = self.source(Work::Seal);
        let Some(plain) = self.plain(column, given(row, column)?)? else {
            return Ok(Done {
                results: cells(vec![None; names.len()]),
                is_null: true,
            });
        };
        let (tenant, row_key) = self.bound_to(row)?;
        let value = Value::from(&plain);
        let mut texts = vec![Some(match self.sealed_is_text {
            true => self.sealer.seal_text(&tenant, row_key, value)?,
            false => hex_text(&self.sealer.seal(&tenant, row_key, value)?),
        })];
        if names.len() > 1 {
            let index = self.sealer.blind_index(&tenant, value)?;
            texts.push(index.as_deref().map(hex_text));
        }
        Ok(Done {
            results: cells(texts),
            is_null: false,
        })
    }

    fn opened(&self, row: &dyn Row, given: &Given<'_>) -> Result<Plaintext, ValuesError> {
        let wrong = || self.form_of(self.source(Work::Open), "a sealed value");
        let Given::Text(sealed) = given else {
            return Err(wrong());
        };
        let (tenant, row_key) = self.bound_to(row)?;
        let bytes = match sealed.starts_with(text::PREFIX) {
            true => sealed.as_bytes().to_vec(),
            false => {
                hex::decode(sealed.strip_prefix("\\x").unwrap_or(sealed)).map_err(|_| wrong())?
            }
        };
        Ok(self.opener.open(&tenant, row_key, &bytes)?)
    }

    /// The tenant and the key of a row.
    fn bound_to(&self, row: &dyn Row) -> Result<(String, RowKey), ValuesError> {
        let tenant = match &self.record.tenant_column {
            None => String::new(),
            Some(column) => match given(row, column)? {
                Given::Text(text) if !text.is_empty() => text.into_owned(),
                Given::Number(text) => text.to_owned(),
                _ => {
                    return Err(ValuesError::Key {
                        column: column.clone(),
                        what: "names no tenant",
                    });
                }
            },
        };
        let mut parts = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            parts.push(key.part(given(row, &key.name)?)?);
        }
        Ok((tenant, RowKey::encode(&parts).map_err(ValueError::from)?))
    }

    /// The bytes of a plaintext, as docs/FORMAT.md says; `None` for NULL.
    fn plain(
        &self,
        column: &str,
        given: Given<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ValuesError> {
        let text = match given {
            Given::Null => return Ok(None),
            Given::Text(text) => text.into_owned(),
            Given::Number(text) => text.to_owned(),
            Given::Nested(text) if self.form.starts_with("json") => text.to_owned(),
            Given::Nested(_) => return Err(self.form_of(column, "a text or a number")),
        };
        let text = Zeroizing::new(text);
        let bytes = match (self.form.as_str(), text.as_str()) {
            ("bytea", text) => {
                let digits = text.strip_prefix("\\x");
                let bytes = digits.and_then(|digits| hex::decode(digits).ok());
                bytes.ok_or_else(|| self.form_of(column, "\\x and hex digits"))?
            }
            // As psql prints it.
            ("boolean", "t") => b"true".to_vec(),
            ("boolean", "f") => b"false".to_vec(),
            (_, text) if self.is_padded => text.trim_end_matches(' ').as_bytes().to_vec(),
            (_, text) => text.as_bytes().to_vec(),
        };
        Ok(Some(Zeroizing::new(bytes)))
    }

    fn form_of(&self, column: &str, what: &'static str) -> ValuesError {
        ValuesError::Form {
            column: column.to_owned(),
            what,
        }
    }

    fn sealed_column(&self) -> &str {
        let record = &self.record;
        record
            .sealed_column
            .as_deref()
            .unwrap_or(&record.column_name)
    }
}

fn field(table: &str, column: &str, pad_to: u32, index: Option<IndexSpec>) -> Field {
    let field = Field::new(table, column).pad_to(pad_to);
    match index {
        Some(spec) => field.blind_index(spec),
        None => field,
    }
}

fn given<'a>(row: &'a dyn Row, column: &str) -> Result<Given<'a>, ValuesError> {
    row.get(column)?.ok_or_else(|| no_column(column))
}

fn hex_text(bytes: &[u8]) -> String {
    format!("\\x{}", hex::encode(bytes))
}

/// The field of these names or labels.
fn chosen<'a>(
    registered: &'a [FieldRecord],
    table: &str,
    column: &str,
) -> Result<&'a FieldRecord, ValuesError> {
    let is = |record: &&FieldRecord| {
        let named =
            record.table_label == table || record.table_name == table || name_of(record) == table;
        named && (record.column_label == column || record.column_name == column)
    };
    let sealed = registered
        .iter()
        .filter(|record| record.state.may_hold_seals());
    let found: Vec<&FieldRecord> = sealed.filter(is).collect();
    // A label goes before a name: another table may be called as this one was.
    let labelled = |record: &&&FieldRecord| record.table_label == table;
    match (found.as_slice(), found.iter().find(labelled)) {
        ([one], _) | (_, Some(one)) => Ok(one),
        (_, None) => Err(ValuesError::Field {
            field: format!("{table}.{column}"),
            found: found.len(),
        }),
    }
}
