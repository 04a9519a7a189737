//! `phiseal migrate`: phiseal's own tables, the platforms' sets, or a folder of SQL files.

mod rendering;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::demo::interrupted;
use crate::cli::args::{Global, Migrate, ScratchArgs, Which};
use crate::cli::output::Output;
use crate::cli::session;
use crate::error::{Exit, Fault};
use crate::schema::{Link, Migrations, Scratch, SetChoice, Version};
use rendering::{adoption, drift, object, said, steps, table};

pub async fn run(global: &Global, args: &Migrate, output: Output) -> Result<Exit, Fault> {
    let choice = choice(which(args));
    let platforms = !matches!(choice, SetChoice::Own);
    let (url, roles, access) = session::migration_ground(global, platforms)?;
    let mut link = Link::open(url.expose_secret(), &roles.schema, choice, access)
        .await?
        .acting_as(roles.role.as_ref(), roles.owner.as_ref());
    let done = match link.migrations(choice) {
        Ok(mut migrations) => tokio::select! {
            biased;
            () = interrupted() => Err(Fault {
                code: "E0605",
                message: "interrupted".to_owned(),
                hint: "see `phiseal migrate status`; the same command goes on".to_owned(),
                exit: Exit::Interrupted,
            }),
            done = work(&mut migrations, args, &url) => done,
        },
        Err(error) => Err(error.into()),
    };
    link.close().await;
    let done = done?;
    if done.is_sql {
        output.sql(&done.value, &done.text)?;
    } else {
        output.result(&done.value, &done.text);
    }
    Ok(done.exit)
}

struct Done {
    value: Value,
    text: String,
    /// Whether the text is to be run as it is.
    is_sql: bool,
    exit: Exit,
}

impl Done {
    fn of(value: Value, text: String) -> Self {
        Self {
            value,
            text,
            is_sql: false,
            exit: Exit::Done,
        }
    }

    fn sql(value: Value, text: String) -> Self {
        Self {
            is_sql: true,
            ..Self::of(value, text)
        }
    }
}

async fn work(
    migrations: &mut Migrations<'_>,
    args: &Migrate,
    url: &SecretString,
) -> Result<Done, Fault> {
    Ok(match args {
        Migrate::Up {
            to, dry_run: true, ..
        } => {
            let planned = migrations.pending(*to).await?;
            Done::sql(
                json!({ "would_apply": steps(&planned) }),
                rendering::sql(&planned, "would apply", "nothing to apply"),
            )
        }
        Migrate::Up { to, .. } => {
            applied(&migrations.up(*to).await?, "applied", "nothing to apply")
        }
        Migrate::Down {
            to, dry_run: true, ..
        } => {
            let planned = migrations.undoable(*to).await?;
            Done::sql(
                json!({ "would_undo": steps(&planned) }),
                rendering::sql(&planned, "would undo", "nothing to undo"),
            )
        }
        Migrate::Down { to, .. } => {
            applied(&migrations.down(*to).await?, "undone", "nothing to undo")
        }
        Migrate::Redo { dry_run: true, .. } => {
            let planned = migrations.undoable(None).await?;
            Done::sql(
                json!({ "would_redo": steps(&planned) }),
                rendering::sql(&planned, "would redo, beginning with", "nothing to redo"),
            )
        }
        Migrate::Redo { .. } => applied(&migrations.redo().await?, "redone", "nothing to redo"),
        Migrate::Status { .. } => {
            let all = migrations.status().await?;
            Done::of(all.iter().map(object).collect(), table(&all))
        }
        Migrate::Verify { scratch: place, .. } => {
            let found = migrations.verify(&scratch(place, url)).await?;
            let (value, text) = drift(&found);
            let exit = if found.is_none() {
                Exit::Done
            } else {
                Exit::Unverified
            };
            Done {
                exit,
                ..Done::of(value, text)
            }
        }
        Migrate::Adopt {
            scratch: place,
            to,
            dry_run,
            ..
        } => {
            let adopted = migrations
                .adopt(*to, &scratch(place, url), *dry_run)
                .await?;
            let (value, text) = adoption(&adopted, *dry_run);
            Done::of(value, text)
        }
    })
}

fn applied(versions: &[Version], what: &str, nothing: &str) -> Done {
    Done::of(json!({ what: versions }), said(versions, what, nothing))
}

fn which(args: &Migrate) -> &Which {
    match args {
        Migrate::Up { which, .. }
        | Migrate::Down { which, .. }
        | Migrate::Redo { which, .. }
        | Migrate::Status { which }
        | Migrate::Verify { which, .. }
        | Migrate::Adopt { which, .. } => which,
    }
}

fn choice(which: &Which) -> SetChoice<'_> {
    match (&which.set, &which.dir) {
        (Some(name), _) => SetChoice::Platform(name),
        (None, Some(path)) => SetChoice::Folder(path),
        (None, None) => SetChoice::Own,
    }
}

fn scratch(place: &ScratchArgs, url: &SecretString) -> Scratch {
    match &place.scratch_database_url {
        Some(given) => Scratch::Given(SecretString::from(given.clone())),
        None => Scratch::Made(url.clone()),
    }
}
