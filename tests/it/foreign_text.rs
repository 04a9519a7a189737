//! Names, reasons, tenants and file names that hold what a terminal acts on: none of it comes out, by
//! any command, into a pipe or onto a terminal, and no line is forged.

mod looked;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use looked::{EVIL, Looked, line, sql_ident, sql_text, toml};

use crate::support::{Base, Fixture, database, sqlite};

/// In PostgreSQL: every kind of object that preflight or an error may name.
fn postgres() -> String {
    let name = |prefix: &str| sql_ident(&format!("{prefix}{EVIL}"));
    format!(
        "CREATE SCHEMA {s};
         CREATE TABLE {s}.{t} (id int PRIMARY KEY, {tenant} text NOT NULL, {c} text, CONSTRAINT {k} CHECK ({c} <> ''));
         INSERT INTO {s}.{t} VALUES (1, {evil}, 'a'), (2, {evil}, 'refused');
         CREATE INDEX {i} ON {s}.{t} ({c});
         CREATE VIEW {s}.{v} AS SELECT {c} FROM {s}.{t};
         CREATE RULE {r} AS ON INSERT TO {s}.{v} DO INSTEAD NOTHING;
         CREATE FUNCTION {s}.{f}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.id = 2 THEN RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = {evil}, CONSTRAINT = {evil}; END IF;
             RETURN NEW; END $$;
         CREATE TRIGGER {g} BEFORE UPDATE ON {s}.{t} FOR EACH ROW EXECUTE FUNCTION {s}.{f}();
         CREATE PUBLICATION {p} FOR TABLE {s}.{t};
         ALTER TABLE {s}.{t} ADD CONSTRAINT {u} UNIQUE ({c});",
        s = name("s"), t = name("t"), c = name("c"), k = name("k"), i = name("i"), v = name("v"),
        r = name("r"), f = name("f"), g = name("g"), p = name("p"), u = name("u"),
        tenant = name("o"), evil = sql_text(EVIL),
    )
}

/// In SQLite, the same as far as it goes.
fn in_sqlite() -> String {
    let name = |prefix: &str| sql_ident(&format!("{prefix}{EVIL}"));
    format!(
        "CREATE TABLE {t} (id integer PRIMARY KEY, {tenant} text NOT NULL, {c} text, CONSTRAINT {k} CHECK ({c} <> ''));
         INSERT INTO {t} VALUES (1, {evil}, 'a'), (2, {evil}, 'refused');
         CREATE UNIQUE INDEX {i} ON {t} ({c});
         CREATE VIEW {v} AS SELECT {c} FROM {t};
         CREATE TRIGGER {g} BEFORE UPDATE ON {t} WHEN NEW.id = 2 BEGIN SELECT RAISE(ABORT, {evil}); END;",
        t = name("t"), c = name("c"), k = name("k"), i = name("i"), v = name("v"), g = name("g"),
        tenant = name("o"), evil = sql_text(EVIL),
    )
}

/// The plan's one table; `how` is where the column is sealed.
fn tables(is_postgres: bool, how: &str) -> String {
    format!(
        "[[table]]\nname = {}\ntenant_column = {}\ntriggers = \"fire\"\n[[table.column]]\nname = {}\n{how}\n",
        toml(&table(is_postgres)),
        toml(&sql_ident(&format!("o{EVIL}"))),
        toml(&sql_ident(&format!("c{EVIL}"))),
    )
}

fn table(is_postgres: bool) -> String {
    let table = sql_ident(&format!("t{EVIL}"));
    if is_postgres {
        format!("{}.{table}", sql_ident(&format!("s{EVIL}")))
    } else {
        table
    }
}

#[tokio::test]
async fn nothing_of_others_commands_a_terminal_or_forges_a_line_in_postgres() {
    let db = database("foreign_text").await;
    everything(
        Fixture::new(Base::Postgres(db), &postgres(), "").await,
        true,
    )
    .await;
}

#[tokio::test]
async fn nothing_of_others_commands_a_terminal_or_forges_a_line_in_sqlite() {
    let file = sqlite().await;
    everything(
        Fixture::new(Base::Sqlite(file), &in_sqlite(), "").await,
        false,
    )
    .await;
}

async fn everything(fixture: Fixture, is_postgres: bool) {
    let looked = Looked::new(&fixture);
    let table = table(is_postgres);
    let column = sql_ident(&format!("c{EVIL}"));
    // What is proposed, and what stands in the way of sealing in place.
    looked
        .shows(
            &[
                "init",
                "--table",
                &table,
                "--column",
                &column,
                "--plan",
                "proposed.toml",
            ],
            0,
        )
        .await;
    looked
        .fails(&[
            "init", "--table", EVIL, "--column", "c", "--plan", "no.toml",
        ])
        .await;
    looked
        .fails(&[
            "init", "--table", &table, "--column", EVIL, "--plan", "no.toml",
        ])
        .await;
    fixture.project.plan(
        &fixture.url(),
        &tables(is_postgres, "in_place = \"application-reads-both-forms\""),
    );
    looked.shows(&["plan"], 3).await;
    looked.shows(&["backfill"], 3).await;
    let sealed = toml(&sql_ident(&format!("e{EVIL}")));
    fixture.project.plan(
        &fixture.url(),
        &tables(is_postgres, &format!("seal_into = {sealed}")),
    );
    if is_postgres {
        looked.shows(&["plan"], 3).await; // published
        fixture
            .exec(&format!(
                "DROP PUBLICATION {}",
                sql_ident(&format!("p{EVIL}"))
            ))
            .await;
    }
    // Before anything is prepared: SQL to be run.
    looked.shows(&["plan"], 0).await;
    looked.sql(&["plan", "--sql"], &format!("e{EVIL}")).await;
    looked.shows(&["bench"], 0).await;
    keys(&looked).await;
    runs(&fixture, &looked).await;
    mistakes(&fixture, &looked, &table).await;
    forged(&fixture, &looked).await;
}

async fn keys(looked: &Looked<'_>) {
    let made = looked
        .json(&["keys", "create", "--tenant", "x", "--reason", EVIL])
        .await;
    let id = made["created"][0]["key_id"].to_string();
    looked
        .shows(&["keys", "create", "--tenant", EVIL, "--reason", EVIL], 0)
        .await;
    looked.shows(&["keys", "list"], 0).await;
    looked.shows(&["keys", "show", &id], 0).await;
    looked
        .clean(&["keys", "suspend", &id, "--reason", EVIL], 0)
        .await;
    looked
        .clean(&["keys", "resume", &id, "--reason", EVIL], 0)
        .await;
    looked.shows(&["keys", "check"], 0).await;
    looked
        .fails(&["keys", "destroy", "--tenant", EVIL, "--reason", EVIL])
        .await;
    looked
        .fails(&["keys", "new-wrapping-key", &format!("none/{EVIL}")])
        .await;
}

async fn runs(fixture: &Fixture, looked: &Looked<'_>) {
    looked.shows(&["backfill"], 6).await;
    looked.shows(&["verify"], 6).await;
    looked.shows(&["rotate", "--reason", EVIL], 0).await;
    let own = |table: &str| fixture.source().own(table);
    // What somebody with rights on our tables may write there.
    let evil = sql_text(EVIL);
    for sql in [
        format!("UPDATE {} SET reason = {evil}", own("quarantine")),
        format!(
            "INSERT INTO {} (kind, to_kek_ref, from_kek_ref, reason, actor, finished_at, outcome)
             VALUES ('rewrap', {evil}, {evil}, {evil}, {evil}, '2026-01-01T00:00:00Z', {evil})",
            own("key_rotation_history")
        ),
        format!(
            "UPDATE {runs} SET state = 'interrupted', finished_at = NULL, error_code = {evil}, actor = {evil}
             WHERE run_id = (SELECT max(run_id) FROM {runs})",
            runs = own("runs")
        ),
    ] {
        fixture.exec(&sql).await;
    }
    looked.shows(&["status", "--census"], 0).await;
    looked.shows(&["status", "--check"], 10).await;
    looked.shows(&["quarantine", "list"], 0).await;
    let listed = looked.json(&["quarantine", "list"]).await;
    let tag = listed[0]["tag"].as_str().unwrap().to_owned();
    looked
        .shows(
            &[
                "quarantine",
                "show",
                &tag,
                "--output",
                &format!("row{EVIL}"),
            ],
            0,
        )
        .await;
    looked.clean(&["quarantine", "skip", &tag], 0).await;
    looked.clean(&["audit", "verify"], 0).await;
    looked.clean(&["audit", "head"], 0).await;
    looked.shows(&["restore"], 8).await;
}

async fn mistakes(fixture: &Fixture, looked: &Looked<'_>, table: &str) {
    looked.fails(&["plan", "--table", EVIL]).await;
    looked.fails(&["pause", "--table", EVIL]).await;
    looked.fails(&["restore", "--column", EVIL]).await;
    looked
        .fails(&["quarantine", "show", EVIL, "--output", "x"])
        .await;
    looked.fails(&["backfill", &format!("--{EVIL}")]).await;
    looked
        .fails(&["plan", "--plan", &format!("none{EVIL}")])
        .await;
    looked.fails(&["migrate", "up", "--set", EVIL]).await;
    looked
        .fails(&[
            "keys",
            "rewrap",
            "--to",
            &format!("command:{}", EVIL.replace('\n', "")),
        ])
        .await;
    looked
        .fails(&["keys", "rewrap", "--to", &format!("file:{EVIL}")])
        .await;
    looked
        .fails(&["keys", "rewrap", "--to", &format!("env:{EVIL}")])
        .await;
    // A plan file that is wrong, by an evil name and with evil words, and one that is not trusted.
    let plan = fixture.project.plan_file();
    let text = fs::read_to_string(&plan).unwrap();
    let wrong = fixture.project.dir().join(format!("w{EVIL}"));
    let words = format!(
        "{text}\n{} = 1\n[[table]]\nname = {}\n",
        toml(EVIL),
        toml(EVIL)
    );
    fs::write(&wrong, words).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o644)).unwrap();
    looked
        .fails(&["plan", "--plan", wrong.to_str().unwrap()])
        .await;
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o666)).unwrap();
    looked
        .fails(&["plan", "--plan", wrong.to_str().unwrap()])
        .await;
    // A table that is gone.
    let gone = text.replace(&toml(table), &toml(&table.replace("\"t", "\"gone")));
    assert_ne!(gone, text);
    fixture.project.plan_text(&gone);
    looked.shows(&["plan"], 3).await;
    fixture.project.plan_text(&text);
    if let Base::Postgres(_) = &fixture.base {
        migrations(fixture, looked).await;
    }
}

/// Files by evil names.
async fn migrations(fixture: &Fixture, looked: &Looked<'_>) {
    let dir = fixture.project.dir().join("moves");
    fs::create_dir(&dir).unwrap();
    let file = dir.join(format!("1_{EVIL}.sql"));
    fs::write(&file, format!("CREATE TABLE {} (id int);", sql_ident(EVIL))).unwrap();
    let at = ["--dir", dir.to_str().unwrap()];
    let with = |first: &[&'static str]| [first, &at[..]].concat();
    looked
        .sql(&with(&["migrate", "up", "--dry-run"]), EVIL)
        .await;
    looked.shows(&with(&["migrate", "status"]), 0).await;
    looked.clean(&with(&["migrate", "up"]), 0).await;
    fixture
        .exec(&format!(
            "ALTER TABLE {} ADD COLUMN {} int",
            sql_ident(EVIL),
            sql_ident(EVIL)
        ))
        .await;
    looked.shows(&with(&["migrate", "verify"]), 6).await;
    fs::rename(&file, dir.join(format!("1{EVIL}.sql"))).unwrap();
    looked.fails(&with(&["migrate", "up"])).await;
}

/// References of wrapping keys are text of the key table.
async fn forged(fixture: &Fixture, looked: &Looked<'_>) {
    let keys = fixture.source().own("encryption_keys");
    fixture
        .exec(&format!("UPDATE {keys} SET kek_ref = {}", sql_text(EVIL)))
        .await;
    looked.shows(&["keys", "list"], 0).await;
    looked.shows(&["keys", "check"], 7).await;
    looked.shows(&["verify"], 7).await;
}

#[test]
fn the_test_finds_each_thing_that_must_not_come_out() {
    for bad in [
        "a\u{1b}[2Jb",
        "\u{1b}]0;owned\u{7}",
        "\u{8}",
        "\u{9b}31m",
        "\u{202e}",
        "\u{2028}",
        "\u{200b}",
        "x\nFORGED",
        "x\rFORGED",
        "\t",
        "\u{7f}",
    ] {
        assert!(line(bad, true).is_some(), "{bad:?}");
        assert!(line(bad, false).is_some(), "{bad:?}");
    }
    assert_eq!(
        line("a\r\n\u{1b}[2K\u{1b}[1A\rpatients [=>  ]\r\n", true),
        None
    );
    assert!(line("\u{1b}[2K", false).is_some());
    assert_eq!(line("table ä\\n\n", false), None);
}
