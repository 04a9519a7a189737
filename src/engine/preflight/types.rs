//! E0211: types whose text depends on more than the value, so that a plaintext cannot be compared
//! or restored: on settings (money), on the catalog (reg*, aclitem), or on both (xml, composites).
//! E0257: numbers of large objects (`oid`, and `lo`, a domain over it). Only the number would be
//! sealed.

use super::{Dialect, Findings, Preflight, RunPurpose};
use crate::store::catalog::ColumnFacts;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Sqlite {
        return;
    }
    for (_, field) in p.fields() {
        let Some(column) = field.column else { continue };
        if is_large_object(column) {
            large_object(p, field.name(), column, out);
        } else if refused(column) {
            out.refuse(
                "E0211",
                p.plan,
                Some(field.name()),
                format!("values of type {} cannot be sealed", column.sql_type),
                "its text depends on settings or on the catalog: change the type, for example to numeric or text",
            );
        } else if column.base_schema != "pg_catalog"
            && column.base_type != "citext"
            && column.type_class == 'b'
        {
            out.warn(
                "E0211",
                p.plan,
                Some(field.name()),
                format!("{} is a type of an extension", column.sql_type),
                "make sure that its text depends on no setting, and that casting the text back gives the same value",
            );
        }
    }
}

/// Refuses a backfill only: a value sealed by an earlier version can still be restored, verified
/// and rotated.
fn large_object(p: &Preflight<'_>, name: &str, column: &ColumnFacts, out: &mut Findings) {
    if p.purpose != RunPurpose::Backfill {
        return;
    }
    out.refuse(
        "E0257",
        p.plan,
        Some(name),
        format!(
            "the column is of type {}: it holds the number of a large object, and what is in the object would stay \
             readable in pg_largeobject",
            column.sql_type
        ),
        "move the content into a bytea column (lo_get), seal that, and unlink the large objects (lo_unlink); run `phiseal \
         restore` first if values are sealed already",
    );
}

/// An oid may name a large object; an oid that names something else is not PHI.
fn is_large_object(column: &ColumnFacts) -> bool {
    let own = column.base_schema == "pg_catalog" && column.base_type == "oid";
    own || column.base_type == "lo"
}

fn refused(column: &ColumnFacts) -> bool {
    let name = column.base_type.as_str();
    let built_in = column.base_schema == "pg_catalog"
        && (matches!(name, "money" | "xml" | "aclitem") || name.starts_with("reg"));
    built_in || matches!(column.type_class, 'c' | 'p')
}
