//! What a fault of the database leaves out because it is made far from the command line: which
//! database it was, and the GRANT for a right that is missing.
//! Owns these additions. The statement that failed is not asked again: the rights are read in the
//! catalogs, on a new connection. If that fails too, the fault stays as it is.

use super::target::{migration_target, place_of, url_origin};
use super::{Session, plan_place};
use crate::cli::args::{Cli, Command, Global};
use crate::error::Fault;
use crate::foreign::Foreign;
use crate::store::sqlite::Access;
use crate::store::{Right, ServerFacts};

/// The SQLSTATE of a right that is missing.
const DENIED: &str = "42501";

/// The fault with what is missing in it.
pub async fn explained(cli: &Cli, fault: Fault) -> Fault {
    match (fault.code, &cli.command) {
        // It works on a database of its own.
        (_, Command::Demo(_)) => fault,
        ("E0502", _) => with_origin(cli, fault),
        ("E0504" | "E0505" | "E0708", _) => named(cli, fault),
        ("E0510", _) => granted(cli, fault, own_and_planned).await,
        ("E0707", _) if fault.message.contains(DENIED) => granted(cli, fault, to_make).await,
        _ => fault,
    }
}

/// The fault with what gave the URL that cannot be used.
fn with_origin(cli: &Cli, fault: Fault) -> Fault {
    match url_origin(&cli.global) {
        Some(origin) => Fault {
            hint: format!("correct {}: {}", Foreign(&origin), fault.hint),
            ..fault
        },
        None => fault,
    }
}

/// The fault with the database in its message.
fn named(cli: &Cli, fault: Fault) -> Fault {
    let platforms = matches!(cli.command, Command::Migrate(_));
    let place = migration_target(&cli.global, platforms)
        .ok()
        .and_then(|(url, ..)| place_of(&url).ok());
    match place {
        Some(place) => Fault {
            message: format!("{} ({place})", fault.message),
            ..fault
        },
        None => fault,
    }
}

/// The fault with the GRANT of each right that is missing in its hint.
async fn granted(
    cli: &Cli,
    fault: Fault,
    missing: fn(&ServerFacts, Vec<Right>) -> Vec<Right>,
) -> Fault {
    let looking = cli.global.looking();
    let Ok(session) = Session::open(&looking, false).await else {
        return fault;
    };
    let Ok(server) = session.server().await else {
        return fault;
    };
    let of_tables = match works_on_tables(&cli.command) {
        true => of_tables(&looking).await.unwrap_or_default(),
        false => Vec::new(),
    };
    let missing = missing(&server, of_tables);
    let needed = missing
        .iter()
        .filter_map(|right| right.only(|privilege| is_needed(cli, privilege)));
    let statements: Vec<String> = Right::together(needed)
        .iter()
        .map(|right| right.grant_to(&server.role))
        .collect();
    if statements.is_empty() {
        return fault;
    }
    Fault {
        message: format!(
            "{}: the role {} lacks rights",
            fault.message,
            Foreign(&server.role)
        ),
        hint: format!(
            "the owner of these objects or a superuser runs: {}",
            Foreign(&statements.join(" "))
        ),
        ..fault
    }
}

/// What runs need on phiseal's own tables, and on the tables of the plan.
fn own_and_planned(server: &ServerFacts, of_tables: Vec<Right>) -> Vec<Right> {
    let mut missing = server.missing_rights.clone();
    missing.extend(of_tables);
    missing
}

/// What the migrations of phiseal's own tables need.
fn to_make(server: &ServerFacts, _: Vec<Right>) -> Vec<Right> {
    let schema = server.schema_denied.iter();
    schema.chain(&server.create_denied).cloned().collect()
}

/// Whether the rights on tables are asked for here. Preflight names those of a verification, which
/// reads only some columns.
fn works_on_tables(command: &Command) -> bool {
    matches!(
        command,
        Command::Plan(_)
            | Command::Bench(_)
            | Command::Backfill(_)
            | Command::Rotate(_)
            | Command::Finalize(_)
            | Command::Restore(_)
            | Command::Scrub(_)
    )
}

/// Whether the command needs this privilege: one that only looks writes nothing, and a verification
/// need not.
fn is_needed(cli: &Cli, privilege: &str) -> bool {
    let only_reads = cli.global.access == Access::Look || matches!(cli.command, Command::Verify(_));
    !only_reads || matches!(privilege, "SELECT" | "USAGE")
}

/// What is missing on the tables of the plan, if it names any.
async fn of_tables(global: &Global) -> Option<Vec<Right>> {
    plan_place::plan_place(global)?;
    let session = Session::open(global, true).await.ok()?;
    let mut missing = Vec::new();
    for table in &session.plan.tables {
        let facts = session.store.table(&table.name).await.ok()?;
        missing.extend(facts.into_iter().flat_map(|facts| facts.missing_rights));
    }
    Some(missing)
}
