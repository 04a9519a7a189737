//! The arguments, as clap reads them, and the first sentence of their help. The options of [`Global`]
//! are accepted before or after the command.

mod audit;
mod grants;
mod help;
mod init;
mod keys;
mod migrate;
mod pace;
mod records;
mod removal;
mod status;
mod value;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use self::audit::{Audit, AuditList};
pub use self::grants::{Grants, RoleArg};
pub use self::help::{GROUPS, Parsed, command, examples_of, parse};
pub use self::init::Init;
pub use self::keys::{
    Compromise, Destroy, KeyMove, KeyPurpose, Keys, NewKeys, RewrapTo, RotateArgs, Search,
};
pub use self::migrate::{Migrate, ScratchArgs, Which};
pub use self::pace::{PaceArg, Speed, SpeedArg};
pub use self::records::{Abandon, Fields, Forget, Quarantine, Rebind, Runs};
pub use self::removal::{FinalizeArgs, MethodArg, PlaintextArg, RestoreArgs, ScrubArgs};
pub use self::status::{Status, StatusPart};
use self::value::whole_number;
pub use self::values::{Open, Values};
use crate::cli::color::When;
use crate::pace::Pace;
use crate::store::sqlite::Access;

/// The name of a plan file that is looked for, and of the one that `init` writes.
pub const DEFAULT_PLAN: &str = "phiseal.toml";

/// Encrypt the PHI columns of a live PostgreSQL or SQLite database
///
/// PHI is protected health information. phiseal encrypts ("seals") the columns that a plan file names
/// while applications keep working, verifies every value, rotates the keys, and removes the plaintext.
/// Every command that works on data can be stopped at any time and run again.
#[derive(Debug, Parser)]
#[command(name = "phiseal", version)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The plan file [default: that of PHISEAL_PLAN, phiseal.toml in this folder or one above it, or
    /// /etc/phiseal/phiseal.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// The database, instead of the plan's: postgres://USER@HOST/NAME or sqlite:///PATH
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Print the result as one JSON value
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only errors and results
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Also log what happens: -v steps, -vv details, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colors
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub color: When,
    /// Also append messages, progress and errors to this file
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub log_file: Option<PathBuf>,
    /// The format of messages on stderr and in the log file
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_short_help = true
    )]
    pub log_format: LogFormat,
    /// The tables that `--table` names: `parse` fills it in.
    #[arg(skip)]
    pub table: Vec<String>,
    /// What the command does to a file of SQLite: `access` of the command says it.
    #[arg(skip)]
    pub access: Access,
    /// How fast the command's runs go, over the plan: `Command::pace` says it.
    #[arg(skip)]
    pub pace: Option<Pace>,
}

impl Global {
    /// The plan file that `init` writes: the one that `--plan` names, or phiseal.toml in the working
    /// directory.
    pub fn plan_to_write(&self) -> &Path {
        self.plan.as_deref().unwrap_or(Path::new(DEFAULT_PLAN))
    }

    /// The same, for a command that only looks so far.
    pub fn looking(&self) -> Self {
        Self {
            access: Access::Look,
            ..self.clone()
        }
    }

    /// The options about output on stderr, for a command that this one starts.
    pub fn passed_on(&self) -> Vec<OsString> {
        let named = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned());
        let mut passed = Vec::new();
        if let Some(format) = named(self.log_format.to_possible_value()) {
            passed.push(OsString::from(format!("--log-format={format}")));
        }
        if let Some(when) = named(self.color.to_possible_value()) {
            passed.push(OsString::from(format!("--color={when}")));
        }
        if let Some(file) = &self.log_file {
            passed.push(OsString::from("--log-file"));
            passed.push(file.clone().into_os_string());
        }
        if self.quiet {
            passed.push(OsString::from("--quiet"));
        }
        passed.resize(passed.len() + usize::from(self.verbose), "--verbose".into());
        passed
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line, for log collectors
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on made-up data, in about a minute
    ///
    /// Makes up students, encrypts them, is killed, resumes, verifies every value, and searches for a
    /// name. Uses an SQLite file of its own; needs no plan, no keys and no server.
    Demo(Demo),
    /// Propose a plan file: for columns you name, or for a whole schema
    ///
    /// With --schema it looks at all tables and proposes the columns that seem to hold PHI. The database
    /// is not changed.
    Init(Init),
    /// Print a script that completes commands in a shell
    ///
    /// Write it to the place where your shell looks for completions.
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
    /// Create phiseal's own tables; run SQL migrations
    ///
    /// Without --set or --dir, the migrations are those of phiseal's own tables.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Create, list, check, rewrap, suspend or destroy keys
    ///
    /// Data keys encrypt values. They are stored in the database, encrypted ("wrapped") under the
    /// wrapping key, which stays outside of it.
    #[command(subcommand)]
    Keys(Keys),
    /// Check what a backfill would do; changes nothing
    ///
    /// Lists everything that stands in the way, the DDL that would run, and how long the backfill would
    /// take. Also tries the wrapping key and every data key. Exits with 3 if anything is refused.
    Plan(PlanArgs),
    /// Encrypt the columns of the plan; run it again to resume
    ///
    /// Reads rows in batches, encrypts their values, and writes them in short transactions, while
    /// applications keep working. If it is interrupted, run it again: it continues where it stopped.
    Backfill(BackfillArgs),
    /// Decrypt every value and compare it with its plaintext
    ///
    /// Where the plaintext is already removed, it checks that every value can be decrypted. Exits with 6
    /// if a value is wrong or not encrypted.
    Verify(VerifyArgs),
    /// Encrypt every value again under a new data key
    ///
    /// Makes a new version of each active key and encrypts all values under it, in every registered
    /// table. A rotation that was interrupted is finished first, and then no other is begun.
    Rotate(RotateArgs),
    /// Remove the plaintext columns once every value is verified
    ///
    /// Checks that no application writes plaintext any more, verifies every value, hides the columns for
    /// a time, and then drops them. Asks before it removes anything. Run it again to continue.
    Finalize(FinalizeArgs),
    /// Decrypt the sealed columns back into plaintext columns
    ///
    /// The sealed columns stay, unless --drop-sealed is given.
    Restore(RestoreArgs),
    /// Remove what the database's files still hold of removed plaintext
    ///
    /// Dropped columns leave their values in tables, statistics and the write-ahead log. This rewrites
    /// them, then searches the files for the plaintext, and lists what only a DBA can do.
    Scrub(ScrubArgs),
    /// Decrypt values from stdin, for scripts
    ///
    /// Reads rows as CSV or JSON lines and writes them with the decrypted values. Notes in the audit log
    /// who decrypted how many values of which column.
    Open(Open),
    /// Encrypt values from stdin, for scripts
    ///
    /// Reads rows as CSV or JSON lines and writes them with the sealed values and blind indexes. Changes
    /// no table.
    Seal(Values),
    /// Estimate how long a backfill takes, from a sample
    ///
    /// Reads batches from several places of each table, encrypts them in memory, and writes them into a
    /// temporary copy. Changes nothing; needs neither keys nor phiseal's own tables.
    Bench(BenchArgs),
    /// Make runs wait, current and later ones, until `phiseal resume`
    ///
    /// Works from any terminal or host: the request is stored in the database.
    Pause,
    /// Let paused runs continue
    Resume,
    /// Change the pace of current and later runs for a time
    ///
    /// Without arguments, shows what was requested.
    Speed(Speed),
    /// Show what runs now, what is due, and what needs a person
    ///
    /// Fits one screen; `phiseal status fields`, `runs`, `keys`, `rotations` and `quarantine` show the
    /// details. Needs no wrapping key.
    Status(Status),
    /// List the registered columns, or change their registration
    #[command(subcommand)]
    Fields(Fields),
    /// List runs, or abandon one
    #[command(subcommand)]
    Runs(Runs),
    /// List or retry rows that could not be processed
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Print the GRANTs that a role needs, for psql
    ///
    /// Prints complete statements for the owner, the engine, an application or an auditor. Changes
    /// nothing.
    Grants(Grants),
    /// List, check or export the audit log
    ///
    /// Each entry of the audit log holds a digest of the one before it, so a change of an old entry
    /// shows.
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// How many students to make up (default 100000, at least 2000); with --set, how many rows for each
    /// table (default 1000)
    #[arg(long, value_name = "N", value_parser = whole_number(1_u32, 10_000_000))]
    pub rows: Option<u32>,
    /// Instead of students, fill and encrypt the tables of this migration set: white_cross, facility or
    /// webqx. Needs a PostgreSQL server (--database-url)
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// Keep the SQLite file, the schemas or the database, and print where they are
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write one page for each command into this directory; no page may exist there
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// When done, keep running and encrypt what applications write
    #[arg(long)]
    pub follow: bool,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Write the result and what was found to this new file, as JSON, mode 0600
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub going: Going,
}

/// What becomes of the other tables where one is refused, and how fast all are worked on.
#[derive(Debug, Clone, Copy, Args)]
pub struct Going {
    /// If preflight refuses a table, continue with the others
    #[arg(long)]
    pub keep_going: bool,
    /// How much of the server to use, instead of the plan's pace
    #[arg(long, value_enum, value_name = "PACE")]
    pub pace: Option<PaceArg>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print the DDL that a backfill would run, as a script for a DBA to run beforehand
    #[arg(long)]
    pub sql: bool,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Write the sample into the tables themselves and roll it back. More exact, but it locks these rows
    /// meanwhile, fires triggers, and leaves dead rows
    #[arg(long)]
    pub write_sample: bool,
}
