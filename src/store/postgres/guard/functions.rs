//! What the guard's triggers do.
//! Owns the bodies of their functions, and the SQLSTATE of each refusal (docs/ERRORS.md, "What a
//! guard refuses"). A function runs with the rights of the role that writes the row, but has its
//! own search path and settings.

use super::form::{key_id_of, looks_sealed};
use super::frozen::{frozen_update, no_plaintext_in_place, refuse_plaintext};
use super::when::differs;
use super::{Guard, GuardField, INSERT, UPDATE, index_digest};
use crate::ident::Ident;
use crate::quote;
use crate::store::text::joined;

/// A value is sealed under a key that is not active.
const KEY_NOT_ACTIVE: &str = "PS002";
/// An untrusted writer inserts a sealed value without its plaintext.
const NOT_TRUSTED: &str = "PS003";
/// The key or tenant of a row changes, but its plaintext is gone.
const MOVED: &str = "PS004";
/// The function is used by a trigger that is not the guard's.
const NOT_ITS_TABLE: &str = "PS005";
/// An untrusted writer changes a sealed value but not its plaintext.
const SEAL_CHANGED: &str = "PS006";

/// A comment in the source of a guard that undoes untrusted changes instead of refusing them.
pub(crate) const UNDONE: &str = "-- on_untrusted_seal = undo";

/// A prefix of 16 bytes which no blind index begins with by chance. A trigger of the guard puts it
/// before a blind index that the statement names, and the guard's last trigger removes it. One byte
/// follows it: 1 before an index, 0 for NULL. It is not written as a literal with backslashes,
/// which would mean something else with `standard_conforming_strings` off.
const NAMED_PREFIX: &str = "decode('7068697365616c206e616d6564202020', 'hex')";
const NAMED_BYTES: usize = 16;

impl Guard {
    /// The statement that creates a function of the guard. The function runs with the rights of the
    /// role that writes the row (SECURITY INVOKER), so it can do nothing that this role could not
    /// do itself. It makes the tenant's text under the same settings as the engine, whatever the
    /// session's are.
    fn function(&self, name: &str, event: &str, declare: &str, body: &str) -> String {
        let settings = match self.tenant_by_settings {
            true => {
                " SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' \
                 SET extra_float_digits = 1 SET bytea_output = 'hex'"
            }
            false => "",
        };
        let body = format!(
            "\n{declare}BEGIN\n{}{body}  RETURN NEW;\nEND ",
            self.own_place(event)
        );
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER \
             SET search_path = pg_catalog, pg_temp{settings} AS {}",
            quote::body(&body)
        )
    }

    fn own_place(&self, event: &str) -> String {
        let name = match event {
            "INSERT" => format!("TG_NAME <> {} OR ", quote::literal(INSERT)),
            "UPDATE" => format!("TG_NAME <> {} OR ", quote::literal(UPDATE)),
            _ => String::new(),
        };
        let operation = if event == "INSERT" {
            "INSERT"
        } else {
            "UPDATE"
        };
        format!(
            "  IF {name}TG_OP <> '{operation}' OR TG_WHEN <> 'BEFORE' OR TG_LEVEL <> 'ROW' THEN\n    {}\n  END IF;\n",
            raise(NOT_ITS_TABLE, "", "this function guards another table", "")
        )
    }

    pub(super) fn insert_function(&self, name: &str) -> String {
        let mut body = String::new();
        for field in &self.fields {
            body.push_str(&match field.in_place() {
                false => self.insert_beside(field),
                true => self.insert_in_place(field),
            });
        }
        self.function(name, "INSERT", &declarations(""), &body)
    }

    fn insert_beside(&self, field: &GuardField) -> String {
        let s = format!("NEW.{}", field.holder.quoted());
        let frozen = field.beside().filter(|_| field.frozen);
        let frozen = frozen.map_or_else(String::new, |plain| {
            format!(
                "  IF NEW.{} IS NOT NULL THEN\n    {}\n  END IF;\n",
                plain.quoted(),
                refuse_plaintext(field)
            )
        });
        let plain = field.beside().map_or_else(String::new, |plain| {
            format!("NEW.{} IS NULL AND ", plain.quoted())
        });
        format!(
            "{frozen}  IF trusted THEN\n    IF {s} IS NOT NULL THEN {required} END IF;{forget}\n\
               ELSIF {plain}{s} IS NOT NULL THEN\n    {refuse}\n\
               ELSE\n    {blank}\n  END IF;\n",
            required = self.require(&key_id_of(&s, field.text)),
            forget = set_null(&field.next),
            refuse = raise(
                NOT_TRUSTED,
                field.name(),
                "a sealed value without its plaintext is taken from a trusted writer only",
                "SET LOCAL phiseal.sealer = 'on'",
            ),
            blank = blank(field),
        )
    }

    fn insert_in_place(&self, field: &GuardField) -> String {
        let mut body = self.in_place_key(field);
        if field.frozen {
            body.push_str(&no_plaintext_in_place(field, "true"));
        }
        if field.index.is_some() {
            body.push_str(&format!(
                "  IF NOT trusted THEN{} END IF;\n",
                set_null(&field.index)
            ));
        }
        format!("{body} {}\n", set_null(&field.next))
    }

    pub(super) fn update_function(&self, name: &str) -> String {
        let place: Vec<&Ident> = self.keys.iter().chain(&self.tenant).collect();
        let declare = declarations(&format!(
            "  moved boolean := {};\n  changed boolean;\n  resealed boolean;\n  named boolean;\n",
            differs(place)
        ));
        let mut body = String::new();
        if self.undoes {
            body.push_str(&format!("  {UNDONE}\n"));
        }
        for field in &self.fields {
            body.push_str(&take_name(field));
            body.push_str(&match field.in_place() {
                false => self.update_beside(field),
                true => self.update_in_place(field),
            });
            body.push_str(&keep_next(field));
        }
        self.function(name, "UPDATE", &declare, &body)
    }

    /// The UPDATE of a field with a sealed column. A trusted writer's new sealed value is kept,
    /// and, if the plaintext did not change, the plaintext is set to NULL. Otherwise, if the
    /// plaintext, the key or the tenant changes, the sealed value is set to NULL; if only the
    /// sealed value changes, that is refused or undone.
    fn update_beside(&self, field: &GuardField) -> String {
        let own: Vec<&Ident> = [&field.holder].into_iter().chain(&field.index).collect();
        let (changed, clear) = match field.beside() {
            Some(plain) => (
                differs([plain]),
                format!(
                    "    IF NOT changed THEN NEW.{} := NULL; END IF;\n",
                    plain.quoted()
                ),
            ),
            None => ("false".to_owned(), String::new()),
        };
        // While the plaintext is there, a moved row is sealed again. While it is frozen, it cannot be.
        let unsealable = match field.beside() {
            Some(plain) if !field.frozen => format!(
                "OLD.{p} IS NULL AND NEW.{p} IS NULL AND ",
                p = plain.quoted()
            ),
            Some(_) | None => String::new(),
        };
        format!(
            "  changed := {changed};\n  resealed := {resealed};\n{frozen}\
             \x20 IF trusted AND resealed AND NEW.{s} IS NOT NULL THEN\n    {required}\n{clear}\
             \x20 ELSIF moved AND {unsealable}OLD.{s} IS NOT NULL THEN\n    {refuse}\n\
             \x20 ELSIF moved OR changed THEN\n    {blank}\n\
             \x20 ELSIF NOT trusted AND {own_changed} THEN\n    {untrusted}\n  END IF;\n{forgotten}",
            resealed = differs([&field.holder]),
            frozen = frozen_update(field),
            own_changed = differs(own.iter().copied()),
            untrusted = self.untrusted(field, &own),
            s = field.holder.quoted(),
            required = self.require(&key_id_of(
                &format!("NEW.{}", field.holder.quoted()),
                field.text
            )),
            refuse = raise(
                MOVED,
                field.name(),
                "the key or tenant of a row whose plaintext is gone cannot change: its sealed value would not open",
                "seal the value again for the new key and tenant, in the same statement",
            ),
            blank = blank(field),
            forgotten = forgotten(field),
        )
    }

    fn update_in_place(&self, field: &GuardField) -> String {
        let own: Vec<&Ident> = field.index.iter().collect();
        let (index, alone) = match &field.index {
            Some(_) => (
                format!(
                    "    IF NOT trusted THEN{} END IF;\n",
                    set_null(&field.index)
                ),
                format!(
                    "  ELSIF NOT trusted AND {} THEN\n    {}\n",
                    differs(own.iter().copied()),
                    self.untrusted(field, &own)
                ),
            ),
            None => (String::new(), String::new()),
        };
        let frozen = match field.frozen {
            true => no_plaintext_in_place(field, "changed"),
            false => String::new(),
        };
        format!(
            "  changed := {differs};\n  resealed := changed;\n{frozen}\
             \x20 IF moved AND NOT (trusted AND changed) AND {sealed} THEN\n    {refuse}\n\
             \x20 ELSIF changed THEN\n  {key}{index}{alone}  END IF;\n{forgotten}",
            differs = differs([&field.holder]),
            sealed = looks_sealed(&format!("NEW.{}", field.holder.quoted())),
            refuse = raise(
                MOVED,
                field.name(),
                "the key or tenant of a row sealed in place cannot change: its value would not open",
                "write the value in the same statement: its plaintext, or sealed for the new key and tenant",
            ),
            key = self.in_place_key(field),
            forgotten = forgotten(field),
        )
    }

    /// What happens if an untrusted writer changes a sealed value but not its plaintext.
    fn untrusted(&self, field: &GuardField, own: &[&Ident]) -> String {
        if self.undoes {
            return joined(own, " ", |c| format!("NEW.{0} := OLD.{0};", c.quoted()));
        }
        raise(
            SEAL_CHANGED,
            field.name(),
            "a sealed value is changed by a trusted writer only",
            "leave its columns out; SET LOCAL phiseal.sealer = 'on' where the application seals; \
             or on_untrusted_seal = \"undo\" in the plan",
        )
    }

    /// A value that looks sealed under a known key must be sealed under an active one.
    fn in_place_key(&self, field: &GuardField) -> String {
        let value = format!("NEW.{}", field.holder.quoted());
        format!(
            "  IF {} AND EXISTS (SELECT 1 FROM {}.encryption_keys k WHERE k.key_id = {id}) THEN\n    {}\n  END IF;\n",
            looks_sealed(&value),
            self.schema.quoted(),
            self.require(&key_id_of(&value, true)),
            id = key_id_of(&value, true),
        )
    }

    /// Checks that a key is active, without a lock. The function is VOLATILE, so each query has a
    /// snapshot of its own and sees a key change once it is committed. After a key change, the
    /// engine waits for the transactions that may have read the old state ([decision
    /// 12](../../../../docs/decisions/0012-rights.md)).
    fn require(&self, key_id: &str) -> String {
        format!(
            "IF NOT EXISTS (SELECT 1 FROM {}.encryption_keys k WHERE k.key_id = {key_id} AND k.tenant = {} \
             AND k.purpose = 'cell' AND k.status = 'active') THEN\n      {} END IF;",
            self.schema.quoted(),
            self.tenant_text(),
            raise(
                KEY_NOT_ACTIVE,
                "",
                "a value sealed under a key that is not active is refused",
                "load the keys again, seal the value again",
            )
        )
    }

    /// The tenant's text as the engine reads it. The collation is explicit, because the server
    /// cannot compare two texts whose derived collations differ.
    fn tenant_text(&self) -> String {
        self.tenant.as_ref().map_or("''".to_owned(), |t| {
            format!(
                "(coalesce(NEW.{}::pg_catalog.text, '') COLLATE \"C\")",
                t.quoted()
            )
        })
    }

    /// The function that puts the prefix before the blind index of its trigger.
    pub(super) fn named_function(&self, name: &str) -> String {
        let mut body = String::new();
        for (at, index) in self.indexes().enumerate() {
            body.push_str(&format!(
                "  {} coalesce(TG_ARGV[0], '') = {} THEN\n    NEW.{c} := {NAMED_PREFIX} || CASE WHEN NEW.{c} IS NULL \
                 THEN decode('00', 'hex') ELSE decode('01', 'hex') || NEW.{c} END;\n",
                if at == 0 { "IF" } else { "ELSIF" },
                quote::literal(&index_digest(index)),
                c = index.quoted(),
            ));
        }
        body.push_str(&format!(
            "  ELSE\n    {}\n  END IF;\n",
            raise(NOT_ITS_TABLE, "", "this function guards another table", "")
        ));
        self.function(name, "UPDATE OF", "", &body)
    }
}

/// Trusted writers are sessions that declare that they seal (`phiseal.sealer`), and replication
/// sessions, whose rows were guarded at their origin.
fn declarations(more: &str) -> String {
    format!(
        "DECLARE\n  replica boolean := current_setting('session_replication_role') = 'replica';\n\
         \x20 sealer boolean := coalesce(current_setting('phiseal.sealer', true), '') = 'on' AND NOT replica;\n\
         \x20 trusted boolean := sealer OR replica;\n{more}"
    )
}

/// Determines whether the statement named the blind index, and removes the prefix that shows it.
fn take_name(field: &GuardField) -> String {
    field.index.as_ref().map_or_else(String::new, |index| {
        format!(
            "  named := coalesce(substr(NEW.{c}, 1, {NAMED_BYTES}) = {NAMED_PREFIX}, false);\n\
             \x20 IF named THEN NEW.{c} := CASE WHEN substr(NEW.{c}, {flag}, 1) = decode('01', 'hex') THEN substr(NEW.{c}, {rest}) END; END IF;\n",
            c = index.quoted(),
            flag = NAMED_BYTES + 1,
            rest = NAMED_BYTES + 2,
        )
    })
}

/// If a sealer writes a value without its blind index, the index is set to NULL, since it would be
/// that of another value.
fn forgotten(field: &GuardField) -> String {
    match &field.index {
        Some(_) => format!(
            "  IF sealer AND resealed AND NOT named THEN{} END IF;\n",
            set_null(&field.index)
        ),
        None => String::new(),
    }
}

fn blank(field: &GuardField) -> String {
    format!(
        "NEW.{} := NULL;{}{}",
        field.holder.quoted(),
        set_null(&field.index),
        set_null(&field.next)
    )
}

fn set_null(column: &Option<Ident>) -> String {
    column.as_ref().map_or_else(String::new, |column| {
        format!(" NEW.{} := NULL;", column.quoted())
    })
}

/// The new blind index column changes only with its value: then it is set to NULL. Other changes of
/// it are undone.
fn keep_next(field: &GuardField) -> String {
    field.next.as_ref().map_or_else(String::new, |next| {
        format!(
            "  IF moved OR changed OR {} THEN NEW.{n} := NULL; ELSE NEW.{n} := OLD.{n}; END IF;\n",
            differs([&field.holder]),
            n = next.quoted()
        )
    })
}

pub(super) fn raise(sqlstate: &str, column: &str, message: &str, hint: &str) -> String {
    let option = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!(", {name} = {}", quote::literal(text)),
    };
    format!(
        "RAISE EXCEPTION USING ERRCODE = '{sqlstate}', TABLE = TG_TABLE_NAME{}, MESSAGE = {}{};",
        option("COLUMN", column),
        quote::literal(&format!("phiseal: {message}")),
        option("HINT", hint),
    )
}
