//! One JSON object a line on stderr, with `--json`: for programs that watch a run.
//! Owns the names in it, which scripts rely on.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::counts::Counts;
use super::{Ticking, search_text};
use crate::cli::figures::rounded;
use crate::cli::output::Output;
use crate::engine::{Event, EventSink};

/// Writes JSON lines.
pub struct JsonLines {
    output: Output,
    state: Mutex<Counts>,
}

impl JsonLines {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            state: Mutex::default(),
        }
    }

    fn say(&self, object: impl FnOnce(&mut Counts) -> Option<Value>) {
        let mut counts = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut object) = object(&mut counts) {
            let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
            object["time"] = json!(time.to_string());
            let line = line(&object);
            if let Value::Object(object) = object {
                self.output.progress(object, &line);
            }
        }
    }
}

impl EventSink for JsonLines {
    fn emit(&self, event: Event) {
        self.say(|counts| object(counts, &event, Instant::now()));
    }
}

impl Ticking for JsonLines {
    fn tick(&self, now: Instant) {
        self.say(|counts| {
            let is_due = counts.is_under_way() && counts.is_line_due(now);
            is_due.then(|| state(counts, "progress", now))
        });
    }
}

/// What is said of an event, if anything is.
fn object(counts: &mut Counts, event: &Event, now: Instant) -> Option<Value> {
    match event {
        Event::TableBegun {
            kind,
            table,
            run,
            rows_estimate,
            rows_before,
            share,
        } => {
            counts.begin(kind, table, *rows_estimate, now);
            counts.resume(*rows_before, *share, now);
            let begin = state(counts, "begin", now);
            let more = json!({ "run": run, "rows_before": rows_before });
            Some(with(begin, more))
        }
        Event::Batch {
            rows,
            values,
            share,
        } => {
            counts.add(*rows, *values, *share, now);
            let is_due = counts.is_line_due(now);
            is_due.then(|| state(counts, "progress", now))
        }
        Event::Phase { kind, table, phase } => {
            counts.enter(kind, table);
            Some(in_phase(counts, phase, json!({}), now))
        }
        Event::Waiting { why } => {
            let is_news = counts.wait(why, now);
            is_news.then(|| state(counts, "waiting", now))
        }
        Event::GoingOn => {
            let waited = counts.waits(now).map(|(_, waited)| waited);
            counts.go_on(now);
            let waited = rounded(waited?.as_secs_f64());
            let going_on = state(counts, "going_on", now);
            Some(with(going_on, json!({ "waits_seconds": waited })))
        }
        Event::Paced { duty } => {
            counts.duty = Some(*duty);
            None
        }
        Event::Searching { place, number, of } => {
            let is_due = counts.is_line_due(now) || *number == 1;
            is_due.then(|| {
                let notice = state(counts, "notice", now);
                with(notice, json!({ "text": search_text(place, *number, *of) }))
            })
        }
        Event::Sweep { .. } | Event::Following { .. } | Event::TableFailed { .. } => {
            with_members(counts, event, now)
        }
        Event::Notice { text } => {
            let notice = state(counts, "notice", now);
            Some(with(notice, json!({ "text": text })))
        }
        Event::TableEnded { table } => {
            let end = with(state(counts, "end", now), json!({ "table": table }));
            counts.end();
            Some(end)
        }
    }
}

/// What is said of an event with members of its own.
fn with_members(counts: &mut Counts, event: &Event, now: Instant) -> Option<Value> {
    match event {
        Event::Sweep { pass, found } => {
            let more = json!({ "pass": pass, "rows_found": found });
            (*found > 0).then(|| in_phase(counts, "sweep", more, now))
        }
        Event::Following {
            table,
            rows_sealed,
            rows_behind,
            seconds_behind,
        } => {
            let more = json!({
                "table": table,
                "rows_sealed": rows_sealed,
                "rows_behind": rows_behind,
                "seconds_behind": seconds_behind,
            });
            let is_due = counts.is_followed_due(table, now);
            is_due.then(|| in_phase(counts, "following", more, now))
        }
        Event::TableFailed {
            table,
            code,
            message,
            hint,
        } => {
            let more = json!({ "table": table, "code": code, "message": message, "hint": hint });
            let failed = with(state(counts, "failed", now), more);
            counts.end();
            Some(failed)
        }
        _ => None,
    }
}

fn in_phase(counts: &Counts, phase: &str, more: Value, now: Instant) -> Value {
    let object = with(state(counts, "phase", now), json!({ "phase": phase }));
    with(object, more)
}

/// How the run is, as every line says it.
fn state(counts: &Counts, event: &str, now: Instant) -> Value {
    let named = |text: &String| (!text.is_empty()).then(|| text.clone());
    let waits = counts.waits(now);
    let rate = counts.is_under_way().then(|| counts.rates(now).0.round());
    json!({
        "event": event,
        "kind": named(&counts.kind),
        "table": named(&counts.table),
        "rows": counts.rows,
        "rows_estimate": counts.total,
        "rows_per_second": rate,
        "share": counts.share().map(rounded),
        "seconds_left": counts.left(now).map(|left| left.as_secs()),
        "duty": counts.duty,
        "waits_for": waits.map(|(why, _)| why),
        "waits_seconds": waits.map_or(0.0, |(_, waited)| rounded(waited.as_secs_f64())),
    })
}

/// The same as a line for people, for logs.
fn line(object: &Value) -> String {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let what = match text("event") {
        "begin" => "begins".to_owned(),
        "end" => "ends".to_owned(),
        "progress" => format!("{} rows so far", object["rows"]),
        "waiting" => format!("waiting: {}", text("waits_for")),
        "going_on" => format!("continues after {} s", object["waits_seconds"]),
        "phase" => format!("phase {}", text("phase")),
        "failed" => return text("message").to_owned(),
        _ => return text("text").to_owned(),
    };
    match (text("kind"), text("table")) {
        ("", _) => what,
        (kind, table) => format!("{kind} {table}: {what}"),
    }
}

/// An object with the members of another one.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) {
        members.extend(more);
    }
    object
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_line_has_the_members_scripts_rely_on() {
        let mut counts = Counts::default();
        let now = Instant::now();
        let notice = Event::Notice {
            text: "x".to_owned(),
        };
        let before = object(&mut counts, &notice, now).unwrap();
        assert_eq!(before["table"], Value::Null);
        let begin = Event::TableBegun {
            kind: "backfill",
            table: "public.t".to_owned(),
            run: Some(3),
            rows_estimate: 100,
            rows_before: 7,
            share: 0.07,
        };
        let begin = object(&mut counts, &begin, now).unwrap();
        assert_eq!(
            begin,
            json!({
                "event": "begin", "kind": "backfill", "table": "public.t", "rows": 0, "rows_estimate": 100,
                "rows_per_second": 0.0, "share": 0.07, "seconds_left": null, "duty": null, "waits_for": null,
                "waits_seconds": 0.0, "run": 3, "rows_before": 7
            })
        );
        object(&mut counts, &Event::Paced { duty: 0.25 }, now);
        let batch = Event::Batch {
            rows: 50,
            values: 50,
            share: Some(0.5),
        };
        assert_eq!(object(&mut counts, &batch, now), None);
        let later = now + Duration::from_secs(10);
        let progress = object(&mut counts, &batch, later).unwrap();
        assert_eq!(
            (&progress["event"], &progress["rows"], &progress["duty"]),
            (&json!("progress"), &json!(100), &json!(0.25))
        );
        assert_eq!(progress["rows_per_second"], json!(10.0));
        assert_eq!(
            (&progress["share"], &progress["seconds_left"]),
            (&json!(0.5), &json!(11))
        );
    }

    #[test]
    fn a_wait_has_a_line_when_it_begins_and_one_when_it_ends() {
        let mut counts = Counts::default();
        let now = Instant::now();
        let wait = Event::Waiting {
            why: "paused by me".to_owned(),
        };
        let waiting = object(&mut counts, &wait, now).unwrap();
        assert_eq!(
            (&waiting["event"], &waiting["waits_for"]),
            (&json!("waiting"), &json!("paused by me"))
        );
        assert_eq!(object(&mut counts, &wait, now), None);
        let later = now + Duration::from_millis(500);
        let going_on = object(&mut counts, &Event::GoingOn, later).unwrap();
        assert_eq!(
            (&going_on["waits_for"], &going_on["waits_seconds"]),
            (&Value::Null, &json!(0.5))
        );
        assert_eq!(object(&mut counts, &Event::GoingOn, later), None);
    }
}
