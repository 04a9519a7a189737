//! The arrows between the modules point one way: crypto <- keys <- engine <- cli.
//! `demo` stands beside `cli`: its command, in a folder of its own.
//! Reads the paths in the sources, not the documentation, and fails on the first that points up.
//! Inline test modules are left out: a test may look at what it likes.

use std::fs;
use std::path::{Path, PathBuf};

// What every module may use of ours.
const BASE: [&str; 10] = [
    "error", "foreign", "ident", "pace", "plural", "quote", "secret", "sql", "trust", "words",
];

// A module, and the other modules it may use. What is not listed may use all but cli, as `error`
// does, which knows every module's errors. lib, main, cli and demo may use everything.
const MAY_USE: [(&str, &[&str]); 17] = [
    ("foreign", &[]),
    ("pace", &[]),
    ("plural", &[]),
    ("quote", &[]),
    ("trust", &[]),
    ("secret", &[]),
    ("sql", &[]),
    ("ident", &[]),
    ("words", &[]),
    ("crypto", &[]),
    ("keys", &["crypto"]),
    ("plan", &["crypto", "keys"]),
    ("store", &["crypto", "keys"]),
    ("schema", &["crypto", "store"]),
    ("run", &["crypto", "keys", "store"]),
    ("sealer", &["crypto", "keys"]),
    ("engine", &["crypto", "keys", "plan", "store", "run"]),
];

// These know the Store trait, not who implements it.
const TRAIT_ONLY: [&str; 2] = ["run", "engine"];
const STORES: [[&str; 2]; 2] = [["store", "postgres"], ["store", "sqlite"]];

// Words, and the only modules in which they may stand.
const CONFINED: [(&str, &[&str]); 8] = [
    ("sqlx::", &["store", "schema", "demo"]),
    ("clap::", &["cli", "main"]),
    ("indicatif::", &["cli", "main", "demo"]),
    ("process::exit", &["cli", "main"]),
    ("println!", &["cli", "main"]),
    ("eprintln!", &["cli", "main"]),
    ("print!", &["cli", "main"]),
    ("eprint!", &["cli", "main"]),
];

#[test]
fn no_arrow_between_the_modules_points_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.iter().any(|file| file.ends_with("lib.rs")));
    let faults: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            faults(file.strip_prefix(&src).unwrap(), &text)
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_arrow_that_points_up_is_found() {
    let bad = [
        ("crypto/aead.rs", "use crate::keys::Keyring;"),
        ("crypto/aead.rs", "use super::super::engine;"),
        (
            "crypto.rs",
            "fn f() { let x = crate::plan::Plan::default(); }",
        ),
        ("keys.rs", "use crate::{\n    crypto::aead,\n    store,\n};"),
        ("plan.rs", "use crate::store::Store;"),
        ("store.rs", "pub use crate::plan::Plan;"),
        ("store/postgres/read.rs", "use crate::run::Lane;"),
        ("store.rs", "use super::engine::Report;"),
        ("run/lane.rs", "use crate::engine::sweep;"),
        ("run.rs", "use crate::store::{Store, sqlite::Sqlite};"),
        ("engine.rs", "use crate::store::postgres::Postgres;"),
        ("engine/pager.rs", "use crate::{store::{self, postgres}};"),
        ("engine.rs", "use crate::schema::Migrator;"),
        ("engine.rs", "use crate::cli::Args;"),
        ("engine.rs", "use crate::demo::students;"),
        ("store.rs", "use crate::demo::rows;"),
        ("error.rs", "use crate::demo::rows;"),
        ("demo.rs", "fn f() { println!(); }"),
        ("engine.rs", "use crate::sealer::Sealer;"),
        ("error.rs", "use crate::cli::Args;"),
        ("schema.rs", "use crate::engine;"),
        ("secret.rs", "use crate::crypto;"),
        ("engine.rs", "use phiseal::cli;"),
        ("engine.rs", "use sqlx::PgPool;"),
        ("engine.rs", "fn f(e: sqlx::Error) {}"),
        ("plan.rs", "use sqlx;"),
        ("plan.rs", "use clap::Parser;"),
        ("engine.rs", "use indicatif::ProgressBar;"),
        ("engine.rs", "fn f() { println!(\"x\"); }"),
        ("store.rs", "fn f() { eprintln!(\"x\"); }"),
        ("engine.rs", "fn f() { std::process::exit(1); }"),
        ("lib.rs", "fn f() { print!(\"x\"); }"),
    ];
    for (file, text) in bad {
        assert_eq!(faults(Path::new(file), text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn arrows_that_point_down_and_words_in_comments_pass() {
    let good = [
        ("crypto/aead.rs", "use super::kdf;\nuse crate::secret::Key;"),
        (
            "crypto/value/pad.rs",
            "use super::super::kdf; use crate::crypto::aad;",
        ),
        ("keys.rs", "use crate::{crypto::{self, aead}, error};"),
        ("engine.rs", "use crate::store::{Store, PageRequest};"),
        (
            "engine.rs",
            "// crate::cli would be wrong\n/// [`crate::cli`] too\n",
        ),
        (
            "engine.rs",
            "const HINT: &str = \"crate::cli, sqlx::query, println!\";",
        ),
        (
            "engine.rs",
            "const A: &str = r#\"\"t\" \\\"#; const B: &str = \"use crate::cli\";",
        ),
        ("store/postgres.rs", "use sqlx::PgPool;"),
        ("schema/set.rs", "use sqlx::migrate::Migrator;"),
        (
            "cli/command.rs",
            "use clap::Parser; use crate::engine; fn f() { println!(); }",
        ),
        (
            "demo/school.rs",
            "use crate::cli::output::Output; use sqlx::PgConnection;",
        ),
        (
            "main.rs",
            "use phiseal::cli; fn main() { std::process::exit(cli::run()) }",
        ),
        (
            "keys.rs",
            "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::store;\n}\n",
        ),
        (
            "engine.rs",
            "fn f(c: char) -> bool { c == '\"' || c == '/' }\nuse crate::run;",
        ),
    ];
    for (file, text) in good {
        assert_eq!(
            faults(Path::new(file), text),
            [] as [String; 0],
            "{file}: {text}"
        );
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn faults(file: &Path, text: &str) -> Vec<String> {
    let code = code_of(text);
    let place = module_path(file);
    let module = place.first().map_or("lib", String::as_str);
    let mut faults = Vec::new();
    for path in paths(&code, &place) {
        let target = path[0].as_str();
        let two: Vec<&str> = path.iter().take(2).map(String::as_str).collect();
        let past_the_trait = TRAIT_ONLY.contains(&module) && STORES.iter().any(|s| two == s);
        if !may_use(module, target) || past_the_trait {
            faults.push(format!(
                "{}: {module} uses {}",
                file.display(),
                path.join("::")
            ));
        }
    }
    for (word, homes) in CONFINED {
        let bare = word.strip_suffix("::").map(|name| format!("use {name};"));
        let stands = has_word(&code, word) || bare.is_some_and(|bare| has_word(&code, &bare));
        if stands && !homes.contains(&module) {
            faults.push(format!("{}: {module} has {word}", file.display()));
        }
    }
    faults
}

fn may_use(module: &str, target: &str) -> bool {
    let known =
        |name| matches!(name, "cli" | "demo") || MAY_USE.iter().any(|(module, _)| *module == name);
    if module == target || matches!(module, "cli" | "demo" | "main" | "lib") || !known(target) {
        return true;
    }
    match MAY_USE.iter().find(|(name, _)| *name == module) {
        Some((_, allowed)) => BASE.contains(&target) || allowed.contains(&target),
        None => !matches!(target, "cli" | "demo"),
    }
}

// `crypto/aead.rs` is [crypto, aead]; lib.rs is the root itself.
fn module_path(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let parts = path.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.filter(|part| part != "lib").collect()
}

// The text without comments, strings and the inline test module at its end.
fn code_of(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(end) => &text[..end],
        None => text,
    };
    let mut code = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                rest.by_ref().find(|c| *c == '\n');
                code.push('\n');
            }
            '"' if code.ends_with('\'') || code.ends_with("'\\") => code.push(c),
            '"' => skip_string(&code, &mut rest),
            c => code.push(c),
        }
    }
    code
}

// Past the end of a string; `r` and the `#`s before it say how a raw one ends.
fn skip_string(before: &str, rest: &mut impl Iterator<Item = char>) {
    let plain = before.trim_end_matches('#');
    let hashes = before.len() - plain.len();
    let raw = plain.ends_with('r');
    while let Some(c) = rest.next() {
        match c {
            '\\' if !raw => drop(rest.next()),
            '"' if !raw || rest.by_ref().take(hashes).all(|c| c == '#') => return,
            _ => {}
        }
    }
}

// Every path into this crate, from its root, with use trees spread out.
fn paths(code: &str, place: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (root, from_crate) in [("crate::", true), ("phiseal::", true), ("super::", false)] {
        for start in words(code, root) {
            let mut rest = &code[start + root.len()..];
            let mut base = Vec::new();
            if !from_crate {
                if code[..start].ends_with("super::") {
                    continue; // seen from its first super
                }
                let mut up = 1;
                while let Some(further) = rest.strip_prefix("super::") {
                    rest = further;
                    up += 1;
                }
                base = place[..place.len().saturating_sub(up)].to_vec();
            }
            tree(&mut rest, &base, &mut found);
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

fn tree(rest: &mut &str, base: &[String], found: &mut Vec<Vec<String>>) {
    *rest = rest.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        *rest = inside;
        loop {
            *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() || rest.starts_with('}') {
                *rest = rest.strip_prefix('}').unwrap_or(rest);
                return;
            }
            let before = rest.len();
            tree(rest, base, found);
            if rest.len() == before {
                return; // no use tree after all
            }
        }
    }
    let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after.strip_prefix('*').unwrap_or(after);
    let mut path = base.to_vec();
    if !name.is_empty() && name != "self" {
        path.push(name.to_owned());
    }
    if let Some(further) = rest.strip_prefix("::") {
        *rest = further;
        return tree(rest, &path, found);
    }
    if let Some(renamed) = rest.trim_start().strip_prefix("as ") {
        *rest = renamed.trim_start_matches(is_name);
    }
    found.push(path);
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !code[..*at].ends_with(is_name))
}

fn has_word(code: &str, word: &str) -> bool {
    words(code, word).next().is_some()
}
