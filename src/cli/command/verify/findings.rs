//! What a verification found, in words: each column with its kinds of wrong values, how many there are, and
//! what puts each kind right.

use serde_json::{Value, json};

use super::by_key;
use crate::cli::columns::{self, Column, Cut};
use crate::cli::figures::per_second;
use crate::engine::step::{Flaw, StepCounts};
use crate::engine::{Job, Total};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::Sealed;

/// The most single values that people are shown.
const SHOWN: usize = 20;

/// Wrong values of one kind in one column.
pub struct FlawFound {
    table: String,
    /// Empty for rows that cannot be read at all.
    column: String,
    flaw: Flaw,
    values: u64,
    /// Whether the plaintext is beside the sealed values.
    has_plaintext: bool,
}

/// What was found in a table, column by column.
pub fn flaws_of(job: &Job, seen: &StepCounts) -> Vec<FlawFound> {
    let found = seen.flaws.iter();
    found
        .map(|((field, flaw), values)| {
            let at = field.and_then(|at| Some((job.fields.get(at)?, job.table.fields.get(at)?)));
            FlawFound {
                table: job.table.label.clone(),
                column: at.map_or(String::new(), |(spec, _)| spec.label.clone()),
                flaw: *flaw,
                values: *values,
                has_plaintext: at.is_some_and(|(_, field)| {
                    field.plain_exists && field.sealed != Sealed::InPlace
                }),
            }
        })
        .collect()
}

/// Whether every column of a table has its plaintext beside the sealed values, to be compared with.
pub fn is_compared(job: &Job) -> bool {
    let mut fields = job.table.fields.iter();
    fields.all(|field| field.plain_exists && field.sealed != Sealed::InPlace)
}

impl FlawFound {
    pub fn object(&self) -> Value {
        json!({
            "table": self.table,
            "column": (!self.column.is_empty()).then_some(&self.column),
            "kind": self.word(),
            "values": self.values,
            "remedy": self.remedy(),
        })
    }

    /// The word for its kind, which scripts rely on.
    fn word(&self) -> &'static str {
        match self.flaw {
            Flaw::Unsealed => "unsealed",
            Flaw::NoKey => "no_key",
            Flaw::DoesNotOpen => "does_not_open",
            Flaw::OtherPlaintext => "other_plaintext",
            Flaw::OtherIndex => "other_index",
            Flaw::OtherPadding => "other_padding",
            Flaw::OtherForm => "other_form",
            Flaw::Row => "row",
        }
    }

    fn what(&self) -> &'static str {
        match self.flaw {
            Flaw::Unsealed => "not sealed yet",
            Flaw::NoKey => "the key is missing or may not open values",
            Flaw::DoesNotOpen => "does not open: changed, or of another row",
            Flaw::OtherPlaintext => "opens, but not to its plaintext",
            Flaw::OtherIndex => "opens, but its blind index is wrong",
            Flaw::OtherPadding => "opens, but is padded differently",
            Flaw::OtherForm => "opens, but not to a valid value of its type",
            Flaw::Row => "its row cannot be worked on",
        }
    }

    /// What puts it right.
    fn remedy(&self) -> &'static str {
        match (self.flaw, self.has_plaintext) {
            (Flaw::Unsealed, _) => "`phiseal backfill` seals them",
            (Flaw::NoKey, _) => {
                "`phiseal keys list` and `phiseal keys check`; a key that is missing comes back only from a backup of phiseal's \
                 own tables, and a destroyed key never"
            }
            (
                Flaw::DoesNotOpen | Flaw::OtherPlaintext | Flaw::OtherIndex | Flaw::OtherPadding,
                true,
            ) => "`phiseal backfill` compares them with their plaintext and seals it again",
            (Flaw::DoesNotOpen | Flaw::OtherPlaintext, false) => {
                "there is no plaintext beside them: restore these rows from a backup (`phiseal quarantine list`, then \
                 `phiseal quarantine show TAG --output FILE` finds each row)"
            }
            (Flaw::OtherIndex, false) => {
                "`phiseal rotate --purpose blind_index` computes the index again"
            }
            (Flaw::OtherPadding, false) => {
                "`phiseal rotate` seals them again with the padding of the plan"
            }
            (Flaw::OtherForm, _) => {
                "have the application write these values again as the server writes them (`phiseal quarantine list`)"
            }
            (Flaw::Row, _) => "`phiseal quarantine list` says what is wrong with each row",
        }
    }
}

/// All that was found, within so many columns of a terminal. `compared` says whether every sealed value has
/// its plaintext beside it, `records` whether all failures are in quarantine.
pub fn text(
    total: &Total,
    flaws: &[FlawFound],
    (compared, records): (bool, bool),
    width: Option<usize>,
) -> String {
    let done = &total.done;
    let rows = i64::try_from(done.seen.rows_opened).unwrap_or(i64::MAX);
    let verdict = match (flaws.is_empty() && done.failures.is_empty(), compared) {
        (true, true) => "all open and equal their plaintext".to_owned(),
        (true, false) => "all open".to_owned(),
        (false, _) => wrong(done.seen.failed(), done.seen.unsealed()),
    };
    let mut lines = vec![format!(
        "verified {} in {} at {:.0} rows/s; {verdict}",
        counted(done.seen.values_opened(), "value"),
        counted(done.seen.rows_opened, "row"),
        per_second(rows, total.seconds),
    )];
    let keys = by_key(done);
    lines.extend(
        keys.iter()
            .map(|(key, values)| format!("  key {key}: {}", counted(*values, "value"))),
    );
    if !flaws.is_empty() {
        lines.push(String::new());
        lines.push(table(flaws, width));
        lines.push("what to do:".to_owned());
        let mut remedies: Vec<(&str, &str)> =
            flaws.iter().map(|one| (one.what(), one.remedy())).collect();
        remedies.sort_unstable();
        remedies.dedup();
        lines.extend(
            remedies
                .iter()
                .map(|(what, remedy)| format!("  {what}: {remedy}")),
        );
    }
    lines.extend(done.failures.iter().take(SHOWN).map(|failure| {
        format!(
            "  {}.{} row {}: {}",
            Foreign(&failure.table),
            Foreign(&failure.column),
            failure.row_tag,
            Foreign(&failure.reason)
        )
    }));
    if done.failures.len() > SHOWN {
        let more = match records {
            true => "  and more: `phiseal quarantine list`",
            false => "  and more: `phiseal verify --report FILE` writes them",
        };
        lines.push(more.to_owned());
    }
    lines.join("\n")
}

/// `3 failed, 5 are not sealed`, without what is zero.
fn wrong(failed: u64, unsealed: u64) -> String {
    let failed = (failed > 0).then(|| format!("{failed} failed"));
    let unsealed = (unsealed > 0).then(|| match unsealed {
        1 => "1 is not sealed".to_owned(),
        many => format!("{many} are not sealed"),
    });
    let parts: Vec<String> = failed.into_iter().chain(unsealed).collect();
    parts.join(", ")
}

fn table(flaws: &[FlawFound], width: Option<usize>) -> String {
    const COLUMNS: [Column; 4] = [
        Column::always("VALUES", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::always("COLUMN", Cut::Middle),
        Column::always("WHAT IS WRONG", Cut::End),
    ];
    let row = |one: &FlawFound| {
        vec![
            one.values.to_string(),
            one.table.clone(),
            one.column.clone(),
            one.what().to_owned(),
        ]
    };
    columns::table(&COLUMNS, &flaws.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyId;
    use crate::engine::Failure;

    fn found(column: &str, flaw: Flaw, values: u64, has_plaintext: bool) -> FlawFound {
        FlawFound {
            table: "public.patients".to_owned(),
            column: column.to_owned(),
            flaw,
            values,
            has_plaintext,
        }
    }

    fn total(flaws: &[(Flaw, u64)]) -> Total {
        let mut total = Total {
            seconds: 2.0,
            ..Total::default()
        };
        let seen = &mut total.done.seen;
        seen.rows_opened = 100_000;
        seen.opened.insert(KeyId::new(7).unwrap(), 200_000);
        for (flaw, values) in flaws {
            seen.flaws.insert((Some(0), *flaw), *values);
        }
        total
    }

    #[test]
    fn where_all_is_well_one_plain_line_says_so() {
        assert_eq!(
            text(&total(&[]), &[], (true, true), Some(80)),
            "verified 200000 values in 100000 rows at 50000 rows/s; all open and equal their plaintext\n  \
             key 7: 200000 values"
        );
        let finalized = text(&total(&[]), &[], (false, true), Some(80));
        assert!(finalized.contains("rows/s; all open\n"), "{finalized}");
    }

    #[test]
    fn each_column_is_named_with_what_is_wrong_how_often_and_what_to_do() {
        let mut total = total(&[(Flaw::Unsealed, 5), (Flaw::DoesNotOpen, 3)]);
        total.done.failures = vec![Failure {
            table: "public.patients".to_owned(),
            column: "email".to_owned(),
            row_tag: "9f2c41d07a33b8e1".to_owned(),
            reason: "the value does not open".to_owned(),
        }];
        let flaws = [
            found("ssn", Flaw::Unsealed, 5, true),
            found("email", Flaw::DoesNotOpen, 2, true),
            found("notes", Flaw::DoesNotOpen, 1, false),
        ];
        let text = text(&total, &flaws, (true, true), Some(80));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("; 3 failed, 5 are not sealed"), "{text}");
        assert_eq!(lines[3], "VALUES  TABLE            COLUMN  WHAT IS WRONG");
        assert_eq!(lines[4], "5       public.patients  ssn     not sealed yet");
        assert_eq!(
            lines[5],
            "2       public.patients  email   does not open: changed, or of another row"
        );
        assert!(
            text.contains("  not sealed yet: `phiseal backfill` seals them"),
            "{text}"
        );
        assert!(text.contains("seals it again\n"), "{text}");
        assert!(text.contains("restore these rows from a backup"), "{text}");
        assert!(
            text.contains("public.patients.email row 9f2c41d07a33b8e1"),
            "{text}"
        );
    }

    #[test]
    fn nothing_that_is_zero_is_counted() {
        assert_eq!(wrong(0, 1), "1 is not sealed");
        assert_eq!(wrong(2, 0), "2 failed");
        assert_eq!(wrong(2, 3), "2 failed, 3 are not sealed");
    }

    #[test]
    fn every_kind_has_a_word_of_its_own_and_a_remedy() {
        let kinds = [
            Flaw::Unsealed,
            Flaw::NoKey,
            Flaw::DoesNotOpen,
            Flaw::OtherPlaintext,
            Flaw::OtherIndex,
            Flaw::OtherPadding,
            Flaw::OtherForm,
            Flaw::Row,
        ];
        let mut words = Vec::new();
        for flaw in kinds {
            for has_plaintext in [true, false] {
                let one = found("ssn", flaw, 1, has_plaintext);
                let has_command = one.remedy().contains("`phiseal ") && !one.what().is_empty();
                assert!(has_command, "{flaw:?}");
                words.push(one.word());
            }
        }
        words.dedup();
        assert_eq!(words.len(), kinds.len());
    }
}
