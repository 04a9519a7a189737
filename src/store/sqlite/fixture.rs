//! A database file for one test, with phiseal's tables in it, and an application's connection to
//! it.

use crate::store::{Ledger, Rows};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::guard::mark;
use super::{Access, SqliteStore};
use crate::crypto::{KeyId, Purpose};
use crate::ident::{Ident, TableName};
use crate::keys::{Handover, KeyStatus, KeyTable, NewKey, RotationKind, RotationPeriod, Unnoted};
use crate::store::change::Change;
use crate::store::{
    FieldRecord, FieldState, KeyColumn, KeyKind, LaneRecord, LaneStamp, NewLane, Page, PageRequest,
    RunKind, RunRecord, RunState, Sealed, Select, Table, TableField,
};

const MIGRATIONS: [&str; 11] = [
    include_str!("../../../migrations/engine/sqlite/0001_keys.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0002_fields.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0003_runs.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0004_quarantine.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0005_audit.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0006_rights.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0007_relations.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0008_keys.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0009_procedures.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0010_plaintext.up.sql"),
    include_str!("../../../migrations/engine/sqlite/0011_pacing.up.sql"),
];

pub(super) struct Fixture {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: SqliteStore,
    pub(super) app: SqliteConnection,
}

impl Fixture {
    pub(super) async fn new(schema: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clinic.db");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let store = SqliteStore::open(&url, Access::WriteInWal).await.unwrap();
        let app = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(false)
            .connect()
            .await
            .unwrap();
        let mut fixture = Self { dir, store, app };
        for migration in MIGRATIONS {
            fixture.exec(migration).await.unwrap();
        }
        fixture.exec(schema).await.unwrap();
        fixture
    }

    /// Runs statements as an application; an error's code is the extended result code.
    pub(super) async fn exec(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.app)
            .await
            .map(|_| ())
    }

    /// Runs statements without the guards, to leave rows as an engine would have.
    pub(super) async fn unguarded(&mut self, sql: &str) {
        const GUARDS: &str = "FROM sqlite_schema WHERE name GLOB '~phiseal_*' ORDER BY name";
        let names = self.rows(&format!("SELECT name {GUARDS}")).await;
        let texts = self.rows(&format!("SELECT sql {GUARDS}")).await;
        for name in names {
            self.exec(&format!("DROP TRIGGER {}", ident(&name).quoted()))
                .await
                .unwrap();
        }
        self.exec(sql).await.unwrap();
        for text in texts {
            self.exec(&text).await.unwrap();
        }
    }

    /// The first column of a query's rows.
    pub(super) async fn rows(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut self.app)
            .await
            .unwrap();
        rows.iter()
            .map(|row| row.try_get::<String, _>(0).unwrap())
            .collect()
    }

    /// Inserts a key for a tenant, and activates it if `active` is set.
    pub(super) async fn key(&mut self, id: i64, tenant: &str, active: bool) -> KeyId {
        let key_id = KeyId::new(id).unwrap();
        let new = NewKey {
            key_id,
            tenant: tenant.to_owned(),
            purpose: Purpose::Cell,
            version: i32::try_from(id).unwrap(),
            algorithm: "AES-256-GCM".to_owned(),
            kek_ref: "wk:0123456789abcdef".to_owned(),
            wrapped_key: vec![1; 64],
            check_value: vec![2; 32],
            created_by: "test".to_owned(),
            reason: None,
        };
        assert!(self.store.insert_keys(&[new]).await.unwrap().is_empty());
        if active {
            self.store
                .activate_keys(&[key_id], RotationPeriod::Quarter, &Unnoted)
                .await
                .unwrap();
        }
        key_id
    }

    /// Every key with its state.
    pub(super) async fn keys(&mut self) -> Vec<String> {
        self.rows("SELECT key_id || ' ' || status FROM phiseal_encryption_keys ORDER BY key_id")
            .await
    }

    /// Registers the fields of a table as sealed.
    pub(super) async fn register(&mut self, table: &Table) {
        let records: Vec<FieldRecord> = table
            .fields
            .iter()
            .map(|field| registered(table, field))
            .collect();
        self.store.register_fields(&records).await.unwrap();
    }

    /// A run on the table with one claimed lane.
    pub(super) async fn lane(&mut self, table: &Table) -> LaneRecord {
        let lane = NewLane {
            lane_no: 0,
            kind: crate::store::LaneKind::Range,
            relation: table.name.name.quoted(),
            lower: None,
            upper: None,
        };
        let run_id = self
            .store
            .begin_run(&run(&table.label), &[lane])
            .await
            .unwrap();
        let holder = crate::store::Holder("here/boot/1/2/0".to_owned());
        self.store
            .claim_lane(run_id, &holder, &[], 60)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn page(&mut self, table: &Table, request: &PageRequest) -> Page {
        let mut reader = self.store.reader().await.unwrap();
        reader.page(&access(table), request).await.unwrap()
    }
}

pub(super) fn stamp(lane: &LaneRecord) -> LaneStamp {
    LaneStamp {
        run_id: lane.run_id,
        lane_no: lane.lane_no,
        fence: lane.fence,
        seq: lane.seq,
    }
}

pub(super) fn run(label: &str) -> RunRecord {
    RunRecord {
        run_id: 0,
        kind: RunKind::Backfill,
        table_label: label.to_owned(),
        digest: "digest".to_owned(),
        state: RunState::Running,
        params: "{}".to_owned(),
        started_at: String::new(),
        finished_at: None,
        actor: "test".to_owned(),
        tally: crate::store::LaneTally::default(),
        error_code: None,
    }
}

fn registered(table: &Table, field: &TableField) -> FieldRecord {
    let name = |ident: &Ident| ident.as_str().to_owned();
    FieldRecord {
        table_label: table.label.clone(),
        column_label: field.label.clone(),
        schema_name: String::new(),
        table_name: name(&table.name.name),
        column_name: name(&field.column),
        sealed_column: match &field.sealed {
            Sealed::Beside { column, .. } => Some(name(column)),
            Sealed::InPlace => None,
        },
        blind_index_column: field.index.as_ref().map(name),
        blind_index_normaliser: field.index.as_ref().map(|_| "none".to_owned()),
        blind_index_bits: field.index.as_ref().map(|_| 128),
        blind_index_next: None,
        blind_index_key_id: None,
        tenant_column: table.tenant.as_ref().map(name),
        key_columns: table.keys.iter().map(|key| name(&key.name)).collect(),
        key_types: vec!["*".to_owned(); table.keys.len()],
        source_type: field.source_type.clone(),
        in_place: field.sealed == Sealed::InPlace,
        pad_to: 0,
        state: FieldState::Sealed,
        frozen: false,
        plaintext_definition: "{}".to_owned(),
        values_sealed: 0,
        place: crate::store::Whereabouts::default(),
    }
}

/// A handover from an active key to a pre-active one.
pub(super) fn handover(from: KeyId, to: KeyId) -> Handover {
    Handover {
        from,
        from_is: KeyStatus::Active,
        from_becomes: KeyStatus::Deactivated,
        to,
        to_is: KeyStatus::PreActive,
        to_becomes: KeyStatus::Active,
        kind: RotationKind::Rotate,
        reason: "due".to_owned(),
    }
}

pub(super) fn ident(name: &str) -> Ident {
    Ident::new(name).unwrap()
}

/// The statement that marks the next writes as the engine's: this change of the table with this
/// label.
pub(super) fn marked(change: Change, label: &str) -> String {
    let number = mark::number(mark::numbers(label).0, mark::bits(change));
    format!("INSERT INTO phiseal_guard_mark VALUES ({number}, 'engine')")
}

/// A table with these key columns and no field.
pub(super) fn table(table_name: &str, keys: &[&str]) -> Table {
    let key = |name: &&str| KeyColumn {
        name: ident(name),
        kind: KeyKind::ByClass,
        cast: String::new(),
        type_schema: None,
    };
    Table {
        name: TableName {
            schema: None,
            name: ident(table_name),
        },
        label: table_name.to_owned(),
        keys: keys.iter().map(key).collect(),
        tenant: None,
        fields: Vec::new(),
        on_untrusted_seal: None,
    }
}

/// Adds a field to a table: `column` beside `column`_sealed, or in place.
pub(super) fn with(mut table: Table, column: &str, source_type: &str, beside: bool) -> Table {
    let sealed = match beside {
        true => Sealed::Beside {
            column: ident(&format!("{column}_sealed")),
            text: false,
        },
        false => Sealed::InPlace,
    };
    table.fields.push(TableField {
        column: ident(column),
        label: column.to_owned(),
        source_type: source_type.to_owned(),
        plain_is_bytes: source_type == "BLOB",
        plain_is_varlena_text: true,
        sealed,
        index: None,
        index_next: None,
        index_unique: false,
        plain_exists: true,
    });
    table
}

/// Reads and writes all columns of a table.
pub(super) fn access(table: &Table) -> crate::store::Access {
    crate::store::Access::of(table.clone())
}

pub(super) fn request(select: Select) -> PageRequest {
    PageRequest {
        relation: String::new(),
        after: None,
        upto: None,
        rows_max: 100,
        bytes_max: 1 << 20,
        value_bytes_max: 1 << 20,
        select,
        with_key_text: true,
        versions: crate::store::Visibility::All,
    }
}
