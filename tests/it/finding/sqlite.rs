//! An SQLite file that cannot be opened is named with its whole path and the reason.

use super::{at, failed, text};
use std::fs;

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named_with_its_whole_path_and_why() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().canonicalize().unwrap();
    fs::create_dir(folder.join("dir")).unwrap();
    fs::write(
        folder.join("text.db"),
        "id,ssn\n1,123-45-6789\n".repeat(100),
    )
    .unwrap();
    for (url, file, why, hint) in [
        (
            "sqlite:gone.db",
            "gone.db",
            "it does not exist",
            "?mode=rwc",
        ),
        (
            "sqlite://gone.db",
            "gone.db",
            "it does not exist",
            "?mode=rwc",
        ),
        (
            "sqlite:no/gone.db",
            "no/gone.db",
            "its folder does not exist",
            "make the folder",
        ),
        (
            "sqlite:dir",
            "dir",
            "it is a folder",
            "add the name of the file",
        ),
        (
            "sqlite:text.db",
            "text.db",
            "it is no SQLite database",
            "SQLCipher",
        ),
    ] {
        // Commands that look and commands that write.
        for command in [
            &["status"][..],
            &["pause"],
            &["migrate", "status"],
            &["migrate", "up"],
        ] {
            let args = [command, &["--database-url", url]].concat();
            let (error, stderr) = failed(at(&folder, &args), "E0501").await;
            let place = format!("the SQLite file {}: {why}", folder.join(file).display());
            assert!(
                text(&error, "message").contains(&place),
                "{url} {command:?}: {error}"
            );
            assert!(text(&error, "hint").contains(hint), "{error}");
            assert!(!stderr.contains("6789"), "{stderr}");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_would_be_ignored_is_refused_with_the_one_that_was_meant() {
    let place = tempfile::tempdir().unwrap();
    for (more, part) in [
        ("mod=rwc", "did you mean mode?"),
        ("mode=write", "mode is not one of ro, rw, rwc"),
        ("sslmode=require", "does not know the parameter sslmode"),
    ] {
        let url = format!("sqlite:a.db?{more}");
        let args = ["migrate", "status", "--database-url", &url];
        let (error, _) = failed(at(place.path(), &args), "E0502").await;
        assert!(text(&error, "message").contains(part), "{error}");
    }
    assert!(!place.path().join("a.db").exists());
}
