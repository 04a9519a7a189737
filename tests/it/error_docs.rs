//! docs/ERRORS.md against the source: every code has one entry, every entry a code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files, without those of unit tests, each cut off where its tests begin.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join("src")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if name == "tests" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
                found.push((path, text[..end].to_owned()));
            }
        }
    }
    found
}

/// Every `"E0123"` of a text, quotes included.
fn codes(text: &str) -> Vec<String> {
    text.match_indices("\"E0")
        .filter_map(|(at, _)| text.get(at..at + 7))
        .filter(|word| word.ends_with('"'))
        .map(|word| word[1..6].to_owned())
        .filter(|code| code[1..].bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

fn documented() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/ERRORS.md")).unwrap();
    page.lines()
        .filter_map(|line| line.strip_prefix("| E0"))
        .filter_map(|rest| rest.get(..3).map(|digits| format!("E0{digits}")))
        .collect()
}

#[test]
fn every_code_of_the_source_has_one_entry_and_every_entry_a_code() {
    let used: BTreeSet<String> = sources().iter().flat_map(|(_, text)| codes(text)).collect();
    let entries = documented();
    let once: BTreeSet<String> = entries.iter().cloned().collect();
    assert!(used.len() > 100, "the source was not understood");
    assert_eq!(entries.len(), once.len(), "a code has two entries");
    let missing: Vec<_> = used.difference(&once).collect();
    assert!(missing.is_empty(), "not in docs/ERRORS.md: {missing:?}");
    let dead: Vec<_> = once.difference(&used).collect();
    assert!(
        dead.is_empty(),
        "in docs/ERRORS.md, but nowhere used: {dead:?}"
    );
}

#[test]
fn no_code_has_two_meanings_among_the_errors_with_codes_of_their_own() {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        for body in text.split("fn code(&self) -> &'static str").skip(1) {
            let end = body.find("\n    }\n").unwrap_or(body.len());
            for code in codes(&body[..end]) {
                let owner = path.display().to_string();
                owners.entry(code).or_default().push(owner);
            }
        }
    }
    assert!(owners.len() > 60, "the source was not understood");
    let twice: Vec<_> = owners.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "used by two errors: {twice:?}");
}
