//! Opens every sealed value of a field by itself, and compares it with what the application wrote.
//! Collects all faults instead of stopping at the first, and keeps a ledger of nonces, which may be
//! carried from one check to the next: across a rotation, a crash, a restore.

use super::format::{self, Cell};
use super::load::{Field, Keys, Sealed, Source, quoted};
use super::row_key::{KeyPart, KeyType, row_key};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What to open, and what it must open to.
pub struct FieldCheck {
    /// The field, from the program's own record or made by the test.
    pub field: Field,
    /// Where the plaintext is: the table's own column, or a copy the test saved, with the key
    /// columns under their own names.
    pub plaintext: Option<(String, String)>,
}

/// What was found. Faults name rows by their key: tests have no patients.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rows of the table.
    pub rows: usize,
    /// Sealed values that opened.
    pub opened: usize,
    /// Sealed values that opened to the plaintext the application wrote.
    pub equal: usize,
    /// Rows without a sealed value whose plaintext is NULL too.
    pub nulls: usize,
    /// Rows without a sealed value that have a plaintext.
    pub unsealed: usize,
    /// Blind indexes that are what they should be.
    pub indexes: usize,
    /// Sealed values under each key id.
    pub keys: BTreeMap<u32, usize>,
    /// Everything that is wrong, one line each.
    pub faults: Vec<String>,
}

/// Every (cell key, nonce) pair and (key id, nonce) pair seen.
#[derive(Default)]
pub struct NonceLedger {
    by_cell: HashMap<(format::Key, [u8; 12]), Vec<u8>>,
    by_key: HashMap<(u32, [u8; 12]), Vec<u8>>,
    /// (cell key, nonce) pairs that sealed two different values: must stay zero.
    pub cell_repeats: usize,
    /// (key id, nonce) pairs in two cells: harmless in one cell each, but expected to be none.
    pub key_repeats: usize,
}

impl FieldCheck {
    /// Against the plaintext column of the table itself.
    pub fn beside(field: Field) -> Self {
        let plaintext = Some((field.table.clone(), field.column.clone()));
        Self { field, plaintext }
    }

    /// Against a copy of the table that the test made before, its table name quoted.
    pub fn against(field: Field, table: &str, column: &str) -> Self {
        let plaintext = Some((table.to_owned(), column.to_owned()));
        Self { field, plaintext }
    }
}

impl Checked {
    /// Asserts that nothing is wrong and every row is sealed or NULL.
    #[track_caller]
    pub fn expect_all_sealed(&self) -> &Self {
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
        assert_eq!(self.unsealed, 0, "rows are unsealed: {self:?}");
        assert_eq!(self.opened + self.nulls, self.rows, "{self:?}");
        self
    }
}

impl Keys {
    /// Opens everything the check names.
    pub async fn check(
        &self,
        source: Source<'_>,
        check: &FieldCheck,
        ledger: &mut NonceLedger,
    ) -> Checked {
        let field = &check.field;
        let written = match &check.plaintext {
            Some((table, column)) => Some(plaintexts(source, field, table, column).await),
            None => None,
        };
        let mut found = Checked::default();
        let mut seen = HashSet::new();
        for row in read(source, field).await {
            found.rows += 1;
            let row = match row {
                Ok(row) => row,
                Err(fault) => {
                    found.faults.push(fault);
                    continue;
                }
            };
            if !seen.insert(row.row_key.clone()) {
                found.faults.push(format!("{:?}: key twice", row.key));
            }
            let expected = written.as_ref().map(|w| w.get(&row.row_key));
            if let Err(fault) = self.check_row(field, &row, expected, &mut found, ledger) {
                found.faults.push(format!("{:?}: {fault}", row.key));
            }
        }
        found
    }

    fn check_row(
        &self,
        field: &Field,
        row: &Row,
        expected: Option<Option<&Option<Vec<u8>>>>,
        found: &mut Checked,
        ledger: &mut NonceLedger,
    ) -> Result<(), String> {
        let expected = match expected {
            Some(None) => return Err("not among the plaintexts".to_owned()),
            Some(Some(value)) => Some(value.as_deref()),
            None => None,
        };
        let Some(sealed) = row.sealed.as_ref().filter(|s| !is_plaintext(field, s)) else {
            match expected {
                Some(Some(_)) => found.unsealed += 1,
                _ => found.nulls += 1,
            }
            return match &row.index {
                Some(_) => Err("an index without a sealed value".to_owned()),
                None => Ok(()),
            };
        };
        let cell = row.cell(field);
        let envelope = sealed.parse()?;
        *found.keys.entry(envelope.key_id).or_default() += 1;
        let key = self.cell_key(envelope.key_id)?;
        ledger.enter(cell.key(key), &envelope);
        let plain = cell.open(key, &envelope)?;
        found.opened += 1;
        check_length(field, &envelope)?;
        match expected {
            Some(Some(written)) if written == plain => found.equal += 1,
            Some(_) => return Err("opens to another value".to_owned()),
            None => {}
        }
        self.check_index(field, row, &plain, found)
    }

    fn check_index(
        &self,
        field: &Field,
        row: &Row,
        plain: &[u8],
        found: &mut Checked,
    ) -> Result<(), String> {
        let Some(index) = &field.blind_index else {
            return Ok(());
        };
        let text = std::str::from_utf8(plain).map_err(|_| "index of bytes".to_owned())?;
        let keys = self.blind_index_keys(&row.tenant);
        // The active key's: who looks a value up has no other.
        let matches = keys.first().is_some_and(|key| {
            let (normaliser, bits) = (index.normaliser.as_str(), index.bits);
            format::blind_index(key, &row.cell(field), normaliser, bits, text) == row.index
        });
        if !matches {
            return Err("blind index".to_owned());
        }
        found.indexes += 1;
        Ok(())
    }
}

impl NonceLedger {
    fn enter(&mut self, cell_key: format::Key, envelope: &format::Envelope) {
        // The same bytes met again are the same value, not a second use of the nonce.
        let differs = |held: Option<Vec<u8>>| held.is_some_and(|held| held != envelope.body);
        let cell = (cell_key, envelope.nonce);
        let key = (envelope.key_id, envelope.nonce);
        self.cell_repeats += usize::from(differs(self.by_cell.insert(cell, envelope.body.clone())));
        self.key_repeats += usize::from(differs(self.by_key.insert(key, envelope.body.clone())));
    }
}

// In place, what does not begin as an envelope is a value that waits to be sealed.
fn is_plaintext(field: &Field, stored: &Sealed) -> bool {
    let in_place = field.sealed == field.column;
    in_place && matches!(stored, Sealed::Text(text) if !text.starts_with("ps1."))
}

// Padding hides the length: n is a multiple of pad_to. Without it n is the plaintext's.
fn check_length(field: &Field, envelope: &format::Envelope) -> Result<(), String> {
    let n = envelope.body.len() - 16;
    match (field.pad_to, envelope.suite) {
        (0, 1) => Ok(()),
        (pad_to, 2) if pad_to > 0 && n.is_multiple_of(pad_to) => Ok(()),
        (pad_to, suite) => Err(format!("suite {suite}, {n} bytes, pad_to {pad_to}")),
    }
}

struct Row {
    key: Vec<String>,
    row_key: Vec<u8>,
    tenant: String,
    sealed: Option<Sealed>,
    index: Option<Vec<u8>>,
}

impl Row {
    fn cell<'a>(&'a self, field: &'a Field) -> Cell<'a> {
        Cell {
            tenant: &self.tenant,
            table: &field.table_label,
            column: &field.column_label,
            row_key: &self.row_key,
        }
    }
}

// A value and its type: `text` in PostgreSQL's own words, the storage class in SQLite.
fn value_and_type(source: Source<'_>, column: &str) -> String {
    let c = quoted(column);
    match source {
        Source::Postgres(..) => format!("{c}::text, pg_typeof({c})::text"),
        // Hexadecimal digits whatever the class is: `hex` takes the text of a number.
        Source::Sqlite(_) => format!(
            "hex(CASE typeof({c}) WHEN 'real' THEN printf('%!.17g', {c}) ELSE {c} END), \
             typeof({c})"
        ),
    }
}

async fn read(source: Source<'_>, field: &Field) -> Vec<Result<Row, String>> {
    let mut columns: Vec<&str> = field.key.iter().map(|(c, _)| c.as_str()).collect();
    columns.push(&field.sealed);
    columns.extend(field.tenant_column.as_deref());
    columns.extend(field.blind_index.as_ref().map(|b| b.column.as_str()));
    let rows = select(source, &field.table, &columns).await;
    rows.into_iter()
        .map(|values| {
            let mut values = values.into_iter();
            let (key, row_key) = key_of(source, field, &mut values)?;
            let sealed = values.next().flatten().map(|value| match value.text {
                Some(text) => Sealed::Text(text),
                None => Sealed::Binary(value.bytes),
            });
            let tenant = match field.tenant_column {
                Some(_) => values
                    .next()
                    .flatten()
                    .and_then(|v| v.text)
                    .ok_or("tenant")?,
                None => String::new(),
            };
            let index = values.next().flatten().map(|value| value.bytes);
            Ok(Row {
                key,
                row_key,
                tenant,
                sealed,
                index,
            })
        })
        .collect()
}

async fn plaintexts(
    source: Source<'_>,
    field: &Field,
    table: &str,
    column: &str,
) -> HashMap<Vec<u8>, Option<Vec<u8>>> {
    let mut columns: Vec<&str> = field.key.iter().map(|(c, _)| c.as_str()).collect();
    columns.push(column);
    let mut found = HashMap::new();
    for values in select(source, table, &columns).await {
        let mut values = values.into_iter();
        let (_, row_key) = key_of(source, field, &mut values).expect("a key of a plaintext row");
        found.insert(row_key, values.next().flatten().map(|v| v.bytes));
    }
    found
}

struct Value {
    bytes: Vec<u8>,
    /// The same as text, unless it is of a binary type.
    text: Option<String>,
    class: String,
}

async fn select(source: Source<'_>, table: &str, columns: &[&str]) -> Vec<Vec<Option<Value>>> {
    let list: Vec<String> = columns.iter().map(|c| value_and_type(source, c)).collect();
    let sql = format!("SELECT {} FROM {table}", list.join(", "));
    let rows = source.rows(&sql).await;
    rows.into_iter()
        .map(|row| row.chunks(2).map(|pair| value(source, pair)).collect())
        .collect()
}

fn value(source: Source<'_>, pair: &[Option<String>]) -> Option<Value> {
    let (text, class) = (pair[0].clone()?, pair[1].clone()?);
    if class == "null" {
        return None; // SQLite: hex(NULL) is ''
    }
    let binary = matches!(class.as_str(), "bytea" | "blob");
    let bytes = match source {
        Source::Postgres(..) if binary => hex::decode(&text[2..]).unwrap(),
        Source::Postgres(..) => text.into_bytes(),
        Source::Sqlite(_) => hex::decode(text).unwrap(),
    };
    let text = (!binary).then(|| String::from_utf8(bytes.clone()).expect("text in UTF-8"));
    Some(Value { bytes, text, class })
}

fn key_of(
    source: Source<'_>,
    field: &Field,
    values: &mut impl Iterator<Item = Option<Value>>,
) -> Result<(Vec<String>, Vec<u8>), String> {
    let (mut texts, mut parts) = (Vec::new(), Vec::new());
    for (column, key_type) in &field.key {
        let value = values.next().flatten();
        let value = value.ok_or_else(|| format!("{column} is NULL"))?;
        let key_type = match (source, key_type) {
            (Source::Postgres(..), Some(key_type)) => *key_type,
            _ => storage_class(&value.class)?,
        };
        let text = value.text.unwrap_or_else(|| hex::encode(&value.bytes));
        parts.push(KeyPart::from_sql(key_type, &text)?);
        texts.push(text);
    }
    Ok((texts, row_key(&parts)))
}

fn storage_class(class: &str) -> Result<KeyType, String> {
    match class {
        "integer" => Ok(KeyType::Int),
        "text" => Ok(KeyType::Text),
        "blob" => Ok(KeyType::Bytes),
        other => Err(format!("a key of class {other}")),
    }
}
