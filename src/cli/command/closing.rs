//! How the commands that write rows show what a run left behind.

use serde_json::{Value, json};

use crate::cli::figures;
use crate::engine::closing::Closing;
use crate::foreign::Foreign;

/// The object `closing` of a result; null if nothing was measured.
pub fn object(closing: Option<&Closing>) -> Value {
    let Some(closing) = closing else {
        return Value::Null;
    };
    let counted = closing.counted;
    json!({
        "table_growth_bytes": closing.table_growth,
        "index_growth_bytes": closing.index_growth,
        "wal_bytes": counted.map(|counted| counted.wal),
        "updates": counted.map(|counted| counted.updates),
        "hot_updates": counted.map(|counted| counted.hot_updates),
        "dead_rows": counted.map(|counted| counted.dead_rows),
        "reindex": closing.reindex(),
    })
}

/// A line about rows that changed while they were worked on; none if no row did.
pub fn retried(conflicts: i64) -> Option<String> {
    match conflicts {
        0 => None,
        1 => Some("1 row changed meanwhile and was retried".to_owned()),
        many => Some(format!("{many} rows changed meanwhile and were retried")),
    }
}

/// The same for people: at most four lines, and one for each index that doubled.
pub fn lines(closing: Option<&Closing>) -> Vec<String> {
    let Some(closing) = closing else {
        return Vec::new();
    };
    let mut lines = match closing.index_growth {
        Some(indexes) => vec![format!(
            "files: table {}, indexes {}",
            grown(closing.table_growth),
            grown(indexes)
        )],
        None => vec![format!("files: {}", grown(closing.table_growth))],
    };
    if let Some(counted) = closing.counted {
        lines.push(format!(
            "the server wrote {} of log meanwhile; about {} dead rows are left",
            figures::bytes(counted.wal),
            counted.dead_rows
        ));
        if let Some(percent) = (counted.hot_updates * 100).checked_div(counted.updates) {
            lines.push(format!("{percent} % of the updates needed no index entry"));
        }
    }
    let reindex = closing.reindex();
    if !reindex.is_empty() {
        lines.push("indexes that doubled; to bring them back to their size:".to_owned());
    }
    lines.extend(reindex.iter().map(|sql| format!("  {}", Foreign(sql))));
    lines
}

fn grown(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", figures::bytes(bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::closing::Counted;

    #[test]
    fn there_are_four_lines_of_eighty_columns_and_the_statements() {
        let closing = Closing {
            table_growth: 1_000_000_000_000,
            index_growth: Some(-900_000_000_000),
            counted: Some(Counted {
                wal: 1_000_000_000_000,
                updates: 3,
                hot_updates: 2,
                dead_rows: 1_000_000_000,
            }),
            doubled: vec!["public.\"a b\"".to_owned()],
        };
        let lines = lines(Some(&closing));
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
        assert_eq!(lines[2], "66 % of the updates needed no index entry");
        assert_eq!(lines[4], "  REINDEX INDEX CONCURRENTLY public.\"a b\";");
    }

    #[test]
    fn rows_that_changed_are_counted_where_there_are_any() {
        assert_eq!(retried(0), None);
        let one = retried(1).unwrap();
        assert_eq!(one, "1 row changed meanwhile and was retried");
        let many = retried(12).unwrap();
        assert_eq!(many, "12 rows changed meanwhile and were retried");
    }

    #[test]
    fn an_untouched_table_has_no_share() {
        let closing = Closing {
            index_growth: Some(0),
            counted: Some(Counted::default()),
            ..Closing::default()
        };
        assert_eq!(lines(Some(&closing)).len(), 2);
        assert_eq!(object(None), Value::Null);
    }
}
