//! A run: its lanes, its checkpoints, its place in the audit chain.
//! Owns what is written down about work in progress, on the `Store` trait. Knows nothing of what a
//! step does with a row.
//! A cursor that may be PHI is sealed before it is stored, and a lane is worked on only under its
//! fence.

pub mod audit;
pub mod checkpoint;
pub mod holder;
