//! How far a migration was done that is not one transaction, as the history holds it.
//! Owns its text. What is done next is in `history`.

use crate::words::word_enum;

/// How far a migration came that cannot be one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct Progress {
    pub way: Way,
    /// Units that are committed.
    pub units: usize,
    /// The next unit takes no transaction and was begun: how it ended was not written down.
    pub running: bool,
    /// The digest of those that are committed: the rest of a file may be mended.
    pub digest: String,
}

word_enum! {
    /// Towards the newest version, or away from it; the word stands in the history.
    Way {
        /// Towards it.
        Up = "applying",
        /// Away from it.
        Down = "undoing",
    }
}

impl Progress {
    pub const fn none(way: Way) -> Self {
        Self {
            way,
            units: 0,
            running: false,
            digest: String::new(),
        }
    }

    /// As the history holds it.
    pub fn to_text(&self) -> String {
        let running = if self.running { " running" } else { "" };
        format!("{} {} {}{running}", self.way, self.units, self.digest)
    }

    /// `None` where it is not what [`Progress::to_text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let way = words.next()?.parse().ok()?;
        let units = words.next()?.parse().ok()?;
        let digest = words.next()?.to_owned();
        let running = match words.next() {
            None => false,
            Some("running") => true,
            Some(_) => return None,
        };
        Some(Self {
            way,
            units,
            running,
            digest,
        })
    }
}
