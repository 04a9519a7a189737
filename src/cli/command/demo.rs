//! `phiseal demo`: made-up students are sealed, the program is killed and resumes, and every value
//! is opened again. Needs no server, no configuration and no network; with `--set` the tables are
//! those of a migration set, on a server.
//! Owns the order of events and what is said about each. The work is done by the real program,
//! started anew for each command, with a plan file and a key file like any other's.

mod program;
mod reader;
mod set;
mod stage;
mod story;
mod students;

use std::time::Instant;

use indicatif::HumanCount;
use serde_json::json;

use super::work::{per_second, rounded};
use crate::cli::args::{Demo, Global};
use crate::cli::columns;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::error::{Exit, Fault};
use program::{Answer, Killed, Progress, Watched, call, kill_backfill};
use reader::{Compared, Reader};
use stage::Stage;
use story::Story;

/// The backfill is killed once so many of a hundred rows are committed.
const KILL_AT_PERCENT: u64 = 55;
/// Students stored in one transaction.
const CLASS: i64 = 5_000;
const STEPS: u32 = 7;

/// Rows where `--rows` gives none: of students, of each table of a set.
const STUDENTS: u32 = 100_000;
const ROWS_OF_A_TABLE: u32 = 1_000;
/// Fewer students are sealed before anybody could kill it.
const STUDENTS_MIN: u32 = 2_000;

pub async fn run(global: &Global, args: &Demo, output: Output) -> Result<Exit, Fault> {
    let begun = Instant::now();
    if let Some(set) = &args.set {
        let rows = args.rows.unwrap_or(ROWS_OF_A_TABLE);
        let stage = Stage::for_set(global, set)?;
        output.say(&format!(
            "phiseal demo: the set {set}, {} rows a table, all of them synthetic ({})",
            HumanCount(rows.into()),
            stage.named()
        ));
        let played = unless_interrupted(set::play(&stage, global, set, rows, output)).await;
        let (played, files) = cleared(stage, args.keep, output, played).await?;
        return Ok(played.tell(output, &files, begun));
    }
    let rows = args.rows.unwrap_or(STUDENTS);
    if rows < STUDENTS_MIN {
        return Err(too_few(rows));
    }
    let stage = Stage::set(global, rows)?;
    output.say(&format!(
        "phiseal demo: {} students, all of them synthetic ({})",
        HumanCount(rows.into()),
        stage.named()
    ));
    let played = unless_interrupted(play(&stage, global, rows, output)).await;
    let (played, files) = cleared(stage, args.keep, output, played).await?;
    Ok(played.tell(output, &files, begun))
}

async fn unless_interrupted<T>(play: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::select! {
        biased;
        () = interrupted() => Err(Fault {
            code: "E0605",
            message: "interrupted".to_owned(),
            hint: "the demo begins anew next time".to_owned(),
            exit: Exit::Interrupted,
        }),
        played = play => played,
    }
}

/// Removes all that the demo made, however it ended. Says where what is kept is.
async fn cleared<T>(
    stage: Stage,
    keep: bool,
    output: Output,
    played: Result<T, Fault>,
) -> Result<(T, String), Fault> {
    match (played, stage.clear(keep).await) {
        (Ok(played), Ok(files)) => Ok((played, files)),
        (Ok(_), Err(fault)) | (Err(fault), Ok(_)) => Err(fault),
        (Err(fault), Err(also)) => {
            output.say(&also.to_string());
            Err(fault)
        }
    }
}

/// As clap says it of a number out of range.
fn too_few(rows: u32) -> Fault {
    Fault {
        code: "E0101",
        message: format!(
            "invalid value '{rows}' for '--rows <N>': {rows} is not in {STUDENTS_MIN}..=10000000"
        ),
        hint: "see `phiseal --help`, or `phiseal COMMAND --help`".to_owned(),
        exit: Exit::Usage,
    }
}

/// SIGINT or SIGTERM. Without handlers it never comes, and a signal ends the program at once.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
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

async fn play(stage: &Stage, global: &Global, rows: u32, output: Output) -> Result<Played, Fault> {
    let mut story = Story::new(output, STEPS);

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

    story.begin("phiseal backfill, to be killed on the way");
    let label = session
        .plan
        .tables
        .first()
        .map(|table| table.name.label())
        .unwrap_or_default();
    let past = u64::from(rows) * KILL_AT_PERCENT / 100;
    let watched = Watched::One(session.store.as_ref(), &label);
    let killed = kill_backfill(stage, &watched, Progress::Shown, past, rows.into()).await?;
    story.after_bar();
    story.end(&format!(
        "killed (SIGKILL) with {} rows committed",
        HumanCount(killed.rows)
    ));

    story.begin("phiseal backfill, the same command again");
    let resumed = call(stage, &["backfill"], Progress::Shown).await?;
    story.end(&format!(
        "resumed, {} more rows",
        HumanCount(resumed.count("rows_sealed"))
    ));

    story.begin(
        "phiseal verify: open every value, compare it with its plaintext where that is left",
    );
    let verify = call(stage, &["verify"], Progress::Shown).await?;
    story.end(&format!(
        "{} values opened, {} failed",
        HumanCount(verify.count("values_verified")),
        verify.count("failed") + verify.count("unsealed")
    ));

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
    Ok(Played {
        rows: rows.into(),
        values,
        killed,
        resumed,
        verify,
        compared,
    })
}

/// Makes the wrapping key, our own tables, and the data keys.
async fn make_keys(stage: &Stage) -> Result<(), Fault> {
    let key_path = stage.key_path();
    call(
        stage,
        &["keys", "new-wrapping-key", &key_path.to_string_lossy()],
        Progress::Hidden,
    )
    .await?;
    call(stage, &["migrate", "up"], Progress::Hidden).await?;
    call(stage, &["keys", "create"], Progress::Hidden).await?;
    Ok(())
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
    story.end(&format!("{} found", columns::counted(found.len(), "row")));
    Ok(())
}

/// What happened.
struct Played {
    rows: u64,
    values: u64,
    killed: Killed,
    resumed: Answer,
    verify: Answer,
    compared: Compared,
}

impl Played {
    /// The result, and the exit code it deserves.
    fn tell(&self, output: Output, files: &str, begun: Instant) -> Exit {
        let by_program = self.verify.count("failed") + self.verify.count("unsealed");
        let met = self
            .compared
            .identical
            .min(self.verify.count("values_verified"));
        let failed = by_program
            .max(self.compared.failed)
            .max(self.values.saturating_sub(met));
        let resumed_at = self.rows.saturating_sub(self.resumed.count("rows_sealed"));
        // From the start of the first backfill to its death, and of the second to its end.
        let seconds = self.killed.seconds + self.resumed.seconds;
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let rows_per_second = per_second(rows, seconds);
        let value = json!({
            "rows": self.rows,
            "values": self.values,
            "verified": self.compared.identical,
            "failed": failed,
            "seconds": rounded(seconds),
            "rows_per_second": rows_per_second,
            "killed_at": self.killed.rows,
            "resumed_at": resumed_at,
        });
        let seamless = resumed_at == self.killed.rows;
        let how = if seamless {
            "nothing lost, nothing sealed twice"
        } else {
            "not where it was killed"
        };
        let lines = [
            ("rows", HumanCount(self.rows).to_string()),
            (
                "values",
                format!("{} sealed in 4 columns", HumanCount(self.values)),
            ),
            (
                "killed at",
                format!("{} rows", HumanCount(self.killed.rows)),
            ),
            (
                "resumed at",
                format!("{} rows: {how}", HumanCount(resumed_at)),
            ),
            (
                "verified",
                format!(
                    "{} of {}, {} failed",
                    HumanCount(self.compared.identical),
                    HumanCount(self.values),
                    HumanCount(failed)
                ),
            ),
            (
                "sealing",
                format!(
                    "{seconds:.1} s, {} rows/s",
                    indicatif::HumanFloatCount(rows_per_second)
                ),
            ),
            ("in all", format!("{:.1} s", begun.elapsed().as_secs_f64())),
            ("files", files.to_owned()),
        ];
        // Results may go elsewhere than the story.
        output.say("");
        output.result(&value, &columns::properties(&lines));
        if failed == 0 && seamless {
            Exit::Done
        } else {
            Exit::Unverified
        }
    }
}
