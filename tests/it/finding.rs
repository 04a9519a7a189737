//! How the program finds its plan and its database, and what it says where it finds none: the real
//! binary, in real folders, against real servers and things that are none.

mod alone;
mod connections;
mod grants;
mod places;
mod sqlite;
mod words;

use crate::support::Phiseal;
use serde_json::Value;
use std::path::Path;

/// Runs a command in a folder; it must fail with this code. The error, and all that stderr says.
pub async fn failed(command: Phiseal, code: &str) -> (Value, String) {
    let done = command.run().await;
    let error = done.json()["error"].clone();
    assert_eq!(error["code"], code, "{error}\n{}", done.stderr);
    (error, done.stderr)
}

/// A text of an error.
pub fn text<'a>(error: &'a Value, part: &str) -> &'a str {
    error[part].as_str().unwrap_or_default()
}

/// The command in a folder, with JSON.
pub fn at(folder: &Path, args: &[&str]) -> Phiseal {
    Phiseal::new([args, &["--json"]].concat()).cwd(folder)
}
