//! One table as the statements of this store name it.
//! Owns quoted names, the order of the key, and the expressions for class and bytes of a value.
//! Holds no values.

use sqlx::sqlite::SqliteConnection;

use super::key_value::KeyValue;
use super::sql::{Bind, scalar, tuple};
use super::value::Kept;
use crate::ident::Ident;
use crate::store::text::joined;
use crate::store::{Access, Result, StoreError};

/// A table with its key, its tenant and its fields.
pub(super) struct Shape {
    /// The table, quoted.
    pub(super) table: String,
    /// The rowid.
    pub(super) rowid: Rowid,
    /// How the file stores text. In UTF-8, a cast between TEXT and BLOB does not change the bytes.
    pub(super) encoding: Encoding,
    /// The columns of the key.
    pub(super) keys: Vec<ShapeKey>,
    /// The tenant column, quoted.
    pub(super) tenant: Option<String>,
    /// The fields, in the order of the cells.
    pub(super) fields: Vec<ShapeField>,
}

/// How a file stores text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// Decodes text as the file stores it; `None` if the bytes are not text.
    pub(super) fn text(self, bytes: &[u8]) -> Option<String> {
        let unit = match self {
            Self::Utf8 => return String::from_utf8(bytes.to_vec()).ok(),
            Self::Utf16Le => u16::from_le_bytes,
            Self::Utf16Be => u16::from_be_bytes,
        };
        let (units, rest) = bytes.as_chunks::<2>();
        let units: zeroize::Zeroizing<Vec<u16>> =
            units.iter().copied().map(unit).collect::<Vec<_>>().into();
        rest.is_empty().then(|| String::from_utf16(&units).ok())?
    }
}

/// The rowid of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rowid {
    /// A name for it that no column has; `None` in a table WITHOUT ROWID.
    pub(super) name: Option<&'static str>,
    /// Whether a column shows it (INTEGER PRIMARY KEY), so that it may be PHI.
    pub(super) shown: bool,
}

/// A column of the key.
pub(super) struct ShapeKey {
    /// The column, quoted.
    pub(super) column: String,
    /// `COLLATE` and the collation of the index that makes the key unique: under it no two rows are
    /// equal, and the index is in its order. Empty for the rowid.
    collate: String,
}

impl ShapeKey {
    /// The column under its index's collation.
    pub(super) fn ordered(&self) -> String {
        format!("{}{}", self.column, self.collate)
    }
}

/// A field.
pub(super) struct ShapeField {
    /// The plaintext column, quoted, if there is one; in place, the column.
    pub(super) plain: Option<String>,
    /// The sealed column beside it, quoted.
    pub(super) sealed: Option<String>,
    /// Whether the sealed column takes the text form.
    pub(super) sealed_text: bool,
    /// The blind index column, quoted.
    pub(super) index: Option<String>,
    /// The class of values that the plaintext column stores.
    pub(super) kept: Kept,
}

impl ShapeField {
    /// Whether no sealed value is beside the source: it is in the source's place, or not read.
    pub(super) fn in_place(&self) -> bool {
        self.sealed.is_none()
    }
}

impl Shape {
    /// Reads the shape of an access; the collations come from the catalog.
    pub(super) async fn read(conn: &mut SqliteConnection, access: &Access) -> Result<Self> {
        let table = &access.table;
        let names: Vec<&str> = table.keys.iter().map(|key| key.name.as_str()).collect();
        let collations = collations(conn, table.name.name.as_str(), &names).await?;
        let keys = table.keys.iter().zip(collations).map(|(key, collation)| {
            let column = key.name.quoted();
            ShapeKey {
                collate: collation
                    .map(|collation| format!(" COLLATE {}", collation.quoted()))
                    .unwrap_or_default(),
                column,
            }
        });
        let fields = access.cells.iter().map(|field| {
            let (source, sealed) = (&field.source, field.beside().map(Ident::quoted));
            ShapeField {
                plain: (source.exists || sealed.is_none()).then(|| source.name.quoted()),
                sealed,
                sealed_text: field.is_text(),
                index: field.index.as_ref().map(Ident::quoted),
                kept: Kept::of(&source.sql_type, source.is_bytes),
            }
        });
        Ok(Self {
            table: table.name.name.quoted(),
            rowid: rowid(conn, table.name.name.as_str()).await?,
            encoding: encoding(conn).await?,
            keys: keys.collect(),
            tenant: table.tenant.as_ref().map(Ident::quoted),
            fields: fields.collect(),
        })
    }

    /// The `ORDER BY` of the key.
    pub(super) fn order(&self) -> String {
        joined(&self.keys, ", ", ShapeKey::ordered)
    }

    /// The list of the key's columns.
    pub(super) fn key_columns(&self) -> String {
        joined(&self.keys, ", ", |key| key.column.clone())
    }

    /// The condition for keys on one side of `key`, and the values it binds. `relation` is `>` or
    /// `<=`.
    ///
    /// SQLite compares a row value by the index in one step if its left side is bare columns. So
    /// the collation is on the right side, where it applies to both. In the index's order NULL
    /// comes before every key, but `>` does not treat it so; therefore a key that holds a NULL is
    /// compared column by column.
    pub(super) fn beyond(&self, relation: &str, key: &[KeyValue]) -> (String, Vec<Bind>) {
        if relation == ">" && key.contains(&KeyValue::Null) {
            return self.after_null(key);
        }
        let columns = self.key_columns();
        let pairs: Vec<_> = self.keys.iter().zip(key).collect();
        let values = joined(&pairs, ", ", |(column, value)| {
            format!("{}{}", value.placeholder(), column.collate)
        });
        let condition = match key.len() {
            1 => format!("{columns} {relation} {values}"),
            _ => format!("({columns}) {relation} ({values})"),
        };
        (condition, key.iter().map(KeyValue::bind).collect())
    }

    fn after_null(&self, key: &[KeyValue]) -> (String, Vec<Bind>) {
        let (mut branches, mut binds) = (Vec::new(), Vec::new());
        for (last, value) in key.iter().enumerate() {
            let mut branch = Vec::new();
            for (column, value) in self.keys.iter().zip(key).take(last) {
                branch.push(format!("{} IS {}", column.ordered(), value.placeholder()));
                binds.push(value.bind());
            }
            match value {
                KeyValue::Null => branch.push(format!("{} IS NOT NULL", self.keys[last].column)),
                value => {
                    branch.push(format!(
                        "{} > {}",
                        self.keys[last].ordered(),
                        value.placeholder()
                    ));
                    binds.push(value.bind());
                }
            }
            branches.push(format!("({})", branch.join(" AND ")));
        }
        (format!("({})", branches.join(" OR ")), binds)
    }
}

/// An expression for the bytes of a value, to read and to compare. (A cast of REAL keeps only 15
/// digits.)
pub(super) fn image(column: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'real' THEN CAST(printf('%!.17g', {column}) AS BLOB) \
         ELSE CAST({column} AS BLOB) END"
    )
}

/// How the file stores text.
async fn encoding(conn: &mut SqliteConnection) -> Result<Encoding> {
    const LOOK: &str = "SELECT encoding FROM pragma_encoding";
    let encoding: String = scalar(LOOK, []).fetch_one(conn).await?;
    Ok(match encoding.as_str() {
        "UTF-16le" => Encoding::Utf16Le,
        "UTF-16be" => Encoding::Utf16Be,
        _ => Encoding::Utf8,
    })
}

/// The rowid of a table.
pub(super) async fn rowid(conn: &mut SqliteConnection, table: &str) -> Result<Rowid> {
    const LOOK: &str = "SELECT coalesce((SELECT max(wr) FROM pragma_table_list(?1)), 1), \
        (SELECT count(*) = 1 AND max(upper(type)) = 'INTEGER' FROM pragma_table_xinfo(?1) WHERE pk > 0) \
        AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk'), \
        (SELECT group_concat(lower(name)) FROM pragma_table_xinfo(?1) \
         WHERE lower(name) IN ('rowid', '_rowid_', 'oid'))";
    let (without, shown, taken): (bool, bool, Option<String>) =
        tuple(LOOK, [Bind::from(table)]).fetch_one(conn).await?;
    let taken: Vec<&str> = taken.iter().flat_map(|names| names.split(',')).collect();
    let name = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !without && !taken.contains(name));
    Ok(Rowid { name, shown })
}

/// The collation of each key column in the index that makes the key unique; `None` for the rowid.
pub(super) async fn collations(
    conn: &mut SqliteConnection,
    table: &str,
    keys: &[&str],
) -> Result<Vec<Option<Ident>>> {
    const INDEXES: &str = "SELECT list.name, info.name, info.coll \
        FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS info \
        WHERE list.\"unique\" AND NOT list.partial AND info.key \
        ORDER BY list.origin = 'pk' DESC, list.seq, info.seqno";
    // The column is NULL for an expression.
    let rows: Vec<(String, Option<String>, String)> =
        tuple(INDEXES, [Bind::from(table)]).fetch_all(conn).await?;
    let mut indexes: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (name, column, collation) in rows {
        if indexes.last().is_none_or(|(last, _)| *last != name) {
            indexes.push((name, Vec::new()));
        }
        if let Some((_, columns)) = indexes.last_mut() {
            columns.push((column.unwrap_or_default(), collation));
        }
    }
    let found = indexes.iter().find(|(_, columns)| {
        columns.len() == keys.len()
            && keys
                .iter()
                .all(|key| columns.iter().any(|(column, _)| column == key))
    });
    keys.iter()
        .map(|key| {
            let collation = found
                .and_then(|(_, columns)| columns.iter().find(|(column, _)| column == key))
                .map(|(_, collation)| Ident::new(collation.clone()));
            collation
                .transpose()
                .map_err(|_| StoreError::unexpected("the name of a collation"))
        })
        .collect()
}
