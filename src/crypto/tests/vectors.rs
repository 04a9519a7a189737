//! Every worked example of tests/vectors/format1.json, in both directions.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::crypto::prf::Prf;
use crate::crypto::{
    BlindIndexKey, ColumnKey, Context, DataKey, Envelope, IndexSpec, KeyId, KeyPart, Nonce,
    Purpose, RowKey, Suite, WrappingKey, text,
};

fn document() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/format1.json")).unwrap()
}

fn string<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text {name}"))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(string(value, name)).unwrap()
}

fn secret(value: &Value, name: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(bytes(value, name).try_into().unwrap())
}

fn context(value: &Value) -> Context {
    Context::new(
        string(value, "tenant"),
        string(value, "table"),
        string(value, "column"),
    )
}

fn key_id(value: &Value) -> KeyId {
    KeyId::new(value["key_id"].as_i64().unwrap()).unwrap()
}

fn key_part(part: &Value) -> KeyPart {
    let text = || string(part, "value").to_owned();
    match string(part, "type") {
        "int" => KeyPart::Int(text().parse().unwrap()),
        "uuid" => KeyPart::Uuid(uuid::Uuid::parse_str(&text()).unwrap().into_bytes()),
        "text" => KeyPart::Text(text()),
        "numeric" => KeyPart::Numeric(text()),
        "date" => KeyPart::Date(text()),
        "timestamp" => KeyPart::Timestamp(text().parse().unwrap()),
        "bytes" => KeyPart::Bytes(bytes(part, "value")),
        "bool" => KeyPart::Bool(part["value"].as_bool().unwrap()),
        other => panic!("unknown key type {other}"),
    }
}

fn row_key(cell: &Value) -> RowKey {
    let parts: Vec<_> = cell["row_key"]
        .as_array()
        .unwrap()
        .iter()
        .map(key_part)
        .collect();
    RowKey::encode(&parts).unwrap()
}

fn column_key(document: &Value, cell: &Value) -> ColumnKey {
    let data_key = DataKey::from_bytes(secret(document, "data_key"));
    ColumnKey::derive(key_id(cell), &data_key, &context(cell))
}

/// Runs `check` on every cell of the file, which must hold at least 16.
fn each_cell(check: impl Fn(&Value, &Value, &str)) {
    let document = document();
    let cells = document["cells"].as_array().unwrap();
    assert!(cells.len() >= 16);
    for cell in cells {
        check(&document, cell, string(cell, "name"));
    }
}

#[test]
fn row_keys_and_derived_keys_are_those_of_the_vectors() {
    each_cell(|document, cell, name| {
        let row_key = row_key(cell);
        assert_eq!(row_key.as_bytes(), bytes(cell, "row_key_bytes"), "{name}");
        let data_key = DataKey::from_bytes(secret(document, "data_key"));
        let mut key = Zeroizing::new([0; 32]);
        Prf::new(data_key.bytes()).expand(b"ps1/col", context(cell).as_bytes(), &mut key);
        assert_eq!(key, secret(cell, "column_key"), "{name}");
        column_key(document, cell).cell_key(&row_key, &mut key);
        assert_eq!(key, secret(cell, "cell_key"), "{name}");
    });
}

#[test]
fn every_cell_seals_to_the_envelope_and_the_text_of_the_vectors() {
    each_cell(|document, cell, name| {
        let plaintext = string(cell, "plaintext").as_bytes();
        let pad_to = u32::try_from(cell["bucket"].as_u64().unwrap()).unwrap();
        let nonce = Nonce(bytes(cell, "nonce").try_into().unwrap());
        let mut out = b"before".to_vec();
        column_key(document, cell)
            .seal(&row_key(cell), nonce, plaintext, pad_to, &mut out)
            .unwrap();
        let sealed = out.strip_prefix(b"before").unwrap();
        assert_eq!(sealed, bytes(cell, "envelope"), "{name}");
        assert_eq!(
            sealed.len(),
            crate::crypto::envelope::sealed_len(plaintext.len(), pad_to),
            "{name}"
        );

        let written = text::encode(sealed);
        assert_eq!(written, string(cell, "text"), "{name}");
        assert_eq!(
            written.len(),
            text::sealed_len(plaintext.len(), pad_to),
            "{name}"
        );
        assert_eq!(
            written[..12],
            text::prefix(key_id(cell), Suite::of(pad_to)),
            "{name}"
        );
    });
}

#[test]
fn every_text_of_the_vectors_opens_to_its_plaintext() {
    each_cell(|document, cell, name| {
        let sealed = text::decode(string(cell, "text")).unwrap();
        let envelope = Envelope::parse(&sealed).unwrap();
        assert_eq!(envelope.key_id(), key_id(cell), "{name}");
        assert_eq!(envelope.nonce().as_slice(), bytes(cell, "nonce"), "{name}");
        let opened = column_key(document, cell)
            .open(&row_key(cell), &envelope)
            .unwrap();
        assert_eq!(
            opened.as_slice(),
            string(cell, "plaintext").as_bytes(),
            "{name}"
        );
    });
}

#[test]
fn blind_indexes_are_those_of_the_vectors() {
    let document = document();
    let data_key = DataKey::from_bytes(secret(&document, "blind_index_key"));
    let entries = document["blind_indexes"].as_array().unwrap();
    assert!(entries.len() >= 17);
    for entry in entries {
        let normaliser = string(entry, "normaliser").parse().unwrap();
        let spec = IndexSpec::new(normaliser, entry["bits"].as_u64().unwrap() as u16).unwrap();
        let key = BlindIndexKey::derive(key_id_of_blind_indexes(), &data_key, &context(entry));
        let raw = string(entry, "raw");
        assert_eq!(
            *normaliser.normalise(raw),
            string(entry, "normalised"),
            "{raw:?}"
        );
        let expected = entry["index"]
            .as_str()
            .map(|index| hex::decode(index).unwrap());
        assert_eq!(key.index(spec, raw), expected, "{raw:?}");
    }
}

/// The id of the blind index key; an index does not depend on it.
fn key_id_of_blind_indexes() -> KeyId {
    KeyId::new(1).unwrap()
}

#[test]
fn check_value_wrapping_key_and_wrapped_key_are_those_of_the_vectors() {
    let document = document();
    let data_key = DataKey::from_bytes(secret(&document, "data_key"));
    assert!(data_key.matches_check(&bytes(&document, "check_value")));

    let line = string(&document, "wrapping_key_file");
    let wrapping_key = WrappingKey::parse_line(line.as_bytes()).unwrap();
    assert_eq!(*wrapping_key.to_line(), line);
    assert_eq!(
        wrapping_key.reference(),
        string(&document, "wrapping_key_reference")
    );

    let wrapped = &document["wrapped_data_key"];
    let (id, tenant) = (key_id(wrapped), string(wrapped, "tenant"));
    let purpose: Purpose = string(wrapped, "purpose").parse().unwrap();
    let nonce = bytes(wrapped, "nonce").try_into().unwrap();
    let made = wrapping_key
        .wrap_with_nonce(nonce, id, purpose, tenant, &data_key)
        .unwrap();
    assert_eq!(made, bytes(wrapped, "wrapped"));
    let unwrapped = wrapping_key.unwrap(id, purpose, tenant, &made).unwrap();
    assert_eq!(unwrapped.bytes(), data_key.bytes());
}
