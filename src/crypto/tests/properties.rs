//! Properties over generated inputs. A failure prints its seed; `PROPTEST_RNG_SEED` repeats that
//! run.

use std::{cell::RefCell, collections::HashMap, fmt::Debug};

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use zeroize::Zeroizing;

use crate::crypto::{
    ColumnKey, Context, DataKey, Envelope, KeyId, KeyPart, Nonce, NonceBatch, OpenError, RowKey,
    text,
};

/// Checks a property with a seed of its own, and prints the seed if it fails.
fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Debug,
{
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(getrandom::u64().unwrap());
    }
    let seed = config.rng_seed;
    if let Err(failure) = TestRunner::new(config).run(&strategy, property) {
        panic!("PROPTEST_RNG_SEED={seed}: {failure}");
    }
}

/// A key part that can be printed: `KeyPart` prints nothing of its content.
type Part = (u8, i64, String, Vec<u8>);

fn key_part((kind, number, string, bytes): Part) -> KeyPart {
    match kind {
        0 => KeyPart::Int(number),
        1 => KeyPart::Text(string),
        2 => KeyPart::Bytes(bytes),
        3 => KeyPart::Numeric(number.to_string()),
        4 => KeyPart::Bool(number % 2 == 0),
        5 => KeyPart::Timestamp(number / 64),
        6 => KeyPart::Uuid((i128::from(number) << 3).to_be_bytes()),
        _ => KeyPart::Date(format!(
            "{:04}-02-{:02}",
            1 + number.unsigned_abs() % 9999,
            1 + number.unsigned_abs() % 28
        )),
    }
}

/// Few and short values, so that any collision would occur.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let part = (
        0..8u8,
        prop_oneof![-3..3i64, any::<i64>()],
        "[ab\0]{0,3}",
        prop::collection::vec(0..3u8, 0..5),
    );
    prop::collection::vec(part, 1..4)
}

fn row_key(parts: Vec<Part>) -> RowKey {
    RowKey::encode(&parts.into_iter().map(key_part).collect::<Vec<_>>()).unwrap()
}

fn column_key(context: &Context) -> ColumnKey {
    let data_key = DataKey::from_bytes(Zeroizing::new([0x5a; 32]));
    ColumnKey::derive(KeyId::new(77).unwrap(), &data_key, context)
}

fn nonce() -> Nonce {
    NonceBatch::draw(1).unwrap().next().unwrap()
}

#[test]
fn every_seal_opens_to_what_was_sealed() {
    let inputs = (
        parts(),
        (".{0,20}", ".{0,300}", ".{0,20}"),
        prop::collection::vec(any::<u8>(), 0..3000),
        prop_oneof![Just(0u32), 1..70u32, Just(4096)],
    );
    check(
        inputs,
        |(parts, (tenant, table, column), plaintext, pad_to)| {
            let key = column_key(&Context::new(&tenant, &table, &column));
            let row_key = row_key(parts);
            let mut sealed = Vec::new();
            key.seal(&row_key, nonce(), &plaintext, pad_to, &mut sealed)
                .unwrap();
            let sealed = text::decode(&text::encode(&sealed)).unwrap();
            let envelope = Envelope::parse(&sealed).unwrap();
            prop_assert!(
                pad_to == 0 || envelope.ciphertext().len().is_multiple_of(pad_to as usize)
            );
            prop_assert_eq!(&*key.open(&row_key, &envelope).unwrap(), &plaintext);
            Ok(())
        },
    );
}

#[test]
fn no_envelope_with_one_bit_changed_opens() {
    for pad_to in [0, 16] {
        let key = column_key(&Context::new("t", "public.patients", "ssn"));
        let row_key = RowKey::encode(&[KeyPart::Int(1)]).unwrap();
        let mut sealed = Vec::new();
        key.seal(&row_key, nonce(), b"123-45-6789", pad_to, &mut sealed)
            .unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(envelope) = Envelope::parse(&changed) {
                refuses_under_its_own_key_id(&row_key, &envelope);
                assert_eq!(key.open(&row_key, &envelope), Err(OpenError), "bit {bit}");
            }
        }
    }
}

/// Opens the envelope with a key of the same bytes under the id that the envelope now names, so
/// that only the additional data can refuse it.
fn refuses_under_its_own_key_id(row_key: &RowKey, envelope: &Envelope<'_>) {
    let data_key = DataKey::from_bytes(Zeroizing::new([0x5a; 32]));
    let context = Context::new("t", "public.patients", "ssn");
    let key = ColumnKey::derive(envelope.key_id(), &data_key, &context);
    assert_eq!(key.open(row_key, envelope), Err(OpenError));
}

#[test]
fn no_value_opens_under_a_context_or_row_key_with_one_bit_changed() {
    let context = ["tenant", "table", "column"];
    let row = b"row-key";
    let mut sealed = Vec::new();
    let row_key = |bytes: &[u8]| RowKey::encode(&[KeyPart::Bytes(bytes.to_vec())]).unwrap();
    let column =
        |[tenant, table, column]: [&str; 3]| column_key(&Context::new(tenant, table, column));
    column(context)
        .seal(&row_key(row), nonce(), b"value", 0, &mut sealed)
        .unwrap();
    let envelope = Envelope::parse(&sealed).unwrap();
    assert!(column(context).open(&row_key(row), &envelope).is_ok());

    for field in 0..context.len() {
        // The top bit stays: a field with that bit changed would not be valid UTF-8.
        for bit in (0..context[field].len() * 8).filter(|bit| bit % 8 != 7) {
            let mut bytes = context[field].as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut changed = context;
            let changed_field = String::from_utf8(bytes).unwrap();
            changed[field] = &changed_field;
            assert_eq!(
                column(changed).open(&row_key(row), &envelope),
                Err(OpenError),
                "{changed:?}"
            );
        }
    }
    for bit in 0..row.len() * 8 {
        let mut changed = row.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            column(context).open(&row_key(&changed), &envelope),
            Err(OpenError),
            "bit {bit}"
        );
    }
}

#[test]
fn values_do_not_open_in_another_row_column_table_tenant_or_key() {
    let data_key = DataKey::from_bytes(Zeroizing::new([1; 32]));
    let (id, other_id) = (KeyId::new(7).unwrap(), KeyId::new(8).unwrap());
    let row = |id| RowKey::encode(&[KeyPart::Int(id)]).unwrap();
    let mut sealed = Vec::new();
    ColumnKey::derive(id, &data_key, &Context::new("t", "a", "c"))
        .seal(&row(1), nonce(), b"value", 0, &mut sealed)
        .unwrap();
    let envelope = Envelope::parse(&sealed).unwrap();
    let open = |id, data_key: &DataKey, context, row| {
        ColumnKey::derive(id, data_key, &context).open(&row, &envelope)
    };
    assert!(open(id, &data_key, Context::new("t", "a", "c"), row(1)).is_ok());
    let other = DataKey::from_bytes(Zeroizing::new([2; 32]));
    for refused in [
        open(id, &data_key, Context::new("t", "a", "c"), row(2)),
        open(id, &data_key, Context::new("t", "a", "d"), row(1)),
        open(id, &data_key, Context::new("t", "b", "c"), row(1)),
        open(id, &data_key, Context::new("u", "a", "c"), row(1)),
        open(other_id, &data_key, Context::new("t", "a", "c"), row(1)),
        open(id, &other, Context::new("t", "a", "c"), row(1)),
    ] {
        assert_eq!(refused, Err(OpenError));
    }
}

#[test]
fn a_padded_value_without_its_mark_is_refused_though_its_tag_verifies() {
    let key = column_key(&Context::new("", "t", "c"));
    let row_key = RowKey::encode(&[KeyPart::Int(1)]).unwrap();
    for (padded, opens) in [
        (&b"\0\0\0\0"[..], None),
        (b"abc\0", None),
        (b"abc\x81", None),
        (b"\x80\0\0\0", Some(&b""[..])),
        (b"a\x80\x80\0", Some(b"a\x80")),
    ] {
        // Built here without `seal`, which never makes such envelopes.
        let mut sealed =
            crate::crypto::envelope::header(key.key_id(), crate::crypto::Suite::Padded).to_vec();
        let context = Context::new("", "t", "c");
        let additional_data = [&sealed, context.as_bytes(), row_key.as_bytes()].concat();
        let mut body = padded.to_vec();
        let mut cell_key = [0; 32];
        key.cell_key(&row_key, &mut cell_key);
        let tag = crate::crypto::aead::encrypt(&cell_key, &[9; 12], &additional_data, &mut body);
        sealed.extend_from_slice(&[9; 12]);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(&tag.ok().unwrap());
        let opened = key.open(&row_key, &Envelope::parse(&sealed).unwrap());
        assert_eq!(
            opened.as_ref().ok().map(|bytes| bytes.as_slice()),
            opens,
            "{padded:?}"
        );
    }
}

#[test]
fn a_buffer_kept_between_values_holds_only_the_last_and_nothing_after_a_refusal() {
    let key = column_key(&Context::new("", "t", "c"));
    let row = |id| RowKey::encode(&[KeyPart::Int(id)]).unwrap();
    let seal = |value: &[u8]| {
        let mut sealed = Vec::new();
        key.seal(&row(1), nonce(), value, 0, &mut sealed).unwrap();
        sealed
    };
    let mut buffer = Zeroizing::new(Vec::new());
    for value in [&b"a longer value"[..], b"short", b"", &[7; 5000]] {
        key.open_into(
            &row(1),
            &Envelope::parse(&seal(value)).unwrap(),
            &mut buffer,
        )
        .unwrap();
        assert_eq!(buffer.as_slice(), value);
    }
    let refused = key.open_into(&row(2), &Envelope::parse(&seal(b"x")).unwrap(), &mut buffer);
    assert_eq!((refused, buffer.len()), (Err(OpenError), 0));
}

#[test]
fn different_row_keys_and_contexts_have_different_bytes() {
    let seen: RefCell<HashMap<Vec<u8>, Vec<KeyPart>>> = RefCell::default();
    check(parts(), |parts| {
        let bytes = row_key(parts.clone()).as_bytes().to_vec();
        let parts: Vec<_> = parts.into_iter().map(key_part).collect();
        let mut seen = seen.borrow_mut();
        prop_assert!(*seen.entry(bytes).or_insert_with(|| parts.clone()) == parts);
        Ok(())
    });
    let seen: RefCell<HashMap<Vec<u8>, [String; 3]>> = RefCell::default();
    check(
        ["[a\0\x01]{0,3}", "[a\0\x01]{0,3}", "[a\0\x01]{0,3}"],
        |fields| {
            let [tenant, table, column] = &fields;
            let bytes = Context::new(tenant, table, column).as_bytes().to_vec();
            let mut seen = seen.borrow_mut();
            let first = seen.entry(bytes).or_insert_with(|| fields.clone());
            prop_assert_eq!(&*first, &fields);
            Ok(())
        },
    );
}

#[test]
fn the_parsers_never_panic_and_texts_that_decode_encode_back_to_themselves() {
    let near = prop::collection::vec(any::<u8>(), 0..80).prop_map(|mut bytes| {
        for (byte, start) in bytes.iter_mut().zip([0xe7, 0x01, 0x00]) {
            *byte = start;
        }
        bytes
    });
    check(
        prop_oneof![prop::collection::vec(any::<u8>(), 0..80), near],
        |bytes| {
            if let Ok(envelope) = Envelope::parse(&bytes) {
                prop_assert!(bytes.len() >= 34 && envelope.ciphertext().len() == bytes.len() - 34);
            }
            Ok(())
        },
    );
    check(
        prop_oneof![".{0,40}", "ps1\\.[A-Za-z0-9_-]{0,40}", "ps1\\..{0,40}"],
        |written| {
            if let Ok(bytes) = text::decode(&written) {
                prop_assert_eq!(text::encode(&bytes), written);
            }
            Ok(())
        },
    );
}
