//! What is stored about runs: lanes, checkpoints and the audit chain.
//! Owns the records of work in progress, through the `Store` trait. Knows nothing of what a step
//! does with a row. A cursor that may be PHI is sealed before it is stored, and a worker writes in
//! a lane only under the lane's fence.

pub mod audit;
pub mod checkpoint;
pub mod holder;
