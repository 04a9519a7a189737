//! What a table takes and what was done to its rows, as the server counts it.
//! Owns the type; the stores fill it.

/// The files of a table and the counters of its rows, at one moment. Counters begin at any time, so
/// only differences mean something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of the table with TOAST and without indexes. In SQLite those of the whole file, which
    /// does not tell its tables apart.
    pub table_bytes: u64,
    /// Each index by its name for SQL, with its bytes; none in SQLite.
    pub indexes: Vec<(String, u64)>,
    /// What only a server counts; `None` in SQLite.
    pub counters: Option<Counters>,
}

/// The counters of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// The position in the write-ahead log of the whole server, in bytes.
    pub wal: u64,
    /// Updated rows.
    pub updates: u64,
    /// Those of them whose new version stayed in its block, so that no index has an entry for it.
    pub hot_updates: u64,
    /// Dead row versions that are there now.
    pub dead_rows: u64,
}
