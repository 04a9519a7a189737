//! `phiseal grants`: prints what a role needs, as a script for psql. Runs none of it.
//! Owns the script's form. What a role needs comes from the store.

use serde_json::{Value, json};

use crate::cli::args::{Global, Grants as Args, RoleArg};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::engine::registered::Known;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::plan::TriggerPolicy;
use crate::store::grants::{Grant, GrantRole, GrantTable, Granting, Grants};
use crate::store::{FieldRecord, ServerFacts, StoreError};

pub async fn run(global: &Global, args: &Args, output: Output) -> Result<Exit, Fault> {
    let session = Session::open(global, true).await?;
    let role = match args.role {
        RoleArg::Owner => GrantRole::Owner,
        RoleArg::Engine => GrantRole::Engine,
        RoleArg::Application => GrantRole::Application,
        RoleArg::Auditor => GrantRole::Auditor,
    };
    if session.sqlite {
        let grants = Grants {
            grants: Vec::new(),
            notes: vec![in_sqlite(role).to_owned()],
        };
        output.result(&object(role, &args.to, &grants), in_sqlite(role));
        return Ok(Exit::Done);
    }
    let server = session.server().await?;
    if !server.installed && role != GrantRole::Owner {
        return Err(session.not_installed());
    }
    let (registered, unread) = registered(&session, &server).await?;
    let whole = global.table.is_empty();
    let known = session.database(&server).known(&registered, whole).await?;
    let tables: Vec<GrantTable<'_>> = known.iter().map(granted).collect();
    let granting = Granting {
        role,
        to: &args.to,
        schema: &session.plan.database.schema,
        server: &server,
        tables: &tables,
    };
    let mut grants = granting.grants();
    grants.notes.extend(unread);
    output.sql(&object(role, &args.to, &grants), &script(role, &grants))?;
    Ok(Exit::Done)
}

fn granted(known: &Known) -> GrantTable<'_> {
    GrantTable {
        table: &known.table,
        facts: &known.facts,
        suppresses: known.triggers == TriggerPolicy::Suppress,
    }
}

/// The registered fields; a note instead if our role may not read them.
async fn registered(
    session: &Session,
    server: &ServerFacts,
) -> Result<(Vec<FieldRecord>, Option<String>), Fault> {
    if !server.installed {
        return Ok((Vec::new(), None));
    }
    match session.store.fields().await {
        Ok(fields) => Ok((fields, None)),
        Err(StoreError::Denied { .. }) => Ok((
            Vec::new(),
            Some(
                "Only for the tables of the plan: the role that printed this may not read which others are sealed."
                    .to_owned(),
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

fn object(role: GrantRole, to: &[Ident], grants: &Grants) -> Value {
    let grant = |one: &Grant| json!({ "statement": one.statement, "why": one.why });
    json!({
        "role": role.as_str(),
        "to": to.iter().map(Ident::as_str).collect::<Vec<_>>(),
        "grants": grants.grants.iter().map(grant).collect::<Vec<_>>(),
        "notes": grants.notes,
    })
}

/// One transaction, so that a role has all of it or nothing.
fn script(role: GrantRole, grants: &Grants) -> String {
    let by = match role {
        GrantRole::Owner => "a superuser",
        _ => "the owner of the tables, or a superuser",
    };
    let mut lines = vec![
        format!("-- Rights of {}, to be run by {by}:", article(role)),
        "-- psql -v ON_ERROR_STOP=1 -f FILE".to_owned(),
        "BEGIN;".to_owned(),
    ];
    let mut why = "";
    for grant in &grants.grants {
        if grant.why != why {
            why = grant.why;
            lines.extend(comment(why));
        }
        lines.push(grant.statement.clone());
    }
    lines.push("COMMIT;".to_owned());
    for note in &grants.notes {
        lines.push(String::new());
        let mut parts = note.split('\n');
        lines.extend(comment(parts.next().unwrap_or_default()));
        lines.extend(parts.map(|statement| format!("--   {}", Foreign(statement))));
    }
    lines.join("\n")
}

fn article(role: GrantRole) -> &'static str {
    match role {
        GrantRole::Owner => "the owner",
        GrantRole::Engine => "the engine",
        GrantRole::Application => "an application",
        GrantRole::Auditor => "an auditor",
    }
}

/// The widest line of a comment.
const WIDTH: usize = 90;

/// A text as comment lines. Nothing in it ends a comment.
fn comment(text: &str) -> Vec<String> {
    let shown = Foreign(text).to_string();
    let mut lines = vec!["--".to_owned()];
    for word in shown.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 2 && line + 1 + word.chars().count() > WIDTH {
            lines.push("--".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

fn in_sqlite(role: GrantRole) -> &'static str {
    match role {
        GrantRole::Owner | GrantRole::Engine | GrantRole::Application => {
            "SQLite has no roles: the permissions of the file decide. This role must be able to write the file and its \
             folder."
        }
        GrantRole::Auditor => {
            "SQLite has no roles: the permissions of the file decide. An auditor needs to read the file and its -wal \
             file; commands that only read open it read-only, and so does `phiseal verify` where the file or its \
             folder cannot be written."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_one_transaction_and_nothing_gets_out_of_a_comment() {
        let grants = Grants {
            grants: vec![Grant {
                statement: "GRANT a;".to_owned(),
                why: "to read",
            }],
            notes: vec![
                format!("x \u{2028} {}\nDROP TABLE t;", "word ".repeat(40)),
                "\nDROP TABLE u;\nDROP TABLE v;".to_owned(),
            ],
        };
        let script = script(GrantRole::Engine, &grants);
        for line in script.lines() {
            let is_statement = ["BEGIN;", "GRANT a;", "COMMIT;", ""].contains(&line);
            assert!(is_statement || line.starts_with("--"), "{line}");
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(script.find("BEGIN;") < script.find("GRANT a;"));
        assert!(script.find("GRANT a;") < script.find("COMMIT;"));
    }
}
