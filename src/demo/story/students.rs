//! `phiseal demo`: made-up students are sealed, the program is killed and resumes, and every value is
//! opened again. Needs no server, no configuration and no network.
//! Owns the order of events and what is said about each.

use std::time::Instant;

use indicatif::HumanCount;
use serde_json::json;

use super::outcome::Outcome;
use super::{Story, kill_and_resume, make_keys, verify};
use crate::cli::args::Global;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::demo::program::{Answer, Killed, Progress, Watched, call};
use crate::demo::reader::{self, Compared, Reader};
use crate::demo::stage::Stage;
use crate::demo::students;
use crate::error::{Exit, Fault};
use crate::plural::counted;

/// Students stored in one transaction.
const CLASS: i64 = 5_000;
/// Without the scrub, which is for a file of the demo's own: on a server it would rewrite what is
/// everybody's.
const STEPS: u32 = 8;

pub async fn play(
    stage: &Stage,
    global: &Global,
    rows: u32,
    output: Output,
) -> Result<Played, Fault> {
    let mut story = Story::new(output, STEPS + u32::from(stage.is_file()));

    story.begin("make up the students and store them in plaintext");
    let values = enroll(stage, i64::from(rows)).await?;
    story.end(&format!(
        "{} rows, {} values to seal in 4 columns",
        HumanCount(rows.into()),
        HumanCount(values)
    ));

    story.begin("phiseal keys new-wrapping-key, migrate up, keys create");
    make_keys(stage).await?;
    let session = Session::open(&stage.global(global), true).await?;
    story.end("a data key to seal with and one to search by, both wrapped");

    let label = session
        .plan
        .tables
        .first()
        .map(|table| table.name.label())
        .unwrap_or_default();
    let watched = Watched::One(session.store.as_ref(), &label);
    let shown = Progress::Shown;
    let (killed, resumed) =
        kill_and_resume(&mut story, stage, &watched, shown, rows.into()).await?;
    let verify = verify(
        &mut story,
        stage,
        shown,
        ": open every value, compare it with its plaintext where that is left",
    )
    .await?;

    story.begin(
        "open every value as an application would, compare it with the student made up again",
    );
    let keyring = &session.tenants().await?.keyring;
    let reader = Reader::new(keyring, &label)?;
    let compared = reader.compare(stage, rows.into()).await?;
    story.end(&format!(
        "{} of {} identical, byte for byte",
        HumanCount(compared.identical),
        HumanCount(values)
    ));

    story.begin("look at one row, and find it by its number");
    show(stage, &reader, rows.into(), &mut story).await?;
    remove_plaintext(stage, &mut story).await?;
    Ok(Played {
        rows: rows.into(),
        values,
        killed,
        resumed,
        verify,
        compared,
    })
}

/// Makes the table and stores the students. Returns how many values there are to seal.
async fn enroll(stage: &Stage, rows: i64) -> Result<u64, Fault> {
    let mut school = stage.school().await?;
    school.build().await.map_err(|error| {
        let mut fault = Fault::from(error);
        if fault.exit == Exit::Refused {
            fault.hint =
                "give the role CREATE on the database, or leave --database-url out".to_owned();
        }
        fault
    })?;
    let mut values = 0;
    let mut first = 1;
    while first <= rows {
        let last = rows.min(first + CLASS - 1);
        let class: Vec<_> = (first..=last).map(students::student).collect();
        values += class.iter().map(students::values).sum::<u64>();
        school.enroll(&class).await?;
        first = last + 1;
    }
    school.analyze().await?;
    school.close().await;
    Ok(values)
}

/// Removes the plaintext from the table, and then from the files. Nobody writes to the demo's table, so
/// it need not be looked at first.
async fn remove_plaintext(stage: &Stage, story: &mut Story) -> Result<(), Fault> {
    story.begin("phiseal finalize: verify every value again, then drop the plaintext columns");
    let finalize = [
        "finalize",
        "--pace",
        "fast",
        "--observe",
        "0s",
        "--grace",
        "0s",
        "--yes",
    ];
    call(stage, &finalize, Progress::Hidden).await?;
    story.end("no plaintext is left in the table; phiseal restore would bring it back");
    if !stage.is_file() {
        return Ok(());
    }
    story.begin("phiseal scrub: write the files anew, and search them for what was plaintext");
    call(stage, &["scrub", "--yes"], Progress::Hidden).await?;
    story.end("none is found in them");
    Ok(())
}

async fn show(stage: &Stage, reader: &Reader, rows: i64, story: &mut Story) -> Result<(), Fault> {
    let Some(model) = reader::model(rows) else {
        return Ok(());
    };
    let mut school = stage.school().await?;
    let shown = reader.show(&mut school, model.id).await?;
    story.text(&format!("student {} (synthetic)\n{shown}\n", model.id));
    let ssn = model.ssn.unwrap_or_default();
    let typed = ssn.replace('-', " ");
    let (sql, found) = reader.find(&mut school, &typed).await?;
    school.close().await;
    story.text(&format!("number typed as {typed}, stored as {ssn}\n{sql}"));
    for (id, first_name, last_name) in &found {
        story.text(&format!("{id} | {first_name} | {last_name}"));
    }
    story.end(&format!("{} found", counted(found.len(), "row")));
    Ok(())
}

/// What happened.
pub struct Played {
    rows: u64,
    values: u64,
    killed: Killed,
    resumed: Answer,
    verify: Answer,
    compared: Compared,
}

impl Played {
    /// The result, and the exit code it deserves.
    pub fn tell(&self, output: Output, files: &str, begun: Instant) -> Exit {
        let outcome = Outcome {
            rows: self.rows,
            values: self.values,
            verified: self.compared.identical,
            also_verified: self.verify.count("values_verified"),
            failed: self.compared.failed,
            killed: &self.killed,
            resumed: &self.resumed,
            verify: &self.verify,
        };
        let of = json!({ "rows": self.rows });
        let lines = [
            ("rows", HumanCount(self.rows).to_string()),
            (
                "values",
                format!("{} sealed in 4 columns", HumanCount(self.values)),
            ),
        ];
        outcome.tell(output, of, &lines, files, begun)
    }
}
