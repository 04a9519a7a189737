//! A key table in memory that can simulate faults, for the tests of the keys.
//! Otherwise it keeps the contract of `KeyTable`: ids and versions are unique, a tenant has one
//! active key of a purpose, and state changes are legal.

use std::sync::Mutex;

use async_trait::async_trait;

use super::error::KeyError;
use super::key::{KeyFor, KeyRecord, NewKey};
use super::lifecycle::KeyStatus;
use super::note::Notary;
use super::provider::{Answer, KeyProvider, LocalProvider};
use super::rotation_period::RotationPeriod;
use super::table::KeyTable;
use crate::crypto::{DataKey, KeyId, Purpose, WrappingKey};
use crate::error::round_trip::StoreError;

/// A fault of a stored key or of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One bit of every stored wrapped key is flipped.
    FlipWrapped,
    /// One bit of every stored check value is flipped.
    FlipCheck,
    /// Rows are missing after the insert.
    Lose,
    /// Rows lose their wrapped key.
    Blank,
    /// Two rows have each other's wrapped key.
    Swap,
    /// The first `n` inserted ids are refused as taken.
    Taken(u32),
    /// The first `n` inserts are refused because the version is taken.
    VersionTaken(u32),
    /// Another process activates its own key just before the first activation.
    Rival,
    /// The first activation is committed, but its answer is lost.
    Unanswered,
    /// Activation reports success but does nothing.
    Idle,
}

pub(crate) struct FakeTable {
    provider: LocalProvider,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: Vec<KeyRecord>,
    fault: Option<Fault>,
    calls: u32,
}

impl FakeTable {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            provider: provider(),
            state: Mutex::new(State {
                fault,
                ..State::default()
            }),
        }
    }

    pub(crate) fn provider(&self) -> &LocalProvider {
        &self.provider
    }

    pub(crate) fn records(&self) -> Vec<KeyRecord> {
        self.state.lock().unwrap().records.clone()
    }

    pub(crate) fn calls(&self) -> u32 {
        self.state.lock().unwrap().calls
    }

    /// Stores a record without any check.
    pub(crate) fn put(&self, record: KeyRecord) {
        self.state.lock().unwrap().records.push(record);
    }

    pub(crate) fn set_status(&self, key_id: KeyId, status: KeyStatus) {
        let mut state = self.state.lock().unwrap();
        let record = state
            .records
            .iter_mut()
            .find(|record| record.key_id == key_id)
            .unwrap();
        record.status = status;
    }
}

pub(crate) fn provider() -> LocalProvider {
    LocalProvider::new(WrappingKey::generate().unwrap())
}

pub(crate) fn key_for(tenant: &str) -> KeyFor {
    KeyFor {
        tenant: tenant.to_owned(),
        purpose: Purpose::Cell,
    }
}

/// The record of a new wrapped key in this state.
pub(crate) async fn record(
    provider: &dyn KeyProvider,
    id: i64,
    key_for: &KeyFor,
    status: KeyStatus,
) -> KeyRecord {
    let data_key = DataKey::generate().unwrap();
    let key_id = KeyId::new(id).unwrap();
    let row = NewKey::wrap(&data_key, key_id, key_for, 1, provider)
        .await
        .unwrap();
    let mut record = row.into_record("2026-01-01T00:00:00Z".to_owned());
    record.status = status;
    if status == KeyStatus::Destroyed {
        record.wrapped_key = None;
    }
    record
}

fn refused(constraint: &str) -> StoreError {
    StoreError::RowRefused {
        sqlstate: "23505".to_owned(),
        constraint: Some(constraint.to_owned()),
    }
}

impl State {
    fn spoil(&mut self, from: usize) {
        let fresh = self.records.get_mut(from..).unwrap();
        match self.fault {
            Some(Fault::FlipWrapped) => {
                for record in fresh {
                    *record.wrapped_key.as_mut().unwrap().last_mut().unwrap() ^= 1;
                }
            }
            Some(Fault::FlipCheck) => {
                for record in fresh {
                    record.check_value[0] ^= 1;
                }
            }
            Some(Fault::Lose) => self.records.truncate(from),
            Some(Fault::Blank) => {
                for record in fresh {
                    record.wrapped_key = None;
                }
            }
            Some(Fault::Swap) => {
                let [one, two] = fresh else {
                    panic!("swap takes two")
                };
                std::mem::swap(&mut one.wrapped_key, &mut two.wrapped_key);
            }
            _ => {}
        }
    }

    fn activate(&mut self, ids: &[KeyId]) -> Result<(), StoreError> {
        let mut next = self.records.clone();
        for id in ids {
            let place = next.iter().position(|record| record.key_id == *id).unwrap();
            let whom = (next[place].tenant.clone(), next[place].purpose);
            let other = next.iter().any(|record| {
                record.status == KeyStatus::Active
                    && (record.tenant.clone(), record.purpose) == whom
            });
            if other {
                return Err(refused("encryption_keys_one_active"));
            }
            assert!(next[place].status.may_become(KeyStatus::Active));
            next[place].status = KeyStatus::Active;
        }
        self.records = next;
        Ok(())
    }
}

#[async_trait]
impl KeyTable for FakeTable {
    async fn key_records(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        Ok(state.records.clone())
    }

    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>, StoreError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let wanted = |record: &&KeyRecord| ids.contains(&record.key_id);
        Ok(state.records.iter().filter(wanted).cloned().collect())
    }

    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>, StoreError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        if let Some(Fault::VersionTaken(left @ 1..)) = state.fault {
            state.fault = Some(Fault::VersionTaken(left - 1));
            return Err(refused("encryption_keys_tenant_purpose_version_key"));
        }
        let from = state.records.len();
        let mut taken = Vec::new();
        for row in new {
            if let Some(Fault::Taken(left @ 1..)) = state.fault {
                state.fault = Some(Fault::Taken(left - 1));
                taken.push(row.key_id);
                continue;
            }
            let same = |record: &KeyRecord| {
                (&record.tenant, record.purpose, record.version)
                    == (&row.tenant, row.purpose, row.version)
            };
            assert!(!state.records.iter().any(same), "version given twice");
            state
                .records
                .push(row.clone().into_record("2026-01-01T00:00:00Z".to_owned()));
        }
        state.spoil(from);
        Ok(taken)
    }

    async fn activate_keys(
        &self,
        ids: &[KeyId],
        _: RotationPeriod,
        _: &dyn Notary,
    ) -> Result<(), StoreError> {
        let fault = self.state.lock().unwrap().fault;
        if fault == Some(Fault::Rival) {
            let tenant = {
                let mut state = self.state.lock().unwrap();
                state.fault = None;
                let ours = |record: &&KeyRecord| record.key_id == ids[0];
                state.records.iter().find(ours).unwrap().tenant.clone()
            };
            let mut rival = record(&self.provider, 999, &key_for(&tenant), KeyStatus::Active).await;
            rival.version = 99;
            self.put(rival);
        }
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        match fault {
            Some(Fault::Idle) => Ok(()),
            Some(Fault::Unanswered) => {
                state.activate(ids)?;
                Err(StoreError::OutcomeUnknown)
            }
            _ => state.activate(ids),
        }
    }
}

/// A provider whose service is down.
pub(crate) struct DownProvider(pub(crate) LocalProvider);

impl KeyProvider for DownProvider {
    fn reference(&self) -> &str {
        self.0.reference()
    }

    fn under(&self, reference: &str) -> Option<&dyn KeyProvider> {
        (reference == self.0.reference()).then_some(self as &dyn KeyProvider)
    }

    fn wrap<'a>(&'a self, _: KeyId, _: Purpose, _: &'a str, _: &'a DataKey) -> Answer<'a, Vec<u8>> {
        Box::pin(async { Err(self.down()) })
    }

    fn unwrap<'a>(&'a self, _: KeyId, _: Purpose, _: &'a str, _: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async { Err(self.down()) })
    }
}

impl DownProvider {
    fn down(&self) -> KeyError {
        KeyError::ProviderUnavailable {
            reference: self.0.reference().to_owned(),
        }
    }
}
