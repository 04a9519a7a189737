//! The operator commands, as an operator runs them: the real program on both databases, every
//! result and every refusal with its exit code.

mod audit;
mod bench;
mod ground;
mod init;
mod keys;
mod migrate;
mod quarantine;
mod status;
