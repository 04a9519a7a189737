//! `phiseal keys new-wrapping-key PATH`: needs neither plan nor database.

use std::path::Path;

use serde_json::json;

use crate::cli::output::Output;
use crate::error::{Exit, Fault};
use crate::keys::write_new_wrapping_key;

pub fn run(path: &Path, output: Output) -> Result<Exit, Fault> {
    let reference = write_new_wrapping_key(path)?;
    output.result(&json!({ "path": path, "reference": reference }), &reference);
    output.say(&format!(
        "Written to {}. Back it up now, apart from the backups of the database: without this file no value sealed \
         under it can ever be opened again.",
        path.display()
    ));
    Ok(Exit::Done)
}
