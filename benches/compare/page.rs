//! The page: tables between markers of docs/BENCHMARKS.md, and charts beside it, from the records.

use std::fs;
use std::path::Path;

use crate::chart::{Bar, Line, bars, lines, number};
use crate::common::{between, listed, newest, save};
use crate::contestants::CONTESTANTS;
use crate::growth::Growth;
use crate::record::{Mark, Record, marks_table};

/// Writes all pages from the records in `target`, or where one is missing from that of the page as it
/// stands.
pub fn write_all(target: &Path) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let charts = docs.join("benchmarks");
    fs::create_dir_all(&charts).unwrap();
    let record: Option<Record> = newest(target, &charts, "compare.json");
    let growth: Option<Growth> = newest(target, &charts, "growth.json");
    let page = docs.join("BENCHMARKS.md");
    let mut text = fs::read_to_string(&page).unwrap();
    if let Some(record) = &record {
        save(&charts.join("compare.json"), record);
        fs::write(charts.join("rows-per-second.svg"), rates(record)).unwrap();
        text = between(&text, "conditions", &conditions(record));
        text = between(&text, "table", &table(record));
        text = between(&text, "shares", &shares(record));
        text = between(&text, "marks", &marks(record, growth.as_ref()));
    }
    if let Some(growth) = &growth {
        save(&charts.join("growth.json"), growth);
        for (name, svg) in growth_charts(growth) {
            fs::write(charts.join(format!("growth-{name}.svg")), svg).unwrap();
        }
        text = between(&text, "growth", &growth_table(growth));
        text = between(&text, "billion", &billion(growth));
    }
    fs::write(&page, text).unwrap();
    println!("written: {}", page.display());
}

fn conditions(record: &Record) -> String {
    format!(
        "{} rows, {} rounds. {}. {}. Server: {}.\n",
        number(record.rows as f64),
        record.rounds,
        listed(&record.machine),
        listed(&record.versions),
        listed(&record.settings)
    )
}

/// A line for each contestant.
pub fn table(record: &Record) -> String {
    let mut out = "| | rows | seconds | rows/s | of its floor | processor, µs a row: server | its own | log, bytes a row | peak memory, MB |\n\
                   | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for one in &CONTESTANTS {
        let name = one.name;
        if let Some(why) = record.skipped.get(name) {
            out.push_str(&format!(
                "| {} | skipped: {why} | | | | | | | |\n",
                one.title
            ));
            continue;
        }
        let Some(seconds) = record.median(name, |s| Some(s.seconds)) else {
            continue;
        };
        let rows = record.median(name, |s| Some(s.rows as f64));
        let ratio = (Record::floor_of(name) != name)
            .then(|| record.ratio(name, Record::floor_of(name)))
            .flatten();
        let wal = record.median(name, |s| Some(s.wal_bytes? as f64 / s.rows as f64));
        let peak = record.median(name, |s| Some(s.peak_bytes? as f64 / 1e6));
        let micros = |seconds: Option<f64>, rows: u64| Some(seconds? * 1e6 / rows as f64);
        let server = record.median(name, |s| micros(s.server_cpu_seconds, s.rows));
        let own = record.median(name, |s| micros(s.cpu_seconds, s.rows));
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |v| format!("{v:.digits$}"))
        };
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            one.title,
            number(rows.unwrap_or_default()),
            cell(Some(seconds), 1),
            number(record.rate(name).unwrap_or_default().round()),
            cell(ratio, 2),
            cell(server, 1),
            cell(own, 1),
            cell(wal, 0),
            cell(peak, 0),
        ));
    }
    out
}

fn shares(record: &Record) -> String {
    let mut out = "| | % of the run |\n| --- | ---: |\n".to_owned();
    for (name, share) in &record.shares {
        out.push_str(&format!("| {name} | {share:.1} |\n"));
    }
    out
}

/// A line for each goal.
pub fn marks(record: &Record, growth: Option<&Growth>) -> String {
    let mut all = record.marks();
    if let Some(growth) = growth {
        let rate = |rows| growth.rate("rows", "phiseal", rows);
        if let (Some(large), Some(small)) = (rate(10_000_000), rate(1_000_000)) {
            all.push(Mark::at_least(
                "rows/s at 10,000,000 rows, of that at 1,000,000",
                large / small,
                0.9,
            ));
        }
    }
    marks_table(&all)
}

fn rates(record: &Record) -> String {
    let all: Vec<Bar> = CONTESTANTS
        .iter()
        .filter(|one| !one.short.is_empty())
        .filter_map(|one| {
            Some(Bar {
                name: one.short.to_owned(),
                value: record.rate(one.name)?.round(),
                ours: one.title.contains("phiseal"),
            })
        })
        .collect();
    bars(
        &format!("Rows a second, {} students", number(record.rows as f64)),
        &all,
        "",
    )
}

fn growth_charts(growth: &Growth) -> Vec<(&'static str, String)> {
    let line = |chart: &str, name: &str, y: &dyn Fn(f64, u64) -> f64| Line {
        name: name.to_owned(),
        points: growth
            .xs(chart, name)
            .into_iter()
            .filter_map(|x| Some((x as f64, y(growth.rate(chart, name, x)?, x))))
            .collect(),
    };
    let both = |chart: &str| -> Vec<Line> {
        ["phiseal", "plain UPDATE"]
            .into_iter()
            .map(|name| line(chart, name, &|rate, _| rate))
            .filter(|line| !line.points.is_empty())
            .collect()
    };
    let values = [line("values", "phiseal", &|rate, size| {
        rate * size as f64 / 1e6
    })];
    [
        (
            "rows",
            lines(
                "A table of more rows",
                "rows",
                "rows a second",
                true,
                &both("rows"),
            ),
        ),
        (
            "lanes",
            lines(
                "More lanes",
                "lanes",
                "rows a second",
                false,
                &both("lanes"),
            ),
        ),
        (
            "columns",
            lines(
                "More columns at once",
                "columns",
                "rows a second",
                true,
                &both("columns"),
            ),
        ),
        (
            "values",
            lines(
                "Larger values",
                "bytes a value",
                "MB of plaintext a second",
                true,
                &values,
            ),
        ),
    ]
    .into_iter()
    .filter(|(_, svg)| !svg.is_empty())
    .collect()
}

fn growth_table(growth: &Growth) -> String {
    let mut out = "| | | phiseal, rows/s | plain `UPDATE`, rows/s | MB/s | log, bytes a row | growth, bytes a row | peak memory, MB |\n\
                   | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for chart in ["rows", "lanes", "columns", "values"] {
        for x in growth.xs(chart, "phiseal") {
            let Some(point) = growth.point(chart, x) else {
                continue;
            };
            let rate = growth.rate(chart, "phiseal", x).unwrap_or_default();
            let plain = growth.rate(chart, "plain UPDATE", x);
            out.push_str(&format!(
                "| {chart} | {} | {} | {} | {:.1} | {} | {} | {:.0} |\n",
                number(x as f64),
                number(rate.round()),
                plain.map_or(String::new(), |rate| number(rate.round())),
                rate * point.bytes as f64 / point.rows as f64 / 1e6,
                number((point.wal_bytes as f64 / point.rows as f64).round()),
                number((point.grown_bytes as f64 / point.rows as f64).round()),
                point.peak_bytes.unwrap_or_default() as f64 / 1e6,
            ));
        }
    }
    out
}

/// What a thousand million rows would cost, at the rates of the largest table that was measured.
fn billion(growth: &Growth) -> String {
    const ROWS: f64 = 1e9;
    let largest = growth.xs("rows", "phiseal").pop();
    let point = largest.and_then(|x| growth.point("rows", x));
    let Some(point) = point else {
        return String::new();
    };
    let rate = point.rows as f64 / point.seconds;
    let each = |bytes: u64| bytes as f64 / point.rows as f64;
    format!(
        "At the {} rows/s of {} rows, 1,000,000,000 rows take {:.1} hours, write {:.2} TB of log \
         ({} bytes a row) and let the table and its indexes grow by {:.2} TB ({} bytes a row) until VACUUM.\n",
        number(rate.round()),
        number(point.rows as f64),
        ROWS / rate / 3600.0,
        each(point.wal_bytes) * ROWS / 1e12,
        number(each(point.wal_bytes).round()),
        each(point.grown_bytes) * ROWS / 1e12,
        number(each(point.grown_bytes).round()),
    )
}
