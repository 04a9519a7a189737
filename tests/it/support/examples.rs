//! The modules of docs/examples in the languages that this machine has, and an application in each, which
//! does what a test tells it. What a machine lacks is skipped, and said.

use super::{Fixture, skipped};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A language that has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// docs/examples/node
    Node,
    /// docs/examples/python
    Python,
}

/// The languages of this machine.
pub fn languages() -> &'static [Language] {
    static LANGUAGES: OnceLock<Vec<Language>> = OnceLock::new();
    LANGUAGES.get_or_init(|| {
        let mut languages = vec![Language::Node, Language::Python];
        languages.retain(|language| {
            let runs = language.runs();
            if !runs {
                skipped(&format!(
                    "the module for {language:?} cannot run on this machine"
                ));
            }
            runs
        });
        languages
    })
}

impl Language {
    fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python3",
        }
    }

    /// The folder of its module.
    fn folder(self) -> String {
        let name = match self {
            Self::Node => "node",
            Self::Python => "python",
        };
        format!("{}/docs/examples/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn script(self, name: &str) -> Command {
        let ending = match self {
            Self::Node => "mjs",
            Self::Python => "py",
        };
        let root = env!("CARGO_MANIFEST_DIR");
        let mut command = Command::new(self.program());
        command
            .arg(format!("{root}/tests/it/examples/{name}.{ending}"))
            .arg(self.folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .kill_on_drop(true);
        command
    }

    /// Runs the module over a file of worked values; how many it opened or indexed.
    pub async fn over(self, vectors: &str) -> usize {
        let file = format!("{}/{vectors}", env!("CARGO_MANIFEST_DIR"));
        let output = self.script("vectors").arg(file).output().await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: {stderr}");
        let said = String::from_utf8(output.stdout).unwrap();
        said.trim().parse().unwrap()
    }

    fn runs(self) -> bool {
        let (flag, code) = match self {
            Self::Node => (
                "-e",
                "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)",
            ),
            Self::Python => (
                "-c",
                "import sys, cryptography; sys.exit(sys.version_info < (3, 9))",
            ),
        };
        let status = std::process::Command::new(self.program())
            .args([flag, code])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

/// A running application.
pub struct Application {
    pub language: Language,
    _child: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// Everything that its errors showed, with stack traces.
    pub shown: String,
}

impl Application {
    /// Starts one that loads its keys again every 30 s.
    pub fn start(language: Language, fixture: &Fixture) -> Self {
        Self::start_with(language, &fixture.url(), &fixture.project.key_file(), 30.0)
    }

    /// The same with this wrapping key and time between two loads, in seconds.
    pub fn start_with(language: Language, url: &str, key_file: &Path, refresh: f64) -> Self {
        let mut child = language
            .script("agent")
            .arg(url)
            .arg(key_file)
            .arg(refresh.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            language,
            stdin: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()).lines(),
            _child: child,
            shown: String::new(),
        }
    }

    /// What became of a command: `{"done": ...}`, or `{"error": its class, "message": ...}`.
    pub async fn ask(&mut self, command: &Value) -> Value {
        let line = format!("{command}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(60), self.answers.next_line());
        let answer = answer.await.expect("the application does not answer");
        let answer = answer.unwrap().expect("the application has ended");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        self.shown
            .push_str(answer["shown"].as_str().unwrap_or_default());
        answer
    }

    /// What a command that must succeed gave.
    #[track_caller]
    pub fn done(&mut self, command: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.ask(&command).await;
            let done = answer.get("done").cloned();
            done.unwrap_or_else(|| panic!("{place}: {:?}: {command}: {answer}", self.language))
        }
    }

    /// The message of a command that must fail with an error of this class.
    #[track_caller]
    pub fn fails(&mut self, class: &str, command: Value) -> impl Future<Output = String> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.ask(&command).await;
            let language = self.language;
            assert_eq!(
                answer["error"], class,
                "{place}: {language:?}: {command}: {answer}"
            );
            answer["message"].as_str().unwrap().to_owned()
        }
    }
}

/// The command that does this with a value of a field.
pub fn command(what: &str, field: (&str, &str), more: Value) -> Value {
    let mut command = json!({ "do": what, "field": [field.0, field.1] });
    let more = more.as_object().unwrap().clone();
    command.as_object_mut().unwrap().extend(more);
    command
}

/// A whole number as a row's key.
pub fn id(value: i64) -> Value {
    json!([{ "type": "int", "value": value.to_string() }])
}

/// Bytes, as an application takes them.
pub fn bytes(hex: &str) -> Value {
    json!({ "as": "bytes", "value": hex })
}
