//! `phiseal migrate`: migrations of phiseal's own tables, of the platforms' sets, or of a folder of
//! SQL files.

mod progress;
mod rendering;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::progress::Progress;
use crate::cli::args::{Global, Migrate, ScratchArgs, Which};
use crate::cli::output::Output;
use crate::cli::question;
use crate::cli::{session, signal};
use crate::error::{Exit, Fault};
use crate::plural::counted;
use crate::schema::{
    Allowed, Link, MigrateError, Migrations, Scratch, SetChoice, Version, new_files,
};
use rendering::{adoption, drift, object, said, steps, table};

pub async fn run(global: &Global, args: &Migrate, output: Output) -> Result<Exit, Fault> {
    let Some(which) = which(args) else {
        let Migrate::New { name, dir } = args else {
            return Ok(Exit::Done);
        };
        let files = new_files(dir, name)?;
        output.result(
            &json!({ "written": files }),
            &format!("written: {}", files.join(", ")),
        );
        return Ok(Exit::Done);
    };
    let choice = choice(which);
    let platforms = !matches!(choice, SetChoice::Own);
    let (url, roles, access) = session::migration_target(global, platforms)?;
    let mut link = Link::open(url.expose_secret(), &roles.schema, choice, access)
        .await?
        .acting_as(roles.role.as_ref(), roles.owner.as_ref());
    let progress = Progress::start(output);
    let done = match link.migrations(choice) {
        Ok(migrations) => {
            let mut migrations = migrations.allowing(allowed(args));
            if platforms {
                let progress = Arc::clone(&progress);
                migrations = migrations.telling(move |step| progress.step(step));
            }
            let hint = "run the same command again to continue; `phiseal migrate status` shows what is applied";
            signal::unless_interrupted(work(&mut migrations, args, &url), hint).await
        }
        Err(error) => Err(error.into()),
    };
    link.close().await;
    let interrupted_at = progress.done();
    drop(progress);
    let done = done.map_err(|fault| match interrupted_at {
        Some((done, of)) if fault.exit == Exit::Interrupted => Fault {
            message: format!("interrupted: {done} of {} done", counted(of, "migration")),
            ..fault
        },
        _ => fault,
    })?;
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
    /// Whether the text is SQL that the user may run as it is.
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
    let version = |migrations: &Migrations<'_>, text: &Option<String>| {
        text.as_deref()
            .map(|text| migrations.version(text))
            .transpose()
    };
    Ok(match args {
        Migrate::Up { to, dry_run, .. } => {
            let to = version(migrations, to)?;
            if *dry_run {
                let planned = migrations.pending(to).await?;
                return Ok(Done::sql(
                    json!({ "would_apply": steps(&planned) }),
                    rendering::sql(&planned, &[], "would apply", "nothing to apply"),
                ));
            }
            let applied = migrations.up(to).await?;
            done(migrations, &applied, "applied", "nothing to apply")
        }
        Migrate::Down {
            to, dry_run: true, ..
        } => {
            let to = version(migrations, to)?;
            would_undo(migrations, to, "would_undo", "nothing to undo").await?
        }
        Migrate::Down {
            to, drop_data, yes, ..
        } => {
            let to = version(migrations, to)?;
            let undone = down(migrations, to, (*drop_data, *yes)).await?;
            done(migrations, &undone, "undone", "nothing to undo")
        }
        Migrate::Redo { dry_run: true, .. } => {
            would_undo(migrations, None, "would_redo", "nothing to redo").await?
        }
        Migrate::Redo { drop_data, yes, .. } => {
            let redone = redo(migrations, (*drop_data, *yes)).await?;
            done(migrations, &redone, "redone", "nothing to redo")
        }
        Migrate::Status { .. } => {
            let all = migrations.status().await?;
            Done::of(all.iter().map(object).collect(), table(&all))
        }
        Migrate::Verify { scratch: place, .. } => compared(migrations, place, url).await?,
        Migrate::Adopt {
            scratch: place,
            to,
            dry_run,
            ..
        } => {
            let to = version(migrations, to)?;
            let adopted = migrations.adopt(to, &scratch(place, url), *dry_run).await?;
            let label = |version| migrations.label(version);
            let (value, text) = adoption(&adopted, *dry_run, label);
            Done::of(value, text)
        }
        Migrate::New { .. } => Done::of(Value::Null, String::new()),
    })
}

/// Undoes migrations; asks before anything is dropped.
async fn down(
    migrations: &mut Migrations<'_>,
    to: Option<Version>,
    (drop_data, yes): (bool, bool),
) -> Result<Vec<Version>, Fault> {
    if drop_data {
        agreed(migrations, to, yes).await?;
    }
    let mut undone = migrations.down(to).await;
    if let Err(error) = &undone
        && asked(migrations, error)
    {
        undone = migrations.down(to).await;
    }
    Ok(undone?)
}

/// Undoes a migration and applies it again; asks before anything is dropped.
async fn redo(
    migrations: &mut Migrations<'_>,
    (drop_data, yes): (bool, bool),
) -> Result<Vec<Version>, Fault> {
    if drop_data {
        agreed(migrations, None, yes).await?;
    }
    let mut redone = migrations.redo().await;
    if let Err(error) = &redone
        && asked(migrations, error)
    {
        redone = migrations.redo().await;
    }
    Ok(redone?)
}

/// Compares the database with what the migrations build.
async fn compared(
    migrations: &mut Migrations<'_>,
    place: &ScratchArgs,
    url: &SecretString,
) -> Result<Done, Fault> {
    let found = migrations.verify(&scratch(place, url)).await?;
    let (value, text) = drift(&found, |version| migrations.label(version));
    let exit = if found.is_none() {
        Exit::Done
    } else {
        Exit::Unverified
    };
    Ok(Done {
        exit,
        ..Done::of(value, text)
    })
}

/// The migrations that an undo would revert, and which of them would be refused.
async fn would_undo(
    migrations: &mut Migrations<'_>,
    to: Option<Version>,
    what: &'static str,
    nothing: &str,
) -> Result<Done, Fault> {
    let planned = migrations.undoable(to).await?;
    let losses = migrations.losses(to).await?;
    let refused: Vec<Value> = losses
        .iter()
        .map(|(version, lines)| {
            json!({ "version": number(migrations, *version), "would_drop": lines })
        })
        .collect();
    Ok(Done::sql(
        json!({ what: steps(&planned), "would_refuse": refused }),
        rendering::sql(&planned, &losses, &what.replace('_', " "), nothing),
    ))
}

/// Asks before `--drop-data` drops anything.
///
/// # Errors
/// E0618 if it would, and neither a person nor `--yes` says that it may.
async fn agreed(
    migrations: &mut Migrations<'_>,
    to: Option<Version>,
    yes: bool,
) -> Result<(), Fault> {
    let losses = migrations.losses(to).await?;
    let lines: Vec<String> = losses.into_iter().flat_map(|(_, lines)| lines).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => question::agreed(yes, DROPS, &lines, DROP_IT),
    }
}

const DROPS: &str = "this would drop:";
const DROP_IT: &str = "Drop it? There is no way back.";

/// Asks the person at the terminal whether to drop data, and allows it if the answer is yes.
fn asked(migrations: &mut Migrations<'_>, error: &MigrateError) -> bool {
    let Some(losses) = error.losses() else {
        return false;
    };
    let said = question::yes(DROPS, losses, DROP_IT);
    if said {
        migrations.allow(Allowed {
            drop_data: true,
            ..Allowed::default()
        });
    }
    said
}

fn done(migrations: &Migrations<'_>, versions: &[Version], what: &str, nothing: &str) -> Done {
    let numbers: Vec<Value> = versions.iter().map(|v| number(migrations, *v)).collect();
    let labels: Vec<String> = versions.iter().map(|v| migrations.label(*v)).collect();
    Done::of(json!({ what: numbers }), said(&labels, what, nothing))
}

fn number(migrations: &Migrations<'_>, version: Version) -> Value {
    rendering::written(&migrations.label(version), version)
}

const fn allowed(args: &Migrate) -> Allowed {
    match args {
        Migrate::Up {
            allow_out_of_order, ..
        } => Allowed {
            out_of_order: *allow_out_of_order,
            drop_data: false,
        },
        Migrate::Down { drop_data, .. } | Migrate::Redo { drop_data, .. } => Allowed {
            out_of_order: false,
            drop_data: *drop_data,
        },
        _ => Allowed {
            out_of_order: false,
            drop_data: false,
        },
    }
}

fn which(args: &Migrate) -> Option<&Which> {
    match args {
        Migrate::Up { which, .. }
        | Migrate::Down { which, .. }
        | Migrate::Redo { which, .. }
        | Migrate::Status { which }
        | Migrate::Verify { which, .. }
        | Migrate::Adopt { which, .. } => Some(which),
        Migrate::New { .. } => None,
    }
}

fn choice(which: &Which) -> SetChoice<'_> {
    match (&which.set, &which.dir) {
        (Some(name), _) => SetChoice::Platform(name),
        (None, Some(path)) => SetChoice::Folder {
            path,
            vars: &which.vars,
        },
        (None, None) => SetChoice::Own,
    }
}

fn scratch(place: &ScratchArgs, url: &SecretString) -> Scratch {
    match &place.scratch_database_url {
        Some(given) => Scratch::Given(SecretString::from(given.clone())),
        None => Scratch::Made(url.clone()),
    }
}
