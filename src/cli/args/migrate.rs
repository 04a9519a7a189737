//! The arguments of `migrate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
        /// Drop tables that hold rows, and sealed columns; asks first
        #[arg(long)]
        drop_data: bool,
        /// With --drop-data, drop without asking
        #[arg(long, requires = "drop_data")]
        yes: bool,
        /// Say what would be run and what would be refused, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo the migration that was applied last, and apply it again
    Redo {
        #[command(flatten)]
        which: Which,
        /// Drop tables that hold rows, and sealed columns; asks first
        #[arg(long)]
        drop_data: bool,
        /// With --drop-data, drop without asking
        #[arg(long, requires = "drop_data")]
        yes: bool,
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
