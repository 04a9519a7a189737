//! A hot standby of a private cluster.

use super::cluster::{Cluster, bin_dir};

/// A standby of a cluster, in the cluster's folder; stopped when dropped.
pub struct Standby<'a> {
    cluster: &'a Cluster,
    port: u16,
}

impl<'a> Standby<'a> {
    /// Makes and starts it.
    pub fn of(cluster: &'a Cluster) -> Self {
        let bin = bin_dir().unwrap();
        let dir = cluster.dir().join("standby");
        let dir = dir.to_str().unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        cluster.runs(
            &bin.join("pg_basebackup"),
            &[
                "-d",
                &cluster.url("postgres"),
                "-D",
                dir,
                "-R",
                "-c",
                "fast",
            ],
        );
        // A standby needs at least what the command line of its primary gives.
        let options = format!(
            "-p {port} -k {} -c max_connections=200 -c max_prepared_transactions=5",
            cluster.dir().display()
        );
        cluster.runs(
            &bin.join("pg_ctl"),
            &[
                "-D",
                dir,
                "-o",
                &options,
                "-l",
                "standby.log",
                "-w",
                "start",
            ],
        );
        Self { cluster, port }
    }

    /// The administrator's URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a statement as the administrator.
    pub fn psql(&self, sql: &str) {
        let bin = bin_dir().unwrap();
        let url = self.url("postgres");
        self.cluster.runs(
            &bin.join("psql"),
            &["-v", "ON_ERROR_STOP=1", "-c", sql, &url],
        );
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        let bin = bin_dir().unwrap();
        let dir = self.cluster.dir().join("standby");
        self.cluster.runs(
            &bin.join("pg_ctl"),
            &["-D", dir.to_str().unwrap(), "-m", "immediate", "stop"],
        );
    }
}
