//! Keyed digests that leave the program: row tags for logs and reports, and the MAC of the audit
//! chain.
//! Each has its own key, derived from a data key, so that neither reveals or replaces the other.

use std::fmt;

use subtle::ConstantTimeEq;

use super::{context::push_length_prefixed, prf::Prf, row_key::RowKey};

/// Makes row tags.
pub struct Tagger(Prf);

impl Tagger {
    pub(super) const fn new(prf: Prf) -> Self {
        Self(prf)
    }

    /// The tag of a row, from its table label and row key.
    ///
    /// The same row has the same tag as long as the data key exists. Without the key, nobody can
    /// test whether a primary key belongs to a tag.
    pub fn row_tag(&self, table_label: &str, row_key: &RowKey) -> RowTag {
        let mut row = Vec::with_capacity(8 + table_label.len() + row_key.as_bytes().len());
        push_length_prefixed(&mut row, table_label.as_bytes());
        push_length_prefixed(&mut row, row_key.as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = self.0.mac(&[&row]);
        RowTag([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for Tagger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tagger(..)")
    }
}

/// The printable name of a row: 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowTag([u8; 8]);

impl fmt::Display for RowTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for RowTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowTag({self})")
    }
}

/// A key for HMAC-SHA256 over audit entries.
pub struct MacKey(Prf);

impl MacKey {
    pub(super) const fn new(prf: Prf) -> Self {
        Self(prf)
    }

    /// The MAC of `message`, 32 bytes.
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.0.mac(&[message])
    }

    /// Compares `mac` with the MAC of `message`, in constant time.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.mac(message).as_slice().ct_eq(mac).into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{DataKey, KeyPart};

    fn row(id: i64) -> RowKey {
        RowKey::encode(&[KeyPart::Int(id)]).unwrap()
    }

    #[test]
    fn a_row_tag_is_16_lower_hex_digits_and_depends_on_key_table_and_row() {
        let data_key = DataKey::from_bytes(zeroize::Zeroizing::new([1; 32]));
        let tag = data_key.tagger().row_tag("public.patients", &row(1));
        let printed = tag.to_string();
        assert_eq!(printed.len(), 16);
        assert!(
            printed
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert_eq!(tag, data_key.tagger().row_tag("public.patients", &row(1)));
        assert_ne!(tag, data_key.tagger().row_tag("public.patients", &row(2)));
        assert_ne!(tag, data_key.tagger().row_tag("public.people", &row(1)));
        let other = DataKey::generate().unwrap();
        assert_ne!(tag, other.tagger().row_tag("public.patients", &row(1)));
    }

    #[test]
    fn a_mac_verifies_only_its_own_message_in_full() {
        let key = DataKey::generate().unwrap().audit_mac_key();
        let mac = key.mac(b"entry 1");
        assert!(key.verify(b"entry 1", &mac));
        assert!(!key.verify(b"entry 2", &mac));
        assert!(!key.verify(b"entry 1", &mac[..16]));
        assert!(
            !DataKey::generate()
                .unwrap()
                .audit_mac_key()
                .verify(b"entry 1", &mac)
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let key = DataKey::generate().unwrap();
        assert_eq!(
            format!("{:?} {:?}", key.tagger(), key.audit_mac_key()),
            "Tagger(..) MacKey(..)"
        );
    }
}
