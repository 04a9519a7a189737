//! What others could have changed is neither obeyed nor run: plan files, key commands, key files,
//! folders of migrations. Nothing is executed before it is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::database::Database;
use crate::support::{Phiseal, Project, database, sqlite};

const NOBODY: u32 = 65_534;

/// A project whose key command leaves a mark when it runs.
struct Armed {
    project: Project,
    url: String,
    _db: crate::support::sqlite::Sqlite,
}

impl Armed {
    async fn new() -> Self {
        let db = sqlite().await;
        let armed = Self {
            project: Project::new(),
            url: db.url(),
            _db: db,
        };
        armed.script("bin/key");
        armed.project.plan(&armed.url, "");
        armed.ran(&["migrate", "up"], 0).await;
        armed.ran(&["keys", "create"], 0).await;
        armed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.dir().canonicalize().unwrap().join(name)
    }

    fn script(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        set_mode(path.parent().unwrap(), 0o755);
        let text = format!(
            "#!/bin/sh\n: > '{}'\ncat '{}'\n",
            self.path("mark").display(),
            self.path("wrapping.key").display()
        );
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o755);
    }

    /// The plan, with the key line from a command.
    fn plan(&self, program: &str) {
        self.project.plan_text(&format!(
            "[database]\nurl = {:?}\n[keys]\nprovider = \"command\"\ncommand = [{program:?}]\n",
            self.url
        ));
    }

    async fn ran(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["--json"]].concat();
        self.project
            .phiseal(&args)
            .run()
            .await
            .expect_code(code)
            .json()
    }

    /// Refused with this code, and nothing was executed; the message and the hint.
    async fn refused(&self, args: &[&str], code: &str) -> (String, String) {
        let value = self.ran(args, 2).await;
        let text = |key: &str| value["error"][key].as_str().unwrap().to_owned();
        assert_eq!(text("code"), code, "{value}");
        assert!(!self.path("mark").exists(), "it was run");
        (text("message"), text("hint"))
    }

    /// Taken, and the command was run.
    async fn taken(&self) {
        self.ran(&["keys", "check"], 0).await;
        fs::remove_file(self.path("mark")).unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn a_plan_file_that_others_could_have_written_is_refused_and_runs_nothing() {
    let armed = Armed::new().await;
    armed.plan(armed.path("bin/key").to_str().unwrap());
    armed.taken().await;
    let plan = armed.project.plan_file();
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&plan, mode);
        let (message, hint) = armed.refused(&["keys", "check"], "E0118").await;
        assert!(
            message.contains(&format!("has mode {mode:04o}")),
            "{message}"
        );
        assert!(hint.contains("chmod "), "{hint}");
    }
    set_mode(&plan, 0o644);
    // The folder, however the plan is named.
    set_mode(armed.project.dir(), 0o777);
    for args in [
        &["keys", "check"][..],
        &["plan"],
        &["status"],
        &["migrate", "up"],
        &["keys", "check", "--plan", plan.to_str().unwrap()],
    ] {
        let (message, hint) = armed.refused(args, "E0118").await;
        assert!(message.contains("has mode 0777"), "{message}");
        let dir = armed.path("").display().to_string();
        assert!(
            hint.contains(&format!("chmod go-w {}", dir.trim_end_matches('/'))),
            "{hint}"
        );
    }
    set_mode(armed.project.dir(), 0o700);
    armed.taken().await;
}

#[tokio::test]
async fn a_plan_file_of_another_user_is_refused_by_name() {
    if !is_root() {
        return;
    }
    let armed = Armed::new().await;
    armed.plan(armed.path("bin/key").to_str().unwrap());
    chown(armed.project.plan_file(), Some(NOBODY), None).unwrap();
    let (message, hint) = armed.refused(&["keys", "check"], "E0118").await;
    assert!(
        message.contains("belongs to nobody (uid 65534)"),
        "{message}"
    );
    assert!(hint.contains("chown root "), "{hint}");
    chown(armed.project.plan_file(), Some(0), None).unwrap();
    chown(armed.project.dir(), Some(NOBODY), None).unwrap();
    armed.refused(&["keys", "check"], "E0118").await;
    chown(armed.project.dir(), Some(0), None).unwrap();
    armed.taken().await;
}

#[tokio::test]
async fn a_plan_is_read_through_the_links_of_a_mounted_config_map_and_from_stdin() {
    let armed = Armed::new().await;
    armed.plan(armed.path("bin/key").to_str().unwrap());
    fs::create_dir(armed.path("..2026")).unwrap();
    fs::rename(
        armed.path("phiseal.toml"),
        armed.path("..2026/phiseal.toml"),
    )
    .unwrap();
    symlink("..2026", armed.path("..data")).unwrap();
    symlink("..data/phiseal.toml", armed.path("phiseal.toml")).unwrap();
    armed.taken().await;
    set_mode(&armed.path("..2026"), 0o777);
    armed.refused(&["keys", "check"], "E0118").await;
    set_mode(&armed.path("..2026"), 0o755);
    let piped = "cat phiseal.toml | \"$0\" keys check --plan /dev/stdin";
    let run = Phiseal::instead("sh", ["-c", piped, env!("CARGO_BIN_EXE_phiseal")]);
    run.cwd(armed.project.dir()).run().await.expect_code(0);
}

/// Kubernetes mounts a ConfigMap read-only, on a folder of mode 0777.
#[tokio::test]
async fn a_plan_on_a_read_only_mount_is_read_whatever_its_mode() {
    let armed = Armed::new().await;
    armed.plan(armed.path("bin/key").to_str().unwrap());
    let mount = armed.path("mount");
    fs::create_dir(&mount).unwrap();
    let script = |how: &str| {
        format!(
            "mount -t tmpfs none mount && cp phiseal.toml mount && chmod 0777 mount \
             && chmod 0666 mount/phiseal.toml && mount -o remount,{how} mount || exit 77
             \"$0\" keys check --json --plan mount/phiseal.toml"
        )
    };
    let program = env!("CARGO_BIN_EXE_phiseal");
    for (how, code) in [("rw", 2), ("ro", 0)] {
        let args = ["-m", "sh", "-c", &script(how), program];
        let run = Phiseal::instead("unshare", args)
            .cwd(armed.project.dir())
            .run()
            .await;
        // Not everybody may mount.
        if run.code() == Some(77) || run.stderr.contains("unshare") {
            return;
        }
        run.expect_code(code);
    }
}

#[tokio::test]
async fn a_key_command_that_others_could_have_changed_is_not_run() {
    let armed = Armed::new().await;
    let program = armed.path("bin/key");
    armed.plan(program.to_str().unwrap());
    set_mode(&program, 0o777);
    let (message, _) = armed.refused(&["keys", "check"], "E0119").await;
    assert!(message.contains("key command"), "{message}");
    set_mode(&program, 0o755);
    set_mode(&armed.path("bin"), 0o777);
    armed.refused(&["keys", "check"], "E0119").await;
    // By its name in PATH, too, and where an earlier folder could hold another of that name.
    armed.plan("key");
    let search = |path: String| {
        armed
            .project
            .phiseal(&["keys", "check", "--json"])
            .env("PATH", path)
    };
    let (bin, first) = (armed.path("bin"), armed.path("first"));
    fs::create_dir(&first).unwrap();
    for (path, modes) in [
        (bin.display().to_string(), [0o777, 0o755]),
        (format!(".:{}", bin.display()), [0o755, 0o755]),
        (
            format!("{}:{}", first.display(), bin.display()),
            [0o755, 0o777],
        ),
    ] {
        set_mode(&bin, modes[0]);
        set_mode(&first, modes[1]);
        let refused = search(path).run().await.expect_code(2).json();
        assert_eq!(refused["error"]["code"], "E0119", "{refused}");
        assert!(!armed.path("mark").exists());
    }
    let path = format!("{}:{}:/usr/bin:/bin", bin.display(), first.display());
    search(path).run().await.expect_code(0);
    assert!(armed.path("mark").exists());
}

#[tokio::test]
async fn the_command_to_rewrap_to_and_those_of_previous_keys_are_held_to_the_same() {
    let armed = Armed::new().await;
    let program = armed.path("bin/key");
    let to = format!("command:{}", program.display());
    set_mode(&program, 0o777);
    armed
        .refused(&["keys", "rewrap", "--to", &to], "E0119")
        .await;
    // A previous wrapping key that cannot be had is passed over, as always; it is not run.
    armed.project.plan_text(&format!(
        "[database]\nurl = {:?}\n[keys]\nprovider = \"file\"\npath = {:?}\n\
         [[keys.previous]]\nprovider = \"command\"\ncommand = [{:?}]\n",
        armed.url,
        armed.project.key_file(),
        program
    ));
    let run = armed
        .project
        .phiseal(&["keys", "check"])
        .run()
        .await
        .expect_code(0);
    assert!(run.stderr.contains("is not trusted"), "{}", run.stderr);
    assert!(!armed.path("mark").exists());
}

#[tokio::test]
async fn a_key_file_in_a_folder_where_others_may_write_is_refused() {
    let armed = Armed::new().await;
    let folder = armed.path("keys");
    fs::create_dir(&folder).unwrap();
    fs::copy(armed.project.key_file(), folder.join("k")).unwrap();
    armed.project.plan_text(&format!(
        "[database]\nurl = {:?}\n[keys]\nprovider = \"file\"\npath = {:?}\n",
        armed.url,
        folder.join("k")
    ));
    set_mode(&folder, 0o777);
    let (message, _) = armed.refused(&["keys", "check"], "E0119").await;
    assert!(message.contains("key file"), "{message}");
    set_mode(&folder, 0o1777);
    armed.ran(&["keys", "check"], 0).await;
}

async fn up(db: &Database, dir: &Path, code: i32) -> Value {
    let project = Project::new();
    let (url, dir) = (db.url(), dir.to_str().unwrap());
    let args = [
        "migrate",
        "up",
        "--json",
        "--database-url",
        &url,
        "--dir",
        dir,
    ];
    let run = Phiseal::new(args).cwd(project.dir()).run().await;
    run.expect_code(code).json()
}

#[tokio::test]
async fn root_runs_no_migration_that_others_could_have_written() {
    if !is_root() {
        return;
    }
    let db = database("trust_migrations").await;
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("moves");
    fs::create_dir(&dir).unwrap();
    set_mode(&dir, 0o755);
    let files = ["1_a.sql", "2_b.sql"].map(|name| dir.join(name));
    for (file, table) in files.iter().zip(["a", "b"]) {
        fs::write(file, format!("CREATE TABLE {table} (id int);")).unwrap();
        set_mode(file, 0o644);
    }
    chown(&files[0], Some(NOBODY), None).unwrap();
    set_mode(&files[1], 0o666);
    let refused = up(&db, &dir, 2).await;
    assert_eq!(refused["error"]["code"], "E0720", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    for file in ["1_a.sql", "2_b.sql"] {
        assert!(message.contains(file), "{message}");
    }
    chown(&files[0], Some(0), None).unwrap();
    set_mode(&files[1], 0o644);
    set_mode(&dir, 0o777);
    assert_eq!(up(&db, &dir, 2).await["error"]["code"], "E0720");
    let made = "SELECT count(*)::text FROM pg_class WHERE relname IN ('a', 'b')";
    assert_eq!(db.scalar(made).await.as_deref(), Some("0"));
    set_mode(&dir, 0o755);
    up(&db, &dir, 0).await;
}

#[tokio::test]
async fn of_hundreds_of_files_that_others_could_have_written_the_first_are_named_and_all_counted() {
    if !is_root() {
        return;
    }
    let db = database("trust_many").await;
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("many");
    fs::create_dir(&dir).unwrap();
    set_mode(&dir, 0o755);
    for number in 1..=485 {
        let file = dir.join(format!("{number}_a.sql"));
        fs::write(&file, "").unwrap();
        set_mode(&file, 0o666);
    }
    let refused = up(&db, &dir, 2).await;
    assert_eq!(refused["error"]["code"], "E0720");
    let (message, hint) = (&refused["error"]["message"], &refused["error"]["hint"]);
    let (message, hint) = (message.as_str().unwrap(), hint.as_str().unwrap());
    assert_eq!(message.matches("_a.sql").count(), 8, "{message}");
    assert!(message.ends_with("; and 477 more"), "{message}");
    assert_eq!(hint.matches("chmod go-w").count(), 8, "{hint}");
    assert!(hint.contains("and the like for the others"), "{hint}");
}
