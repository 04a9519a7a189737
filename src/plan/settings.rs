//! The sections `[database]`, `[keys]` and `[run]`: where and how to work.
//! Owns their keys, ranges and defaults; those of the pace are in `pace`.

mod pace;

use std::time::Duration;

use super::faults::Faults;
use super::pace::PaceSettings;
use super::reader::{At, Section, shown, suggestion};
use super::setting::is_variable;
use super::size::{bytes, shown_bytes};
use super::{DatabaseSettings, KeySettings, Lanes, ProviderSettings, RunSettings, Setting};
use crate::ident::{Ident, IdentError};
use crate::keys::RotationPeriod;
pub use pace::duration;

const DATABASE: &[&str] = &["url", "schema", "role", "owner", "wal"];
const KEYS: &[&str] = &[
    "provider",
    "path",
    "variable",
    "command",
    "rotate_every",
    "previous",
];
const PREVIOUS: &[&str] = &["provider", "path", "variable", "command"];
const RUN: &[&str] = &[
    "lanes",
    "batch_target_ms",
    "batch_bytes_max",
    "value_bytes_max",
    "lease_seconds",
    "pace",
    "rows_per_second_max",
    "wal_mb_per_second_max",
    "replica_lag_max",
    "window",
    "time_zone",
];
const PROVIDERS: &[&str] = &["file", "env", "command"];

const LANES_MAX: u64 = 64;
const BATCH_TARGET_MS: (u64, u64) = (10, 10_000);
const BATCH_BYTES: (u64, u64) = (64 << 10, 256 << 20);
const VALUE_BYTES: (u64, u64) = (1 << 10, 512 << 20);
const LEASE_SECONDS: (u64, u64) = (2, 3600);
/// The lease must be at least this many times `batch_target`, so that it outlasts a slow batch.
const LEASE_PER_BATCH_TARGET: u32 = 4;

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            lanes: Lanes::Auto,
            batch_target: Duration::from_millis(250),
            batch_bytes_max: 4 << 20,
            value_bytes_max: 16 << 20,
            lease: Duration::from_secs(15),
            pace: PaceSettings::default(),
        }
    }
}

/// The schema of phiseal's own tables if the plan names none.
///
/// # Errors
/// Never: the name is valid.
pub fn default_schema() -> Result<Ident, IdentError> {
    Ident::new("phiseal")
}

pub(super) fn database(root: &Section<'_>, faults: &mut Faults) -> Option<DatabaseSettings> {
    root.require("database", "a [database] section", faults);
    let section = root.child("database", "[database]", DATABASE, faults)?;
    section.require("url", "url = \"env:DATABASE_URL\"", faults);
    let url = setting(&section, "url", faults);
    let schema = match section.text("schema", faults) {
        Some(text) => ident("schema", text, faults),
        None => default_schema().ok(),
    };
    let role = optional_ident(&section, "role", faults);
    let owner = optional_ident(&section, "owner", faults);
    let wal = section.truth("wal", faults).unwrap_or(false);
    Some(DatabaseSettings {
        url: url?,
        schema: schema?,
        role,
        owner,
        wal,
    })
}

/// The SQL identifier of `key`, if the key is present.
fn optional_ident(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<Ident> {
    let text = section.text(key, faults)?;
    ident(key, text, faults)
}

pub(super) fn keys(root: &Section<'_>, faults: &mut Faults) -> Option<KeySettings> {
    root.require("keys", "a [keys] section", faults);
    let section = root.child("keys", "[keys]", KEYS, faults)?;
    let provider = provider(&section, faults);
    let rotate_every = match section.text("rotate_every", faults) {
        Some(text) => period(text, faults),
        None => Some(RotationPeriod::Quarter),
    };
    let listed = section.children("previous", "[[keys.previous]]", PREVIOUS, faults);
    let previous: Option<Vec<ProviderSettings>> = listed
        .iter()
        .map(|section| self::provider(section, faults))
        .collect::<Vec<_>>()
        .into_iter()
        .collect();
    Some(KeySettings {
        provider: provider?,
        rotate_every: rotate_every?,
        previous: previous?,
    })
}

pub(super) fn run(root: &Section<'_>, faults: &mut Faults) -> RunSettings {
    let defaults = RunSettings::default();
    let Some(section) = root.child("run", "[run]", RUN, faults) else {
        return defaults;
    };
    let batch_target = section.integer("batch_target_ms", BATCH_TARGET_MS, faults);
    let lease = section.integer("lease_seconds", LEASE_SECONDS, faults);
    let run = RunSettings {
        lanes: lanes(&section, faults).unwrap_or(defaults.lanes),
        batch_target: batch_target.map_or(defaults.batch_target, Duration::from_millis),
        batch_bytes_max: size(&section, "batch_bytes_max", BATCH_BYTES, faults)
            .unwrap_or(defaults.batch_bytes_max),
        value_bytes_max: size(&section, "value_bytes_max", VALUE_BYTES, faults)
            .unwrap_or(defaults.value_bytes_max),
        lease: lease.map_or(defaults.lease, Duration::from_secs),
        pace: pace::pace(&section, faults),
    };
    if run.lease < run.batch_target * LEASE_PER_BATCH_TARGET {
        let message = "a lease must last at least four times 'batch_target_ms'".to_owned();
        let hint = "raise 'lease_seconds' or lower 'batch_target_ms'";
        faults.wrong(section.place("lease_seconds"), message, hint);
    }
    run
}

/// Parses the SQL identifier of `key` from plan text.
pub(super) fn ident(key: &str, text: At<&str>, faults: &mut Faults) -> Option<Ident> {
    let parsed = text.value.parse::<Ident>();
    if let Err(error) = &parsed {
        faults.wrong(text.at, format!("'{key}': {error}"), "");
    }
    parsed.ok()
}

fn provider(section: &Section<'_>, faults: &mut Faults) -> Option<ProviderSettings> {
    section.require("provider", "provider = \"file\"", faults);
    let name = section.text("provider", faults)?;
    let (own, example) = match name.value {
        "file" => ("path", "path = \"env:PHISEAL_KEY_FILE\""),
        "env" => ("variable", "variable = \"PHISEAL_KEY\""),
        "command" => ("command", "command = [\"pass\", \"show\", \"phiseal\"]"),
        other => {
            let message = format!("unknown provider {}", shown(other));
            faults.wrong(name.at, message, suggestion(other, PROVIDERS));
            return None;
        }
    };
    for key in ["path", "variable", "command"] {
        if key != own && section.has(key) {
            let message = format!("'{key}' does not go with provider '{}'", name.value);
            faults.wrong(section.place(key), message, format!("write {example}"));
        }
    }
    section.require(own, example, faults);
    match own {
        "path" => setting(section, own, faults).map(ProviderSettings::File),
        "variable" => variable(section, own, faults).map(ProviderSettings::Env),
        _ => section.texts(own, faults).map(ProviderSettings::Command),
    }
}

fn setting(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<Setting> {
    let text = section.text(key, faults)?;
    let setting = Setting::parse(text.value);
    if setting.is_none() {
        let message = format!("'{key}' names no environment variable after 'env:'");
        faults.wrong(text.at, message, "letters, digits and '_' only");
    }
    setting
}

fn variable(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<String> {
    let text = section.text(key, faults)?;
    if is_variable(text.value) {
        return Some(text.value.to_owned());
    }
    // The text is not quoted: it may be the key itself, in the wrong place.
    let message = format!("'{key}' is no name of an environment variable");
    faults.wrong(text.at, message, "letters, digits and '_' only");
    None
}

fn period(text: At<&str>, faults: &mut Faults) -> Option<RotationPeriod> {
    let period = text.value.parse().ok();
    if period.is_none() {
        let message = format!("'rotate_every' cannot be {}", shown(text.value));
        let hint = "one of: month, quarter, year, or days from \"1d\" to \"3650d\"";
        faults.wrong(text.at, message, hint);
    }
    period
}

fn lanes(section: &Section<'_>, faults: &mut Faults) -> Option<Lanes> {
    let found = section.get("lanes")?;
    if found.value.as_str() == Some("auto") {
        return Some(Lanes::Auto);
    }
    if found.value.is_integer() {
        let lanes = section.integer("lanes", (1, LANES_MAX), faults)?;
        return u16::try_from(lanes).ok().map(Lanes::Count);
    }
    let message = format!("'lanes' must be \"auto\" or a number from 1 to {LANES_MAX}");
    faults.wrong(found.at, message, "");
    None
}

/// A size in bytes within `min..=max`: `"4MiB"`, or a plain integer.
fn size(
    section: &Section<'_>,
    key: &str,
    (min, max): (u64, u64),
    faults: &mut Faults,
) -> Option<u64> {
    let found = section.get(key)?;
    if found.value.is_integer() {
        return section.integer(key, (min, max), faults);
    }
    let Some(text) = found.value.as_str() else {
        return section.mistyped(key, "a size such as \"4MiB\"", faults);
    };
    let size = bytes(text);
    let within = size.filter(|size| (min..=max).contains(size));
    if within.is_none() {
        let (min, max) = (shown_bytes(min), shown_bytes(max));
        let (message, hint) = match size {
            Some(_) => (format!("'{key}' must be from {min} to {max}"), ""),
            None => (
                format!("'{key}' is no size: {}", shown(text)),
                "a whole number and B, KiB, MiB or GiB",
            ),
        };
        faults.wrong(found.at, message, hint);
    }
    within
}
