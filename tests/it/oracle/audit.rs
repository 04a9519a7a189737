//! The exported audit log, judged from its written format alone (docs/FORMAT.md, "The exported audit
//! log"), with the data keys or without them.

use super::format::{Key, expand};
use ring::{digest, hmac};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every fault of an exported log. `key_of` gives the data key of an id, if the reader has it; without
/// it the MACs of the entries are not checked.
pub fn check_log(text: &str, key_of: impl Fn(u32) -> Option<Key>) -> Vec<String> {
    let mut reader = Reader::default();
    let mut lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line is not JSON");
        line
    });
    let first = lines.next().unwrap_or_default();
    if first["type"] != "log" || first["format"] != "phiseal audit log" || first["version"] != 1 {
        return vec!["not an exported log".to_owned()];
    }
    for line in lines {
        match line["type"].as_str() {
            Some("entry") => reader.entry(&line, &key_of),
            Some("change") => reader.change(&line),
            other => reader.faults.push(format!("a line of type {other:?}")),
        }
    }
    let end = format!("{}:{}", reader.number, reader.mac);
    if first["head"] != end.as_str() {
        reader
            .faults
            .push("the log does not end with its head".to_owned());
    }
    reader.named_changes();
    reader.faults
}

#[derive(Default)]
struct Reader {
    number: i64,
    mac: String,
    /// Everything that an attestation covers so far.
    covered: Vec<u8>,
    /// Per entry: its number, and the numbers and the digest of the changes that it names.
    named: Vec<(i64, Vec<i64>, String)>,
    changes: BTreeMap<i64, (Vec<u8>, bool)>,
    faults: Vec<String>,
}

impl Reader {
    fn entry(&mut self, line: &Value, key_of: impl Fn(u32) -> Option<Key>) {
        let number = line["entry_id"].as_i64().unwrap();
        let text = |name: &str| line[name].as_str().unwrap();
        if number != self.number + 1 {
            self.faults
                .push(format!("entry {number} after {}", self.number));
        }
        if text("prev_mac") != self.mac {
            self.faults.push(format!("entry {number} does not follow"));
        }
        let key_id = line["key_id"].as_i64().unwrap();
        let covered = [
            lp8(&number.to_be_bytes()),
            lp8(text("at").as_bytes()),
            lp8(text("actor").as_bytes()),
            lp8(text("action").as_bytes()),
            lp8(text("subject").as_bytes()),
            lp8(&key_id.to_be_bytes()),
            lp8(&hex::decode(text("prev_mac")).unwrap()),
        ]
        .concat();
        let mac = hex::decode(text("mac")).unwrap();
        if let Some(key) = key_of(u32::try_from(key_id).unwrap()) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &expand(&key, "ps1/audit", b""));
            if hmac::verify(&key, &covered, &mac).is_err() {
                self.faults.push(format!("entry {number} has another MAC"));
            }
        }
        let subject: Value = serde_json::from_str(text("subject")).unwrap();
        if text("action") == "audit.attest" && subject["sha256"] != sha256(&self.covered).as_str() {
            self.faults
                .push(format!("entry {number} attests other entries"));
        }
        let changes = &subject["changes"];
        if !changes.is_null() {
            let ids = numbers(changes["ids"].as_str().unwrap());
            let digest = changes["sha256"].as_str().unwrap().to_owned();
            self.named.push((number, ids, digest));
        }
        self.covered.extend(covered);
        self.covered.extend(&mac);
        self.number = number;
        self.mac = text("mac").to_owned();
    }

    fn change(&mut self, line: &Value) {
        let number = line["transition_id"].as_i64().unwrap();
        let mut bytes = number.to_be_bytes().to_vec();
        for name in ["key_id", "from", "to", "at", "actor", "reason"] {
            match line[name].as_str() {
                None => bytes.push(0),
                Some(text) => {
                    bytes.push(1);
                    bytes.extend(lp8(text.as_bytes()));
                }
            }
        }
        let makes_a_key = line["from"].is_null() && line["to"] == "pre_active";
        self.changes.insert(number, (bytes, makes_a_key));
    }

    fn named_changes(&mut self) {
        let mut unnamed: BTreeSet<i64> = self.changes.keys().copied().collect();
        for (entry, ids, digest) in &self.named {
            let mut bytes = Vec::new();
            for id in ids {
                unnamed.remove(id);
                bytes.extend(
                    self.changes
                        .get(id)
                        .map(|(bytes, _)| bytes.as_slice())
                        .unwrap_or_default(),
                );
            }
            if sha256(&bytes) != *digest {
                self.faults
                    .push(format!("entry {entry} names other changes"));
            }
        }
        for id in unnamed {
            if !self.changes[&id].1 {
                self.faults
                    .push(format!("change {id} is named by no entry"));
            }
        }
    }
}

/// A length as eight bytes, then the bytes.
fn lp8(bytes: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// `1-3,7` as numbers.
fn numbers(ranges: &str) -> Vec<i64> {
    let number = |text: &str| -> i64 { text.parse().unwrap() };
    let range = |range: &str| match range.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(range)..=number(range),
    };
    ranges.split(',').flat_map(range).collect()
}
