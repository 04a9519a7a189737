//! The arguments of the commands that show and change what phiseal recorded.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::ident::TableName;

#[derive(Debug, Subcommand)]
pub enum Fields {
    /// List the registered columns, where each one is, and its health
    List,
    /// Remove columns from the registry that no longer exist
    ///
    /// Refused while values that were sealed for them are found anywhere in the database.
    Forget(Forget),
    /// Register another table in place of one that was replaced
    ///
    /// First decrypts and compares every value of the new table. Refused while the old table holds
    /// sealed values.
    Rebind(Rebind),
}

#[derive(Debug, Args)]
pub struct Forget {
    /// The label of the table, from `phiseal fields list`
    pub label: String,
    /// Only this column
    #[arg(long, value_name = "C")]
    pub column: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do not ask; required where no terminal is
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Rebind {
    /// The label of the table, from `phiseal fields list`
    pub label: String,
    /// The table that replaced it
    #[arg(long, value_name = "TABLE")]
    pub to: TableName,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum Runs {
    /// List the newest 1000 runs, unfinished ones first
    List,
    /// End an unfinished run for good; what it did stays
    ///
    /// For a run that cannot be resumed, or that nobody wants to resume. Refused while a process works
    /// on it.
    Abandon(Abandon),
}

#[derive(Debug, Args)]
pub struct Abandon {
    /// The number of the run, or the label of its table
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "abandoned")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Count the rows that could not be processed by reason, and list some by tag
    ///
    /// A tag stands for a row without showing its primary key, which may be PHI.
    List {
        /// How many rows to list at most [default: 20; with --json all]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Write the primary key of a row to a file that only you can read
    ///
    /// The file also has a WHERE condition that finds the row.
    Show {
        /// The tag of the row: 16 hex digits, from `phiseal quarantine list`
        tag: String,
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Have the next run try rows again
    Retry {
        /// The tags of the rows; without one, all rows
        tags: Vec<String>,
    },
    /// Leave rows as they are, and stop reporting them
    Skip {
        /// The tags of the rows
        #[arg(required = true)]
        tags: Vec<String>,
    },
}
