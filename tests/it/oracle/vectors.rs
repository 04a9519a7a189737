//! The oracle against the worked examples of the format, and against every change of one byte.

use super::format::{self, Cell};
use super::normalise::normalise;
use super::row_key::{KeyPart, KeyType, row_key};
use serde_json::Value;

/// The worked examples.
pub fn vectors() -> Value {
    serde_json::from_str(include_str!("../../vectors/format1.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn key(value: &Value, name: &str) -> format::Key {
    hex::decode(text(value, name)).unwrap().try_into().unwrap()
}

fn parts(cell: &Value) -> Vec<KeyPart> {
    let part = |part: &Value| {
        let key_type = KeyType::named(text(part, "type")).unwrap();
        match (key_type, &part["value"]) {
            (KeyType::Bool, Value::Bool(value)) => KeyPart::Bool(*value),
            // The examples give the number itself; SQL gives a date and a time.
            (KeyType::Timestamp, Value::String(s)) => KeyPart::Timestamp(s.parse().unwrap()),
            (_, Value::String(s)) => KeyPart::from_sql(key_type, s).unwrap(),
            (_, other) => panic!("{other}"),
        }
    };
    cell["row_key"]
        .as_array()
        .unwrap()
        .iter()
        .map(part)
        .collect()
}

fn cell<'a>(example: &'a Value, row_key: &'a [u8]) -> Cell<'a> {
    Cell {
        tenant: text(example, "tenant"),
        table: text(example, "table"),
        column: text(example, "column"),
        row_key,
    }
}

#[test]
fn every_worked_cell_opens_in_both_forms_and_through_every_step() {
    let all = vectors();
    let data_key = key(&all, "data_key");
    let cells = all["cells"].as_array().unwrap();
    assert!(cells.len() >= 16);
    for example in cells {
        let name = text(example, "name");
        let row_key = row_key(&parts(example));
        assert_eq!(
            hex::encode(&row_key),
            text(example, "row_key_bytes"),
            "{name}"
        );
        let cell = cell(example, &row_key);
        let column_key = format::expand(&data_key, "ps1/col", &cell.context());
        assert_eq!(column_key, key(example, "column_key"), "{name}");
        assert_eq!(cell.key(&data_key), key(example, "cell_key"), "{name}");
        let binary = format::parse(&hex::decode(text(example, "envelope")).unwrap()).unwrap();
        let texts = format::parse_text(text(example, "text")).unwrap();
        for envelope in [binary, texts] {
            assert_eq!(
                u64::from(envelope.key_id),
                example["key_id"].as_u64().unwrap()
            );
            assert_eq!(
                hex::encode(envelope.nonce),
                text(example, "nonce"),
                "{name}"
            );
            let plain = cell.open(&data_key, &envelope).unwrap();
            assert_eq!(plain, text(example, "plaintext").as_bytes(), "{name}");
            let bucket = usize::try_from(example["bucket"].as_u64().unwrap()).unwrap();
            assert_eq!(envelope.suite == 2, bucket > 0, "{name}");
        }
    }
}

#[test]
fn a_value_opens_nowhere_but_in_its_cell_and_with_none_of_its_bits_changed() {
    let all = vectors();
    let data_key = key(&all, "data_key");
    let example = &all["cells"][0];
    let row_key = hex::decode(text(example, "row_key_bytes")).unwrap();
    let bytes = hex::decode(text(example, "envelope")).unwrap();
    let open = |cell: &Cell<'_>, bytes: &[u8]| {
        format::parse(bytes).and_then(|envelope| cell.open(&data_key, &envelope))
    };
    assert!(open(&cell(example, &row_key), &bytes).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(
            open(&cell(example, &row_key), &changed).is_err(),
            "bit {bit}"
        );
    }
    for length in 0..bytes.len() {
        assert!(open(&cell(example, &row_key), &bytes[..length]).is_err());
    }
    let mut other_row = row_key.clone();
    other_row[12] ^= 1;
    assert!(open(&cell(example, &other_row), &bytes).is_err());
    for other in ["tenant", "table", "column"] {
        let mut example = example.clone();
        example[other] = Value::from("other");
        assert!(open(&cell(&example, &row_key), &bytes).is_err(), "{other}");
    }
}

#[test]
fn text_forms_that_are_not_the_one_strict_form_are_refused() {
    let all = vectors();
    let good = text(&all["cells"][0], "text");
    assert!(format::parse_text(good).is_ok());
    for bad in [
        good.trim_start_matches("ps1.").to_owned(),
        format!("{good}="),
        format!("{good}A"),
        format!("{good}\n"),
        format!("{}+", &good[..good.len() - 1]),
        "ps1.".to_owned(),
        "ps1.5wEAAAAH".to_owned(),
    ] {
        assert!(format::parse_text(&bad).is_err(), "{bad}");
    }
    // 35 bytes leave unused bits in the last character.
    let loose = text(&all["cells"][4], "text");
    let last = if loose.ends_with('o') {
        'p'
    } else {
        panic!("{loose}")
    };
    assert!(format::parse_text(&format!("{}{last}", &loose[..loose.len() - 1])).is_err());
}

#[test]
fn the_worked_data_key_unwraps_only_as_the_key_it_is() {
    let all = vectors();
    let line = text(&all, "wrapping_key_file");
    let wrapping = format::wrapping_key(line).unwrap();
    assert_eq!(wrapping, key(&all, "wrapping_key"));
    assert_eq!(
        format::wrapping_key_reference(&wrapping),
        text(&all, "wrapping_key_reference")
    );
    let example = &all["wrapped_data_key"];
    let wrapped = hex::decode(text(example, "wrapped")).unwrap();
    let id = u32::try_from(example["key_id"].as_u64().unwrap()).unwrap();
    let (purpose, tenant) = (text(example, "purpose"), text(example, "tenant"));
    let unwrapped = format::unwrap_key(&wrapping, &wrapped, id, purpose, tenant).unwrap();
    assert_eq!(unwrapped, key(&all, "data_key"));
    assert_eq!(format::check_value(&unwrapped), key(&all, "check_value"));
    for (id, purpose, tenant) in [
        (id + 1, purpose, tenant),
        (id, "blind_index", tenant),
        (id, purpose, ""),
    ] {
        assert!(format::unwrap_key(&wrapping, &wrapped, id, purpose, tenant).is_err());
    }
    for bad in [line.trim_start_matches("phiseal-"), "phiseal-wk-1.AAAA", ""] {
        assert!(format::wrapping_key(bad).is_err(), "{bad}");
    }
}

#[test]
fn every_worked_blind_index_is_found_again() {
    let all = vectors();
    let index_key = key(&all, "blind_index_key");
    let examples = all["blind_indexes"].as_array().unwrap();
    assert!(examples.len() >= 17);
    for example in examples {
        let (normaliser, raw) = (text(example, "normaliser"), text(example, "raw"));
        assert_eq!(
            normalise(normaliser, raw),
            text(example, "normalised"),
            "{raw}"
        );
        let bits = usize::try_from(example["bits"].as_u64().unwrap()).unwrap();
        let index = format::blind_index(&index_key, &cell(example, &[]), normaliser, bits, raw);
        assert_eq!(
            index.map(hex::encode).as_deref(),
            example["index"].as_str(),
            "{raw}"
        );
    }
}
