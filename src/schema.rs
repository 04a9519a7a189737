//! The migrator, the migrations of our own tables, and the platforms' schemas.
//! Owns what is applied where, in what order, when undoing is refused, and how a database differs
//! from what its migrations make. Knows nothing of runs, keys or plan files.
//! A migration and its history row commit together or not at all, but for what takes no
//! transaction, where the history says how far it came; two migrators wait for each other.

mod adopt;
mod catalog;
mod drift;
mod engine;
mod error;
mod files;
mod folder;
mod history;
mod link;
mod markers;
mod migrations;
mod migrator;
mod names;
mod new_pair;
mod placeholders;
mod platform_sets;
mod postgres;
mod scratch;
mod script;
mod set;
mod sqlite;
mod version;

pub use adopt::Adopted;
pub use drift::{Difference, Drift};
pub use error::{Doing, MigrateError, Refusal};
pub use history::{MigrationState, MigrationStatus};
pub use link::Link;
pub use migrations::{Migrations, Planned, SetChoice};
pub use migrator::StepTold;
pub use new_pair::new_files;
pub use platform_sets::{PLATFORM_SETS, platform_plan};
pub use scratch::Scratch;
#[doc(hidden)]
pub use script::cut;
pub use set::{Allowed, Version};

#[cfg(test)]
mod tests;
