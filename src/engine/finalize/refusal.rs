//! Why a finalize does not go on. No message holds a value.

use crate::error::coded;
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::Dependent;

coded! {
    /// Why a finalize stops before its end.
    #[derive(Debug, thiserror::Error)]
    pub enum FinalizeError, exit: Refused {
        /// Plaintext is there that is not sealed.
        Unsealed {
            /// The table's label.
            table: String,
            /// Rows.
            rows: u64,
            /// Who was seen writing to the table meanwhile.
            writers: Vec<String>,
        } = "E0610"("{table}: {} with plaintext that is not sealed{}", counted(*.rows, "row"), seen(.writers)),
            hint: unsealed_hint(writers);
        /// Rows are in quarantine.
        Quarantined {
            /// The table's label.
            table: String,
            /// Their tags.
            tags: Vec<String>,
        } = "E0611"("{table}: {} in quarantine, and the plaintext may be the only copy: {}",
            counted(.tags.len() as u64, "row"), some(.tags)), exit: Unverified,
            hint: "see `phiseal quarantine list`; correct the rows and run `phiseal quarantine retry` and `phiseal backfill`, or \
                name each row whose values may be lost: `--give-up TAG`";
        /// Objects depend on a plaintext column.
        Dependents {
            /// The table's label.
            table: String,
            /// What is in the way.
            objects: Vec<Dependent>,
        } = "E0612"("{table}: {} on a plaintext column\n{}", depend(.objects.len()), listed(.objects)),
            hint: "remove or change each of them first; phiseal never drops an object of the application",
            lines: true;
        /// A verification found values that are not what they should be.
        NotVerified {
            /// The table's label.
            table: String,
            /// Values that do not open, or are not what they should be.
            failed: u64,
            /// Plaintext values that are not sealed.
            unsealed: u64,
        } = "E0613"("{table}: {} not open or not what it should be, {} not sealed: the plaintext stays",
            does(*.failed), counted(*.unsealed, "value")), exit: Unverified,
            hint: "`phiseal verify` lists them; the columns stay frozen: correct the values and run the command again, or \
                `phiseal finalize --undo`";
        /// The server's statistics still show values of a blanked column.
        StatisticsShow {
            /// The table's label.
            table: String,
            /// The columns.
            columns: Vec<String>,
        } = "E0614"("{table}: the server's statistics still show values of {}", some(.columns)), exit: Unverified,
            hint: "run ANALYZE on the table as its owner, then run the command again";
        /// The plaintext was removed already.
        Removed {
            /// The table's label.
            table: String,
        } = "E0615"("{table}: the plaintext is gone, which cannot be undone"),
            hint: "`phiseal restore` decrypts it into the column again, as long as its keys exist";
        /// A finalize of the table is not finished.
        Unfinished {
            /// The table's label.
            table: String,
            /// The phase that comes next.
            phase: String,
        } = "E0616"("a finalize of {table} is not finished (next: {phase})"), exit: Held,
            hint: "`phiseal finalize` goes on with it, `phiseal finalize --undo` gives the column back";
        /// The guard or a constraint changed each time that it was verified.
        Unsteady {
            /// The table's label.
            table: String,
        } = "E0617"("{table}: its guard or a constraint of phiseal was changed while it was finalized, several times"),
            exit: NotConverging,
            hint: "find who disables triggers or changes the table meanwhile, then run the command again";
    }
}

/// How many names a message gives; it counts the others.
const NAMED_MAX: usize = 5;

fn some(names: &[String]) -> String {
    let shown: Vec<String> = (names.iter().take(NAMED_MAX))
        .map(|name| Foreign(name).to_string())
        .collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{}, {more} more", shown.join(", ")),
    }
}

fn seen(writers: &[String]) -> String {
    match writers {
        [] => String::new(),
        writers => format!("; written meanwhile by {}", some(writers)),
    }
}

fn unsealed_hint(writers: &[String]) -> String {
    match writers {
        [] => "`phiseal backfill` seals it; if it comes back, an application still writes plaintext".to_owned(),
        _ => "an application still writes plaintext: let it write the sealed value only (docs/adopting.md), then run the \
              command again; until then `phiseal backfill --follow` seals what it writes"
            .to_owned(),
    }
}

fn depend(objects: usize) -> String {
    match objects {
        1 => "1 object depends".to_owned(),
        n => format!("{n} objects depend"),
    }
}

fn does(failed: u64) -> String {
    match failed {
        1 => "1 value does".to_owned(),
        n => format!("{n} values do"),
    }
}

/// One line for each object, and its statement below.
fn listed(objects: &[Dependent]) -> String {
    let lines = objects.iter().map(|one| {
        let drop = one
            .drop
            .as_ref()
            .map_or_else(String::new, |sql| format!("\n    {}", Foreign(sql)));
        format!(
            "  {} {} (column {}){drop}",
            one.kind,
            Foreign(&one.name),
            Foreign(&one.column)
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
