//! `phiseal status`: what runs now, what is due, and what needs a person, on one screen; each list of it as
//! a table of its own. Needs no wrapping key, so that a monitor can run it.

mod details;
mod object;
mod overview;
mod watch;

use std::collections::HashSet;

use serde_json::Value;

pub use details::{fields_text, quarantine_text, runs_text};
pub use object::run_object;

use super::tables;
use crate::cli::args::{Global, Status, StatusPart};
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::engine::health::{Depth, Health, Reason};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// Shows how the tables are, once or again and again.
///
/// # Errors
/// Errors of the store, and a table that the plan does not name.
pub async fn run(global: &Global, args: &Status, output: Output) -> Result<Exit, Fault> {
    let (session, _, labels) = tables::listing(global).await?;
    let look = Look {
        session,
        labels,
        part: args.part,
        depth: depth(args, output),
    };
    if args.watch {
        return watch::run(&look, args.interval, output).await;
    }
    let seen = look.at_present().await?;
    let text = match args.check {
        true => seen.wrong(),
        false => seen.text(screen::columns(), screen::size().map(|size| size.lines - 1)),
    };
    output.result(&seen.object(), &text);
    Ok(match args.check && !seen.reasons.is_empty() {
        true => Exit::Attention,
        false => Exit::Done,
    })
}

/// How much has to be gathered for what is shown.
fn depth(args: &Status, output: Output) -> Depth {
    let shows_lists = output.is_json() || args.part.is_some();
    match (args.census, shows_lists && !args.watch) {
        (true, _) => Depth::Census,
        (false, true) => Depth::Lists,
        (false, false) if args.part == Some(StatusPart::Quarantine) => Depth::Lists,
        (false, false) => Depth::Counts,
    }
}

/// What is looked at, and how.
struct Look {
    session: Session,
    labels: Option<HashSet<String>>,
    part: Option<StatusPart>,
    depth: Depth,
}

impl Look {
    /// How everything is now.
    async fn at_present(&self) -> Result<Seen, Fault> {
        let server = self.session.server().await?;
        let database = self.session.database(&server);
        let health = Health::gather(&database, self.labels.as_ref(), self.depth).await?;
        Ok(Seen {
            reasons: health.reasons(),
            health,
            part: self.part,
        })
    }
}

/// How everything was when it was looked at.
struct Seen {
    health: Health,
    reasons: Vec<Reason>,
    part: Option<StatusPart>,
}

impl Seen {
    fn object(&self) -> Value {
        let attention: Vec<String> = self.reasons.iter().map(Reason::to_string).collect();
        object::object(&self.health, &attention, self.part)
    }

    /// The overview or one part, within so many columns and lines of a terminal.
    fn text(&self, columns: Option<usize>, lines: Option<usize>) -> String {
        match self.part {
            None => overview::text(&self.health, &self.reasons, columns, lines),
            Some(part) => details::text(&self.health, part, columns),
        }
    }

    /// What needs a person, one line each, and nothing else.
    fn wrong(&self) -> String {
        let lines = self.reasons.iter().map(Reason::to_string);
        let lines: Vec<String> = lines.map(|line| Foreign(&line).to_string()).collect();
        lines.join("\n")
    }
}
