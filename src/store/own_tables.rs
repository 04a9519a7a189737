//! The tables of phiseal's own schema in PostgreSQL.
//! Owns their names and the rights that a run needs on each. The migrations make them, and whether
//! they are there is a fact of the server.

/// A table and the privileges that a run needs on it, separated by blanks.
pub const OWN_TABLES: [(&str, &str); 16] = [
    ("audit_head", "SELECT UPDATE"),
    ("audit_log", "SELECT INSERT"),
    ("encrypted_field_metadata", "SELECT INSERT UPDATE"),
    ("encryption_keys", "SELECT INSERT UPDATE"),
    ("key_rotation_history", "SELECT INSERT UPDATE"),
    ("key_transition_entries", "SELECT INSERT"),
    ("key_transitions", "SELECT INSERT"),
    ("lanes", "SELECT INSERT UPDATE"),
    ("pace_probe", "SELECT UPDATE"),
    ("pace_reports", "SELECT INSERT UPDATE DELETE"),
    ("pace_requests", "SELECT INSERT UPDATE DELETE"),
    ("procedures", "SELECT INSERT UPDATE"),
    ("quarantine", "SELECT INSERT UPDATE"),
    ("rotation_counts", "SELECT INSERT UPDATE"),
    ("runs", "SELECT INSERT UPDATE"),
    ("sealed_relations", "SELECT INSERT UPDATE"),
];
