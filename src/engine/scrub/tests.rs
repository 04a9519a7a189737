//! Where found plaintext is reported, and how messages name files.

use super::*;

#[test]
fn what_stands_in_rewritten_statistics_is_of_a_live_column() {
    let step = |not_done: Option<&str>| StepDone {
        statement: "VACUUM FULL pg_catalog.pg_statistic".to_owned(),
        needs: "the owner".to_owned(),
        not_done: not_done.map(str::to_owned),
    };
    for (not_done, left) in [(None, 1), (Some("no right"), 2)] {
        let found = |what: &str| FoundIn {
            file: "base/1/2".to_owned(),
            what: what.to_owned(),
            values: 3,
        };
        let mut files = FilesLooked {
            found: vec![found("pg_statistic"), found("table public.people")],
            ..FilesLooked::default()
        };
        set_live_statistics_apart(&mut files, &[step(not_done)]);
        assert_eq!((files.found.len(), files.left_out.len()), (left, 2 - left));
    }
}

#[test]
fn a_message_names_few_files_and_counts_the_others() {
    let found = |file: &str| FoundIn {
        file: file.to_owned(),
        what: "log".to_owned(),
        values: 3,
    };
    assert_eq!(named(&[found("a")]), "a (log): 3 values");
    let many: Vec<FoundIn> = ["a", "b", "c", "d", "e", "f", "g"].map(found).into();
    assert!(named(&many).ends_with("; 2 more files"));
}
