//! What needs a person: `status --check` exits with 10 if there is any such reason.

use std::collections::BTreeMap;

use super::Facts;
use crate::ident::TableName;
use crate::keys::{Due, KeyStatus, RotationKind};
use crate::plural::counted;
use crate::run::holder;
use crate::store::{Found, QuarantineState, RunState};

/// Each reason in one line; empty if all is well.
pub fn reasons(facts: &Facts) -> Vec<String> {
    let mut out = keys(facts);
    out.extend(rotations(facts));
    out.extend(runs(facts));
    out.extend(lanes(facts));
    out.extend(quarantine(facts));
    out.extend(gaps(facts));
    out.extend(places(facts));
    out.extend(relations(facts));
    out
}

/// Fields whose table is not where it was recorded.
fn places(facts: &Facts) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for field in facts
        .fields
        .iter()
        .filter(|field| field.state.may_hold_seals())
    {
        let label = &field.table_label;
        match &field.place.found {
            Found::Gone => out.push(format!(
                "the table of label {label} is gone: `phiseal fields list`, then `fields rebind` or `fields forget`"
            )),
            Found::Several(tables) => {
                let names: Vec<String> = tables.iter().map(TableName::label).collect();
                out.push(format!(
                    "several tables carry the guard of label {label}, {}: `phiseal fields rebind`",
                    names.join(", ")
                ));
            }
            Found::Guarded | Found::Named if !facts.is_recorded(label) => out.push(format!(
                "the values of {label} are not compared: nothing is recorded of their table in this database: \
                 `phiseal backfill`"
            )),
            Found::Known | Found::Guarded | Found::Named => {}
        }
        out.extend(field.place.renames.iter().map(|(was, now)| {
            format!(
                "{was} is called {now} now: write that in the plan, then `phiseal backfill`, which makes the guard of \
                 {label} again"
            )
        }));
    }
    out.sort();
    out.dedup();
    out
}

/// Faults of the guards, and gaps: relations whose sealed values are not compared since a fault.
fn relations(facts: &Facts) -> Vec<String> {
    let active = |label: &str| {
        let mut fields = facts.fields.iter();
        fields.any(|field| {
            let plain = !field.place.plain_dropped;
            field.table_label == label && field.state.may_hold_seals() && plain
        })
    };
    let mut out = Vec::new();
    for one in &facts.relations {
        if !active(&one.table_label) {
            continue;
        }
        let Some(name) = one.now.as_ref().map(TableName::label) else {
            continue;
        };
        out.extend(
            one.faults
                .iter()
                .map(|fault| format!("{name}: {fault}: `phiseal backfill`")),
        );
        out.extend(one.gap.iter().map(|gap| {
            format!(
                "the sealed values of {name} are not compared, because {gap}: `phiseal backfill`"
            )
        }));
    }
    out
}

fn gaps(facts: &Facts) -> impl Iterator<Item = String> {
    let gaps = facts.guard_gaps.iter();
    gaps.map(|gap| format!("{gap}: `phiseal backfill`, then `phiseal verify`"))
}

fn keys(facts: &Facts) -> Vec<String> {
    let due = facts
        .keys
        .iter()
        .filter_map(|key| Some((key, Due::of(key, &facts.now)?)))
        .map(|(key, due)| format!("key {} is {due}: `phiseal rotate`", key.key_id));
    let suspended = facts
        .keys
        .iter()
        .filter(|key| key.status == KeyStatus::Suspended)
        .map(|key| {
            format!(
                "key {} is suspended, and nothing of its tenant is sealed: `phiseal keys resume`",
                key.key_id
            )
        });
    due.chain(suspended).collect()
}

fn rotations(facts: &Facts) -> Vec<String> {
    // A live lease means that a process is working on it.
    let held = |left: Option<f64>| left.is_some_and(|left| left > 0.0);
    if facts.lanes.iter().any(|lane| held(lane.lease_left_seconds)) {
        return Vec::new();
    }
    facts
        .rotations
        .iter()
        .filter(|record| record.finished_at.is_none())
        .map(|record| match record.kind {
            RotationKind::Rewrap => format!(
                "rewrap {} is unfinished: run `phiseal keys rewrap` again",
                record.history_id
            ),
            RotationKind::Rotate | RotationKind::Compromise => format!(
                "rotation {} is unfinished: run `phiseal rotate` again, which finishes it",
                record.history_id
            ),
        })
        .collect()
}

fn runs(facts: &Facts) -> Vec<String> {
    facts
        .runs
        .iter()
        .filter(|run| run.state == RunState::Interrupted)
        .map(|run| {
            let code = run.error_code.as_deref().map(|code| format!(" ({code})"));
            format!(
                "run {}, {} of {}, was interrupted{}: run the command again to resume",
                run.run_id,
                run.kind,
                run.table_label,
                code.unwrap_or_default()
            )
        })
        .collect()
}

fn lanes(facts: &Facts) -> Vec<String> {
    let is_running = |run_id: i64| {
        facts
            .runs
            .iter()
            .any(|run| run.run_id == run_id && run.state == RunState::Running)
    };
    facts
        .lanes
        .iter()
        .filter(|lane| !lane.done && is_running(lane.run_id))
        .filter(|lane| lane.lease_left_seconds.is_some_and(|left| left <= 0.0))
        .map(|lane| {
            format!(
                "lane {} of run {} has lost its holder, {}: run the command again to resume",
                lane.lane_no,
                lane.run_id,
                holder::describe(lane.holder.as_deref().unwrap_or_default())
            )
        })
        .collect()
}

fn quarantine(facts: &Facts) -> Vec<String> {
    let mut open: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
    let waiting = facts
        .quarantine
        .iter()
        .filter(|record| record.state == QuarantineState::Open);
    for record in waiting {
        let tags = open.entry(&record.row.table_label).or_default();
        tags.insert(&record.row.row_tag);
    }
    open.iter()
        .map(|(table, tags)| {
            format!(
                "{} of {table} in quarantine: `phiseal quarantine list`",
                counted(tags.len(), "row")
            )
        })
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cli::command::keys::list::tests::record as key;
    use crate::cli::command::quarantine::tests::record as quarantined;
    use crate::store::{LaneRecord, LaneTally, RunKind, RunRecord};

    pub fn facts() -> Facts {
        Facts {
            fields: Vec::new(),
            runs: Vec::new(),
            lanes: Vec::new(),
            keys: Vec::new(),
            quarantine: Vec::new(),
            rotations: Vec::new(),
            census: None,
            relations: Vec::new(),
            guard_gaps: Vec::new(),
            now: "2026-03-20T00:00:00.000000Z".to_owned(),
            transport: None,
        }
    }

    pub fn run(run_id: i64, state: RunState) -> RunRecord {
        RunRecord {
            run_id,
            kind: RunKind::Backfill,
            table_label: "public.patients".to_owned(),
            digest: String::new(),
            state,
            params: "{}".to_owned(),
            started_at: "2026-03-19T00:00:00Z".to_owned(),
            finished_at: None,
            actor: "me@here".to_owned(),
            tally: LaneTally::default(),
            error_code: (state == RunState::Interrupted).then(|| "E0605".to_owned()),
        }
    }

    pub fn lane(run_id: i64, left: Option<f64>, done: bool) -> LaneRecord {
        LaneRecord {
            run_id,
            lane_no: 3,
            kind: crate::store::LaneKind::Range,
            relation: "public.patients".to_owned(),
            lower: None,
            upper: None,
            cursor: None,
            seq: 1,
            fence: 1,
            holder: left.map(|_| "host/boot/4711/99/0".to_owned()),
            lease_left_seconds: left,
            done,
            tally: LaneTally::default(),
        }
    }

    #[test]
    fn nothing_is_said_where_all_is_well() {
        let mut facts = facts();
        facts.runs = vec![run(1, RunState::Running), run(2, RunState::Done)];
        facts.lanes = vec![
            lane(1, Some(9.5), false),
            lane(1, None, false),
            lane(1, Some(-60.0), true),
        ];
        let mut later = key(7);
        later.rotation_due_at = Some("2026-07-01T00:00:00.000000Z".to_owned());
        facts.keys = vec![later];
        facts.quarantine = vec![
            quarantined("aa", None, QuarantineState::Skipped),
            quarantined("bb", None, QuarantineState::Retry),
        ];
        assert_eq!(reasons(&facts), Vec::<String>::new());
    }

    #[test]
    fn a_key_that_is_due_or_overdue_is_named() {
        let mut facts = facts();
        let (mut soon, mut over) = (key(7), key(8));
        soon.rotation_due_at = Some("2026-04-01T00:00:00.000000Z".to_owned());
        over.rotation_due_at = Some("2026-03-18T00:00:00.000000Z".to_owned());
        facts.keys = vec![soon, over];
        let reasons = reasons(&facts);
        assert_eq!(
            reasons[0],
            "key 7 is due for rotation in 12 days: `phiseal rotate`"
        );
        assert_eq!(
            reasons[1],
            "key 8 is overdue for rotation by 2 days: `phiseal rotate`"
        );
    }

    #[test]
    fn an_interrupted_run_is_named_with_what_interrupted_it() {
        let mut facts = facts();
        facts.runs = vec![run(4, RunState::Interrupted)];
        // An interrupted run's leases have expired.
        facts.lanes = vec![lane(4, Some(-1.0), false)];
        let reasons = reasons(&facts);
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].contains("run 4, backfill of public.patients, was interrupted (E0605)"));
    }

    #[test]
    fn a_lane_whose_lease_is_over_under_a_running_run_is_named_with_its_holder() {
        let mut facts = facts();
        facts.runs = vec![run(1, RunState::Running)];
        facts.lanes = vec![lane(1, Some(-1.0), false), lane(1, Some(5.0), false)];
        let reasons = reasons(&facts);
        assert_eq!(reasons.len(), 1);
        assert!(
            reasons[0].starts_with("lane 3 of run 1 has lost its holder, process 4711 on host")
        );
    }

    #[test]
    fn what_the_guards_missed_is_named_with_what_to_run() {
        let mut facts = facts();
        facts.guard_gaps = vec!["the mark 'sealer' stood".to_owned()];
        assert_eq!(
            reasons(&facts),
            ["the mark 'sealer' stood: `phiseal backfill`, then `phiseal verify`"]
        );
    }

    #[test]
    fn open_quarantine_is_counted_by_rows_not_by_faults() {
        let mut facts = facts();
        facts.quarantine = vec![
            quarantined("aa", Some("ssn"), QuarantineState::Open),
            quarantined("aa", Some("email"), QuarantineState::Open),
        ];
        assert_eq!(
            reasons(&facts),
            ["1 row of public.patients in quarantine: `phiseal quarantine list`"]
        );
    }
}
