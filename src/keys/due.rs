//! How near a key's rotation is.
//! Owns the notice given beforehand. Asks no clock: both times are the database server's, so that
//! all hosts agree.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::key::KeyRecord;
use super::lifecycle::KeyStatus;

/// How long before its rotation a key is called due, in days.
pub const NOTICE_DAYS: i64 = 14;

const DAY_HOURS: i64 = 24;
const NOTICE: SignedDuration = SignedDuration::from_hours(NOTICE_DAYS * DAY_HOURS);

/// What is to be said of an active key's rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Due in so many whole days, at most [`NOTICE_DAYS`].
    Soon(i64),
    /// Due since so many whole days.
    Overdue(i64),
    /// One of the times is not as the server writes them, so nobody knows.
    Unreadable,
}

impl Due {
    /// Whether `record` is due for rotation at `now`; `None` where it is not, or seals nothing.
    ///
    /// `now` is the server's, RFC 3339 in UTC, as is `rotation_due_at`.
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
        let days = left.as_hours() / DAY_HOURS;
        if left <= SignedDuration::ZERO {
            Some(Self::Overdue(-days))
        } else {
            (left <= NOTICE).then_some(Self::Soon(days))
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soon(0) => f.write_str("due for rotation within a day"),
            Self::Soon(1) => f.write_str("due for rotation in 1 day"),
            Self::Soon(days) => write!(f, "due for rotation in {days} days"),
            Self::Overdue(0) => f.write_str("overdue for rotation"),
            Self::Overdue(1) => f.write_str("overdue for rotation by 1 day"),
            Self::Overdue(days) => write!(f, "overdue for rotation by {days} days"),
            Self::Unreadable => f.write_str("due for rotation at a time that cannot be read"),
        }
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

    fn due(due_at: &str, now: &str) -> Option<Due> {
        Due::of(&key(KeyStatus::Active, Some(due_at)), now)
    }

    #[test]
    fn a_key_is_due_from_fourteen_days_before_and_overdue_from_the_second_on() {
        let at = "2026-04-01T00:00:00.000000Z";
        assert_eq!(due(at, "2026-03-17T23:59:59Z"), None);
        assert_eq!(due(at, "2026-03-18T00:00:00Z"), Some(Due::Soon(14)));
        assert_eq!(due(at, "2026-03-31T00:00:01Z"), Some(Due::Soon(0)));
        assert_eq!(due(at, at), Some(Due::Overdue(0)));
        assert_eq!(due(at, "2026-04-03T12:00:00Z"), Some(Due::Overdue(2)));
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
            assert_eq!(
                due(bad, "2026-01-01T00:00:00Z"),
                Some(Due::Unreadable),
                "{bad}"
            );
            assert_eq!(
                due("2026-01-01T00:00:00Z", bad),
                Some(Due::Unreadable),
                "{bad}"
            );
        }
    }
}
