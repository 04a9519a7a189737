//! What applications do between the commands: plain SQL, and one that seals its values itself.

use super::draw::Draw;
use super::model::Shape;
use super::world::{Fault, Refused, World};
use crate::oracle::{Cell, KeyPart, Keys, blind_index, row_key, seal};
use crate::support::Rows;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One thing that an application does.
#[derive(Clone, Copy)]
enum Does {
    Insert,
    Update,
    Blank,
    Delete,
    Move,
    Seal,
    WriteBack,
}

impl World {
    /// A step of an application.
    pub async fn application(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let holders = self.holders();
        let Some(name) = draw.one(&holders).cloned() else {
            return Ok(());
        };
        let does = draw.weighted(&[
            (5, Does::Insert),
            (8, Does::Update),
            (2, Does::Blank),
            (2, Does::Delete),
            (1, Does::Move),
            (4, Does::Seal),
            (1, Does::WriteBack),
        ]);
        match does {
            Does::Insert => {
                let rows = 1 + draw.below(3);
                let done = self.insert(&name, rows).await;
                self.wrote(&format!("{rows} rows inserted into {name}"), done)
                    .await
            }
            Does::Update | Does::Blank => {
                self.update(&name, draw, matches!(does, Does::Blank)).await
            }
            Does::Delete => {
                let one = "SELECT min(uid) FROM";
                let done = self
                    .run(&format!("DELETE FROM {name} WHERE uid = ({one} {name})"))
                    .await;
                self.wrote(&format!("a row deleted from {name}"), done.map(drop))
                    .await
            }
            Does::Move => self.move_row(&name).await,
            Does::Seal => self.seal_itself(&name, draw).await,
            Does::WriteBack => self.write_back(&name, draw).await,
        }
    }

    /// Inserts rows with new values.
    pub async fn insert(&mut self, name: &str, rows: usize) -> Result<(), Refused> {
        let relation = self.relation(name).expect("a table of the test").clone();
        let bases = relation.shape.bases();
        for _ in 0..rows {
            let uid = self.uid();
            let mut columns = vec!["id".to_owned(), "uid".to_owned()];
            let mut values = vec![uid.to_string(), uid.to_string()];
            match relation.shape {
                Shape::Visits => {
                    columns.push("part".to_owned());
                    values.push(relation.part.to_string());
                }
                Shape::Clinics => {
                    columns.push("clinic".to_owned());
                    values.push(format!("'k{}'", uid % 2));
                }
                Shape::People => {}
            }
            for (base, _) in bases {
                columns.push(relation.plain[base].clone());
                values.push(format!("'{base} {}-{uid}'", self.step));
            }
            let returned: Vec<&str> = bases
                .iter()
                .map(|(b, _)| relation.plain[b].as_str())
                .collect();
            let sql = format!(
                "INSERT INTO {name} ({}) VALUES ({}) RETURNING uid, {}",
                columns.join(", "),
                values.join(", "),
                returned.join(", ")
            );
            let rows = self.run(&sql).await?;
            let bases: Vec<&'static str> = bases.iter().map(|(base, _)| *base).collect();
            self.remember(&bases, rows);
        }
        Ok(())
    }

    // Rows of uid and values, as the database took them.
    fn remember(&mut self, bases: &[&'static str], rows: Rows) {
        for row in rows {
            let uid: i64 = row[0]
                .as_deref()
                .and_then(|t| t.parse().ok())
                .expect("a uid");
            for (base, value) in bases.iter().zip(&row[1..]) {
                self.truth.insert((uid, base), value.clone());
            }
        }
    }

    async fn update(&mut self, name: &str, draw: &mut Draw, blank: bool) -> Result<(), Fault> {
        let relation = self.relation(name).expect("a table of the test").clone();
        let (base, _) = *draw.one(relation.shape.bases()).expect("columns");
        let column = &relation.plain[base];
        let rest = draw.below(3);
        let value = if blank {
            "NULL".to_owned()
        } else {
            format!("'{base} {}-' || uid", self.step)
        };
        let sql = format!(
            "UPDATE {name} SET {column} = {value} WHERE uid % 3 = {rest} RETURNING uid, {column}"
        );
        let done = self.run(&sql).await;
        let what = format!(
            "{column} of {name} updated{}",
            if blank { " to NULL" } else { "" }
        );
        let done = done.map(|rows| self.remember(&[base], rows));
        self.wrote(&what, done).await
    }

    // The key of a row whose values are all there in plaintext: nothing in place.
    async fn move_row(&mut self, name: &str) -> Result<(), Fault> {
        let relation = self.relation(name).expect("a table of the test").clone();
        if relation.shape != Shape::Clinics {
            return Ok(());
        }
        let column = &relation.plain["v"];
        let uid = self.uid();
        let sql = format!(
            "UPDATE {name} SET id = {uid} WHERE uid = (SELECT min(uid) FROM {name} WHERE {column} IS NOT NULL)"
        );
        let done = self.run(&sql).await.map(drop);
        self.wrote(&format!("a row of {name} got another key"), done)
            .await
    }

    // As an ORM does that writes every column back.
    async fn write_back(&mut self, name: &str, draw: &mut Draw) -> Result<(), Fault> {
        let relation = self.relation(name).expect("a table of the test").clone();
        let (base, beside) = *draw.one(relation.shape.bases()).expect("columns");
        if !beside {
            return Ok(());
        }
        let (plain, sealed) = (&relation.plain[base], &relation.sealed[base]);
        if !self.has(name, sealed).await {
            return Ok(());
        }
        let sql = format!(
            "UPDATE {name} SET {plain} = '{base} {}-' || uid, {sealed} = {sealed}
             WHERE uid % 2 = 1 RETURNING uid, {plain}",
            self.step
        );
        let done = self.run(&sql).await;
        let done = done.map(|rows| self.remember(&[base], rows));
        self.wrote(
            &format!("{plain} of {name} updated, its seal written back"),
            done,
        )
        .await
    }

    /// Seals the value of one row under the active key, as a trusted application.
    async fn seal_itself(&mut self, name: &str, draw: &mut Draw) -> Result<(), Fault> {
        let relation = self.relation(name).expect("a table of the test").clone();
        let (base, beside) = *draw.one(relation.shape.bases()).expect("columns");
        let Some(label) = relation.labels.first().cloned() else {
            return Ok(());
        };
        if beside && !self.has(name, &relation.sealed[base]).await {
            return Ok(());
        }
        let keys = self.keys().await;
        let Some(field) = keys
            .fields
            .iter()
            .find(|f| f.table_label == label && f.column_label.starts_with(base))
            .cloned()
        else {
            return Ok(());
        };
        let uids = self.run(&format!("SELECT max(uid) FROM {name}")).await;
        let uid = uids
            .ok()
            .and_then(|rows| rows[0][0].clone()?.parse::<i64>().ok());
        let Some(uid) = uid else { return Ok(()) };
        let key = format!(
            "SELECT id, {}, {} FROM {name} WHERE uid = {uid}",
            if relation.shape == Shape::Visits {
                "part"
            } else {
                "0"
            },
            if relation.shape == Shape::Clinics {
                "clinic"
            } else {
                "''"
            },
        );
        let rows = self.run(&key).await.unwrap_or_default();
        let Some([Some(id), Some(part), Some(tenant)]) = rows.first().map(Vec::as_slice) else {
            return Ok(());
        };
        let mut parts = vec![KeyPart::Int(id.parse().unwrap())];
        if relation.shape == Shape::Visits {
            parts.push(KeyPart::Int(part.parse().unwrap()));
        }
        let row_key = row_key(&parts);
        let cell = Cell {
            tenant,
            table: &label,
            column: &field.column_label,
            row_key: &row_key,
        };
        let value = format!("{base} {}-{uid}", self.step);
        let Some(envelope) = sealed_value(&keys, &cell, &value, draw) else {
            return Ok(());
        };
        let mut sets = Vec::new();
        if beside {
            sets.push(format!(
                "{} = {}",
                relation.sealed[base],
                self.bytes(&envelope)
            ));
            sets.push(format!("{} = NULL", relation.plain[base]));
        } else {
            let text = URL_SAFE_NO_PAD.encode(&envelope);
            sets.push(format!("{} = 'ps1.{text}'", relation.plain[base]));
        }
        if field.blind_index.is_some() {
            let index = keys
                .blind_index_keys(tenant)
                .first()
                .and_then(|key| blind_index(key, &cell, "digits", 128, &value));
            let index = index.map_or("NULL".to_owned(), |index| self.bytes(&index));
            sets.push(format!("ssn_bidx = {index}"));
        }
        let sql = format!("UPDATE {name} SET {} WHERE uid = {uid}", sets.join(", "));
        let done = self.run(&self.trusted(&sql)).await.map(drop);
        let done = done.map(|()| drop(self.truth.insert((uid, base), Some(value))));
        self.wrote(
            &format!("a value of {base} of {name} sealed by the application"),
            done,
        )
        .await
    }

    async fn has(&self, name: &str, column: &str) -> bool {
        self.run(&format!("SELECT {column} FROM {name} WHERE uid IS NULL"))
            .await
            .is_ok()
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        let digits = hex::encode(bytes);
        match self.is_postgres() {
            true => format!("'\\x{digits}'::bytea"),
            false => format!("x'{digits}'"),
        }
    }

    fn trusted(&self, sql: &str) -> String {
        match self.is_postgres() {
            true => format!("BEGIN; SET LOCAL phiseal.sealer = 'on'; {sql}; COMMIT"),
            false => format!(
                "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; INSERT INTO phiseal_mark (mark) VALUES ('sealer'); {sql};
                 DELETE FROM phiseal_mark; COMMIT"
            ),
        }
    }

    /// Notes a step of an application. One that fails for a reason other than the guard's or the table's
    /// own must show at `status --check`.
    async fn wrote(&mut self, what: &str, done: Result<(), Refused>) -> Result<(), Fault> {
        let Err(refused) = done else {
            self.history.push(what.to_owned());
            return Ok(());
        };
        self.history
            .push(format!("{what}: refused ({})", refused.state));
        let expected = match self.is_postgres() {
            true => {
                let own = refused.context.contains("norm_");
                own || refused.state.starts_with("PS") || refused.state.starts_with("23")
            }
            // RAISE(ABORT), and constraints.
            false => refused.message.contains("phiseal") || refused.message.contains("constraint"),
        };
        if expected || self.command(&["status", "--check"]).await?.code == 10 {
            return Ok(());
        }
        Err(format!(
            "an application's statement fails ({}), and status --check exits 0",
            refused.state
        ))
    }
}

fn sealed_value(keys: &Keys, cell: &Cell<'_>, value: &str, draw: &mut Draw) -> Option<Vec<u8>> {
    let (id, key) = keys
        .keys
        .iter()
        .find(|(_, k)| k.purpose == "cell" && k.status == "active" && k.tenant == cell.tenant)?;
    let mut nonce = [0; 12];
    nonce.fill_with(|| u8::try_from(draw.below(256)).unwrap());
    Some(seal(
        cell,
        key.key.as_ref()?,
        *id,
        nonce,
        value.as_bytes(),
        0,
    ))
}
