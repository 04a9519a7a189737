//! The guard: two row triggers that never let a seal of an older plaintext stand.
//! Owns their SQL. Old and new are compared by image (`*<>`): IS DISTINCT FROM is blind to case in
//! citext, to `1.0` against `1.00`, and fails on json. No message names a value.

use sqlx::Row;

use super::PostgresStore;
use super::fault::map;
use super::sql::query;
use crate::ident::{Ident, TableName};
use crate::quote;
use crate::store::{Result, StoreError};

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
    pub fields: Vec<GuardField>,
}

/// Names that sort behind those of any other trigger.
pub(super) const INSERT: &str = "~phiseal_i";
/// See [`INSERT`].
pub(super) const UPDATE: &str = "~phiseal_u";

/// A function's name: from the label, which is unique and never changes.
fn function_name(event: &str, label: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(label.as_bytes());
    format!("guard_{event}_{}", hex::encode(&digest[..8]))
}

/// The table, or partitioned root, whose guard is of this label: triggers stay with a renamed table.
pub(super) async fn guarded(store: &PostgresStore, label: &str) -> Result<Option<TableName>> {
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_trigger g \
         JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace o ON o.oid = p.pronamespace \
         WHERE g.tgname = $1 AND g.tgparentid = 0 AND p.proname = $2 AND o.nspname = $3 ORDER BY c.oid LIMIT 1";
    let mut tx = store.begin().await?;
    let row = query(sql.to_owned())
        .bind(UPDATE)
        .bind(function_name("update", label))
        .bind(store.schema.as_str().to_owned())
        .fetch_optional(&mut *tx)
        .await
        .map_err(map)?;
    tx.commit().await.map_err(map)?;
    let Some(row) = row else { return Ok(None) };
    let name = |at: usize| {
        let text: String = row.try_get(at).map_err(map)?;
        Ident::new(text).map_err(|_| StoreError::Unexpected {
            what: "the name of a table",
        })
    };
    Ok(Some(TableName {
        schema: Some(name(0)?),
        name: name(1)?,
    }))
}

impl Guard {
    /// The statements that make it, replacing what is there.
    pub(super) fn statements(&self) -> Vec<String> {
        let (insert, update) = self.function_names();
        let mut statements = vec![self.insert_function(&insert), self.update_function(&update)];
        for function in [&insert, &update] {
            // A trigger function can be hung on any table by whoever may execute it. Only the owner of
            // the table needs to: the server asks for it again when a partition is attached.
            statements.push(format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"));
            statements.push(format!(
                "GRANT EXECUTE ON FUNCTION {function}() TO {}",
                self.owner.quoted()
            ));
        }
        statements.extend([
            format!(
                "DROP TRIGGER IF EXISTS {} ON {}",
                quoted(INSERT),
                self.table
            ),
            format!(
                "DROP TRIGGER IF EXISTS {} ON {}",
                quoted(UPDATE),
                self.table
            ),
            self.trigger(INSERT, "INSERT", &self.insert_when(), &insert),
            self.trigger(UPDATE, "UPDATE", &self.update_when(), &update),
            format!(
                "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}",
                self.table,
                quoted(INSERT)
            ),
            format!(
                "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}",
                self.table,
                quoted(UPDATE)
            ),
        ]);
        statements
    }

    /// The statements that take it away.
    pub(super) fn drop_statements(&self) -> Vec<String> {
        let (insert, update) = self.function_names();
        vec![
            format!(
                "DROP TRIGGER IF EXISTS {} ON {}",
                quoted(INSERT),
                self.table
            ),
            format!(
                "DROP TRIGGER IF EXISTS {} ON {}",
                quoted(UPDATE),
                self.table
            ),
            format!("DROP FUNCTION IF EXISTS {insert}()"),
            format!("DROP FUNCTION IF EXISTS {update}()"),
        ]
    }

    fn function_names(&self) -> (String, String) {
        let schema = self.schema.quoted();
        let of = |event| format!("{schema}.{}", function_name(event, &self.label));
        (of("insert"), of("update"))
    }

    fn trigger(&self, name: &str, event: &str, when: &str, function: &str) -> String {
        format!(
            "CREATE TRIGGER {} BEFORE {event} ON {} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {function}()",
            quoted(name),
            self.table
        )
    }

    /// Every column the guard watches, as a row image of OLD or NEW.
    fn image(&self, version: &str) -> String {
        let mut columns: Vec<&Ident> = self.keys.iter().chain(&self.tenant).collect();
        for field in &self.fields {
            columns.push(&field.plain);
            columns.extend(field.sealed.iter().map(|(name, _)| name));
            columns.extend(&field.index);
            columns.extend(&field.next);
        }
        row(version, &columns)
    }

    fn update_when(&self) -> String {
        format!(
            "{NOT_THE_ENGINE} AND pg_catalog.record_image_ne({}, {})",
            self.image("OLD"),
            self.image("NEW")
        )
    }

    fn insert_when(&self) -> String {
        let mut written: Vec<String> = Vec::new();
        for field in &self.fields {
            let own = match &field.sealed {
                Some((sealed, _)) => sealed,
                None => &field.plain,
            };
            written.push(format!("NEW.{} IS NOT NULL", own.quoted()));
            written.extend(
                field
                    .index
                    .iter()
                    .chain(&field.next)
                    .map(|index| format!("NEW.{} IS NOT NULL", index.quoted())),
            );
        }
        format!("{NOT_THE_ENGINE} AND ({})", written.join(" OR "))
    }

    fn tenant_text(&self) -> String {
        self.tenant.as_ref().map_or("''".to_owned(), |t| {
            format!("coalesce(NEW.{}::pg_catalog.text, '')", t.quoted())
        })
    }

    /// It runs with the rights of whoever writes the row (SECURITY INVOKER): it can do nothing that the
    /// writer could not do without it.
    fn function(
        &self,
        name: &str,
        trigger: &str,
        event: &str,
        declare: &str,
        body: &str,
    ) -> String {
        let body = format!(
            "\nDECLARE\n  trusted boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' \
             OR current_setting('session_replication_role') = 'replica';\n{declare}BEGIN\n\
             \x20 IF TG_NAME <> {} OR TG_OP <> '{event}' OR TG_WHEN <> 'BEFORE' OR TG_LEVEL <> 'ROW' THEN\n    {}\n  END IF;\n\
             {body}  RETURN NEW;\nEND ",
            quote::literal(trigger),
            "RAISE EXCEPTION USING ERRCODE = 'PS001', MESSAGE = 'phiseal: this function guards another table';"
        );
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER \
             SET search_path = pg_catalog, pg_temp AS {}",
            quote::body(&body)
        )
    }

    fn insert_function(&self, name: &str) -> String {
        let mut body = String::new();
        for field in &self.fields {
            let Some((sealed, text)) = &field.sealed else {
                body.push_str(&self.in_place_key(field));
                body.push_str(&format!(" {}\n", forget_next(field)));
                continue;
            };
            let s = format!("NEW.{}", sealed.quoted());
            let blank = blank(field, sealed);
            let required = self.require(&key_id_of(&s, *text));
            body.push_str(&format!(
                "  IF trusted THEN\n    IF {s} IS NOT NULL THEN {required} END IF;{forget}\n\
                   ELSIF NEW.{plain} IS NULL AND {s} IS NOT NULL THEN\n    {refuse}\n\
                   ELSE\n    {blank}\n  END IF;\n",
                forget = forget_next(field),
                plain = field.plain.quoted(),
                refuse = refuse(
                    &field.plain,
                    "a sealed value without its plaintext is taken from a trusted writer only (SET LOCAL phiseal.sealer = 'on')"
                ),
            ));
        }
        self.function(name, INSERT, "INSERT", "", &body)
    }

    fn update_function(&self, name: &str) -> String {
        let place: Vec<&Ident> = self.keys.iter().chain(&self.tenant).collect();
        let declare = format!(
            "  moved boolean := {}::record *<> {}::record;\n  changed boolean;\n  resealed boolean;\n",
            row("OLD", &place),
            row("NEW", &place)
        );
        let mut body = String::new();
        for field in &self.fields {
            body.push_str(&match &field.sealed {
                Some((sealed, text)) => self.update_beside(field, sealed, *text),
                None => self.update_in_place(field),
            });
        }
        self.function(name, UPDATE, "UPDATE", &declare, &body)
    }

    fn update_beside(&self, field: &GuardField, sealed: &Ident, text: bool) -> String {
        let mut own = vec![sealed];
        own.extend(&field.index);
        own.extend(&field.next);
        let restore: Vec<String> = own
            .iter()
            .map(|c| format!("NEW.{0} := OLD.{0};", c.quoted()))
            .collect();
        format!(
            "  changed := {old_plain}::record *<> {new_plain}::record;\n\
             \x20 resealed := {old_own}::record *<> {new_own}::record;\n\
             \x20 IF trusted AND NEW.{s} IS NOT NULL AND {old_s}::record *<> {new_s}::record THEN\n    {required}\n\
             \x20   IF NOT changed THEN NEW.{p} := NULL; END IF;\n\
             \x20 ELSIF moved AND OLD.{p} IS NULL AND NEW.{p} IS NULL AND OLD.{s} IS NOT NULL THEN\n    {refuse}\n\
             \x20 ELSIF moved OR changed THEN\n    {blank}\n\
             \x20 ELSIF resealed AND NOT trusted THEN\n    {restore}\n  END IF;\n{keep_next}",
            old_plain = row("OLD", &[&field.plain]),
            new_plain = row("NEW", &[&field.plain]),
            old_own = row("OLD", &own),
            new_own = row("NEW", &own),
            old_s = row("OLD", &[sealed]),
            new_s = row("NEW", &[sealed]),
            s = sealed.quoted(),
            keep_next = keep_next(field, sealed),
            p = field.plain.quoted(),
            required = self.require(&key_id_of(&format!("NEW.{}", sealed.quoted()), text)),
            refuse = refuse(
                &field.plain,
                "the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open"
            ),
            blank = blank(field, sealed),
            restore = restore.join(" "),
        )
    }

    fn update_in_place(&self, field: &GuardField) -> String {
        format!(
            "  changed := {old}::record *<> {new}::record;\n\
             \x20 IF moved AND NOT trusted AND {sealed} THEN\n    {refuse}\n\
             \x20 ELSIF changed THEN\n  {key}  END IF;\n{keep_next}",
            old = row("OLD", &[&field.plain]),
            new = row("NEW", &[&field.plain]),
            sealed = looks_sealed(&format!("NEW.{}", field.plain.quoted())),
            refuse = refuse(
                &field.plain,
                "the key or tenant of a row sealed in place cannot change: its value would not open"
            ),
            key = self.in_place_key(field),
            keep_next = keep_next(field, &field.plain),
        )
    }

    /// A value that is sealed by its form, under a key we know, must be under an active one.
    fn in_place_key(&self, field: &GuardField) -> String {
        let value = format!("NEW.{}", field.plain.quoted());
        format!(
            "  IF {} AND EXISTS (SELECT 1 FROM {}.encryption_keys k WHERE k.key_id = {id}) THEN\n    {}\n  END IF;\n",
            looks_sealed(&value),
            self.schema.quoted(),
            self.require(&key_id_of(&value, true)),
            id = key_id_of(&value, true),
        )
    }

    /// Without a lock: the function is VOLATILE, so each look at the key table has a snapshot of its
    /// own, and a change of a key is seen as soon as it is committed. Whoever changes a key waits
    /// afterwards for the transactions that may have looked before ([decision
    /// 12](../../../docs/decisions/0012-rights.md)).
    fn require(&self, key_id: &str) -> String {
        format!(
            "IF NOT EXISTS (SELECT 1 FROM {}.encryption_keys k WHERE k.key_id = {key_id} AND k.tenant = {} \
             AND k.purpose = 'cell' AND k.status = 'active') THEN\n      RAISE EXCEPTION USING ERRCODE = 'PS001', \
             MESSAGE = 'phiseal: a value sealed under a key that is not active is refused', \
             HINT = 'load the keys again, seal the value again'; END IF;",
            self.schema.quoted(),
            self.tenant_text()
        )
    }
}

fn row(version: &str, columns: &[&Ident]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("{version}.{}", c.quoted()))
        .collect();
    format!("ROW({})", columns.join(", "))
}

fn blank(field: &GuardField, sealed: &Ident) -> String {
    let mut out = format!("NEW.{} := NULL;", sealed.quoted());
    if let Some(index) = &field.index {
        out.push_str(&format!(" NEW.{} := NULL;", index.quoted()));
    }
    out.push_str(&forget_next(field));
    out
}

/// A new blind index that is no longer of this value.
fn forget_next(field: &GuardField) -> String {
    field.next.as_ref().map_or_else(String::new, |next| {
        format!(" NEW.{} := NULL;", next.quoted())
    })
}

/// The same of an update: it stays with its value, and goes with it; nobody else writes it.
fn keep_next(field: &GuardField, value: &Ident) -> String {
    field.next.as_ref().map_or_else(String::new, |next| {
        format!(
            "  IF moved OR changed OR {}::record *<> {}::record THEN NEW.{n} := NULL; ELSE NEW.{n} := OLD.{n}; END IF;\n",
            row("OLD", &[value]),
            row("NEW", &[value]),
            n = next.quoted()
        )
    })
}

fn refuse(column: &Ident, message: &str) -> String {
    format!(
        "RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME, COLUMN = {}, MESSAGE = {};",
        quote::literal(column.as_str()),
        quote::literal(&format!("phiseal: {message}"))
    )
}

/// Bytes 2 to 5 of the envelope, of either form (docs/FORMAT.md). -1 where there are none.
fn key_id_of(value: &str, text: bool) -> String {
    let bytes = if text {
        format!("decode(translate(substr({value}::text, 5, 8), '-_', '+/'), 'base64')")
    } else {
        value.to_owned()
    };
    format!(
        "coalesce(nullif('x' || encode(substr({bytes}, 3, 4), 'hex'), 'x')::bit(32)::bigint, -1)"
    )
}

/// The text form: `ps1.`, then base64 whose first bytes are 0xE7 and suite 1 or 2 and a key id
/// below 2^31, at least 34 bytes in all.
pub(super) fn looks_sealed(value: &str) -> String {
    format!("coalesce({value}::pg_catalog.text ~ '^ps1[.]5w[EFIJ][A-Za-z0-9_-]{{43,}}$', false)")
}

fn quoted(name: &str) -> String {
    quote::identifier(name)
}

/// A write that is not the engine's own. The words of a trigger's WHEN clause outlive the
/// transaction that makes it, and a DBA may run them elsewhere: every name has its schema.
const NOT_THE_ENGINE: &str =
    "pg_catalog.current_setting('phiseal.engine', true) IS DISTINCT FROM 'on'";
