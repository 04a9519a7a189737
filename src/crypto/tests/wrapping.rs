//! What a wrapping key refuses to read or unwrap.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::crypto::{DataKey, KeyId, KeyLineError, Purpose, UnwrapError, WrappingKey};

fn line(bytes: &[u8]) -> String {
    format!("phiseal-wk-1.{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn refusal(line: impl AsRef<[u8]>) -> KeyLineError {
    WrappingKey::parse_line(line.as_ref()).unwrap_err()
}

#[test]
fn a_key_line_is_read_with_one_newline_or_none() {
    let key = WrappingKey::parse_line(line(&[7; 32]).as_bytes()).unwrap();
    let with_newline = WrappingKey::parse_line(key.to_line().as_bytes()).unwrap();
    assert_eq!(key.reference(), with_newline.reference());
    assert_eq!(*key.to_line(), line(&[7; 32]) + "\n");
}

#[test]
fn a_key_line_with_anything_after_it_is_refused() {
    let good = line(&[7; 32]);
    assert_eq!(refusal(format!("{good}\n\n")), KeyLineError::Trailing);
    assert_eq!(refusal(format!("{good}\n ")), KeyLineError::Trailing);
    assert_eq!(refusal(format!("{good}\n{good}\n")), KeyLineError::Trailing);
    assert_eq!(refusal(format!("{good}\r\n")), KeyLineError::Base64);
    assert_eq!(refusal(format!("{good} ")), KeyLineError::Base64);
}

#[test]
fn a_key_line_of_another_prefix_length_or_alphabet_is_refused() {
    let good = line(&[7; 32]);
    assert_eq!(refusal(""), KeyLineError::Prefix);
    assert_eq!(refusal(&good[1..]), KeyLineError::Prefix);
    assert_eq!(refusal(format!(" {good}")), KeyLineError::Prefix);
    assert_eq!(refusal(good.replace("wk-1", "wk-2")), KeyLineError::Prefix);
    assert_eq!(refusal(line(&[7; 31])), KeyLineError::Length(31));
    assert_eq!(refusal(line(&[7; 33])), KeyLineError::Length(33));
    assert_eq!(refusal(line(&[])), KeyLineError::Length(0));
    assert_eq!(refusal(format!("{good}=")), KeyLineError::Base64);
    assert_eq!(refusal(&good[..good.len() - 2]), KeyLineError::Base64);
    assert_eq!(
        refusal(format!("phiseal-wk-1.{}", "/".repeat(43))),
        KeyLineError::Base64
    );
    assert_eq!(refusal(b"phiseal-wk-1.\xff"), KeyLineError::Base64);
}

#[test]
fn a_wrapped_key_opens_only_as_what_it_was_wrapped_for() {
    let wrapping_key = WrappingKey::generate().unwrap();
    let data_key = DataKey::generate().unwrap();
    let (id, other_id) = (KeyId::new(7).unwrap(), KeyId::new(8).unwrap());
    let wrapped = wrapping_key
        .wrap(id, Purpose::Cell, "clinic-1", &data_key)
        .unwrap();
    assert_eq!(wrapped.len(), 62);

    let opened = wrapping_key
        .unwrap(id, Purpose::Cell, "clinic-1", &wrapped)
        .unwrap();
    assert!(opened.matches_check(&data_key.check_value()));

    let refused = |key: &WrappingKey, id, purpose, tenant| {
        assert_eq!(
            key.unwrap(id, purpose, tenant, &wrapped).unwrap_err(),
            UnwrapError::Refused
        );
    };
    refused(&wrapping_key, other_id, Purpose::Cell, "clinic-1");
    refused(&wrapping_key, id, Purpose::BlindIndex, "clinic-1");
    refused(&wrapping_key, id, Purpose::Cell, "clinic-2");
    refused(&wrapping_key, id, Purpose::Cell, "");
    refused(
        &WrappingKey::generate().unwrap(),
        id,
        Purpose::Cell,
        "clinic-1",
    );
}

#[test]
fn a_wrapped_key_with_any_bit_changed_or_of_another_length_is_refused() {
    let wrapping_key = WrappingKey::generate().unwrap();
    let id = KeyId::new(7).unwrap();
    let wrapped = wrapping_key
        .wrap(id, Purpose::Cell, "", &DataKey::generate().unwrap())
        .unwrap();
    let unwrap = |bytes: &[u8]| {
        wrapping_key
            .unwrap(id, Purpose::Cell, "", bytes)
            .unwrap_err()
    };
    for bit in 0..wrapped.len() * 8 {
        let mut changed = wrapped.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 16 {
            UnwrapError::Form
        } else {
            UnwrapError::Refused
        };
        assert_eq!(unwrap(&changed), expected, "bit {bit}");
    }
    for length in 0..wrapped.len() {
        assert_eq!(unwrap(&wrapped[..length]), UnwrapError::Form, "{length}");
    }
    assert_eq!(
        unwrap(&[wrapped.as_slice(), &[0]].concat()),
        UnwrapError::Form
    );
}

#[test]
fn debug_of_a_wrapping_key_shows_nothing_of_it() {
    assert_eq!(
        format!("{:?}", WrappingKey::generate().unwrap()),
        "WrappingKey(..)"
    );
}
