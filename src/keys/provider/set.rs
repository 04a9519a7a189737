//! Several wrapping keys: one in use, others that only unwrap.
//! Owns the choice between them, by the reference in each data key's record. No provider is merely
//! tried: a record that names none of them is refused before any provider is asked.

use super::{Answer, KeyProvider};
use crate::crypto::{DataKey, KeyId, Purpose};

/// The wrapping key in use, and the previous ones.
pub struct ProviderSet {
    current: Box<dyn KeyProvider>,
    previous: Vec<Box<dyn KeyProvider>>,
}

impl ProviderSet {
    /// Wraps under `current`; unwraps under all of them.
    #[must_use]
    pub fn new(current: Box<dyn KeyProvider>, previous: Vec<Box<dyn KeyProvider>>) -> Self {
        Self { current, previous }
    }
}

impl KeyProvider for ProviderSet {
    fn reference(&self) -> &str {
        self.current.reference()
    }

    fn under(&self, reference: &str) -> Option<&dyn KeyProvider> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .find_map(|provider| provider.under(reference))
    }

    fn wrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        data_key: &'a DataKey,
    ) -> Answer<'a, Vec<u8>> {
        self.current.wrap(key_id, purpose, tenant, data_key)
    }

    fn unwrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        wrapped: &'a [u8],
    ) -> Answer<'a, DataKey> {
        self.current.unwrap(key_id, purpose, tenant, wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyError, fake};

    #[tokio::test]
    async fn a_key_is_unwrapped_by_the_wrapping_key_it_names_and_wrapped_under_the_current_one() {
        let (old, new) = (fake::provider(), fake::provider());
        let (old_name, new_name) = (old.reference().to_owned(), new.reference().to_owned());
        let key_for = fake::key_for("");
        let record = fake::record(&old, 7, &key_for, crate::keys::KeyStatus::Active).await;
        let set = ProviderSet::new(Box::new(new), vec![Box::new(old)]);
        assert_eq!(set.reference(), new_name);
        assert_eq!(set.under(&old_name).unwrap().reference(), old_name);
        assert!(set.under("wk:0000000000000000").is_none());
        assert!(crate::keys::examine(&record, &set).await.is_ok());
        let alone = ProviderSet::new(Box::new(fake::provider()), Vec::new());
        assert!(matches!(
            crate::keys::examine(&record, &alone).await,
            Err(KeyError::WrongWrappingKey { .. })
        ));
    }
}
