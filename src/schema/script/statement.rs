//! What a statement of a migration does, as far as its words tell.
//! Owns what PostgreSQL runs outside transactions only, and what a statement makes, takes away or
//! sets. The server is not asked.

use super::ScriptFault;
use super::lexer::{Statement, Token};

/// An index that is built outside a transaction, and may be left invalid by a failure. The names
/// are as written, so that the server reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct ConcurrentIndex {
    pub index: String,
    pub table: String,
}

/// What a statement is to the unit that it stands in.
pub(super) enum Kind {
    Begin,
    Commit,
    Rollback,
    Alone { transactional: bool },
    Ordinary,
}

impl Statement {
    /// The token at `at`, words in capitals; empty behind the last.
    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.text == word)
    }

    pub(super) fn kind(&self) -> Kind {
        match (self.word(0), self.word(1)) {
            ("BEGIN", _) | ("START", "TRANSACTION") => Kind::Begin,
            ("COMMIT" | "END", next) if next != "PREPARED" => Kind::Commit,
            ("ROLLBACK", next) if next != "TO" && self.word(2) != "TO" => Kind::Rollback,
            ("ABORT", _) => Kind::Rollback,
            ("ALTER", "TYPE") if self.has("ADD") && self.has("VALUE") => Kind::Alone {
                // A new value can be used by later transactions only.
                transactional: true,
            },
            _ if self.takes_no_transaction() => Kind::Alone {
                transactional: false,
            },
            _ => Kind::Ordinary,
        }
    }

    /// <https://www.postgresql.org/docs/current/sql-createindex.html> and the pages of the others:
    /// what "cannot run inside a transaction block".
    fn takes_no_transaction(&self) -> bool {
        match (self.word(0), self.word(1)) {
            ("CREATE" | "DROP" | "ALTER" | "REINDEX", _) if self.has("CONCURRENTLY") => !matches!(
                (self.word(1), self.word(2)),
                ("FUNCTION" | "PROCEDURE", _) | ("OR", "REPLACE")
            ),
            ("VACUUM", _)
            | ("CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION")
            | ("ALTER", "SYSTEM")
            | ("REINDEX", "DATABASE" | "SYSTEM" | "SCHEMA") => true,
            _ => false,
        }
    }

    /// Whether it is one of those that wait for the application instead of stopping it.
    pub fn is_concurrent(&self) -> bool {
        self.takes_no_transaction() && self.has("CONCURRENTLY")
    }

    /// Whether what it takes away is missing once it is done.
    pub fn takes_away(&self) -> bool {
        self.word(0) == "DROP"
    }

    /// Whether it says how the rest of its session is to be.
    pub fn sets_session(&self) -> bool {
        matches!(self.word(0), "SET" | "RESET") && self.word(1) != "LOCAL"
    }

    /// Whether it sets how the rest of its transaction is to be.
    pub fn sets_transaction(&self) -> bool {
        self.word(0) == "SET" && self.has("TRANSACTION")
    }

    /// Why it is not run where only the catalog that results is wanted: it is not of the database.
    pub fn is_of_the_host(&self) -> Option<&'static str> {
        match (self.word(0), self.word(1)) {
            (
                "CREATE" | "DROP" | "ALTER",
                "DATABASE" | "TABLESPACE" | "SYSTEM" | "SUBSCRIPTION",
            ) => Some("is of the whole server"),
            ("COPY", _) if self.has("PROGRAM") => Some("runs a program"),
            ("DO" | "SELECT" | "CALL", _) if self.reaches_out() => {
                Some("reaches out of its database")
            }
            _ => None,
        }
    }

    /// Functions and commands that no rollback undoes.
    fn reaches_out(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        let words = || text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let function = |word: &str| {
            word.starts_with("dblink")
                || matches!(
                    word,
                    "lo_export"
                        | "pg_terminate_backend"
                        | "pg_cancel_backend"
                        | "pg_reload_conf"
                        | "pg_file_write"
                        | "pg_create_physical_replication_slot"
                        | "pg_create_logical_replication_slot"
                )
        };
        let words: Vec<&str> = words().filter(|word| !word.is_empty()).collect();
        let program = |pair: &[&str]| matches!(pair[0], "to" | "from") && pair[1] == "program";
        words.iter().copied().any(function)
            || words.contains(&"copy") && words.windows(2).any(program)
    }

    /// Whether it may make a role, be it in a block of code.
    pub fn may_make_roles(&self) -> bool {
        let text = || self.text.to_ascii_lowercase();
        match self.word(0) {
            "CREATE" => self.role_made().is_some(),
            "DO" | "SELECT" | "CALL" => text().contains("create"),
            _ => false,
        }
    }

    /// Whether the server refused it, with this SQLSTATE, for a role that is not there: 42704, of SET ROLE
    /// 22023.
    pub fn lacks_a_role(&self, sqlstate: &str) -> bool {
        let names_roles = match (self.word(0), self.word(1)) {
            ("GRANT" | "REVOKE" | "REASSIGN" | "DO" | "SELECT" | "CALL", _)
            | ("DROP", "OWNED" | "ROLE" | "USER" | "GROUP")
            | ("ALTER", "ROLE" | "USER" | "GROUP" | "DEFAULT" | "POLICY")
            | ("CREATE", "POLICY" | "SCHEMA" | "ROLE" | "USER" | "GROUP") => true,
            ("COMMENT", _) => self.word(2) == "ROLE",
            ("ALTER", _) => self.has("OWNER"),
            ("SET", _) => return sqlstate == "22023" && self.has("ROLE"),
            _ => false,
        };
        names_roles && sqlstate == "42704"
    }

    /// The role it makes, as written.
    pub fn role_made(&self) -> Option<String> {
        let makes = self.word(0) == "CREATE"
            && matches!(self.word(1), "ROLE" | "USER" | "GROUP")
            && self.word(2) != "MAPPING";
        makes.then(|| self.name(2).map(|(name, _)| name)).flatten()
    }

    /// The schema it makes, as written.
    pub fn schema_made(&self) -> Option<String> {
        let makes = self.word(0) == "CREATE" && self.word(1) == "SCHEMA";
        makes.then(|| self.name(2).map(|(name, _)| name)).flatten()
    }

    /// The extension it makes.
    pub fn extension_made(&self) -> Option<String> {
        if self.word(0) != "CREATE" || self.word(1) != "EXTENSION" {
            return None;
        }
        let at = self.behind_if_not_exists(2);
        let (name, _) = self.name(at)?;
        Some(
            match name
                .strip_prefix('"')
                .and_then(|name| name.strip_suffix('"'))
            {
                Some(quoted) => quoted.replace("\"\"", "\""),
                None => name.to_lowercase(),
            },
        )
    }

    /// Whether it says how long locks are waited for.
    pub fn sets_lock_timeout(&self) -> bool {
        let text = || self.text.to_ascii_lowercase();
        matches!(self.word(0), "SET" | "RESET")
            && (self.has("LOCK_TIMEOUT") || self.word(1) == "ALL")
            || self.word(0) == "SELECT" && text().contains("lock_timeout")
    }

    /// Whether it is left out where only the catalog that results is wanted.
    pub fn is_maintenance(&self) -> bool {
        matches!(
            (self.word(0), self.word(1)),
            ("VACUUM" | "REINDEX" | "ANALYZE" | "CLUSTER", _)
                | (
                    "CREATE" | "DROP" | "ALTER",
                    "DATABASE" | "TABLESPACE" | "SYSTEM" | "SUBSCRIPTION"
                )
        )
    }

    pub(super) fn check(&self) -> Result<(), ScriptFault> {
        let line = self.line;
        if self.makes_index() && self.has("CONCURRENTLY") && self.concurrent_index().is_none() {
            return Err(ScriptFault::NamelessIndex { line });
        }
        Ok(())
    }

    fn makes_index(&self) -> bool {
        self.word(0) == "CREATE"
            && matches!(
                (self.word(1), self.word(2)),
                ("INDEX", _) | ("UNIQUE", "INDEX")
            )
    }

    /// The index that it builds concurrently.
    pub fn concurrent_index(&self) -> Option<ConcurrentIndex> {
        let at = self.tokens.iter().position(|t| t.text == "CONCURRENTLY")?;
        if !self.makes_index() {
            return None;
        }
        let at = self.behind_if_not_exists(at + 1);
        let (index, at) = self.name(at)?;
        if self.word(at) != "ON" {
            return None;
        }
        let at = at + 1 + usize::from(self.word(at + 1) == "ONLY");
        let (table, _) = self.name(at)?;
        Some(ConcurrentIndex { index, table })
    }

    /// Its text without the word CONCURRENTLY, which stands in no name here.
    pub fn without_concurrently(&self) -> String {
        match self.tokens.iter().find(|t| t.text == "CONCURRENTLY") {
            Some(token) if self.takes_no_transaction() => {
                format!("{}{}", &self.text[..token.begin], &self.text[token.end..])
            }
            _ => self.text.clone(),
        }
    }

    /// The table it makes, as written, unless it takes one that is there.
    pub fn table_made(&self) -> Option<String> {
        let at = match (self.word(0), self.word(1), self.word(2)) {
            ("CREATE", "TABLE", _) => 2,
            ("CREATE", "UNLOGGED", "TABLE") => 3,
            _ => return None,
        };
        if self.behind_if_not_exists(at) != at {
            return None;
        }
        self.name(at).map(|(name, _)| name)
    }

    /// Whether it may take a relation away, or its name, or have names mean others.
    pub fn may_free_table_names(&self) -> bool {
        let says = |words: &[&str]| {
            let text = self.text.to_uppercase();
            words.iter().any(|word| text.contains(word))
        };
        match self.word(0) {
            "DROP" | "SET" | "RESET" | "CALL" | "WITH" | "EXECUTE" => true,
            // A function may do anything; this one only sets.
            "SELECT" => !self.has("SET_CONFIG") || says(&["SEARCH_PATH"]),
            "ALTER" => self.has("RENAME") || (self.has("SET") && self.has("SCHEMA")),
            "DO" => says(&[
                "DROP TABLE",
                "DROP VIEW",
                "DROP SCHEMA",
                "RENAME TO",
                "SET SCHEMA",
                "SEARCH_PATH",
            ]),
            _ => false,
        }
    }

    fn behind_if_not_exists(&self, at: usize) -> usize {
        let here = [self.word(at), self.word(at + 1), self.word(at + 2)];
        if here == ["IF", "NOT", "EXISTS"] {
            at + 3
        } else {
            at
        }
    }

    /// The name, perhaps qualified, whose first token is at `at`, and where it ends.
    fn name(&self, at: usize) -> Option<(String, usize)> {
        let mut end = at;
        while self.word(end + 1) == "." {
            end += 2;
        }
        let first = self.tokens.get(at)?;
        let last = self.tokens.get(end)?;
        let is_name = |token: &Token| {
            token
                .text
                .starts_with(|c: char| c == '"' || c == '_' || c.is_alphabetic())
        };
        let reserved = matches!(first.text.as_str(), "ON" | "ONLY");
        (is_name(first) && is_name(last) && !reserved)
            .then(|| (self.text[first.begin..last.end].to_owned(), end + 1))
    }
}
