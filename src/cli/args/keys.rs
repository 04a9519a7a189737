//! The arguments of `keys` and `rotate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Going;
use crate::crypto::KeyId;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a wrapping key and write it to a new file of mode 0600
    NewWrappingKey {
        /// The file; must not exist
        path: PathBuf,
    },
    /// Make a data key and, once it is proven durable, activate it
    Create(NewKeys),
    /// List data keys (without the key material)
    List,
    /// One data key (without the key material) and every change of its state
    Show {
        /// Key id, from `keys list`
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
    /// Destroy a key under which nothing is sealed any more; or, with --tenant, all keys of a tenant,
    /// whose values can then never be opened again
    Destroy(Destroy),
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
    /// Key id, from `keys list`
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
    /// Key id, from `keys list`
    #[arg(value_parser = key_id, required_unless_present = "tenant", conflicts_with = "tenant")]
    pub key_id: Option<KeyId>,
    /// All keys of this tenant, whatever is sealed under them (crypto-shredding)
    #[arg(long, value_name = "T", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub tenant: Option<String>,
    /// The key id, or the tenant, once more: there is no way back. Needed where there is no terminal
    /// to ask at
    #[arg(long, value_name = "KEY-ID")]
    pub confirm: Option<String>,
    /// Only look: search for values under the keys, and say what would be destroyed; changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Only the keys that are due, and only if one is: for schedulers. `rotate_every` in the plan says
    /// when: a quarter is one of the calendar, in UTC
    #[arg(long)]
    pub if_due: bool,
    /// Only look: which keys and how many values, for how long, and what is in the way; changes
    /// nothing
    #[arg(long)]
    pub dry_run: bool,
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
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = super::value::whole_number(0_u64, 86_400))]
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
