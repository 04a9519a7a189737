//! How near a key's rotation is.
//! Owns the notice given beforehand. Asks no clock: all times are the database server's, so that
//! all hosts agree.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::key::KeyRecord;
use super::lifecycle::KeyStatus;
use crate::plural::counted;

const HOUR_SECONDS: i64 = 3600;
const DAY_HOURS: i64 = 24;

/// How long before its rotation a key is called due at most.
const NOTICE_MAX: SignedDuration = SignedDuration::from_hours(14 * DAY_HOURS);
/// A key that is not active for long is called due for this part of its time only.
const NOTICE_PART: i32 = 6;

/// What is to be said of an active key's rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Due after this time: at most 14 days, and at most a sixth of the time from the key's activation to its rotation.
    Soon(SignedDuration),
    /// Due since this time.
    Overdue(SignedDuration),
    /// One of the times is not as the server writes them, so nobody knows.
    Unreadable,
}

impl Due {
    /// Whether `record` is due for rotation at `now`; `None` where it is not, or seals nothing.
    ///
    /// `now` is the server's, RFC 3339 in UTC, as are the times of the record.
    #[must_use]
    pub fn of(record: &KeyRecord, now: &str) -> Option<Self> {
        if record.status != KeyStatus::Active {
            return None;
        }
        let due_at = record.rotation_due_at.as_deref()?;
        let (Some(due_at), Some(now)) = (second(due_at), second(now)) else {
            return Some(Self::Unreadable);
        };
        let left = SignedDuration::from_secs(due_at - now);
        if left <= SignedDuration::ZERO {
            return Some(Self::Overdue(-left));
        }
        let since = record.activated_at.as_deref().and_then(second);
        let notice = since.map_or(NOTICE_MAX, |since| {
            (SignedDuration::from_secs(due_at - since) / NOTICE_PART).min(NOTICE_MAX)
        });
        (left <= notice).then_some(Self::Soon(left))
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soon(left) => match told(*left) {
                Some(left) => write!(f, "due for rotation in {left}"),
                None => f.write_str("due for rotation within the hour"),
            },
            Self::Overdue(since) => match told(*since) {
                Some(since) => write!(f, "overdue for rotation by {since}"),
                None => f.write_str("overdue for rotation"),
            },
            Self::Unreadable => f.write_str("due for rotation at a time that cannot be read"),
        }
    }
}

/// Whole days from two days on, else whole hours; `None` for less than an hour.
fn told(time: SignedDuration) -> Option<String> {
    let hours = time.as_secs() / HOUR_SECONDS;
    match hours {
        ..1 => None,
        1..48 => Some(counted(hours, "hour")),
        _ => Some(counted(hours / DAY_HOURS, "day")),
    }
}

/// Seconds since 1970 of a time as the server writes it; a fraction is cut off.
fn second(text: &str) -> Option<i64> {
    text.parse().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyId, Purpose};

    fn key(status: KeyStatus, due_at: Option<&str>) -> KeyRecord {
        KeyRecord {
            key_id: KeyId::new(7).unwrap(),
            tenant: String::new(),
            purpose: Purpose::Cell,
            version: 1,
            algorithm: "AES-256-GCM".to_owned(),
            status,
            kek_ref: "wk:0".to_owned(),
            wrapped_key: None,
            check_value: Vec::new(),
            created_at: String::new(),
            activated_at: None,
            deactivated_at: None,
            compromised_at: None,
            destroyed_at: None,
            rotation_due_at: due_at.map(str::to_owned),
            created_by: String::new(),
            reason: None,
        }
    }

    /// What is said at `now` of a key that is active since `since`.
    fn due(since: &str, due_at: &str, now: &str) -> Option<String> {
        let mut key = key(KeyStatus::Active, Some(due_at));
        key.activated_at = (!since.is_empty()).then(|| since.to_owned());
        Due::of(&key, now).map(|due| due.to_string())
    }

    #[test]
    fn notice_is_given_two_weeks_beforehand_or_for_a_sixth_of_a_shorter_time() {
        for (since, due_at, now, said) in [
            // A whole quarter, and a year: 14 days.
            ("2026-01-01", "2026-04-01", "2026-03-17T23:59:59Z", None),
            (
                "2026-01-01",
                "2026-04-01",
                "2026-03-18T00:00:00Z",
                Some("due for rotation in 14 days"),
            ),
            ("2026-01-01", "2027-01-01", "2026-12-17T23:59:59Z", None),
            (
                "2026-01-01",
                "2027-01-01",
                "2026-12-18T00:00:00Z",
                Some("due for rotation in 14 days"),
            ),
            // A month of 30 days: five.
            ("2026-04-01", "2026-05-01", "2026-04-25T23:59:59Z", None),
            (
                "2026-04-01",
                "2026-05-01",
                "2026-04-26T00:00:00Z",
                Some("due for rotation in 5 days"),
            ),
            // A day: four hours.
            ("2026-04-01", "2026-04-02", "2026-04-01T19:59:59Z", None),
            (
                "2026-04-01",
                "2026-04-02",
                "2026-04-01T20:00:00Z",
                Some("due for rotation in 4 hours"),
            ),
            (
                "2026-04-01",
                "2026-04-02",
                "2026-04-01T23:00:01Z",
                Some("due for rotation within the hour"),
            ),
            // Made in the middle of a quarter, fifteen days before its turn.
            ("2026-03-17", "2026-04-01", "2026-03-29T11:59:59Z", None),
            (
                "2026-03-17",
                "2026-04-01",
                "2026-03-29T12:00:00Z",
                Some("due for rotation in 2 days"),
            ),
            (
                "2026-03-17",
                "2026-04-01",
                "2026-03-31T22:00:00Z",
                Some("due for rotation in 2 hours"),
            ),
        ] {
            let midnight = |day: &str| format!("{day}T00:00:00.000000Z");
            let found = due(&midnight(since), &midnight(due_at), now);
            assert_eq!(found.as_deref(), said, "{since} {due_at} {now}");
        }
    }

    #[test]
    fn a_key_is_overdue_from_the_second_on_in_which_it_is_due() {
        let at = "2026-04-01T00:00:00.000000Z";
        for (now, said) in [
            (at, "overdue for rotation"),
            ("2026-04-01T01:30:00Z", "overdue for rotation by 1 hour"),
            ("2026-04-03T12:00:00Z", "overdue for rotation by 2 days"),
        ] {
            assert_eq!(due("", at, now).as_deref(), Some(said));
        }
        // Without a time of activation, two weeks.
        assert!(due("", at, "2026-03-18T00:00:00Z").is_some());
    }

    #[test]
    fn a_key_that_seals_nothing_or_has_no_date_is_never_due() {
        let past = Some("2020-01-01T00:00:00Z");
        let now = "2026-01-01T00:00:00Z";
        for status in [
            KeyStatus::PreActive,
            KeyStatus::Suspended,
            KeyStatus::Deactivated,
        ] {
            assert_eq!(Due::of(&key(status, past), now), None);
        }
        assert_eq!(Due::of(&key(KeyStatus::Active, None), now), None);
    }

    #[test]
    fn a_time_that_cannot_be_read_is_never_taken_for_not_due() {
        for bad in [
            "",
            "soon",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01 00:00:00",
        ] {
            let unreadable = |due_at: &str, now: &str| {
                let due = Due::of(&key(KeyStatus::Active, Some(due_at)), now);
                assert_eq!(due, Some(Due::Unreadable), "{bad}");
            };
            unreadable(bad, "2026-01-01T00:00:00Z");
            unreadable("2026-01-01T00:00:00Z", bad);
        }
    }
}
