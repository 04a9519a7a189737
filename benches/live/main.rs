//! What an application feels of phiseal: `make bench-live`.
//!
//! A private PostgreSQL server with fsync on, a load that arrives whether or not the server answers,
//! at 20, 40 and 60 % of what the machine can take, and beside it the real program, which works in
//! every second slice of one run of the load. Then the same without the program, for the noise.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `PHISEAL_LIVE_ROWS` | rows of the table | 1000000 |
//! | `PHISEAL_LIVE_SECONDS` | seconds of a slice | 12 |
//! | `PHISEAL_LIVE_ONLY` | names of runs, `polite_20` or `idle` or `alone`, with commas between | all |
//! | `PHISEAL_LIVE_BEFORE` | an earlier program, whose throughput alone `fast` is compared with | none |
//! | `PHISEAL_LIVE_PROGRAM` | the program that is measured | that of this build |
//!
//! What is measured is written to target/bench; a whole run of at least a million rows also goes to
//! docs/BENCHMARKS.md and docs/benchmarks. `-- --test` runs a miniature, `-- pages` only writes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    reason = "a benchmark that cannot be set up has nothing to report; what is shared has more than is used here"
)]

#[path = "../compare/chart.rs"]
mod chart;
#[path = "../../tests/it/support/cluster.rs"]
mod cluster;
#[path = "../compare/common.rs"]
mod common;
mod engine;
mod figures;
#[path = "../compare/fixture.rs"]
mod fixture;
mod load;
#[path = "../compare/machine.rs"]
mod machine;
mod measure;
mod page;
#[path = "../compare/program.rs"]
mod program;
#[path = "../compare/record.rs"]
mod record;

use std::path::Path;

use common::{ROWS_WORTH_A_PAGE, named_in, number, save, setting, target};
use engine::Control;
use figures::{Live, Run};
use fixture::Fixture;
use measure::{Part, Size, plan};

/// What the server is started with, beside the defaults: one that an application might have.
/// Checkpoints and vacuums fall where they fall.
const SETTINGS: &[&str] = &[
    "shared_buffers=1GB",
    "max_wal_size=4GB",
    "shared_preload_libraries=pg_stat_statements",
];

/// The loads, in hundredths of saturation.
const LOADS: [u32; 3] = [20, 40, 60];
/// A slice shorter than this says little.
const SECONDS_WORTH_A_PAGE: u64 = 12;

/// As `--test` runs it: it shows that everything works, and its figures mean nothing.
const MINIATURE: Size = Size {
    rows: 2000,
    seconds: 3,
    slices: 2,
    slices_short: 0,
    saturated: 1,
    warm: 1,
    rounds: 1,
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    if has("--list") {
        return;
    }
    if has("pages") {
        return page::write(&target());
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if has("--test") {
        let live = runtime.block_on(measure_all(MINIATURE, &[20], None));
        check(&live);
        return;
    }
    let size = Size {
        rows: number("PHISEAL_LIVE_ROWS", ROWS_WORTH_A_PAGE),
        seconds: number("PHISEAL_LIVE_SECONDS", SECONDS_WORTH_A_PAGE),
        slices: 10,
        slices_short: 4,
        saturated: 15,
        warm: 5,
        rounds: 3,
    };
    let live = runtime.block_on(measure_all(size, &LOADS, Some(&target())));
    println!("\n{}", page::table(&live));
    println!("{}", record::marks_table(&live.marks()));
    let whole = setting("PHISEAL_LIVE_ONLY").is_none();
    if whole && size.rows >= ROWS_WORTH_A_PAGE && size.seconds >= SECONDS_WORTH_A_PAGE {
        page::write(&target());
    }
}

fn chosen(name: &str) -> bool {
    named_in("PHISEAL_LIVE_ONLY", name)
}

/// Measures all of it; after each run the record is written into the folder.
async fn measure_all(size: Size, loads: &[u32], folder: Option<&Path>) -> Live {
    let mut fixture = Fixture::start_with(SETTINGS);
    if let Some(program) = setting("PHISEAL_LIVE_PROGRAM") {
        fixture.program = program.into();
    }
    let control = Control::of(&fixture);
    fixture.template("clinic", &load::tables(size.rows)).await;
    let mut live = Live {
        rows: size.rows,
        slice_seconds: size.seconds,
        saturation: measure::saturation(&fixture, size).await,
        control: control.name().to_owned(),
        machine: machine::machine(),
        versions: machine::versions(&fixture).await,
        settings: fixture.settings().await.into_iter().collect(),
        ..Live::default()
    };
    println!("saturated at {:.0} transactions/s", live.saturation);
    let written = |live: &Live| {
        if let Some(folder) = folder {
            save(&folder.join("live.json"), live);
        }
    };
    for percent in loads {
        at_load(&fixture, control, *percent, size, &mut live).await;
        written(&live);
    }
    for (name, title, pace, command) in COMPARED {
        compared(
            &fixture,
            control,
            (name, title, pace, command),
            size,
            &mut live,
        )
        .await;
        written(&live);
    }
    if chosen("alone") {
        let mut kinds = vec![("polite", fixture.program.clone(), None)];
        if control == Control::Commands {
            kinds.push(("fast", fixture.program.clone(), Some("fast")));
        }
        if let Some(before) = setting("PHISEAL_LIVE_BEFORE") {
            kinds.push(("before", before.into(), None));
        }
        measure::alone(&mut fixture, &kinds, size, &mut live).await;
        written(&live);
    }
    live
}

/// With the engine at its default pace, and twice without it.
async fn at_load(fixture: &Fixture, control: Control, percent: u32, size: Size, live: &mut Live) {
    let polite = Part {
        name: format!("polite_{percent}"),
        title: "beside `phiseal backfill`",
        percent,
        command: Some("backfill"),
        slices: size.slices,
    };
    if !chosen(&polite.name) && !chosen("idle") {
        return;
    }
    let mut database = fixture.fresh("clinic", &plan(None)).await;
    let saturation = live.saturation;
    if chosen(&polite.name) {
        let run = measure::run(fixture, control, &mut database, polite, size, saturation).await;
        told(live, run);
    }
    for round in 1..=size.rounds.min(2) {
        if !chosen("idle") {
            break;
        }
        database.exec("VACUUM ANALYZE").await;
        database.exec("CHECKPOINT").await;
        let idle = Part {
            name: format!("idle_{percent}_{round}"),
            title: "no engine",
            percent,
            command: None,
            slices: size.slices,
        };
        let run = measure::run(fixture, control, &mut database, idle, size, saturation).await;
        told(live, run);
    }
}

/// A run for comparison: its name, what is said of it, its pace and its command.
type Compared = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

/// At the smallest load: what the pace is there for, and a rotation.
const COMPARED: [Compared; 2] = [
    (
        "fast_20",
        "beside `phiseal backfill` at `pace = \"fast\"`",
        Some("fast"),
        "backfill",
    ),
    ("rotate_20", "beside `phiseal rotate`", None, "rotate"),
];

async fn compared(
    fixture: &Fixture,
    control: Control,
    (name, title, pace, command): Compared,
    size: Size,
    live: &mut Live,
) {
    if !chosen(name) || size.slices_short == 0 {
        return;
    }
    if pace.is_some() && control == Control::Signals {
        println!("{name}: left out, this program has no paces");
        return;
    }
    let mut database = fixture.fresh("clinic", &plan(pace)).await;
    if command == "rotate" {
        // The open connection of the benchmark is no reason to go slowly before the load is there.
        let fast = (control == Control::Commands).then_some("fast");
        fixture.plan(&database.url(), &plan(fast));
        fixture.phiseal(&["backfill", "--json"]);
        fixture.plan(&database.url(), &plan(pace));
        database.exec("VACUUM ANALYZE").await;
        database.exec("CHECKPOINT").await;
    }
    let part = Part {
        name: name.to_owned(),
        title,
        percent: LOADS[0],
        command: Some(command),
        slices: size.slices_short,
    };
    let saturation = live.saturation;
    let run = measure::run(fixture, control, &mut database, part, size, saturation).await;
    told(live, run);
}

/// Says what came out of a run, and keeps it.
fn told(live: &mut Live, run: Run) {
    println!(
        "{:<12} {:>6.0} tx/s  p99 {:>8.2} ms, without {:>8.2} ms; {:>8.0} rows/s, {} commands",
        run.name,
        run.rate,
        run.working.p99,
        run.resting.p99,
        run.rows_per_second().unwrap_or_default(),
        run.commands
    );
    live.runs.push(run);
}

/// What a miniature must show: everything was measured, nothing was lost, and a page comes of it.
fn check(live: &Live) {
    for run in &live.runs {
        assert_eq!((run.failed, run.updates_lost), (0, 0), "{}", run.name);
        assert!(run.resting.transactions > 0, "{}: no load", run.name);
        assert!(run.working.transactions > 0, "{}: no load", run.name);
        let progress = run.rows_per_second();
        assert!(progress.is_none_or(|rows| rows > 0.0), "{}", run.name);
    }
    assert!(live.run("polite_20").is_some() && live.alone("polite").is_some());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/BENCHMARKS.md");
    let text = page::section(&std::fs::read_to_string(page).unwrap(), live);
    assert!(text.contains(&page::table(live)) && page::chart(live).contains("20 %"));
    println!("{}", page::table(live));
}
