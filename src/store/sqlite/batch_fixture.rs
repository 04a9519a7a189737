//! A table with a lane, on which a test can write a batch.

use super::fixture::{Fixture, access, request, stamp, table, with};
use crate::store::page::{PageCell, WriteCell};
use crate::store::{
    BatchWriter, LaneRecord, LaneStamp, LaneTally, LaneUpdate, PageRow, Select, StoreError, Table,
    WriteBatch, WriteRow, Written,
};
use crate::store::{Catalog, Ledger, Rows};

pub(super) const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE, age INTEGER); \
    INSERT INTO t VALUES (1, 'abc', 7), (2, 'def', 8), (3, 'ghi', NULL)";

pub(super) fn beside() -> Table {
    with(
        with(table("t", &["id"]), "ssn", "TEXT", true),
        "age",
        "INTEGER",
        true,
    )
}

/// A number and a blob column, as [`BatchFixture::restores`] tests them.
pub(super) fn number_and_blob() -> Table {
    with(
        with(table("t", &["id"]), "n", "NUMERIC", true),
        "b",
        "BLOB",
        true,
    )
}

pub(super) const TALLY: LaneTally = LaneTally {
    rows_found: 3,
    rows_written: 2,
    values_written: 5,
    conflicts: 1,
    quarantined: 0,
};

pub(super) struct BatchFixture {
    pub(super) fixture: Fixture,
    pub(super) table: Table,
    pub(super) lane: LaneRecord,
    pub(super) writer: Box<dyn BatchWriter>,
    pub(super) key: crate::crypto::KeyId,
}

impl BatchFixture {
    pub(super) async fn new(schema: &str, table: Table) -> Self {
        let mut fixture = Fixture::new(schema).await;
        let key = fixture.key(1, "", true).await;
        fixture.store.prepare(&table).await.unwrap();
        let lane = fixture.lane(&table).await;
        let writer = fixture.store.writer().await.unwrap();
        Self {
            fixture,
            table,
            lane,
            writer,
            key,
        }
    }

    pub(super) async fn read(&mut self, select: Select) -> Vec<PageRow> {
        self.fixture.page(&self.table, &request(select)).await.rows
    }

    pub(super) async fn begin(&mut self, stamp: LaneStamp) -> Result<(), StoreError> {
        let advance = LaneUpdate {
            durable: true,
            cursor: Some(b"cursor".to_vec()),
            lease_seconds: 30,
        };
        self.writer.begin(&stamp, &advance, &[self.key]).await
    }

    pub(super) async fn write(&mut self, rows: &[WriteRow]) -> Result<Written, StoreError> {
        let fingerprint = self
            .fixture
            .store
            .fingerprint(&access(&self.table), "")
            .await
            .unwrap();
        let batch = WriteBatch {
            relation: "",
            fingerprint: &fingerprint,
            storage: "",
            rows,
        };
        self.writer.write(&access(&self.table), &batch, false).await
    }

    /// Clears the plaintext of all rows of `t`, restores it, and compares. Each row has a sealed
    /// value, and columns `n` and `b`.
    pub(super) async fn restores(&mut self, rows: u64) {
        let select = "SELECT typeof(n) || quote(n) || typeof(b) || quote(b) FROM t ORDER BY id";
        let before = self.fixture.rows(select).await;
        let plain = self.read(Select::Any).await.into_iter();
        let cells = plain.map(|row| {
            let open = |cell: PageCell| cell.plain.map_or(WriteCell::Keep, WriteCell::Open);
            row.cells.into_iter().map(open).collect::<Vec<_>>()
        });
        let clear = "UPDATE t SET n = NULL, b = NULL";
        self.fixture.unguarded(clear).await;
        assert_ne!(self.fixture.rows(select).await, before);
        let sealed = self.read(Select::Sealed).await.into_iter();
        let writes: Vec<WriteRow> = sealed
            .zip(cells)
            .map(|(row, cells)| WriteRow {
                cells,
                locator: row.locator,
            })
            .collect();
        self.begin(stamp(&self.lane)).await.unwrap();
        assert_eq!(self.write(&writes).await.unwrap().rows, rows);
        self.writer.commit(&TALLY).await.unwrap();
        assert_eq!(self.fixture.rows(select).await, before);
    }

    pub(super) async fn state(&mut self) -> Vec<String> {
        self.fixture.rows("SELECT quote(ssn) || ' ' || quote(age) || ' ' || quote(ssn_sealed) FROM t ORDER BY id").await
    }

    pub(super) async fn lane_now(&self) -> LaneRecord {
        self.fixture
            .store
            .lane_after_commit(self.lane.run_id, 0)
            .await
            .unwrap()
    }
}

pub(super) fn seal(bytes: &[u8]) -> WriteCell {
    WriteCell::Seal {
        sealed: bytes.to_vec(),
        index: None,
    }
}

/// Seals the first field of every row, and keeps the others.
pub(super) fn sealed(rows: Vec<PageRow>) -> Vec<WriteRow> {
    let row = |row: PageRow| WriteRow {
        cells: (0..row.cells.len())
            .map(|at| match at {
                0 => seal(b"\xe7sealed"),
                _ => WriteCell::Keep,
            })
            .collect(),
        locator: row.locator,
    };
    rows.into_iter().map(row).collect()
}
