//! The progress of a long run of migrations: a line on stderr from time to time.

use std::time::{Duration, Instant};

use crate::cli::output::Output;
use crate::schema::Version;

/// The least time between two lines.
const PAUSE: Duration = Duration::from_secs(2);

/// Prints how many migrations are done, at most every two seconds.
pub(super) fn lines(output: Output) -> impl FnMut(Version) + Send + use<> {
    let mut count = 0_usize;
    let mut said = Instant::now();
    move |_| {
        count += 1;
        if said.elapsed() >= PAUSE {
            output.say(&format!("{count} migrations done"));
            said = Instant::now();
        }
    }
}
