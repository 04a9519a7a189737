//! Bytes from the operating system's random generator, the only I/O in `crypto`.
//! Always holds: a failure is an error; there is no weaker source to fall back to.

/// The operating system's random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct RandomError;

/// Fills `bytes` with random bytes in one call.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|_| RandomError)
}
