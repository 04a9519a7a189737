//! What databases go through in ordinary life, at random: tables renamed, moved, archived, detached, copied;
//! guards disabled, dropped, made again; dumps restored; plans mistyped; and between them applications that
//! write, and the program's commands. Whatever is refused: after every command no sealed value is without
//! its key, no stale seal goes unreported, and nothing that a command says is contradicted by the oracle.
//!
//! `PHISEAL_DDL_SECONDS` is how long it goes on. A failing sequence prints its seed and its steps;
//! `PHISEAL_DDL_SEED` runs that one sequence again.

mod app;
mod commands;
mod draw;
mod model;
mod postgres;
mod sqlite;
mod tables;
mod whole;
mod world;

use draw::Draw;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use world::{Fault, World};

/// Sequences that run beside each other.
const BESIDE: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Postgres,
    Sqlite,
}

#[tokio::test]
async fn random_changes_of_a_postgres_database_lose_no_value_and_hide_no_stale_seal() {
    sequences(On::Postgres, 12).await;
}

#[tokio::test]
async fn random_changes_of_a_sqlite_file_lose_no_value_and_hide_no_stale_seal() {
    sequences(On::Sqlite, 6).await;
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number")),
    )
}

async fn sequences(on: On, seconds: u64) {
    if let Some(seed) = number("PHISEAL_DDL_SEED") {
        return sequence(on, seed).await.unwrap_or_else(|e| panic!("{e}"));
    }
    // Every change is judged by the same sequences, the first ones; `make soak` goes where none has been.
    let asked = number("PHISEAL_DDL_SECONDS");
    let mut first = [1, 0, 0, 0];
    if asked.is_some() {
        getrandom::fill(&mut first).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(asked.unwrap_or(seconds));
    let next = Arc::new(AtomicU64::new(u64::from(u32::from_le_bytes(first))));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..BESIDE {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            let mut done = 0;
            while Instant::now() < deadline {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                // A panic of the test's own code names its seed, too.
                match tokio::spawn(sequence(on, seed)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => panic!("{fault}"),
                    Err(error) => panic!("seed {seed}: {}", error.into_panic_text()),
                }
                done += 1;
            }
            done
        });
    }
    let mut done: u64 = 0;
    while let Some(worker) = workers.join_next().await {
        done += worker.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    }
    println!("{done} sequences");
    assert!(done > 0);
}

trait PanicText {
    fn into_panic_text(self) -> String;
}

impl PanicText for tokio::task::JoinError {
    fn into_panic_text(self) -> String {
        let panic = self.into_panic();
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
    }
}

/// One database and its life; what is wrong with it, and how it came to that.
async fn sequence(on: On, seed: u64) -> Result<(), String> {
    let mut world = match on {
        On::Postgres => World::postgres(seed).await,
        On::Sqlite => World::sqlite(seed).await,
    };
    let Err(fault) = lives(on, &mut world).await else {
        return Ok(());
    };
    let steps: Vec<String> = world
        .history
        .iter()
        .enumerate()
        .map(|(at, step)| format!("{:>3}  {step}", at + 1))
        .collect();
    let steps = steps.join("\n");
    Err(format!(
        "{fault}\nPHISEAL_DDL_SEED={seed} runs this again:\n{steps}"
    ))
}

async fn lives(on: On, world: &mut World) -> Result<(), Fault> {
    world.backfill().await?;
    if world.look().await.under.is_empty() {
        return Err("the first backfill sealed nothing".to_owned());
    }
    let steps = 10 + Draw::new(world.seed, u64::MAX).below(25) as u64;
    for step in 1..=steps {
        world.step = step;
        let draw = &mut Draw::new(world.seed, step);
        match (draw.below(10), on) {
            (0..=2, _) => world.application(draw).await?,
            (3..=5, On::Postgres) => world.change_postgres(draw).await?,
            (3..=5, On::Sqlite) => world.change_sqlite(draw).await?,
            _ => world.operator(draw).await?,
        }
    }
    world.step = steps + 1;
    world.backfill().await?;
    world.verify().await
}
