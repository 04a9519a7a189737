//! A real `pg_upgrade`, from the oldest server on this machine that the program supports to the newest: to the
//! same version where there is only one. The numbers of tables stay, and the server is another one.

use super::{DDL, PLAN, every_value_opens, is_not_trusted_until_compared, json};
use crate::support::cluster::{Cluster, TEST_SETTINGS, bin_dir, debian_bins};
use crate::support::database::Database;
use crate::support::{Base, Fixture, skipped};
use std::fs;
use std::path::{Path, PathBuf};

fn servers() -> Option<(PathBuf, PathBuf)> {
    let newest = bin_dir()?;
    if !newest.join("pg_upgrade").is_file() {
        return None;
    }
    let complete = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("pg_upgrade").is_file();
    let oldest = debian_bins().into_iter().find(complete);
    Some((oldest.unwrap_or_else(|| newest.clone()), newest))
}

#[tokio::test]
async fn a_database_that_pg_upgrade_took_over_is_compared_first() {
    let Some((old, new)) = servers() else {
        return skipped("no pg_upgrade on this machine");
    };
    if old == new {
        eprintln!(
            "one server version: pg_upgrade from {} to itself",
            old.display()
        );
    }
    let mut cluster = Cluster::start_from(&old, TEST_SETTINGS);
    let db = Database::create(
        &cluster.socket_url("postgres"),
        "upgraded",
        "ENCODING 'UTF8'",
    )
    .await;
    let fixture = Fixture::new(Base::Postgres(db), DDL, PLAN).await;
    fixture.backfill().await;
    json(&fixture, &["verify"], 0).await;
    fixture.db().pool().close().await;

    take_over(&mut cluster, &old, &new);
    let Fixture { base, project } = fixture;
    let Base::Postgres(db) = base else {
        unreachable!("made above")
    };
    let base = Base::Postgres(db.again());
    let fixture = Fixture { base, project };
    is_not_trusted_until_compared(&fixture).await;
    every_value_opens(&fixture).await;
    // The database goes before its server.
    drop(fixture);
    drop(cluster);
}

fn take_over(cluster: &mut Cluster, old: &Path, new: &Path) {
    let dir = cluster.dir().to_owned();
    let path = |name: &str| dir.join(name).display().to_string();
    let (data, fresh) = (path("data"), path("fresh"));
    cluster.runs(
        &old.join("pg_ctl"),
        &["-D", &data, "-m", "fast", "-w", "stop"],
    );
    let initdb = [
        "-D",
        &fresh,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ];
    // From version 18 on checksums are the default, and both must have the same.
    let help = cluster.runs(&new.join("initdb"), &["--help"]);
    let mut initdb = initdb.to_vec();
    if help.contains("--no-data-checksums") {
        initdb.push("--no-data-checksums");
    }
    cluster.runs(&new.join("initdb"), &initdb);
    let (old_bin, new_bin) = (old.display().to_string(), new.display().to_string());
    let socket = dir.display().to_string();
    cluster.runs(
        &new.join("pg_upgrade"),
        &[
            "-b", &old_bin, "-B", &new_bin, "-d", &data, "-D", &fresh, "-U", "postgres", "-s",
            &socket,
        ],
    );
    fs::rename(&data, path("before")).unwrap();
    fs::rename(&fresh, &data).unwrap();
    // The end of the sessions of the server before is no failure of this one.
    fs::write(path("server.log"), "").unwrap();
    cluster.becomes(new);
    // Lets the keeper forget the server that pg_ctl stopped.
    cluster.crash();
    cluster.start_again();
}
