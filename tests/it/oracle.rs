//! The oracle: judges sealed values from the written format alone.
//! Shares no code with the program and uses another crypto library (ring), so that a mistake in the
//! one is not repeated in the other. Reads the databases; never writes to them.

mod audit;
mod check;
mod format;
mod judged;
mod load;
mod normalise;
mod row_key;
mod seal;
mod vectors;

pub use audit::check_log;
pub use check::{Checked, FieldCheck, NonceLedger};
pub use format::{Cell, Key, blind_index, wrapping_key};
pub use load::{Keys, Sealed, Source};
pub use row_key::{KeyPart, row_key};
pub use seal::{seal, wrap_key};
pub use vectors::vectors;
