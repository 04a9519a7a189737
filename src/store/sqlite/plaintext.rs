//! Taking the plaintext of sealed fields out of a table, and giving its column back.

use async_trait::async_trait;

use super::SqliteStore;
use crate::store::{
    Dependent, FrozenState, KeyText, OpenTransaction, Plaintext, Removal, Result, StoreError,
    Table, UnsealedRows,
};

#[async_trait]
impl Plaintext for SqliteStore {
    async fn writers(&self, _table: &Table) -> Result<Vec<OpenTransaction>> {
        Ok(Vec::new())
    }
    async fn unsealed(&self, _table: &Table) -> Result<Vec<UnsealedRows>> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn plaintext_dependents(&self, _table: &Table) -> Result<Vec<Dependent>> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn freeze(&self, _table: &Table) -> Result<()> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn unfreeze(&self, _table: &Table) -> Result<Vec<String>> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn frozen_state(&self, _table: &Table) -> Result<FrozenState> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn give_up(&self, _table: &Table, _field: Option<usize>, _key: &KeyText) -> Result<bool> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn constrain(&self, _table: &Table, _blank: bool) -> Result<()> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn hide(&self, _table: &Table, _state: &FrozenState) -> Result<Option<FrozenState>> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn remove_plaintext(
        &self,
        _table: &Table,
        _removal: Removal,
        _state: &FrozenState,
    ) -> Result<bool> {
        Err(StoreError::unexpected("not yet"))
    }
    async fn forget_statistics(&self, _table: &Table) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    async fn finish_plain_columns(&self, _table: &Table) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}
