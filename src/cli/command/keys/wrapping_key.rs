//! `phiseal keys new-wrapping-key PATH`: needs neither plan nor database.

use std::path::Path;

use serde_json::json;

use crate::cli::lines::Lines;
use crate::cli::output::Output;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::keys::write_new_wrapping_key;

pub fn run(path: &Path, output: Output) -> Result<Exit, Fault> {
    let reference = write_new_wrapping_key(path)?;
    output.result(&json!({ "path": path, "reference": reference }), &reference);
    let mut lines = Lines::default();
    lines.head(&format!(
        "Written to {}. Back it up now, apart from the backups of the database: without this file no value sealed \
         under it can ever be opened again.",
        Foreign(&path.to_string_lossy())
    ));
    let lines: Vec<&str> = lines.0.iter().map(String::as_str).collect();
    output.say_lines(&lines);
    Ok(Exit::Done)
}
