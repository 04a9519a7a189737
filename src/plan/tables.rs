//! The `[[table]]` sections: what is sealed, and into which columns.
//! Owns their keys and ranges, and that no name or label is used twice.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use super::faults::Faults;
use super::reader::{At, Section, shown, suggestion};
use super::settings::ident;
use super::{BlindIndexPlan, ColumnPlan, OnUntrustedSeal, SealTo, TablePlan, TriggerPolicy};
use crate::crypto::Normaliser;
use crate::ident::{Ident, TableName};

const TABLE: &[&str] = &[
    "name",
    "label",
    "tenant_column",
    "triggers",
    "on_untrusted_seal",
    "column",
];
const COLUMN: &[&str] = &["name", "seal_into", "in_place", "blind_index", "pad_to"];
const BLIND_INDEX: &[&str] = &["column", "normalise", "bits", "unique", "force"];

/// The plan must say these words to seal in place, since that breaks an application that does not
/// expect it.
const IN_PLACE: &str = "application-reads-both-forms";
/// The prefix of the labels of phiseal's own tables.
const LABEL_RESERVED: &str = "phiseal.";
const LABEL_BYTES_MAX: usize = 255;
const BITS: (u64, u64) = (8, 256);
const UNIQUE_BITS_MIN: u16 = 128;
const PAD_TO: (u64, u64) = (0, 65_536);

pub(super) fn tables(
    root: &Section<'_>,
    own_schema: Option<&Ident>,
    faults: &mut Faults,
) -> Option<Vec<TablePlan>> {
    let mut seen = SeenNames::default();
    let mut tables = Vec::new();
    for section in root.children("table", "[[table]]", TABLE, faults) {
        tables.push(table(&section, own_schema, &mut seen, faults));
    }
    tables.into_iter().collect()
}

/// The tables and labels of the sections read so far.
#[derive(Default)]
struct SeenNames {
    names: HashSet<TableName>,
    labels: HashSet<String>,
}

fn table(
    section: &Section<'_>,
    own_schema: Option<&Ident>,
    seen: &mut SeenNames,
    faults: &mut Faults,
) -> Option<TablePlan> {
    let name = table_name(section, own_schema, seen, faults);
    let label = label(section, faults);
    if let Some(name) = &name {
        labelled(section, name, label.as_deref(), seen, faults);
    }
    let tenant_column = section
        .text("tenant_column", faults)
        .and_then(|text| Some(text.with(ident("tenant_column", text, faults)?)));
    let words = TriggerPolicy::ALL.map(TriggerPolicy::as_str);
    let triggers = word_or(section, "triggers", &words, TriggerPolicy::Refuse, faults);
    let words = OnUntrustedSeal::ALL.map(OnUntrustedSeal::as_str);
    let refuse = OnUntrustedSeal::Refuse;
    let on_untrusted_seal = word_or(section, "on_untrusted_seal", &words, refuse, faults);
    let columns = columns(section, tenant_column.as_ref(), faults);
    Some(TablePlan {
        name: name?,
        label,
        tenant_column: tenant_column.map(|tenant| tenant.value),
        triggers,
        on_untrusted_seal: Some(on_untrusted_seal),
        columns: columns?,
    })
}

fn table_name(
    section: &Section<'_>,
    own_schema: Option<&Ident>,
    seen: &mut SeenNames,
    faults: &mut Faults,
) -> Option<TableName> {
    section.require("name", "name = \"schema.table\"", faults);
    let text = section.text("name", faults)?;
    let name = match text.value.parse::<TableName>() {
        Ok(name) => name,
        Err(error) => {
            let hint = "such as \"public.patients\" or '\"a.b\".c'";
            faults.wrong(text.at, format!("'name': {error}"), hint);
            return None;
        }
    };
    if name.schema.is_some() && name.schema.as_ref() == own_schema {
        let message = format!("{} is a table of phiseal's own", shown(&name.label()));
        faults.wrong(text.at, message, "");
        return None;
    }
    if !seen.names.insert(name.clone()) {
        let message = format!("table {} is listed twice", shown(&name.label()));
        faults.wrong(text.at, message, "list all its columns under one [[table]]");
        return None;
    }
    Some(name)
}

fn label(section: &Section<'_>, faults: &mut Faults) -> Option<String> {
    let text = section.text("label", faults)?;
    if text.value.len() > LABEL_BYTES_MAX || text.value.contains(char::is_control) {
        let message = format!("'label' must be at most {LABEL_BYTES_MAX} bytes of printable text");
        faults.wrong(text.at, message, "");
        return None;
    }
    Some(text.value.to_owned())
}

/// Checks a table's label: its name unless the plan gives another.
fn labelled(
    section: &Section<'_>,
    name: &TableName,
    label: Option<&str>,
    seen: &mut SeenNames,
    faults: &mut Faults,
) {
    let at = section.place(if label.is_some() { "label" } else { "name" });
    let label = label.map_or_else(|| name.label(), str::to_owned);
    if label.starts_with(LABEL_RESERVED) {
        let message = format!("labels that begin with '{LABEL_RESERVED}' are reserved");
        faults.wrong(at, message, "give the table another 'label'");
    } else if seen.labels.contains(&label) {
        let message = format!("label {} is used twice", shown(&label));
        faults.wrong(at, message, "give each table a label of its own");
    }
    seen.labels.insert(label);
}

/// The word of `key`, one of `words`; `default` where the plan has none or another.
fn word_or<T: FromStr>(
    section: &Section<'_>,
    key: &'static str,
    words: &[&'static str],
    default: T,
    faults: &mut Faults,
) -> T {
    let Some(text) = section.text(key, faults) else {
        return default;
    };
    text.value.parse().unwrap_or_else(|_| {
        let message = format!("'{key}' cannot be {}", shown(text.value));
        faults.wrong(text.at, message, suggestion(text.value, words));
        default
    })
}

fn columns(
    section: &Section<'_>,
    tenant: Option<&At<Ident>>,
    faults: &mut Faults,
) -> Option<Vec<ColumnPlan>> {
    section.require_listed("column", "at least one [[table.column]]", faults);
    let listed = section.children("column", "[[table.column]]", COLUMN, faults);
    let mut claims = Claims::default();
    if let Some(tenant) = tenant {
        claims.claim("tenant_column", tenant, faults);
    }
    // Names first: a sealed column may collide with a column of a later section.
    let mut names = Vec::with_capacity(listed.len());
    for section in &listed {
        section.require("name", "name = \"column\"", faults);
        names.push(claimed(section, "name", &mut claims, faults));
    }
    let mut columns = Vec::with_capacity(listed.len());
    for (section, name) in listed.iter().zip(names) {
        columns.push(column(section, name, &mut claims, faults));
    }
    columns.into_iter().collect()
}

fn column(
    section: &Section<'_>,
    name: Option<Ident>,
    claims: &mut Claims,
    faults: &mut Faults,
) -> Option<ColumnPlan> {
    let target = target(section, claims, faults);
    let blind_index = match section.child("blind_index", "blind_index", BLIND_INDEX, faults) {
        Some(section) => blind_index(&section, claims, faults).map(Some),
        None => Some(None),
    };
    let pad_to = section.integer("pad_to", PAD_TO, faults).unwrap_or(0);
    Some(ColumnPlan {
        name: name?,
        target: target?,
        blind_index: blind_index?,
        pad_to: u32::try_from(pad_to).ok()?,
    })
}

fn target(section: &Section<'_>, claims: &mut Claims, faults: &mut Faults) -> Option<SealTo> {
    let beside = claimed(section, "seal_into", claims, faults);
    let in_place = section.text("in_place", faults);
    match (section.means("seal_into"), section.means("in_place")) {
        (true, true) => {
            let message = "'seal_into' and 'in_place' exclude each other".to_owned();
            faults.wrong(section.place("in_place"), message, "keep one of them");
            None
        }
        (true, false) => beside.map(SealTo::Beside),
        (false, true) => {
            let text = in_place?;
            if text.value == IN_PLACE {
                return Some(SealTo::InPlace);
            }
            let message = format!("'in_place' must be exactly \"{IN_PLACE}\"");
            let hint = "once the application does read both forms";
            faults.wrong(text.at, message, hint);
            None
        }
        (false, false) => {
            let message = "[[table.column]] says neither 'seal_into' nor 'in_place'".to_owned();
            faults.missing(section.at, message, "write seal_into = \"column_sealed\"");
            None
        }
    }
}

fn blind_index(
    section: &Section<'_>,
    claims: &mut Claims,
    faults: &mut Faults,
) -> Option<BlindIndexPlan> {
    section.require("column", "column = \"column_bidx\"", faults);
    let column = claimed(section, "column", claims, faults);
    section.require("normalise", "normalise = \"exact\"", faults);
    let normaliser = normaliser(section, faults);
    let bits = match section.integer("bits", BITS, faults) {
        Some(bits) => u16::try_from(bits).ok(),
        None => Some(256),
    };
    let unique = section.truth("unique", faults).unwrap_or(false);
    let force = section.truth("force", faults).unwrap_or(false);
    if unique && bits.is_some_and(|bits| bits < UNIQUE_BITS_MIN) {
        let message = format!("a unique blind index needs at least {UNIQUE_BITS_MIN} bits");
        let hint = "with fewer, different values would collide and be refused";
        faults.wrong(section.place("bits"), message, hint);
    }
    Some(BlindIndexPlan {
        column: column?,
        normaliser: normaliser?,
        bits: bits?,
        unique,
        force,
    })
}

fn normaliser(section: &Section<'_>, faults: &mut Faults) -> Option<Normaliser> {
    let text = section.text("normalise", faults)?;
    let normaliser = text.value.parse::<Normaliser>().ok();
    if normaliser.is_none() {
        let message = format!("unknown normaliser {}", shown(text.value));
        faults.wrong(
            text.at,
            message,
            suggestion(text.value, &Normaliser::ALL.map(Normaliser::as_str)),
        );
    }
    normaliser
}

/// Reads a column's name from `key`, and reserves the column for that use.
fn claimed(
    section: &Section<'_>,
    key: &'static str,
    claims: &mut Claims,
    faults: &mut Faults,
) -> Option<Ident> {
    let text = section.text(key, faults)?;
    let name = text.with(ident(key, text, faults)?);
    claims.claim(key, &name, faults);
    Some(name.value)
}

/// The columns of one table and the use of each: no column has two uses.
#[derive(Default)]
struct Claims(HashMap<Ident, &'static str>);

impl Claims {
    fn claim(&mut self, key: &'static str, name: &At<Ident>, faults: &mut Faults) {
        let role = match key {
            "name" => "a column to seal",
            "seal_into" => "a sealed column",
            "tenant_column" => "the tenant column",
            _ => "a blind index",
        };
        match self.0.get(&name.value) {
            None => {
                self.0.insert(name.value.clone(), role);
            }
            Some(taken) => {
                let column = shown(name.value.as_str());
                let message = format!("column {column} cannot be {role}: it is already {taken}");
                faults.wrong(name.at, message, "");
            }
        }
    }
}
