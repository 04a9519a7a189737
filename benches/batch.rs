//! What a batch of 5,000 rows costs between reading and writing: decode, seal with a blind index,
//! encode; on one core and on all.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to report"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phiseal::crypto::{IndexSpec, KeyPart, NonceBatch, Normaliser, Purpose, RowKey, WrappingKey};
use phiseal::engine::FieldSpec;
use phiseal::engine::columns::{Cell, Columns, LastKeys};
use phiseal::keys::{KeyFor, KeyRecord, KeySet, KeyStatus, Keyring, LocalProvider, NewKey};
use rayon::prelude::*;

const ROWS: usize = 5000;
const CHUNK: usize = 256;

/// A row as it comes from the server: the key's text and the plaintext.
struct Row {
    key: [u8; 16],
    plain: Vec<u8>,
}

fn batch(criterion: &mut Criterion) {
    let keys = keys();
    let columns = Columns::new(
        "public.students",
        vec![FieldSpec {
            label: "ssn".to_owned(),
            pad_to: 0,
            index: Some(IndexSpec::new(Normaliser::Digits, 256).expect("bits in range")),
        }],
    );
    let rows: Vec<Row> = (0..ROWS)
        .map(|i| Row {
            key: uuid::Uuid::from_u128(i as u128 * 0x9e37_79b9_7f4a_7c15).into_bytes(),
            plain: format!("{:03}-{:02}-{:04}", i % 1000, i % 100, i).into_bytes(),
        })
        .collect();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, threads) in [("one core", 1), ("all cores", 0)] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a thread pool");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| pool.install(|| black_box(work(&columns, &keys, &rows)).len()));
        });
    }
    group.finish();
}

/// Sealed values as a text column takes them, and their indexes.
fn work(columns: &Columns, keys: &KeySet, rows: &[Row]) -> Vec<(String, Option<Vec<u8>>)> {
    rows.par_chunks(CHUNK)
        .flat_map_iter(|chunk| {
            let mut nonces = NonceBatch::draw(chunk.len()).expect("random bytes");
            let mut memo = LastKeys::default();
            chunk
                .iter()
                .map(|row| {
                    let row_key = RowKey::encode(&[KeyPart::Uuid(row.key)]).expect("a key");
                    let cell = Cell {
                        tenant: "",
                        field: 0,
                        row_key: &row_key,
                    };
                    let nonce = nonces.next().expect("a nonce for each row");
                    let (sealed, index) = columns
                        .seal(keys, &mut memo, cell, nonce, &row.plain, true)
                        .expect("seals");
                    (String::from_utf8(sealed).expect("text form"), index)
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn keys() -> std::sync::Arc<KeySet> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let provider = LocalProvider::new(WrappingKey::generate().expect("random bytes"));
        let mut records: Vec<KeyRecord> = Vec::new();
        for (id, purpose) in [(7, Purpose::Cell), (8, Purpose::BlindIndex)] {
            let key_for = KeyFor {
                tenant: String::new(),
                purpose,
            };
            let key_id = phiseal::crypto::KeyId::new(id).expect("in range");
            let data_key = phiseal::crypto::DataKey::generate().expect("random bytes");
            let new = NewKey::wrap(&data_key, key_id, &key_for, 1, &provider)
                .await
                .expect("wraps");
            let mut record = new.into_record("2026-01-01T00:00:00Z".to_owned());
            record.status = KeyStatus::Active;
            records.push(record);
        }
        Keyring::load(&records, &provider)
            .await
            .expect("loads")
            .snapshot()
    })
}

criterion_group!(benches, batch);
criterion_main!(benches);
