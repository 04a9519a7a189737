//! The commands. Each one gets its arguments and an [`Output`], and returns its exit code.

mod access;
mod ahead;
mod audit;
mod backfill;
mod bench;
mod closing;
mod completions;
mod connection;
mod fields;
mod finalize;
mod grants;
mod init;
mod keys;
mod man;
mod migrate;
mod open;
mod pace;
mod plan;
mod quarantine;
mod restore;
mod rotate;
mod runs;
mod scrub;
mod seal;
mod status;
mod tables;
mod values;
mod verify;

use super::args::{Cli, Command};
use super::output::Output;
use super::session;
use crate::error::{Exit, Fault};

/// Runs one command.
///
/// # Errors
/// Whatever ended the command, as a fault to show to the user.
pub async fn run(mut cli: Cli, output: &Output) -> Result<Exit, Fault> {
    cli.global.access = access::of(&cli.command);
    cli.global.pace = cli.command.pace();
    match dispatched(&cli, output).await {
        Ok(exit) => Ok(exit),
        Err(fault) => Err(session::explained(&cli, fault).await),
    }
}

async fn dispatched(cli: &Cli, output: &Output) -> Result<Exit, Fault> {
    let global = &cli.global;
    let done = match &cli.command {
        Command::Demo(args) => crate::demo::run(global, args, *output).await,
        Command::Completions(args) => Ok(completions::run(args, *output)),
        Command::Man(args) => man::run(args, *output),
        Command::Init(args) => init::run(global, args, *output).await,
        Command::Migrate(args) => migrate::run(global, args, *output).await,
        Command::Keys(args) => keys::run(global, args, *output).await,
        Command::Plan(args) => plan::run(global, args, *output).await,
        Command::Backfill(args) => backfill::run(global, args, *output).await,
        Command::Verify(args) => verify::run(global, args, *output).await,
        Command::Rotate(args) => rotate::run(global, args, *output).await,
        Command::Finalize(args) => finalize::run(global, args, *output).await,
        Command::Restore(args) => restore::run(global, args, *output).await,
        Command::Scrub(args) => scrub::run(global, args, *output).await,
        Command::Open(args) => open::run(global, args, *output).await,
        Command::Seal(args) => seal::run(global, args, *output).await,
        Command::Pause => pace::pause(global, *output).await,
        Command::Resume => pace::resume(global, *output).await,
        Command::Speed(args) => pace::speed(global, args, *output).await,
        Command::Status(args) => status::run(global, args, *output).await,
        Command::Runs(args) => runs::run(global, args, *output).await,
        Command::Fields(args) => fields::run(global, args, *output).await,
        Command::Quarantine(args) => quarantine::run(global, args, *output).await,
        Command::Bench(args) => bench::run(global, args, *output).await,
        Command::Grants(args) => grants::run(global, args, *output).await,
        Command::Audit(args) => audit::run(global, args, *output).await,
    };
    done.map_err(|fault| with_command(&cli.command, fault))
}

/// The same fault; one of an interruption names the command to run again.
fn with_command(command: &Command, fault: Fault) -> Fault {
    if fault.code != "E0605" {
        return fault;
    }
    let hint = match command {
        Command::Backfill(_) => "run `phiseal backfill` again to resume",
        Command::Rotate(_) => "run `phiseal rotate` again to resume",
        Command::Restore(_) => "run `phiseal restore` again to resume",
        Command::Finalize(_) => "run `phiseal finalize` again to resume",
        Command::Scrub(_) => "run `phiseal scrub` again to resume",
        Command::Verify(_) => "run `phiseal verify` again; it starts from the beginning",
        _ => return fault,
    };
    Fault {
        hint: hint.to_owned(),
        ..fault
    }
}
