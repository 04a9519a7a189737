//! What `plan` and `status` say of the connection they came over.
//! Owns its JSON and the warning about a way to another machine that is weaker than verify-full.

use serde_json::{Value, json};

use crate::store::{SslMode, Transport};

/// The code of the warning.
const WEAK: &str = "E0533";
const HINT: &str = "write sslmode=verify-full into the database URL, with sslrootcert=/path/to/ca.pem where the authority is your own";

/// The connection as JSON; null where there is none.
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

/// What should be said of it, by names of the catalog's findings; a connection has no table.
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

/// The same for people.
pub fn warning_text(transport: Option<&Transport>) -> Option<String> {
    let message = transport.and_then(message)?;
    Some(format!("warning[{WEAK}] {message}\n  hint: {HINT}"))
}

/// One line about it, and the warning.
pub fn text(transport: Option<&Transport>) -> String {
    let line = transport.map_or_else(|| "a file".to_owned(), Transport::to_string);
    match warning_text(transport) {
        Some(warning) => format!("{line}\n{warning}"),
        None => line,
    }
}

fn message(transport: &Transport) -> Option<String> {
    let weakness = transport.weakness()?;
    let mode = transport.sslmode?.as_str();
    Some(format!(
        "the connection to {} is weaker than verify-full (sslmode={mode}): {weakness}",
        transport.host
    ))
}
