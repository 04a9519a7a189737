//! The other direction, for tests that play an application which seals values itself, and for
//! values made wrong on purpose: the caller chooses every byte, the nonce too.

use super::format::{Cell, Key, wrapping_aad};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// The binary envelope of a value; padded if `pad_to` is not 0.
pub fn seal(
    cell: &Cell<'_>,
    data_key: &Key,
    key_id: u32,
    nonce: [u8; 12],
    plain: &[u8],
    pad_to: usize,
) -> Vec<u8> {
    let mut body = plain.to_vec();
    let mut header = vec![0xE7, 1];
    if pad_to > 0 {
        header[1] = 2;
        body.push(0x80);
        body.resize(body.len().next_multiple_of(pad_to), 0);
    }
    header.extend(key_id.to_be_bytes());
    aes_seal(&cell.key(data_key), nonce, &cell.aad(&header), &mut body);
    [header, nonce.to_vec(), body].concat()
}

/// A key as `encryption_keys.wrapped_key` holds it.
pub fn wrap_key(wrapping: &Key, key: &Key, key_id: u32, purpose: &str, tenant: &str) -> Vec<u8> {
    let mut nonce = [0; 12];
    SystemRandom::new().fill(&mut nonce).unwrap();
    let mut body = key.to_vec();
    let aad = wrapping_aad(key_id, purpose, tenant);
    aes_seal(wrapping, nonce, &aad, &mut body);
    [&[0xE8, 0x01][..], &nonce, &body].concat()
}

fn aes_seal(key: &Key, nonce: [u8; 12], aad: &[u8], body: &mut Vec<u8>) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(aad), body)
        .unwrap();
}
