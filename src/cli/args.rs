//! The arguments, as clap reads them. The options of [`Global`] are taken before or after the
//! command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::crypto::KeyId;
use crate::ident::TableName;
use crate::store::sqlite::Access;

/// The plan file where `--plan` names none.
pub const DEFAULT_PLAN: &str = "phiseal.toml";

/// Seal PHI columns of a live database under versioned keys: resumable, verified, proven.
#[derive(Debug, Parser)]
#[command(name = "phiseal", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The plan file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = DEFAULT_PLAN
    )]
    pub plan: PathBuf,
    /// The database, over the plan's: postgres://user@host/name or sqlite:///path
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// One JSON object on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Only this table of the plan (may be given several times)
    #[arg(long, global = true, value_name = "T")]
    pub table: Vec<String>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// What the command does to a file of SQLite: `access` of the command says it.
    #[arg(skip)]
    pub access: Access,
}

impl Global {
    /// The same, for a command that only looks so far.
    pub fn looking(&self) -> Self {
        Self {
            access: Access::Look,
            ..self.clone()
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for collectors
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything below on an embedded database, in a minute; needs nothing
    Demo(Demo),
    /// Look at the tables of --table and propose a plan file for them, or write that of a set
    Init(Init),
    /// Schema migrations: phiseal's own, the sets shipped here, or a folder
    #[command(subcommand)]
    Migrate(Migrate),
    /// Wrapping keys and data keys
    #[command(subcommand)]
    Keys(Keys),
    /// Preflight: what would happen, what stands in the way, how long; changes nothing
    Plan(PlanArgs),
    /// Seal; run it again to resume
    Backfill(BackfillArgs),
    /// Open and compare every row
    Verify(VerifyArgs),
    /// New key version, re-seal, history row; finishes what was interrupted
    Rotate(RotateArgs),
    /// Decrypt back
    Restore(RestoreArgs),
    /// Measure a backfill of the plan's tables on a few batches of them, and say how long it takes
    Bench(BenchArgs),
    /// Fields, runs, lanes, keys and quarantine
    Status(Status),
    /// Registered fields: where each is by now, and how it is
    #[command(subcommand)]
    Fields(Fields),
    /// Runs of all tables
    #[command(subcommand)]
    Runs(Runs),
    /// Rows that could not be processed
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// The audit chain
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Students to make up, at least 2000 [default: 100000]; with --set, rows of each table
    /// [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rows: Option<u32>,
    /// Instead of students, fill and seal the tables of this migration set: white_cross, facility
    /// or webqx
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// Keep the files (SQLite), the schemas (PostgreSQL) or the database (--set), and say where
    /// they are
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct Init {
    /// A column to seal (may be given several times)
    #[arg(
        long = "column",
        value_name = "C",
        required_unless_present = "set",
        conflicts_with = "set"
    )]
    pub columns: Vec<String>,
    /// Write the plan file of this migration set: white_cross, facility or webqx
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply what is pending
    Up {
        #[command(flatten)]
        which: Which,
        /// Stop after this version
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Apply what is older than an applied migration too
        #[arg(long)]
        allow_out_of_order: bool,
        /// Say what would be run, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo the migration that was applied last
    Down {
        #[command(flatten)]
        which: Which,
        /// Undo all after this version; 0 undoes everything
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Drop tables that hold rows, and sealed columns
        #[arg(long)]
        drop_data: bool,
        /// Say what would be run and what would be refused, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo the migration that was applied last, and apply it again
    Redo {
        #[command(flatten)]
        which: Which,
        /// Drop tables that hold rows, and sealed columns
        #[arg(long)]
        drop_data: bool,
        /// Say what would be run and what would be refused, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// What is applied and what is pending
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Compare the database with what the applied migrations make
    Verify {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        scratch: ScratchArgs,
    },
    /// Take over a database that another tool built: compare, then write down as applied
    Adopt {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        scratch: ScratchArgs,
        /// Adopt up to this version
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Compare only, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Write an empty pair of files, named as the others of the folder
    New {
        /// What it is about, for the files' names
        name: String,
        /// The folder
        #[arg(long, value_name = "PATH")]
        dir: PathBuf,
    },
}

/// Whose migrations; phiseal's own tables where neither is given.
#[derive(Debug, Args)]
pub struct Which {
    /// A platform's schema: white_cross, facility or webqx
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    pub set: Option<String>,
    /// The SQL files in this folder
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// What a placeholder ${NAME} of the folder's files stands for (may be given several times)
    #[arg(
        long = "var",
        value_name = "NAME=VALUE",
        requires = "dir",
        value_parser = placeholder
    )]
    pub vars: Vec<(String, String)>,
}

fn placeholder(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct ScratchArgs {
    /// An empty database to build the set in, instead of one made for it and dropped
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub scratch_database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a wrapping key and write it to a new file of mode 0600
    NewWrappingKey {
        /// The file; must not exist
        path: PathBuf,
    },
    /// Make a data key and, once it is proven durable, activate it
    Create(NewKeys),
    /// All data keys, without the keys
    List,
    /// One data key, without the key
    Show {
        /// Its id
        #[arg(value_parser = key_id)]
        key_id: KeyId,
    },
    /// Unwrap every key and compare its check value; touches nothing (the restore drill)
    Check,
    /// Move every data key under another wrapping key; touches no row
    Rewrap(RewrapTo),
    /// Set an active key aside: it opens, but seals nothing until it is resumed
    Suspend(KeyMove),
    /// Take a suspended key back into use
    Resume(KeyMove),
    /// Declare a key compromised, and seal everything under it again under another
    Compromise(Compromise),
    /// Wipe a key that nothing is sealed under any more; or, with --tenant, a tenant's keys, whose
    /// values then never open again
    Destroy(Destroy),
}

#[derive(Debug, Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub going: Going,
}

/// What becomes of the other tables where one is refused.
#[derive(Debug, Clone, Copy, Args)]
pub struct Going {
    /// Work on the other tables where preflight refuses one
    #[arg(long)]
    pub keep_going: bool,
}

#[derive(Debug, Args)]
pub struct RewrapTo {
    /// The new wrapping key: file:PATH, env:NAME or command:PROGRAM ARGUMENTS
    #[arg(long, value_name = "PROVIDER")]
    pub to: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "rewrap")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct KeyMove {
    /// Its id
    #[arg(value_parser = key_id)]
    pub key_id: KeyId,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct Compromise {
    #[command(flatten)]
    pub key: KeyMove,
    #[command(flatten)]
    pub search: Search,
}

/// How far values are looked for.
#[derive(Debug, Args)]
pub struct Search {
    /// A relation that cannot be searched, and was looked into otherwise (repeatable)
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub except: Vec<String>,
    /// Count what is registered, and search nothing else: for very large databases
    #[arg(long)]
    pub registered_only: bool,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// Its id
    #[arg(value_parser = key_id, required_unless_present = "tenant", conflicts_with = "tenant")]
    pub key_id: Option<KeyId>,
    /// All keys of this tenant, whatever is sealed under them (crypto-shredding)
    #[arg(long, value_name = "T", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub tenant: Option<String>,
    /// The key id, or the tenant, once more: there is no way back
    #[arg(long, value_name = "KEY-ID")]
    pub confirm: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Only the keys that are due, and only if one is: for schedulers
    #[arg(long)]
    pub if_due: bool,
    /// Make a new key even though the last rotation left values behind and its key is not due
    #[arg(long)]
    pub new_key: bool,
    /// Which keys; `cell` when not given, with --if-due those that are due
    #[arg(long, value_enum)]
    pub purpose: Option<KeyPurpose>,
    /// Only this tenant's keys
    #[arg(long, value_name = "T")]
    pub tenant: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "scheduled rotation")]
    pub reason: String,
    /// How long applications may go on with the keys they have loaded, in seconds: a new blind
    /// index is switched to after that
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub grace: u64,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct NewKeys {
    /// What for; both when not given
    #[arg(long, value_enum)]
    pub purpose: Option<KeyPurpose>,
    /// For one tenant (tenants met by a backfill get theirs by themselves)
    #[arg(long, value_name = "T", default_value = "")]
    pub tenant: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    let number = text.parse().ok();
    number
        .and_then(KeyId::new)
        .ok_or("a key id is a number from 1 to 2147483647")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyPurpose {
    /// Seals values
    Cell,
    /// Makes blind indexes
    #[value(name = "blind_index", alias = "blind-index")]
    BlindIndex,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print the DDL that a backfill would run, for a DBA to run beforehand
    #[arg(long)]
    pub sql: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Only this column (may be given several times)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// Write into this column instead; made if absent (one column at a time)
    #[arg(long, value_name = "NAME")]
    pub into: Option<String>,
    /// Drop the sealed columns and the guard once every value is restored
    #[arg(long)]
    pub drop_sealed: bool,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Write the sample into the tables themselves and roll it back, instead of into a temporary
    /// copy: closer to the truth, but it locks these rows, fires triggers, and leaves dead rows
    #[arg(long)]
    pub write_sample: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Exit with 10 when something is due, overdue or needs a person
    #[arg(long)]
    pub check: bool,
    /// Count the values under each key, whatever the size of the tables
    #[arg(long)]
    pub census: bool,
}

#[derive(Debug, Subcommand)]
pub enum Fields {
    /// Every field with its table, state and health
    List,
    /// End fields whose column or table is gone for good; refused while sealed values of them are found
    Forget(Forget),
    /// Make another table, which took the place of the one before, the table of a label: opens and compares
    /// every value of it first
    Rebind(Rebind),
}

#[derive(Debug, Args)]
pub struct Forget {
    /// The label of the table, as `fields list` shows it
    pub label: String,
    /// Only this column
    #[arg(long, value_name = "C")]
    pub column: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct Rebind {
    /// The label of the table, as `fields list` shows it
    pub label: String,
    /// The table that has taken its place
    #[arg(long, value_name = "TABLE")]
    pub to: TableName,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum Runs {
    /// Every run, those that are unfinished first
    List,
    /// End an unfinished run that cannot be resumed, or is not to be; what it did stays
    Abandon(Abandon),
}

#[derive(Debug, Args)]
pub struct Abandon {
    /// Its number, or the label of its table
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "abandoned")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// The rows, by tag
    List,
    /// Write the key of a row to a file of mode 0600, so that it can be looked at
    Show {
        /// Its tag: 16 hex digits
        tag: String,
        /// The file; must not exist
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Have the next run try rows again
    Retry {
        /// Their tags; all when none is given
        tags: Vec<String>,
    },
    /// Leave rows as they are, and stop reporting them
    Skip {
        /// Their tags
        #[arg(required = true)]
        tags: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check the whole chain
    Verify {
        /// A head noted elsewhere: finds a cut-off end, too
        #[arg(long, value_name = "HEAD")]
        head: Option<String>,
    },
    /// Print the value to note elsewhere
    Head,
}
