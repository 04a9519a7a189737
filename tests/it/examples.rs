//! The example readers of docs/examples open every worked value and find every worked index.
//! They are documentation that people paste, so they must be right and stay short.

use crate::oracle::{vectors, wrap_key};
use crate::support::examples::{Reader, readers};
use serde_json::{Value, json};

#[test]
fn both_examples_open_every_worked_value() {
    let all = vectors();
    for reader in readers() {
        for cell in all["cells"].as_array().unwrap() {
            for form in ["envelope", "text"] {
                let plain = reader.ask(&open_question(&all, cell, form)).unwrap();
                let expected = cell["plaintext"].as_str().unwrap().as_bytes();
                assert_eq!(plain, expected, "{reader:?}: {}", cell["name"]);
            }
        }
    }
}

#[test]
fn both_examples_unwrap_the_worked_key_and_refuse_a_moved_value() {
    let all = vectors();
    let mut question = open_question(&all, &all["cells"][0], "envelope");
    question["wrapped_key"] = all["wrapped_data_key"]["wrapped"].clone();
    for reader in readers() {
        assert_eq!(reader.ask(&question).unwrap(), b"123-45-6789");
        let mut moved = question.clone();
        moved["row_key"][0]["value"] = Value::from("43");
        let said = reader.ask(&moved).unwrap_err();
        let expected = match reader {
            Reader::Node => "unable to authenticate",
            Reader::Python => "InvalidTag",
        };
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn both_examples_find_every_worked_blind_index() {
    let all = vectors();
    for reader in readers() {
        for example in all["blind_indexes"].as_array().unwrap() {
            let question = json!({
                "key_line": all["wrapping_key_file"],
                "blind_index_key": {
                    "wrapped_key": wrapped(&all, "blind_index_key", 9, "blind_index", ""),
                    "key_id": 9, "purpose": "blind_index", "tenant": "",
                },
                "tenant": example["tenant"], "table": example["table"],
                "column": example["column"], "normalise": example["normaliser"],
                "bits": example["bits"], "value": example["raw"],
            });
            let index = String::from_utf8(reader.ask(&question).unwrap()).unwrap();
            let expected = example["index"].as_str().unwrap_or("");
            assert_eq!(index, expected, "{reader:?}: {}", example["raw"]);
        }
    }
}

/// The modules that the examples of adopting share seal as well.
#[test]
fn both_modules_open_seal_and_index_every_worked_value() {
    let all = vectors();
    let count = |name: &str| all[name].as_array().unwrap().len();
    for reader in readers() {
        let done = reader.module_over("tests/vectors/format1.json");
        assert_eq!(done, count("cells") + count("blind_indexes"), "{reader:?}");
    }
}

#[test]
fn both_examples_have_at_most_forty_lines() {
    for text in [
        include_str!("../../docs/examples/open.mjs"),
        include_str!("../../docs/examples/open.py"),
    ] {
        assert!(text.lines().count() <= 40);
    }
}

fn open_question(all: &Value, cell: &Value, form: &str) -> Value {
    let key_id = u32::try_from(cell["key_id"].as_u64().unwrap()).unwrap();
    let tenant = cell["tenant"].as_str().unwrap();
    json!({
        "key_line": all["wrapping_key_file"],
        "wrapped_key": wrapped(all, "data_key", key_id, "cell", tenant),
        "key_id": key_id, "purpose": "cell", "tenant": tenant,
        "table": cell["table"], "column": cell["column"], "row_key": cell["row_key"],
        "sealed": cell[form],
    })
}

// The worked examples wrap one key only, so the others are wrapped here.
fn wrapped(all: &Value, key: &str, id: u32, purpose: &str, tenant: &str) -> String {
    let bytes = |name: &str| hex::decode(all[name].as_str().unwrap()).unwrap();
    let wrapping = bytes("wrapping_key").try_into().unwrap();
    let key = bytes(key).try_into().unwrap();
    hex::encode(wrap_key(&wrapping, &key, id, purpose, tenant))
}
