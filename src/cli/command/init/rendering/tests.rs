//! Tests of what `init` shows.

use super::*;
use crate::cli::lines::WIDTH;
use crate::engine::phi::Kind;
use crate::engine::preflight::Level;
use crate::plan::propose::Proposal;

fn column(name: &str) -> ProposedColumn {
    ProposedColumn {
        name: Ident::new(name).unwrap(),
        source_type: "text".to_owned(),
        blind_index: None,
        reasons: Vec::new(),
        active: true,
        warnings: vec!["one".to_owned()],
    }
}

fn proposed(name: &str, columns: &[&str]) -> ProposedTable {
    ProposedTable {
        name: name.parse().unwrap(),
        tenant_column: Some("clinic_id".parse().unwrap()),
        existing: Vec::new(),
        columns: columns.iter().map(|name| column(name)).collect(),
        warnings: vec!["two".to_owned()],
    }
}

fn problem(table: &str, code: &'static str, message: &str) -> Finding {
    Finding {
        code,
        level: Level::Refusal,
        table: table.to_owned(),
        column: None,
        message: message.to_owned(),
        hint: "name the table below it".to_owned(),
    }
}

fn suspect(column: &str, kind: Kind, confidence: Confidence) -> Suspect {
    Suspect {
        column: column.to_owned(),
        kind,
        confidence,
        reasons: vec![
            "its name".to_owned(),
            "1000 of 1000 sampled values look like a social security number".to_owned(),
        ],
        blocked: None,
    }
}

fn looked(suspects: Vec<Suspect>, problems: Vec<Finding>) -> Looked {
    let names: Vec<&str> = suspects.iter().map(|one| one.column.as_str()).collect();
    Looked {
        schemas: vec!["public".to_owned()],
        proposal: Proposal {
            tables: vec![proposed("public.patients", &names)],
            warnings: Vec::new(),
        },
        tables: vec![Table {
            name: "public.patients".to_owned(),
            about: Some("rows are people".to_owned()),
            suspects,
        }],
        problems,
        tables_looked_at: 3,
        columns_looked_at: 40,
        unsampled: Vec::new(),
    }
}

#[test]
fn the_result_names_the_file_its_columns_the_problems_and_what_is_next() {
    let found = Surveyed {
        proposal: Proposal {
            tables: vec![proposed("public.v", &["ssn"])],
            warnings: Vec::new(),
        },
        problems: vec![problem("public.v", "E0203", "it is a view")],
    };
    let text = text(Path::new("p.toml"), &found);
    let begins = "public.v: ssn (tenant column, perhaps: clinic_id)\n\
        Wrote p.toml (the database was not touched). 1 problem to fix:\n  \
          public.v: it is a view [E0203]\n    \
            name the table below it\n\
        The file has 1 note on what to know";
    assert!(text.starts_with(begins), "{text}");
    for next in [
        "keys new-wrapping-key",
        "migrate up",
        "keys create",
        "phiseal plan",
    ] {
        assert!(text.contains(next), "{next}");
    }
    let object = object(Path::new("p.toml"), &found);
    assert_eq!(
        object["tables"][0]["columns"][0]["blind_index"],
        Value::Null
    );
    assert_eq!(object["problems"][0]["code"], "E0203");
}

#[test]
fn many_problems_are_shown_once_for_each_kind() {
    let mut problems = vec![problem("public.a", "E0203", "it is a view")];
    for table in 0..20 {
        problems.push(problem(
            &format!("public.t{table}"),
            "E0224",
            "a trigger fires",
        ));
    }
    let found = Surveyed {
        proposal: Proposal::default(),
        problems,
    };
    let text = text(Path::new("p.toml"), &found);
    assert!(text.contains("21 problems to fix:"), "{text}");
    assert!(
        text.contains("  public.t0: a trigger fires [E0224]"),
        "{text}"
    );
    assert!(
        text.contains("    19 more like this: see the notes in the file"),
        "{text}"
    );
    assert!(!text.contains("public.t1:"), "{text}");
}

#[test]
fn a_schema_is_shown_in_eighty_columns_and_weak_suspicions_are_counted() {
    let mut blocked = suspect(
        "a_column_with_a_name_of_no_less_than_forty",
        Kind::Image,
        Confidence::High,
    );
    blocked.blocked = Some("it is part of the primary key, which stays readable".to_owned());
    let suspects = vec![
        suspect("ssn", Kind::SocialSecurity, Confidence::High),
        blocked,
        suspect("town\n", Kind::Address, Confidence::Medium),
        suspect("weak", Kind::Device, Confidence::Low),
    ];
    let mut found = looked(suspects, Vec::new());
    found.unsampled = vec![("public.big".to_owned(), "it took too long".to_owned())];
    let text = schema_text(Path::new("p.toml"), &found);
    let wide: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > WIDTH)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("public.patients: rows are people"));
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("  high    ssn                       SSN                 its name; "),
        "{text}"
    );
    assert!(text.contains("  medium  town\\n"), "{text}");
    assert!(text.contains("not sealed: it is part"), "{text}");
    assert!(!text.contains("weak"), "{text}");
    let counts = "40 columns of 3 tables looked at; 1 column of high, 1 of medium and 1 of low";
    assert!(text.replace('\n', " ").contains(counts), "{text}");
    assert!(text.contains("public.big: it took too long"), "{text}");
}

#[test]
fn the_object_has_the_reasons_of_every_column_beside_it() {
    let suspects = vec![
        suspect("ssn", Kind::SocialSecurity, Confidence::High),
        suspect("weak", Kind::Device, Confidence::Low),
    ];
    let object = schema_object(Path::new("p.toml"), &looked(suspects, Vec::new()));
    let columns = &object["tables"][0]["columns"];
    assert_eq!(columns[0]["kind"], "SSN");
    assert_eq!(columns[1]["name"], "weak");
    assert_eq!(columns[1]["confidence"], "low");
    assert_eq!(columns[1]["reasons"].as_array().unwrap().len(), 2);
    assert_eq!(object["tables"][0]["about"], "rows are people");
    assert_eq!(object["columns_looked_at"], 40);
}
