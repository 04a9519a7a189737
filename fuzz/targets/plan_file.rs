//! A text as a plan file: what parses parses the same once a TOML printer wrote it anew, and a key that
//! is not known is refused.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use phiseal::plan::Plan;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    let plan = match Plan::parse("phiseal.toml", text) {
        Ok(plan) => plan,
        Err(faults) => {
            assert!(!faults.to_string().is_empty(), "refused without a reason");
            return Corpus::Keep;
        }
    };
    let value: toml::Table = toml::from_str(text).expect("a plan is TOML");
    let printed = toml::to_string(&value).expect("TOML prints");
    let again = Plan::parse("phiseal.toml", &printed).expect("what was read, printed");
    assert_eq!(format!("{plan:?}"), format!("{again:?}"));

    for unknown in ["unheard_of = 1", "[unheard_of]", "[[unheard_of]]"] {
        let longer = format!("{text}\n{unknown}\n");
        assert!(
            Plan::parse("phiseal.toml", &longer).is_err(),
            "{unknown} is taken"
        );
    }
    Corpus::Keep
});
