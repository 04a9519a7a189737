//! Tests of whole plan files: what is read, how faults are reported, and random text.

mod pace;
mod refusals;

use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use self::pace::window;
use super::pace::PaceSettings;
use super::*;
use crate::error::{Coded, Exit};
use crate::pace::Pace;

/// The plan file of the documentation, with every key.
const FULL: &str = r#"[database]
url = "env:DATABASE_URL"
schema = "phiseal"
[keys]
provider = "file"
path = "env:PHISEAL_KEY_FILE"
rotate_every = "90d"
[[keys.previous]]
provider = "command"
command = ["pass", "show", "x"]
[[keys.previous]]
provider = "env"
variable = "OLD_KEY"
[run]
lanes = 8
batch_target_ms = 100
batch_bytes_max = 1048576
value_bytes_max = "512MiB"
lease_seconds = 30
pace = "windowed"
rows_per_second_max = 5000
wal_mb_per_second_max = 8
replica_lag_max = "1m30s"
window = "22:00-05:30"
time_zone = "Europe/Berlin"
[[table]]
name = "public.patients"
label = "clinic.patients"
tenant_column = "clinic_id"
triggers = "suppress"
on_untrusted_seal = "undo"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 128, unique = true, force = true }
pad_to = 16
[[table.column]]
name = "\"Note\""
in_place = "application-reads-both-forms"
"#;

/// The shortest file that parses. Each refusal test replaces one of its lines.
const SHORT: &str = r#"[database]
url = "postgres://u:hunter2@h/db"
[keys]
provider = "file"
path = "/k"
[run]
lanes = "auto"
[[table]]
name = "a.b"
[[table.column]]
name = "x"
seal_into = "x_sealed"
"#;

fn faults(text: &str) -> Vec<PlanFault> {
    Plan::parse("phiseal.toml", text).unwrap_err().faults
}

/// `SHORT` with its line `number` replaced by `lines`.
fn with_line(number: usize, lines: &str) -> String {
    let replaced = SHORT.lines().enumerate().map(
        |(index, line)| {
            if index + 1 == number { lines } else { line }
        },
    );
    replaced.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_key_is_read() {
    let plan = Plan::parse("p", FULL).unwrap();
    assert!(matches!(&plan.database.url, Setting::Env(name) if name == "DATABASE_URL"));
    assert!(matches!(
        &plan.keys.provider,
        ProviderSettings::File(Setting::Env(_))
    ));
    assert_eq!(plan.keys.rotate_every, RotationPeriod::Days(90));
    let [
        ProviderSettings::Command(words),
        ProviderSettings::Env(name),
    ] = &plan.keys.previous[..]
    else {
        panic!("{:?}", plan.keys.previous)
    };
    assert_eq!((words.len(), name.as_str()), (3, "OLD_KEY"));
    let run = RunSettings {
        lanes: Lanes::Count(8),
        batch_target: Duration::from_millis(100),
        batch_bytes_max: 1 << 20,
        value_bytes_max: 512 << 20,
        lease: Duration::from_secs(30),
        pace: PaceSettings {
            pace: Pace::Windowed,
            rows_per_second_max: Some(5000),
            wal_bytes_per_second_max: Some(8 << 20),
            replica_lag_max: Duration::from_secs(90),
            window: Some(window("22:00", "05:30", "Europe/Berlin")),
        },
    };
    assert_eq!(plan.run, run);
    let table = &plan.tables[0];
    assert_eq!(table.label.as_deref(), Some("clinic.patients"));
    assert_eq!(table.tenant_column, Ident::new("clinic_id").ok());
    assert_eq!(table.triggers, TriggerPolicy::Suppress);
    assert_eq!(table.on_untrusted_seal, Some(OnUntrustedSeal::Undo));
    let index = table.columns[0].blind_index.as_ref().unwrap();
    assert_eq!((index.bits, index.unique, index.force), (128, true, true));
    assert_eq!(index.normaliser, Normaliser::Digits);
    assert_eq!((table.columns[0].pad_to, table.columns[1].pad_to), (16, 0));
    assert_eq!(table.columns[1].name.as_str(), "Note");
    assert_eq!(table.columns[1].target, SealTo::InPlace);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let plan = Plan::parse("p", SHORT).unwrap();
    assert!(
        matches!(&plan.database.url, Setting::Literal(url) if url.expose_secret().contains('@'))
    );
    assert_eq!(plan.database.schema.as_str(), "phiseal");
    assert_eq!(plan.keys.rotate_every, RotationPeriod::Quarter);
    assert!(plan.keys.previous.is_empty());
    assert_eq!(plan.run, RunSettings::default());
    assert_eq!(plan.tables[0].triggers, TriggerPolicy::Refuse);
    let refuse = Some(OnUntrustedSeal::Refuse);
    assert_eq!(plan.tables[0].on_untrusted_seal, refuse);
    assert_eq!(plan.tables[0].label, None);
    assert_eq!(plan.tables[0].columns[0].blind_index, None);
}

#[test]
fn a_default_label_in_the_reserved_range_is_refused() {
    let text = with_line(9, "name = 'phiseal.b'").replace("[keys]", "schema = 'own'\n[keys]");
    assert!(faults(&text)[0].message.contains("are reserved"));
    let named = text.replace("name = 'phiseal.b'", "name = 'phiseal.b'\nlabel = 'b'");
    assert!(Plan::parse("p", &named).is_ok());
}

#[test]
fn more_than_ten_different_faults_are_all_reported_at_once_with_their_lines() {
    let text = r#"[database]
url = "env:DATABASE_URL"
shema = "phiseal"
[keys]
provider = "vault"
rotate_every = "fortnight"
[run]
lanes = 100
batch_bytes_max = "4MB"
lease_seconds = "15"
[[table]]
name = "public.patients"
triggers = "ignore"
[[table.column]]
name = "ssn"
seal_into = "ssn"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 64, unique = true }
[[table.column]]
name = "phone"
pad_to = -1
[[table]]
name = "public.patients"
"#;
    let found = faults(text);
    let lines: Vec<usize> = found.iter().map(|fault| fault.line).collect();
    assert_eq!(
        lines,
        [3, 5, 6, 8, 9, 10, 13, 16, 17, 18, 20, 21, 22],
        "{found:?}"
    );
}

#[test]
fn several_syntax_errors_are_reported_without_their_echoes() {
    let text = "[database]\nurl = postgres://u:hunter2@h/db\n[keys]\nprovider =\npath = '/k'\n\
                [run]\nlanes = 99\nlease_seconds == 4\n";
    let found = faults(text);
    let lines: Vec<usize> = found.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4, 7, 8], "{found:?}");

    let found = faults("[database\nurl = 'x'\n[keys]\nprovide = 'file'\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].line, found[0].column), (1, 10));
}

#[test]
fn a_key_or_table_written_twice_is_a_syntax_error_at_its_line() {
    let found = faults(&with_line(7, "lanes = 1\nlanes = 2\n[database]"));
    let lines: Vec<usize> = found.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [8, 9], "{found:?}");
}

#[test]
fn a_fault_is_printed_with_file_line_column_and_hint() {
    let error = Plan::parse("phiseal.toml", &with_line(12, "  seal_inot = 'y'")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "phiseal.toml:12:3: unknown key 'seal_inot' in [[table.column]]\n    \
         did you mean 'seal_into'?"
    );
    assert_eq!((error.code(), error.exit()), ("E0102", Exit::Usage));
}

#[test]
fn no_fault_repeats_a_url_a_path_or_a_stray_value() {
    for lines in [
        "url = postgres://u:hunter2@h/db",
        "url = \"postgres://u:hunter2@h/db",
        "url = ['postgres://u:hunter2@h/db']",
        "url = 'env:postgres://u:hunter2@h/db'",
        "postgres://u:hunter2@h/db",
        "\"postgres://u:hunter2@h/db\" = 1",
        "postgres.hunter2@h.db",
    ] {
        for number in [2, 5] {
            let error = Plan::parse("p", &with_line(number, lines)).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{lines}: {error}"
            );
        }
    }
    let plan = Plan::parse("p", SHORT).unwrap();
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn tables_are_needed_unless_only_settings_are() {
    let settings = SHORT.split("[[table]]").next().unwrap();
    assert!(
        Plan::parse_settings("p", settings)
            .unwrap()
            .tables
            .is_empty()
    );
    for text in [settings.to_owned(), format!("table = []\n{settings}")] {
        let found = faults(&text);
        assert_eq!((found.len(), found[0].line), (1, 1), "{found:?}");
        assert!(found[0].hint.contains("[[table.column]]"));
    }
    let wrong = with_line(12, "seal_inot = 'y'");
    assert!(Plan::parse_settings("p", &wrong).is_err());
}

#[test]
fn a_missing_section_and_a_single_bracket_are_said() {
    let told: Vec<String> = faults("").into_iter().map(|fault| fault.message).collect();
    let lacks = |key: &str| format!("the plan file lacks '{key}'");
    assert_eq!(told, [lacks("database"), lacks("keys"), lacks("table")]);
    let single = SHORT.replace("[[table]]", "[table]");
    assert!(faults(&single)[0].message.contains("each under [[table]]"));
}

#[test]
fn a_file_too_long_to_be_a_plan_is_refused() {
    let found = faults(&"#\n".repeat(PLAN_BYTES_MAX));
    assert!(found[0].message.contains("longer than 1 MiB"));
}

/// Words of the plan file and of TOML, so that random text reaches deep into the reader.
fn pieces() -> impl Strategy<Value = String> {
    let words = "[database]|[keys]|[run]|[[table]]|[[table.column]]|[[keys.previous]]|\n|\n|\n|=|,|\
                 {|}|[|]|\"|'|\"\"\"|#|.|name|url|lanes|blind_index|seal_into|column|provider|path|\
                 command|'file'|\"x\"|'a.b'|1|-1|1.5|true|1979-05-27|\u{e9}|\u{feff}|\r|\t|\u{0}";
    let words: Vec<&'static str> = words.split('|').collect();
    proptest::collection::vec(proptest::sample::select(words), 0..60).prop_map(|w| w.join(" "))
}

proptest! {
    #[test]
    fn any_text_gives_a_plan_or_placed_faults_and_never_a_panic(
        text in prop_oneof![pieces(), ".{0,200}", "(?s).{0,200}"],
    ) {
        match Plan::parse_settings("p", &text) {
            Ok(plan) => prop_assert!(plan.tables.iter().all(|table| !table.columns.is_empty())),
            Err(error) => {
                prop_assert!(!error.faults.is_empty());
                let lines = text.split('\n').count();
                prop_assert!(error.faults.iter().all(|f| (1..=lines).contains(&f.line)));
            }
        }
    }

    #[test]
    fn damage_anywhere_in_a_good_file_never_panics(
        at in 0..FULL.len(),
        length in 0..40_usize,
        insert in pieces(),
    ) {
        let end = (at + length).min(FULL.len());
        let text = format!("{}{insert}{}", &FULL[..at], &FULL[end..]);
        if let Err(error) = Plan::parse("p", &text) {
            prop_assert!(!error.faults.is_empty());
        }
    }
}
