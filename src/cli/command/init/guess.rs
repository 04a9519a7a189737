//! Guesses from column names: which column is the tenant, and which normaliser fits a blind index.
//! A wrong guess does no harm: the proposal holds it only as a comment.

use crate::crypto::Normaliser;
use crate::engine::phi::words;
use crate::store::catalog::TableFacts;

/// Names of tenant columns in lower case without underscores, the likeliest first.
const TENANTS: [&str; 18] = [
    "tenantid",
    "tenant",
    "clinicid",
    "clinic",
    "practiceid",
    "hospitalid",
    "facilityid",
    "organizationid",
    "organisationid",
    "orgid",
    "organization",
    "organisation",
    "districtid",
    "schoolid",
    "siteid",
    "accountid",
    "customerid",
    "companyid",
];

/// The column whose name looks most like a tenant, except columns in `sealed`.
pub fn tenant<'a>(table: &'a TableFacts, sealed: &[&str]) -> Option<&'a str> {
    TENANTS.iter().find_map(|wanted| {
        table
            .columns
            .iter()
            .filter(|column| !column.generated && !sealed.contains(&column.name.as_str()))
            .find(|column| words(&column.name).concat() == *wanted)
            .map(|column| column.name.as_str())
    })
}

/// The normaliser that fits a column of this name and type.
pub fn normaliser(name: &str, base_type: &str) -> Normaliser {
    if !is_text(base_type) {
        return Normaliser::Exact;
    }
    let words = words(name);
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let all = |every: &[&str]| every.iter().all(|word| has(&[word]));
    if has(&["ssn", "phone", "telephone", "mobile", "fax"]) || all(&["social", "security"]) {
        Normaliser::Digits
    } else if has(&["mrn"]) || all(&["medical", "record"]) {
        Normaliser::Alnum
    } else if has(&[
        "email",
        "mail",
        "name",
        "firstname",
        "lastname",
        "surname",
        "fullname",
    ]) {
        Normaliser::Caseless
    } else {
        Normaliser::Exact
    }
}

/// Whether this is a text type: by PostgreSQL's type names, and by SQLite's affinity rules
/// ("Datatypes in SQLite", 3.1).
fn is_text(base_type: &str) -> bool {
    let base_type = base_type.to_ascii_lowercase();
    ["char", "text", "clob"]
        .iter()
        .any(|part| base_type.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::ColumnFacts;

    #[test]
    fn what_makes_values_equal_is_guessed_by_name_and_type() {
        for (name, expected) in [
            ("ssn", Normaliser::Digits),
            ("parentPhone", Normaliser::Digits),
            ("email", Normaliser::Caseless),
            ("lastName", Normaliser::Caseless),
            ("mrn", Normaliser::Alnum),
            ("medical_record_number", Normaliser::Alnum),
            ("diagnosis", Normaliser::Exact),
            // Here `ssn` is not a separate word.
            ("assn", Normaliser::Exact),
        ] {
            assert_eq!(normaliser(name, "varchar"), expected, "{name}");
        }
        assert_eq!(normaliser("phone", "int8"), Normaliser::Exact);
        assert_eq!(normaliser("email", "citext"), Normaliser::Caseless);
    }

    #[test]
    fn the_tenant_is_the_likeliest_column_that_is_not_to_be_sealed() {
        let column = |name: &str| ColumnFacts {
            name: name.to_owned(),
            ..ColumnFacts::default()
        };
        let table = TableFacts {
            columns: ["id", "schoolId", "clinic_id"].map(column).to_vec(),
            ..TableFacts::default()
        };
        assert_eq!(tenant(&table, &[]), Some("clinic_id"));
        assert_eq!(tenant(&table, &["clinic_id"]), Some("schoolId"));
        assert_eq!(tenant(&TableFacts::default(), &[]), None);
    }
}
