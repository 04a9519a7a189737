//! What stops a run for a while, and the words that say so.
//! Owns the thresholds and the judgement of signals that were read. Reads none itself.

use std::collections::VecDeque;
use std::time::Duration;

use crate::plan::pace::PaceSettings;
use crate::store::{Activity, Conditions, Replica, WaitingSession};

/// A session that has waited so long for a lock of ours is let go first.
const BLOCKED_MAX: Duration = Duration::from_millis(100);
/// A signal that was read once and is older than this stops the run.
pub(super) const STALE: Duration = Duration::from_secs(15);
/// So many log files may wait to be archived.
const ARCHIVE_WAITS_MAX: u64 = 42;
/// The server keeps at least so many bytes of its disk free.
const DISK_FREE_MIN: u64 = 1 << 30;
/// A run that a standby stopped goes on once the standby is at most so much of the limit behind.
const CAUGHT_UP: f64 = 0.5;

/// Judges what was read of the server.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Sessions that one of ours has kept waiting for too long, when it was last looked.
    pub late: Vec<WaitingSession>,
    /// Those that waited at the last look: not every server tells for how long.
    blocked_before: Vec<String>,
    /// The end of the log at past moments, by the process's clock.
    log: VecDeque<(Duration, u64)>,
    /// A standby that was too far behind has to catch up.
    lagging: bool,
    /// How many bytes the log may still grow by; less than zero if it grew too fast.
    log_room: f64,
    log_before: Option<(Duration, u64)>,
}

impl Stops {
    /// Why the run stops, as far as the server's activity says.
    pub(super) fn of_activity(
        &mut self,
        settings: &PaceSettings,
        activity: &Activity,
        now: Duration,
    ) -> Option<String> {
        let late = |one: &&WaitingSession| {
            one.waited >= BLOCKED_MAX || self.blocked_before.contains(&one.who)
        };
        self.late = activity.blocked.iter().filter(late).cloned().collect();
        self.blocked_before = activity.blocked.iter().map(|one| one.who.clone()).collect();
        if let Some(blocked) = self.late.first() {
            return Some(format!("{} waited for rows of ours", blocked.who));
        }
        if let Some(waiter) = activity.waiters.first() {
            return Some(format!("{} waits for a lock on the table", waiter.who));
        }
        self.log_rate(settings.wal_bytes_per_second_max, activity.wal_bytes, now)
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    fn log_rate(&mut self, limit: Option<u64>, bytes: u64, now: Duration) -> Option<String> {
        let (then, before) = self
            .log_before
            .replace((now, bytes))
            .unwrap_or((now, bytes));
        let limit_bytes = limit? as f64;
        let earned = limit_bytes * now.saturating_sub(then).as_secs_f64();
        let grown = bytes.saturating_sub(before) as f64;
        self.log_room = (self.log_room + earned - grown).min(limit_bytes / 4.0);
        (self.log_room < 0.0).then(|| {
            format!(
                "the write-ahead log grows by more than {} MiB a second",
                limit.unwrap_or_default() >> 20
            )
        })
    }

    /// Why the run stops, as far as the server's conditions say.
    pub(super) fn of_conditions(
        &mut self,
        settings: &PaceSettings,
        conditions: &Conditions,
        now: Duration,
    ) -> Option<String> {
        self.log.push_back((now, conditions.wal_bytes));
        let kept = settings.replica_lag_max * 2 + Duration::from_secs(60);
        while (self.log.front()).is_some_and(|(at, _)| now.saturating_sub(*at) > kept) {
            self.log.pop_front();
        }
        let lag = self.replica_lag(settings.replica_lag_max, &conditions.replicas, now);
        self.lagging = lag.is_some();
        lag.or_else(|| of_the_rest(conditions))
    }

    fn replica_lag(&self, limit: Duration, replicas: &[Replica], now: Duration) -> Option<String> {
        let limit = match self.lagging {
            true => limit.mul_f64(CAUGHT_UP),
            false => limit,
        };
        let behind = |replica: &Replica| {
            let replayed = replica.replayed_bytes?;
            // The log after that position was written before this moment.
            let since = self.log.iter().find(|(_, bytes)| *bytes > replayed)?.0;
            Some(now.saturating_sub(since))
        };
        let worst = replicas.iter().filter_map(|one| Some((behind(one)?, one)));
        let (lag, replica) = worst.max_by_key(|(lag, _)| *lag)?;
        (lag > limit).then(|| {
            let name = match replica.name.as_str() {
                "" => "without a name",
                name => name,
            };
            format!("standby {name} is {} s behind", lag.as_secs())
        })
    }
}

fn of_the_rest(conditions: &Conditions) -> Option<String> {
    if let Some(slot) = conditions.slots_short.first() {
        return Some(format!(
            "replication slot {slot} is about to lose the log that it needs"
        ));
    }
    if conditions.archive_fails {
        return Some("the server cannot archive its write-ahead log".to_owned());
    }
    if conditions.archive_waits > ARCHIVE_WAITS_MAX {
        let waits = conditions.archive_waits;
        return Some(format!(
            "{waits} files of the write-ahead log wait to be archived"
        ));
    }
    if let Some(relation) = conditions.wraparound.first() {
        return Some(format!("a vacuum against wraparound works on {relation}"));
    }
    match conditions.disk_free {
        Some(free) if free < DISK_FREE_MIN => {
            let free = free >> 20;
            Some(format!("the server's disk has {free} MiB left"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_standby_that_is_behind_stops_the_run_until_it_has_caught_up() {
        let settings = PaceSettings::default();
        let mut stops = Stops::default();
        let mut look = |seconds: u64, wal_bytes: u64, replayed: Option<u64>| {
            let conditions = Conditions {
                wal_bytes,
                replicas: vec![Replica {
                    name: "s1".to_owned(),
                    replayed_bytes: replayed,
                }],
                ..Conditions::default()
            };
            stops.of_conditions(&settings, &conditions, at(seconds))
        };
        assert_eq!(look(0, 1000, Some(1000)), None);
        assert_eq!(look(2, 2000, Some(1000)), None);
        assert_eq!(look(12, 2000, Some(1000)), None);
        assert_eq!(
            look(13, 2000, Some(1000)).unwrap(),
            "standby s1 is 11 s behind"
        );
        // Not to be read is not behind.
        assert_eq!(look(14, 2000, None), None);
        assert!(look(16, 9000, Some(1000)).is_some());
        // Six seconds are within the limit, but it has been exceeded.
        assert!(look(22, 9000, Some(2000)).is_some());
        assert_eq!(look(24, 9000, Some(9000)), None);
    }

    #[test]
    fn a_log_that_grows_too_fast_stops_the_run_until_the_mean_is_right() {
        let settings = PaceSettings {
            wal_bytes_per_second_max: Some(1 << 20),
            ..PaceSettings::default()
        };
        let mut stops = Stops::default();
        let mut look = |millis: u64, wal_bytes: u64| {
            let activity = Activity {
                wal_bytes,
                ..Activity::default()
            };
            stops.of_activity(&settings, &activity, Duration::from_millis(millis))
        };
        assert_eq!(look(0, 0), None);
        assert_eq!(look(1000, 1 << 20), None);
        let fast = look(2000, 4 << 20).unwrap();
        assert_eq!(
            fast,
            "the write-ahead log grows by more than 1 MiB a second"
        );
        assert!(look(3000, 4 << 20).is_some());
        assert_eq!(look(4100, 4 << 20), None);
    }

    #[test]
    fn every_condition_has_its_words() {
        let settings = PaceSettings::default();
        let base = Conditions::default;
        let names = || vec!["x".to_owned()];
        let cases = [
            (
                Conditions {
                    slots_short: names(),
                    ..base()
                },
                "replication slot x",
            ),
            (
                Conditions {
                    archive_fails: true,
                    ..base()
                },
                "cannot archive",
            ),
            (
                Conditions {
                    archive_waits: 43,
                    ..base()
                },
                "43 files",
            ),
            (
                Conditions {
                    wraparound: names(),
                    ..base()
                },
                "wraparound works on x",
            ),
            (
                Conditions {
                    disk_free: Some(5 << 20),
                    ..base()
                },
                "5 MiB left",
            ),
        ];
        for (conditions, words) in cases {
            let stop = Stops::default().of_conditions(&settings, &conditions, at(1));
            assert!(
                stop.as_ref().is_some_and(|stop| stop.contains(words)),
                "{stop:?}"
            );
        }
        let fine = Conditions {
            archive_waits: 42,
            disk_free: Some(2 << 30),
            ..base()
        };
        assert_eq!(
            Stops::default().of_conditions(&settings, &fine, at(1)),
            None
        );
    }

    #[test]
    fn sessions_that_wait_come_first() {
        let session = |millis: u64| WaitingSession {
            who: "process 7 (psql)".to_owned(),
            waited: Duration::from_millis(millis),
            ours: Some(8),
        };
        let of = |activity: &Activity| {
            Stops::default().of_activity(&PaceSettings::default(), activity, at(1))
        };
        let mut activity = Activity::default();
        assert_eq!(of(&activity), None);
        activity.blocked = vec![session(99)];
        assert_eq!(of(&activity), None);
        activity.waiters = vec![session(0)];
        assert!(
            of(&activity)
                .unwrap()
                .ends_with("waits for a lock on the table")
        );
        activity.blocked = vec![session(100)];
        assert!(of(&activity).unwrap().ends_with("waited for rows of ours"));
    }
}
