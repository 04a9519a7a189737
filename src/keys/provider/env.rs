//! Reads the key line from an environment variable.
//! For secrets that are mounted as links or owned by root. Programs of this user can read the
//! variable in the process's environment; a file is better where possible.

use std::os::unix::ffi::OsStringExt;

use zeroize::Zeroizing;

use crate::keys::error::KeyError;

/// Reads the variable.
pub(super) fn read_line(name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // `var_os` panics on such names.
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(KeyError::EnvMissing { name: name.into() });
    }
    let line = std::env::var_os(name).ok_or_else(|| KeyError::EnvMissing { name: name.into() })?;
    let line = Zeroizing::new(line.into_vec());
    if line.is_empty() {
        return Err(KeyError::EnvEmpty { name: name.into() });
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_set_is_refused_by_name() {
        for name in ["PHISEAL_TEST_NEVER_SET", "", "A=B"] {
            let refused = read_line(name).unwrap_err();
            assert!(matches!(&refused, KeyError::EnvMissing { name: said } if said == name));
        }
    }

    #[test]
    fn a_variable_that_is_set_is_read_whole() {
        // Cargo sets this variable for every test; to set one here would race with other threads.
        assert_eq!(&**read_line("CARGO_PKG_NAME").unwrap(), b"phiseal");
    }

    #[test]
    fn an_empty_variable_is_refused() {
        // Cargo sets this variable to an empty text, since the package has no pre-release version.
        assert!(matches!(
            read_line("CARGO_PKG_VERSION_PRE"),
            Err(KeyError::EnvEmpty { .. })
        ));
    }
}
