//! A text as the text form of an envelope: one text for each envelope, and one envelope for each text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phiseal::crypto::{Envelope, text};

fuzz_target!(|bytes: &[u8]| {
    let printed = text::encode(bytes);
    assert_eq!(text::decode(&printed).as_deref(), Ok(bytes));
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(text::named_key(&printed), Some(envelope.key_id()));
    }
    let Ok(given) = std::str::from_utf8(bytes) else {
        return;
    };
    // Never panics, whatever the text is.
    let named = text::named_key(given);
    let Ok(decoded) = text::decode(given) else {
        return;
    };
    assert_eq!(
        text::encode(&decoded),
        given,
        "two texts for the same bytes"
    );
    if let Ok(envelope) = Envelope::parse(&decoded) {
        assert_eq!(named, Some(envelope.key_id()));
    }
    for other in [
        format!("{given}="),
        format!("{given}\n"),
        format!(" {given}"),
    ] {
        assert!(text::decode(&other).is_err(), "{other:?}");
    }
});
