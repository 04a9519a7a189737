//! One run of the load, cut into slices; and whole backfills with nobody else there.

use std::time::{Duration, Instant, SystemTime};

use crate::engine::{Control, Engine, is_amid, rows_written};
use crate::figures::{Live, Run, Slice};
use crate::fixture::{Database, Fixture};
use crate::load::{self, LOST, Load};

/// How often somebody looks whether the engine still has something to do.
const LOOK: Duration = Duration::from_millis(50);

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Size {
    /// Rows of the table.
    pub rows: u64,
    /// Seconds of a slice.
    pub seconds: u64,
    /// Slices of a run.
    pub slices: u32,
    /// Slices of a run that is there for comparison; 0 for no such run.
    pub slices_short: u32,
    /// Seconds for which the machine is saturated.
    pub saturated: u64,
    /// Seconds of load before anything is looked at.
    pub warm: u64,
    /// Whole backfills of each kind.
    pub rounds: u32,
}

impl Size {
    /// Seconds left out at each edge of a slice.
    pub fn edge(&self) -> f64 {
        (self.seconds as f64 / 6.0).min(1.0)
    }
}

/// What is measured.
pub struct Part {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub title: &'static str,
    /// The load, in hundredths of saturation.
    pub percent: u32,
    /// The first command of the engine; `None` without one.
    pub command: Option<&'static str>,
    /// Into how many slices the run is cut.
    pub slices: u32,
}

/// The plan for this pace; that of the program where `None`.
pub fn plan(pace: Option<&str>) -> String {
    let run = pace.map_or(String::new(), |pace| format!("[run]\npace = \"{pace}\"\n"));
    format!(
        "{run}[[table]]\nname = \"public.patients\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n"
    )
}

/// Runs the load once, and the engine in every second slice.
pub async fn run(
    fixture: &Fixture,
    control: Control,
    database: &mut Database<'_>,
    part: Part,
    size: Size,
    saturation: f64,
) -> Run {
    let rate = saturation * f64::from(part.percent) / 100.0;
    let most = size.warm + u64::from(part.slices) * (size.seconds + 60) + 300;
    let load = Load::start(&database.url(), size.rows, rate, most);
    tokio::time::sleep(Duration::from_secs(size.warm)).await;
    let mut engine = part
        .command
        .map(|command| Engine::new(fixture, control, command));
    if let Some(engine) = &mut engine {
        engine.start(database).await;
    }
    let mut slices = Vec::new();
    for at in 0..part.slices {
        slices.push(slice(&mut engine, database, at % 2 == 1, size.seconds).await);
    }
    if let Some(engine) = &mut engine {
        engine.stop();
    }
    let (transactions, failed) = load.finish();
    let mut run = Run {
        name: part.name,
        title: part.title.to_owned(),
        percent: part.percent,
        rate,
        slices,
        commands: engine.as_ref().map_or(0, |engine| engine.commands),
        slowest_reaction: engine.map_or(0.0, |engine| engine.slowest_reaction),
        failed,
        updates_lost: database.number(&format!("SELECT {LOST}")).await as i64,
        ..Run::default()
    };
    run.fill(&transactions, size.edge());
    run
}

/// One slice, from the moment at which the engine has gone on or stopped.
async fn slice(
    engine: &mut Option<Engine<'_>>,
    database: &mut Database<'_>,
    odd: bool,
    seconds: u64,
) -> Slice {
    let working = odd && engine.is_some();
    match engine {
        Some(engine) if working => engine.resume(),
        Some(engine) => engine.pause(database).await,
        None => {}
    }
    let begun = Standing::of(engine.as_ref(), database).await;
    let begin = now();
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if let Some(engine) = engine.as_mut().filter(|_| working) {
            engine.keep_going();
        }
        tokio::time::sleep(LOOK).await;
    }
    let end = now();
    let ended = Standing::of(engine.as_ref(), database).await;
    Slice {
        working,
        begin,
        end,
        whole: begun.amid && ended.amid && begun.commands == ended.commands,
        rows: ended.rows - begun.rows,
        p99_ms: 0.0,
    }
}

/// How far the engine is; nowhere without one.
#[derive(Default)]
struct Standing {
    commands: u32,
    amid: bool,
    rows: u64,
}

impl Standing {
    async fn of(engine: Option<&Engine<'_>>, database: &mut Database<'_>) -> Self {
        let Some(engine) = engine else {
            return Self::default();
        };
        Self {
            commands: engine.commands,
            amid: is_amid(database).await,
            rows: rows_written(database).await,
        }
    }
}

/// Seconds since 1970, as pgbench writes them.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// Whole backfills of fresh tables with nobody else there, each kind in each round: the program and
/// its pace.
pub async fn alone(
    fixture: &mut Fixture,
    kinds: &[(&str, std::path::PathBuf, Option<&str>)],
    size: Size,
    live: &mut Live,
) {
    let ours = fixture.program.clone();
    for round in 0..size.rounds as usize {
        for at in 0..kinds.len() {
            let (name, program, pace) = &kinds[(at + round) % kinds.len()];
            fixture.program.clone_from(program);
            // Another session would be a reason to begin slowly.
            fixture.fresh("clinic", &plan(*pace)).await.close().await;
            let ran = fixture.phiseal(&["backfill", "--json"]);
            let rate = size.rows as f64 / ran.seconds;
            println!("alone, {name:<8} {:>8.2} s {rate:>9.0} rows/s", ran.seconds);
            live.alone.entry((*name).to_owned()).or_default().push(rate);
        }
    }
    fixture.program = ours;
}

/// Transactions a second that the machine can take with this table and nobody else.
pub async fn saturation(fixture: &Fixture, size: Size) -> f64 {
    let database = fixture.fresh("clinic", "").await;
    load::saturation(&database.url(), size.rows, size.saturated)
}
