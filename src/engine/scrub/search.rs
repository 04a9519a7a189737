//! Searching files for values that must not be there.
//! Owns how a file is read in parts, so that a value which lies across two of them is found. Tells
//! how many values were found, never which.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memmem;
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::canary::Canaries;
use super::report::{FilesLooked, FoundIn};
use crate::engine::error::EngineError;
use crate::engine::{Engine, Event};
use crate::store::{StoreError, StoredFile, Table};

/// The size of a part.
const PART_BYTES: u32 = 4 << 20;

/// The values that are searched for; each is wiped when dropped. `memmem` keeps no copy of one.
pub(super) type Needles = Arc<Vec<Zeroizing<Vec<u8>>>>;

/// The search of one file.
struct FileSearch {
    needles: Needles,
    /// The length of the longest needle.
    longest: usize,
    /// The end of the part before, to which the next one is added.
    tail: Zeroizing<Vec<u8>>,
    found: BTreeSet<usize>,
}

impl FileSearch {
    fn new(needles: &Needles) -> Self {
        Self {
            longest: needles.iter().map(|one| one.len()).max().unwrap_or(0),
            needles: Arc::clone(needles),
            tail: Zeroizing::default(),
            found: BTreeSet::new(),
        }
    }

    /// Searches the next part.
    fn part(&mut self, part: &[u8]) {
        let mut all = Zeroizing::new(Vec::with_capacity(self.tail.len() + part.len()));
        all.extend_from_slice(&self.tail);
        all.extend_from_slice(part);
        let hits: Vec<usize> = (self.needles.par_iter().enumerate())
            .filter(|(at, needle)| {
                !self.found.contains(at) && memmem::find(&all, needle.as_slice()).is_some()
            })
            .map(|(at, _)| at)
            .collect();
        self.found.extend(hits);
        let keep = all.len().min(self.longest.saturating_sub(1));
        self.tail = Zeroizing::new(all[all.len() - keep..].to_vec());
    }
}

impl Engine {
    /// Searches all files of a table.
    pub(super) async fn search_files(
        &self,
        table: &Table,
        canaries: Canaries,
    ) -> Result<FilesLooked, EngineError> {
        let mut looked = FilesLooked {
            columns: canaries.columns,
            ..FilesLooked::default()
        };
        let files = self.store.stored_files(table).await?;
        for (at, file) in files.iter().enumerate() {
            self.events.emit(Event::Searching {
                place: format!("{} ({})", file.what, file.path),
                number: at + 1,
                of: files.len(),
            });
            let (bytes, values) = self.search_file(file, &canaries.needles).await?;
            looked.files += u64::from(bytes > 0);
            looked.bytes += bytes;
            if values > 0 {
                looked.found.push(FoundIn {
                    file: file.path.clone(),
                    what: file.what.clone(),
                    values,
                });
            }
        }
        Ok(looked)
    }

    /// How many bytes a file has, and how many of the values it holds.
    async fn search_file(
        &self,
        file: &StoredFile,
        needles: &Needles,
    ) -> Result<(u64, u64), EngineError> {
        let mut search = FileSearch::new(needles);
        let mut from = 0;
        loop {
            if self.stop.is_requested() {
                return Err(EngineError::Interrupted);
            }
            let part = match self.store.file_chunk(&file.path, from, PART_BYTES).await {
                Ok(part) => part,
                // Gone meanwhile.
                Err(StoreError::Missing { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            if part.is_empty() {
                break;
            }
            from += part.len() as u64;
            let searched = tokio::task::spawn_blocking(move || {
                search.part(&part);
                search
            });
            search = searched.await.map_err(|_| EngineError::Worker)?;
        }
        Ok((from, search.found.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(needles: &[&str], parts: &[&str]) -> Vec<usize> {
        let needles = needles
            .iter()
            .map(|one| Zeroizing::new(one.as_bytes().to_vec()));
        let mut search = FileSearch::new(&Arc::new(needles.collect()));
        for part in parts {
            search.part(part.as_bytes());
        }
        search.found.into_iter().collect()
    }

    #[test]
    fn a_value_is_found_wherever_the_parts_are_cut() {
        let text = "..123-45-6789..another value..";
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            let needles = ["123-45-6789", "another value", "not there"];
            assert_eq!(found(&needles, &[one, two]), [0, 1], "{cut}");
        }
        // Across many small parts.
        let parts: Vec<String> = text.chars().map(String::from).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(found(&["123-45-6789"], &parts), [0]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(found(&["12345678"], &[]).is_empty());
        assert!(found(&["12345678"], &["1234567", "x8"]).is_empty());
        assert!(found(&[], &["12345678"]).is_empty());
    }
}
