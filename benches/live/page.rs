//! The section of docs/BENCHMARKS.md and its chart, from the record.

use std::fs;
use std::path::Path;

use crate::chart::{Bar, bars, number};
use crate::common::{between, listed, newest, save};
use crate::figures::{Latency, Live, Run};
use crate::record::marks_table;

/// Writes section and chart from the record in `target`, or from the one that is committed.
pub fn write(target: &Path) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let charts = docs.join("benchmarks");
    let Some(live) = newest::<Live>(target, &charts, "live.json") else {
        eprintln!("nothing was measured yet");
        return;
    };
    save(&charts.join("live.json"), &live);
    fs::write(charts.join("live.svg"), chart(&live)).unwrap();
    let page = docs.join("BENCHMARKS.md");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, section(&text, &live)).unwrap();
    println!("written: {}", page.display());
}

/// The page with this record in it.
pub fn section(text: &str, live: &Live) -> String {
    let text = between(text, "live-conditions", &conditions(live));
    let chart = "\n![p99 of the application](benchmarks/live.svg)\n";
    let tables = format!("{}\n{}{}{chart}", table(live), noise(live), alone(live));
    let text = between(&text, "live", &tables);
    between(&text, "live-marks", &marks_table(&live.marks()))
}

fn conditions(live: &Live) -> String {
    format!(
        "{} rows, slices of {} s, stopped by {}. The machine takes {} transactions a second. {}. {}. Server: {}.\n",
        number(live.rows as f64),
        live.slice_seconds,
        live.control,
        number(live.saturation.round()),
        listed(&live.machine),
        listed(&live.versions),
        listed(&live.settings)
    )
}

/// Two lines for each run with the engine.
pub fn table(live: &Live) -> String {
    let mut out = "| load | transactions/s | | p50, ms | p95, ms | p99, ms | worst second, ms | p99, of that without | rows/s | in the slowest slice |\n\
                   | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for run in live.runs.iter().filter(|run| !run.is_idle()) {
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |v| format!("{v:.digits$}"))
        };
        out.push_str(&format!(
            "| {} % | {} | without | {} | | | |\n",
            run.percent,
            number(run.rate.round()),
            latency(&run.resting)
        ));
        out.push_str(&format!(
            "| | | {} | {} | {} | {} | {} |\n",
            run.title,
            latency(&run.working),
            cell(run.ratio(), 2),
            run.rows_per_second()
                .map_or(String::new(), |v| number(v.round())),
            run.least_progress()
                .map_or(String::new(), |v| number(v.round())),
        ));
    }
    out
}

fn latency(of: &Latency) -> String {
    format!(
        "{:.2} | {:.2} | {:.2} | {:.1}",
        of.p50, of.p95, of.p99, of.worst_second
    )
}

/// What the slices of runs without an engine differ by.
fn noise(live: &Live) -> String {
    let mut percents: Vec<u32> = live.runs.iter().map(|run| run.percent).collect();
    percents.sort_unstable();
    percents.dedup();
    let mut parts = Vec::new();
    for percent in percents {
        let runs: Vec<String> = live
            .idle(percent)
            .filter_map(|run| {
                let (odd, even) = (run.working.p99, run.resting.p99);
                Some(format!("{odd:.2} and {even:.2} ms ({:.2})", run.ratio()?))
            })
            .collect();
        if !runs.is_empty() {
            parts.push(format!("at {percent} % {}", runs.join(", then ")));
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!(
        "Noise: the same length with no engine at all, p99 of odd slices and of even ones, and their ratio: {}.\n",
        parts.join("; ")
    )
}

fn alone(live: &Live) -> String {
    if live.alone.is_empty() {
        return String::new();
    }
    let mut out = "\n| a whole backfill with nobody else there | rows/s, median | rounds |\n| --- | ---: | --- |\n".to_owned();
    for (name, rates) in &live.alone {
        let title = match name.as_str() {
            "before" => "the program before",
            "fast" => "`pace = \"fast\"`",
            _ => "the pace that is set without a word",
        };
        let rounds: Vec<String> = rates.iter().map(|rate| number(rate.round())).collect();
        out.push_str(&format!(
            "| {title} | {} | {} |\n",
            number(live.alone(name).unwrap_or_default().round()),
            rounds.join("; ")
        ));
    }
    out
}

/// p99 of each run, with and without.
pub fn chart(live: &Live) -> String {
    let bar = |run: &Run, name: &str, of: &Latency, ours: bool| Bar {
        name: format!("{} %, {name}", run.percent),
        value: of.p99,
        ours,
    };
    let all: Vec<Bar> = live
        .runs
        .iter()
        .filter(|run| !run.is_idle())
        .flat_map(|run| {
            [
                bar(run, "without", &run.resting, false),
                bar(run, &run.title, &run.working, true),
            ]
        })
        .collect();
    bars("p99 of the application's transactions, in ms", &all, " ms")
}
