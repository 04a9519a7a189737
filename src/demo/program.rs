//! The real program, started as an operator would start it, and killed as no operator should.
//! Owns the child processes. Their results are read from stdout, their progress goes to the demo's
//! own stderr. One that fails is told with its own message.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::stage::{KEY_VARIABLE, SET_URL_VARIABLE, Stage, URL_VARIABLE};
use crate::cli::output::Output;
use crate::cli::progress::FOR_PEOPLE;
use crate::error::{Exit, Fault, io_fault};
use crate::store::{RunRecord, Store, StoreError};

/// Nobody waits for another application of the server during a demo.
pub const BACKFILL: [&str; 3] = ["backfill", "--pace", "fast"];
pub const VERIFY: [&str; 3] = ["verify", "--pace", "fast"];

/// More tables than any set has.
const RUNS_MAX: u32 = 1_000;

/// Between two looks at the lanes.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Whether what a command says on stderr is shown.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Bars and warnings.
    Shown,
    /// A line a table. The warnings are of every table of a set, and its plan file was written
    /// with them in mind.
    Lines(Output),
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
    let told = tell(child, progress);
    let (status, stdout) = end(child, told).await?;
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

/// Whose rows are counted.
pub enum Watched<'a> {
    /// Those of one table.
    One(&'a dyn Store, &'a str),
    /// Those of every table; no run but the backfills may have been.
    All(&'a dyn Store),
}

/// Starts a backfill, and kills it once its lanes say that `past` rows of `rows` are committed.
pub async fn kill_backfill(
    stage: &Stage,
    watched: &Watched<'_>,
    progress: Progress,
    past: u64,
    rows: u64,
) -> Result<Killed, Fault> {
    let begun = Instant::now();
    let arguments = BACKFILL;
    let mut slot = stage.child.lock().await;
    let child = slot.insert(start(stage, &arguments, progress)?);
    let told = tell(child, progress);
    while watched.committed().await? < past {
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
    let (status, stdout) = end(child, told).await?;
    *slot = None;
    let seconds = begun.elapsed().as_secs_f64();
    let value: Value = serde_json::from_str(&stdout).unwrap_or(Value::Null);
    if status.code().is_some_and(|code| code != 0) {
        return Err(failed(&arguments, status, &value));
    }
    let committed = watched.settled().await?;
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
        .args(match progress {
            Progress::Shown => stage.passed_on.as_slice(),
            // Nobody sees it, or only as text within a line of the demo's own.
            Progress::Lines(_) | Progress::Hidden => &[],
        })
        .args(arguments)
        .env(URL_VARIABLE, stage.url().expose_secret())
        .env(SET_URL_VARIABLE, stage.url().expose_secret())
        .env(KEY_VARIABLE, stage.key_path())
        .env(FOR_PEOPLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(match progress {
            Progress::Shown => Stdio::inherit(),
            Progress::Lines(_) => Stdio::piped(),
            Progress::Hidden => Stdio::null(),
        })
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unstarted(&error))
}

/// Passes lines on as they come, but for warnings and their hints.
fn tell(child: &mut Child, progress: Progress) -> Option<JoinHandle<()>> {
    let Progress::Lines(output) = progress else {
        return None;
    };
    let mut lines = BufReader::new(child.stderr.take()?).lines();
    Some(tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if !line.starts_with("warning[") && !line.starts_with("  hint:") {
                output.say(&format!("    {line}"));
            }
        }
    }))
}

async fn end(
    child: &mut Child,
    told: Option<JoinHandle<()>>,
) -> Result<(ExitStatus, String), Fault> {
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout
            .read_to_string(&mut said)
            .await
            .map_err(|error| unstarted(&error))?;
    }
    let status = child.wait().await.map_err(|error| unstarted(&error))?;
    if let Some(told) = told {
        // It ends with the program; what it said is no result.
        let _ = told.await;
    }
    Ok((status, said))
}

impl Watched<'_> {
    async fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        match self {
            Self::One(store, label) => Ok(store.open_run(label).await?.into_iter().collect()),
            Self::All(store) => store.runs(RUNS_MAX).await,
        }
    }

    fn store(&self) -> &dyn Store {
        match self {
            Self::One(store, _) | Self::All(store) => *store,
        }
    }

    /// Rows that the lanes say are committed.
    async fn committed(&self) -> Result<u64, StoreError> {
        let mut rows = 0;
        for run in self.runs().await? {
            rows += match self {
                Self::One(store, _) => {
                    let lanes = store.lanes(run.run_id).await?;
                    lanes
                        .iter()
                        .map(|lane| lane.tally.rows_written.unsigned_abs())
                        .sum()
                }
                Self::All(_) => run.tally.rows_written.unsigned_abs(),
            };
        }
        Ok(rows)
    }

    /// The same once no transaction of the killed process can still change it: PostgreSQL finishes
    /// a COMMIT whose sender is gone.
    async fn settled(&self) -> Result<u64, StoreError> {
        let store = self.store();
        let mut rows = 0;
        for run in self.runs().await? {
            for lane in store.lanes(run.run_id).await? {
                let lane = store.lane_after_commit(run.run_id, lane.lane_no).await?;
                rows += lane.tally.rows_written.unsigned_abs();
            }
        }
        Ok(rows)
    }
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
        message: format!(
            "the program cannot start itself: {}",
            io_fault::words(error)
        ),
        hint: "see the limits of the process".to_owned(),
        exit: Exit::Bug,
    }
}
