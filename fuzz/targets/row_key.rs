//! A row key: different keys never encode alike. A reader written from docs/FORMAT.md gives back
//! each column, and values without one fixed form are refused.

#![no_main]

use libfuzzer_sys::arbitrary::{Arbitrary, Error, Unstructured};
use libfuzzer_sys::fuzz_target;
use phiseal::crypto::{KeyPart, RowKey};

/// A column of a key: its tag and the bytes of its value, as FORMAT.md says it.
#[derive(Debug, PartialEq, Eq)]
struct Column(u8, Vec<u8>);

fn part(from: &mut Unstructured<'_>) -> Result<(KeyPart, Column), Error> {
    let column = |tag: u8, value: &[u8]| Column(tag, value.to_vec());
    Ok(match from.int_in_range(0..=7)? {
        0 => {
            let value = i64::arbitrary(from)?;
            (KeyPart::Int(value), column(b'i', &value.to_be_bytes()))
        }
        1 => {
            let value = <[u8; 16]>::arbitrary(from)?;
            (KeyPart::Uuid(value), column(b'u', &value))
        }
        2 => {
            let value = String::arbitrary(from)?;
            (KeyPart::Text(value.clone()), column(b't', value.as_bytes()))
        }
        3 => {
            let value = Vec::<u8>::arbitrary(from)?;
            (KeyPart::Bytes(value.clone()), column(b'b', &value))
        }
        4 => {
            let value = bool::arbitrary(from)?;
            (KeyPart::Bool(value), column(b'o', &[u8::from(value)]))
        }
        5 => {
            let value = String::arbitrary(from)?;
            (
                KeyPart::Numeric(value.clone()),
                column(b'n', value.as_bytes()),
            )
        }
        6 => {
            let value = String::arbitrary(from)?;
            (KeyPart::Date(value.clone()), column(b'd', value.as_bytes()))
        }
        _ => {
            let value = i64::arbitrary(from)?;
            (
                KeyPart::Timestamp(value),
                column(b'z', &value.to_be_bytes()),
            )
        }
    })
}

/// Reads `u32 length, tag, value` until nothing is left.
fn read(mut bytes: &[u8]) -> Vec<Column> {
    let mut columns = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (column, rest) = rest.split_at(length);
        columns.push(Column(column[0], column[1..].to_vec()));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "bytes are left over");
    columns
}

fn has_one_form(column: &Column) -> bool {
    let Column(tag, value) = column;
    let text = String::from_utf8_lossy(value);
    match tag {
        b'n' => {
            let digits = text.strip_prefix('-').unwrap_or(&text);
            let fraction = digits.split_once('.').map(|(_, fraction)| fraction);
            !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && fraction.is_none_or(|f| !f.is_empty() && !f.ends_with('0') && !f.contains('.'))
                && text != "-0"
        }
        b'd' => text.len() == 10 && text.is_ascii() && !text.starts_with("0000"),
        b'z' => !matches!(
            value.as_slice(),
            [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
        ),
        _ => true,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut from = Unstructured::new(bytes);
    let mut parts = Vec::new();
    let mut columns = Vec::new();
    while !from.is_empty() && parts.len() < 16 {
        let Ok((part, column)) = part(&mut from) else {
            break;
        };
        parts.push(part);
        columns.push(column);
    }
    match RowKey::encode(&parts) {
        Ok(key) => {
            assert_eq!(read(key.as_bytes()), columns);
            assert!(columns.iter().all(has_one_form), "{columns:?}");
        }
        Err(_) => assert!(
            parts.is_empty() || columns.iter().any(|c| matches!(c.0, b'n' | b'd' | b'z')),
            "a value that has one form only was refused"
        ),
    }
});
