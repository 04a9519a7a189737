//! A column as the registry describes it: its labels, its type, its padding and its blind index.
//! Owns what the registry's row becomes. Knows no keys.

use crate::crypto::{Context, IndexSpec, Normaliser, WrongForm, plaintext};
use crate::keys::LoadError;

/// The columns of [`sql::FIELD`](crate::sql::FIELD), in their order: the labels of table and column, the
/// SQL type, the padding, the normaliser and the bits of the blind index.
pub type FieldColumns = (String, String, String, i32, Option<String>, Option<i32>);

/// A column, as it is registered in `encrypted_field_metadata`. Mostly read from there:
///
#[cfg_attr(feature = "postgres", doc = "```")]
#[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
/// use phiseal::{Field, FieldColumns, sql};
///
/// async fn ssn(pool: &sqlx::PgPool) -> Result<Field, Box<dyn std::error::Error>> {
///     let query = sqlx::query_as::<_, FieldColumns>(sql::FIELD).bind("public.patients").bind("ssn");
///     Ok(Field::try_from(query.fetch_one(pool).await?)?)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    table_label: String,
    column_label: String,
    sql_type: String,
    pub(super) pad_to: u32,
    pub(super) blind_index: Option<IndexSpec>,
}

impl Field {
    /// A column by the labels recorded at registration, of any type, without padding or blind index.
    pub fn new(table_label: impl Into<String>, column_label: impl Into<String>) -> Self {
        Self {
            table_label: table_label.into(),
            column_label: column_label.into(),
            sql_type: String::new(),
            pad_to: 0,
            blind_index: None,
        }
    }

    /// The type of the column as PostgreSQL writes it (`date`, `timestamp with time zone`): values of
    /// some types are refused then unless they have the form in which the server writes them
    /// (docs/FORMAT.md, "The plaintext").
    #[must_use]
    pub fn sql_type(mut self, sql_type: impl Into<String>) -> Self {
        self.sql_type = sql_type.into();
        self
    }

    /// Pads values to a multiple of this many bytes before they are sealed; 0 means no padding.
    #[must_use]
    pub const fn pad_to(mut self, bytes: u32) -> Self {
        self.pad_to = bytes;
        self
    }

    /// Gives the column a blind index.
    #[must_use]
    pub const fn blind_index(mut self, spec: IndexSpec) -> Self {
        self.blind_index = Some(spec);
        self
    }

    pub(super) fn context(&self, tenant: &str) -> Context {
        Context::new(tenant, &self.table_label, &self.column_label)
    }

    pub(super) fn check(&self, plain: &[u8]) -> Result<(), WrongForm> {
        match self.sql_type.as_str() {
            // Any type: bytes, too.
            "" => Ok(()),
            sql_type => plaintext::check(sql_type, plain),
        }
    }
}

impl TryFrom<FieldColumns> for Field {
    type Error = LoadError;

    fn try_from(columns: FieldColumns) -> Result<Self, LoadError> {
        let unknown = |what| LoadError::Row { key_id: 0, what };
        let (table_label, column_label, sql_type, pad_to, normaliser, bits) = columns;
        let pad_to = u32::try_from(pad_to).map_err(|_| unknown("pad_to"))?;
        let blind_index = match (normaliser, bits) {
            (None, _) => None,
            (Some(normaliser), bits) => {
                let normaliser: Normaliser = normaliser
                    .parse()
                    .map_err(|_| unknown("blind_index_normaliser"))?;
                let bits = bits.and_then(|bits| u16::try_from(bits).ok());
                let spec = bits.and_then(|bits| IndexSpec::new(normaliser, bits).ok());
                Some(spec.ok_or_else(|| unknown("blind_index_bits"))?)
            }
        };
        Ok(Self {
            table_label,
            column_label,
            sql_type,
            pad_to,
            blind_index,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Coded;

    fn columns() -> FieldColumns {
        (
            "public.patients".to_owned(),
            "ssn".to_owned(),
            "text".to_owned(),
            16,
            Some("digits".to_owned()),
            Some(128),
        )
    }

    #[test]
    fn a_row_of_the_registry_is_the_field_that_it_describes() {
        let spec = IndexSpec::new(Normaliser::Digits, 128).unwrap();
        let field = Field::new("public.patients", "ssn").sql_type("text");
        let expected = field.clone().pad_to(16).blind_index(spec);
        assert_eq!(Field::try_from(columns()).unwrap(), expected);
        let bare = (columns().0, columns().1, columns().2, 0, None, None);
        assert_eq!(Field::try_from(bare).unwrap(), field);
    }

    #[test]
    fn a_row_that_this_version_does_not_know_is_refused_by_its_column() {
        for (spoil, what) in [
            ((|row| row.3 = -1) as fn(&mut FieldColumns), "pad_to"),
            (|row| row.4 = Some("soundex".to_owned()), "normaliser"),
            (|row| row.5 = Some(0), "bits"),
            (|row| row.5 = None, "bits"),
        ] {
            let mut row = columns();
            spoil(&mut row);
            let refused = Field::try_from(row).unwrap_err();
            assert_eq!(refused.code(), "E0329");
            assert!(refused.to_string().contains(what), "{refused}");
        }
    }
}
