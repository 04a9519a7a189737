//! How far a long run of migrations came: a line now and then, on stderr.

use std::time::{Duration, Instant};

use crate::cli::output::Output;
use crate::schema::Version;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(2);

/// Says how many are done, but no more often than every two seconds.
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
