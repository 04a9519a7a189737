//! `phiseal backfill`: every value it seals is opened by the oracle, and must be what the database
//! itself says the value was; nothing else of the table may have changed.

mod follow;
mod in_place;
mod row_keys;
mod second_runs;
mod sqlite;
mod tenants_and_indexes;
pub mod types;

/// The part of a plan for one table whose columns are all sealed beside, as `C_sealed`.
pub fn beside(table: &str, columns: &[&str]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("[[table.column]]\nname = \"{c}\"\nseal_into = \"{c}_sealed\"\n"))
        .collect();
    format!("[[table]]\nname = \"{table}\"\n{}", columns.concat())
}
