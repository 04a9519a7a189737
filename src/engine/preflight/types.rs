//! E0211: types whose text is not a property of the value alone, so that no plaintext can be
//! compared or given back: it depends on settings (money), on the catalog (reg*, aclitem), or on
//! both (xml, composites).

use super::{Dialect, Findings, Preflight};
use crate::store::catalog::ColumnFacts;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.dialect == Dialect::Sqlite {
        return;
    }
    for (_, field) in p.fields() {
        let Some(column) = field.column else { continue };
        if refused(column) {
            out.refuse(
                "E0211",
                p.plan,
                Some(field.name()),
                format!("values of type {} cannot be sealed", column.sql_type),
                "its text depends on settings or on the catalog: change the type, to numeric or text for instance",
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
                "see that its text depends on no setting, and that casting the text gives the value back",
            );
        }
    }
}

fn refused(column: &ColumnFacts) -> bool {
    let name = column.base_type.as_str();
    let built_in = column.base_schema == "pg_catalog"
        && (matches!(name, "money" | "xml" | "aclitem") || name.starts_with("reg"));
    built_in || matches!(column.type_class, 'c' | 'p')
}
