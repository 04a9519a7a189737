//! The real program, started as an operator would start it, and killed as no operator should.
//! Owns the child processes. Their results are read from stdout, their progress goes to the demo's
//! own stderr. One that fails is told with its own message.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::stage::{Stage, URL_VARIABLE};
use crate::error::{Exit, Fault};
use crate::store::{Store, StoreError};

/// Between two looks at the lanes.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Whether what a command says on stderr is shown.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Bars and warnings.
    Shown,
    /// Commands that are over at once; their advice is about files that the demo removes.
    Hidden,
}

/// What a finished call said.
pub struct Answer {
    pub value: Value,
    pub seconds: f64,
}

impl Answer {
    /// One of its counts; 0 where it has none of that name.
    pub fn count(&self, name: &str) -> u64 {
        self.value.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Runs a command to its end. Rows that are left over (exit 6) are an answer, too.
pub async fn call(stage: &Stage, arguments: &[&str], progress: Progress) -> Result<Answer, Fault> {
    let begun = Instant::now();
    let mut slot = stage.child.lock().await;
    let child = slot.insert(start(stage, arguments, progress)?);
    let (status, stdout) = end(child).await?;
    *slot = None;
    let value = serde_json::from_str(&stdout).unwrap_or(Value::Null);
    let number = status.code().and_then(|code| u8::try_from(code).ok());
    if number == Some(Exit::Done.number())
        || number == Some(Exit::Unverified.number()) && value.get("error").is_none()
    {
        return Ok(Answer {
            value,
            seconds: begun.elapsed().as_secs_f64(),
        });
    }
    Err(failed(arguments, status, &value))
}

/// A backfill that was killed.
pub struct Killed {
    /// Rows committed by then, as the lanes say.
    pub rows: u64,
    pub seconds: f64,
}

/// Starts a backfill, and kills it once its lanes say that `past` rows of `rows` are committed.
pub async fn kill_backfill(
    stage: &Stage,
    store: &dyn Store,
    label: &str,
    past: u64,
    rows: u64,
) -> Result<Killed, Fault> {
    let begun = Instant::now();
    let arguments = ["backfill"];
    let mut slot = stage.child.lock().await;
    let child = slot.insert(start(stage, &arguments, Progress::Shown)?);
    while committed(store, label).await? < past {
        tokio::time::sleep(LOOK_EVERY).await;
        if child
            .try_wait()
            .map_err(|error| unstarted(&error))?
            .is_some()
        {
            break;
        }
    }
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        // It is ours and not waited for yet, so the number is still its own. If it just ended, the
        // signal does nothing, and the status says so.
        let _ = kill_process(pid, Signal::KILL);
    }
    let (status, stdout) = end(child).await?;
    *slot = None;
    let seconds = begun.elapsed().as_secs_f64();
    let value: Value = serde_json::from_str(&stdout).unwrap_or(Value::Null);
    if status.code().is_some_and(|code| code != 0) {
        return Err(failed(&arguments, status, &value));
    }
    let committed = settled(store, label).await?;
    if status.signal() != Some(Signal::KILL.as_raw()) || !(past..rows).contains(&committed) {
        return Err(Fault {
            code: "E0906",
            message:
                "the backfill had ended before it could be killed, so there is nothing to resume"
                    .to_owned(),
            hint: "run the demo again, or with more --rows".to_owned(),
            exit: Exit::Bug,
        });
    }
    Ok(Killed {
        rows: committed,
        seconds,
    })
}

fn start(stage: &Stage, arguments: &[&str], progress: Progress) -> Result<Child, Fault> {
    let program = std::env::current_exe().map_err(|error| unstarted(&error))?;
    Command::new(program)
        .arg("--plan")
        .arg(stage.plan_path())
        .arg("--json")
        .args(arguments)
        .env(URL_VARIABLE, stage.url().expose_secret())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(match progress {
            Progress::Shown => Stdio::inherit(),
            Progress::Hidden => Stdio::null(),
        })
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unstarted(&error))
}

async fn end(child: &mut Child) -> Result<(ExitStatus, String), Fault> {
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout
            .read_to_string(&mut said)
            .await
            .map_err(|error| unstarted(&error))?;
    }
    let status = child.wait().await.map_err(|error| unstarted(&error))?;
    Ok((status, said))
}

/// Rows that the lanes of the unfinished run say are committed.
async fn committed(store: &dyn Store, label: &str) -> Result<u64, StoreError> {
    let Some(run) = store.open_run(label).await? else {
        return Ok(0);
    };
    let lanes = store.lanes(run.run_id).await?;
    Ok(lanes
        .iter()
        .map(|lane| lane.tally.rows_written.unsigned_abs())
        .sum())
}

/// The same once no transaction of the killed process can still change it: PostgreSQL finishes a
/// COMMIT whose sender is gone.
async fn settled(store: &dyn Store, label: &str) -> Result<u64, StoreError> {
    let Some(run) = store.open_run(label).await? else {
        return Ok(0);
    };
    let mut rows = 0;
    for lane in store.lanes(run.run_id).await? {
        let lane = store.settle_lane(run.run_id, lane.lane_no).await?;
        rows += lane.tally.rows_written.unsigned_abs();
    }
    Ok(rows)
}

fn failed(arguments: &[&str], status: ExitStatus, value: &Value) -> Fault {
    let text = |key: &str| {
        let text = value.get("error").and_then(|error| error.get(key));
        text.and_then(Value::as_str).unwrap_or_default()
    };
    let exits = [
        Exit::Usage,
        Exit::Refused,
        Exit::Unreachable,
        Exit::Interrupted,
        Exit::Unverified,
        Exit::Keys,
        Exit::Held,
        Exit::NotConverging,
    ];
    let exit = exits
        .into_iter()
        .find(|exit| status.code() == Some(i32::from(exit.number())));
    Fault {
        code: "E0907",
        message: format!(
            "`phiseal {}` ended with {status} [{}]: {}",
            arguments.join(" "),
            text("code"),
            text("message")
        ),
        hint: match text("hint") {
            "" => "report this; --keep keeps the files".to_owned(),
            hint => hint.to_owned(),
        },
        exit: exit.unwrap_or(Exit::Bug),
    }
}

fn unstarted(error: &std::io::Error) -> Fault {
    Fault {
        code: "E0907",
        message: format!("the program cannot start itself: {}", error.kind()),
        hint: "see the limits of the process".to_owned(),
        exit: Exit::Bug,
    }
}
