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
        "written to {}: whoever loses this file loses every value sealed under it, for good; \
         back it up now, and again together with the table encryption_keys, but not beside it",
        path.display()
    ));
    Ok(Exit::Done)
}
