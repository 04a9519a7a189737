//! The kinds of work on rows. Each is a [`Step`](super::step::Step) of the one run loop, and owns
//! no paging, transactions or retries.

pub mod backfill;
pub mod clear;
pub mod reindex;
pub mod restore;
pub mod rotate;
pub mod verify;
