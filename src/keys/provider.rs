//! The interface to wrapping keys, which wrap and unwrap data keys.
//! Owns the contract and the three local kinds, which differ only in the source of their key line.
//! Knows neither the key table nor the plan file. All I/O of the keys is in this module.

mod command;
mod env;
mod file;
mod set;

use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::pin::Pin;

use super::error::KeyError;
use crate::crypto::{DataKey, KeyId, KeyLineError, Purpose, UnwrapError, WrapError, WrappingKey};
pub use file::write_new_wrapping_key;
pub use set::ProviderSet;

/// Wraps and unwraps data keys under a wrapping key that it holds or can reach.
///
/// Contract:
/// - A call may be slow and may fail, since a KMS is asked over a network. Make one call for each
///   key that is made or loaded, never for each value, and never while a lock or a transaction is
///   held.
/// - It retries by itself a bounded number of times, and then returns an error. It never returns
///   anything that is not wrapped, and no caller falls back to plaintext when it fails.
/// - Key id, purpose and tenant are bound into what [`wrap`](Self::wrap) returns: with any other of
///   them [`unwrap`](Self::unwrap) fails. A wrong blob is [`KeyError::DoesNotUnwrap`]; no answer is
///   [`KeyError::ProviderUnavailable`], which does not mean that the key is damaged.
/// - The reference names the wrapping key without revealing it, and is the same in every process.
///
/// A provider of your own returns `Box::pin(async move { ... })` from `wrap` and `unwrap`.
pub trait KeyProvider: Send + Sync {
    /// The name of the wrapping key, stored in `encryption_keys.kek_ref`.
    fn reference(&self) -> &str;

    /// The provider for keys wrapped under this reference; `None` if there is none.
    fn under(&self, reference: &str) -> Option<&dyn KeyProvider>;

    /// Wraps a data key.
    ///
    /// # Errors
    /// [`KeyError::NotWrapped`], [`KeyError::ProviderUnavailable`].
    fn wrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        data_key: &'a DataKey,
    ) -> Answer<'a, Vec<u8>>;

    /// Unwraps what [`wrap`](Self::wrap) returned for the same key id, purpose and tenant.
    ///
    /// # Errors
    /// [`KeyError::DoesNotUnwrap`], [`KeyError::ProviderUnavailable`].
    fn unwrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        wrapped: &'a [u8],
    ) -> Answer<'a, DataKey>;
}

/// What a [`KeyProvider`] answers, once it has.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// Where the wrapping key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderConfig {
    /// A file that holds the key line: regular, mode 0600 or stricter, owned by the effective user,
    /// in folders that only that user and root can write.
    File(PathBuf),
    /// The name of an environment variable that holds the key line.
    Env(String),
    /// A program and its arguments, run without a shell, that prints the key line. Only the
    /// effective user and root may be able to change it, or to put another program before it in
    /// PATH.
    Command(Vec<String>),
}

impl ProviderConfig {
    /// Loads the wrapping key. Needs no async runtime, and waits on this thread: for a file or a variable
    /// no time to speak of, for a command until it ends, 93 s at most.
    ///
    /// # Errors
    /// Each refusal is a separate [`KeyError`], E0401 to E0416 and E0119.
    pub fn open(&self) -> Result<LocalProvider, KeyError> {
        let (line, origin) = match self {
            Self::File(path) => (file::read_line(path)?, format!("file {}", path.display())),
            Self::Env(name) => (env::read_line(name)?, format!("variable {name}")),
            Self::Command(argv) => (
                command::read_line(argv, command::Limits::DEFAULT)?,
                format!("command {}", argv.first().map_or("", String::as_str)),
            ),
        };
        LocalProvider::from_line(&line, &origin)
    }
}

/// The most bytes read from a source. A key line has 57; the rest makes a longer text recognisable.
const LINE_BYTES_MAX: usize = 256;

/// A provider that holds the wrapping key in its own memory.
pub struct LocalProvider {
    wrapping_key: WrappingKey,
    reference: String,
}

impl LocalProvider {
    /// A provider over a wrapping key that the caller already has.
    #[must_use]
    pub fn new(wrapping_key: WrappingKey) -> Self {
        wrapping_key.keep_in_memory();
        let reference = wrapping_key.reference();
        Self {
            wrapping_key,
            reference,
        }
    }

    /// A provider for the wrapping key of a key line; errors name `origin`.
    fn from_line(line: &[u8], origin: &str) -> Result<Self, KeyError> {
        let origin = || origin.to_owned();
        match WrappingKey::parse_line(line) {
            Ok(wrapping_key) => Ok(Self::new(wrapping_key)),
            Err(KeyLineError::Length(_)) => Err(KeyError::LineLength { origin: origin() }),
            Err(KeyLineError::Prefix | KeyLineError::Trailing | KeyLineError::Base64) => {
                Err(KeyError::LineForm { origin: origin() })
            }
        }
    }
}

impl KeyProvider for LocalProvider {
    fn reference(&self) -> &str {
        &self.reference
    }

    fn under(&self, reference: &str) -> Option<&dyn KeyProvider> {
        (reference == self.reference).then_some(self as &dyn KeyProvider)
    }

    fn wrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        data_key: &'a DataKey,
    ) -> Answer<'a, Vec<u8>> {
        let wrapped = self.wrapping_key.wrap(key_id, purpose, tenant, data_key);
        let wrapped = wrapped.map_err(|error| match error {
            WrapError::Random(_) => KeyError::NoRandomness,
            WrapError::Cipher => KeyError::NotWrapped { key_id },
        });
        Box::pin(ready(wrapped))
    }

    fn unwrap<'a>(
        &'a self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &'a str,
        wrapped: &'a [u8],
    ) -> Answer<'a, DataKey> {
        let data_key = self.wrapping_key.unwrap(key_id, purpose, tenant, wrapped);
        let data_key = data_key.map_err(|(UnwrapError::Form | UnwrapError::Refused)| {
            KeyError::DoesNotUnwrap { key_id }
        });
        Box::pin(ready(data_key))
    }
}

impl fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalProvider")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8]) -> Vec<u8> {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        format!("phiseal-wk-1.{encoded}\n").into_bytes()
    }

    fn refusal(line: &[u8]) -> KeyError {
        LocalProvider::from_line(line, "file /run/key").unwrap_err()
    }

    fn id(number: i64) -> KeyId {
        KeyId::new(number).unwrap()
    }

    #[test]
    fn a_key_of_31_or_33_bytes_is_refused_by_its_length() {
        for length in [0, 16, 31, 33, 64] {
            let refused = refusal(&line(&vec![7; length]));
            assert!(matches!(refused, KeyError::LineLength { .. }), "{length}");
        }
    }

    #[test]
    fn a_line_of_another_prefix_or_alphabet_is_refused_and_not_repeated() {
        let good = String::from_utf8(line(&[7; 32])).unwrap();
        for bad in [
            String::new(),
            good.replace("wk-1", "wk-2"),
            good.trim_start_matches("phiseal-wk-1.").to_owned(),
            format!(" {good}"),
            format!("{good}{good}"),
            good.replace("Bwc", "B+c"),
        ] {
            let refused = refusal(bad.as_bytes());
            assert!(matches!(&refused, KeyError::LineForm { .. }), "{refused}");
            assert_eq!(
                refused.to_string(),
                "file /run/key holds no wrapping key line"
            );
        }
    }

    #[tokio::test]
    async fn a_wrapped_key_unwraps_only_for_its_key_id_purpose_and_tenant() {
        let provider = LocalProvider::new(WrappingKey::generate().unwrap());
        let key = DataKey::generate().unwrap();
        let wrapped = provider
            .wrap(id(7), Purpose::Cell, "a", &key)
            .await
            .unwrap();
        let back = provider
            .unwrap(id(7), Purpose::Cell, "a", &wrapped)
            .await
            .unwrap();
        assert!(back.matches_check(&key.check_value()));
        for (key_id, purpose, tenant) in [
            (id(8), Purpose::Cell, "a"),
            (id(7), Purpose::BlindIndex, "a"),
            (id(7), Purpose::Cell, "b"),
        ] {
            let refused = provider.unwrap(key_id, purpose, tenant, &wrapped).await;
            assert!(matches!(refused, Err(KeyError::DoesNotUnwrap { .. })));
        }
    }

    #[test]
    fn the_same_key_line_has_the_same_reference_whichever_way_it_comes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        let reference = write_new_wrapping_key(&path).unwrap();
        let cat = vec!["cat".to_owned(), path.to_str().unwrap().to_owned()];
        for config in [ProviderConfig::File(path), ProviderConfig::Command(cat)] {
            assert_eq!(config.open().unwrap().reference(), reference);
        }
    }

    #[test]
    fn a_variable_that_holds_something_else_is_refused_by_its_name_only() {
        let config = ProviderConfig::Env("CARGO_PKG_NAME".to_owned());
        let Err(refused) = config.open() else {
            panic!("a package name is no key line");
        };
        assert_eq!(
            refused.to_string(),
            "variable CARGO_PKG_NAME holds no wrapping key line"
        );
    }
}
