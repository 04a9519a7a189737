//! What the overview says, and that it fits.

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::engine::health::fixture::{health, key, lane, pause, procedure, report, rotation, run};
use crate::store::{OpenRows, QuarantineCount, QuarantineState};

fn shown(health: &Health, size: Option<(usize, usize)>) -> String {
    let (columns, lines) = size.unzip();
    text(health, &health.reasons(), columns, lines)
}

#[test]
fn where_nothing_is_the_overview_says_so() {
    let shown = shown(&health(), Some((80, 23)));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "running     nothing",
            "attention   nothing needs a person",
            "fields      none; the first `phiseal backfill` registers them",
            "keys        none; make them with `phiseal keys create`",
            "quarantine  nothing",
            "connection  a SQLite file",
            "details     phiseal status fields | runs | keys | rotations | quarantine",
        ]
    );
}

/// A run that is 41 % done, with a process that works on it.
fn busy() -> Health {
    let mut health = health();
    let mut running = run(1, RunState::Running);
    running.tally.rows_found = 41_000;
    health.runs = vec![running];
    health.shares.insert(1, 0.41);
    health.pace = vec![report(None)];
    health
}

#[test]
fn a_run_is_told_with_its_numbers_first() {
    let mut health = busy();
    // 59000 rows are left, at 1234.5 rows a second.
    let first = "running     41 %  1234 rows/s  47 s left  backfill public.patients  polite (3 %)";
    assert_eq!(shown(&health, Some((80, 23))).lines().next(), Some(first));
    assert_eq!(shown(&health, None).lines().next(), Some(first));
    health.pace = vec![report(Some("paused by me@here since noon"))];
    let text = shown(&health, Some((80, 23)));
    let lines: Vec<&str> = text.lines().take(2).collect();
    assert_eq!(
        lines,
        [
            "running     41 %  backfill public.patients",
            "              waiting 75 s: paused by me@here since noon",
        ]
    );
}

#[test]
fn a_verification_has_no_lanes_and_so_no_share() {
    let mut health = health();
    let mut verifies = report(None);
    verifies.kind = "verify".to_owned();
    verifies.run_id = None;
    verifies.duty = 1.0;
    health.pace = vec![verifies];
    assert_eq!(
        shown(&health, None).lines().next(),
        Some("running     1234 rows/s  verify public.patients")
    );
}

#[test]
fn what_needs_a_person_comes_with_its_command_and_is_not_said_to_run() {
    let mut health = health();
    health.runs = vec![run(4, RunState::Interrupted), run(5, RunState::Running)];
    health.lanes = vec![lane(5, Some(-1.0), false)];
    health.rotations = vec![rotation()];
    health.procedures = vec![procedure(false)];
    health.requests = vec![pause("", "2026-03-19T23:00:00Z")];
    let mut due = key(7);
    due.rotation_due_at = Some("2026-04-01T00:00:00Z".to_owned());
    health.keys = vec![due];
    let text = shown(&health, None);
    for line in [
        "running     nothing",
        "asked       all tables: paused, by me@here since 2026-03-19 23:00\n              `phiseal resume` ends that",
        "keys due    key 7 is due for rotation in 12 days: `phiseal rotate`",
        "            run 4 (backfill of public.patients) was interrupted (E0605)\n              `phiseal backfill` resumes it",
        "            run 5 (backfill of public.patients): process 4711 on host no longer works on it",
        "keys        1: 1 active; next rotation 2026-04-01 00:00 (UTC)",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn many_keys_are_one_line() {
    let mut health = health();
    health.keys = (1..=500)
        .map(|id| {
            let mut due = key(id);
            due.rotation_due_at = Some(format!("2026-03-{:02}T00:00:00Z", 21 + id % 9));
            due
        })
        .collect();
    let text = shown(&health, Some((80, 23)));
    let line = "keys due    500 keys, first on 2026-03-21 00:00: `phiseal rotate --if-due`";
    assert!(text.contains(line), "{text}");
    assert_eq!(text.lines().count(), 8, "{text}");
}

#[test]
fn hundreds_of_thousands_of_entries_are_counted_by_reason() {
    let mut health = health();
    let count = |reason: &str, entries| QuarantineCount {
        table_label: "public.patients".to_owned(),
        column_label: Some("ssn".to_owned()),
        step: "verify".to_owned(),
        state: QuarantineState::Open,
        reason: reason.to_owned(),
        key_id: 7,
        entries,
    };
    health.quarantine.counts = vec![
        count("the value does not open", 299_999),
        count("too long", 1),
    ];
    health.quarantine.open_rows = vec![OpenRows {
        table_label: "public.patients".to_owned(),
        rows: 299_998,
    }];
    let text = shown(&health, Some((80, 23)));
    for line in [
        "quarantine  300000 entries; 299998 rows are for a person to look at",
        "              299999  public.patients.ssn  the value does not open",
        "            299998 rows of public.patients are in quarantine\n              `phiseal quarantine list`",
    ] {
        assert!(
            text.replace("attention   ", "            ").contains(line),
            "{line} in\n{text}"
        );
    }
}

#[test]
fn it_fits_the_screen_however_much_there_is_and_whatever_the_names_are() {
    for name in [
        "public.".to_owned() + &"患".repeat(60),
        "\u{1b}[2J\n".repeat(40),
    ] {
        let mut health = busy();
        for id in 10..60 {
            let mut one = run(id, RunState::Interrupted);
            one.table_label = format!("{name}{id}");
            health.runs.push(one);
            let mut waits = report(Some(&name));
            waits.table_label = format!("{name}{id}");
            health.pace.push(waits);
            health
                .requests
                .push(pause(&format!("{name}{id}"), "2026-03-01T00:00:00Z"));
            health.quarantine.counts.push(QuarantineCount {
                table_label: format!("{name}{id}"),
                column_label: Some(name.clone()),
                step: "verify".to_owned(),
                state: QuarantineState::Open,
                reason: name.clone(),
                key_id: 7,
                entries: 1,
            });
        }
        for (columns, lines) in [(80, 23), (140, 40)] {
            let text = shown(&health, Some((columns, lines)));
            assert!(text.lines().count() <= lines, "{text}");
            for line in text.lines() {
                // A command is not cut: it is there to be copied.
                assert!(line.width() <= columns || line.contains('`'), "{line}");
            }
            for title in [
                "running",
                "asked",
                "attention",
                "fields",
                "quarantine",
                "details",
            ] {
                assert!(
                    text.lines().any(|line| line.starts_with(title)),
                    "{title} in\n{text}"
                );
            }
        }
    }
}
