//! The arguments, as clap reads them. The options of [`Global`] are taken before or after the
//! command.

mod audit;
mod grants;
mod init;
mod keys;
mod migrate;
mod pace;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::audit::{Audit, AuditList};
pub use self::grants::{Grants, RoleArg};
pub use self::init::Init;
pub use self::keys::{
    Compromise, Destroy, KeyMove, KeyPurpose, Keys, NewKeys, RewrapTo, RotateArgs, Search,
};
pub use self::migrate::{Migrate, ScratchArgs, Which};
pub use self::pace::{PaceArg, Speed, SpeedArg};
use self::value::{duration, whole_number};
use crate::ident::TableName;
use crate::pace::Pace;
use crate::store::sqlite::Access;

/// The name of a plan file that is looked for, and of the one that `init` writes.
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
    /// The plan file [default: that of PHISEAL_PLAN, phiseal.toml in this folder or one above, or
    /// /etc/phiseal/phiseal.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub plan: Option<PathBuf>,
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
    /// Propose a plan file: for columns you name, for all PHI that a schema seems to hold, or of a set
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
    /// Remove the plaintext: freeze, verify every value, constrain, drop
    Finalize(FinalizeArgs),
    /// Decrypt back
    Restore(RestoreArgs),
    /// Rewrite what the database's files still hold of removed plaintext, and look for it
    Scrub(ScrubArgs),
    /// Measure a backfill of the plan's tables on a few batches of them, and say how long it takes
    Bench(BenchArgs),
    /// Have runs stop where they are, those under way and the next ones, until they are resumed
    Pause,
    /// Have paused runs go on
    Resume,
    /// Ask runs to go at another pace for a time, or show what is asked
    Speed(Speed),
    /// Fields, runs, lanes, keys, pace and quarantine
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
    /// Print the GRANTs that a role needs, for psql; changes nothing
    Grants(Grants),
    /// The audit log: who did what to keys and tables
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Students to make up, at least 2000 [default: 100000]; with --set, rows of each table
    /// [default: 1000]
    #[arg(long, value_name = "N", value_parser = whole_number(1_u32, 10_000_000))]
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
pub struct BackfillArgs {
    /// Afterwards go on sealing what applications write, until stopped
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
    /// Work on the other tables where preflight refuses one
    #[arg(long)]
    pub keep_going: bool,
    /// How fast to go, over the plan
    #[arg(long, value_enum, value_name = "PACE")]
    pub pace: Option<PaceArg>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print the DDL that a backfill would run, for a DBA to run beforehand
    #[arg(long)]
    pub sql: bool,
}

#[derive(Debug, Args)]
pub struct FinalizeArgs {
    /// Only this column (may be given several times)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// What becomes of the plaintext columns; kept ones are not finalized
    #[arg(long, value_enum, default_value = "drop")]
    pub plaintext: PlaintextArg,
    /// How long to look first whether an application still writes plaintext
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub observe: Duration,
    /// How long the columns are hidden under another name before they are dropped
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub grace: Duration,
    /// A row in quarantine whose values may be lost, by its tag (may be given several times)
    #[arg(long, value_name = "TAG")]
    pub give_up: Vec<String>,
    /// Give the columns back to the application, as long as they are not removed
    #[arg(long, conflicts_with_all = ["observe", "grace", "plaintext", "give_up", "dry_run"])]
    pub undo: bool,
    /// Only look: what is in the way, and what would be done; changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub going: Going,
}

/// What becomes of the plaintext columns.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PlaintextArg {
    /// They are dropped
    Drop,
    /// They stay, with NULL in every row
    Blank,
    /// They stay as they are, and take no plaintext any more
    Keep,
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
    /// Only look: what would be restored, made and dropped, and what is in the way; changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Drop without asking
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct ScrubArgs {
    /// Only this column (may be given several times)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// How tables are rewritten
    #[arg(long, value_enum, default_value = "auto")]
    pub method: MethodArg,
    /// Only look: what would be done, with which right, and for how long it blocks; changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Rewrite without asking, also where the application waits for it
    #[arg(long)]
    pub yes: bool,
}

/// How tables are rewritten.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MethodArg {
    /// The one that disturbs least
    Auto,
    /// REPACK (CONCURRENTLY), from PostgreSQL 19
    Repack,
    /// VACUUM FULL: nobody reads or writes the table meanwhile
    VacuumFull,
    /// The extension and program pg_repack
    #[value(name = "pg_repack", alias = "pg-repack")]
    PgRepack,
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
    /// Forget without asking
    #[arg(long)]
    pub yes: bool,
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
