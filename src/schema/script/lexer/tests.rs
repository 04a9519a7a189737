//! Where statements end, and what of a file is refused.

use super::*;

fn texts(sql: &str) -> Vec<String> {
    let found = statements(sql).unwrap();
    found.into_iter().map(|s| s.text).collect()
}

#[test]
fn semicolons_in_strings_names_comments_and_bodies_end_nothing() {
    let whole = [
        "SELECT ';'",
        "SELECT 'it''s;'",
        r"SELECT E'\';'",
        "SELECT \";\"\";\"",
        "SELECT 1 -- ;\n + 1",
        "SELECT 1 /* ; /* ; */ ; */ + 1",
        "DO $$ BEGIN NULL; END $$",
        "DO $a$ SELECT '$$;' ; $b$ ; $a$",
        "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)",
        "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC \
         SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        "CREATE FUNCTION days(p period) RETURNS int LANGUAGE SQL BEGIN ATOMIC \
         SELECT p.end - p.start AS end; SELECT p.start end FROM p; \
         SELECT CASE WHEN p.end IS NULL THEN 0 ELSE p.end END; END",
        "SELECT $1, a$b",
        "SELECT $größe$ ; $größe$, $→$;$→$",
        "SELECT E'a\\n'\n  'don\\'t; x'",
        "SELECT E'a'\n -- don't\n  'b\\';'",
        "SELECT 'ß;' || U&'\\0441;'",
    ];
    for sql in whole {
        assert_eq!(texts(sql), [sql]);
        assert_eq!(texts(&format!("{sql} ; SELECT 7;")), [sql, "SELECT 7"]);
    }
}

#[test]
fn an_end_that_ends_no_body_ends_nothing_else() {
    let sql = "BEGIN; SELECT CASE WHEN true THEN 1 END; COMMIT";
    assert_eq!(texts(sql).len(), 3);
}

#[test]
fn a_backslash_escapes_where_the_text_says_so() {
    for off in ["off", "'off'", "FALSE"] {
        let sql = format!(
            "SET standard_conforming_strings = {off};\nSELECT 'it\\'s; done';\n\
             SET standard_conforming_strings TO on; SELECT 'C:\\'; SELECT 2"
        );
        assert_eq!(texts(&sql).len(), 5, "{sql}");
    }
    for sql in [
        "\nSET standard_conforming_strings TO DEFAULT",
        "\nSELECT set_config('standard_conforming_strings', 'off', false)",
    ] {
        assert_eq!(statements(sql), Err(Unreadable::Strings { line: 2 }));
    }
}

#[test]
fn the_marks_of_dumps_are_passed_over_and_what_copies_is_told_before_its_data() {
    let dump = "\\restrict aB3\n\nSELECT 1;\n\\unrestrict aB3\n";
    assert_eq!(texts(dump), ["SELECT 1"]);
    let copies = "SELECT 1;\nCOPY t (a) FROM stdin;\nit's\n\\.\nSELECT 2;";
    let told = Err(Unreadable::CopiesFromClient { line: 2 });
    assert_eq!(statements(copies), told);
    assert_eq!(
        texts("COPY t FROM '/tmp/STDIN'; COPY (SELECT 1) TO STDOUT").len(),
        2
    );
    let endless = "\nCREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC SELECT 1; SELECT 2;";
    assert_eq!(
        statements(endless),
        Err(Unreadable::UnendedBody { line: 3 })
    );
}

#[test]
fn a_carriage_return_ends_a_comment_too() {
    assert_eq!(texts("-- c\rSELECT 1;\r"), ["SELECT 1"]);
}

#[test]
fn statements_know_their_lines_and_empty_ones_are_left_out() {
    let sql = "\u{feff}-- head\n;;\nSELECT 1;\n\n/* x */ SELECT\n2 ; -- end\n";
    let lines: Vec<usize> = statements(sql).unwrap().iter().map(|s| s.line).collect();
    assert_eq!(lines, [3, 5]);
}

#[test]
fn what_has_no_end_and_what_is_no_sql_is_refused_with_its_line() {
    for sql in ["\nSELECT 'a", "\n/* /* */", "\nDO $x$ $y$", "\nSELECT \"a"] {
        assert_eq!(statements(sql), Err(Unreadable::Unended { line: 2 }));
    }
    let sql = "SELECT 1;\n\\i other.sql\n";
    assert_eq!(statements(sql), Err(Unreadable::PsqlCommand { line: 2 }));
}

#[test]
fn tokens_leave_strings_out_and_keep_quoted_names() {
    let found = statements("create index \"Ünique\" on t (a, 'b;')").unwrap();
    let tokens: Vec<&str> = found[0].tokens.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(
        tokens,
        [
            "CREATE",
            "INDEX",
            "\"Ünique\"",
            "ON",
            "T",
            "(",
            "A",
            ",",
            ")"
        ]
    );
    let on = &found[0].tokens[3];
    assert_eq!(&found[0].text[on.begin..on.end], "on");
}
