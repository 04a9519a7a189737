//! Which files make a set, and which are refused.

use super::*;

fn faults(files: &[(&str, &'static str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(name, text)| SqlFile {
            name: (*name).to_owned(),
            text: (*text).into(),
        })
        .collect();
    match set("x".to_owned(), files, Vec::new(), &[]) {
        Err(MigrateError::Folder { faults }) => faults,
        Err(error) => vec![error.to_string()],
        Ok(set) => set.migrations.into_iter().flat_map(|m| m.faults).collect(),
    }
}

#[test]
fn two_files_of_one_day_are_two_versions_and_two_of_one_second_are_refused() {
    let day = [("20251104_143000_a.sql", ""), ("20251104_143001_b.sql", "")];
    assert!(faults(&day).is_empty());
    let second = [("20251104_143000_a.sql", ""), ("20251104143000-b.sql", "")];
    assert_eq!(
        faults(&second),
        ["20251104143000-b.sql: another file has its version: 20251104_143000_a.sql"]
    );
}

#[test]
fn every_file_that_could_not_be_run_is_named_at_once() {
    let found = faults(&[
        ("1_a.js", ""),
        ("2a.sql", ""),
        ("0_a.sql", ""),
        ("99999999999999999999_a.sql", ""),
        ("3_a.down.sql", ""),
        ("4_a.sql", "SELECT 'x"),
        ("5_a.sql", "SELECT 1;\n-- Down\nSELECT 2;"),
        ("6_a.up.sql", ""),
        ("6_b.down.sql", ""),
    ]);
    assert_eq!(found.len(), 8, "{found:#?}");
    let doubtful = |fault: &&String| fault.starts_with("5_a.sql: line 2 looks as if");
    assert_eq!(found.iter().filter(doubtful).count(), 1, "{found:#?}");
}

#[test]
fn a_folder_without_migrations_is_no_set() {
    assert_eq!(faults(&[]).len(), 1);
}

fn one(files: &[(&str, &'static str)], vars: &[(String, String)]) -> Migration {
    let files = files.iter().map(|(name, text)| SqlFile {
        name: (*name).to_owned(),
        text: (*text).into(),
    });
    let set = set("x".to_owned(), files.collect(), Vec::new(), vars);
    set.unwrap().migrations.remove(0)
}

#[test]
fn a_file_with_both_ways_is_known_by_its_way_up_and_by_the_whole() {
    let whole = "CREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;\n";
    let both = one(&[("1_a.sql", whole)], &[]);
    assert_eq!(
        both.down.as_deref().map(str::trim_start),
        Some("-- migrate:down\nDROP TABLE a;\n")
    );
    let mended = "CREATE TABLE a ();\n-- migrate:down\nDROP TABLE IF EXISTS a;\n";
    let mended = one(&[("1_a.sql", mended)], &[]);
    assert!(mended.is_of(&both.checksum()));
    assert!(both.is_of(&checksums(whole)[0]));
    let twice = one(
        &[("1_a.sql", whole), ("1_a.down.sql", "DROP TABLE a;")],
        &[],
    );
    assert_eq!(twice.faults, ["1_a.down.sql: 1_a.sql has a way back too"]);
}

#[test]
fn ends_of_lines_and_a_byte_order_mark_make_no_other_file() {
    let plain = one(&[("1_a.sql", "SELECT 1;\nSELECT 2;\n")], &[]);
    for other in [
        "SELECT 1;\r\nSELECT 2;\r\n",
        "\u{feff}SELECT 1;\nSELECT 2;\n",
        "\u{feff}SELECT 1;\r\nSELECT 2;\r\n",
    ] {
        let other = one(&[("1_a.sql", other)], &[]);
        assert!(other.is_of(&plain.checksum()) && plain.is_of(&other.checksum()));
    }
    let changed = one(&[("1_a.sql", "SELECT 1;\nSELECT 3;\n")], &[]);
    assert!(!changed.is_of(&plain.checksum()));
}

#[test]
fn flyways_files_are_a_set_of_their_own_with_placeholders_and_undo_files() {
    let files = [
        ("V1_1__a.sql", "CREATE TABLE a (b text DEFAULT '${b}');"),
        ("U1_1__a.sql", "DROP TABLE a;"),
    ];
    let vars = [("b".to_owned(), "c".to_owned())];
    let filled = one(&files, &vars);
    assert!(filled.up.contains("DEFAULT 'c'") && filled.down.is_some());
    assert_eq!(filled.checksum(), one(&files, &[]).checksum());
    assert_eq!(one(&files, &[]).faults.len(), 1);
    assert_eq!(faults(&[("V1__a.sql", ""), ("2_b.sql", "")]).len(), 1);
    assert!(faults(&[("B1__a.sql", "")])[0].contains("baseline"));
    assert_eq!(faults(&[("1_a.sql", "SELECT '${b}'")]).len(), 0);
    let below = [("a/V1__a.sql", ""), ("b/V1_0__b.sql", "")];
    assert_eq!(
        faults(&below),
        ["b/V1_0__b.sql: another file has its version: a/V1__a.sql"]
    );
}

#[test]
fn what_can_only_be_a_placeholder_is_refused_without_a_value_for_it() {
    let text = "CREATE TABLE a (b text DEFAULT '${b}');\n-- ${c}\nCREATE TABLE\n  ${s}.d ();";
    assert_eq!(
        faults(&[("1_a.sql", text), ("1_a.down.sql", "DROP TABLE ${s}.d;")]),
        [
            "1_a.sql: line 4 has the placeholder ${s}: give it with --var s=VALUE",
            "1_a.down.sql: line 1 has the placeholder ${s}: give it with --var s=VALUE"
        ]
    );
}
