//! The operator commands, as an operator runs them: the real program on both databases, every
//! result and every refusal with its exit code.

mod audit;
mod audit_log;
mod bench;
mod dry_run;
mod init;
mod keys;
mod migrate;
mod pace;
mod phi;
mod quarantine;
mod status;

/// Runs each test on both databases: `name(fixture)` is the test's body.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test]
            async fn in_postgres() {
                let fixture = $crate::support::Fixture::empty_postgres(stringify!($name)).await;
                super::$name(fixture).await;
            }

            #[tokio::test]
            async fn in_sqlite() {
                super::$name($crate::support::Fixture::empty_sqlite().await).await;
            }
        }
    )+ };
}
pub(crate) use on_both;
