//! `phiseal keys`: the wrapping key and the data keys. No command here shows a data key.

mod check;
mod compromise;
mod create;
pub(super) mod destroy;
mod lifecycle;
pub(super) mod list;
mod rewrap;
mod wrapping_key;

use crate::cli::args::{Global, Keys};
use crate::cli::output::Output;
use crate::error::{Exit, Fault};

pub async fn run(global: &Global, args: &Keys, output: Output) -> Result<Exit, Fault> {
    match args {
        Keys::NewWrappingKey { path } => wrapping_key::run(path, output),
        Keys::Create(wish) => create::run(global, wish, output).await,
        Keys::List => list::all(global, output).await,
        Keys::Show { key_id } => list::one(global, *key_id, output).await,
        Keys::Check => check::run(global, output).await,
        Keys::Rewrap(args) => rewrap::run(global, args, output).await,
        Keys::Suspend(args) => lifecycle::suspend(global, args, output).await,
        Keys::Resume(args) => lifecycle::resume(global, args, output).await,
        Keys::Compromise(args) => compromise::run(global, args, output).await,
        Keys::Destroy(args) => destroy::run(global, args, output).await,
    }
}
