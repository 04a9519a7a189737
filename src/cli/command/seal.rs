//! `phiseal seal`: seals values that come from stdin, and makes their blind indexes. Writes nothing into
//! the table.

use super::values::{self, Work};
use crate::cli::args::{Global, Values};
use crate::cli::output::Output;
use crate::error::{Exit, Fault};

pub async fn run(global: &Global, args: &Values, output: Output) -> Result<Exit, Fault> {
    values::run(global, args, Work::Seal, output).await
}
