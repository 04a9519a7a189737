//! A migration's file as it is run: units, each a transaction or one statement that takes none.
//! Owns what PostgreSQL runs outside transactions only, and a file's own BEGIN and COMMIT. Runs
//! nothing.

mod lexer;

use sha2::{Digest, Sha256};

pub(super) use lexer::{CommentLine, Statement, Unreadable, comment_lines};

/// A file's statements in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub units: Vec<Unit>,
}

/// What commits together. Of several statements only in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub statements: Vec<Statement>,
    pub transactional: bool,
}

/// Why a file cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScriptFault {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the transaction that line {line} begins is not committed")]
    NoCommit { line: usize },
    #[error("line {line} ends a transaction that was not begun")]
    NoBegin { line: usize },
    #[error("line {line} rolls back")]
    RollsBack { line: usize },
    #[error("line {line} builds an index concurrently without naming it")]
    NamelessIndex { line: usize },
}

/// An index that is built outside a transaction, and may be left invalid by a failure. The names
/// are as written, so that the server reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConcurrentIndex {
    pub index: String,
    pub table: String,
}

impl Script {
    /// Cuts a file into units: each BEGIN … COMMIT is one, each statement that takes no
    /// transaction is one, and what stands between is one.
    pub fn parse(text: &str) -> Result<Self, ScriptFault> {
        let mut units: Vec<Unit> = Vec::new();
        let mut open: Option<Unit> = None;
        let mut block_since: Option<usize> = None;
        for statement in lexer::statements(text)? {
            statement.check()?;
            let line = statement.line;
            match (statement.kind(), block_since) {
                (Kind::Begin, None) => {
                    units.extend(open.take());
                    block_since = Some(line);
                }
                (Kind::Begin, Some(line)) => return Err(ScriptFault::NoCommit { line }),
                (Kind::Commit, Some(_)) => {
                    units.extend(open.take());
                    block_since = None;
                }
                // Tools that run a whole file as one transaction let it commit in its midst.
                (Kind::Commit, None) if open.is_some() => units.extend(open.take()),
                (Kind::Commit, None) => return Err(ScriptFault::NoBegin { line }),
                (Kind::Rollback, _) => return Err(ScriptFault::RollsBack { line }),
                (Kind::Alone { transactional }, None) => {
                    units.extend(open.take());
                    units.push(Unit {
                        statements: vec![statement],
                        transactional,
                    });
                }
                // Within its own BEGIN, the server says what it thinks of it.
                (Kind::Ordinary, _) | (Kind::Alone { .. }, Some(_)) => {
                    let unit = open.get_or_insert_with(|| Unit {
                        statements: Vec::new(),
                        transactional: true,
                    });
                    unit.statements.push(statement);
                }
            }
        }
        if let Some(line) = block_since {
            return Err(ScriptFault::NoCommit { line });
        }
        units.extend(open);
        Ok(Self { units })
    }

    /// Whether it and its history row can commit together.
    pub fn is_atomic(&self) -> bool {
        self.units.len() <= 1 && self.units.iter().all(|unit| unit.transactional)
    }

    /// SHA-256 of the statements of the first `units` units, in hexadecimal.
    pub fn digest(&self, units: usize) -> String {
        let mut hash = Sha256::new();
        for unit in self.units.iter().take(units) {
            for statement in &unit.statements {
                hash.update(statement.text.as_bytes());
                hash.update([0]);
            }
        }
        hex::encode(hash.finalize())
    }

    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.units.iter().flat_map(|unit| &unit.statements)
    }

    /// Whether it changes rows, which no look at the catalog can tell.
    pub fn changes_rows(&self) -> bool {
        self.statements().any(|statement| {
            matches!(
                statement.word(0),
                "INSERT" | "UPDATE" | "DELETE" | "COPY" | "MERGE" | "TRUNCATE" | "WITH"
            )
        })
    }
}

/// The statements of an SQL text, as files of migrations are cut into them; for a test that asks the
/// server's own parser about each.
///
/// # Errors
/// Why it cannot be cut, in words.
pub fn cut(text: &str) -> Result<Vec<String>, String> {
    let script = Script::parse(text).map_err(|fault| fault.to_string())?;
    Ok(script.statements().map(|s| s.text.clone()).collect())
}

enum Kind {
    Begin,
    Commit,
    Rollback,
    Alone { transactional: bool },
    Ordinary,
}

impl Statement {
    /// The token at `at`, words in capitals; empty behind the last.
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.text == word)
    }

    fn kind(&self) -> Kind {
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

    fn check(&self) -> Result<(), ScriptFault> {
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
        let is_name = |token: &lexer::Token| {
            token
                .text
                .starts_with(|c: char| c == '"' || c == '_' || c.is_alphabetic())
        };
        let reserved = matches!(first.text.as_str(), "ON" | "ONLY");
        (is_name(first) && is_name(last) && !reserved)
            .then(|| (self.text[first.begin..last.end].to_owned(), end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The units of a file, as how many statements each has; negative where it takes no
    /// transaction.
    fn shape(sql: &str) -> Vec<i64> {
        let count = |unit: &Unit| {
            let count = i64::try_from(unit.statements.len()).unwrap();
            if unit.transactional { count } else { -count }
        };
        Script::parse(sql)
            .unwrap()
            .units
            .iter()
            .map(count)
            .collect()
    }

    #[test]
    fn a_file_is_one_transaction_whether_it_says_so_or_not() {
        assert_eq!(shape("CREATE TABLE a (); CREATE TABLE b ();"), [2]);
        assert_eq!(shape("BEGIN; CREATE TABLE a (); SELECT 1; COMMIT;"), [2]);
        assert_eq!(shape("START TRANSACTION; SELECT 1; END;"), [1]);
        assert_eq!(shape("SELECT 1; SELECT 2; COMMIT; SELECT 3"), [2, 1]);
        assert_eq!(shape("-- nothing\n"), Vec::<i64>::new());
        assert_eq!(shape("BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT"), [2]);
    }

    #[test]
    fn what_takes_no_transaction_stands_alone() {
        let sql = "SELECT 1; SELECT 2; CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t; SELECT 3";
        assert_eq!(shape(sql), [2, -1, -1, 1]);
        assert_eq!(
            shape("ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('x')"),
            [1, 1]
        );
        assert_eq!(
            shape("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT"),
            [1, 1]
        );
        assert_eq!(shape("DO $$ VACUUM $$; SELECT 'CONCURRENTLY'"), [2]);
        assert_eq!(shape("CREATE INDEX i ON t (\"CONCURRENTLY\")"), [1]);
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_line() {
        for (sql, fault) in [
            (
                "SELECT 1;\nBEGIN; SELECT 2",
                ScriptFault::NoCommit { line: 2 },
            ),
            ("BEGIN;\nBEGIN; COMMIT", ScriptFault::NoCommit { line: 1 }),
            ("\nCOMMIT; SELECT 1", ScriptFault::NoBegin { line: 2 }),
            ("BEGIN;\nROLLBACK", ScriptFault::RollsBack { line: 2 }),
            (
                "\nCOPY t FROM STDIN",
                ScriptFault::Unreadable(Unreadable::CopiesFromClient { line: 2 }),
            ),
            (
                "\nCREATE INDEX CONCURRENTLY ON t (a)",
                ScriptFault::NamelessIndex { line: 2 },
            ),
        ] {
            assert_eq!(Script::parse(sql), Err(fault), "{sql}");
        }
    }

    fn only(sql: &str) -> Statement {
        Script::parse(sql).unwrap().units[0].statements[0].clone()
    }

    #[test]
    fn an_index_built_concurrently_is_known_by_name_and_table() {
        for sql in [
            "CREATE INDEX CONCURRENTLY \"I\" ON ONLY a.\"T\" (x)",
            "create unique index concurrently if not exists \"I\" on a.\"T\" (x)",
        ] {
            let found = only(sql).concurrent_index().unwrap();
            assert_eq!(
                (found.index.as_str(), found.table.as_str()),
                ("\"I\"", "a.\"T\"")
            );
        }
        assert_eq!(only("DROP INDEX CONCURRENTLY i").concurrent_index(), None);
        let plain = only("CREATE INDEX concurrently i ON t (a)").without_concurrently();
        assert_eq!(plain, "CREATE INDEX  i ON t (a)");
    }

    #[test]
    fn a_missing_role_is_told_from_other_things_that_are_missing() {
        for sql in [
            "GRANT SELECT ON t TO app",
            "ALTER TABLE t OWNER TO app",
            "CREATE POLICY p ON t TO app",
            "DROP OWNED BY app",
            "COMMENT ON ROLE app IS 'x'",
        ] {
            assert!(only(sql).lacks_a_role("42704"), "{sql}");
            assert!(!only(sql).lacks_a_role("42P01"), "{sql}");
        }
        assert!(only("SET ROLE app").lacks_a_role("22023"));
        for sql in ["CREATE TABLE t (a missing)", "DROP TYPE t", "SET x = y"] {
            assert!(!only(sql).lacks_a_role("42704"), "{sql}");
        }
    }

    #[test]
    fn a_table_is_made_by_the_statements_that_would_fail_on_one() {
        let made = |sql| only(sql).table_made();
        assert_eq!(made("CREATE TABLE a.b (c int)").as_deref(), Some("a.b"));
        assert_eq!(made("CREATE UNLOGGED TABLE b ()").as_deref(), Some("b"));
        assert_eq!(made("CREATE TABLE IF NOT EXISTS b ()"), None);
        assert_eq!(made("CREATE TEMP TABLE b ()"), None);
        for sql in [
            "ALTER TABLE a RENAME TO b",
            "ALTER TABLE a SET SCHEMA b",
            "DROP VIEW a",
            "DO $$ BEGIN DROP TABLE a; END $$",
            "SET search_path = b",
        ] {
            assert!(only(sql).may_free_table_names(), "{sql}");
        }
        assert!(!only("ALTER TABLE a ADD b int").may_free_table_names());
    }
}
