//! Writes the plan file that `phiseal init` proposes, with reasons as comments.
//! Owns its wording and the names of new columns, which never collide with others. Does not decide
//! what is PHI: the caller provides the facts.
//! Always holds: the written plan parses, whatever the identifiers are.

use std::collections::HashSet;
use std::fmt::Write;

use crate::crypto::Normaliser;
use crate::foreign::{Foreign, acts_on_a_terminal};
use crate::ident::{Ident, TableName};

/// What was found in a database.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// The tables with columns worth sealing, each once. No table of phiseal's own schema.
    pub tables: Vec<ProposedTable>,
    /// What the reader should know of the whole database.
    pub warnings: Vec<String>,
}

/// One table of a [`Proposal`].
#[derive(Debug, Clone)]
pub struct ProposedTable {
    /// Its name in the catalog.
    pub name: TableName,
    /// A column that looks like the tenant. It is only written as a comment.
    pub tenant_column: Option<Ident>,
    /// All columns of the table, so that new columns get other names.
    pub existing: Vec<Ident>,
    /// The columns worth sealing, each once, without the tenant column. A table without any is left
    /// out.
    pub columns: Vec<ProposedColumn>,
    /// What the reader should know of the table.
    pub warnings: Vec<String>,
}

/// One column of a [`ProposedTable`].
#[derive(Debug, Clone)]
pub struct ProposedColumn {
    /// Its name in the catalog.
    pub name: Ident,
    /// Its type as the database writes it.
    pub source_type: String,
    /// The blind index for a column that has an index. It is only written as a comment.
    pub blind_index: Option<ProposedIndex>,
    /// Why it is proposed; empty if the user named it.
    pub reasons: Vec<String>,
    /// Whether it is to be sealed. Otherwise it is only written as a comment, for a person to decide.
    pub active: bool,
    /// What the reader should know of the column.
    pub warnings: Vec<String>,
}

/// A blind index in place of an existing index.
#[derive(Debug, Clone, Copy)]
pub struct ProposedIndex {
    /// How a value is normalised before it is indexed.
    pub normaliser: Normaliser,
    /// Whether the existing index is unique.
    pub unique: bool,
}

/// Writes the plan file.
///
/// Tenant columns and blind indexes are comments to be uncommented: both cannot change once a value
/// is sealed, and an index shows which values are equal. So are columns that are not active; a table
/// without active ones is a comment as a whole.
pub fn render(proposal: &Proposal) -> String {
    let mut out = String::from(HEAD);
    for warning in &proposal.warnings {
        comment(&mut out, &format!("Note: {warning}"));
    }
    let tables = proposal.tables.iter();
    let mut tables = tables.filter(|table| !table.columns.is_empty()).peekable();
    if tables.peek().is_none() {
        out.push('\n');
        comment(&mut out, "No column looks like PHI. Add by hand:");
        out.push_str(EXAMPLE);
    }
    for table in tables {
        render_table(&mut out, table);
    }
    out
}

const HEAD: &str = r#"# A plan for phiseal, proposed by `phiseal init`. Nothing has been changed yet.
# Read it and correct it; then `phiseal plan` shows what it would do.

[database]
url = "env:DATABASE_URL"
schema = "phiseal"                # where phiseal's own tables live

[keys]
provider = "file"                 # or "env" with variable, "command" with command
path = "env:PHISEAL_KEY_FILE"     # made by `phiseal keys new-wrapping-key PATH`
rotate_every = "quarter"          # calendar quarter: due 1 Jan, 1 Apr, 1 Jul, 1 Oct at 00:00 UTC;
                                  # or month, year (also of the calendar), or days such as "90d"

[run]                             # may change between an interruption and its resumption
lanes = "auto"                    # or 1 to 64
pace = "polite"                   # leaves room for the application; or "fast", or "windowed" with a window
batch_target_ms = 250
batch_bytes_max = "4MiB"
value_bytes_max = "16MiB"         # larger values one at a time
lease_seconds = 15
"#;

const EXAMPLE: &str = r#"# [[table]]
# name = "public.patients"
# [[table.column]]
# name = "ssn"
# seal_into = "ssn_sealed"
"#;

fn render_table(out: &mut String, table: &ProposedTable) {
    // In lower case: to SQLite, `A` and `a` are the same column.
    let mut taken: HashSet<String> = table.existing.iter().map(folded).collect();
    taken.extend(table.columns.iter().map(|column| folded(&column.name)));
    taken.extend(table.tenant_column.iter().map(folded));

    let mut head = String::from("[[table]]\n");
    line(&mut head, "name", &quoted(&table.name.label()));
    for warning in &table.warnings {
        comment(&mut head, &format!("Note: {warning}"));
    }
    if let Some(tenant) = &table.tenant_column {
        comment(
            &mut head,
            "Looks like the tenant. To bind every value to it:",
        );
        head.push_str("# ");
        line(&mut head, "tenant_column", &quoted(&tenant.label()));
    }
    line(&mut head, "triggers", "\"refuse\"");
    let (active, others): (Vec<_>, Vec<_>) = table.columns.iter().partition(|one| one.active);
    out.push('\n');
    push(out, &head, !active.is_empty());
    for column in active.into_iter().chain(others) {
        let mut text = String::new();
        render_column(&mut text, column, &mut taken);
        out.push('\n');
        push(out, &text, column.active);
    }
}

/// Adds lines of the file, as comments unless they are active.
fn push(out: &mut String, text: &str, active: bool) {
    for line in text.lines() {
        if !active && !line.starts_with('#') {
            out.push_str("# ");
        }
        out.push_str(line);
        out.push('\n');
    }
}

fn render_column(out: &mut String, column: &ProposedColumn, taken: &mut HashSet<String>) {
    let Some(sealed) = free_name(&column.name, "_sealed", taken) else {
        return;
    };
    comment(out, &column.source_type);
    for reason in &column.reasons {
        comment(out, reason);
    }
    for warning in &column.warnings {
        comment(out, &format!("Note: {warning}"));
    }
    out.push_str("[[table.column]]\n");
    line(out, "name", &quoted(&column.name.label()));
    line(out, "seal_into", &quoted(&sealed.label()));
    let Some(index) = column.blind_index else {
        return;
    };
    let Some(indexed) = free_name(&column.name, "_bidx", taken) else {
        return;
    };
    comment(
        out,
        if index.unique {
            "Has a unique index. To find and keep apart sealed values (it shows which are equal):"
        } else {
            "Has an index. To find sealed values (it shows which are equal, and how often):"
        },
    );
    let inline = format!(
        "{{ column = {}, normalise = \"{}\", bits = 256, unique = {} }}",
        quoted(&indexed.label()),
        index.normaliser.as_str(),
        index.unique
    );
    out.push_str("# ");
    line(out, "blind_index", &inline);
}

/// A name made of `base` and `suffix` that is not in `taken`; adds it there.
fn free_name(base: &Ident, suffix: &str, taken: &mut HashSet<String>) -> Option<Ident> {
    let numbered = (2_u32..).map(|n| format!("{suffix}{n}"));
    std::iter::once(suffix.to_owned())
        .chain(numbered)
        .filter_map(|suffix| base.with_suffix(&suffix).ok())
        .find(|name| taken.insert(folded(name)))
}

fn folded(name: &Ident) -> String {
    name.as_str().to_ascii_lowercase()
}

fn line(out: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{key} = {value}");
}

/// Writes `text` as one comment line. Control characters are escaped, since TOML allows none.
fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {}", Foreign(text));
}

/// `text` as a TOML string on one line: a literal string if that avoids escapes.
fn quoted(text: &str) -> String {
    let literal =
        text.contains(['"', '\\']) && !text.contains(['\'', '\n']) && !acts_on_a_terminal(text);
    if literal {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c == '\n' || c == '\t' || acts_on_a_terminal(c.encode_utf8(&mut [0; 4])) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, RunSettings, SealTo};
    use proptest::prelude::*;

    fn ident(name: &str) -> Ident {
        Ident::new(name).unwrap()
    }

    fn column(name: &str, unique: Option<bool>) -> ProposedColumn {
        ProposedColumn {
            name: ident(name),
            source_type: "character varying(11)".to_owned(),
            blind_index: unique.map(|unique| ProposedIndex {
                normaliser: Normaliser::Digits,
                unique,
            }),
            reasons: Vec::new(),
            active: true,
            warnings: vec!["a view\nreads it\u{7f}".to_owned()],
        }
    }

    fn inactive(name: &str) -> ProposedColumn {
        ProposedColumn {
            reasons: vec!["low: perhaps\na name".to_owned()],
            active: false,
            ..column(name, Some(false))
        }
    }

    fn table(schema: &str, name: &str, columns: Vec<ProposedColumn>) -> ProposedTable {
        ProposedTable {
            name: TableName {
                schema: Some(ident(schema)),
                name: ident(name),
            },
            tenant_column: Some(ident("Clinic Id")),
            existing: columns.iter().map(|column| column.name.clone()).collect(),
            columns,
            warnings: vec!["it has an UPDATE trigger".to_owned()],
        }
    }

    fn uncommented(text: &str) -> String {
        text.replace("# tenant_column =", "tenant_column =")
            .replace("# blind_index =", "blind_index =")
    }

    #[test]
    fn a_proposal_parses_with_and_without_its_suggestions() {
        let columns = vec![column("ssn", Some(true)), column("phone", Some(false))];
        let proposal = Proposal {
            tables: vec![table("public", "patients", columns)],
            warnings: vec!["the server is of version 13".to_owned()],
        };
        let text = render(&proposal);
        let plan = Plan::parse("p", &text).unwrap();
        assert_eq!(plan.run, RunSettings::default());
        assert_eq!(plan.tables[0].tenant_column, None);
        assert_eq!(plan.tables[0].columns[0].blind_index, None);

        let plan = Plan::parse("p", &uncommented(&text)).unwrap();
        let table = &plan.tables[0];
        assert_eq!(table.tenant_column, Some(ident("Clinic Id")));
        assert_eq!(table.columns[0].target, SealTo::Beside(ident("ssn_sealed")));
        let index = table.columns[0].blind_index.as_ref().unwrap();
        assert_eq!((index.column.as_str(), index.unique), ("ssn_bidx", true));
    }

    #[test]
    fn new_columns_avoid_existing_names_and_the_length_limit() {
        let long = "\u{e9}".repeat(31);
        let mut table = table(
            "public",
            "t",
            vec![column("ssn", None), column(&long, None)],
        );
        table.existing.push(ident("SSN_sealed"));
        let text = render(&Proposal {
            tables: vec![table],
            warnings: Vec::new(),
        });
        let plan = Plan::parse("p", &text).unwrap();
        let targets: Vec<_> = plan.tables[0].columns.iter().map(|c| &c.target).collect();
        assert_eq!(targets[0], &SealTo::Beside(ident("ssn_sealed2")));
        let cut = format!("{}_sealed", "\u{e9}".repeat(28));
        assert_eq!(targets[1], &SealTo::Beside(ident(&cut)));
    }

    #[test]
    fn a_column_that_is_not_active_is_a_comment_that_can_be_uncommented() {
        let both = table("public", "a", vec![inactive("note"), column("ssn", None)]);
        let none = table("public", "b", vec![inactive("note")]);
        let text = render(&Proposal {
            tables: vec![both, none],
            warnings: Vec::new(),
        });
        let plan = Plan::parse("p", &text).unwrap();
        assert_eq!(plan.tables.len(), 1);
        assert_eq!(plan.tables[0].columns.len(), 1);
        assert!(text.contains("\n# low: perhaps\\na name\n"), "{text}");

        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with("[[") || rest.contains(" = \"") => rest,
                _ => line,
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let plan = Plan::parse("p", &uncommented).unwrap();
        let columns = |at: usize| plan.tables[at].columns.len();
        assert_eq!((columns(0), columns(1)), (2, 1));
    }

    #[test]
    fn an_empty_proposal_gives_settings_and_an_example() {
        let empty = table("public", "t", Vec::new());
        let text = render(&Proposal {
            tables: vec![empty],
            warnings: Vec::new(),
        });
        assert!(Plan::parse_settings("p", &text).unwrap().tables.is_empty());
        let example = text.replace("# [[", "[[").replace("# name", "name");
        assert!(Plan::parse("p", &example.replace("# seal_into", "seal_into")).is_ok());
    }

    proptest! {
        #[test]
        fn a_rendered_proposal_always_parses_whatever_the_identifiers(
            names in proptest::collection::btree_set("[^\0]{1,15}", 1..6),
            odd in "[^\0]{1,15}",
            note in ".{0,30}",
        ) {
            prop_assume!(odd != "phiseal" && !names.contains("Clinic Id"));
            let columns = names.iter().map(|name| column(name, Some(true))).collect();
            let proposal = Proposal {
                tables: vec![table(&odd, &odd, columns)],
                warnings: vec![note],
            };
            let text = uncommented(&render(&proposal));
            let plan = Plan::parse("p", &text);
            prop_assert!(plan.is_ok(), "{}\n{}", text, plan.unwrap_err());
            let plan = plan.unwrap();
            prop_assert_eq!(&plan.tables[0].name, &proposal.tables[0].name);
            let read: Vec<_> = plan.tables[0].columns.iter().map(|c| c.name.as_str()).collect();
            let given: Vec<_> = names.iter().map(String::as_str).collect();
            prop_assert_eq!(read, given);
        }
    }
}
