//! The arguments of `open` and `seal`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Open {
    #[command(flatten)]
    pub values: Values,
    /// Write plaintext to a terminal
    #[arg(long)]
    pub yes: bool,
}

/// Which values are read from stdin.
#[derive(Debug, Args)]
pub struct Values {
    /// The column, by its name or its label
    #[arg(long, value_name = "C")]
    pub column: String,
    /// Read one value instead of rows. This names its row: a key column or the tenant column, and its
    /// value (repeatable)
    #[arg(long = "row", value_name = "NAME=VALUE")]
    pub row: Vec<String>,
    /// Continue after a row that fails; its line in the output has no value and names the error
    #[arg(long, conflicts_with = "row")]
    pub keep_going: bool,
}
