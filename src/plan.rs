//! The plan file: what to seal, where the keys are, how to work.
//! Owns its syntax, its limits and its faults, all of which are reported at once. Does not know the
//! database: preflight checks whether a table exists.
//! Always holds: a `Plan` needs no further check of its own.

mod faults;
pub mod pace;
pub mod propose;
mod reader;
mod relative;
mod setting;
mod settings;
mod size;
mod tables;
#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use toml::de::DeTable;

use crate::crypto::Normaliser;
use crate::ident::{Ident, IdentError, TableName};
use crate::keys::RotationPeriod;
use crate::words::word_enum;

use faults::Faults;
pub use faults::{PlanFault, PlanFaults};
use reader::Section;
pub use setting::{Setting, SettingUnset};
pub use settings::{default_schema, duration};

/// The longest plan file, in bytes. A longer file is probably not a plan.
pub const PLAN_BYTES_MAX: usize = 1 << 20;

/// A checked plan file.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[keys]`
    pub keys: KeySettings,
    /// `[run]`
    pub run: RunSettings,
    /// `[[table]]`, in the order of the file. Empty only if the plan is from
    /// [`Plan::parse_settings`].
    pub tables: Vec<TablePlan>,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The URL, which may hold a password.
    pub url: Setting,
    /// The schema of phiseal's own tables.
    pub schema: Ident,
    /// The role that every transaction runs as (`SET ROLE`), if it is not the login role.
    pub role: Option<Ident>,
    /// The role that may own phiseal's own tables, in addition to our role and superusers.
    pub owner: Option<Ident>,
    /// SQLite: whether commands that write switch the file to WAL mode permanently.
    pub wal: bool,
}

/// Where wrapping keys come from, and how often data keys are rotated.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// The wrapping key in use.
    pub provider: ProviderSettings,
    /// How often data keys are rotated.
    pub rotate_every: RotationPeriod,
    /// `[[keys.previous]]`: wrapping keys that only unwrap, for a rewrap.
    pub previous: Vec<ProviderSettings>,
}

/// Where one wrapping key comes from.
#[derive(Debug, Clone)]
pub enum ProviderSettings {
    /// The path of a key file.
    File(Setting),
    /// The name of the environment variable that holds the key line.
    Env(String),
    /// A program and its arguments, never empty. The program prints the key line.
    Command(Vec<String>),
    /// There is no plan file that says where: see [`Plan::of_database`].
    Unplanned,
}

/// How to work. These settings may change between an interruption and its resumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// How many lanes a run works on at once.
    pub lanes: Lanes,
    /// How long a batch should take.
    pub batch_target: Duration,
    /// The most bytes of plaintext in a batch.
    pub batch_bytes_max: u64,
    /// Values larger than this, in bytes, are processed one at a time.
    pub value_bytes_max: u64,
    /// The lease of a lane.
    pub lease: Duration,
    /// How fast runs go, and when.
    pub pace: pace::PaceSettings,
}

/// How many lanes a run works on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// A number that suits the machine and the table.
    Auto,
    /// This number, 1 to 64.
    Count(u16),
}

/// One table with columns to seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// The table's name in the database.
    pub name: TableName,
    /// The label bound into its sealed values, if it is not the name.
    pub label: Option<String>,
    /// The column whose text is the tenant.
    pub tenant_column: Option<Ident>,
    /// What to do about UPDATE triggers.
    pub triggers: TriggerPolicy,
    /// What the guard does about an untrusted change of a sealed value; `None` leaves the guard's
    /// setting as it is.
    pub on_untrusted_seal: Option<OnUntrustedSeal>,
    /// The columns, at least one. No name is used twice within the table.
    pub columns: Vec<ColumnPlan>,
}

word_enum! {
    /// What to do about UPDATE triggers of a table that is sealed.
    TriggerPolicy {
        /// Do not seal a table that has any.
        Refuse = "refuse",
        /// Let them fire.
        Fire = "fire",
        /// Write like a replica, so that they do not fire.
        Suppress = "suppress",
    }
}

word_enum! {
    /// What the guard does if an untrusted writer changes a sealed value and nothing else.
    OnUntrustedSeal {
        /// It makes the statement fail.
        Refuse = "refuse",
        /// It keeps the old sealed value.
        Undo = "undo",
    }
}

/// One column to seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPlan {
    /// The plaintext column.
    pub name: Ident,
    /// Where its sealed values go.
    pub target: SealTo,
    /// Its blind index, if it has one.
    pub blind_index: Option<BlindIndexPlan>,
    /// The plaintext is padded to a multiple of this many bytes; 0 means no padding.
    pub pad_to: u32,
}

/// Where sealed values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealTo {
    /// Into a separate column.
    Beside(Ident),
    /// Into the plaintext's column, as text.
    InPlace,
}

/// A blind index of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindIndexPlan {
    /// The column that stores the index.
    pub column: Ident,
    /// How a value is normalised before it is indexed.
    pub normaliser: Normaliser,
    /// Its length in bits, 8 to 256; at least 128 if unique.
    pub bits: u16,
    /// Whether the database refuses equal values.
    pub unique: bool,
    /// Whether the index is made even if the column has few distinct values, which the index
    /// reveals.
    pub force: bool,
}

impl Plan {
    /// Reads a plan file for a command that works on tables. `file_name` is the file as the user
    /// named it, for messages.
    ///
    /// # Errors
    /// Everything wrong with the file at once, each fault with its line.
    ///
    /// ```
    /// let plan = phiseal::plan::Plan::parse("phiseal.toml", r#"
    ///     [database]
    ///     url = "env:DATABASE_URL"
    ///     [keys]
    ///     provider = "file"
    ///     path = "env:PHISEAL_KEY_FILE"
    ///     [[table]]
    ///     name = "public.patients"
    ///     [[table.column]]
    ///     name = "ssn"
    ///     seal_into = "ssn_sealed"
    /// "#)?;
    /// assert_eq!(plan.tables[0].name.quoted(), r#""public"."patients""#);
    /// # Ok::<(), phiseal::plan::PlanFaults>(())
    /// ```
    pub fn parse(file_name: &str, text: &str) -> Result<Self, PlanFaults> {
        read(file_name, text, Tables::Needed)
    }

    /// Reads a plan file for a command that needs only the database and the keys. The file may have
    /// no tables, but those that it has must be valid.
    ///
    /// # Errors
    /// As [`Plan::parse`].
    pub fn parse_settings(file_name: &str, text: &str) -> Result<Self, PlanFaults> {
        read(file_name, text, Tables::Optional)
    }

    /// The plan of a command that was given a database and no plan file: every setting has its
    /// default, there are no tables, and nothing says where the wrapping key is.
    ///
    /// # Errors
    /// Never: see [`default_schema`].
    pub fn of_database(url: SecretString) -> Result<Self, IdentError> {
        Ok(Self {
            database: DatabaseSettings {
                url: Setting::Literal(url),
                schema: default_schema()?,
                role: None,
                owner: None,
                wal: false,
            },
            keys: KeySettings {
                provider: ProviderSettings::Unplanned,
                rotate_every: RotationPeriod::Quarter,
                previous: Vec::new(),
            },
            run: RunSettings::default(),
            tables: Vec::new(),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    Needed,
    Optional,
}

const ROOT: &[&str] = &["database", "keys", "run", "table"];

fn read(file_name: &str, text: &str, tables: Tables) -> Result<Plan, PlanFaults> {
    let mut faults = Faults::default();
    if text.len() > PLAN_BYTES_MAX {
        let message = "the file is longer than 1 MiB".to_owned();
        faults.wrong(0, message, "is it a plan file?");
        return Err(faults.place(file_name, text));
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        faults.syntax(at, error.message());
    }
    let plan = check(root.get_ref(), tables, &mut faults);
    match plan {
        Some(plan) if faults.is_empty() => Ok(plan),
        _ => Err(faults.place(file_name, text)),
    }
}

fn check(root: &DeTable<'_>, needed: Tables, faults: &mut Faults) -> Option<Plan> {
    let root = Section::open("the plan file", root, 0, ROOT, faults);
    let database = settings::database(&root, faults);
    let keys = settings::keys(&root, faults);
    let run = settings::run(&root, faults);
    let schema = database.as_ref().map(|database| &database.schema);
    let tables = tables::tables(&root, schema, faults);
    if needed == Tables::Needed {
        root.require_listed(
            "table",
            "a [[table]] with at least one [[table.column]]",
            faults,
        );
    }
    Some(Plan {
        database: database?,
        keys: keys?,
        run,
        tables: tables?,
    })
}
