//! The arguments of `keys` and `rotate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Going;
use super::value::whole_number;
use crate::crypto::KeyId;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a wrapping key and write it to a new file
    ///
    /// The file has mode 0600. Keep a copy of it: without the wrapping key nothing can be decrypted.
    NewWrappingKey {
        /// The file to write; it must not exist
        path: PathBuf,
    },
    /// Create data keys and activate them
    ///
    /// Creates only keys that are missing. A key becomes active after it was read back and unwrapped.
    Create(NewKeys),
    /// List all data keys (metadata only)
    List,
    /// Show a data key (metadata only) and its changes of state
    Show {
        /// The id of the key, from `phiseal keys list`
        #[arg(value_parser = key_id)]
        key_id: KeyId,
    },
    /// Unwrap every data key and check it; changes nothing
    ///
    /// Run it after a restore of the database or of the wrapping key.
    Check,
    /// Wrap every data key under another wrapping key
    ///
    /// Changes no encrypted value. Afterwards name the new wrapping key in the plan file.
    Rewrap(RewrapTo),
    /// Stop using an active key for new values; it still decrypts
    Suspend(KeyMove),
    /// Use a suspended key again
    Resume(KeyMove),
    /// Declare a key compromised, and encrypt its values under another
    ///
    /// Records the compromise first, then encrypts every value of the key under the active or a new key,
    /// and searches the whole database for values that are left.
    Compromise(Compromise),
    /// Destroy a key that no value needs, or all keys of a tenant
    ///
    /// Searches the whole database for values of the key first. With --tenant, the values of the tenant
    /// can never be decrypted again (crypto-shredding).
    Destroy(Destroy),
}

#[derive(Debug, Args)]
pub struct RewrapTo {
    /// The new wrapping key: file:PATH, env:NAME or "command:PROGRAM ARGUMENTS"
    #[arg(long, value_name = "PROVIDER")]
    pub to: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "rewrap")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct KeyMove {
    /// The id of the key, from `phiseal keys list`
    #[arg(value_parser = key_id)]
    pub key_id: KeyId,
    /// Why, for the audit log
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
    /// A table that phiseal cannot search, and that you checked by other means (repeatable)
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub except: Vec<String>,
    /// Search only registered tables, for very large databases
    #[arg(long)]
    pub registered_only: bool,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// The id of the key, from `phiseal keys list`
    #[arg(value_parser = key_id, required_unless_present = "tenant", conflicts_with = "tenant")]
    pub key_id: Option<KeyId>,
    /// Destroy all keys of this tenant, although values are encrypted under them
    #[arg(long, value_name = "T", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub tenant: Option<String>,
    /// The key id or the tenant again, as confirmation: a destroyed key cannot be recovered. Required
    /// where no terminal is
    #[arg(long, value_name = "KEY-ID")]
    pub confirm: Option<String>,
    /// Search for values of the keys and show what would be destroyed; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Rotate only keys that are due, of both purposes; for schedulers. `rotate_every` in the plan says
    /// when; "quarter" is a calendar quarter in UTC
    #[arg(long)]
    pub if_due: bool,
    /// Show which keys and how many values, how long it takes and what stands in the way; change
    /// nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make a new key even if the last rotation left values behind and its key is not due
    #[arg(long)]
    pub new_key: bool,
    /// Which keys to rotate: `cell` by default, with --if-due both
    #[arg(long, value_enum, value_name = "PURPOSE")]
    pub purpose: Option<KeyPurpose>,
    /// Only the keys of this tenant
    #[arg(long, value_name = "T")]
    pub tenant: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "scheduled rotation")]
    pub reason: String,
    /// How long applications may keep using keys that they have loaded, before a new blind index
    /// replaces the old one
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = whole_number(0_u64, 86_400))]
    pub grace: u64,
    #[command(flatten)]
    pub going: Going,
}

#[derive(Debug, Args)]
pub struct NewKeys {
    /// What the key is for; without it, one key for each purpose
    #[arg(long, value_enum, value_name = "PURPOSE")]
    pub purpose: Option<KeyPurpose>,
    /// For this tenant. A backfill creates the keys of the tenants that it finds
    #[arg(long, value_name = "T", default_value = "", hide_default_value = true)]
    pub tenant: String,
    /// Exit with 0 if no key is missing, instead of an error; for scripts that set up a tenant
    #[arg(long)]
    pub if_missing: bool,
    /// Why, for the audit log
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
    /// Encrypts values
    Cell,
    /// Computes blind indexes, by which applications search
    #[value(name = "blind_index", alias = "blind-index")]
    BlindIndex,
}
