//! The arguments of `init`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Init {
    /// A column to seal, of the tables that --table names (may be given several times)
    #[arg(
        long = "column",
        value_name = "C",
        required_unless_present_any = ["set", "schemas"],
        conflicts_with_all = ["set", "schemas"]
    )]
    pub columns: Vec<String>,
    /// Look at all tables of this schema and propose the columns that look like PHI (may be given
    /// several times; `main` in SQLite)
    #[arg(long = "schema", value_name = "NAME", conflicts_with = "set")]
    pub schemas: Vec<String>,
    /// Write the plan file of this migration set: white_cross, facility or webqx
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
}
