//! How a scrub is shown: what it would do, and what it did and found.
//! Owns the words and the width of the text. Keeps the three levels apart: what the database proves,
//! what stands in the live files, and what lies elsewhere.

use serde_json::{Value, json};

use crate::cli::figures::{bytes, duration, rounded};
use crate::cli::lines::Lines;
use crate::engine::scrub::{
    CHECKLIST, FilesLooked, PlannedRewrite, ScrubPlan, ScrubReport, log_work,
};
use crate::plural::counted;
use crate::store::EstateFact;

/// How long the application waits for a rewrite, and how much log is written.
pub fn announced(plan: &ScrubPlan) -> Vec<String> {
    let mut lines = Lines::default();
    for one in &plan.relations {
        lines.head(&rewrite(one));
    }
    if let Ok(files @ 1..) = log_work(&plan.facts.log) {
        lines.head(&format!(
            "the write-ahead log is overwritten: about {} are written",
            bytes(files * plan.facts.log.file_bytes)
        ));
    }
    lines.0
}

fn rewrite(one: &PlannedRewrite) -> String {
    let (name, method) = (&one.relation.name, one.chosen.method);
    if !method.blocks() {
        return format!("{name} is rewritten by {method}: {}", one.chosen.why);
    }
    let who = match one.relation.whole_file {
        true => "write",
        false => "read or write",
    };
    let time = match one.blocked_seconds {
        Some(seconds) => format!("for about {}", duration(whole(seconds))),
        None => "meanwhile (no estimate)".to_owned(),
    };
    format!("nobody can {who} {name} {time}: it is rewritten by {method}")
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of at least one second"
)]
fn whole(seconds: f64) -> u64 {
    seconds.ceil().max(1.0) as u64
}

/// What a scrub would do.
pub fn plan_text(plan: &ScrubPlan) -> String {
    let facts = &plan.facts;
    let mut lines = Lines::default();
    lines.head(&format!("scrub of {} would, in this order:", plan.table));
    for one in &plan.relations {
        lines.item(&rewrite(one));
        if !one.relation.whole_file {
            lines.item("  right: the owner of the table, or of the database; we have it");
        }
        lines.item(&format!("  {}: {}", one.chosen.method, one.chosen.why));
    }
    for step in &facts.steps {
        let (statement, needs) = (&step.statement, &step.needs);
        lines.item(&format!(
            "{statement} (right: {needs}; {})",
            has(step.allowed)
        ));
    }
    match log_work(&facts.log) {
        Ok(0) => lines.item("empty the log into the file"),
        Ok(files) => lines.item(&format!(
            "overwrite {} of the write-ahead log, {} (rights: pg_checkpoint, pg_switch_wal, pg_monitor; we have them)",
            counted(files, "file"),
            bytes(files * facts.log.file_bytes)
        )),
        Err(why) => {
            lines.item(&format!("leave the write-ahead log as it is: {why}"));
            for right in &facts.log.missing {
                lines.item(&format!("  right: {right}; we do not have it"));
            }
        }
    }
    for keeper in &facts.log.keepers {
        lines.item(&format!("  old log is kept by: {keeper}"));
    }
    lines.item(&match &facts.unread {
        None => "search the files for a sample of the values".to_owned(),
        Some(why) => format!("not search the files: {why}"),
    });
    let mut left: Vec<&String> = facts
        .steps
        .iter()
        .filter(|step| !step.allowed)
        .map(|step| &step.statement)
        .collect();
    if log_work(&facts.log).is_err() {
        left.extend(facts.log.statements.iter().map(|(statement, _)| statement));
    }
    for_the_dba(&mut lines, &left);
    lines.0.join("\n")
}

fn has(allowed: bool) -> &'static str {
    match allowed {
        true => "we have it",
        false => "we do not have it",
    }
}

fn for_the_dba(lines: &mut Lines, statements: &[&String]) {
    if statements.is_empty() {
        return;
    }
    lines.head("for the DBA, since we have not the rights:");
    for statement in statements {
        lines.item(statement);
    }
}

/// The same as JSON.
pub fn plan_object(plan: &ScrubPlan) -> Value {
    let facts = &plan.facts;
    let relations = plan.relations.iter().map(|one| {
        json!({
            "relation": one.relation.name,
            "method": one.chosen.method.as_str(),
            "why": one.chosen.why,
            "blocks": one.chosen.method.blocks(),
            "blocked_seconds": one.blocked_seconds.map(rounded),
            "bytes": one.relation.row_bytes + one.relation.index_bytes,
        })
    });
    let steps = facts.steps.iter().map(
        |step| json!({ "statement": step.statement, "needs": step.needs, "allowed": step.allowed }),
    );
    let statements = (facts.log.statements.iter())
        .map(|(statement, needs)| json!({ "statement": statement, "needs": needs }));
    let log = log_work(&facts.log);
    json!({
        "table": plan.table,
        "relations": relations.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
        "log": {
            "files": log.as_ref().ok(),
            "bytes": log.as_ref().ok().map(|files| files * facts.log.file_bytes),
            "not_done": log.as_ref().err(),
            "statements": statements.collect::<Vec<_>>(),
            "missing": facts.log.missing,
            "keepers": facts.log.keepers,
        },
        "files_not_searched": facts.unread,
        "estate": facts.estate,
    })
}

/// What was done and found, of all tables.
pub fn result_text(reports: &[ScrubReport]) -> String {
    let mut lines = Lines::default();
    for report in reports {
        table(&mut lines, report);
    }
    if reports.is_empty() {
        return String::new();
    }
    lines.head("estate: not reached by a scrub, for the operator to look after");
    for fact in estate(reports) {
        lines.item(&format!("{}: {}", fact.what, fact.found));
    }
    for line in CHECKLIST {
        lines.item(line);
    }
    lines.0.join("\n")
}

fn estate(reports: &[ScrubReport]) -> &[EstateFact] {
    reports.first().map_or(&[], |report| &report.estate)
}

fn table(lines: &mut Lines, report: &ScrubReport) {
    let columns = report.columns.join(", ");
    lines.head(&format!("scrubbed {} ({columns})", report.table));
    for one in &report.relations {
        lines.item(&format!("{} was rewritten by {}", one.relation, one.method));
    }
    if let Some(log) = &report.log {
        if log.files > 0 {
            let size = bytes(log.bytes);
            lines.item(&format!(
                "the write-ahead log was overwritten: {}, {size}",
                counted(log.files, "file")
            ));
        }
        if log.kept > 0 {
            lines.item(&format!(
                "{} of the old log stay, kept by: {}",
                counted(log.kept, "file"),
                log.keepers.join(", ")
            ));
        }
    }
    for keeper in &report.catalog_keepers {
        lines.item(&format!(
            "old rows of the catalogs may stay, kept by {keeper}"
        ));
    }
    logical(lines, report);
    files(lines, report);
    let not_done: Vec<String> = report
        .not_done()
        .map(|(step, why)| format!("{} ({why}; right: {})", step.statement, step.needs))
        .collect();
    if !not_done.is_empty() {
        lines.head("not done, for the DBA:");
        for line in &not_done {
            lines.item(line);
        }
    }
}

fn logical(lines: &mut Lines, report: &ScrubReport) {
    lines.head("logical: what the database proves");
    for one in &report.logical {
        let state = match one.validated {
            true => "validated",
            false => "for new rows",
        };
        lines.item(&format!("{} on {}: {state}", one.name, one.relation));
    }
    if report.logical.is_empty() {
        lines.item("no constraint of phiseal's was found");
    }
}

fn files(lines: &mut Lines, report: &ScrubReport) {
    lines.head("live files:");
    let Some(looked) = &report.files else {
        return;
    };
    match &looked.not_searched {
        Some(why) => lines.item(&format!(
            "not searched ({why}); evidence only: every file is another one than before, and no older snapshot was left"
        )),
        None => searched(lines, looked),
    }
}

fn searched(lines: &mut Lines, looked: &FilesLooked) {
    let size = bytes(looked.bytes);
    lines.item(&format!(
        "{} searched, {size}: nothing was found",
        counted(looked.files, "file")
    ));
    for left_out in &looked.left_out {
        lines.item(&format!("left out: {left_out}"));
    }
    for column in &looked.columns {
        let values = counted(column.values, "value");
        lines.item(&match &column.none {
            None => format!("{}: {values} searched for", column.column),
            Some(why) => format!("{}: none searched for ({why})", column.column),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::lines::WIDTH;
    use crate::engine::scrub::{Chosen, ColumnLooked, LogDone, Rewritten, StepDone};
    use crate::store::{LogFacts, Method, ScrubFacts, StoredConstraint, StoredRelation};

    fn plan(method: Method, seconds: Option<f64>) -> ScrubPlan {
        ScrubPlan {
            table: "public.people".to_owned(),
            facts: ScrubFacts {
                log: LogFacts {
                    files: Some(4),
                    file_bytes: 16 << 20,
                    keepers: vec!["replication slot standby".to_owned()],
                    ..LogFacts::default()
                },
                unread: Some("our login lacks EXECUTE on pg_read_binary_file".to_owned()),
                ..ScrubFacts::default()
            },
            relations: vec![PlannedRewrite {
                relation: StoredRelation {
                    name: "public.people".to_owned(),
                    ..StoredRelation::default()
                },
                chosen: Chosen {
                    method,
                    why: "no repack: the server is older than version 19; no pg_repack: its extension is not installed in this database".to_owned(),
                },
                blocked_seconds: seconds,
            }],
        }
    }

    fn is_narrow(text: &str) {
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn what_blocks_is_announced_with_its_time_and_the_log_with_its_size() {
        let said = announced(&plan(Method::VacuumFull, Some(11.2))).join("\n");
        let expected = "nobody can read or write public.people for about 12 s";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains("64.0 MiB"), "{said}");
        let free = announced(&plan(Method::Repack, None)).join("\n");
        assert!(!free.contains("nobody can read"), "{free}");
        let text = plan_text(&plan(Method::VacuumFull, None));
        assert!(text.contains("no estimate"), "{text}");
        is_narrow(&text);
        is_narrow(&said);
    }

    #[test]
    fn a_report_keeps_three_levels_apart_and_says_what_was_not_done() {
        let report = ScrubReport {
            table: "public.people".to_owned(),
            columns: vec!["ssn".to_owned()],
            relations: vec![Rewritten {
                relation: "public.people".to_owned(),
                method: "vacuum-full".to_owned(),
                ..Rewritten::default()
            }],
            steps: vec![StepDone {
                statement: "VACUUM FULL pg_catalog.pg_statistic".to_owned(),
                needs: "the owner of the database".to_owned(),
                not_done: Some("no right".to_owned()),
            }],
            log: Some(LogDone {
                files: 4,
                bytes: 64 << 20,
                kept: 1,
                keepers: vec!["replication slot s".to_owned()],
            }),
            logical: vec![StoredConstraint {
                name: "phiseal_form_00".to_owned(),
                relation: "public.people".to_owned(),
                validated: true,
            }],
            files: Some(FilesLooked {
                files: 3,
                bytes: 5,
                columns: vec![ColumnLooked {
                    column: "ssn".to_owned(),
                    values: 200,
                    none: None,
                }],
                ..FilesLooked::default()
            }),
            ..ScrubReport::default()
        };
        let text = result_text(&[report]);
        for part in [
            "scrubbed public.people (ssn)",
            "logical: what the database proves",
            "phiseal_form_00 on public.people: validated",
            "live files:",
            "ssn: 200 values searched for",
            "estate:",
            "backups",
            "not done, for the DBA:",
            "VACUUM FULL pg_catalog.pg_statistic",
            "kept by: replication slot s",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        is_narrow(&text);
        assert_eq!(result_text(&[]), "");
    }
}
