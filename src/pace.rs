//! How much of the server a run takes, in one word.
//! Owns the words, which stand in the plan file, on the command line and in `pace_requests`.

use crate::words::word_enum;

word_enum! {
    /// How much of the server a run takes.
    Pace {
        /// Rests so that the application's latency stays; full speed while nobody else is active.
        Polite = "polite",
        /// Never rests.
        Fast = "fast",
        /// Polite within a window of the day, stopped outside.
        Windowed = "windowed",
    }
}

word_enum! {
    /// What an operator asks of running runs.
    PaceRequestKind {
        /// Stop, until the request is withdrawn.
        Pause = "pause",
        /// Go at another pace than the plan's, for a time.
        Speed = "speed",
    }
}
