//! The integration tests: one binary, so that one private PostgreSQL cluster serves them all.
//! They drive the real program against real databases, and judge what it wrote with an oracle that
//! shares no code with it. `support` is the fixture they stand on, `harness` tests that fixture.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that cannot go on fails loudly, and a scenario is read from top to bottom"
)]

mod arrows;
mod backfill;
mod bad_input;
mod bench_live;
mod cli_docs;
mod command_line;
mod compare;
mod crash;
mod ddl;
mod demo;
mod dump;
mod ensure_tools;
mod error_docs;
mod examples;
mod faulty;
mod finalize;
mod finding;
mod foreign_text;
mod guard;
mod harness;
mod keys;
mod ledger;
mod limits;
mod live;
mod migrate;
mod neighbour;
mod network;
mod odd;
mod ops;
mod oracle;
mod ordinary;
mod pace;
mod patients;
mod places;
mod pooler;
mod preflight;
mod restore;
mod rights;
mod rotate;
mod rows;
mod schemas;
mod screens;
mod scripts;
mod scrub;
mod support;
mod tls;
mod trust;
mod upgrade;
mod verify;
mod waits;
