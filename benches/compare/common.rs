//! What the programs that write a record and a page share: numbers from the environment, the folder
//! of the records, saved records, and the markers of docs/BENCHMARKS.md. Nothing here measures.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a whole run begins: what is smaller goes into no page.
pub const ROWS_WORTH_A_PAGE: u64 = 1_000_000;

/// A variable of the environment that is not empty.
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    setting(name).map_or(default, |text| {
        text.replace('_', "")
            .parse()
            .unwrap_or_else(|_| panic!("{name}: {text} is not a number"))
    })
}

/// Whether something is to run, by a variable that holds names with commas between.
pub fn named_in(variable: &str, name: &str) -> bool {
    setting(variable).is_none_or(|only| only.split(',').any(|one| one == name))
}

/// The folder that every record goes to.
pub fn target() -> PathBuf {
    // The program lies in target/release.
    let dir = Path::new(env!("CARGO_BIN_EXE_phiseal"))
        .ancestors()
        .nth(2)
        .unwrap()
        .join("bench");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Writes what was measured, readable and in a fixed order.
pub fn save<T: serde::Serialize>(path: &Path, what: &T) {
    let mut text = serde_json::to_string_pretty(what).unwrap();
    text.push('\n');
    fs::write(path, text).unwrap();
}

/// What was measured last: in the target folder, or what is committed.
pub fn newest<T: serde::de::DeserializeOwned>(target: &Path, docs: &Path, name: &str) -> Option<T> {
    let text = fs::read_to_string(target.join(name))
        .or_else(|_| fs::read_to_string(docs.join(name)))
        .ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// The text with what stands between two markers replaced.
pub fn between(text: &str, name: &str, new: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}{new}{end}{after}")
}

/// Names with what belongs to them, in a sentence.
pub fn listed(map: &BTreeMap<String, String>) -> String {
    let items: Vec<String> = map.iter().map(|(k, v)| format!("{k} {v}")).collect();
    items.join(", ")
}
