//! The keys of a run: the keyring, and the issuing of keys for tenants first met.
//! Owns the rule that a tenant's keys are durable, read back and active before a row of it is
//! sealed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::crypto::Purpose;
use crate::keys::{
    Issuer, Key, KeyError, KeyFor, KeyProvider, KeySet, KeyTable, Keyring, RotationPeriod,
};
use crate::run::audit::Created;
use crate::store::Store;

/// Where a run gets its keys from.
pub struct Tenants {
    /// The live keys.
    pub keyring: Arc<Keyring>,
    /// What unwraps and wraps.
    pub provider: Arc<dyn KeyProvider>,
    /// Where keys are kept.
    pub store: Arc<dyn Store>,
    /// Who works, for `created_by`.
    pub actor: String,
    /// When new keys are due.
    pub due: RotationPeriod,
}

impl Tenants {
    /// The keys as they are now, with active ones for each of `tenants`.
    ///
    /// # Errors
    /// A tenant whose key was taken out of use, or what issuing a key meets.
    pub async fn ready(
        &self,
        tenants: &BTreeSet<&str>,
        blind_index: bool,
    ) -> Result<Arc<KeySet>, KeyError> {
        let keys = self.keyring.snapshot();
        let mut wanted = Vec::new();
        for tenant in tenants {
            let mut purposes = vec![Purpose::Cell];
            if blind_index {
                purposes.push(Purpose::BlindIndex);
            }
            for purpose in purposes {
                match keys.sealing(tenant, purpose) {
                    Ok(_) => {}
                    // Without a tenant column the keys are the operator's to make: `keys create`.
                    Err(KeyError::NoneActive { .. }) if !tenant.is_empty() => wanted.push(KeyFor {
                        tenant: (*tenant).to_owned(),
                        purpose,
                    }),
                    Err(error) => return Err(error),
                }
            }
        }
        if wanted.is_empty() {
            return Ok(keys);
        }
        let table: &dyn KeyTable = self.store.as_ref();
        let issuer = Issuer {
            table,
            provider: self.provider.as_ref(),
            actor: &self.actor,
            reason: Some("tenant first met"),
            due: self.due,
            scribe: &Created::new(&self.keyring, &self.actor),
        };
        let issued = issuer.issue_or_join(&wanted).await?;
        self.keyring.add(issued);
        Ok(self.keyring.snapshot())
    }

    /// The key that seals what is ours: cursors, quarantined row keys.
    ///
    /// # Errors
    /// There is none.
    pub fn own(&self) -> Result<Arc<Key>, KeyError> {
        self.keyring.sealing("", Purpose::Cell)
    }
}
