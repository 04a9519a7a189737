//! Keys and fields, as the program recorded them in its own tables.

use super::format::{self, Cell, Key};
use super::row_key::KeyType;
use crate::support::Rows;
use crate::support::database::{self, Database};
use crate::support::sqlite::Sqlite;
use std::collections::BTreeMap;

/// A database to read, and where the program's own tables are in it.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A PostgreSQL database and the schema, usually `phiseal`.
    Postgres(&'a Database, &'a str),
    /// A SQLite file; the tables have the prefix `phiseal_`.
    Sqlite(&'a Sqlite),
}

/// One key of `encryption_keys`, unwrapped unless it was destroyed.
#[derive(Debug)]
pub struct LoadedKey {
    pub tenant: String,
    pub purpose: String,
    pub status: String,
    pub key: Option<Key>,
}

/// A field of `encrypted_field_metadata`.
#[derive(Clone, Debug)]
pub struct Field {
    /// The table in SQL, quoted.
    pub table: String,
    pub table_label: String,
    pub column_label: String,
    pub column: String,
    /// The column that holds the envelopes; in place, the column itself.
    pub sealed: String,
    pub blind_index: Option<BlindIndex>,
    pub tenant_column: Option<String>,
    /// Key columns, in order. SQLite goes by the value, and so has no types here.
    pub key: Vec<(String, Option<KeyType>)>,
    pub pad_to: usize,
}

/// The blind index of a field.
#[derive(Clone, Debug)]
pub struct BlindIndex {
    pub column: String,
    pub normaliser: String,
    pub bits: usize,
}

/// All keys and all fields.
pub struct Keys {
    pub keys: BTreeMap<u32, LoadedKey>,
    pub fields: Vec<Field>,
}

impl Keys {
    /// Reads and unwraps every key that is not destroyed; each must match its check value.
    pub async fn load(source: Source<'_>, key_line: &str) -> Result<Self, String> {
        let wrapping = format::wrapping_key(key_line)?;
        let reference = format::wrapping_key_reference(&wrapping);
        let hex_of = source.hex_function();
        let rows = source
            .rows(&format!(
                "SELECT CAST(key_id AS text), tenant, purpose, status, kek_ref, \
                 {}, {} FROM {}",
                hex_of("wrapped_key"),
                hex_of("check_value"),
                source.own("encryption_keys"),
            ))
            .await;
        let mut keys = BTreeMap::new();
        for row in rows {
            let [id, tenant, purpose, status, kek_ref, wrapped, check] = <[_; 7]>::try_from(row)
                .unwrap()
                .map(Option::unwrap_or_default);
            let id: u32 = id.parse().map_err(|_| format!("key id {id}"))?;
            let key = if status == "destroyed" {
                None
            } else if kek_ref != reference {
                return Err(format!("key {id} is under {kek_ref}, not {reference}"));
            } else {
                let wrapped = hex::decode(&wrapped).map_err(|_| "hexadecimal".to_owned())?;
                let key = format::unwrap_key(&wrapping, &wrapped, id, &purpose, &tenant)?;
                if hex::encode(format::check_value(&key)) != check.to_lowercase() {
                    return Err(format!("key {id} does not match its check value"));
                }
                Some(key)
            };
            let loaded = LoadedKey {
                tenant,
                purpose,
                status,
                key,
            };
            keys.insert(id, loaded);
        }
        let fields = load_fields(source).await?;
        Ok(Self { keys, fields })
    }

    /// The field of these labels.
    pub fn field(&self, table_label: &str, column_label: &str) -> Field {
        self.fields
            .iter()
            .find(|f| f.table_label == table_label && f.column_label == column_label)
            .unwrap_or_else(|| panic!("no field {table_label}.{column_label}"))
            .clone()
    }

    /// Opens one sealed value, binary or text, with the key it names.
    pub fn open_cell(&self, cell: &Cell<'_>, sealed: &Sealed) -> Result<Vec<u8>, String> {
        let envelope = sealed.parse()?;
        cell.open(self.cell_key(envelope.key_id)?, &envelope)
    }

    /// The data key of this id, if values may stand under it.
    pub fn cell_key(&self, key_id: u32) -> Result<&Key, String> {
        let loaded = self
            .keys
            .get(&key_id)
            .ok_or_else(|| format!("key {key_id} does not exist"))?;
        if loaded.purpose != "cell" || loaded.status == "pre_active" {
            let (purpose, status) = (&loaded.purpose, &loaded.status);
            return Err(format!("key {key_id} is {status}, for {purpose}"));
        }
        let key = loaded.key.as_ref();
        key.ok_or_else(|| format!("key {key_id} is destroyed"))
    }

    /// The keys of blind indexes of a tenant, the active one first.
    pub fn blind_index_keys(&self, tenant: &str) -> Vec<&Key> {
        let mut keys: Vec<&LoadedKey> = self
            .keys
            .values()
            .filter(|k| k.purpose == "blind_index" && k.tenant == tenant)
            .collect();
        keys.sort_by_key(|k| k.status != "active");
        keys.into_iter().filter_map(|k| k.key.as_ref()).collect()
    }
}

/// A sealed value as it is stored.
#[derive(Clone, Debug)]
pub enum Sealed {
    Binary(Vec<u8>),
    Text(String),
}

impl Sealed {
    pub fn parse(&self) -> Result<format::Envelope, String> {
        match self {
            Self::Binary(bytes) => format::parse(bytes),
            Self::Text(text) => format::parse_text(text),
        }
    }
}

impl Source<'_> {
    /// All rows of a query, under the session settings the format asks for.
    pub async fn rows(self, sql: &str) -> Rows {
        match self {
            Self::Sqlite(file) => file.rows(sql).await,
            Self::Postgres(db, _) => {
                let mut connection = db.connection().await;
                let settings = "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres; \
                    SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = hex";
                database::rows_of(&mut connection, settings).await;
                database::rows_of(&mut connection, sql).await
            }
        }
    }

    /// One of the program's own tables.
    pub fn own(self, table: &str) -> String {
        match self {
            Self::Postgres(_, schema) => format!("{}.{table}", quoted(schema)),
            Self::Sqlite(_) => format!("phiseal_{table}"),
        }
    }

    fn hex_function(self) -> fn(&str) -> String {
        match self {
            Self::Postgres(..) => |column| format!("encode({column}, 'hex')"),
            Self::Sqlite(_) => |column| format!("hex({column})"),
        }
    }
}

/// An identifier in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn load_fields(source: Source<'_>) -> Result<Vec<Field>, String> {
    let rows = source
        .rows(&format!(
            "SELECT table_label, column_label, schema_name, table_name, column_name, \
             sealed_column, blind_index_column, blind_index_normaliser, \
             CAST(blind_index_bits AS text), tenant_column, CAST(key_columns AS text), \
             CAST(key_types AS text), CAST(pad_to AS text) FROM {}",
            source.own("encrypted_field_metadata"),
        ))
        .await;
    rows.into_iter()
        .map(|row| field(source, <[_; 13]>::try_from(row).unwrap()))
        .collect()
}

fn field(source: Source<'_>, row: [Option<String>; 13]) -> Result<Field, String> {
    let [
        table_label,
        column_label,
        schema,
        table,
        column,
        sealed,
        index_column,
        normaliser,
        bits,
        tenant_column,
        key_columns,
        key_types,
        pad_to,
    ] = row;
    let list = |text: Option<String>| -> Result<Vec<String>, String> {
        serde_json::from_str(&text.unwrap_or_default()).map_err(|e| e.to_string())
    };
    let table = quoted(&table.unwrap_or_default());
    let column = column.unwrap_or_default();
    let key_columns = list(key_columns)?;
    let key = match source {
        Source::Sqlite(_) => key_columns.into_iter().map(|c| (c, None)).collect(),
        Source::Postgres(..) => key_columns
            .into_iter()
            .zip(list(key_types)?)
            .map(|(c, t)| Ok((c, Some(KeyType::named(&t)?))))
            .collect::<Result<_, String>>()?,
    };
    let number = |text: Option<String>| text.and_then(|t| t.parse().ok()).unwrap_or(0);
    Ok(Field {
        table: match (source, schema) {
            (Source::Postgres(..), Some(schema)) => format!("{}.{table}", quoted(&schema)),
            _ => table,
        },
        table_label: table_label.unwrap_or_default(),
        column_label: column_label.unwrap_or_default(),
        sealed: sealed.unwrap_or_else(|| column.clone()),
        column,
        blind_index: index_column.map(|column| BlindIndex {
            column,
            normaliser: normaliser.unwrap_or_default(),
            bits: number(bits),
        }),
        tenant_column,
        key,
        pad_to: number(pad_to),
    })
}
