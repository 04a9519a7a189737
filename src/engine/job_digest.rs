//! The digest of a job: which columns it reads and writes, and so what an interrupted run and the run that resumes it must have in common.
//! Owns both of its forms. Form 2 is what new runs record: SHA-256 over the job's parts, each
//! preceded by its length. Form 1 is what runs of earlier versions recorded; it is only compared.

use sha2::{Digest, Sha256};

use crate::ident::Ident;
use crate::store::{Access, Sealed};

/// Precedes the hexadecimal digits of form 2. Form 1 has no prefix.
const FORM_2: &str = "2:";

/// The digest that a new run records, in form 2. `compared` is [`super::Job::compared`].
pub(super) fn digest(access: &Access, compared: Option<&str>) -> String {
    let mut parts = Parts::default();
    parts.text(&access.table.label);
    parts.count(access.table.keys.len());
    for key in &access.table.keys {
        parts.text(key.name.as_str());
        parts.text(key.kind.tag());
    }
    parts.optional(access.table.tenant.as_ref().map(Ident::as_str));
    parts.count(access.cells.len());
    for field in &access.cells {
        parts.text(&field.label);
        parts.text(field.source.name.as_str());
        match &field.sealed {
            Some(Sealed::Beside { column, text }) => {
                parts.text(if *text {
                    "beside, text"
                } else {
                    "beside, bytes"
                });
                parts.text(column.as_str());
            }
            Some(Sealed::InPlace) | None => parts.text("in place"),
        }
        parts.optional(field.index.as_ref().map(Ident::as_str));
    }
    parts.optional(compared);
    format!("{FORM_2}{}", hex::encode(parts.0.finalize()))
}

/// Whether a run with this recorded digest, in either form, is a run with this access.
pub(super) fn is_of(recorded: &str, access: &Access, compared: Option<&str>) -> bool {
    if recorded.starts_with(FORM_2) {
        recorded == digest(access, compared)
    } else {
        recorded == form_1(access, compared)
    }
}

/// Hashes parts so that no two lists of parts give the same bytes.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }
}

/// The digest of earlier versions: SHA-256 over lines, whose text is frozen here.
fn form_1(access: &Access, compared: Option<&str>) -> String {
    let mut lines = vec![access.table.label.clone()];
    for key in &access.table.keys {
        lines.push(format!("{}:{}", key.name, key.kind.tag()));
    }
    lines.push(optional_1(access.table.tenant.as_ref()));
    for field in &access.cells {
        let sealed = match &field.sealed {
            Some(Sealed::Beside { column, text }) => {
                format!("Beside {{ column: {}, text: {text} }}", ident_1(column))
            }
            Some(Sealed::InPlace) | None => "InPlace".to_owned(),
        };
        let index = optional_1(field.index.as_ref());
        lines.push(format!(
            "{}:{}:{sealed}:{index}",
            field.label, field.source.name
        ));
    }
    lines.extend(compared.map(str::to_owned));
    hex::encode(Sha256::digest(lines.join("\n").as_bytes()))
}

fn optional_1(name: Option<&Ident>) -> String {
    name.map_or_else(
        || "None".to_owned(),
        |name| format!("Some({})", ident_1(name)),
    )
}

fn ident_1(name: &Ident) -> String {
    format!("Ident({:?})", name.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Job;
    use crate::store::{KeyColumn, KeyKind, Scope, Table, TableField, Triggers};

    /// Made from the same parts by another program.
    const IN_FORM_1: &str = "d18c6fb2326a9bb036388006d708d5077ec7f6c0499fef9114d607235dbf7c50";
    const IN_FORM_2: &str = "2:f0806b824f282a6caf5a9c0e1581cc8ef9d0391bab9106d7e5de1abe16f40857";

    fn digest(job: &Job) -> String {
        super::digest(&job.access(), job.compared.as_deref())
    }

    fn is_of(recorded: &str, job: &Job) -> bool {
        super::is_of(recorded, &job.access(), job.compared.as_deref())
    }

    fn table(job: &mut Job) -> &mut Table {
        Arc::make_mut(&mut job.table)
    }

    fn ident(name: &str) -> Ident {
        Ident::new(name).unwrap()
    }

    fn field(name: &str, sealed: Sealed, index: Option<&str>) -> TableField {
        TableField {
            column: ident(name),
            label: name.to_owned(),
            source_type: "text".to_owned(),
            plain_is_bytes: false,
            plain_is_varlena_text: true,
            sealed,
            index: index.map(ident),
            index_next: None,
            index_unique: false,
            plain_exists: true,
        }
    }

    fn job() -> Job {
        let beside = Sealed::Beside {
            column: ident("ssn_sealed"),
            text: false,
        };
        let table = Table {
            name: "public.t".parse().unwrap(),
            label: "public.t".to_owned(),
            keys: vec![KeyColumn {
                name: ident("id"),
                kind: KeyKind::Int,
                cast: "int4".to_owned(),
                type_schema: None,
            }],
            tenant: Some(ident("clinic")),
            fields: vec![
                field("ssn", beside, Some("ssn_bidx")),
                field("note", Sealed::InPlace, None),
            ],
            on_untrusted_seal: None,
        };
        Job {
            table: Arc::new(table),
            scope: Scope::Attached,
            triggers: Triggers::None,
            fields: Vec::new(),
            records: Vec::new(),
            compared: None,
        }
    }

    #[test]
    fn a_new_run_records_form_2_and_runs_of_either_form_are_recognised() {
        assert_eq!(digest(&job()), IN_FORM_2);
        assert!(is_of(IN_FORM_1, &job()) && is_of(IN_FORM_2, &job()));
    }

    #[test]
    fn whatever_differs_makes_another_job() {
        let mut others = vec![job(); 5];
        table(&mut others[0]).keys[0].kind = KeyKind::Text;
        table(&mut others[1]).tenant = None;
        table(&mut others[2]).fields[0].index = Some(ident("ssn_index"));
        table(&mut others[3]).fields[1].label = "notes".to_owned();
        others[4].compared = Some("guard".to_owned());
        for other in &others {
            assert!(!is_of(IN_FORM_1, other) && !is_of(IN_FORM_2, other));
        }
    }
}
