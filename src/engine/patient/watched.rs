//! Pages and batches whose round trips are watched.
//! Owns what is left of a reader or writer whose round trip was given up: nothing. The connection is
//! closed, since nobody knows what state it is in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::watcher::Watcher;
use crate::crypto::KeyId;
use crate::store::{
    Access, BatchWriter, KeyText, LaneStamp, LaneTally, LaneUpdate, Locator, NewQuarantine, Page,
    PageReader, PageRequest, Result, RotationCount, StoreError, WriteBatch, Written,
};

/// A reader or writer, until one of its round trips is given up.
struct Watched<T: ?Sized> {
    watcher: Arc<Watcher>,
    inner: Option<Box<T>>,
}

/// Does one call of a reader or writer under watch. `$given_up` is the error if it is given up.
macro_rules! watched {
    ($self:ident, $given_up:expr, $call:ident($($arg:expr),*)) => {{
        let mut inner = $self.0.inner.take().ok_or(StoreError::ConnectionLost)?;
        let watcher = Arc::clone(&$self.0.watcher);
        let mut ended = false;
        let done = watcher
            .over($given_up, async {
                let done = inner.$call($($arg),*).await;
                ended = true;
                done
            })
            .await;
        if ended {
            $self.0.inner = Some(inner);
        }
        done
    }};
}

/// Reads pages under watch.
pub(super) struct WatchedReader(Watched<dyn PageReader>);

impl WatchedReader {
    pub(super) fn new(watcher: &Arc<Watcher>, reader: Box<dyn PageReader>) -> Self {
        Self(Watched {
            watcher: Arc::clone(watcher),
            inner: Some(reader),
        })
    }
}

#[async_trait]
impl PageReader for WatchedReader {
    async fn page(&mut self, access: &Access, request: &PageRequest) -> Result<Page> {
        watched!(self, StoreError::Interrupted, page(access, request))
    }

    async fn rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page> {
        let given_up = StoreError::Interrupted;
        watched!(self, given_up, rows(access, request, locators))
    }

    async fn current(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let given_up = StoreError::Interrupted;
        watched!(self, given_up, current(access, request, keys))
    }
}

/// Writes batches under watch.
pub(super) struct WatchedWriter(Watched<dyn BatchWriter>);

impl WatchedWriter {
    pub(super) fn new(watcher: &Arc<Watcher>, writer: Box<dyn BatchWriter>) -> Self {
        Self(Watched {
            watcher: Arc::clone(watcher),
            inner: Some(writer),
        })
    }
}

#[async_trait]
impl BatchWriter for WatchedWriter {
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[KeyId],
    ) -> Result<()> {
        let given_up = StoreError::Interrupted;
        watched!(self, given_up, begin(stamp, advance, keys))
    }

    async fn lock_rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let given_up = StoreError::Interrupted;
        watched!(self, given_up, lock_rows(access, request, keys))
    }

    async fn write(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let given_up = StoreError::Interrupted;
        watched!(self, given_up, write(access, batch, skip_locked))
    }

    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()> {
        watched!(self, StoreError::Interrupted, quarantine(rows))
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        watched!(self, StoreError::Interrupted, count_rotation(counts))
    }

    fn on_the_way(&self) -> Duration {
        let inner = self.0.inner.as_ref();
        inner.map_or(Duration::ZERO, |inner| inner.on_the_way())
    }

    /// The next run reads in the lane's row what became of a COMMIT that was given up.
    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        watched!(self, StoreError::OutcomeUnknown, commit(tally))
    }

    async fn rollback(&mut self) {
        if let Some(inner) = &mut self.0.inner {
            inner.rollback().await;
        }
    }
}
