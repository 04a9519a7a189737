//! What the operator wants of a run: the plan, and the requests that came since.
//! Owns which request holds for a table.

use crate::pace::{Pace, PaceRequestKind};
use crate::plan::pace::PaceSettings;
use crate::store::PaceRequest;

/// The pace that holds now: the plan's, unless a request says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub pace: Pace,
    pub rows_per_second_max: Option<u64>,
    /// Who paused the run, and since when.
    pub paused: Option<String>,
}

impl Wanted {
    /// What holds for a table. A request for the table comes before one for all tables.
    pub(super) fn of(settings: &PaceSettings, requests: &[PaceRequest], table_label: &str) -> Self {
        let find = |kind| {
            let of = |label: &str| {
                let fits = |one: &&PaceRequest| one.kind == kind && one.table_label == label;
                requests.iter().find(fits)
            };
            of(table_label).or_else(|| of(""))
        };
        let speed = find(PaceRequestKind::Speed);
        let rows = speed.and_then(|speed| speed.rows_per_second_max);
        let rows = rows.and_then(|rows| u64::try_from(rows).ok());
        Self {
            pace: speed.and_then(|speed| speed.pace).unwrap_or(settings.pace),
            rows_per_second_max: rows.or(settings.rows_per_second_max),
            paused: find(PaceRequestKind::Pause)
                .map(|pause| format!("paused by {} since {}", pause.actor, pause.requested_at)),
        }
    }

    /// Why the run stops whatever the server does, at a time in microseconds since 1970.
    pub(super) fn stop(&self, settings: &PaceSettings, micros: i64) -> Option<String> {
        if let Some(paused) = &self.paused {
            return Some(paused.clone());
        }
        let window = settings
            .window
            .as_ref()
            .filter(|_| self.pace == Pace::Windowed)?;
        (!window.is_open(micros)).then(|| format!("the window {window} is closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pace::Window;

    fn request(kind: PaceRequestKind, table_label: &str) -> PaceRequest {
        PaceRequest {
            table_label: table_label.to_owned(),
            kind,
            pace: None,
            rows_per_second_max: None,
            seconds: None,
            actor: "Ana".to_owned(),
            requested_at: "2026-01-02T03:04:05Z".to_owned(),
        }
    }

    #[test]
    fn a_request_for_the_table_comes_before_one_for_all_and_before_the_plan() {
        let settings = PaceSettings::default();
        let fast = PaceRequest {
            pace: Some(Pace::Fast),
            ..request(PaceRequestKind::Speed, "")
        };
        let slow = PaceRequest {
            rows_per_second_max: Some(7),
            ..request(PaceRequestKind::Speed, "public.t")
        };
        let pause = request(PaceRequestKind::Pause, "public.other");
        let all = [fast, slow, pause];
        let of = |label: &str, requests: &[PaceRequest]| Wanted::of(&settings, requests, label);
        assert_eq!(of("public.t", &[]).pace, Pace::Polite);
        assert_eq!(of("public.u", &all).pace, Pace::Fast);
        let wanted = of("public.t", &all);
        assert_eq!(
            (wanted.pace, wanted.rows_per_second_max),
            (Pace::Polite, Some(7))
        );
        assert_eq!(wanted.stop(&settings, 0), None);
        let paused = of("public.other", &all).stop(&settings, 0);
        assert_eq!(paused.unwrap(), "paused by Ana since 2026-01-02T03:04:05Z");
    }

    #[test]
    fn a_closed_window_stops_a_windowed_run_only() {
        let window = Window {
            from: jiff::civil::time(22, 0, 0, 0),
            until: jiff::civil::time(5, 0, 0, 0),
            zone: jiff::tz::TimeZone::UTC,
        };
        let settings = PaceSettings {
            pace: Pace::Windowed,
            window: Some(window),
            ..PaceSettings::default()
        };
        let hour = |hour: i64| hour * 3_600_000_000;
        let stop = |at: i64| Wanted::of(&settings, &[], "t").stop(&settings, at);
        assert_eq!(stop(hour(23)), None);
        assert_eq!(stop(hour(4)), None);
        assert_eq!(
            stop(hour(5)).unwrap(),
            "the window 22:00-05:00 UTC is closed"
        );
        let fast = PaceRequest {
            pace: Some(Pace::Fast),
            ..request(PaceRequestKind::Speed, "t")
        };
        assert_eq!(
            Wanted::of(&settings, &[fast], "t").stop(&settings, hour(5)),
            None
        );
    }
}
