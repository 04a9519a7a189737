//! Whether anybody but phiseal is active on the server.
//! Owns the judgement, from counters that every role may read. `pg_stat_activity` hides from
//! ordinary roles what other sessions do, so the number of transactions decides.

use std::collections::VecDeque;
use std::time::Duration;

/// What was counted at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// When, by the process's clock.
    pub at: Duration,
    /// How many sessions other programs have open.
    pub other_sessions: u32,
    /// Transactions of the whole server.
    pub server: u64,
    /// Transactions of this process and of the other processes of phiseal.
    pub ours: u64,
    /// Whether there are other processes of phiseal.
    pub in_company: bool,
}

/// The counts of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Counts {
    kept: VecDeque<Count>,
    idle: bool,
}

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(3);
/// So many transactions a second may be anybody's: monitoring, autovacuum.
const FEW: f64 = 3.0;
/// The server counts a transaction up to a second late, so over a short time this share of our own
/// may look like somebody else's, or be missing.
const LATE_SHORT: f64 = 0.4;
const LATE_LONG: f64 = 0.1;
/// What other processes of phiseal count is known up to two seconds late.
const LATE_OTHERS: f64 = 0.2;

impl Counts {
    /// Adds a count, and says whether nobody else is active. A run begins idle only if no other
    /// program has a session; it becomes idle after ten seconds with few transactions of others,
    /// and ends to be idle within seconds.
    pub(super) fn add(&mut self, count: Count) -> bool {
        // Another process of phiseal began or ended, or the statistics were reset.
        let jumped = (self.kept.back())
            .is_some_and(|last| count.server < last.server || count.ours < last.ours);
        if jumped {
            self.kept.clear();
        }
        self.kept.push_back(count);
        while self.kept.len() > 2 && count.at.saturating_sub(self.kept[1].at) >= LONG {
            self.kept.pop_front();
        }
        self.idle = self.judge(&count);
        self.idle
    }

    fn judge(&self, now: &Count) -> bool {
        if now.other_sessions == 0 {
            return true;
        }
        let long = self.others(now, LONG, LATE_LONG);
        let busy = |others: Option<f64>| others.is_some_and(|rate| rate > FEW);
        match self.idle {
            true => !busy(self.others(now, SHORT, LATE_SHORT)) && !busy(long),
            false => long.is_some_and(|rate| rate <= FEW),
        }
    }

    /// Transactions of others in a second, at least, over this time; `None` if it is not covered.
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    fn others(&self, now: &Count, over: Duration, late: f64) -> Option<f64> {
        let then =
            (self.kept.iter().rev()).find(|count| now.at.saturating_sub(count.at) >= over)?;
        let seconds = now.at.saturating_sub(then.at).as_secs_f64();
        let (server, ours) = (now.server - then.server, now.ours - then.ours);
        let (server, ours) = (server as f64 / seconds, ours as f64 / seconds);
        let late = match now.in_company {
            true => late + LATE_OTHERS,
            false => late,
        };
        Some((server - ours - ours * late).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts every quarter of a second for so many seconds; returns the last judgement.
    fn go(
        counts: &mut Counts,
        at: &mut (f64, f64, f64),
        seconds: f64,
        ours: f64,
        others: f64,
    ) -> bool {
        let mut idle = false;
        let ticks = seconds * 4.0;
        let mut tick = 0.0;
        while tick < ticks {
            tick += 1.0;
            at.0 += 0.25;
            at.1 += ours / 4.0;
            at.2 += others / 4.0;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a test"
            )]
            let count = Count {
                at: Duration::from_secs_f64(at.0),
                other_sessions: 3,
                server: (at.1 + at.2) as u64,
                ours: at.1 as u64,
                in_company: false,
            };
            idle = counts.add(count);
        }
        idle
    }

    #[test]
    fn a_run_alone_on_the_server_is_idle_at_once() {
        let count = Count {
            at: Duration::ZERO,
            other_sessions: 0,
            server: 1_000,
            ours: 0,
            in_company: false,
        };
        assert!(Counts::default().add(count));
        let other_sessions = 1;
        assert!(!Counts::default().add(Count {
            other_sessions,
            ..count
        }));
    }

    #[test]
    fn ten_seconds_of_silence_make_idle_and_seconds_of_work_end_it() {
        let (mut counts, mut at) = (Counts::default(), (0.0, 0.0, 0.0));
        assert!(!go(&mut counts, &mut at, 9.0, 20.0, 1.0));
        assert!(go(&mut counts, &mut at, 2.0, 20.0, 1.0));
        // Our own work alone changes nothing.
        assert!(go(&mut counts, &mut at, 60.0, 200.0, 1.0));
        assert!(!go(&mut counts, &mut at, 5.0, 200.0, 150.0));
        assert!(!go(&mut counts, &mut at, 5.0, 20.0, 1.0));
        assert!(go(&mut counts, &mut at, 40.0, 20.0, 1.0));
    }

    #[test]
    fn a_small_application_is_seen_within_seconds() {
        let (mut counts, mut at) = (Counts::default(), (0.0, 0.0, 0.0));
        assert!(go(&mut counts, &mut at, 40.0, 60.0, 0.0));
        assert!(!go(&mut counts, &mut at, 12.0, 60.0, 15.0));
    }

    #[test]
    fn statistics_that_were_reset_say_nothing() {
        let (mut counts, mut at) = (Counts::default(), (0.0, 0.0, 0.0));
        assert!(go(&mut counts, &mut at, 40.0, 20.0, 0.0));
        at = (at.0, 0.0, 0.0);
        assert!(go(&mut counts, &mut at, 2.0, 20.0, 0.0));
    }
}
