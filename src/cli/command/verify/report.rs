//! The file of `verify --report`: the result of a verification with all that it found.
//! Owns its form (docs/CLI.md, "The report of verify"). Holds labels and tags of rows, never a value.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::new_file::NewFile;
use crate::engine::report::FAILURES_MAX;
use crate::engine::{Job, Tallied};
use crate::error::Fault;
use crate::foreign;
use crate::store::ServerFacts;

/// The version of the form.
const VERSION: u32 = 1;

/// A report that is being made. Dropped before it is written, it leaves no file.
pub struct Report {
    file: NewFile,
    begun: Timestamp,
}

impl Report {
    /// Creates the file before the work, so that hours of it are not lost.
    ///
    /// # Errors
    /// E0106 or E0108.
    pub fn begin(path: &Path) -> Result<Self, Fault> {
        Ok(Self {
            file: NewFile::create(path, 0o600)?,
            begun: Timestamp::now(),
        })
    }

    /// Writes the report; `result` is what `verify --json` prints.
    ///
    /// # Errors
    /// E0108.
    pub fn write(
        mut self,
        server: &ServerFacts,
        jobs: &[Job],
        done: &Tallied,
        result: &Value,
    ) -> Result<(), Fault> {
        let fields = jobs.iter().flat_map(|job| {
            let fields = job.fields.iter();
            fields.map(|field| json!({ "table": job.table.label, "column": field.label }))
        });
        let mut report = json!({
            "format": "phiseal verification",
            "version": VERSION,
            "program": concat!("phiseal ", env!("CARGO_PKG_VERSION")),
            "server": server.version,
            "role": server.role,
            "started_at": self.begun.to_string(),
            "finished_at": Timestamp::now().to_string(),
            "recorded": server.unrecorded().is_none(),
            "fields": fields.collect::<Vec<_>>(),
            "failures_complete": done.failures.len() < FAILURES_MAX,
        });
        if let (Some(report), Some(result)) = (report.as_object_mut(), result.as_object()) {
            report.extend(result.clone());
        }
        let text = format!("{report:#}\n");
        self.file.write(foreign::json(&text).as_bytes())?;
        self.file.finish()
    }
}
