//! Tests of the rules, each case with what a person who knows the field would say.

use super::*;
use crate::store::catalog::{ForeignKeyFacts, KeyFacts};
use Confidence::{High, Low, Medium};

fn column(name: &str, base_type: &str) -> ColumnFacts {
    ColumnFacts {
        name: name.to_owned(),
        base_type: base_type.to_owned(),
        sql_type: base_type.to_owned(),
        type_class: 'b',
        ..ColumnFacts::default()
    }
}

fn table(name: &str, columns: &[(&str, &str)]) -> TableFacts {
    TableFacts {
        schema: "public".to_owned(),
        name: name.to_owned(),
        columns: columns.iter().map(|(name, of)| column(name, of)).collect(),
        ..TableFacts::default()
    }
}

/// What is suspected of a column of this table, which has a column `patient_id` if it is about patients.
fn of(named: &str, name: &str, base_type: &str, counts: Option<FormCounts>) -> Option<Suspect> {
    let facts = table(named, &[(name, base_type)]);
    let about = about(std::slice::from_ref(&facts));
    let counts = counts.map(|counts| (name.to_owned(), counts)).into_iter();
    suspects(&facts, &about[0], &counts.collect(), &[]).pop()
}

fn judged(named: &str, name: &str, base_type: &str) -> Option<(Kind, Confidence)> {
    of(named, name, base_type, None).map(|one| (one.kind, one.confidence))
}

/// So many values, all different, of which some have this form.
fn counts(values: u64, form: Form, matching: u64) -> FormCounts {
    let mut all = [0; Form::ALL.len()];
    all[form as usize] = matching;
    FormCounts::new(values, values, &all)
}

#[test]
fn names_are_met_in_every_spelling() {
    for name in [
        "ssn",
        "SSN",
        "patientSsn",
        "ssn_number",
        "social_security_no",
        "SocialSecurityNumber",
    ] {
        assert_eq!(
            judged("t", name, "text"),
            Some((Kind::SocialSecurity, High)),
            "{name}"
        );
    }
    for name in [
        "dob",
        "DOB",
        "dateOfBirth",
        "patient_birth_date",
        "BIRTHDATE",
        "ptdateofbirth",
    ] {
        assert_eq!(
            judged("t", name, "date"),
            Some((Kind::BirthDate, High)),
            "{name}"
        );
    }
    for name in [
        "firstName",
        "last_name",
        "FNAME",
        "maidenName",
        "guardian_name",
        "clientfirstname",
    ] {
        assert_eq!(
            judged("patients", name, "varchar"),
            Some((Kind::Name, High)),
            "{name}"
        );
    }
    for (name, kind) in [
        ("mrn", Kind::RecordNumber),
        ("medical_record_number", Kind::RecordNumber),
        ("emailAddress", Kind::Email),
        ("home_phone_2", Kind::Phone),
        ("fax", Kind::Phone),
        ("addressLine1", Kind::Address),
        ("street_addr", Kind::Address),
        ("zipCode", Kind::Postcode),
        ("policy_number", Kind::InsuranceNumber),
        ("passport_no", Kind::IdentityNumber),
        ("diagnosis", Kind::Health),
        ("visit_notes", Kind::FreeText),
        ("photo", Kind::Image),
    ] {
        assert_eq!(
            judged("patients", name, "text"),
            Some((kind, High)),
            "{name}"
        );
    }
}

#[test]
fn what_only_begins_like_phi_is_none() {
    for (name, base_type) in [
        ("phone_type", "text"),
        ("email_verified", "bool"),
        ("email_verified_at", "timestamptz"),
        ("address_id", "int4"),
        ("password_hash", "text"),
        ("ssn_sealed", "bytea"),
        ("created_at", "timestamptz"),
        ("updated_by", "uuid"),
        ("passage", "text"),
        ("assn", "text"),
        ("status", "text"),
        ("ethnic_group_code", "text"),
        ("email_template", "text"),
    ] {
        assert_eq!(judged("patients", name, base_type), None, "{name}");
    }
}

#[test]
fn a_type_that_cannot_hold_it_is_no_phi() {
    assert_eq!(judged("patients", "first_name", "int4"), None);
    assert_eq!(judged("patients", "dob", "uuid"), None);
    let mut choice = table("patients", &[("diagnosis", "diagnosis_kind")]);
    choice.columns[0].type_class = 'e';
    let about = about(std::slice::from_ref(&choice));
    assert_eq!(suspects(&choice, &about[0], &Counts::new(), &[]), []);
}

#[test]
fn whom_a_table_is_about_decides_what_a_name_is_worth() {
    for (named, name, base_type, expected) in [
        ("patients", "email", "text", Some((Kind::Email, High))),
        (
            "patient_contacts",
            "email",
            "text",
            Some((Kind::Email, High)),
        ),
        ("users", "email", "text", Some((Kind::Email, Medium))),
        ("schools", "email", "text", Some((Kind::Email, Low))),
        ("patients", "name", "text", Some((Kind::Name, High))),
        ("users", "name", "text", Some((Kind::Name, Medium))),
        ("schools", "name", "text", None),
        ("drug_catalog", "drug_name", "text", None),
        (
            "prescriptions",
            "drug_name",
            "text",
            Some((Kind::Health, Medium)),
        ),
        (
            "patient_prescriptions",
            "drug_name",
            "text",
            Some((Kind::Health, High)),
        ),
        ("invoices", "notes", "text", None),
        ("visits", "notes", "text", Some((Kind::FreeText, Medium))),
        ("visits", "description", "text", Some((Kind::FreeText, Low))),
        (
            "patient_visits",
            "description",
            "text",
            Some((Kind::FreeText, Medium)),
        ),
        ("messages", "body", "text", Some((Kind::FreeText, Medium))),
        ("message_templates", "body", "text", None),
        (
            "patient_vitals",
            "weight_kg",
            "numeric",
            Some((Kind::Measurement, High)),
        ),
        ("pictures", "height", "int4", None),
        ("audit_logs", "ip_address", "inet", None),
        (
            "patient_logins",
            "ip_address",
            "inet",
            Some((Kind::IpAddress, Low)),
        ),
    ] {
        assert_eq!(judged(named, name, base_type), expected, "{named}.{name}");
    }
}

#[test]
fn a_table_is_about_people_by_a_column_or_by_foreign_keys_through_other_tables() {
    let key = |column: &str, other: &str| ForeignKeyFacts {
        columns: vec![column.to_owned()],
        other: other.to_owned(),
        ..ForeignKeyFacts::default()
    };
    let patients = table("Clients", &[("id", "int4")]);
    let visit = table("stays", &[("id", "int4"), ("patient_id", "int4")]);
    let mut order = table("orders", &[("c", "int4"), ("notes", "text")]);
    order.foreign_keys = vec![key("c", "public.\"Clients\"")];
    let mut line = table("order_lines", &[("o", "int4"), ("notes", "text")]);
    line.foreign_keys = vec![key("o", "public.orders")];
    let other = table("machines", &[("notes", "text")]);
    let tables = [line, order, other, visit, patients];
    let found = about(&tables);
    let subjects: Vec<&Subject> = found.iter().map(|one| &one.subject).collect();
    let by = |by: &str| Subject::Linked { by: by.to_owned() };
    assert_eq!(
        subjects,
        [
            &by("o"),
            &by("c"),
            &Subject::Unknown,
            &by("patient_id"),
            &Subject::Person
        ]
    );
    let suspect = suspects(&tables[0], &found[0], &Counts::new(), &[])
        .pop()
        .unwrap();
    assert_eq!((suspect.kind, suspect.confidence), (Kind::FreeText, High));
    assert_eq!(suspect.reasons, ["its name"]);
    assert_eq!(found[0].told().unwrap(), "rows belong to people (o)");
}

#[test]
fn the_form_of_values_finds_what_no_name_tells() {
    for (named, base_type, form, expected) in [
        ("t", "text", Form::Ssn, Some((Kind::SocialSecurity, High))),
        ("t", "text", Form::Email, Some((Kind::Email, Medium))),
        ("t", "text", Form::Phone, Some((Kind::Phone, Low))),
        ("patients", "text", Form::Email, Some((Kind::Email, High))),
        (
            "patients",
            "text",
            Form::Prose,
            Some((Kind::FreeText, Medium)),
        ),
        ("t", "text", Form::Prose, None),
        ("t", "text", Form::Uuid, None),
        ("t", "text", Form::Number, None),
    ] {
        let found = of(named, "c7", base_type, Some(counts(100, form, 60)));
        let found = found.map(|one| (one.kind, one.confidence));
        assert_eq!(found, expected, "{named} {form}");
    }
    // A few values prove nothing.
    assert_eq!(of("t", "c7", "text", Some(counts(19, Form::Ssn, 19))), None);
}

#[test]
fn dates_of_a_lifetime_are_dates_of_birth_only_of_people() {
    let mut matching = [0; Form::ALL.len()];
    matching[Form::Day as usize] = 100;
    matching[Form::LongAgo as usize] = 40;
    let spread = FormCounts::new(100, 90, &matching);
    let found = |named| of(named, "c7", "date", Some(spread)).map(|one| (one.kind, one.confidence));
    assert_eq!(found("patients"), Some((Kind::BirthDate, Medium)));
    assert_eq!(found("patient_visits"), Some((Kind::BirthDate, Low)));
    assert_eq!(found("companies"), None);
    matching[Form::LongAgo as usize] = 0;
    let recent = FormCounts::new(100, 90, &matching);
    assert_eq!(of("patients", "c7", "date", Some(recent)), None);
}

#[test]
fn values_confirm_a_name_or_speak_against_it() {
    let confirmed = of(
        "patients",
        "email",
        "text",
        Some(counts(50, Form::Email, 49)),
    )
    .unwrap();
    assert_eq!(confirmed.confidence, High);
    assert_eq!(
        confirmed.reasons,
        [
            "its name",
            "49 of 50 sampled values look like an e-mail address"
        ]
    );
    let denied = of(
        "patients",
        "email",
        "text",
        Some(counts(50, Form::Email, 1)),
    )
    .unwrap();
    assert_eq!(denied.confidence, Medium);
    assert!(
        denied.reasons[1].starts_with("but only 1 of 50 sampled"),
        "{denied:?}"
    );
    // Digests are not the addresses that they were made from.
    assert_eq!(
        of(
            "patients",
            "email",
            "text",
            Some(counts(50, Form::Digest, 50))
        ),
        None
    );
    let choice = FormCounts::new(500, 4, &[]);
    let choice = of("patients", "reason", "text", Some(choice)).unwrap();
    assert_eq!(choice.confidence, Low);
    assert_eq!(
        choice.reasons[1],
        "but only 4 different values in 500 sampled values"
    );
}

#[test]
fn a_key_is_named_with_the_reason_why_it_cannot_be_sealed() {
    let mut facts = table(
        "patients",
        &[
            ("mrn", "text"),
            ("ssn", "text"),
            ("student_number", "int4"),
            ("full_name", "text"),
        ],
    );
    facts.keys = vec![KeyFacts {
        columns: vec!["mrn".to_owned(), "student_number".to_owned()],
        primary: true,
        ..KeyFacts::default()
    }];
    facts.foreign_keys = vec![ForeignKeyFacts {
        columns: vec!["ssn".to_owned()],
        other: "public.cards".to_owned(),
        incoming: true,
        ..ForeignKeyFacts::default()
    }];
    facts.columns[3].generated = true;
    let about = about(std::slice::from_ref(&facts));
    let found = suspects(&facts, &about[0], &Counts::new(), &[]);
    let why: Vec<(&str, &str)> = (found.iter())
        .map(|one| (one.column.as_str(), one.blocked.as_deref().unwrap()))
        .collect();
    assert_eq!(
        why,
        [
            ("mrn", "it is part of the primary key, which stays readable"),
            ("ssn", "public.cards refers to it by a foreign key"),
            (
                "full_name",
                "it is generated: seal the columns that it is made from"
            ),
        ]
    );
}

#[test]
fn what_is_sealed_already_is_not_proposed() {
    let facts = table("patients", &[("ssn", "text"), ("email", "text")]);
    let about = about(std::slice::from_ref(&facts));
    let found = suspects(&facts, &about[0], &Counts::new(), &["ssn".to_owned()]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].column, "email");
}

#[test]
fn only_types_whose_text_tells_something_are_looked_at() {
    for (base_type, worth) in [
        ("text", true),
        ("citext", true),
        ("date", true),
        ("int8", true),
        ("varchar(20)", true),
        ("", true),
        ("jsonb", false),
        ("bytea", false),
        ("uuid", false),
        ("bool", false),
        ("point", false),
    ] {
        assert_eq!(
            is_worth_a_look(&column("c", base_type)),
            worth,
            "{base_type}"
        );
    }
    let mut array = column("c", "text");
    array.array = true;
    assert!(!is_worth_a_look(&array));
}
