//! The two example readers of docs/examples, run as they are: a second and a third opinion on what
//! the program sealed. Where Node or Python's `cryptography` is missing they are skipped, and said.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One of the example readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// docs/examples/open.mjs
    Node,
    /// docs/examples/open.py
    Python,
}

/// The readers this machine can run; says which it cannot.
pub fn readers() -> &'static [Reader] {
    static READERS: OnceLock<Vec<Reader>> = OnceLock::new();
    READERS.get_or_init(|| {
        let mut readers = vec![Reader::Node, Reader::Python];
        readers.retain(|reader| {
            let runs = reader.runs();
            if !runs {
                super::skipped(&format!(
                    "the {reader:?} example reader cannot run on this machine"
                ));
            }
            runs
        });
        readers
    })
}

impl Reader {
    /// What the reader prints for a question: the plaintext, or the hexadecimal digits of an index.
    ///
    /// # Errors
    /// Its stderr, when it fails, as it does when a tag does not verify.
    pub fn ask(self, question: &Value) -> Result<Vec<u8>, String> {
        let (program, script) = match self {
            Self::Node => ("node", "open.mjs"),
            Self::Python => ("python3", "open.py"),
        };
        let script = format!("{}/docs/examples/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(program)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(question.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Runs the module of this language over a file of worked values; how many it opened or indexed.
    pub fn module_over(self, vectors: &str) -> usize {
        let root = env!("CARGO_MANIFEST_DIR");
        let (program, script) = match self {
            Self::Node => ("node", "vectors.mjs"),
            Self::Python => ("python3", "vectors.py"),
        };
        let output = Command::new(program)
            .arg(format!("{root}/tests/it/examples/{script}"))
            .arg(format!("{root}/docs/examples"))
            .arg(format!("{root}/{vectors}"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let said = String::from_utf8(output.stdout).unwrap();
        said.trim().parse().unwrap()
    }

    fn runs(self) -> bool {
        let (program, code) = match self {
            Self::Node => (
                "node",
                "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)",
            ),
            Self::Python => (
                "python3",
                "import sys, cryptography; sys.exit(sys.version_info < (3, 9))",
            ),
        };
        let flag = if self == Self::Node { "-e" } else { "-c" };
        let status = Command::new(program)
            .args([flag, code])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}
