//! One refusal a line: the text, the line of the fault, the message.

use super::*;

/// Each case: which line of `SHORT` is replaced, by what, the line of the only fault, and what its
/// message or hint must say.
pub(super) fn refuses(cases: &[(usize, &str, usize, &str)]) {
    for (number, lines, line, says) in cases {
        let found = faults(&with_line(*number, lines));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        let told = format!("{} ({})", found[0].message, found[0].hint);
        assert!(told.contains(says), "{lines}: {told}");
        assert_eq!(found[0].line, *line, "{lines}: {told}");
    }
}

#[test]
fn each_wrong_database_or_key_setting_is_refused_at_its_line() {
    refuses(&[
        (
            1,
            "[database]
x = 1",
            2,
            "unknown key 'x' in [database]",
        ),
        (2, "", 1, "[database] lacks 'url'"),
        (2, "url = 5", 2, "'url' must be a string, not an integer"),
        (2, "url = ''", 2, "'url' must not be empty"),
        (2, "url = 'env:A B'", 2, "names no environment variable"),
        (2, "url = 'x'\nschemas = 'y'", 3, "did you mean 'schema'?"),
        (2, "url = 'x'\nschema = 'a b'", 3, "double quotes"),
        (4, "", 3, "[keys] lacks 'provider'"),
        (4, "provider = 'fiel'", 4, "did you mean 'file'?"),
        (4, "provider = 'kms'", 4, "one of: file, env, command"),
        (5, "", 3, "[keys] lacks 'path'"),
        (
            5,
            "path = '/k'\nvariable = 'V'",
            6,
            "'variable' does not go with provider 'file'",
        ),
        (
            5,
            "path = '/k'\nrotate_every = 'week'",
            6,
            "'rotate_every' cannot be 'week'",
        ),
        (
            5,
            "path = '/k'\n[[keys.previous]]\nprovider = 'env'",
            6,
            "lacks 'variable'",
        ),
        (
            5,
            "path = '/k'\n[keys.previous]\nprovider = 'env'",
            6,
            "each under [[keys.previous]]",
        ),
        (
            5,
            "path = '/k'\nprevious = [1]",
            6,
            "each under [[keys.previous]]",
        ),
    ]);
}

#[test]
fn each_wrong_run_setting_is_refused_at_its_line() {
    refuses(&[
        (7, "lanes = 0", 7, "'lanes' must be from 1 to 64"),
        (7, "lanes = 65", 7, "'lanes' must be from 1 to 64"),
        (
            7,
            "lanes = 'many'",
            7,
            "'lanes' must be \"auto\" or a number",
        ),
        (
            7,
            "lanes = 99999999999999999999999999",
            7,
            "'lanes' must be from 1 to 64",
        ),
        (
            7,
            "batch_target_ms = 9",
            7,
            "'batch_target_ms' must be from 10 to 10000",
        ),
        (
            7,
            "batch_target_ms = 1.5",
            7,
            "must be an integer, not a float",
        ),
        (
            7,
            "batch_target_ms = 5000",
            6,
            "a lease must last at least four times",
        ),
        (
            7,
            "lease_seconds = 1",
            7,
            "'lease_seconds' must be from 2 to 3600",
        ),
        (
            7,
            "lease_seconds = -1",
            7,
            "'lease_seconds' must be from 2 to 3600",
        ),
    ]);
}

#[test]
fn each_wrong_size_is_refused_at_its_line() {
    refuses(&[
        (
            7,
            "batch_bytes_max = '4MB'",
            7,
            "'batch_bytes_max' is no size: '4MB'",
        ),
        (
            7,
            "batch_bytes_max = '1GiB'",
            7,
            "must be from 64KiB to 256MiB",
        ),
        (
            7,
            "batch_bytes_max = true",
            7,
            "must be a size such as \"4MiB\", not a boolean",
        ),
        (
            7,
            "value_bytes_max = '513MiB'",
            7,
            "must be from 1KiB to 512MiB",
        ),
        (
            7,
            "value_bytes_max = 536870913",
            7,
            "must be from 1024 to 536870912",
        ),
    ]);
}

#[test]
fn each_wrong_provider_is_refused_at_its_line() {
    for (provider, says) in [
        ("provider = 'env'", "lacks 'variable'"),
        (
            "provider = 'env'\nvariable = 'A-B'",
            "no name of an environment variable",
        ),
        ("provider = 'command'", "lacks 'command'"),
        (
            "provider = 'command'\ncommand = []",
            "'command' must not be empty",
        ),
        (
            "provider = 'command'\ncommand = ['']",
            "'command' must not be empty",
        ),
        (
            "provider = 'command'\ncommand = 'pass show'",
            "must be a list of strings",
        ),
        (
            "provider = 'command'\ncommand = ['a', 1]",
            "must be a list of strings",
        ),
    ] {
        let text = SHORT.replace("provider = \"file\"\npath = \"/k\"", provider);
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{provider}: {found:?}");
        assert!(found[0].message.contains(says), "{provider}: {found:?}");
    }
}

#[test]
fn each_wrong_table_is_refused_at_its_line() {
    refuses(&[
        (9, "", 8, "[[table]] lacks 'name'"),
        (9, "name = 'a.b.c'", 9, "too many parts"),
        (9, "name = 'phiseal.runs'", 9, "a table of phiseal's own"),
        (
            9,
            "name = 'a.b'\nlabel = ''",
            10,
            "'label' must not be empty",
        ),
        (9, "name = 'a.b'\nlabel = 'phiseal.x'", 10, "are reserved"),
        (9, "name = 'a.b'\nlabel = \"a\\nb\"", 10, "printable text"),
        (9, "name = 'a.b'\nlable = 'x'", 10, "did you mean 'label'?"),
        (
            9,
            "name = 'a.b'\ntriggers = 'drop'",
            10,
            "one of: refuse, fire, suppress",
        ),
        (
            9,
            "name = 'a.b'\non_untrusted_seal = 'ignore'",
            10,
            "one of: refuse, undo",
        ),
        (
            9,
            "name = 'a.b'\ntenant_column = 'x y'",
            10,
            "double quotes",
        ),
        (
            9,
            "name = 'a.b'\ntenant_column = 'x'",
            12,
            "already the tenant column",
        ),
        (
            9,
            "name = 'a.b'\n[[table]]\nname = 'c'",
            8,
            "[[table]] lacks 'column'",
        ),
        (
            9,
            "name = 'a.b'\ncolumn = []\n[[table]]\nname = 'c'",
            10,
            "[[table]] has no 'column'",
        ),
        (
            12,
            "seal_into = 'y'\n[[table]]\nname = 'A.B'\ncolumn = [{name='x', seal_into='y'}]",
            14,
            "table 'a.b' is listed twice",
        ),
        (
            12,
            "seal_into = 'y'\n[[table]]\nname = 'c'\nlabel = 'a.b'\ncolumn = [{name='x', seal_into='y'}]",
            15,
            "label 'a.b' is used twice",
        ),
    ]);
}

#[test]
fn each_wrong_column_is_refused_at_its_line() {
    refuses(&[
        (11, "", 10, "[[table.column]] lacks 'name'"),
        (11, "name = '1x'", 11, "double quotes"),
        (12, "", 10, "neither 'seal_into' nor 'in_place'"),
        (12, "seal_inot = 'y'", 12, "did you mean 'seal_into'?"),
        (
            12,
            "seal_into = 'x'",
            12,
            "cannot be a sealed column: it is already a column to seal",
        ),
        (
            12,
            "seal_into = 'y'\n[[table.column]]\nname = 'x'\nseal_into = 'z'",
            14,
            "already a column",
        ),
        (
            12,
            "seal_into = 'y'\n[[table.column]]\nname = 'y'\nseal_into = 'z'",
            12,
            "already a column",
        ),
        (
            12,
            "seal_into = 'y'\n[[table.column]]\nname = 'z'\nseal_into = 'Y'",
            15,
            "already a sealed",
        ),
        (
            12,
            "in_place = 'yes'",
            12,
            "must be exactly \"application-reads-both-forms\"",
        ),
        (
            12,
            "in_place = true",
            12,
            "'in_place' must be a string, not a boolean",
        ),
        (
            12,
            "seal_into = 'y'\nin_place = 'application-reads-both-forms'",
            13,
            "exclude each other",
        ),
        (
            12,
            "seal_into = 'y'\npad_to = 65537",
            13,
            "'pad_to' must be from 0 to 65536",
        ),
        (
            12,
            "seal_into = 'y'\nblind_index = 'b'",
            13,
            "must be a table, blind_index, and only once",
        ),
    ]);
}

#[test]
fn each_wrong_blind_index_is_refused_at_its_line() {
    for (index, says) in [
        ("normalise = 'exact'", "blind_index lacks 'column'"),
        ("column = 'i'", "blind_index lacks 'normalise'"),
        (
            "column = 'i', normalize = 'exact'",
            "did you mean 'normalise'?",
        ),
        (
            "column = 'i', normalise = 'digit'",
            "did you mean 'digits'?",
        ),
        (
            "column = 'x', normalise = 'exact'",
            "cannot be a blind index: it is already a column",
        ),
        (
            "column = 'y', normalise = 'exact'",
            "it is already a sealed column",
        ),
        (
            "column = 'i', normalise = 'exact', bits = 7",
            "'bits' must be from 8 to 256",
        ),
        (
            "column = 'i', normalise = 'exact', bits = 257",
            "'bits' must be from 8 to 256",
        ),
        (
            "column = 'i', normalise = 'exact', bits = 127, unique = true",
            "at least 128 bits",
        ),
        (
            "column = 'i', normalise = 'exact', unique = 1",
            "must be true or false, not an integer",
        ),
        (
            "column = 'i', normalise = 'exact', force = 'x'",
            "must be true or false, not a string",
        ),
    ] {
        let column = format!("seal_into = 'y'\nblind_index = {{ {index} }}");
        refuses(&[(12, &column, 13, says)]);
    }
    let short = "seal_into = 'y'\nblind_index = { column = 'i', normalise = 'exact', bits = 8 }";
    assert!(Plan::parse("p", &with_line(12, short)).is_ok());
}
