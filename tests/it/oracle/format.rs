//! Format 1, read only: key line, wrapped keys, derivation, envelopes, blind indexes.
//! Every function either gives what the format says or the reason why the bytes are not of it.

use super::normalise::normalise;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

/// A 32-byte key.
pub type Key = [u8; 32];

/// What a value is sealed for, besides its key.
pub struct Cell<'a> {
    /// The text of the tenant column; empty without one.
    pub tenant: &'a str,
    /// The table label, as registered.
    pub table: &'a str,
    /// The column label, as registered.
    pub column: &'a str,
    /// The encoded row key.
    pub row_key: &'a [u8],
}

/// A parsed envelope.
#[derive(Debug)]
pub struct Envelope {
    /// 1 plain, 2 padded.
    pub suite: u8,
    /// The key it names.
    pub key_id: u32,
    /// Its nonce.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub body: Vec<u8>,
    header: [u8; 6],
}

/// One block of HKDF-Expand-SHA256.
pub fn expand(key: &[u8], label: &str, info: &[u8]) -> Key {
    let message = [label.as_bytes(), &[0], info, &[1]].concat();
    hmac_sha256(key, &message)
}

/// A length as four bytes, then the bytes.
pub fn lp(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// The wrapping key of a key line, with or without its newline.
pub fn wrapping_key(line: &str) -> Result<Key, String> {
    let text = line.strip_suffix('\n').unwrap_or(line);
    let text = text
        .strip_prefix("phiseal-wk-1.")
        .ok_or("not a key line: prefix")?;
    base64url(text)?
        .try_into()
        .map_err(|_| "not a key line: length".to_owned())
}

/// `wk:` and the first 16 hex digits that name a wrapping key.
pub fn wrapping_key_reference(key: &Key) -> String {
    format!("wk:{}", &hex::encode(expand(key, "ps1/ref", b""))[..16])
}

/// Unwraps a data key or blind index key.
pub fn unwrap_key(
    wrapping: &Key,
    wrapped: &[u8],
    key_id: u32,
    purpose: &str,
    tenant: &str,
) -> Result<Key, String> {
    if wrapped.len() != 2 + 12 + 32 + 16 || wrapped[..2] != [0xE8, 0x01] {
        return Err("not a wrapped key".to_owned());
    }
    let aad = wrapping_aad(key_id, purpose, tenant);
    let nonce = wrapped[2..14].try_into().unwrap();
    let key = aes_open(wrapping, nonce, &aad, &wrapped[14..])?;
    Ok(key.try_into().unwrap())
}

/// The additional data of a wrapped key.
pub fn wrapping_aad(key_id: u32, purpose: &str, tenant: &str) -> Vec<u8> {
    [
        lp(b"ps1/wrap"),
        key_id.to_be_bytes().to_vec(),
        lp(purpose.as_bytes()),
        lp(tenant.as_bytes()),
        lp(b"AES-256-GCM"),
    ]
    .concat()
}

/// The value stored beside a key, to tell a wrong key at once.
pub fn check_value(key: &Key) -> Key {
    expand(key, "ps1/check", b"")
}

impl Cell<'_> {
    /// Tenant, table label and column label.
    pub fn context(&self) -> Vec<u8> {
        [self.tenant, self.table, self.column]
            .map(|part| lp(part.as_bytes()))
            .concat()
    }

    /// The AES key of this cell.
    pub fn key(&self, data_key: &Key) -> Key {
        let column = expand(data_key, "ps1/col", &self.context());
        expand(&column, "ps1/cell", self.row_key)
    }

    /// The additional data of an envelope of this cell, of which these are the first six bytes.
    pub fn aad(&self, header: &[u8]) -> Vec<u8> {
        [header, &self.context(), self.row_key].concat()
    }

    /// The plaintext bytes of an envelope of this cell.
    pub fn open(&self, data_key: &Key, envelope: &Envelope) -> Result<Vec<u8>, String> {
        let aad = self.aad(&envelope.header);
        let plain = aes_open(&self.key(data_key), envelope.nonce, &aad, &envelope.body)?;
        if envelope.suite == 1 {
            return Ok(plain);
        }
        let end = plain.iter().rposition(|byte| *byte != 0);
        match end {
            Some(end) if plain[end] == 0x80 => Ok(plain[..end].to_vec()),
            _ => Err("padding".to_owned()),
        }
    }
}

/// Parses a binary envelope.
pub fn parse(bytes: &[u8]) -> Result<Envelope, String> {
    if bytes.len() < 34 {
        return Err("envelope: under 34 bytes".to_owned());
    }
    if bytes[0] != 0xE7 {
        return Err("envelope: magic".to_owned());
    }
    if !matches!(bytes[1], 1 | 2) {
        return Err("envelope: suite".to_owned());
    }
    Ok(Envelope {
        suite: bytes[1],
        key_id: u32::from_be_bytes(bytes[2..6].try_into().unwrap()),
        nonce: bytes[6..18].try_into().unwrap(),
        body: bytes[18..].to_vec(),
        header: bytes[..6].try_into().unwrap(),
    })
}

/// Parses a text envelope, `ps1.…`.
pub fn parse_text(text: &str) -> Result<Envelope, String> {
    let text = text.strip_prefix("ps1.").ok_or("envelope: prefix")?;
    parse(&base64url(text)?)
}

/// The blind index of a value; none where it normalises to nothing.
pub fn blind_index(
    key: &Key,
    cell: &Cell<'_>,
    normaliser: &str,
    bits: usize,
    value: &str,
) -> Option<Vec<u8>> {
    let normal = normalise(normaliser, value);
    if normal.is_empty() {
        return None;
    }
    let column = expand(key, "ps1/bidx", &cell.context());
    let mut index = hmac_sha256(&column, normal.as_bytes()).to_vec();
    index.truncate(bits.div_ceil(8));
    let unused = index.len() * 8 - bits;
    if let Some(last) = index.last_mut() {
        *last &= 0xFF << unused;
    }
    Some(index)
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().try_into().unwrap()
}

fn aes_open(key: &Key, nonce: [u8; 12], aad: &[u8], body: &[u8]) -> Result<Vec<u8>, String> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let mut body = body.to_vec();
    key.open_in_place(nonce, Aad::from(aad), &mut body)
        .map(|plain| plain.to_vec())
        .map_err(|_| "does not open".to_owned())
}

// By hand, because its strictness is part of what is being judged.
fn base64url(text: &str) -> Result<Vec<u8>, String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if text.len() % 4 == 1 {
        return Err("base64: length".to_owned());
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for character in text.chars() {
        let value = ALPHABET.find(character).ok_or("base64: alphabet")?;
        bits = (bits << 6) | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    if bits != 0 {
        return Err("base64: unused bits".to_owned());
    }
    Ok(bytes)
}
