//! The guard: two row triggers that keep a sealed value from being older than its plaintext, and
//! one trigger for each blind index that tells whether a statement names its column.
//! Owns the statements that create and drop them. `guard/when.rs` owns the conditions under which
//! they fire, and `guard/functions.rs` what they do. The guard compares old and new values by their
//! binary image: IS DISTINCT FROM ignores case in citext, does not tell `1.0` from `1.00`, and
//! fails on json. No message contains a value.

mod form;
mod frozen;
mod functions;
mod registered;
mod when;

use super::sql::set_local;
use crate::ident::Ident;
use crate::quote;
use crate::store::change::{Change, label_digest};
use crate::store::plaintext::HIDDEN;
pub(super) use registered::guard_of;

pub(super) use form::looks_sealed;
pub(super) use functions::UNDONE;

/// A field as the guard knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GuardField {
    /// Its label.
    pub label: String,
    /// The column that holds the sealed values; for an in-place field, its only column.
    pub holder: Ident,
    /// Whether the holder is a text column.
    pub text: bool,
    /// Where the plaintext is.
    pub plain: Plain,
    pub index: Option<Ident>,
    /// The column that takes the new blind index while the index key is rotated. Applications do
    /// not write it: the guard sets it to NULL when the sealed value changes, and the engine fills
    /// it again.
    pub next: Option<Ident>,
    /// Whether the guard takes no plaintext any more.
    pub frozen: bool,
}

/// Where the plaintext of a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plain {
    /// In a column beside the sealed value.
    Beside(Ident),
    /// In the sealed value's own column, until it is sealed.
    InPlace,
    /// Nowhere: its column was dropped.
    Gone,
}

impl GuardField {
    /// The plaintext column beside the sealed value.
    fn beside(&self) -> Option<&Ident> {
        match &self.plain {
            Plain::Beside(column) => Some(column),
            Plain::InPlace | Plain::Gone => None,
        }
    }

    fn in_place(&self) -> bool {
        self.plain == Plain::InPlace
    }

    /// The column in which a plaintext can be.
    fn source(&self) -> Option<&Ident> {
        match &self.plain {
            Plain::Beside(column) => Some(column),
            Plain::InPlace => Some(&self.holder),
            Plain::Gone => None,
        }
    }

    /// The column by which messages name the field. Applications do not know a hidden one.
    fn name(&self) -> &str {
        let shown = self.source().filter(|_| !self.is_hidden());
        shown.unwrap_or(&self.holder).as_str()
    }

    /// Whether the plaintext column has a name that no application knows.
    fn is_hidden(&self) -> bool {
        self.beside()
            .is_some_and(|plain| plain.as_str().starts_with(HIDDEN))
    }

    /// The columns beside the plaintext that only a sealer or the engine writes.
    fn seals(&self) -> impl Iterator<Item = &Ident> {
        let holder = (!self.in_place()).then_some(&self.holder);
        holder.into_iter().chain(&self.index).chain(&self.next)
    }
}

/// What the guard of one table is made from.
pub(super) struct Guard {
    pub schema: Ident,
    /// The table's name, quoted and qualified.
    pub table: String,
    /// The role that owns the table.
    pub owner: Ident,
    pub label: String,
    pub keys: Vec<Ident>,
    pub tenant: Option<Ident>,
    /// Whether the text of the tenant depends on settings of the session.
    pub tenant_by_settings: bool,
    pub fields: Vec<GuardField>,
    /// Whether an untrusted change of a sealed value is undone instead of refused.
    pub undoes: bool,
}

/// The name of the guard's INSERT trigger. It sorts after the names of the application's triggers,
/// so that the guard fires last.
pub(super) const INSERT: &str = "~phiseal_i";
/// The name of the guard's UPDATE trigger; see [`INSERT`].
pub(super) const UPDATE: &str = "~phiseal_u";

/// The first part of the names of the triggers that tell whether a statement names a blind index.
/// They sort before [`UPDATE`], but after the application's triggers.
const NAMED: &str = "~phiseal_n_";

/// The condition that trigger `t` of a catalog query belongs to the guard. For the triggers of
/// blind indexes it also checks the functions, since anyone may create a trigger with such a name.
pub(super) const IS_GUARD: &str = "(t.tgname IN ('~phiseal_i', '~phiseal_u') \
    OR t.tgname ~ '^~phiseal_n_[0-9a-f]{8}$' AND EXISTS (SELECT FROM pg_catalog.pg_proc n \
      JOIN pg_catalog.pg_proc u ON u.pronamespace = n.pronamespace \
      JOIN pg_catalog.pg_trigger g ON g.tgfoid = u.oid \
      WHERE n.oid = t.tgfoid AND n.proname ~ '^guard_named_[0-9a-f]{16}$' \
        AND u.proname ~ '^guard_update_[0-9a-f]{16}$' AND g.tgrelid = t.tgrelid AND g.tgname = '~phiseal_u'))";

/// The name of one of the guard's functions. It contains a digest of the label, which is unique and
/// never changes.
pub(super) fn function_name(event: &str, label: &str) -> String {
    format!("guard_{event}_{}", hex::encode(label_digest(label)))
}

/// The engine's mark, the value of the setting `phiseal.change`: what kind of change the engine is
/// about to make, and to which table.
pub(super) fn mark(change: Change, label: &str) -> String {
    format!("{} {}", change.word(), hex::encode(label_digest(label)))
}

/// The statement that sets it for the rest of the transaction or until [`UNMARK`]. As a SELECT it has
/// one entry in pg_stat_statements for all tables.
pub(super) fn mark_sql(change: Change, label: &str) -> String {
    let mark = quote::literal(&mark(change, label));
    format!("SELECT pg_catalog.set_config('phiseal.change', {mark}, true);")
}

/// Clears the setting: the engine changes nothing more in this transaction.
pub(super) const UNMARK: &str = set_local!("phiseal.change" = "");

impl Guard {
    /// The statements that create the guard, replacing an existing one.
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
            // Anyone who may execute a trigger function can use it in a trigger on any table. Only
            // the table's owner needs this right: the server checks it again when a partition is
            // attached.
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

    /// The statements that drop the guard.
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

    /// Whether this guard would create a trigger of this name with these arguments (as the catalog
    /// stores them). The argument is a digest of the trigger's condition, because the catalog does
    /// not return the condition as it was written.
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

    /// Whether the guard of this field watches a plaintext column beside the sealed value.
    pub(super) fn watches(&self, label: &str) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|field| field.label == label && field.beside().is_some())
    }

    /// The number of the guard's triggers.
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

/// Identifies a blind index column in the name and the argument of its trigger.
fn index_digest(index: &Ident) -> String {
    hex::encode(&label_digest(index.as_str())[..4])
}

/// Identifies a trigger's condition.
fn when_digest(when: &str) -> String {
    hex::encode(label_digest(when))
}
