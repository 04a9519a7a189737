//! SIGINT and SIGTERM: the first asks the run to stop after the current batch, the second ends the
//! program at once. Neither loses data.

use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use crate::engine::Stop;
use crate::error::{Exit, Fault};

/// Turns signals into a request to stop.
pub fn watch(stop: &Stop, output: Output) {
    let stop = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut requested = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if requested {
                std::process::exit(i32::from(Exit::Interrupted.number()));
            }
            requested = true;
            stop.request();
            output.say("stopping after the current batch; a second signal quits immediately");
        }
    });
}

/// Does the work, or gives it up at the first signal: E0605, with this hint.
///
/// # Errors
/// The interruption, or what the work says.
pub async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Fault>>,
    hint: &str,
) -> Result<T, Fault> {
    tokio::select! {
        biased;
        () = interrupted() => Err(Fault {
            code: "E0605",
            message: "interrupted".to_owned(),
            hint: hint.to_owned(),
            exit: Exit::Interrupted,
        }),
        done = work => done,
    }
}

/// SIGINT or SIGTERM. Without handlers it never comes, and a signal ends the program at once.
pub async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
