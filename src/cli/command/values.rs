//! What `open` and `seal` share: rows from stdin, one value of each opened or sealed, rows to stdout.
//! Owns the stream: a bounded number of rows in memory, what a failure ends, fresh keys, the audit entries.
//! What a row is in JSON and in CSV is in `json_row` and `csv_row`, what is done with its value in `target`.
//! A row is written whole or not at all. No message holds a value; each names the line of its row.

mod csv_row;
mod error;
mod input;
mod json_row;
mod key_text;
mod row;
mod target;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use self::error::ValuesError;
use self::input::{Batch, Format, Record};
use self::row::{OneValue, Row};
use self::target::{Done, Target};
use crate::cli::args::{Global, Values};
use crate::cli::output::Output;
use crate::cli::session::{Session, actor};
use crate::cli::signal;
use crate::engine::Stop;
use crate::error::{Coded, Exit, Fault};
use crate::foreign::Foreign;
use crate::keys::{KeyProvider, Keyring};
use crate::plural::counted;
use crate::run::audit;
use crate::store::StoreError;

/// The age at which a long stream loads the keys again: a sealer seals nothing after a minute.
const KEYS_AGE_MAX: Duration = Duration::from_secs(45);

/// The age from which keys are loaded again for a value whose key is not known.
const KEYS_AGE_MIN: Duration = Duration::from_secs(1);

/// How many failed rows are named on stderr.
const NAMED_MAX: u64 = 20;

/// What is done with each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Sealed values are opened.
    Open,
    /// Plaintext is sealed.
    Seal,
}

impl Work {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Seal => "seal",
        }
    }
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    values: u64,
    nulls: u64,
    failed: u64,
}

pub async fn run(
    global: &Global,
    args: &Values,
    work: Work,
    output: Output,
) -> Result<Exit, Fault> {
    let [table] = global.table.as_slice() else {
        return Err(ValuesError::OneTable.into());
    };
    let named = named(&args.row)?;
    let session = session(global).await?;
    let server = session.server().await?;
    let provider = session.provider().await?;
    let records = session.store.key_records().await?;
    let keyring = Arc::new(Keyring::load(&records, provider.as_ref()).await?);
    let database = session.database(&server);
    let target = Target::find(&database, table, &args.column, &keyring).await?;
    let mut stream = Stream {
        session: &session,
        provider,
        keyring,
        target,
        work,
        marks: args.keep_going,
        output,
        counts: Counts::default(),
        noted: false,
    };
    let ended = match named.is_empty() {
        true => stream.rows().await,
        false => stream.one(&named).await,
    };
    stream.end(ended).await
}

/// The columns that `--row` names. They may be PHI, so that clap, which repeats what it refuses, does not
/// read them.
fn named(row: &[String]) -> Result<Vec<(String, String)>, ValuesError> {
    let named = row.iter().map(|text| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ValuesError::RowArgument),
    });
    named.collect()
}

/// The session. A file that may only be read is only read.
async fn session(global: &Global) -> Result<Session, Fault> {
    match Session::installed(global, false).await {
        Err(fault) if fault.code == StoreError::ReadOnly.code() => {
            Ok(Session::installed(&global.looking(), false).await?.0)
        }
        opened => Ok(opened?.0),
    }
}

/// A command at work.
struct Stream<'a> {
    session: &'a Session,
    provider: Arc<dyn KeyProvider>,
    keyring: Arc<Keyring>,
    target: Target,
    work: Work,
    /// Whether a row that fails is marked in the output, and does not end the stream.
    marks: bool,
    output: Output,
    counts: Counts,
    /// Whether the beginning was noted in the audit log.
    noted: bool,
}

impl Stream<'_> {
    /// Works on rows until stdin ends, a row fails or a signal comes.
    async fn rows(&mut self) -> Result<Exit, Fault> {
        let stop = Stop::default();
        signal::watch(&stop, self.output);
        let mut batches = input::start();
        let mut format = None;
        let mut out = Zeroizing::new(Vec::new());
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.requested() => return Ok(Exit::Interrupted),
                batch = batches.recv() => batch,
            };
            let Some(batch) = batch else { break };
            let batch = batch?;
            self.begin().await?;
            let format = format.get_or_insert_with(|| Format::of(&batch));
            let done = self.batch(format, &batch, &mut out).await;
            self.write(&out)?;
            done?;
            out.clear();
        }
        Ok(match self.counts.failed {
            0 => Exit::Done,
            _ => Exit::Unverified,
        })
    }

    /// Works on the rows of a batch, and appends to `out` what is to be written. On an error, those are
    /// the rows before the one that failed.
    async fn batch(
        &mut self,
        format: &mut Format,
        batch: &Batch,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        self.fresh_keys().await?;
        for record in &batch.records {
            let begun = out.len();
            let mut done = self.record(format, record, out);
            let unknown = matches!(&done, Err(error) if error.is_unknown_key());
            if unknown && self.keyring.age() > KEYS_AGE_MIN {
                // The key may have been made since the keys were loaded.
                self.load_keys().await?;
                done = self.record(format, record, out);
            }
            let Err(error) = done else { continue };
            out.truncate(begun);
            // Without the header of a CSV, no row can be read.
            if !self.marks || format.lacks_header() {
                return Err(at_line(record.line, &error));
            }
            self.failed(record.line, &error);
            format.write_failed(record, &self.target, self.work, error.code(), out);
        }
        Ok(())
    }

    /// One record: a row, or the header of a CSV.
    fn record(
        &mut self,
        format: &mut Format,
        record: &Record,
        out: &mut Vec<u8>,
    ) -> Result<(), ValuesError> {
        let Some(row) = format.read(record, &self.target, self.work, self.marks, out)? else {
            return Ok(());
        };
        let Done { results, is_null } = match self.work {
            Work::Open => self.target.open(row.as_ref())?,
            Work::Seal => self.target.seal(row.as_ref())?,
        };
        self.counts.nulls += u64::from(is_null);
        self.counts.values += u64::from(!is_null);
        row.write(self.target.source(self.work), &results, None, out);
        Ok(())
    }

    /// The one value on stdin, whose row the arguments name.
    async fn one(&mut self, named: &[(String, String)]) -> Result<Exit, Fault> {
        let value = input::whole()?;
        // Whoever types the value takes their time.
        self.fresh_keys().await?;
        self.begin().await?;
        let source = self.target.source(self.work).to_owned();
        let row = OneValue {
            source: source.clone(),
            value,
            named,
        };
        let mut out = Zeroizing::new(Vec::new());
        match self.work {
            Work::Open => {
                out.extend_from_slice(&self.target.open_bytes(&row)?);
                if !self.target.is_bytes() {
                    out.push(b'\n');
                }
            }
            Work::Seal => {
                let results = self.target.seal(&row)?.results;
                row.write(&source, &results, None, &mut out);
            }
        }
        self.counts.values = 1;
        self.write(&out)?;
        Ok(Exit::Done)
    }

    fn write(&self, out: &[u8]) -> Result<(), ValuesError> {
        let written = self.output.rows(out);
        written.map_err(|error| ValuesError::Output { kind: error.kind() })
    }

    async fn fresh_keys(&self) -> Result<(), Fault> {
        match self.keyring.age() > KEYS_AGE_MAX {
            true => self.load_keys().await,
            false => Ok(()),
        }
    }

    async fn load_keys(&self) -> Result<(), Fault> {
        let records = self.session.store.key_records().await?;
        let provider = self.provider.as_ref();
        Ok(self.keyring.refresh(&records, provider).await?)
    }

    /// Says which row failed, unless many have.
    fn failed(&mut self, line: u64, error: &ValuesError) {
        self.counts.failed += 1;
        if self.counts.failed <= NAMED_MAX {
            let (code, message) = (error.code(), error.message());
            self.output.say(&format!("line {line}: [{code}] {message}"));
        } else if self.counts.failed == NAMED_MAX + 1 {
            self.output
                .say("the rows that fail after these are counted, and not listed");
        }
    }

    /// Notes in the audit log that values are going to be opened or sealed, before the first is.
    async fn begin(&mut self) -> Result<(), Fault> {
        if self.noted {
            return Ok(());
        }
        self.noted = true;
        if !self.note("begin").await? {
            self.output
                .say("warning: not recorded in the audit log, which this login may not write to");
        }
        Ok(())
    }

    /// Says what was done, and notes it in the audit log.
    async fn end(self, ended: Result<Exit, Fault>) -> Result<Exit, Fault> {
        if !self.noted {
            return ended;
        }
        let Counts {
            values,
            nulls,
            failed,
        } = self.counts;
        let mut said = match self.work {
            Work::Open => format!("opened {}", counted(values, "value")),
            Work::Seal => format!("sealed {}", counted(values, "value")),
        };
        if nulls > 0 {
            said.push_str(&format!("; {nulls} NULL"));
        }
        if failed > 0 {
            said.push_str(&format!("; {} failed", counted(failed, "row")));
        }
        self.output.say(&said);
        let noted = self.note("end").await;
        match ended? {
            Exit::Interrupted => Err(Fault {
                code: "E0605",
                message: "interrupted".to_owned(),
                hint: "every row that was written is whole; run it again with the others"
                    .to_owned(),
                exit: Exit::Interrupted,
            }),
            exit => noted.map(|_| exit),
        }
    }

    /// Appends an entry to the audit log; `false` if the login may not.
    async fn note(&self, what: &str) -> Result<bool, Fault> {
        let mut subject = json!({
            "table": self.target.table_label(),
            "column": self.target.column_label(),
        });
        if what == "end" {
            subject["values"] = json!(self.counts.values);
            subject["failed"] = json!(self.counts.failed);
        }
        let action = format!("{}.{what}", self.work.word());
        let store = self.session.store.as_ref();
        match audit::append(store, &self.keyring, &actor(), &action, &subject).await {
            Ok(()) => Ok(true),
            Err(StoreError::Denied { .. } | StoreError::ReadOnly) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The failure of a row as that of the command.
fn at_line(line: u64, error: &ValuesError) -> Fault {
    Fault {
        code: error.code(),
        message: format!("line {line}: {}", error.message()),
        hint: Foreign(&error.hint()).to_string(),
        exit: error.exit(),
    }
}
