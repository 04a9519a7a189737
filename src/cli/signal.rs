//! SIGINT and SIGTERM: the first asks the run to stop after the batch at hand, the second ends the
//! program at once. Both are safe; the first is tidy.

use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use crate::engine::Stop;
use crate::error::Exit;

/// Turns signals into the wish to stop.
pub fn watch(stop: &Stop, output: Output) {
    let stop = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut wished = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if wished {
                std::process::exit(i32::from(Exit::Interrupted.number()));
            }
            wished = true;
            stop.wish();
            output.say("stopping after the batch at hand; once more stops at once");
        }
    });
}
