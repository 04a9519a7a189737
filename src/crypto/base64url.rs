//! URL-safe base64 without padding (RFC 4648 section 5).
//! Owns the strict form: one text for each sequence of bytes. Writes into buffers of the caller's, so that
//! a key leaves no copy in one that grew.

/// What stands for six bits.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Stands for every byte that is not in the alphabet.
const NONE: u8 = 0xff;

/// The six bits of each byte of a text.
const BITS: [u8; 256] = {
    let mut bits = [NONE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        bits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    bits
};

/// Why a text is not the form of any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotBase64 {
    /// A character outside the alphabet.
    Alphabet,
    /// A length that no bytes have.
    Length,
    /// Bits beyond the last byte that are not zero.
    UnusedBits,
}

/// How many characters so many bytes take.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Appends the text of `bytes`.
pub(super) fn encode(bytes: &[u8], text: &mut String) {
    text.reserve(encoded_len(bytes.len()));
    let (whole, rest) = bytes.as_chunks::<3>();
    let mut push = |group: u32, characters: u32| {
        for at in 0..characters {
            let six = (group >> (18 - 6 * at)) & 0x3f;
            text.push(char::from(ALPHABET[six as usize]));
        }
    };
    for [a, b, c] in whole {
        push(u32::from_be_bytes([0, *a, *b, *c]), 4);
    }
    match rest {
        [a] => push(u32::from_be_bytes([0, *a, 0, 0]), 2),
        [a, b] => push(u32::from_be_bytes([0, *a, *b, 0]), 3),
        _ => {}
    }
}

/// Appends the bytes of `text`; on an error, some of them.
pub(super) fn decode(text: &[u8], bytes: &mut Vec<u8>) -> Result<(), NotBase64> {
    let (whole, rest) = text.as_chunks::<4>();
    if rest.len() == 1 {
        return Err(NotBase64::Length);
    }
    bytes.reserve(text.len() / 4 * 3 + 2);
    for quad in whole {
        let [_, a, b, c] = group(quad)?.to_be_bytes();
        bytes.extend_from_slice(&[a, b, c]);
    }
    let mut last = *b"AAAA";
    last[..rest.len()].copy_from_slice(rest);
    let [_, a, b, c] = group(&last)?.to_be_bytes();
    match (rest.len(), b, c) {
        (2, 0, 0) => bytes.push(a),
        (3, _, 0) => bytes.extend_from_slice(&[a, b]),
        (2 | 3, _, _) => return Err(NotBase64::UnusedBits),
        _ => {}
    }
    Ok(())
}

/// The 24 bits of four characters.
fn group(quad: &[u8; 4]) -> Result<u32, NotBase64> {
    let mut group = 0;
    for character in quad {
        let six = BITS[*character as usize];
        if six == NONE {
            return Err(NotBase64::Alphabet);
        }
        group = group << 6 | u32::from(six);
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        encode(bytes, &mut text);
        text
    }

    fn decoded(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let mut bytes = Vec::new();
        decode(text, &mut bytes).map(|()| bytes)
    }

    proptest! {
        #[test]
        fn bytes_have_the_text_that_another_library_gives_them(bytes: Vec<u8>) {
            let text = encoded(&bytes);
            prop_assert_eq!(&text, &URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            prop_assert_eq!(decoded(text.as_bytes()), Ok(bytes));
        }

        #[test]
        fn a_text_decodes_where_it_does_in_another_library(text in "[A-Za-z0-9_+/=é-]{0,12}") {
            prop_assert_eq!(decoded(text.as_bytes()).ok(), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
