//! Pages of a relation: the one stream that the pipeline, the sweep, verify, samples and `bench` read.
//! Owns windows, large rows, retries, values that the database cannot read, and the place where a
//! throttle delays a read. Does not work on rows and keeps no checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::context::VALUE_BYTES_CEILING;
use super::error::EngineError;
use super::events::EventSink;
use super::retry::Patience;
use super::stop::Stop;
use super::throttle::{Admission, Throttle};
use crate::store::{
    Access, KeyText, Locator, Page, PageReader, PageRequest, PageRow, Store, StoreError, Visibility,
};

/// Where pages come from, and what their reading respects.
#[derive(Clone)]
pub struct PageSource {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The table and the columns that are read.
    pub access: Arc<Access>,
    /// Receives an event while a failed read waits to be repeated.
    pub events: Arc<dyn EventSink>,
    /// The request to stop.
    pub stop: Stop,
    /// Admits each window.
    pub throttle: Arc<dyn Throttle>,
    /// How long a failing read is repeated. With `None`, every failure is returned at once, and a
    /// snapshot that the reader holds is never replaced by another one.
    pub patience: Option<Duration>,
}

/// One page of the stream.
pub struct StreamedPage {
    /// The rows. `next` is set in the last page of a window only.
    pub page: Page,
    /// It is the last page of its window.
    pub closes_window: bool,
    /// Kept until the page's rows are committed.
    pub admission: Admission,
}

/// A stream of pages: for each window the rows that fit into it, then each larger row by itself.
pub struct Pages {
    source: PageSource,
    reader: Option<Box<dyn PageReader>>,
    /// The next window. `rows_max` may be changed between windows.
    pub request: PageRequest,
    /// Rows of the last window that are too large for it, and still to be read.
    large: VecDeque<PageRow>,
    /// The bound of the window after the last one; `None` once the range is read.
    after_window: Option<crate::store::Bound>,
    ended: bool,
    /// Of the present window, while pages of it are to come.
    admission: Admission,
    /// Rows that a window may look at while the stream looks for a row that cannot be read.
    narrow: Option<u32>,
    /// Rows come without their values.
    without_values: bool,
}

/// What one round trip reads.
enum Wanted<'a> {
    Window,
    Version(&'a Locator),
    Current(&'a KeyText),
    Keys(&'a [KeyText]),
}

impl Pages {
    /// The pages of a request, from its lower bound to its upper one.
    pub fn new(source: PageSource, request: PageRequest) -> Self {
        Self {
            source,
            reader: None,
            request,
            large: VecDeque::new(),
            after_window: None,
            ended: false,
            admission: Admission::default(),
            narrow: None,
            without_values: false,
        }
    }

    /// The same, through a connection that is there already.
    pub fn through(source: PageSource, request: PageRequest, reader: Box<dyn PageReader>) -> Self {
        Self {
            reader: Some(reader),
            ..Self::new(source, request)
        }
    }

    /// The connection, where the last read left one.
    pub fn into_reader(self) -> Option<Box<dyn PageReader>> {
        self.reader
    }

    /// How many of the next pages are single rows, too large for the window that they are in.
    pub fn large_left(&self) -> usize {
        self.large.len()
    }

    /// Whether the last window was the last one of the range.
    pub fn is_last_window(&self) -> bool {
        self.ended
    }

    /// The next page; `None` at the end of the range.
    ///
    /// With patience, a window that holds a value which the database cannot read is halved until its
    /// row is alone; that row comes without values and with the SQLSTATE.
    ///
    /// # Errors
    /// A failure that does not pass within the patience; [`EngineError::Interrupted`].
    pub async fn next(&mut self) -> Result<Option<StreamedPage>, EngineError> {
        if let Some(row) = self.large.pop_front() {
            let mut page = self.single(&row).await?;
            // It was looked at with its window.
            page.looked_at = 0;
            return Ok(Some(self.last_if_no_large(page)));
        }
        if self.ended {
            return Ok(None);
        }
        if self.source.stop.is_requested() {
            return Err(EngineError::interrupted());
        }
        self.admission = self.source.throttle.admit().await;
        if self.source.stop.is_requested() {
            return Err(EngineError::interrupted());
        }
        let mut page = self.window().await?;
        self.admission.rows(page.rows.len());
        self.after_window = page.next.take();
        self.ended = self.after_window.is_none();
        self.large = page.rows.extract_if(.., |row| row.large).collect();
        Ok(Some(self.last_if_no_large(page)))
    }

    /// The present versions of the rows with these keys, whatever the range. Values above the
    /// request's limit are left out.
    ///
    /// # Errors
    /// As [`Pages::next`].
    pub async fn with_keys(&mut self, keys: &[KeyText]) -> Result<Page, EngineError> {
        self.read(&Wanted::Keys(keys)).await
    }

    fn last_if_no_large(&mut self, mut page: Page) -> StreamedPage {
        let closes_window = self.large.is_empty();
        page.next = match closes_window {
            true => self.after_window.take(),
            false => None,
        };
        let admission = match closes_window {
            true => std::mem::take(&mut self.admission),
            false => self.admission.clone(),
        };
        StreamedPage {
            page,
            closes_window,
            admission,
        }
    }

    async fn window(&mut self) -> Result<Page, EngineError> {
        let wanted = self.request.rows_max;
        let mut rows = self.narrow.map_or(wanted, |narrow| narrow.min(wanted));
        let page = loop {
            self.request.rows_max = rows;
            match self.read(&Wanted::Window).await {
                Err(EngineError::Store(StoreError::RowRefused { sqlstate, .. }))
                    if self.source.patience.is_some() =>
                {
                    if rows > 1 {
                        rows /= 2;
                        continue;
                    }
                    break self.refused(&Wanted::Window, &sqlstate).await;
                }
                read => break read,
            }
        };
        self.request.rows_max = wanted;
        self.narrow = (rows < wanted).then(|| rows.saturating_mul(2));
        let page = page?;
        if let Some(next) = &page.next {
            self.request.after = Some(next.clone());
        }
        Ok(page)
    }

    /// Reads one row whole. If the row has changed since, reads its present version by key, if the
    /// request is for all versions and the key's text is known; otherwise the page is empty. The
    /// row remains `large` only if a value exceeds [`VALUE_BYTES_CEILING`].
    async fn single(&mut self, row: &PageRow) -> Result<Page, EngineError> {
        let version = Wanted::Version(&row.locator);
        let page = match self.read(&version).await {
            Err(EngineError::Store(StoreError::RowRefused { sqlstate, .. }))
                if self.source.patience.is_some() =>
            {
                self.refused(&version, &sqlstate).await
            }
            read => read,
        }?;
        match &row.key_text {
            // With a horizon, rows that changed since are read by verify's second part, not here.
            Some(key) if page.rows.is_empty() && self.request.versions == Visibility::All => {
                self.read(&Wanted::Current(key)).await
            }
            _ => Ok(page),
        }
    }

    /// Reads the same rows without their values, because the database cannot read one of these
    /// values.
    async fn refused(&mut self, wanted: &Wanted<'_>, sqlstate: &str) -> Result<Page, EngineError> {
        self.without_values = true;
        let page = self.read(wanted).await;
        self.without_values = false;
        let mut page = page?;
        for row in page.rows.iter_mut().filter(|row| row.large) {
            row.large = false;
            row.refused = Some(sqlstate.to_owned());
        }
        Ok(page)
    }

    fn patience(&self) -> Option<Patience> {
        let clock = self.source.stop.clock();
        (self.source.patience).map(|limit| Patience::by(clock, limit))
    }

    async fn read(&mut self, wanted: &Wanted<'_>) -> Result<Page, EngineError> {
        let mut patience = self.patience();
        loop {
            match self.attempt(wanted).await {
                Ok(page) => return Ok(page),
                Err(error) => {
                    self.reader = None;
                    let Some(patience) = &mut patience else {
                        return Err(error.into());
                    };
                    let (stop, events) = (&self.source.stop, self.source.events.as_ref());
                    patience.pause(stop, events, error).await?;
                }
            }
        }
    }

    async fn attempt(&mut self, wanted: &Wanted<'_>) -> Result<Page, StoreError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.source.store.reader().await?,
        };
        let limited = |value_bytes_max| PageRequest {
            value_bytes_max,
            ..self.request.clone()
        };
        let whole = || match self.without_values {
            true => limited(0),
            false => limited(VALUE_BYTES_CEILING),
        };
        let access = &self.source.access;
        let page = match wanted {
            Wanted::Window if self.without_values => reader.page(access, &limited(0)).await?,
            Wanted::Window => reader.page(access, &self.request).await?,
            Wanted::Keys(keys) => reader.current(access, &self.request, keys).await?,
            Wanted::Version(locator) => {
                let locators = std::slice::from_ref(*locator);
                reader.rows(access, &whole(), locators).await?
            }
            Wanted::Current(key) => {
                let keys = std::slice::from_ref(*key);
                reader.current(access, &whole(), keys).await?
            }
        };
        self.reader = Some(reader);
        Ok(page)
    }
}
