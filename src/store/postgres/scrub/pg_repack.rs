//! Rewriting by the program pg_repack.
//! Owns whether it can be used, and how it is run: with the settings of our own connection in its
//! environment, so that no password stands on a command line, and without what it prints, which may
//! quote values. It stands here and not with the key commands, since only a PostgreSQL server is
//! rewritten by it.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::super::PostgresStore;
use crate::error::io_fault;
use crate::store::{Result, StoreError};
use crate::trust::{self, Refused};

const PROGRAM: &str = "pg_repack";

/// Why it cannot be used; `None` if it can.
pub(super) fn unusable(store: &PostgresStore, installed: bool) -> Option<String> {
    if !installed {
        return Some("its extension is not installed in this database".to_owned());
    }
    if store.opening.role().is_some() {
        return Some("it cannot act as the role of the plan".to_owned());
    }
    match program() {
        Ok(_) => None,
        Err(Refused::Unreadable(_)) => Some("its program is not in PATH".to_owned()),
        Err(Refused::Untrusted(_)) => Some("others could have changed its program".to_owned()),
    }
}

fn program() -> std::result::Result<PathBuf, Refused> {
    trust::program(PROGRAM, std::env::var_os("PATH").as_deref())
}

/// Rewrites one relation. It ends no session of others.
pub(super) async fn run(store: &PostgresStore, relation: &str) -> Result<()> {
    let failed = |why: String| StoreError::NotRewritten {
        relation: relation.to_owned(),
        why,
    };
    let found = program().map_err(|_| failed("pg_repack is not there any more".to_owned()))?;
    let mut child = Command::new(found)
        .args(["--no-kill-backend", "--no-superuser-check", "--no-password"])
        .arg(format!("--table={relation}"))
        .envs(store.connector.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            failed(format!(
                "pg_repack did not start: {}",
                io_fault::words(&error)
            ))
        })?;
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("pg_repack ended with {status}"))),
        Err(error) => Err(failed(format!("pg_repack: {}", io_fault::words(&error)))),
    }
}
