//! The head of the audit chain as a person saves it elsewhere.
//! Owns its text form.

use std::fmt;
use std::str::FromStr;

use crate::error::{Coded, Exit};
use crate::store::AuditHead;

/// Length of a MAC (HMAC-SHA-256).
const MAC_BYTES: usize = 32;

/// A head of the chain to be noted elsewhere, in text form `ENTRY_ID:MAC`, the MAC in hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedHead {
    /// The number of the last entry; 0 for an empty chain.
    pub entry_id: i64,
    /// The MAC of the last entry; empty for an empty chain.
    pub mac: Vec<u8>,
}

/// The text is not a [`NotedHead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is a number, a colon and the hex digits of a MAC")]
pub struct BadHead;

impl From<&AuditHead> for NotedHead {
    fn from(head: &AuditHead) -> Self {
        Self {
            entry_id: head.entry_id,
            mac: head.mac.clone(),
        }
    }
}

impl fmt::Display for NotedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entry_id, hex::encode(&self.mac))
    }
}

impl FromStr for NotedHead {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (number, mac) = text.trim().split_once(':').ok_or(BadHead)?;
        let entry_id = number.parse().map_err(|_| BadHead)?;
        let mac = hex::decode(mac).map_err(|_| BadHead)?;
        // Only an empty chain has no MAC, and then there is nothing to compare with.
        let whole = match entry_id {
            0 => mac.is_empty(),
            _ => entry_id > 0 && mac.len() == MAC_BYTES,
        };
        whole.then_some(Self { entry_id, mac }).ok_or(BadHead)
    }
}

impl Coded for BadHead {
    fn code(&self) -> &'static str {
        "E0109"
    }

    fn hint(&self) -> String {
        "give it as `phiseal audit head` printed it".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_head_reads_back_as_it_was_printed() {
        for noted in [
            NotedHead {
                entry_id: 0,
                mac: Vec::new(),
            },
            NotedHead {
                entry_id: 12,
                mac: vec![0xab; MAC_BYTES],
            },
        ] {
            assert_eq!(noted.to_string().parse(), Ok(noted));
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let short = format!("3:{}", "ab".repeat(31));
        let empty_with_mac = format!("0:{}", "ab".repeat(32));
        let negative = format!("-1:{}", "ab".repeat(32));
        for bad in [
            "",
            "12",
            "12:",
            "x:00",
            "12:zz",
            ":",
            &short,
            &empty_with_mac,
            &negative,
        ] {
            assert_eq!(bad.parse::<NotedHead>(), Err(BadHead), "{bad}");
        }
    }
}
