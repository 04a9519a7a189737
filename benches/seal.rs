//! What sealing and opening one value costs on one core, at four lengths, with a 70-byte context.
//!
//! The row key is a bigint's 13 bytes and every nonce is fresh, drawn in batches of 1,024 as the engine
//! draws them, inside the measured time.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to report"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phiseal::crypto::{
    ColumnKey, Context, DataKey, Envelope, KeyId, KeyPart, Nonce, NonceBatch, RowKey,
};
use zeroize::Zeroizing;

const LENGTHS: [usize; 4] = [11, 64, 1024, 65_536];
const NONCES_PER_DRAW: usize = 1024;

fn seal(criterion: &mut Criterion) {
    let (key, row_key, mut nonces) = (column_key(), row_key(), Nonces::default());
    let mut group = criterion.benchmark_group("seal");
    for length in LENGTHS {
        let plaintext = vec![b'x'; length];
        let mut sealed = Vec::new();
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(length),
            &plaintext,
            |bencher, plaintext| {
                bencher.iter(|| {
                    sealed.clear();
                    key.seal(
                        black_box(&row_key),
                        nonces.next(),
                        black_box(plaintext),
                        0,
                        &mut sealed,
                    )
                    .expect("seals");
                    black_box(sealed.as_ptr());
                });
            },
        );
        assert_eq!(sealed.len(), length + 34);
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let (key, row_key, mut nonces) = (column_key(), row_key(), Nonces::default());
    let mut group = criterion.benchmark_group("open");
    for length in LENGTHS {
        let mut sealed = Vec::new();
        key.seal(&row_key, nonces.next(), &vec![b'x'; length], 0, &mut sealed)
            .expect("seals");
        let mut opened = Zeroizing::new(Vec::new());
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(length),
            &sealed,
            |bencher, sealed| {
                bencher.iter(|| {
                    let envelope = Envelope::parse(black_box(sealed)).expect("parses");
                    key.open_into(black_box(&row_key), &envelope, &mut opened)
                        .expect("opens");
                    black_box(opened.as_ptr());
                });
            },
        );
        assert_eq!(opened.len(), length);
    }
    group.finish();
}

fn column_key() -> ColumnKey {
    let context = Context::new(
        "0b6f3a52-clinic-17",
        "public.patients_of_region_9",
        "national_id_1",
    );
    assert_eq!(context.as_bytes().len(), 70);
    let data_key = DataKey::generate().expect("random bytes");
    ColumnKey::derive(KeyId::random().expect("random bytes"), &data_key, &context)
}

fn row_key() -> RowKey {
    RowKey::encode(&[KeyPart::Int(42)]).expect("an integer is a key")
}

/// Nonces without end, a batch at a time.
#[derive(Default)]
struct Nonces(Option<NonceBatch>);

impl Nonces {
    fn next(&mut self) -> Nonce {
        loop {
            if let Some(nonce) = self.0.as_mut().and_then(Iterator::next) {
                return nonce;
            }
            self.0 = Some(NonceBatch::draw(NONCES_PER_DRAW).expect("random bytes"));
        }
    }
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
