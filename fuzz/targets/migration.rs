//! A text as a migration's file: its statements stand in it, in order, and cut again they are the same.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use phiseal::schema::cut;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    let Ok(statements) = cut(text) else {
        return Corpus::Keep;
    };
    let mut rest = text;
    for statement in &statements {
        assert!(!statement.trim().is_empty(), "an empty statement");
        let at = rest
            .find(statement.as_str())
            .expect("a statement that is not in the file");
        rest = &rest[at + statement.len()..];
    }
    Corpus::Keep
});
