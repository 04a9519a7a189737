//! The search of a whole database for values under given keys, in registered columns and everywhere
//! else.
//! Owns the rule that relations which appear during the search are searched too, and the report of
//! those that cannot be.

use super::Engine;
use super::error::EngineError;
use super::events::Event;
use crate::crypto::KeyId;
use crate::store::{SearchHit, SearchRelation, Unsearchable};

/// How many keys one statement looks for.
const KEYS_AT_ONCE: usize = 16;
/// How often the relations are listed again because some were created meanwhile.
const LISTS_MAX: u32 = 20;

/// How far a search goes.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Relations that cannot be read in full, and which the operator says were checked in another
    /// way.
    pub except: Vec<String>,
    /// Search nothing; count registered columns only.
    pub registered_only: bool,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Searched {
    /// The number of relations that were searched.
    pub places: usize,
    /// The places with values under the keys.
    pub hits: Vec<SearchHit>,
    /// Relations that cannot be read in full.
    pub closed: Vec<Unsearchable>,
    /// Those which cannot be read in full, but are in [`Reach::except`].
    pub excepted: Vec<Unsearchable>,
    /// Temporary tables of other sessions, which were not searched.
    pub passed_over: Vec<String>,
    /// The database's version of its data when the search began, if it has one.
    pub version: Option<i64>,
}

impl Searched {
    /// The total number of values found.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.hits.iter().map(|hit| hit.values).sum()
    }

    /// The places for a message: `public.notes.note (12), public.old.note (3)`.
    #[must_use]
    pub fn places(&self) -> String {
        let place = |hit: &SearchHit| format!("{} ({})", hit.place, hit.values);
        self.hits.iter().map(place).collect::<Vec<_>>().join(", ")
    }
}

/// Relations for a message: `public.far (a foreign table)`.
pub(super) fn named(closed: &[Unsearchable]) -> String {
    let name = |one: &Unsearchable| format!("{} ({})", one.name, one.why);
    closed.iter().map(name).collect::<Vec<_>>().join(", ")
}

impl Engine {
    /// Searches all relations, including those that are created meanwhile.
    ///
    /// # Errors
    /// What the store reports; [`EngineError::Unending`] if new relations keep appearing.
    pub async fn search(&self, keys: &[KeyId], reach: &Reach) -> Result<Searched, EngineError> {
        let mut found = Searched::default();
        if reach.registered_only || keys.is_empty() {
            return Ok(found);
        }
        let mut done: Vec<SearchRelation> = Vec::new();
        for round in 0..LISTS_MAX {
            let list = self.store.search_list().await?;
            if round == 0 {
                found.version = list.version;
            }
            let is_excepted = |one: &Unsearchable| reach.except.contains(&one.name);
            (found.excepted, found.closed) = list.closed.into_iter().partition(is_excepted);
            found.passed_over = list.passed_over;
            let mut left = list.places;
            left.retain(|place| !done.contains(place));
            if left.is_empty() {
                found.places = done.len();
                merge(&mut found.hits);
                return Ok(found);
            }
            let of = done.len() + left.len();
            for place in left {
                self.events.emit(Event::Searching {
                    place: place.name.clone(),
                    number: done.len() + 1,
                    of,
                });
                self.search_one(&place, keys, &mut found.hits).await?;
                done.push(place);
            }
        }
        Err(EngineError::Unending {
            what: "the search of the database",
            rounds: LISTS_MAX,
        })
    }

    async fn search_one(
        &self,
        place: &SearchRelation,
        keys: &[KeyId],
        hits: &mut Vec<SearchHit>,
    ) -> Result<(), EngineError> {
        for some in keys.chunks(KEYS_AT_ONCE) {
            let mut patience = self.patience();
            loop {
                if self.stop.is_requested() {
                    return Err(EngineError::interrupted());
                }
                match self.store.search(place, some).await {
                    Ok(found) => break hits.extend(found),
                    Err(error) => self.wait_for(&error, &mut patience).await?,
                }
            }
        }
        Ok(())
    }
}

/// Merges the hits of each place into one.
fn merge(hits: &mut Vec<SearchHit>) {
    hits.sort_by(|a, b| a.place.cmp(&b.place));
    hits.dedup_by(|next, first| {
        let same = next.place == first.place;
        if same {
            first.values += next.values;
        }
        same
    });
}
