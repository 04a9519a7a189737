//! Where the plan file is looked for, what is refused there, and what its relative paths mean.

use super::{at, failed, text};
use crate::support::sqlite::Sqlite;
use crate::support::{Project, database, sqlite};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;

const NOBODY: u32 = 65_534;
const USING: &str = "using the plan file ";

/// A folder with a plan and its key, whose tables are installed, and folders below it.
struct Place {
    project: Project,
    db: Sqlite,
}

impl Place {
    async fn new() -> Self {
        let place = Self {
            project: Project::new(),
            db: sqlite().await,
        };
        place.project.plan(&place.db.url(), "");
        fs::create_dir_all(place.path("sub/deep")).unwrap();
        for args in [["migrate", "up"], ["keys", "create"]] {
            place.project.phiseal(&args).run().await.expect_code(0);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.dir().canonicalize().unwrap().join(name)
    }
}

fn set_mode(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_plan_above_is_used_and_named_and_the_nearest_one_wins() {
    let place = Place::new().await;
    let here = at(&place.path(""), &["keys", "check"])
        .run()
        .await
        .expect_code(0);
    assert!(!here.stderr.contains(USING), "{}", here.stderr);
    for below in ["sub", "sub/deep"] {
        let run = at(&place.path(below), &["keys", "check"]).run().await;
        let run = run.expect_code(0);
        let said = format!("{USING}{}", place.path("phiseal.toml").display());
        assert_eq!(run.stderr.matches(&said).count(), 1, "{}", run.stderr);
    }
    fs::write(place.path("sub/phiseal.toml"), "[databas]\n").unwrap();
    set_mode(&place.path("sub/phiseal.toml"), 0o644);
    let (error, _) = failed(at(&place.path("sub/deep"), &["status"]), "E0102").await;
    assert!(
        text(&error, "message").contains("sub/phiseal.toml:1"),
        "{error}"
    );
}

#[tokio::test]
async fn the_variable_names_a_plan_and_the_option_comes_before_it() {
    let place = Place::new().await;
    let plan = place.path("phiseal.toml");
    let elsewhere = tempfile::tempdir().unwrap();
    let by_variable =
        |named: &PathBuf, args: &[&str]| at(elsewhere.path(), args).env("PHISEAL_PLAN", named);
    let run = by_variable(&plan, &["keys", "check"])
        .run()
        .await
        .expect_code(0);
    assert!(!run.stderr.contains(USING), "{}", run.stderr);
    // What is named and not there is an error, whatever else could be found.
    fs::copy(&plan, elsewhere.path().join("phiseal.toml")).unwrap();
    let gone = place.path("gone.toml");
    let (error, _) = failed(by_variable(&gone, &["status"]), "E0104").await;
    assert!(
        text(&error, "message").ends_with("gone.toml: it does not exist"),
        "{error}"
    );
    let option = ["status", "--plan", plan.to_str().unwrap()];
    by_variable(&gone, &option).run().await.expect_code(0);
    // An empty variable names nothing.
    by_variable(&PathBuf::new(), &["status"])
        .run()
        .await
        .expect_code(0);
}

#[tokio::test]
async fn without_a_plan_every_folder_that_was_looked_at_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().canonicalize().unwrap().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    for command in [&["status"][..], &["backfill"], &["keys", "create"]] {
        let (error, _) = failed(at(&folder, command), "E0126").await;
        let message = text(&error, "message");
        for looked in [
            &folder,
            &folder.parent().unwrap().to_owned(),
            &PathBuf::from("/etc/phiseal"),
        ] {
            assert!(message.contains(looked.to_str().unwrap()), "{message}");
        }
        assert!(text(&error, "hint").contains("PHISEAL_PLAN"), "{error}");
    }
}

#[tokio::test]
async fn a_plan_above_that_others_could_have_written_is_refused_and_not_passed_over() {
    let place = Place::new().await;
    // It would be found if the one below it were passed over.
    let outer = place.path("phiseal.toml");
    let inner = place.path("sub/phiseal.toml");
    let mark = place.path("mark");
    let script = place.path("key.sh");
    fs::write(&script, format!("#!/bin/sh\n: > '{}'\n", mark.display())).unwrap();
    set_mode(&script, 0o755);
    let armed = format!(
        "[database]\nurl = {:?}\n[keys]\nprovider = \"command\"\ncommand = [{script:?}]\n",
        place.db.url()
    );
    fs::write(&inner, armed).unwrap();
    let deep = place.path("sub/deep");
    let refused = async |part: &str| {
        let (error, stderr) = failed(at(&deep, &["keys", "check"]), "E0118").await;
        let message = text(&error, "message");
        assert!(
            message.contains("found above the working directory, is not trusted"),
            "{error}"
        );
        assert!(message.contains(part), "{error}");
        assert!(
            text(&error, "hint").starts_with("if it is not yours, name yours"),
            "{error}"
        );
        assert!(!stderr.contains(USING), "{stderr}");
        assert!(!mark.exists(), "it was run");
    };
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&inner, mode);
        refused("sub/phiseal.toml has mode").await;
    }
    set_mode(&inner, 0o644);
    // Whoever may write to the folder can exchange the file.
    set_mode(&place.path("sub"), 0o775);
    refused("/sub has mode 0775").await;
    set_mode(&place.path("sub"), 0o755);
    if rustix::process::geteuid().is_root() {
        chown(&inner, Some(NOBODY), None).unwrap();
        refused("belongs to nobody").await;
    }
    // A link that leads nowhere is there, too.
    fs::remove_file(&inner).unwrap();
    symlink("nowhere", &inner).unwrap();
    let (error, _) = failed(at(&deep, &["keys", "check"]), "E0104").await;
    assert!(
        text(&error, "message").contains("it does not exist"),
        "{error}"
    );
    fs::remove_file(&inner).unwrap();
    let run = at(&deep, &["keys", "check"]).run().await.expect_code(0);
    assert!(
        run.stderr.contains(outer.to_str().unwrap()),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn relative_paths_of_a_plan_are_relative_to_its_folder() {
    let place = Place::new().await;
    fs::copy(place.db.path(), place.path("app.db")).unwrap();
    let plan = |keys: &str| {
        let text = format!("[database]\nurl = \"sqlite:app.db\"\n[keys]\n{keys}\n");
        place.project.plan_text(&text);
    };
    fs::write(place.path("key.sh"), "#!/bin/sh\ncat \"$1\"\n").unwrap();
    set_mode(&place.path("key.sh"), 0o755);
    let key = place.path("wrapping.key");
    for keys in [
        "provider = \"file\"\npath = \"wrapping.key\"".to_owned(),
        format!("provider = \"command\"\ncommand = [\"./key.sh\", {key:?}]"),
    ] {
        plan(&keys);
        let named = place.path("phiseal.toml");
        let named = named.to_str().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let check = ["keys", "check"];
        let by_option = ["keys", "check", "--plan", named];
        let (parent, sub) = (place.path(""), place.path("sub"));
        for command in [
            at(&parent, &check),
            at(&sub, &check),
            at(&sub, &["keys", "check", "--plan", "../phiseal.toml"]),
            at(elsewhere.path(), &by_option),
            at(elsewhere.path(), &check).env("PHISEAL_PLAN", named),
        ] {
            let done = command.run().await.expect_code(0).json();
            assert_eq!(done["failed"], 0, "{done}");
        }
        // The command line is the user's, who is where he is.
        let (error, _) = failed(
            at(&sub, &["status", "--database-url", "sqlite:app.db"]),
            "E0501",
        )
        .await;
        assert!(text(&error, "message").contains("/sub/app.db"), "{error}");
    }
    plan("provider = \"file\"\npath = \"env:KEY\"");
    let of_variable =
        |folder: &str| at(&place.path(folder), &["keys", "check"]).env("KEY", "wrapping.key");
    of_variable("").run().await.expect_code(0);
    let (error, _) = failed(of_variable("sub"), "E0405").await;
    assert!(
        text(&error, "message").ends_with("it does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn init_writes_into_the_working_directory_whatever_is_above_it() {
    let place = Place::new().await;
    place
        .db
        .exec("CREATE TABLE t (id integer PRIMARY KEY, ssn text)")
        .await;
    let above = fs::read(place.path("phiseal.toml")).unwrap();
    let url = place.db.url();
    let init = [
        "init",
        "--table",
        "t",
        "--column",
        "ssn",
        "--database-url",
        &url,
    ];
    let sub = place.path("sub");
    let run = at(&sub, &init)
        .env("PHISEAL_PLAN", place.path("phiseal.toml"))
        .run()
        .await
        .expect_code(0);
    assert_eq!(run.json()["plan"], "phiseal.toml");
    assert!(sub.join("phiseal.toml").exists());
    assert!(run.stderr.contains("PHISEAL_PLAN names"), "{}", run.stderr);
    assert_eq!(fs::read(place.path("phiseal.toml")).unwrap(), above);
    failed(at(&sub, &init), "E0106").await;
}

#[tokio::test]
async fn migrations_of_a_set_take_the_variable_before_a_plan_that_was_only_found_above() {
    let place = Place::new().await;
    let db = database("finding_migrate").await;
    let status = ["migrate", "status", "--set", "webqx"];
    let sub = place.path("sub");
    // The plan above is of SQLite, for which there are no sets.
    failed(at(&sub, &status), "E0713").await;
    let run = at(&sub, &status).env("DATABASE_URL", db.url()).run().await;
    let run = run.expect_code(0);
    assert!(!run.stderr.contains(USING), "{}", run.stderr);
    // A plan in the working directory comes first, as it always did.
    let here = at(&place.path(""), &status).env("DATABASE_URL", db.url());
    failed(here, "E0713").await;
    // phiseal's own tables are those of the plan.
    let own = at(&sub, &["migrate", "status"]).env("DATABASE_URL", db.url());
    let run = own.run().await.expect_code(0);
    assert!(run.stderr.contains(USING), "{}", run.stderr);
}
