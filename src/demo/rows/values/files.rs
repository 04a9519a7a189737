//! What is in files and documents: names, kinds, JSON, pictures.

use rand::RngExt;

use super::{At, Rule, Rules, Words as Make, clinical, clock, office};
use Rule::{Numbered, OneOf, Words};

pub const RULES: Rules = &[
    ("file_name", Numbered(file_name)),
    ("mime_type", OneOf(&["application/pdf", "image/png"])),
    ("photo", Words(photo)),
    ("backup_logs.location", Numbered(file_name)),
];

/// JSON by name, and bytes by name: what is not here is small.
const OBJECTS: [(&str, Make); 12] = [
    ("attachments", attachments),
    ("payer_response", payer),
    ("results", results),
    ("grades", grades),
    ("attendance", attendance),
    ("local_value", value),
    ("remote_value", value),
    ("sis_value", value),
    ("payload", record),
    ("source_record", record),
    ("parameters", parameters),
    ("changed_fields", changed),
];

pub fn json(column: &str) -> Make {
    let found = OBJECTS.iter().find(|(name, _)| *name == column);
    found.map_or(object, |(_, make)| *make)
}

/// Bytes of a binary value.
pub fn size(column: &str) -> usize {
    match column {
        "content" => 1_500,
        "signature" => 400,
        _ => 32,
    }
}

fn file_name(at: &At) -> String {
    let what = at.one(&["care-plan", "immunizations", "visit", "consent"]);
    format!("{what}-{}-{}.pdf", clock::day(at), at.number())
}

/// A data URL of random bytes.
fn photo(at: &At) -> String {
    use base64::Engine;
    let mut dice = at.own();
    let bytes: Vec<u8> = (0..180).map(|_| dice.random()).collect();
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("data:image/png;base64,{text}")
}

fn object(at: &At) -> String {
    let mut dice = at.own();
    serde_json::json!({
        "version": dice.random_range(1..4),
        "enabled": dice.random::<bool>(),
        "note": office::title(at),
    })
    .to_string()
}

fn attachments(at: &At) -> String {
    serde_json::json!([{ "name": file_name(at), "bytes": at.own().random_range(900..90_000) }])
        .to_string()
}

fn payer(at: &At) -> String {
    let answer = at.one(&["ACTIVE", "INACTIVE", "PENDING"]);
    serde_json::json!({ "status": answer, "trace": format!("T{:08}", at.number()), "checked": clock::day(at) })
        .to_string()
}

fn results(at: &At) -> String {
    let mut dice = at.own();
    serde_json::json!({
        "left": format!("20/{}", [20, 25, 30, 40][dice.random_range(0..4)]),
        "right": format!("20/{}", [20, 25, 30, 40][dice.random_range(0..4)]),
        "corrected": dice.random::<bool>(),
    })
    .to_string()
}

fn grades(at: &At) -> String {
    let mark = |salt: usize| ["A", "A-", "B+", "B", "C"][(at.row as usize * 7 + salt * 3) % 5];
    serde_json::json!({ "Math": mark(0), "English": mark(1), "Science": mark(2) }).to_string()
}

fn attendance(at: &At) -> String {
    let absent = at.own().random_range(0..25);
    serde_json::json!({ "days": 180, "present": 180 - absent, "absent": absent }).to_string()
}

fn value(at: &At) -> String {
    serde_json::json!(clinical::notes(at)).to_string()
}

fn record(at: &At) -> String {
    serde_json::json!({ "id": at.number(), "date": clock::day(at), "text": clinical::notes(at) })
        .to_string()
}

fn parameters(at: &At) -> String {
    serde_json::json!({ "student": format!("S{:08}", at.number()), "from": clock::day(at) })
        .to_string()
}

/// Names of fields, never their values.
fn changed(at: &At) -> String {
    let field = at.one(&["phone", "last_name", "email", "is_active"]);
    serde_json::json!([field]).to_string()
}
