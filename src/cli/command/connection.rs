//! The database connection as `plan` and `status` report it.
//! Owns its JSON, and the warning for a connection to another machine that is weaker than
//! `verify-full`.

use serde_json::{Value, json};

use crate::store::{SslMode, Transport};

/// The error code of the warning.
const WEAK: &str = "E0533";
const HINT: &str = "write sslmode=verify-full into the database URL, with sslrootcert=/path/to/ca.pem where the authority is your own";

/// The connection as JSON; null where there is none (SQLite).
pub fn object(transport: Option<&Transport>) -> Value {
    let Some(transport) = transport else {
        return Value::Null;
    };
    json!({
        "host": transport.host,
        "local": transport.local,
        "sslmode": transport.sslmode.map(SslMode::as_str),
        "encrypted": transport.encrypted,
    })
}

/// The warnings about the connection, as JSON with the keys of a preflight finding; `table` is
/// null.
pub fn warnings(transport: Option<&Transport>) -> Vec<Value> {
    let warning = transport.and_then(message).map(|message| {
        json!({
            "code": WEAK,
            "table": null,
            "column": null,
            "message": message,
            "hint": HINT,
        })
    });
    warning.into_iter().collect()
}

/// The warning as text for people.
pub fn warning_text(transport: Option<&Transport>) -> Option<String> {
    let message = transport.and_then(message)?;
    Some(format!("warning[{WEAK}] {message}\n  hint: {HINT}"))
}

fn message(transport: &Transport) -> Option<String> {
    let weakness = transport.weakness()?;
    let mode = transport.sslmode?.as_str();
    Some(format!(
        "the connection to {} is weaker than verify-full (sslmode={mode}): {weakness}",
        transport.host
    ))
}
