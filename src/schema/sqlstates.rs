//! The names of the codes that a statement of a migration fails with.
//! Owns the list: those of PostgreSQL's "Appendix A. Error Codes" that such statements meet.

/// `23505, unique_violation`; the code alone where it is not in the list.
pub(super) fn named(sqlstate: &str) -> String {
    let found = NAMES.iter().find(|(code, _)| *code == sqlstate);
    match found {
        Some((code, name)) => format!("{code}, {name}"),
        None => sqlstate.to_owned(),
    }
}

const NAMES: [(&str, &str); 53] = [
    ("0A000", "feature_not_supported"),
    ("21000", "cardinality_violation"),
    ("22001", "string_data_right_truncation"),
    ("22003", "numeric_value_out_of_range"),
    ("22007", "invalid_datetime_format"),
    ("22008", "datetime_field_overflow"),
    ("22012", "division_by_zero"),
    ("22021", "character_not_in_repertoire"),
    ("22023", "invalid_parameter_value"),
    ("22P02", "invalid_text_representation"),
    ("22P05", "untranslatable_character"),
    ("23001", "restrict_violation"),
    ("23502", "not_null_violation"),
    ("23503", "foreign_key_violation"),
    ("23505", "unique_violation"),
    ("23514", "check_violation"),
    ("23P01", "exclusion_violation"),
    ("25001", "active_sql_transaction"),
    ("25006", "read_only_sql_transaction"),
    ("25P02", "in_failed_sql_transaction"),
    ("28000", "invalid_authorization_specification"),
    ("2BP01", "dependent_objects_still_exist"),
    ("2D000", "invalid_transaction_termination"),
    ("38000", "external_routine_exception"),
    ("3D000", "invalid_catalog_name"),
    ("3F000", "invalid_schema_name"),
    ("40001", "serialization_failure"),
    ("40P01", "deadlock_detected"),
    ("42501", "insufficient_privilege"),
    ("42601", "syntax_error"),
    ("42611", "invalid_column_definition"),
    ("42701", "duplicate_column"),
    ("42702", "ambiguous_column"),
    ("42703", "undefined_column"),
    ("42704", "undefined_object"),
    ("42710", "duplicate_object"),
    ("42723", "duplicate_function"),
    ("42804", "datatype_mismatch"),
    ("42809", "wrong_object_type"),
    ("42830", "invalid_foreign_key"),
    ("42846", "cannot_coerce"),
    ("42883", "undefined_function"),
    ("42939", "reserved_name"),
    ("42P01", "undefined_table"),
    ("42P06", "duplicate_schema"),
    ("42P07", "duplicate_table"),
    ("42P16", "invalid_table_definition"),
    ("42P17", "invalid_object_definition"),
    ("53100", "disk_full"),
    ("55006", "object_in_use"),
    ("55P03", "lock_not_available"),
    ("57014", "query_canceled"),
    ("P0001", "raise_exception"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names_and_unknown_ones_stand_alone() {
        assert_eq!(named("23505"), "23505, unique_violation");
        assert_eq!(named("XX999"), "XX999");
        assert!(NAMES.is_sorted());
    }
}
