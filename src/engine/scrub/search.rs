//! Searching files for values that must not be there.
//! Owns how a file is read in parts, so that a value which lies across two of them is found. Tells
//! how many values were found, never which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use zeroize::Zeroizing;

use super::canary::Canaries;
use super::report::{FilesLooked, FoundIn};
use crate::engine::error::EngineError;
use crate::engine::{Engine, Event};
use crate::store::{StoreError, StoredFile, Table};

/// The size of a part.
const PART_BYTES: u32 = 4 << 20;
/// How many bytes of a value are looked for first.
const BEGINNING: usize = 4;

/// The values that are searched for. Each is wiped when dropped. The automaton cannot be wiped, so it
/// knows only how they begin.
pub(super) struct Needles {
    values: Vec<Zeroizing<Vec<u8>>>,
    /// The values with each beginning, in the order of the automaton's patterns.
    beginning_with: Vec<Vec<usize>>,
    beginnings: AhoCorasick,
    longest: usize,
}

impl Needles {
    /// Takes values of [`BEGINNING`] bytes or more; shorter ones are never found.
    pub(super) fn new(values: Vec<Zeroizing<Vec<u8>>>) -> Result<Self, EngineError> {
        let mut groups: BTreeMap<[u8; BEGINNING], Vec<usize>> = BTreeMap::new();
        for (at, value) in values.iter().enumerate() {
            if let Some(beginning) = value.first_chunk() {
                groups.entry(*beginning).or_default().push(at);
            }
        }
        Ok(Self {
            beginnings: AhoCorasick::new(groups.keys()).map_err(|_| EngineError::Worker)?,
            beginning_with: groups.into_values().collect(),
            longest: values.iter().map(|one| one.len()).max().unwrap_or(0),
            values,
        })
    }
}

/// The search of one file.
struct FileSearch {
    needles: Arc<Needles>,
    /// The end of the part before, to which the next one is added.
    tail: Zeroizing<Vec<u8>>,
    found: BTreeSet<usize>,
}

impl FileSearch {
    fn new(needles: &Arc<Needles>) -> Self {
        Self {
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
        for begins in self
            .needles
            .beginnings
            .find_overlapping_iter(all.as_slice())
        {
            let rest = &all[begins.start()..];
            for at in &self.needles.beginning_with[begins.pattern().as_usize()] {
                if rest.starts_with(&self.needles.values[*at]) {
                    self.found.insert(*at);
                }
            }
        }
        let keep = all.len().min(self.needles.longest.saturating_sub(1));
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
        needles: &Arc<Needles>,
    ) -> Result<(u64, u64), EngineError> {
        let mut search = FileSearch::new(needles);
        let mut from = 0;
        loop {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
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
        let needles = Needles::new(needles.collect()).unwrap();
        let mut search = FileSearch::new(&Arc::new(needles));
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

    #[test]
    fn values_that_begin_alike_or_lie_in_each_other_are_told_apart() {
        let needles = ["aaaaaaaaab", "aaaaaaaaac", "aaaaaaaa"];
        assert_eq!(found(&needles, &["aaaaaaaaaaac"]), [1, 2]);
    }
}
