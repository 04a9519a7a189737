//! Project Wycheproof's test sets for the primitives that seal: AES-256-GCM, HMAC-SHA256,
//! HKDF-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wycheproof::{
    TestResult, aead::TestName as AeadName, hkdf::TestName as HkdfName, mac::TestName as MacName,
};

use crate::crypto::{aead, prf::Prf};

/// A `Prf` with a key of any length, brought to one block as in RFC 2104 section 2.
fn prf(key: &[u8]) -> Prf {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    Prf::from_block(&block)
}

#[test]
fn aes_256_gcm_agrees_with_wycheproof() {
    let set = wycheproof::aead::TestSet::load(AeadName::AesGcm).unwrap();
    let groups = set.test_groups.into_iter();
    let (mut opened, mut refused) = (0, 0);
    for group in groups.filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128)) {
        for test in group.tests {
            let key: &[u8; 32] = test.key[..].try_into().unwrap();
            let nonce: &[u8; 12] = test.nonce[..].try_into().unwrap();
            let tag: &[u8; 16] = test.tag[..].try_into().unwrap();
            let mut buffer = vec![0; test.ct.len()];
            let result = aead::decrypt(key, nonce, &test.aad, &test.ct, tag, &mut buffer);
            match test.result {
                TestResult::Valid => {
                    assert!(result.is_ok(), "{}", test.tc_id);
                    assert_eq!(buffer, test.pt[..], "{}", test.tc_id);
                    let made = aead::encrypt(key, nonce, &test.aad, &mut buffer)
                        .ok()
                        .unwrap();
                    assert_eq!((&buffer[..], &made), (&test.ct[..], tag), "{}", test.tc_id);
                    opened += 1;
                }
                TestResult::Invalid => {
                    assert!(result.is_err(), "{}", test.tc_id);
                    refused += 1;
                }
                TestResult::Acceptable => panic!("no case of this set is left open"),
            }
        }
    }
    assert!(
        opened >= 30 && refused >= 20,
        "{opened} opened, {refused} refused"
    );
}

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let set = wycheproof::mac::TestSet::load(MacName::HmacSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let made = prf(&test.key).mac(&[&test.msg]);
            let equal = made[..group.tag_size / 8] == test.tag[..];
            assert_eq!(equal, test.result == TestResult::Valid, "{}", test.tc_id);
            *(if equal { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert!(
        valid >= 60 && invalid >= 80,
        "{valid} valid, {invalid} invalid"
    );
}

#[test]
fn hkdf_sha256_agrees_with_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(HkdfName::HkdfSha256).unwrap();
    let (mut whole, mut refused) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            if test.size > 255 * 32 {
                assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
                refused += 1;
                continue;
            }
            assert_eq!(test.result, TestResult::Valid, "{}", test.tc_id);
            let pseudorandom_key = prf(&test.salt).mac(&[&test.ikm]);
            let okm = hkdf_expand(&Prf::new(&pseudorandom_key), &test.info, test.size);
            assert_eq!(okm, test.okm[..], "{}", test.tc_id);
            whole += 1;
        }
    }
    assert!(
        whole >= 60 && refused >= 1,
        "{whole} whole, {refused} refused"
    );
}

/// HKDF-Expand of RFC 5869 section 2.3 with as many blocks as needed. `Prf::expand` makes the first
/// block if the info has its form, `label ‖ 0x00 ‖ info`.
fn hkdf_expand(prf: &Prf, info: &[u8], size: usize) -> Vec<u8> {
    let mut block = match info.iter().position(|byte| *byte == 0) {
        Some(zero) => {
            let mut first = [0; 32];
            prf.expand(&info[..zero], &info[zero + 1..], &mut first);
            first
        }
        None => prf.mac(&[info, &[1]]),
    };
    let mut okm = Vec::new();
    for counter in 2..=255u8 {
        okm.extend_from_slice(&block);
        block = prf.mac(&[&block, info, &[counter]]);
    }
    okm.extend_from_slice(&block);
    okm.truncate(size);
    okm
}

#[test]
fn expand_is_the_first_block_of_hkdf_expand_under_the_joined_label_and_info() {
    let prf = Prf::new(&[5; 32]);
    let mut reference = Hmac::<Sha256>::new_from_slice(&[5; 32]).unwrap();
    reference.update(b"ps1/col\0info\x01");
    let mut key = [0; 32];
    prf.expand(b"ps1/col", b"info", &mut key);
    assert_eq!(key[..], reference.finalize().into_bytes()[..]);
}

#[test]
fn hmac_agrees_with_the_hmac_crate_at_every_length_however_it_is_cut() {
    let message: Vec<u8> = (0..300u16).map(|n| n as u8).collect();
    let prf = Prf::new(&[9; 32]);
    for length in 0..=message.len() {
        let mut reference = Hmac::<Sha256>::new_from_slice(&[9; 32]).unwrap();
        reference.update(&message[..length]);
        let reference: [u8; 32] = reference.finalize().into_bytes().into();
        for cut in [0, length / 3, length.saturating_sub(1), length] {
            let (head, tail) = message[..length].split_at(cut);
            assert_eq!(
                prf.mac(&[head, tail]),
                reference,
                "{length} bytes cut at {cut}"
            );
        }
    }
}
