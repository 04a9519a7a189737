//! The guard: two row triggers that never let a seal of an older plaintext stand, and one for each
//! blind index that tells whether a statement names it.
//! Owns the statements that make and drop them, and when they fire (`guard/when.rs`); what they do is in
//! `guard/functions.rs`. Old and new are compared by image: IS DISTINCT FROM is blind to case in citext,
//! to `1.0` against `1.00`, and fails on json. No message names a value.

mod functions;
mod when;

use crate::ident::Ident;
use crate::quote;
use crate::store::change::{Change, label_digest};

pub(super) use functions::{UNDONE, looks_sealed};

/// A field as the guard sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GuardField {
    pub plain: Ident,
    /// `None` in place.
    pub sealed: Option<(Ident, bool)>,
    pub index: Option<Ident>,
    /// The column that takes the new blind index while its key is rotated. No application writes
    /// it: whatever changes the sealed value blanks it, and the engine fills it again.
    pub next: Option<Ident>,
}

/// Everything the guard of one table is made of.
pub(super) struct Guard {
    pub schema: Ident,
    /// Quoted, qualified.
    pub table: String,
    /// The role that owns the table.
    pub owner: Ident,
    pub label: String,
    pub keys: Vec<Ident>,
    pub tenant: Option<Ident>,
    /// The tenant's text depends on settings of the session.
    pub tenant_by_settings: bool,
    pub fields: Vec<GuardField>,
    /// An untrusted change of a seal is undone, and not refused.
    pub undoes: bool,
}

/// Names that sort behind those of any other trigger.
pub(super) const INSERT: &str = "~phiseal_i";
/// See [`INSERT`].
pub(super) const UPDATE: &str = "~phiseal_u";

/// How the names of the triggers begin that tell whether a statement names a blind index; they sort
/// before the guard's own, and behind those of any other.
const NAMED: &str = "~phiseal_n_";

/// Whether trigger `t` of a catalog query is one of the guard's. The names alone would let anybody's
/// trigger pass for one of these.
pub(super) const IS_GUARD: &str = "(t.tgname IN ('~phiseal_i', '~phiseal_u') \
    OR t.tgname ~ '^~phiseal_n_[0-9a-f]{8}$' AND EXISTS (SELECT FROM pg_catalog.pg_proc n \
      JOIN pg_catalog.pg_proc u ON u.pronamespace = n.pronamespace \
      JOIN pg_catalog.pg_trigger g ON g.tgfoid = u.oid \
      WHERE n.oid = t.tgfoid AND n.proname ~ '^guard_named_[0-9a-f]{16}$' \
        AND u.proname ~ '^guard_update_[0-9a-f]{16}$' AND g.tgrelid = t.tgrelid AND g.tgname = '~phiseal_u'))";

/// A function's name: from the label, which is unique and never changes.
pub(super) fn function_name(event: &str, label: &str) -> String {
    format!("guard_{event}_{}", hex::encode(label_digest(label)))
}

/// The setting that says what the engine is about to change, and where.
pub(super) fn mark(change: Change, label: &str) -> String {
    format!("{} {}", change.word(), hex::encode(label_digest(label)))
}

/// The statement that says so for the rest of the transaction; see [`UNMARK`].
pub(super) fn mark_sql(change: Change, label: &str) -> String {
    format!("SET LOCAL phiseal.change = '{}';", mark(change, label))
}

/// Nothing more is changed.
pub(super) const UNMARK: &str = "SET LOCAL phiseal.change = '';";

impl Guard {
    /// The statements that make it, replacing what is there.
    pub(super) fn statements(&self) -> Vec<String> {
        let [insert, update, named] = self.function_names();
        let mut statements = vec![format!("DROP FUNCTION IF EXISTS {named}() CASCADE")];
        let mut functions = vec![&insert, &update];
        statements.push(self.insert_function(&insert));
        statements.push(self.update_function(&update));
        if self.indexes().next().is_some() {
            functions.push(&named);
            statements.push(self.named_function(&named));
        }
        for function in functions {
            // A trigger function can be hung on any table by whoever may execute it. Only the owner of
            // the table needs to: the server asks for it again when a partition is attached.
            statements.push(format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"));
            statements.push(format!(
                "GRANT EXECUTE ON FUNCTION {function}() TO {}",
                self.owner.quoted()
            ));
        }
        statements.push(self.drop_trigger(INSERT));
        statements.push(self.drop_trigger(UPDATE));
        for index in self.indexes() {
            let name = index_digest(index);
            statements.push(self.trigger(
                &format!("{NAMED}{name}"),
                &format!("UPDATE OF {}", index.quoted()),
                &self.named_when(),
                &format!("{named}({})", quote::literal(&name)),
            ));
        }
        for (name, event, when, function) in [
            (INSERT, "INSERT", self.insert_when(), &insert),
            (UPDATE, "UPDATE", self.update_when(), &update),
        ] {
            let function = format!("{function}({})", quote::literal(&when_digest(&when)));
            statements.push(self.trigger(name, event, &when, &function));
        }
        for name in [INSERT, UPDATE] {
            statements.push(format!(
                "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}",
                self.table,
                quote::identifier(name)
            ));
        }
        statements
    }

    /// The statements that take it away.
    pub(super) fn drop_statements(&self) -> Vec<String> {
        let [insert, update, named] = self.function_names();
        vec![
            self.drop_trigger(INSERT),
            self.drop_trigger(UPDATE),
            format!("DROP FUNCTION IF EXISTS {insert}()"),
            format!("DROP FUNCTION IF EXISTS {update}()"),
            format!("DROP FUNCTION IF EXISTS {named}() CASCADE"),
        ]
    }

    /// Whether a trigger of this name, with these arguments as the catalog has them, is one that this
    /// guard would make. The argument names the condition that the trigger fires under, which no other
    /// part of the catalog gives back as it was written.
    pub(super) fn has_trigger(&self, name: &str, arguments: &[u8]) -> bool {
        let when = match name {
            INSERT => when_digest(&self.insert_when()),
            UPDATE => when_digest(&self.update_when()),
            named => match named.strip_prefix(NAMED) {
                Some(digest) if self.indexes().any(|index| index_digest(index) == digest) => {
                    digest.to_owned()
                }
                _ => return false,
            },
        };
        arguments.strip_suffix(b"\0") == Some(when.as_bytes())
    }

    /// How many triggers it is.
    pub(super) fn triggers(&self) -> usize {
        2 + self.indexes().count()
    }

    fn indexes(&self) -> impl Iterator<Item = &Ident> {
        self.fields.iter().filter_map(|field| field.index.as_ref())
    }

    fn function_names(&self) -> [String; 3] {
        let schema = self.schema.quoted();
        ["insert", "update", "named"]
            .map(|event| format!("{schema}.{}", function_name(event, &self.label)))
    }

    fn drop_trigger(&self, name: &str) -> String {
        format!(
            "DROP TRIGGER IF EXISTS {} ON {}",
            quote::identifier(name),
            self.table
        )
    }

    fn trigger(&self, name: &str, event: &str, when: &str, function: &str) -> String {
        format!(
            "CREATE TRIGGER {} BEFORE {event} ON {} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {function}",
            quote::identifier(name),
            self.table
        )
    }
}

/// Names a blind index column in the name and the argument of its trigger.
fn index_digest(index: &Ident) -> String {
    hex::encode(&label_digest(index.as_str())[..4])
}

/// Names a trigger's condition.
fn when_digest(when: &str) -> String {
    hex::encode(label_digest(when))
}
