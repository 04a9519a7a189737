//! What a row that fails does: the line is named and no value, nothing of it is written, the rows before it
//! are; with `--keep-going` it is marked.

use super::{lines, of_people, people};
use crate::support::Fixture;
use crate::support::phiseal::Finished;
use serde_json::{Value, json};

/// The sealed ssn of patient 1 of the north.
async fn sealed(fixture: &Fixture) -> String {
    let select = "SELECT ssn_sealed::text FROM people WHERE clinic = 'north' AND no = 1";
    fixture.scalar(select).await.unwrap()
}

fn row(clinic: &str, no: i64, sealed: &str) -> String {
    json!({ "clinic": clinic, "no": no, "ssn_sealed": sealed }).to_string()
}

/// Nothing of what is secret is said.
fn keeps_silent(finished: &Finished) {
    for secret in ["142-52", "0042", "52 0"] {
        assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_value_of_another_row_tenant_or_column_or_one_that_was_changed_is_refused_by_its_line() {
    let fixture = people("scripts_refused").await;
    let sealed = sealed(&fixture).await;
    let good = row("north", 1, &sealed);
    let mut flipped = sealed.clone();
    let last = if flipped.ends_with('0') { "1" } else { "0" };
    flipped.replace_range(flipped.len() - 1.., last);
    let unknown = format!("\\xe70200000009{}", &sealed[14..]);
    for (bad, code, exit) in [
        (row("north", 2, &sealed), "E0323", 6),
        (row("south", 1, &sealed), "E0431", 7),
        (row("north", 1, &flipped), "E0323", 6),
        (row("north", 1, &unknown), "E0427", 7),
        (row("north", 1, "\\xe701"), "E0321", 6),
        (row("north", 1, "142-52-0042"), "E0159", 2),
        (row("north", 1, "ps1.142-52-0042"), "E0322", 6),
        (row("", 1, &sealed), "E0156", 2),
        (
            json!({ "clinic": "north", "ssn_sealed": sealed }).to_string(),
            "E0154",
            2,
        ),
        (
            json!({ "clinic": "north", "no": "142-52-0042", "ssn_sealed": sealed }).to_string(),
            "E0156",
            2,
        ),
        ("{\"no\": 142-52-0042".to_owned(), "E0155", 2),
    ] {
        let input = format!("{good}\n\n{bad}\n{good}\n");
        let ended = of_people(&fixture, "open", &[])
            .env("PHISEAL_LOG", "trace")
            .reads(input)
            .run()
            .await;
        let ended = ended.expect_code(exit);
        assert!(
            ended.stderr.contains(&format!("error[{code}]: line 3: ")),
            "{}",
            ended.stderr
        );
        let [only] = &lines(&ended)[..] else {
            panic!("{bad}: {}", ended.stdout);
        };
        assert_eq!(only["ssn"], "142-52-0042");
        keeps_silent(&ended);
    }
}

#[tokio::test]
async fn with_keep_going_each_row_has_its_line_and_those_that_fail_are_marked() {
    let fixture = people("scripts_keep_going").await;
    let sealed = sealed(&fixture).await;
    let rows = [
        row("north", 2, &sealed),
        "142-52-0042".to_owned(),
        row("north", 1, &sealed),
        row("south", 1, &sealed),
    ];
    let input = format!("{{\"no\":7}}\n{}\n", rows.join("\n"));
    let ended = of_people(&fixture, "open", &["--keep-going"])
        .reads(input)
        .run()
        .await;
    let ended = ended.expect_code(6);
    let marks: Vec<Value> = lines(&ended)
        .iter()
        .map(|row| row["phiseal_error"].clone())
        .collect();
    assert_eq!(
        marks,
        [
            json!("E0154"),
            json!("E0323"),
            json!("E0155"),
            Value::Null,
            json!("E0431")
        ]
    );
    assert_eq!(lines(&ended)[3]["ssn"], "142-52-0042");
    // What failed keeps its other members, and neither the sealed value nor a plaintext.
    assert_eq!(
        lines(&ended)[1],
        json!({ "clinic": "north", "no": 2, "ssn": null, "phiseal_error": "E0323" })
    );
    assert!(
        ended.stderr.contains("line 2: [E0323] "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("opened 1 value; 4 rows failed"),
        "{}",
        ended.stderr
    );
    keeps_silent(&ended);

    let input =
        format!("no,ssn_sealed,clinic\n1,{sealed},north\n1,{sealed},south\n1,x\n2,,north\n");
    let ended = of_people(&fixture, "open", &["--keep-going"])
        .reads(input)
        .run()
        .await;
    let expected =
        "no,ssn,clinic,phiseal_error\n1,142-52-0042,north,\n1,,south,E0431\n,,,E0155\n2,,north,\n";
    assert_eq!(ended.expect_code(6).stdout, expected);
}

#[tokio::test]
async fn what_cannot_be_sealed_is_refused_and_never_written() {
    let fixture = people("scripts_unsealed").await;
    let row =
        |clinic: &str, ssn: Value| json!({ "clinic": clinic, "no": 1, "ssn": ssn }).to_string();
    for (bad, code, exit) in [
        // A tenant that has no key yet.
        (row("west", json!("142-52-0042")), "E0433", 7),
        (row("north", json!({ "a": "142-52-0042" })), "E0159", 2),
        (
            row("north", Value::Null).replace("\"no\":1,", "\"no\":\"142-52-0042\","),
            "E0000",
            0,
        ),
    ] {
        let ended = of_people(&fixture, "seal", &[])
            .reads(&bad)
            .run()
            .await
            .expect_code(exit);
        if code == "E0000" {
            // NULL is not sealed, so the row's key does not matter.
            assert_eq!(lines(&ended)[0]["ssn_sealed"], Value::Null);
            continue;
        }
        assert!(
            ended.stderr.contains(&format!("error[{code}]: line 1: ")),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
        keeps_silent(&ended);
        let marked = of_people(&fixture, "seal", &["--keep-going"])
            .reads(&bad)
            .run()
            .await;
        let marked = marked.expect_code(6);
        assert!(!marked.stdout.contains("0042"), "{}", marked.stdout);
        assert_eq!(lines(&marked)[0]["phiseal_error"], code);
    }
}

#[tokio::test]
async fn a_value_in_another_form_than_its_type_is_not_sealed() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, born date, scan bytea);
        INSERT INTO t VALUES (1, '1952-03-04', '\\x01')";
    let plan = "[[table]]\nname = \"public.t\"\n\
        [[table.column]]\nname = \"born\"\nseal_into = \"born_sealed\"\n\
        [[table.column]]\nname = \"scan\"\nseal_into = \"scan_sealed\"\n";
    let fixture = Fixture::postgres("scripts_form", ddl, plan).await;
    fixture.backfill().await;
    for (column, wrong, code) in [
        ("born", "03/04/1952", "E0331"),
        ("born", "1952-13-04", "E0331"),
        ("scan", "0304", "E0159"),
        ("scan", "\\x030", "E0159"),
    ] {
        let args = ["seal", "--table", "t", "--column", column];
        let input = format!("id,{column}\n1,{wrong}\n");
        let ended = fixture
            .phiseal(&args)
            .reads(input)
            .run()
            .await
            .expect_code(2);
        assert!(
            ended.stderr.contains(&format!("error[{code}]: line 2: ")),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains(wrong), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_field_or_a_column_that_is_not_there_is_named_before_anything_is_read() {
    let fixture = people("scripts_unknown").await;
    for (args, code) in [
        (&["open", "--column", "ssn"][..], "E0151"),
        (
            &[
                "open", "--table", "people", "--table", "saved", "--column", "ssn",
            ],
            "E0151",
        ),
        (&["open", "--table", "people", "--column", "dob"], "E0152"),
        (&["seal", "--table", "peple", "--column", "ssn"], "E0152"),
    ] {
        assert_eq!(fixture.refused(args, 2).await, code, "{args:?}");
    }
    let ended = of_people(&fixture, "open", &[])
        .reads("no,clinic,ssn\n1,north,x\n")
        .run()
        .await;
    let ended = ended.expect_code(2);
    assert!(
        ended
            .stderr
            .contains("error[E0154]: line 1: there is no ssn_sealed in it"),
        "{}",
        ended.stderr
    );
    // Without a header nothing can go on.
    let ended = of_people(&fixture, "open", &["--keep-going"])
        .reads("no,ssn\n1,x\n")
        .run()
        .await;
    ended.expect_code(2);
}
