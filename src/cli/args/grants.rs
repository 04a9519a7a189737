//! The arguments of `grants`.

use clap::{Args, ValueEnum};

use crate::ident::Ident;

#[derive(Debug, Args)]
pub struct Grants {
    /// What the role does
    #[arg(value_enum, value_name = "ROLE")]
    pub role: RoleArg,
    /// The database role that gets the rights, spelled as in the catalog (may be given several times)
    #[arg(long, value_name = "NAME", required = true, value_parser = name)]
    pub to: Vec<Ident>,
}

/// Who gets rights.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Migrates, makes columns and guards, seals, removes plaintext
    Owner,
    /// Seals, re-seals and verifies what the owner has prepared
    Engine,
    /// Reads and writes the tables, seals and opens values
    Application,
    /// Reads what is recorded, and verifies; writes nothing
    Auditor,
}

/// A name as the catalog has it: capitals stay, and no quotes are taken off.
fn name(text: &str) -> Result<Ident, String> {
    Ident::new(text).map_err(|error| error.to_string())
}
