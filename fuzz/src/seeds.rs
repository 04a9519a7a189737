//! Writes the seeds of each target into corpus/: what the repository already holds as examples.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const SEED_BYTES_MAX: u64 = 2_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> std::io::Result<()> {
    let vectors = fs::read_to_string(root().join("tests/vectors/format1.json"))?;
    let vectors: Value = serde_json::from_str(&vectors)?;
    for (at, cell) in vectors["cells"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let text = |name: &str| cell[name].as_str().unwrap_or_default();
        let name = format!("vector-{at}");
        seed("envelope", &name, &from_hex(text("envelope")))?;
        seed("text_form", &name, text("text").as_bytes())?;
        seed("row_key", &name, &from_hex(text("row_key_bytes")))?;
    }
    let line = vectors["wrapping_key_file"].as_str().unwrap_or_default();
    seed("key_line", "vector", line.as_bytes())?;
    for (target, kind) in [("plan_file", "toml"), ("migration", "sql")] {
        for (at, file) in found(kind)?.iter().enumerate() {
            // The large ones hold nothing that the small ones do not, and are slow.
            if fs::metadata(file)?.len() <= SEED_BYTES_MAX {
                seed(target, &format!("file-{at}"), &fs::read(file)?)?;
            }
        }
    }
    Ok(())
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
    (0..text.len() / 2)
        .filter_map(|at| digit(2 * at).ok())
        .collect()
}

/// Every file of this kind below migrations/ and fuzz/seeds/.
fn found(kind: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = vec![root().join("migrations"), root().join("fuzz/seeds")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == kind) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
