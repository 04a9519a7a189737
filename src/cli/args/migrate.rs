//! The arguments of `migrate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply the migrations that are pending
    Up {
        #[command(flatten)]
        which: Which,
        /// Apply up to this version
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Also apply migrations that are older than an applied one
        #[arg(long)]
        allow_out_of_order: bool,
        /// Print the SQL, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo the newest applied migration
    ///
    /// Refused while it would drop tables that hold rows, or sealed columns, unless --drop-data is given or a
    /// person at the terminal agrees.
    Down {
        #[command(flatten)]
        which: Which,
        /// Undo every migration after this version; 0 undoes all
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Also drop tables that hold rows, and sealed columns
        #[arg(long)]
        drop_data: bool,
        /// With --drop-data: do not ask; required where no terminal is
        #[arg(long, requires = "drop_data")]
        yes: bool,
        /// Print the SQL and what would be refused, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo the newest applied migration, and apply it again
    Redo {
        #[command(flatten)]
        which: Which,
        /// Also drop tables that hold rows, and sealed columns
        #[arg(long)]
        drop_data: bool,
        /// With --drop-data: do not ask; required where no terminal is
        #[arg(long, requires = "drop_data")]
        yes: bool,
        /// Print the SQL and what would be refused, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the migrations, applied and pending
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Compare the database with what its migrations create
    ///
    /// Runs the applied migrations in a scratch database and compares the definitions. Exits with 6 if they
    /// differ.
    Verify {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        scratch: ScratchArgs,
    },
    /// Take over a database that another tool migrated
    ///
    /// Compares like `verify`, then records the migrations as applied. Refused if anything is missing or
    /// different.
    Adopt {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        scratch: ScratchArgs,
        /// Adopt up to this version
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Compare, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Write empty files for a new migration
    ///
    /// They are numbered after the newest migration of the folder and named like the others.
    New {
        /// What the migration does, for the names of the files
        name: String,
        /// The folder of the migrations
        #[arg(long, value_name = "PATH")]
        dir: PathBuf,
    },
}

/// Whose migrations; phiseal's own tables where neither is given.
#[derive(Debug, Args)]
pub struct Which {
    /// Migrations of a platform that ships with phiseal: white_cross, facility or webqx
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    pub set: Option<String>,
    /// Migrations in this folder of SQL files
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// The value of the placeholder ${NAME} in the files (repeatable)
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
    /// An empty database to run the migrations in, instead of a temporary one
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub scratch_database_url: Option<String>,
}
