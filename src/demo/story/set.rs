//! `phiseal demo --set`: the tables of a migration set are built, filled, sealed and verified in a
//! database made for it.
//! Owns the order of events and what is said about each. The migrator, the backfill and the
//! verification are the real program, with the plan file that the set comes with.

use std::time::Instant;

use indicatif::HumanCount;
use secrecy::ExposeSecret;
use serde_json::json;

use super::outcome::Outcome;
use super::{Story, kill_and_resume, make_keys, verify};
use crate::cli::args::Global;
use crate::cli::columns::{self, Column, Cut};
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::demo::program::{Answer, Killed, Progress, Watched, call};
use crate::demo::rows::{Filled, SEED, SampleSet};
use crate::demo::stage::Stage;
use crate::error::{Exit, Fault};
use crate::ident::Ident;
use crate::plan::{Plan, SealTo, TablePlan};

const STEPS: u32 = 7;
/// Characters of a value that are shown.
const SHOWN: i32 = 44;

fn names(plan: &Plan) -> String {
    let columns: usize = plan.tables.iter().map(|table| table.columns.len()).sum();
    let tables = plan.tables.len();
    format!("the plan names {columns} PHI columns of {tables} tables")
}

pub async fn play(
    stage: &Stage,
    global: &Global,
    set: &str,
    rows: u32,
    output: Output,
) -> Result<Played, Fault> {
    let mut story = Story::new(output, STEPS);
    let lines = Progress::Lines(output);

    story.begin(&format!(
        "phiseal init --set {set}, migrate up --set {set}, in an empty database"
    ));
    // The plan first: where the set is unknown, no database is made.
    call(stage, &["init", "--set", set], Progress::Hidden).await?;
    stage.make_database().await?;
    call(stage, &["migrate", "up", "--set", set], lines).await?;
    let session = Session::open(&stage.global(global), true).await?;
    let plan = &session.plan;
    story.end(&names(plan));

    story.begin("make up rows for every table, and store them in plaintext");
    let (filled, before) = fill(stage, plan, rows as usize).await?;
    let in_all: u64 = filled.iter().map(|table| table.rows).sum();
    story.end(&format!(
        "{} rows in {} tables, {} values to seal in {} of them",
        HumanCount(in_all),
        filled.len(),
        HumanCount(before.values),
        HumanCount(before.rows)
    ));

    story.begin("phiseal keys new-wrapping-key, migrate up, keys create");
    make_keys(stage).await?;
    story.end("a data key to seal with and one to search by, both wrapped");

    let watched = Watched::All(session.store.as_ref());
    let (killed, resumed) =
        kill_and_resume(&mut story, stage, &watched, lines, before.rows).await?;
    let verify = verify(
        &mut story,
        stage,
        lines,
        ": open every value, compare it with its plaintext",
    )
    .await?;

    story.begin("count by SQL what is sealed, and look at one row");
    let mut sample = open(stage).await?;
    let after = count(&mut sample, plan, sealed).await?;
    if let Some(shown) = look(&mut sample, plan).await? {
        story.text(&shown);
    }
    sample.close().await;
    story.end(&format!(
        "{} of {} values have their sealed one beside them",
        HumanCount(after.values),
        HumanCount(before.values)
    ));
    Ok(Played {
        set: set.to_owned(),
        filled,
        before,
        sealed: after.values,
        killed,
        resumed,
        verify,
    })
}

/// Rows with at least one value, and their values.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    rows: u64,
    values: u64,
}

async fn open(stage: &Stage) -> Result<SampleSet, Fault> {
    Ok(SampleSet::open(stage.url().expose_secret()).await?)
}

async fn fill(stage: &Stage, plan: &Plan, rows: usize) -> Result<(Vec<Filled>, Counted), Fault> {
    let mut sample = open(stage).await?;
    let filled = sample.fill(rows, SEED, &mut |_| {}).await?;
    let counted = count(&mut sample, plan, plaintext).await?;
    sample.close().await;
    Ok((filled, counted))
}

fn plaintext(table: &TablePlan) -> Vec<Ident> {
    let columns = table.columns.iter();
    columns.map(|column| column.name.clone()).collect()
}

fn sealed(table: &TablePlan) -> Vec<Ident> {
    let columns = table.columns.iter();
    columns
        .map(|column| match &column.target {
            SealTo::Beside(sealed) => sealed.clone(),
            SealTo::InPlace => column.name.clone(),
        })
        .collect()
}

async fn count(
    sample: &mut SampleSet,
    plan: &Plan,
    of: fn(&TablePlan) -> Vec<Ident>,
) -> Result<Counted, Fault> {
    let mut counted = Counted::default();
    for table in &plan.tables {
        let (rows, values) = sample.count(&table.name, &of(table)).await?;
        counted.rows += rows;
        counted.values += values.iter().sum::<u64>();
    }
    Ok(counted)
}

/// A row of the plan's first table, as it was and as it is sealed.
async fn look(sample: &mut SampleSet, plan: &Plan) -> Result<Option<String>, Fault> {
    let Some(table) = plan.tables.first() else {
        return Ok(None);
    };
    let (plain, sealed) = (plaintext(table), sealed(table));
    let both: Vec<Ident> = plain.iter().chain(&sealed).cloned().collect();
    let Some(values) = sample.look(&table.name, &both, SHOWN).await? else {
        return Ok(None);
    };
    let (was, is) = values.split_at(plain.len().min(values.len()));
    let rows: Vec<Vec<String>> = plain
        .iter()
        .zip(was.iter().zip(is))
        .map(|(column, (was, is))| vec![column.label(), was.clone(), is.clone()])
        .collect();
    let columns = [
        Column::always("COLUMN", Cut::Middle),
        Column::always("PLAINTEXT", Cut::End),
        Column::always("SEALED", Cut::End),
    ];
    Ok(Some(format!(
        "a row of {} (synthetic)\n{}\n",
        table.name.label(),
        columns::table(&columns, &rows, screen::columns())
    )))
}

/// What happened.
pub struct Played {
    set: String,
    filled: Vec<Filled>,
    before: Counted,
    /// Values with a sealed one beside them, by SQL.
    sealed: u64,
    killed: Killed,
    resumed: Answer,
    verify: Answer,
}

impl Played {
    /// The result, and the exit code it deserves.
    pub fn tell(&self, output: Output, files: &str, begun: Instant) -> Exit {
        let in_all: u64 = self.filled.iter().map(|table| table.rows).sum();
        let verified = self.verify.count("values_verified");
        let outcome = Outcome {
            rows: self.before.rows,
            values: self.before.values,
            verified,
            also_verified: self.sealed,
            failed: 0,
            killed: &self.killed,
            resumed: &self.resumed,
            verify: &self.verify,
        };
        let of = json!({
            "set": self.set,
            "tables": self.filled.len(),
            "rows": in_all,
            "rows_sealed": self.before.rows,
        });
        let human = |count: u64| HumanCount(count).to_string();
        let lines = [
            ("set", self.set.clone()),
            (
                "rows",
                format!("{} in {} tables", human(in_all), self.filled.len()),
            ),
            (
                "values",
                format!(
                    "{} in {} rows",
                    human(self.before.values),
                    human(self.before.rows)
                ),
            ),
        ];
        outcome.tell(output, of, &lines, files, begun)
    }
}
