//! tests/ensure-tools.sh: what a newcomer is told is missing, and that nothing of an installation is left behind,
//! whichever way it ends. The script sees a PATH and an /etc of the test, with programs that only pretend.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What Debian has before anything is installed.
const THERE: [&str; 20] = [
    "sh", "cat", "cut", "dirname", "env", "head", "id", "ls", "mkdir", "mktemp", "mv", "readlink",
    "rm", "rmdir", "sed", "sleep", "sort", "tee", "touch", "uname",
];
const FORBIDDEN: &str = "etc/postgresql-common/createcluster.d/phiseal-tests.conf";
/// Notes how it was called and whether a cluster was forbidden then; installs a C compiler and a server, the
/// latter not before the test allows it.
const APT_GET: &str = r#"
cd "$ENSURE_TOOLS_ROOT"
echo "$@" >>calls
case " $* " in *" install "*) ;; *) exit 0 ;; esac
cat etc/postgresql-common/createcluster.d/*.conf >>forbidden 2>/dev/null
touch installing
while [ -e wait ]; do sleep 0.05; done
for program in bin/cc usr/lib/postgresql/15/bin/initdb usr/lib/postgresql/15/bin/postgres; do
    mkdir -p "${program%/*}"
    echo '#!/bin/sh' >$program
    /bin/chmod 755 $program
done
"#;

struct Host(TempDir);

impl Host {
    /// A machine with `THERE`, where root runs the script, and with these programs.
    fn new(programs: &[(&str, &str)]) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(host.at("etc/postgresql-common")).unwrap();
        std::fs::create_dir(host.at("bin")).unwrap();
        std::fs::create_dir(host.at("tmp")).unwrap();
        for name in THERE {
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
            let real = real.iter().find(|path| path.exists()).unwrap();
            symlink(real, host.at("bin").join(name)).unwrap();
        }
        host.has("id", "echo 0");
        for (name, script) in programs {
            host.has(name, script);
        }
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn has(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn start(&self, tools: &[&str]) -> Child {
        Command::new("/bin/sh")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/ensure-tools.sh"
            ))
            .args(tools)
            .env_clear()
            .env("ENSURE_TOOLS_ROOT", self.0.path())
            .env("PATH", self.at("bin"))
            .env("HOME", self.0.path())
            .env("TMPDIR", self.at("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs the script to its end: its exit code, and what it said on stderr.
    fn run(&self, tools: &[&str]) -> (Option<i32>, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.start(tools).wait_with_output().unwrap();
        assert_eq!(String::from_utf8(stdout).unwrap(), "");
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    /// Starts an installation of PostgreSQL that does not end before `wait` is removed.
    fn installing(&self) -> Child {
        std::fs::write(self.at("wait"), "").unwrap();
        let child = self.start(&["postgres"]);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.at("installing").exists() {
            assert!(Instant::now() < deadline, "apt-get was not called");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.at(FORBIDDEN).exists());
        child
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let left = |folder: &str| std::fs::read_dir(self.at(folder)).unwrap().count();
        assert_eq!((left("etc/postgresql-common"), left("tmp")), (0, 0));
    }
}

fn cargo(version: &str) -> String {
    format!("echo 'cargo {version} (0000000 2026-01-01)'")
}

#[test]
fn all_that_is_missing_is_named_at_once_and_without_rust_nothing_is_installed() {
    let host = Host::new(&[("apt-get", APT_GET)]);
    let (code, said) = host.run(&["cargo", "cc", "postgres", "readers"]);
    assert_eq!(code, Some(1), "{said}");
    let rust = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
    let named = [
        &*rust,
        "rustup.rs",
        "C compiler",
        "PostgreSQL",
        "Node",
        "Python's cryptography",
    ];
    for name in named {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    assert!(
        said.contains("apt-get install build-essential postgresql nodejs python3-cryptography"),
        "{said}"
    );
    assert_eq!(host.read("calls"), "");
}

#[test]
fn rust_that_is_too_old_is_not_enough_and_newer_rust_is() {
    let host = Host::new(&[]);
    for (version, enough) in [
        ("1.63.0", false),
        ("1.9.0", false),
        ("1.100.0-nightly", true),
        ("2.0.0", true),
    ] {
        host.has("cargo", &cargo(version));
        let (code, said) = host.run(&["cargo"]);
        match enough {
            true => assert_eq!((code, &*said), (Some(0), ""), "{version}"),
            false => assert!(
                code == Some(1) && said.contains(version) && said.contains("rustup"),
                "{said}"
            ),
        }
    }
}

#[test]
fn rust_of_rustup_behind_debians_is_found_and_the_user_is_told_how_to_use_it() {
    let host = Host::new(&[("cargo", &cargo("1.63.0"))]);
    std::fs::create_dir_all(host.at(".cargo/bin")).unwrap();
    std::fs::copy(host.at("bin/cargo"), host.at(".cargo/bin/cargo")).unwrap();
    let (code, said) = host.run(&["cargo"]);
    assert_eq!(code, Some(1));
    assert!(said.contains(r#". "$HOME/.cargo/env""#), "{said}");
}

#[test]
fn packages_are_installed_in_one_go_and_no_cluster_is_made() {
    let host = Host::new(&[("apt-get", APT_GET), ("cargo", &cargo("2.0.0"))]);
    let (code, said) = host.run(&["cargo", "cc", "postgres"]);
    assert_eq!(code, Some(0), "{said}");
    let calls = host.read("calls");
    assert_eq!(calls.matches("install").count(), 2, "{calls}"); // `install` and `--no-install-recommends`
    assert!(calls.ends_with("build-essential postgresql\n"), "{calls}");
    assert!(
        host.read("forbidden")
            .contains("\ncreate_main_cluster = false\n")
    );
    host.nothing_is_left();
    assert_eq!(
        host.run(&["cargo", "cc", "postgres"]),
        (Some(0), String::new())
    );
    assert_eq!(host.read("calls"), calls, "it installed again");
}

#[test]
fn who_is_not_root_uses_sudo_or_is_told_what_root_has_to_do() {
    let host = Host::new(&[("apt-get", APT_GET), ("id", "echo 1000")]);
    let (code, said) = host.run(&["cc"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("have root run  apt-get install build-essential"),
        "{said}"
    );
    host.has("sudo", "touch \"$ENSURE_TOOLS_ROOT/sudo\"\n\"$@\"");
    let (code, said) = host.run(&["cc", "postgres"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(host.at("sudo").exists());
    host.nothing_is_left();
}

#[test]
fn what_apt_get_says_when_it_fails_is_shown_and_nothing_is_left() {
    let host = Host::new(&[("apt-get", "echo 'E: no such package'; exit 100")]);
    let (code, said) = host.run(&["postgres"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("E: no such package") && said.contains("PostgreSQL"),
        "{said}"
    );
    host.nothing_is_left();
}

#[test]
fn an_interrupted_installation_leaves_nothing_behind() {
    // A shell cannot trap what its parent ignores, as nohup and jobs in the background do.
    let signals = [Signal::TERM, Signal::INT, Signal::HUP];
    for signal in signals.into_iter().filter(|signal| !is_ignored(*signal)) {
        let host = Host::new(&[("apt-get", APT_GET)]);
        let child = host.installing();
        kill_process(Pid::from_child(&child), signal).unwrap();
        // apt-get ends what it began.
        std::fs::remove_file(host.at("wait")).unwrap();
        let ended = child.wait_with_output().unwrap().status;
        assert_eq!(ended.code(), Some(128 + signal.as_raw()), "{signal:?}");
        host.nothing_is_left();
    }
}

/// Whether this process ignores a signal (proc(5), "SigIgn").
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn the_next_start_removes_what_a_killed_one_left_and_no_other_process_does() {
    let host = Host::new(&[("apt-get", APT_GET), ("cargo", &cargo("2.0.0"))]);
    let mut child = host.installing();
    assert_eq!(host.run(&["cargo"]).0, Some(0));
    assert!(
        host.at(FORBIDDEN).exists(),
        "it was taken from a script at work"
    );
    child.kill().unwrap(); // SIGKILL
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    std::fs::remove_file(host.at("wait")).unwrap();
    assert!(host.at(FORBIDDEN).exists());
    assert_eq!(host.run(&["cargo"]), (Some(0), String::new()));
    assert!(!host.at(FORBIDDEN).exists());
}

#[test]
fn a_configuration_that_an_earlier_form_of_the_script_put_aside_comes_back() {
    let host = Host::new(&[("cargo", &cargo("2.0.0"))]);
    let conf = host.at("etc/postgresql-common/createcluster.conf");
    std::fs::write(&conf, "ssl = on\ncreate_main_cluster = false\n").unwrap();
    std::fs::write(conf.with_extension("conf.phiseal"), "ssl = on\n").unwrap();
    assert_eq!(host.run(&["cargo"]), (Some(0), String::new()));
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), "ssl = on\n");
    assert!(!conf.with_extension("conf.phiseal").exists());
}
