//! Tests of the proposals of a plan.

use super::*;
use crate::crypto::Normaliser;
use crate::store::catalog::{IndexFacts, KeyFacts};

fn patients() -> TableFacts {
    let column = |name: &str| ColumnFacts {
        name: name.to_owned(),
        sql_type: "text".to_owned(),
        base_type: "text".to_owned(),
        ..ColumnFacts::default()
    };
    TableFacts {
        schema: "public".to_owned(),
        name: "patients".to_owned(),
        columns: ["id", "ssn", "Email", "note", "clinic_id"]
            .map(column)
            .to_vec(),
        ..TableFacts::default()
    }
}

fn over(name: &str, unique: bool, columns: &[&str]) -> IndexFacts {
    IndexFacts {
        name: name.to_owned(),
        method: "btree".to_owned(),
        unique,
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        ..IndexFacts::default()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_column_is_met_as_it_is_spelled_or_as_sql_reads_it() {
    let table = patients();
    for (name, met) in [
        ("ssn", Some("ssn")),
        ("SSN", Some("ssn")),
        ("Email", Some("Email")),
        ("\"Email\"", Some("Email")),
        ("email", None),
    ] {
        assert_eq!(column(&table, name).map(|c| c.name.as_str()), met, "{name}");
    }
}

#[test]
fn only_an_index_of_the_whole_column_alone_makes_the_blind_index_unique() {
    let mut table = patients();
    let ssn = table.columns[1].clone();
    assert!(index(&table, &ssn).is_none());
    table.indexes = vec![over("both", true, &["ssn", "clinic_id"])];
    assert!(!index(&table, &ssn).unwrap().unique);
    table.indexes.push(over("alone", true, &["ssn"]));
    let found = index(&table, &ssn).unwrap();
    assert_eq!((found.unique, found.normaliser), (true, Normaliser::Digits));
    table.keys = vec![KeyFacts {
        name: "alone".to_owned(),
        partial: true,
        ..KeyFacts::default()
    }];
    assert!(!index(&table, &ssn).unwrap().unique);
}

#[test]
fn a_column_named_twice_is_proposed_once_and_a_table_without_any_is_refused() {
    let table = proposed(&patients(), &names(&["ssn", "SSN", "Email"])).unwrap();
    assert_eq!(table.columns.len(), 2);
    assert_eq!(table.tenant_column.unwrap().as_str(), "clinic_id");
    let refused = proposed(&patients(), &names(&["phone"])).unwrap_err();
    assert_eq!((refused.code, refused.exit), ("E0107", Exit::Refused));
}

#[test]
fn a_column_that_is_nowhere_is_refused_with_what_was_probably_meant() {
    let look = PlanFacts {
        server: ServerFacts::default(),
        dialect: Dialect::Postgres,
    };
    assert!(look.refuse_unknown(&[patients()], &names(&["ssn"])).is_ok());
    let fault = look
        .refuse_unknown(&[patients()], &names(&["ssn", "noet"]))
        .unwrap_err();
    assert_eq!((fault.code, fault.exit), ("E0202", Exit::Refused));
    assert!(fault.message.contains("noet"), "{}", fault.message);
}

#[test]
fn a_table_is_suggested_with_its_schema() {
    let tables = names(&["public.patients", "public.visits"]);
    assert_eq!(nearest("patient", &tables), Some("public.patients"));
    assert_eq!(nearest("PUBLIC.visit", &tables), Some("public.visits"));
    assert_eq!(nearest("zzz", &tables), None);
}

#[test]
fn a_name_is_tried_as_it_is_before_it_is_folded() {
    assert_eq!(
        verbatim("public.Patients").unwrap().quoted(),
        r#""public"."Patients""#
    );
    assert_eq!(verbatim("Patients").unwrap().quoted(), r#""Patients""#);
    assert_eq!(verbatim("public.\"Patients\""), None);
}
