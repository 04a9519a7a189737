//! Nonces, drawn many at a time with one call to the operating system.
//! Always holds: a seal consumes its nonce; a nonce can be neither copied nor chosen.

use super::random::{self, RandomError};

/// The length of a nonce in bytes: 96 bits, as SP 800-38D section 8.2 recommends.
pub(super) const NONCE_BYTES: usize = 12;

/// A random 96-bit nonce, for one seal.
#[derive(Debug)]
pub struct Nonce(pub(super) [u8; NONCE_BYTES]);

/// Nonces drawn together; an iterator gives them.
#[derive(Debug)]
pub struct NonceBatch {
    nonces: std::vec::IntoIter<[u8; NONCE_BYTES]>,
}

impl NonceBatch {
    /// Draws `count` nonces.
    ///
    /// # Errors
    /// [`RandomError`] if the operating system gives no random bytes.
    pub fn draw(count: usize) -> Result<Self, RandomError> {
        let mut nonces = vec![[0u8; NONCE_BYTES]; count];
        random::fill(nonces.as_flattened_mut())?;
        Ok(Self {
            nonces: nonces.into_iter(),
        })
    }
}

impl Iterator for NonceBatch {
    type Item = Nonce;

    fn next(&mut self) -> Option<Nonce> {
        self.nonces.next().map(Nonce)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.nonces.size_hint()
    }
}

impl ExactSizeIterator for NonceBatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_as_many_nonces_as_were_drawn_and_all_differ() {
        let batch = NonceBatch::draw(1000).unwrap();
        assert_eq!(batch.len(), 1000);
        let distinct: std::collections::HashSet<_> = batch.map(|nonce| nonce.0).collect();
        assert_eq!(distinct.len(), 1000);
        assert!(NonceBatch::draw(0).unwrap().next().is_none());
    }
}
