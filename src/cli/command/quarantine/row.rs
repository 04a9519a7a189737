//! The file of `phiseal quarantine show`: names one row and its faults.
//! A row's key may be PHI. It is opened straight into a file of mode 0600, and every buffer that
//! held it is wiped.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::new_file;
use crate::cli::session::Session;
use crate::engine::quarantine::open_key;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::{Ident, TableName};
use crate::keys::Keyring;
use crate::store::{FieldRecord, QuarantineRecord, locate};

/// Writes the file. `listed` holds all faults of one tag, at least one.
///
/// # Errors
/// E0308 if the key of the row does not open; E0106 and E0108 of the file.
pub async fn write(
    session: &Session,
    listed: &[QuarantineRecord],
    path: &Path,
) -> Result<(), Fault> {
    if path.symlink_metadata().is_ok() {
        return Err(new_file::exists(path));
    }
    let tenants = session.tenants().await?;
    let fields = session.store.fields().await?;
    let mut out = Zeroizing::new(Vec::with_capacity(BYTES_EXPECTED));
    for table in tables(listed) {
        let faults: Vec<&QuarantineRecord> = listed
            .iter()
            .filter(|record| record.row.table_label == table)
            .collect();
        let field = fields.iter().find(|field| field.table_label == table);
        describe(&faults, field, &tenants.keyring, &mut out)?;
    }
    new_file::write(path, 0o600, &out)
}

/// Longer than most files: a buffer that grows leaves copies of the key behind.
const BYTES_EXPECTED: usize = 64 << 10;

#[derive(Serialize)]
struct Row<'a> {
    tag: &'a str,
    table: &'a str,
    relation: Option<String>,
    column: Option<&'a str>,
    key_columns: &'a [String],
    key: &'a [String],
    r#where: Option<&'a str>,
    faults: Vec<Value>,
}

/// Appends one row of one table to `out`, as a JSON object and a line break.
fn describe(
    faults: &[&QuarantineRecord],
    field: Option<&FieldRecord>,
    keyring: &Keyring,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let Some(first) = faults.first() else {
        return Ok(());
    };
    let key = open_key(keyring, first)
        .and_then(|text| serde_json::from_slice::<Vec<String>>(&text).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| unopened(first))?;
    let condition = field.and_then(|field| locate::condition(field, &key));
    let row = Row {
        tag: &first.row.row_tag,
        table: &first.row.table_label,
        relation: field.and_then(relation),
        column: first.row.column_label.as_deref(),
        key_columns: field.map_or(&[], |field| &field.key_columns),
        key: &key,
        r#where: condition.as_ref().map(|text| text.as_str()),
        faults: faults.iter().map(|record| super::object(record)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &row).map_err(|_| unopened(first))?;
    out.push(b'\n');
    Ok(())
}

/// The tables of these faults. A tag is keyed with the table's label, so more than one table is a
/// coincidence.
fn tables(listed: &[QuarantineRecord]) -> Vec<&str> {
    let tables: BTreeMap<&str, ()> = listed
        .iter()
        .map(|record| (record.row.table_label.as_str(), ()))
        .collect();
    tables.into_keys().collect()
}

/// The table's name, quoted for SQL.
fn relation(field: &FieldRecord) -> Option<String> {
    let table = TableName {
        schema: Ident::new(field.schema_name.as_str()).ok(),
        name: Ident::new(field.table_name.as_str()).ok()?,
    };
    Some(table.quoted())
}

fn unopened(record: &QuarantineRecord) -> Fault {
    Fault {
        code: "E0308",
        message: format!(
            "the key of the row with the tag {} does not open (sealed under key {})",
            Foreign(&record.row.row_tag),
            record.row.key_id
        ),
        hint: "see `phiseal keys check`; the tag is in the log of the run that listed the row"
            .to_owned(),
        exit: Exit::Keys,
    }
}
