use super::*;

const UP: &str = "CREATE TABLE a (id int);";
const DOWN: &str = "DROP TABLE a;";

fn file(mark: &str) -> String {
    format!("{UP}\n\n{mark}\n{DOWN}\n")
}

#[test]
fn the_marks_of_the_tools_part_a_file() {
    for mark in [
        "-- +migrate Down",
        "-- +migrate Down notransaction",
        "-- +goose Down",
        "--+goose DOWN",
        "-- +micrate Down",
        "-- rambler down",
        "-- migrate:down",
        "-- migrate:down transaction:false",
        "-- Down Migration",
        "---- Down Migration ----",
        "---- create above / drop below ----",
        "-- //@UNDO",
        "--//@UNDO",
        "-- @UNDO",
        "-- // @undo",
        "-- //@UNDOnt",
        "-- // @UNDO of the client table",
        "-- !Downs",
        "# --- !Downs",
        "#--- !Downs",
        "  -- +goose Down  ",
        "-- +goose Down\r",
    ] {
        let text = file(mark);
        let ways = split(&text).unwrap().unwrap_or_else(|| panic!("{mark}"));
        assert_eq!(ways.up.trim(), UP, "{mark}");
        let down = ways.down.unwrap();
        assert!(down.ends_with("DROP TABLE a;\n"), "{mark}");
        assert!(!down.contains("CREATE"), "{mark}");
        let line = down.lines().position(|line| line == DOWN);
        assert_eq!(line, Some(3), "{mark}: its lines keep their numbers");
    }
}

#[test]
fn both_marks_part_a_file_in_either_order() {
    for (up, down) in [
        (
            "-- +migrate Up notransaction",
            "-- +migrate Down notransaction",
        ),
        ("-- +goose Up", "-- +goose Down"),
        ("-- +micrate Up", "-- +micrate Down"),
        ("-- rambler up", "-- rambler down"),
        ("-- migrate:up transaction:false", "-- migrate:down"),
        ("-- Up Migration", "-- Down Migration"),
        ("# --- !Ups", "# --- !Downs"),
    ] {
        let forth = format!("-- of 2024\n{up}\n{UP}\n{down}\n{DOWN}\n");
        let back = format!("-- of 2024\n{down}\n{DOWN}\n{up}\n{UP}\n");
        for text in [forth, back] {
            let ways = split(&text).unwrap().unwrap();
            let down = ways.down.unwrap();
            assert!(ways.up.contains(UP) && !ways.up.contains(DOWN), "{text}");
            assert!(down.contains(DOWN) && !down.contains(UP), "{text}");
            assert!(!ways.up.contains('#') && !down.contains('#'), "{text}");
        }
    }
}

#[test]
fn what_only_looks_like_a_mark_is_refused_by_its_line() {
    for mark in [
        "-- @UNDOnt",
        "-- !Down",
        "-- @rollbacks",
        "-- Down Migration (drops the table)",
        "-- rambler dwon",
        "-- Down",
        "-- DOWN",
        "--- DOWN",
        "-- down:",
        "-- ROLLBACK",
        "-- @down",
        "-- === Down ===",
        "-- Undo",
        "-- Revert",
        "-- Rollback script",
        "-- Down migration begins here",
        "-- migrate:dwon",
        "-- +goose Dwon",
        "-- +goose Down later",
        "-- +goose ENVSUB ON",
        "-- +migrate Down and so on",
        "-- rambler down now",
        "-- @UNDO this",
        "-- create above drop below",
        "/* +goose Down */",
        "/* DOWN */",
        "# down",
    ] {
        assert_eq!(
            split(&file(mark)),
            Err(MarkFault::Doubtful { line: 3 }),
            "{mark}"
        );
    }
}

#[test]
fn what_is_no_mark_parts_nothing() {
    for text in [
        file("-- @downstream service"),
        file("-- rambler writes this by itself"),
        file("-- down payment"),
        file("-- rollback of the trial, see the minutes"),
        file("--rollback DROP TABLE a;"),
        file("-- the table of undone orders"),
        file("-- migrate: the users"),
        file("-- Migration of the downtown clinic"),
        file("-- rambler is a tool"),
        file("-- +goose StatementBegin"),
        "SELECT 1; -- Down\nSELECT 2;".to_owned(),
        "SELECT '\n-- Down\n';".to_owned(),
        "DO $$\nBEGIN\n-- ROLLBACK\nNULL;\nEND $$;".to_owned(),
        "CREATE TABLE a (\n-- down\nb int);".to_owned(),
        "/*\n-- +goose Down\n*/ SELECT 1;".to_owned(),
        "SELECT 1;\n-- ROLLBACK\n-- DROP TABLE a;\n".to_owned(),
    ] {
        assert_eq!(split(&text), Ok(None), "{text}");
    }
}

#[test]
fn marks_that_contradict_each_other_are_refused() {
    let twice = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n-- +goose Down\nSELECT 3;";
    assert_eq!(split(twice), Err(MarkFault::Again { line: 5 }));
    let mixed = "-- +goose Up\nSELECT 1;\n-- migrate:down\nSELECT 2;";
    assert_eq!(split(mixed), Err(MarkFault::Again { line: 3 }));
    let before = "-- x\nSELECT 1;\n-- +goose Up\nSELECT 2;";
    assert_eq!(split(before), Err(MarkFault::Before { line: 2 }));
}

#[test]
fn a_file_that_is_the_way_back_may_say_so_at_its_head() {
    assert_eq!(check_down("-- Down\nDROP TABLE a;"), Ok(()));
    assert_eq!(check_down("-- +goose Down\nDROP TABLE a;"), Ok(()));
    let both = "-- +goose Up\nCREATE TABLE a ();";
    assert_eq!(check_down(both), Err(MarkFault::InDown { line: 1 }));
    let late = "DROP TABLE a;\n-- Down\nDROP TABLE b;";
    assert_eq!(check_down(late), Err(MarkFault::InDown { line: 2 }));
}

#[test]
fn a_semicolon_that_play_writes_twice_is_one() {
    let text = "# --- !Ups\nCREATE FUNCTION f() AS $$ BEGIN NULL;; END $$;\n# --- !Downs\nDROP FUNCTION f;\n";
    let ways = split(text).unwrap().unwrap();
    assert!(ways.up.contains("NULL; END"), "{}", ways.up);
}
