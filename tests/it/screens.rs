//! What people see: screens at 80 columns, lines off a terminal, and what an interrupted or failed command
//! says. The real program, on a pseudo-terminal of a known size or into a pipe.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::ops::on_both;
use crate::support::phiseal::Finished;
use crate::support::proxy::Proxy;
use crate::support::{Base, Fixture, Phiseal, Project, marked, marked_in_sqlite};

on_both!(
    screens_fit_80_columns_whatever_the_names_are,
    three_hundred_thousand_entries_are_counted_and_not_listed,
    a_watch_goes_on_until_it_is_stopped_and_ends_well,
    a_verification_names_each_column_and_what_to_do,
);

const COLUMNS: usize = 80;
const LINES: usize = 24;

/// Runs a shell command on a pseudo-terminal of 80 columns and 24 lines; its last line is `exit CODE`.
fn on_a_terminal(fixture: &Fixture, command: &str) -> Phiseal {
    let sized = format!("stty cols {COLUMNS} rows {LINES}; {command}; echo \"exit $?\"");
    Phiseal::instead("script", ["-qec", &sized, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("P", env!("CARGO_BIN_EXE_phiseal"))
        .cwd(fixture.project.dir())
}

/// The lines that a terminal would show one after the other: every line break, return and movement of the
/// cursor begins another. The last drawing of a bar fills its line with blanks, so that what is printed next
/// stands on the line below it.
fn shown(finished: &Finished) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = finished.stdout.chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\r' => lines.push(String::new()),
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "{:?}", finished.stdout);
                rest.find(char::is_ascii_alphabetic);
                lines.push(String::new());
            }
            c => {
                let last = lines.last_mut().unwrap();
                match last.width() == COLUMNS && last.contains(" % [") {
                    true => lines.push(c.to_string()),
                    false => last.push(c),
                }
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[track_caller]
fn expect_narrow(finished: &Finished, but: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = shown(finished);
    for line in &lines {
        assert!(
            line.width() <= COLUMNS || but(line),
            "{line}\nof {lines:#?}"
        );
    }
    lines
}

/// Names that are nothing special, so many that the overview has no room for all.
const ORDINARY_NAMES: usize = 7;

/// Runs, lanes and entries with names that are long, wide, or made to deceive.
async fn fill_with_odd_names(fixture: &Fixture) {
    let odd = [
        "public.".to_owned() + &"患者".repeat(10),
        "public.a_table_with_a_name_of_sixty_three_bytes_as_postgresql_allows".to_owned(),
        "x\n\u{1b}[2J\u{202e}FORGED".to_owned(),
    ];
    let ordinary = (0..ORDINARY_NAMES).map(|n| format!("public.table_{n}"));
    let names: Vec<String> = ordinary.chain(odd).collect();
    let [runs, lanes, quarantine] = ["runs", "lanes", "quarantine"].map(|own| fixture.own(own));
    for (at, name) in names.iter().enumerate() {
        let key = at + 1;
        fixture
            .exec(&format!(
                "INSERT INTO {runs} (kind, table_label, digest, state, actor, error_code)
                     VALUES ('backfill', '{name}', 'd', 'interrupted', '{name}', '{name}');
                 INSERT INTO {lanes} (run_id, lane_no, relation, holder)
                     SELECT max(run_id), 0, '{name}', '{name}/boot/4711/9/0' FROM {runs};
                 INSERT INTO {quarantine} (table_label, column_label, row_tag, key_sealed, key_id, step, reason)
                     VALUES ('{name}', '{name}', '00000000000000{key:02}', {bytes}, 1, 'backfill', '{name}')",
                bytes = match fixture.base {
                    Base::Postgres(_) => "'\\x00'",
                    Base::Sqlite(_) => "x'00'",
                }
            ))
            .await;
    }
}

async fn screens_fit_80_columns_whatever_the_names_are(fixture: Fixture) {
    // A table of sixty columns, all of them registered.
    let fixture = fixture.keyed().await;
    let columns: Vec<String> = (1..=60)
        .map(|n| format!("a_column_with_a_rather_long_name_{n}"))
        .collect();
    let defined: Vec<String> = columns.iter().map(|name| format!("{name} text")).collect();
    fixture
        .exec(&format!(
            "CREATE TABLE wide (id integer PRIMARY KEY, {});
             INSERT INTO wide (id) VALUES (1)",
            defined.join(", ")
        ))
        .await;
    let planned: Vec<String> = columns
        .iter()
        .map(|name| format!("[[table.column]]\nname = {name:?}\nseal_into = \"{name}_sealed\"\n"))
        .collect();
    let tables = format!(
        "[[table]]\nname = {:?}\n{}",
        fixture.table("wide"),
        planned.concat()
    );
    fixture.project.plan(&fixture.url(), &tables);
    fixture.run(&["backfill"]).await.expect_code(0);
    fill_with_odd_names(&fixture).await;

    let overview = on_a_terminal(&fixture, "\"$P\" status").run().await;
    // A command to be copied is not cut.
    let lines = expect_narrow(&overview, |line| line.contains('`'));
    assert!(lines.len() <= LINES, "{lines:#?}");
    for title in [
        "running",
        "attention",
        "fields      60: 60 sealed",
        "quarantine  10 entries",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(title)),
            "{title} in {lines:#?}"
        );
    }
    assert!(
        lines
            .iter()
            .any(|line| line.contains("more: `phiseal status --check`")),
        "{lines:#?}"
    );
    for list in [
        "status fields",
        "status runs",
        "status keys",
        "status rotations",
        "status quarantine",
        "fields list",
        "runs list",
        "quarantine list",
    ] {
        let run = on_a_terminal(&fixture, &format!("\"$P\" {list}"))
            .run()
            .await;
        let lines = expect_narrow(&run, |_| false);
        assert_eq!(lines.last().unwrap(), "exit 0", "{list}: {lines:#?}");
        assert!(
            !lines
                .iter()
                .any(|line| line.trim_start().starts_with("FORGED")),
            "{lines:#?}"
        );
    }
    // Into a pipe nothing is cut or left out.
    let whole = fixture
        .run(&["status", "fields"])
        .await
        .expect_code(0)
        .stdout;
    assert!(
        whole.contains("a_column_with_a_rather_long_name_60_sealed"),
        "{whole}"
    );
}

async fn three_hundred_thousand_entries_are_counted_and_not_listed(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let quarantine = fixture.own("quarantine");
    let columns = "(table_label, column_label, row_tag, key_sealed, key_id, step, reason)";
    let (numbers, tag, bytes) = match fixture.base {
        Base::Postgres(_) => (
            "generate_series(1, 300000) AS s(n)",
            "lpad(to_hex(n), 16, '0')",
            "'\\x00'::bytea",
        ),
        Base::Sqlite(_) => (
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300000) SELECT n FROM s)",
            "printf('%016x', n)",
            "x'00'",
        ),
    };
    fixture
        .exec(&format!(
            "INSERT INTO {quarantine} {columns}
                 SELECT 'public.patients', 'ssn', {tag}, {bytes}, 1, 'verify',
                     CASE WHEN n % 3 = 0 THEN 'too long' ELSE 'the value does not open' END FROM {numbers}"
        ))
        .await;
    let text = fixture.run(&["status"]).await.expect_code(0).stdout;
    for line in [
        "quarantine  300000 entries; 300000 rows are for a person to look at",
        "              200000  public.patients.ssn  the value does not open",
        "              100000  public.patients.ssn  too long",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(text.lines().count() < LINES, "{text}");
    let wrong = fixture.run(&["status", "--check"]).await.expect_code(10);
    assert_eq!(
        wrong.stdout,
        "300000 rows of public.patients are in quarantine: `phiseal quarantine list`\n"
    );

    let listed = fixture
        .run(&["quarantine", "list"])
        .await
        .expect_code(0)
        .stdout;
    assert!(listed.lines().count() < 30, "{listed}");
    assert!(
        listed.ends_with("299980 more: `phiseal quarantine list --limit N`\n"),
        "{listed}"
    );
    let five = ["quarantine", "list", "--limit", "5"];
    let listed = fixture.run(&five).await.expect_code(0).stdout;
    assert!(
        listed.ends_with("299995 more: `phiseal quarantine list --limit N`\n"),
        "{listed}"
    );
    assert_eq!(fixture.ask(&five, 0).await.as_array().unwrap().len(), 5);

    let status = fixture.ask(&["status"], 0).await;
    assert_eq!(status["quarantine"].as_array().unwrap().len(), 1000);
    assert_eq!(status["quarantine_entries"], 300_000);
    let counts = status["quarantine_counts"].as_array().unwrap();
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert_eq!(counts[0]["entries"], 200_000);
    assert_eq!(counts[1]["reason"], "too long");
}

async fn a_watch_goes_on_until_it_is_stopped_and_ends_well(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let watch = ["status", "--watch", "--interval", "1s"];
    let stopped = |run: Phiseal| async {
        let mut run = run.spawn();
        tokio::time::sleep(Duration::from_secs(4)).await;
        run.signal(Signal::INT);
        run.wait().await.expect_code(0).stdout
    };
    let text = stopped(fixture.phiseal(&watch)).await;
    assert!(
        text.matches("(UTC), every 1 s\nrunning     nothing")
            .count()
            >= 2,
        "{text}"
    );
    let json = stopped(fixture.phiseal(&[&watch[..], &["--json"]].concat())).await;
    assert!(json.lines().count() >= 2, "{json}");
    for line in json.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(
            object["time"].is_string() && object["attention"].is_array(),
            "{line}"
        );
    }
    // On a terminal each look is drawn over the one before.
    let command =
        "timeout --foreground --preserve-status -s INT 4 \"$P\" status --watch --interval 1s";
    let drawn = on_a_terminal(&fixture, command).run().await;
    let lines = expect_narrow(&drawn, |_| false);
    assert_eq!(lines.last().unwrap(), "exit 0", "{lines:#?}");
    assert!(
        drawn.stdout.matches("\u{1b}[H\u{1b}[J").count() >= 2,
        "{:?}",
        drawn.stdout
    );
    for usage in [
        &["status", "--interval", "1s"][..],
        &["status", "--watch", "--interval", "0s"],
        &["status", "--watch", "--check"],
        &["status", "runs", "--check"],
    ] {
        assert_eq!(fixture.refused(usage, 2).await, "E0101", "{usage:?}");
    }
}

#[tokio::test]
async fn a_watch_says_that_the_database_is_away_and_goes_on_once_it_is_back() {
    let fixture = Fixture::postgres("screens_away", "", "").await;
    let proxy = Proxy::to(&fixture.url(), Duration::ZERO);
    let project = Project::with_key(fixture.project.key_line());
    project.plan(&proxy.by_way(&fixture.url()), "");
    let watch = ["status", "--watch", "--interval", "1s", "--json"];
    let mut run = project.phiseal(&watch).spawn();
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.keep_cutting(Duration::from_millis(200), Duration::from_secs(5));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let cuts = proxy.rest();
    tokio::time::sleep(Duration::from_secs(6)).await;
    run.signal(Signal::INT);
    let said = run.wait().await.expect_code(0).stdout;
    let objects: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let first = objects
        .iter()
        .position(|object| object["error"].is_string());
    let first = first.unwrap_or_else(|| panic!("{cuts} cuts, and nothing is said of them: {said}"));
    assert!(first > 0 && objects[first]["since"].is_string(), "{said}");
    assert!(objects.last().unwrap()["attention"].is_array(), "{said}");
}

const VISITS: &str = "[[table]]\nname = \"public.visits\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";

/// A table of so many rows, whose runs are not fast.
async fn visits(name: &str, rows: u32, rows_per_second: u32) -> Fixture {
    let ddl = format!(
        "CREATE TABLE visits (id int PRIMARY KEY, ssn text);
         INSERT INTO visits SELECT i, lpad(i::text, 9, '0') FROM generate_series(1, {rows}) i;
         ANALYZE visits"
    );
    let run = format!(
        "[run]\nbatch_target_ms = 10\nrows_per_second_max = {rows_per_second}\nlanes = 1\n{VISITS}"
    );
    Fixture::postgres(name, &ddl, &run).await
}

/// The percentages in a text, in its order.
fn percentages(text: &str) -> Vec<u32> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[1].starts_with('%'));
    pairs.filter_map(|pair| pair[0].parse().ok()).collect()
}

#[tokio::test]
async fn an_interrupted_run_says_how_much_is_done_and_the_next_begins_there() {
    let fixture = visits("screens_stop", 20_000, 2000).await;
    let mut run = fixture.phiseal(&["backfill"]).spawn();
    let sealed = "SELECT coalesce(sum(rows_written), 0) FROM phiseal.lanes";
    while fixture.db().count(sealed).await < 4000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.signal(Signal::INT);
    let said = run.wait().await.expect_code(5).stderr;
    assert!(
        said.contains("hint: run `phiseal backfill` again to resume"),
        "{said}"
    );
    let (_, message) = said.split_once("error[E0605]: interrupted: ").expect(&said);
    assert!(message.contains(" % of public.visits done"), "{said}");
    let done = percentages(message)[0];
    assert!((15..60).contains(&done), "{done} %: {said}");

    let status = fixture.run(&["status"]).await.expect_code(0).stdout;
    assert!(
        status.contains("(backfill of public.visits) was interrupted (E0605)"),
        "{status}"
    );
    let runs = fixture.ask(&["status", "runs"], 0).await;
    let share = runs["runs"][0]["share"].as_f64().unwrap();
    assert!(
        (share * 100.0 - f64::from(done)).abs() < 2.0,
        "{share}, {done} %"
    );

    // Rows that were deleted, and statistics that are of another time, change nothing of that.
    fixture
        .exec("UPDATE pg_class SET reltuples = 7000000 WHERE relname = 'visits'")
        .await;
    let resumed = fixture.phiseal(&["backfill"]).run().await.expect_code(0);
    let begun = format!("resumed at {done} %");
    assert!(
        resumed.stderr.contains(&begun),
        "{begun}: {}",
        resumed.stderr
    );
    assert!(
        resumed.stdout.starts_with("resumed: sealed "),
        "{}",
        resumed.stdout
    );
    assert!(!resumed.stdout.contains("conflict"), "{}", resumed.stdout);
}

#[tokio::test]
async fn the_progress_line_fits_80_columns_and_its_percentage_only_grows() {
    let fixture = visits("screens_bar", 12_000, 3000).await;
    for (command, statistics) in [("backfill", 90), ("verify", 5_000_000)] {
        // Statistics of a table that was smaller or larger once.
        let sql = format!("UPDATE pg_class SET reltuples = {statistics} WHERE relname = 'visits'");
        fixture.exec(&sql).await;
        let run = on_a_terminal(&fixture, &format!("\"$P\" {command}"))
            .run()
            .await;
        let lines = expect_narrow(&run, |line| {
            line.starts_with("verified ") || line.starts_with("sealed ")
        });
        let bars: Vec<&String> = lines.iter().filter(|line| line.contains(" % [")).collect();
        let all: Vec<u32> = bars.iter().flat_map(|line| percentages(line)).collect();
        assert!(all.len() > 3, "{command}: {lines:#?}");
        assert!(!run.stdout.contains("/100"), "{:?}", run.stdout);
        assert!(
            all.is_sorted() && *all.last().unwrap() == 100,
            "{command}: {all:?}"
        );
        assert!(
            all.iter().any(|percent| (20..80).contains(percent)),
            "{command}: {all:?}"
        );
        // What is asked first comes first. A verification may take too short a time to say what is left.
        let left = bars.iter().find(|line| line.contains(" left "));
        assert!(left.is_some() || command == "verify", "{lines:#?}");
        let middle = left.unwrap_or(&bars[bars.len() / 2]);
        let places = [" %", " rows/s", " left ", command].map(|text| middle.find(text));
        let places: Vec<usize> = places.into_iter().flatten().collect();
        assert!(places.len() >= 3 && places.is_sorted(), "{middle}");
        assert!(run.stdout.contains(" rows/s  in "), "{command}: {lines:#?}");
    }
    // Of a table in which nothing was left to do, no bar stays.
    let again = on_a_terminal(&fixture, "\"$P\" backfill").run().await;
    assert!(!again.stdout.contains(" rows/s  in "), "{:?}", again.stdout);
    assert!(again.stdout.contains("nothing"), "{:?}", again.stdout);
}

#[tokio::test]
async fn a_wait_off_a_terminal_is_one_line() {
    let fixture = visits("screens_wait", 3000, 2000).await;
    fixture.json(&["pause"]).await;
    let mut run = fixture.phiseal(&["backfill"]).spawn();
    assert!(
        run.says("waiting: paused by").await,
        "nothing is said of the pause"
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    // How it looks meanwhile.
    let status = fixture.run(&["status"]).await.expect_code(0).stdout;
    assert!(
        status.contains("backfill public.visits\n              waiting "),
        "{status}"
    );
    assert!(
        status.contains("asked       all tables: paused, by "),
        "{status}"
    );
    fixture.json(&["resume"]).await;
    let said = run.wait().await.expect_code(0).stderr;
    assert_eq!(said.matches("waiting").count(), 1, "{said}");
    assert_eq!(said.matches("continues after").count(), 1, "{said}");
}

#[tokio::test]
async fn migrations_say_which_step_is_under_way() {
    let fixture = Fixture::empty_postgres("screens_migrate").await.planned();
    let folder = fixture.project.dir().join("moves");
    std::fs::create_dir(&folder).unwrap();
    for (number, name, sql, down) in [
        (1, "quick", "CREATE TABLE a (id int);", "DROP TABLE a;"),
        (2, "slow", "SELECT pg_sleep(5);", "SELECT 1;"),
        (3, "last", "CREATE TABLE b (id int);", "DROP TABLE b;"),
    ] {
        std::fs::write(folder.join(format!("000{number}_{name}.sql")), sql).unwrap();
        std::fs::write(folder.join(format!("000{number}_{name}.down.sql")), down).unwrap();
    }
    let at = ["migrate", "up", "--dir", "moves"];
    let lines = fixture.run(&at).await.expect_code(0);
    assert_eq!(
        lines.stdout,
        "applied: 0001, 0002, 0003\n".replace("000", ""),
        "{}",
        lines.stderr
    );
    assert!(
        lines.stderr.contains("step 2 of 3: 2 slow\n"),
        "{}",
        lines.stderr
    );
    let down = ["migrate", "down", "--dir", "moves", "--to", "0"];
    fixture.run(&down).await.expect_code(0);
    let json = fixture
        .run(&[&at[..], &["--json"]].concat())
        .await
        .expect_code(0);
    let told: Vec<Value> = (json.stderr.lines())
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let slow = told
        .iter()
        .find(|one| one["step"] == 2)
        .unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(
        (&slow["steps"], &slow["name"]),
        (&3.into(), &"2 slow".into())
    );
    fixture.run(&down).await.expect_code(0);
    let drawn = on_a_terminal(&fixture, "\"$P\" migrate up --dir moves")
        .run()
        .await;
    let lines = expect_narrow(&drawn, |_| false);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("] step 2 of 3: 2 slow")),
        "{lines:#?}"
    );

    fixture.run(&down).await.expect_code(0);
    let mut stopped = fixture.phiseal(&at).spawn();
    assert!(stopped.says("step 2 of 3").await);
    stopped.signal(Signal::INT);
    let said = stopped.wait().await.expect_code(5).stderr;
    assert!(
        said.contains("interrupted: 1 of 3 migrations done"),
        "{said}"
    );
}

async fn a_verification_names_each_column_and_what_to_do(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let table = fixture.table("patients");
    fixture
        .exec(
            "CREATE TABLE patients (id integer PRIMARY KEY, ssn text, email text);
             INSERT INTO patients VALUES (1, '111', 'a@b'), (2, '222', 'c@d'), (3, '333', 'e@f')",
        )
        .await;
    let column = |name: &str| {
        format!("[[table.column]]\nname = \"{name}\"\nseal_into = \"{name}_sealed\"\n")
    };
    let tables = format!(
        "[[table]]\nname = {table:?}\n{}{}",
        column("ssn"),
        column("email")
    );
    fixture.project.plan(&fixture.url(), &tables);
    let sealed = fixture.run(&["backfill"]).await.expect_code(0).stdout;
    assert!(
        sealed.starts_with("sealed 6 values in 3 rows at "),
        "{sealed}"
    );
    let well = fixture.run(&["verify"]).await.expect_code(0).stdout;
    let first = well.lines().next().unwrap();
    assert!(
        first.starts_with("verified 6 values in 3 rows at "),
        "{well}"
    );
    assert!(
        first.ends_with(" rows/s; all open and equal their plaintext"),
        "{well}"
    );
    assert!(!well.contains(" 0 "), "{well}");

    // One value is taken away, and the sealed email of row 2 gets into row 3.
    let sql = "UPDATE patients SET ssn_sealed = NULL WHERE id = 1;
               UPDATE patients SET email_sealed = (SELECT email_sealed FROM patients WHERE id = 2) WHERE id = 3;";
    let marked = match fixture.base {
        Base::Postgres(_) => marked("seal", &table, sql),
        Base::Sqlite(_) => marked_in_sqlite("seal", &table, sql),
    };
    fixture.exec(&marked).await;
    let wrong = fixture.run(&["verify"]).await.expect_code(6).stdout;
    assert!(
        wrong
            .lines()
            .next()
            .unwrap()
            .ends_with("; 1 failed, 1 is not sealed"),
        "{wrong}"
    );
    let line = |what: &str| {
        wrong
            .lines()
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what}: {wrong}"))
    };
    assert!(line("not sealed yet").contains("ssn"), "{wrong}");
    assert!(line("does not open").contains("email"), "{wrong}");
    assert!(wrong.contains("`phiseal backfill` seals them"), "{wrong}");
    let json = fixture.ask(&["verify"], 6).await;
    let kinds: Vec<&str> = (json["flaws"].as_array().unwrap().iter())
        .map(|flaw| flaw["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["unsealed", "does_not_open"], "{json}");
    // It is as the program says.
    fixture.run(&["backfill"]).await.expect_code(0);
    fixture.run(&["verify"]).await.expect_code(0);
}
