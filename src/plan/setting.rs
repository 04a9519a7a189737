//! A setting given in the file or in the environment (`env:NAME`).
//! Owns the indirection. Does not read the process's environment itself.
//! Always holds: the value is never printed, since it may hold a password.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::ProviderSettings;
use crate::error::coded;
use crate::keys::ProviderConfig;

/// A setting whose value may be secret: a database URL, or where a key is kept.
#[derive(Debug, Clone)]
pub enum Setting {
    /// The plan file holds the value.
    Literal(SecretString),
    /// The environment variable of this name holds the value.
    Env(String),
}

coded! {
    /// Why a setting has no value.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum SettingUnset, exit: Usage {
        /// The environment variable of the setting is not set or is empty.
        Variable {
            /// The variable's name.
            name: String,
        } = "E0103"("environment variable {name} is not set or is empty"),
            hint: format!("set {name}, or write the value into the plan file");
        /// The setting stands in a plan file, and there is none.
        Unplanned = "E0127"("this command needs the wrapping key, and no plan file says where it is"),
            hint: "name the plan file with --plan FILE or the variable PHISEAL_PLAN, or run the command in its folder: \
                its [keys] section names the wrapping key; --database-url names the database only";
    }
}

impl Setting {
    /// Looks the value up. This is done late, since a command line option may replace the setting.
    /// `env` returns the value of a variable, if it is set.
    ///
    /// # Errors
    /// If the variable is not set, or is empty.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<SecretString, SettingUnset> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Env(name) => match env(name).filter(|value| !value.is_empty()) {
                Some(value) => Ok(SecretString::from(value)),
                None => Err(SettingUnset::Variable { name: name.clone() }),
            },
        }
    }

    /// Parses `env:NAME` or a literal; `None` if NAME cannot name a variable.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("env:") {
            Some(name) => is_variable(name).then(|| Self::Env(name.to_owned())),
            None => Some(Self::Literal(SecretString::from(text))),
        }
    }
}

impl ProviderSettings {
    /// Where the wrapping key comes from. Looks up the variable of a path as [`Setting::resolve`]
    /// does, but does not read a variable that holds a key.
    ///
    /// # Errors
    /// If the path's variable is not set or is empty, or if there is no plan file.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ProviderConfig, SettingUnset> {
        Ok(match self {
            Self::File(path) => {
                ProviderConfig::File(PathBuf::from(path.resolve(env)?.expose_secret()))
            }
            Self::Env(name) => ProviderConfig::Env(name.clone()),
            Self::Command(words) => ProviderConfig::Command(words.clone()),
            Self::Unplanned => return Err(SettingUnset::Unplanned),
        })
    }
}

/// Whether `name` may name an environment variable: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_variable(name: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Coded, Exit};

    #[test]
    fn a_variable_is_looked_up_only_when_resolved_and_named_when_missing() {
        let setting = Setting::parse("env:DATABASE_URL").unwrap();
        let found = setting.resolve(&|name| (name == "DATABASE_URL").then(|| "x".to_owned()));
        assert_eq!(found.unwrap().expose_secret(), "x");
        for missing in [None, Some(String::new())] {
            let unset = setting.resolve(&|_| missing.clone()).unwrap_err();
            assert!(unset.to_string().contains("DATABASE_URL"));
            assert_eq!((unset.code(), unset.exit()), ("E0103", Exit::Usage));
        }
    }

    #[test]
    fn a_provider_is_resolved_to_what_the_keys_open() {
        let env = |name: &str| (name == "KEY_FILE").then(|| "/k".to_owned());
        let file = |text| ProviderSettings::File(Setting::parse(text).unwrap()).resolve(&env);
        let expected = ProviderConfig::File(PathBuf::from("/k"));
        assert_eq!(file("env:KEY_FILE"), Ok(expected.clone()));
        assert_eq!(file("/k"), Ok(expected));
        let other = "OTHER".to_owned();
        assert_eq!(
            file("env:OTHER"),
            Err(SettingUnset::Variable { name: other })
        );
        let unplanned = ProviderSettings::Unplanned.resolve(&env).unwrap_err();
        assert_eq!((unplanned.code(), unplanned.exit()), ("E0127", Exit::Usage));
        let named = ProviderSettings::Env("OTHER".to_owned()).resolve(&env);
        assert_eq!(named, Ok(ProviderConfig::Env("OTHER".to_owned())));
    }

    #[test]
    fn a_literal_is_never_printed() {
        let setting = Setting::parse("postgres://u:hunter2@h/db").unwrap();
        assert!(!format!("{setting:?}").contains("hunter2"));
    }

    #[test]
    fn a_malformed_variable_name_is_refused() {
        for text in ["env:", "env:1A", "env:A B", "env:A=B"] {
            assert!(Setting::parse(text).is_none(), "{text}");
        }
    }
}
