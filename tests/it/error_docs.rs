//! docs/ERRORS.md against the source: every code has one entry with its exit status, every entry a
//! code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use phiseal::engine::EngineError;
use phiseal::engine::finalize::FinalizeError;
use phiseal::engine::registered::JobsError;
use phiseal::error::Exit;
use phiseal::keys::{KeyError, LoadError};
use phiseal::schema::MigrateError;
use phiseal::sealer::ValueError;
use phiseal::store::StoreError;

type Codes = &'static [&'static [(&'static str, Exit)]];

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

/// The entries of the page: code, and what its column `exit` says.
fn documented() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(root().join("docs/ERRORS.md")).unwrap();
    page.lines()
        .filter(|line| line.starts_with("| E0"))
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        })
        .collect()
}

/// The error enums, each with its own codes and their exit status.
fn enums() -> [(&'static str, Codes); 8] {
    [
        ("KeyError", KeyError::CODES),
        ("LoadError", LoadError::CODES),
        ("StoreError", StoreError::CODES),
        ("ValueError", ValueError::CODES),
        ("EngineError", EngineError::CODES),
        ("FinalizeError", FinalizeError::CODES),
        ("JobsError", JobsError::CODES),
        ("MigrateError", MigrateError::CODES),
    ]
}

#[test]
fn every_code_of_the_source_has_one_entry_and_every_entry_a_code() {
    let used: BTreeSet<String> = sources().iter().flat_map(|(_, text)| codes(text)).collect();
    let entries = documented();
    let once: BTreeSet<String> = entries.iter().map(|(code, _)| code.clone()).collect();
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
fn the_page_has_the_exit_status_of_each_error() {
    let pages: BTreeMap<String, String> = documented().into_iter().collect();
    for (name, own) in enums() {
        for (code, exit) in own.iter().copied().flatten() {
            let said = &pages[*code];
            let number = exit.number().to_string();
            assert!(
                said.split(' ').any(|word| word == number),
                "{name}: {code} ends with {number}, the page says {said:?}"
            );
        }
    }
}

#[test]
fn no_code_has_two_meanings_among_the_errors_with_codes_of_their_own() {
    /// One meaning, told in two ways: it does not converge, and why not.
    const TWICE: &str = "E0606";

    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, own) in enums() {
        for (code, _) in own.iter().copied().flatten() {
            owners
                .entry((*code).to_owned())
                .or_default()
                .push(name.to_owned());
        }
    }
    assert!(owners.len() > 60, "the enums have no codes");
    for (path, text) in sources() {
        for body in text.split("fn code(&self) -> &'static str").skip(1) {
            let end = body.find("\n    }\n").unwrap_or(body.len());
            for code in codes(&body[..end]) {
                let owner = path.display().to_string();
                owners.entry(code).or_default().push(owner);
            }
        }
    }
    let twice: Vec<_> = owners
        .iter()
        .filter(|(code, owners)| owners.len() > 1 && *code != TWICE)
        .collect();
    assert!(twice.is_empty(), "used by two errors: {twice:?}");
}
