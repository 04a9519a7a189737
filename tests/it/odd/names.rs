//! Columns that are called what our own statements call things: every command, each name in every role.

use super::json;
use crate::backfill::beside;
use crate::support::{Base, Fixture, marked, marked_in_sqlite};
use std::fmt::Write;

/// Aliases, columns of subqueries and variables of generated statements, and names that mean something to a server.
const NAMES: [&str; 54] = [
    "t", "u", "v", "q", "n", "p", "s", "k", "f", "c", "d", "e", "l", "r", "i", "x", "w", "b", "c0",
    "b0", "k0", "s0", "p0", "x0", "i0", "o0", "key0", "place", "version", "tenant", "size",
    "largest", "need", "run", "rn", "own", "flags", "storage", "done", "kept", "free", "value",
    "key", "id", "mark", "rowid", "oid", "new", "old", "name", "label", "status", "row",
    "excluded",
];
/// Key, value, sealed column, value in place, its blind index, tenant.
const ROLES: usize = 6;
/// Every third name begins a table, so that each takes two of the roles.
const STEP: usize = 3;

struct Table {
    name: String,
    roles: [&'static str; ROLES],
}

fn tables(shift: usize) -> Vec<Table> {
    let role = |at: usize| NAMES[at % NAMES.len()];
    (shift..NAMES.len())
        .step_by(if is_soak() { STEP } else { 2 * STEP })
        .enumerate()
        .map(|(no, at)| Table {
            // A table may be called so, too.
            name: match no % 2 {
                0 => format!("z{at}"),
                _ => role(at + 1).to_owned(),
            },
            roles: std::array::from_fn(|i| role(at + i)),
        })
        .collect()
}

impl Table {
    fn create(&self) -> String {
        let [key, value, _, place, index, tenant] = self.roles;
        let mut sql = format!(
            "CREATE TABLE \"{}\" (\"{key}\" integer NOT NULL PRIMARY KEY",
            self.name
        );
        for name in NAMES
            .iter()
            .filter(|name| **name != key && **name != self.roles[2] && **name != index)
        {
            let _ = write!(sql, ", \"{name}\" text");
        }
        let row = |key: u32, text: &str| {
            format!(
                "INSERT INTO \"{}\" (\"{key_name}\", \"{value}\", \"{place}\", \"{tenant}\") VALUES ({key}, 'v{text}', \
                 'p{text}', 'one');",
                self.name,
                key_name = self.roles[0],
            )
        };
        sql + ");" + &row(1, "a") + &row(2, "b")
    }

    fn plan(&self, schema: &str) -> String {
        let [_, value, sealed, place, index, tenant] = self.roles;
        format!(
            "[[table]]\nname = '{schema}\"{}\"'\ntenant_column = '\"{tenant}\"'\n\
             [[table.column]]\nname = '\"{value}\"'\nseal_into = '\"{sealed}\"'\n\
             [[table.column]]\nname = '\"{place}\"'\nin_place = \"application-reads-both-forms\"\n\
             blind_index = {{ column = '\"{index}\"', normalise = \"exact\", bits = 128, unique = true, force = true }}\n",
            self.name
        )
    }

    fn clear(&self) -> String {
        format!("UPDATE \"{}\" SET \"{}\" = NULL", self.name, self.roles[1])
    }
}

async fn every_command(fixture: &Fixture, tables: &[Table]) {
    let values = tables.len() * 4;
    json(fixture, &["plan"], 0).await;
    json(fixture, &["bench"], 0).await;
    assert_eq!(
        json(fixture, &["backfill"], 0).await["values_sealed"],
        values
    );
    json(fixture, &["bench", "--write-sample"], 0).await;
    assert_eq!(
        json(fixture, &["plan"], 0).await["tables"][0]["rows_to_seal"],
        0
    );
    assert_eq!(
        json(fixture, &["verify"], 0).await["values_verified"],
        values
    );
    json(fixture, &["status", "--census"], 0).await;
    // An application changes a value, and the guard blanks its seal.
    for table in tables {
        let [key, value, sealed, ..] = table.roles;
        fixture
            .exec(&format!(
                "UPDATE \"{}\" SET \"{value}\" = 'new' WHERE \"{key}\" = 1",
                table.name
            ))
            .await;
        let blank = format!("SELECT count(\"{sealed}\") FROM \"{}\"", table.name);
        assert_eq!(super::number(fixture, &blank).await, 1, "{}", table.name);
    }
    assert_eq!(
        json(fixture, &["backfill"], 0).await["values_sealed"],
        tables.len()
    );
    let keys = json(fixture, &["keys", "list"], 0).await;
    let of_one = |purpose: &str| {
        let keys = keys.as_array().unwrap().iter();
        let mut of = keys.filter(|key| {
            key["tenant"] == "one" && key["purpose"] == purpose && key["status"] == "active"
        });
        of.next().unwrap()["key_id"].to_string()
    };
    let rotated = json(fixture, &["rotate"], 0).await;
    assert_eq!(rotated["outcome"], "complete", "{rotated}");
    assert_eq!(rotated["rows_resealed"], tables.len() * 2, "{rotated}");
    let cell = of_one("cell");
    json(
        fixture,
        &[
            "keys",
            "destroy",
            &cell,
            "--confirm",
            &cell,
            "--reason",
            "old",
        ],
        0,
    )
    .await;
    json(
        fixture,
        &["rotate", "--purpose", "blind_index", "--grace", "0"],
        0,
    )
    .await;
    assert_eq!(
        json(fixture, &["verify"], 0).await["values_verified"],
        values
    );
    for (at, table) in tables.iter().enumerate() {
        let clear = table.clear();
        let clear = match fixture.base {
            Base::Postgres(_) => marked("clear", &format!("public.{}", table.name), &clear),
            Base::Sqlite(_) => marked_in_sqlite("clear", &table.name, &clear),
        };
        if at % 2 == 0 {
            fixture.exec(&clear).await;
        }
    }
    json(fixture, &["restore"], 0).await;
    json(fixture, &["restore", "--drop-sealed", "--yes"], 0).await;
    for table in tables {
        let [_, value, _, place, ..] = table.roles;
        let back = format!(
            "SELECT count(*) FROM \"{}\" WHERE \"{value}\" IN ('new', 'vb') AND \"{place}\" IN ('pa', 'pb')",
            table.name
        );
        assert_eq!(super::number(fixture, &back).await, 2, "{}", table.name);
    }
    json(fixture, &["audit", "verify"], 0).await;
}

async fn in_postgres(shift: usize, name: &str) {
    let tables = tables(shift);
    let ddl: String = tables.iter().map(Table::create).collect();
    let plan: String = tables.iter().map(|table| table.plan("public.")).collect();
    every_command(&Fixture::postgres(name, &ddl, &plan).await, &tables).await;
}

async fn in_sqlite(shift: usize) {
    let mut tables = tables(shift);
    for table in &mut tables {
        // No guard can stand on one of these names there.
        if ["old", "new"].contains(&table.name.as_str()) {
            table.name.push('_');
        }
    }
    let ddl: String = tables.iter().map(Table::create).collect();
    let plan: String = tables.iter().map(|table| table.plan("")).collect();
    every_command(&Fixture::sqlite(&ddl, &plan).await, &tables).await;
}

#[tokio::test]
async fn a_table_of_sqlite_that_a_trigger_takes_for_a_row_is_refused() {
    for name in ["old", "new"] {
        let ddl = format!("CREATE TABLE {name} (id integer PRIMARY KEY, a text)");
        let fixture = Fixture::sqlite(&ddl, &beside(name, &["a"])).await;
        let refused = json(&fixture, &["backfill"], 3).await;
        assert_eq!(refused["error"]["code"], "E0268", "{refused}");
    }
}

#[tokio::test]
async fn tables_called_like_a_list_of_ours() {
    let names = ["v", "w", "t", "u", "q", "k"];
    let ddl = |name: &str| {
        format!(
            "CREATE TABLE {name} (id varchar(9) NOT NULL PRIMARY KEY, a varchar(9)); INSERT INTO {name} VALUES ('x', 'y');"
        )
    };
    let all: String = names.iter().map(|name| ddl(name)).collect();
    let plan = |schema: &str| {
        names
            .map(|name| beside(&format!("{schema}{name}"), &["a"]))
            .concat()
    };
    for fixture in [
        Fixture::postgres("names_tables", &all, &plan("public.")).await,
        Fixture::sqlite(&all, &plan("")).await,
    ] {
        assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 6);
        json(&fixture, &["bench", "--write-sample"], 0).await;
        json(&fixture, &["rotate"], 0).await;
        assert_eq!(json(&fixture, &["verify"], 0).await["values_verified"], 6);
        json(&fixture, &["status", "--census"], 0).await;
        json(&fixture, &["restore", "--drop-sealed", "--yes"], 0).await;
    }
}

/// With all three, each name takes every role; `make soak`, since each takes two minutes.
fn shifts() -> std::ops::Range<usize> {
    match is_soak() {
        true => 0..STEP,
        false => 0..1,
    }
}

fn is_soak() -> bool {
    std::env::var_os("PHISEAL_SOAK_ROWS").is_some()
}

#[tokio::test]
async fn columns_called_like_our_own_aliases_in_postgres() {
    for shift in shifts() {
        in_postgres(shift, &format!("names_{shift}")).await;
    }
}

#[tokio::test]
async fn columns_called_like_our_own_aliases_in_sqlite() {
    for shift in shifts() {
        in_sqlite(shift).await;
    }
}

/// The same for a run that writes by places and sweeps: more rows, and a row that moves.
#[tokio::test]
async fn a_partitioned_table_and_a_detached_leaf_with_such_columns() {
    let ddl = "CREATE TABLE t (k int, p text, f text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
        CREATE TABLE u PARTITION OF t FOR VALUES FROM (0) TO (500); CREATE TABLE q PARTITION OF t FOR VALUES FROM (500) TO (1000);
        INSERT INTO t SELECT i, 'p' || i, 'f' || i FROM generate_series(0, 999) i";
    let fixture = Fixture::postgres("names_parts", ddl, &beside("public.t", &["p", "f"])).await;
    assert_eq!(
        json(&fixture, &["backfill"], 0).await["values_sealed"],
        2000
    );
    fixture.exec("ALTER TABLE t DETACH PARTITION q").await;
    let rotated = json(&fixture, &["rotate"], 0).await;
    assert_eq!(rotated["rows_resealed"], 1000, "{rotated}");
    json(&fixture, &["status", "--census"], 0).await;
}
