//! The keys of a run: the keyring, and new keys for tenants that have none.
//! Owns the rule that a tenant's keys are durable, read back and active before one of its rows is
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
    /// The unwrapped keys.
    pub keyring: Arc<Keyring>,
    /// What wraps and unwraps data keys.
    pub provider: Arc<dyn KeyProvider>,
    /// Where wrapped keys are stored.
    pub store: Arc<dyn Store>,
    /// The name written to `created_by`.
    pub actor: String,
    /// When new keys are due for rotation.
    pub due: RotationPeriod,
}

impl Tenants {
    /// The keys as they are now, after making active ones for those of `tenants` that have none.
    ///
    /// # Errors
    /// A tenant whose key may not seal, or what issuing a key reports.
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
                    // Without a tenant column the operator makes the keys, with `keys create`.
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

    /// The key that seals phiseal's own data: cursors and the row keys in quarantine.
    ///
    /// # Errors
    /// There is no such key.
    pub fn own(&self) -> Result<Arc<Key>, KeyError> {
        self.keyring.sealing("", Purpose::Cell)
    }
}
