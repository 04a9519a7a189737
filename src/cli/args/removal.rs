//! The arguments of the commands that remove plaintext, and of the one that brings it back.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Going;
use super::value::duration;

#[derive(Debug, Args)]
pub struct FinalizeArgs {
    /// Only this column (repeatable)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// What happens to the plaintext columns
    #[arg(long, value_enum, value_name = "WHAT", default_value = "drop")]
    pub plaintext: PlaintextArg,
    /// How long to watch for applications that still write plaintext
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub observe: Duration,
    /// How long the columns stay hidden under another name before they are removed
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub grace: Duration,
    /// A row in quarantine, by its tag, whose values may be lost (repeatable)
    #[arg(long, value_name = "TAG")]
    pub give_up: Vec<String>,
    /// Give hidden columns back to the application, if they are not removed yet
    #[arg(long, conflicts_with_all = ["observe", "grace", "plaintext", "give_up", "dry_run"])]
    pub undo: bool,
    /// Show what stands in the way and what would be done; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; required where no terminal is
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub going: Going,
}

/// What becomes of the plaintext columns.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PlaintextArg {
    /// Drop the columns
    Drop,
    /// Keep the columns, with NULL in every row
    Blank,
    /// Keep columns and values, but accept no new plaintext (this does not finalize them)
    Keep,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Only this column (repeatable)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// Write into this column instead, and create it if it does not exist (one column at a time)
    #[arg(long, value_name = "NAME")]
    pub into: Option<String>,
    /// Drop the sealed columns and the triggers that protect them once every value is restored
    #[arg(long)]
    pub drop_sealed: bool,
    /// Show what would be restored, created and dropped, and what stands in the way; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With --drop-sealed: do not ask; required where no terminal is
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct ScrubArgs {
    /// Only this column (repeatable)
    #[arg(long = "column", value_name = "C")]
    pub columns: Vec<String>,
    /// How tables are rewritten
    #[arg(long, value_enum, value_name = "METHOD", default_value = "auto")]
    pub method: MethodArg,
    /// Show what would be done, with which rights, and how long it blocks; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask, even where applications have to wait
    #[arg(long)]
    pub yes: bool,
}

/// How tables are rewritten.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MethodArg {
    /// The one that disturbs applications least
    Auto,
    /// REPACK (CONCURRENTLY), from PostgreSQL 19
    Repack,
    /// VACUUM FULL: nobody can read or write the table meanwhile
    VacuumFull,
    /// The extension and program pg_repack
    #[value(name = "pg_repack", alias = "pg-repack")]
    PgRepack,
}
