//! What the store waits for, and what it has to tell the operator meanwhile. Owns the trait; who asks,
//! and when, is decided in the engine.

use async_trait::async_trait;

use super::Result;

/// Waits are described by process ids and application names, never by queries.
#[async_trait]
pub trait Waits: Send + Sync {
    /// What our sessions wait for at this moment, one text each; empty if they are at work. A text
    /// stays the same as long as the wait does.
    async fn waits(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Cancels the statements of ours that may take hours and leave nothing half done, such as the
    /// build of an index.
    async fn interrupt(&self) -> Result<()> {
        Ok(())
    }

    /// Takes what the operator should know of and was not told yet.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}
