//! Keys and opened values are gone from a process that has dropped what held them.
//! A child process loads keys, seals, indexes and opens; this one looks for what it knows they must be
//! in the child's memory, through /proc, once while they are held, where they must be found, and once
//! after they were dropped, where they must not. What the child is given is masked, so that nothing
//! but the library ever unmasks it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails loudly"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use phiseal::crypto::{DataKey, IndexSpec, KeyId, KeyPart, Normaliser, Purpose, WrappingKey};
use phiseal::keys::{
    KeyFor, KeyProvider, KeyRecord, KeyStatus, Keyring, LocalProvider, NewKey, ProviderConfig,
};
use phiseal::{Field, Opener, Sealer};
use sha2::Sha256;
use sha2::block_api::compress256;
use zeroize::Zeroizing;

const MASK: u8 = 0xa5;
const CHILD: &str = "PHISEAL_WIPED_CHILD";
/// The one thing that is not looked for on the stack: the cipher's crate moves its round keys there,
/// the first two of which are the key itself.
const CELL_KEY: &str = "cell key";
const TABLE: &str = "public.patients";
/// Not ASCII, so that every step of the normaliser makes a buffer of its own.
const VALUE: &str = "Ünwiped-Straße-Kanarienvogel-0123456789";

#[tokio::test]
async fn nothing_of_keys_and_values_is_left_once_they_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (needles, records) = secrets(dir.path()).await;
    let mut child = Looked::start(dir.path(), &records);
    let held = child.find(&needles, "held");
    for name in [
        "wrapping key",
        "cell key's data key",
        "index key's data key",
        "column key, inner",
        "value",
    ] {
        assert!(
            held.contains(&name),
            "{name} is not found while it is held: {held:?}"
        );
    }
    assert_eq!(child.find(&needles, "dropped"), [""; 0]);
}

/// What must not be left: a name, and its bytes.
type Needles = Vec<(&'static str, Vec<u8>)>;

async fn secrets(dir: &std::path::Path) -> (Needles, String) {
    let path = dir.join("key");
    phiseal::keys::write_new_wrapping_key(&path).unwrap();
    let line = std::fs::read(&path).unwrap();
    let provider = LocalProvider::new(WrappingKey::parse_line(&line).unwrap());
    let (cell, index) = ([0x3c; 32].map(mixed), [0x71; 32].map(mixed));
    let mut records = String::new();
    for (id, purpose, key) in [(1, Purpose::Cell, cell), (2, Purpose::BlindIndex, index)] {
        let whom = KeyFor {
            tenant: String::new(),
            purpose,
        };
        let key = DataKey::from_bytes(Zeroizing::new(key));
        let id = KeyId::new(id).unwrap();
        let made = NewKey::wrap(&key, id, &whom, 1, &provider).await.unwrap();
        let record = made.into_record("2026-01-01T00:00:00Z".to_owned());
        records.push_str(&format!(
            "{} {} ",
            hex::encode(record.wrapped_key.unwrap()),
            hex::encode(record.check_value)
        ));
    }
    let column = expand(&cell, b"ps1/col", &context());
    let mut row_key = vec![0, 0, 0, 9, b'i'];
    row_key.extend_from_slice(&42_i64.to_be_bytes());
    let cell_key = expand(&column, b"ps1/cell", &row_key);
    let index_key = expand(&index, b"ps1/bidx", &context());
    let wrapping = {
        use base64::Engine as _;
        let encoded = line.trim_ascii().strip_prefix(b"phiseal-wk-1.").unwrap();
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(encoded)
            .unwrap()
    };
    let mut needles = vec![
        ("key line", line.trim_ascii().to_vec()),
        ("wrapping key", wrapping),
        ("cell key's data key", cell.to_vec()),
        ("index key's data key", index.to_vec()),
        ("column key", column.to_vec()),
        (CELL_KEY, cell_key.to_vec()),
        ("index key", index_key.to_vec()),
        ("value", VALUE.as_bytes().to_vec()),
        ("normalised value", VALUE.to_uppercase().into_bytes()),
    ];
    let states = [
        ("data key, inner", "data key, outer", &cell),
        ("column key, inner", "column key, outer", &column),
        ("index key, inner", "index key, outer", &index_key),
    ];
    for (inner, outer, key) in states {
        needles.push((inner, state(key, 0x36)));
        needles.push((outer, state(key, 0x5c)));
    }
    (needles, records)
}

/// Bytes that stand nowhere else.
fn mixed(byte: u8) -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    static N: AtomicU8 = AtomicU8::new(1);
    byte ^ N.fetch_add(37, Ordering::Relaxed)
}

fn context() -> Vec<u8> {
    let mut out = Vec::new();
    for field in ["", TABLE, "ssn"] {
        out.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        out.extend_from_slice(field.as_bytes());
    }
    out
}

/// docs/FORMAT.md, by the `hmac` crate.
fn expand(key: &[u8; 32], label: &[u8], info: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in [label, &[0], info, &[1]] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The words of SHA-256 after the padded key, as they lie in memory.
fn state(key: &[u8; 32], pad: u8) -> Vec<u8> {
    let mut block = [pad; 64];
    block
        .iter_mut()
        .zip(key)
        .for_each(|(padded, byte)| *padded ^= byte);
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    compress256(&mut state, &[block]);
    state
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect()
}

/// A child whose memory is looked at.
struct Looked {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Looked {
    fn start(dir: &std::path::Path, records: &str) -> Self {
        let masked: Vec<u8> = VALUE.bytes().map(|byte| byte ^ MASK).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "the_child",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env_clear()
            .env(
                CHILD,
                format!(
                    "{records}{} {}",
                    hex::encode(masked),
                    dir.join("key").display()
                ),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// Waits until it says so, and looks for each needle.
    fn find(&mut self, needles: &Needles, when: &str) -> Vec<&'static str> {
        let mut line = String::new();
        while !line.contains(when) {
            line.clear();
            assert_ne!(
                self.said.read_line(&mut line).unwrap(),
                0,
                "it ended before {when}"
            );
        }
        let stack = line.split_whitespace().last().unwrap();
        let stack = u64::from_str_radix(stack.trim_start_matches("0x"), 16).unwrap();
        let memory = memory(self.child.id());
        let found = needles.iter().filter_map(|(name, bytes)| {
            let places: Vec<&Range<u64>> = memory
                .iter()
                .filter(|(place, _)| !(*name == CELL_KEY && place.contains(&stack)))
                .filter(|(_, held)| held.windows(bytes.len()).any(|at| at == bytes))
                .map(|(place, _)| place)
                .collect();
            (!places.is_empty()).then(|| {
                println!("{when}: {name} in {places:?}");
                *name
            })
        });
        let found = found.collect();
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        found
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What can be written in a process's memory: its heaps, stacks and statics.
fn memory(pid: u32) -> Vec<(Range<u64>, Vec<u8>)> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut out = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, mode) = (words.next().unwrap(), words.next().unwrap());
        let place = words.nth(3).unwrap_or("anonymous");
        if !mode.starts_with("rw") || place.starts_with("[v") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let at = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(at(to) - at(from)).unwrap()];
        memory.read_exact_at(&mut bytes, at(from)).unwrap();
        out.push((at(from)..at(to), bytes));
    }
    out
}

#[tokio::test]
#[ignore = "the child of the other test"]
async fn the_child() {
    let Ok(given) = std::env::var(CHILD) else {
        return;
    };
    let words: Vec<&str> = given.split(' ').collect();
    let [cell, cell_check, index, index_check, masked, path] = words[..] else {
        panic!("{words:?}");
    };
    let value = Zeroizing::new(hex::decode(masked).unwrap());
    work(
        &[(1, cell, cell_check), (2, index, index_check)],
        value,
        path,
    )
    .await;
    say_and_wait("dropped");
}

async fn work(keys: &[(i64, &str, &str)], mut value: Zeroizing<Vec<u8>>, path: &str) {
    let provider = ProviderConfig::File(path.into()).open().unwrap();
    let records: Vec<KeyRecord> = keys
        .iter()
        .map(|key| record(key, provider.reference()))
        .collect();
    let keyring = Arc::new(Keyring::load(&records, &provider).await.unwrap());
    let field =
        Field::new(TABLE, "ssn").blind_index(IndexSpec::new(Normaliser::Caseless, 256).unwrap());
    let sealer = Sealer::new(Arc::clone(&keyring), field.clone());
    let opener = Opener::new(Arc::clone(&keyring), field);
    value.iter_mut().for_each(|byte| *byte ^= MASK);
    let row = [KeyPart::Int(42)];
    let sealed = sealer.seal("", &row, &value).unwrap();
    let indexed = sealer
        .blind_index("", std::str::from_utf8(&value).unwrap())
        .unwrap();
    assert!(indexed.is_some());
    let opened = opener.open("", &row, &sealed).unwrap();
    assert_eq!(opened.len(), value.len());
    // As the engine keeps it from row to row.
    let context = phiseal::crypto::Context::new("", TABLE, "ssn");
    let key = keyring.openable(KeyId::new(1).unwrap()).unwrap();
    let column = phiseal::crypto::ColumnKey::derive(key.key_id(), key.data_key(), &context);
    say_and_wait("held");
    drop((column, opened, value, sealer, opener, provider));
}

fn record((id, wrapped, check): &(i64, &str, &str), reference: &str) -> KeyRecord {
    KeyRecord {
        key_id: KeyId::new(*id).unwrap(),
        tenant: String::new(),
        purpose: if *id == 1 {
            Purpose::Cell
        } else {
            Purpose::BlindIndex
        },
        version: 1,
        algorithm: "AES-256-GCM".to_owned(),
        status: KeyStatus::Active,
        kek_ref: reference.to_owned(),
        wrapped_key: Some(hex::decode(wrapped).unwrap()),
        check_value: hex::decode(check).unwrap(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        activated_at: None,
        deactivated_at: None,
        compromised_at: None,
        destroyed_at: None,
        rotation_due_at: None,
        created_by: "test".to_owned(),
        reason: None,
    }
}

fn say_and_wait(what: &str) {
    let mut line = String::new();
    println!("{what} {:p}", &line);
    std::io::stdin().read_line(&mut line).unwrap();
}
