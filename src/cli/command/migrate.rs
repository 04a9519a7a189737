//! `phiseal migrate`: phiseal's own tables, up, down and status.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::cli::args::{Global, Migrate};
use crate::cli::columns;
use crate::cli::output::Output;
use crate::cli::session;
use crate::error::{Exit, Fault};
use crate::schema::{Link, MigrationState, MigrationStatus, Version};

pub async fn run(global: &Global, args: &Migrate, output: Output) -> Result<Exit, Fault> {
    let plan = session::read_plan(global, false)?;
    let url = session::database_url(global, &plan)?;
    let mut link = Link::open(url.expose_secret(), &plan.database.schema).await?;
    let done = work(&mut link, args).await;
    link.close().await;
    let (value, text) = done?;
    output.result(&value, &text);
    Ok(Exit::Done)
}

async fn work(link: &mut Link, args: &Migrate) -> Result<(Value, String), Fault> {
    let mut schema = link.engine()?;
    Ok(match args {
        Migrate::Up { to } => {
            let applied = schema.up(*to).await?;
            let text = said(&applied, "applied", "nothing to apply");
            (json!({ "applied": applied }), text)
        }
        Migrate::Down { to } => {
            let undone = schema.down(*to).await?;
            let text = said(&undone, "undone", "nothing to undo");
            (json!({ "undone": undone }), text)
        }
        Migrate::Status => {
            let all = schema.status().await?;
            (all.iter().map(object).collect(), table(&all))
        }
    })
}

fn said(versions: &[Version], what: &str, nothing: &str) -> String {
    if versions.is_empty() {
        return nothing.to_owned();
    }
    let numbers: Vec<String> = versions.iter().map(ToString::to_string).collect();
    format!("{what}: {}", numbers.join(", "))
}

fn object(status: &MigrationStatus) -> Value {
    json!({
        "version": status.version,
        "name": status.name,
        "state": word(status.state),
        "applied_at": status.applied_at,
    })
}

fn table(all: &[MigrationStatus]) -> String {
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|status| {
            vec![
                status.version.to_string(),
                status.name.clone(),
                word(status.state).to_owned(),
                columns::or_nothing(status.applied_at.as_deref()),
            ]
        })
        .collect();
    columns::table(&["VERSION", "NAME", "STATE", "APPLIED AT"], &rows)
}

const fn word(state: MigrationState) -> &'static str {
    match state {
        MigrationState::Applied => "applied",
        MigrationState::Pending => "pending",
        MigrationState::ChecksumDiffers => "checksum_differs",
        MigrationState::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_by_number_and_nothing_is_said_too() {
        assert_eq!(
            said(&[1, 2], "applied", "nothing to apply"),
            "applied: 1, 2"
        );
        assert_eq!(said(&[], "undone", "nothing to undo"), "nothing to undo");
    }

    #[test]
    fn a_pending_migration_has_no_time() {
        let pending = MigrationStatus {
            version: 3,
            name: "runs".to_owned(),
            applied_at: None,
            state: MigrationState::Pending,
        };
        assert_eq!(
            object(&pending),
            json!({"version": 3, "name": "runs", "state": "pending", "applied_at": null})
        );
        assert!(table(&[pending]).ends_with("3        runs  pending  -"));
    }
}
