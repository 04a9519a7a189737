//! Which files and URLs are opened, and what is said of the others.

use crate::error::connect_fault::ConnectFault;
use crate::store::StoreError;
use crate::store::sqlite::{Access, SqliteStore};

#[tokio::test]
async fn a_missing_file_is_refused_unless_the_url_says_create() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("a.db").display());
    assert_eq!(cause(&url).await, ConnectFault::NoFile);
    SqliteStore::connect(&format!("{url}?mode=rwc"))
        .await
        .unwrap();
    SqliteStore::connect(&url).await.unwrap();
}

#[tokio::test]
async fn what_is_no_file_or_no_database_is_refused() {
    for url in [
        "postgres://h/d",
        "sqlite::memory:",
        "sqlite://?mode=memory",
        "sqlite://",
        "sqlite://x?mode=odd",
        "sqlite://x?mod=rwc",
    ] {
        assert!(
            matches!(
                SqliteStore::connect(url).await,
                Err(StoreError::BadUrl { .. })
            ),
            "{url}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, [b'x'; 8192]).unwrap();
    for (place, fault) in [
        (path.clone(), ConnectFault::NotSqlite),
        (dir.path().to_owned(), ConnectFault::IsFolder),
        (dir.path().join("none/a.db"), ConnectFault::NoFolder),
    ] {
        assert_eq!(cause(&format!("sqlite://{}", place.display())).await, fault);
    }
    let message = SqliteStore::connect("sqlite://nothing here.db").await.err();
    let whole = std::env::current_dir().unwrap().join("nothing here.db");
    let message = message.unwrap().to_string();
    assert!(message.contains(whole.to_str().unwrap()), "{message}");
}

/// Why the file of this URL is not opened, whatever a command does to it.
async fn cause(url: &str) -> ConnectFault {
    let mut causes = Vec::new();
    for access in [Access::Look, Access::Write, Access::WriteInWal] {
        match SqliteStore::open(url, access).await.err() {
            Some(StoreError::Unreachable { fault, .. }) => causes.push(fault),
            other => panic!("{other:?}"),
        }
    }
    causes.dedup();
    assert_eq!(causes.len(), 1, "{causes:?}");
    causes.remove(0)
}
