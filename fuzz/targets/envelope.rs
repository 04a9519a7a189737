//! Bytes as an envelope: what parses is made of its parts again, and what is not exactly one is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phiseal::crypto::envelope::{self, Envelope};

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = Envelope::parse(bytes) else {
        return;
    };
    let mut printed = envelope::header(parsed.key_id(), parsed.suite()).to_vec();
    printed.extend_from_slice(parsed.nonce());
    printed.extend_from_slice(parsed.ciphertext());
    printed.extend_from_slice(parsed.tag());
    assert_eq!(printed, bytes, "the parts are not the whole");
    assert_eq!(envelope::named_key(bytes), Some(parsed.key_id()));
    // Another magic, a suite that format 1 does not have, or no key: refused.
    for (at, byte) in [(0, bytes[0] ^ 1), (1, 0), (1, bytes[1] | 0x80)] {
        let mut unknown = bytes.to_vec();
        unknown[at] = byte;
        assert!(Envelope::parse(&unknown).is_err(), "byte {at} is {byte}");
        assert_eq!(envelope::named_key(&unknown), None);
    }
    let mut keyless = bytes.to_vec();
    keyless[2..6].fill(0);
    assert!(Envelope::parse(&keyless).is_err());
});
