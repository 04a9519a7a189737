//! Bytes as the line of a wrapping key's file: what parses prints as it was, and names itself alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phiseal::crypto::WrappingKey;

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = WrappingKey::parse_line(bytes) else {
        return;
    };
    let printed = key.to_line();
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    assert_eq!(printed.trim_end_matches('\n').as_bytes(), line);
    let again = WrappingKey::parse_line(printed.as_bytes()).expect("a line that was printed");
    assert_eq!(again.reference(), key.reference());
    // What is not a line of this format is refused: another version, something behind it.
    for other in [
        [b"phiseal-wk-2.", &line[13..]].concat(),
        [line, b"\n\n"].concat(),
        [line, b" "].concat(),
        [line, b"\r\n"].concat(),
        line[..line.len() - 1].to_vec(),
    ] {
        assert!(WrappingKey::parse_line(&other).is_err());
    }
});
