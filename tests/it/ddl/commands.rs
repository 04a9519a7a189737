//! The program's commands between the changes, and what must hold after each of them. Any may refuse.

use super::draw::Draw;
use super::whole::Found;
use super::world::{Done, Fault, World};
use std::collections::BTreeSet;

#[derive(Clone, Copy)]
enum Asks {
    Backfill,
    Verify,
    Rotate,
    Reindex,
    Compromise,
    Suspend,
    Resume,
    Destroy,
    Create,
    Status,
    Plan,
}

impl World {
    /// A command, and the judgement after it.
    pub async fn operator(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let asks = draw.weighted(&[
            (10, Asks::Backfill),
            (4, Asks::Verify),
            (5, Asks::Rotate),
            (1, Asks::Reindex),
            (2, Asks::Compromise),
            (1, Asks::Suspend),
            (2, Asks::Resume),
            (6, Asks::Destroy),
            (1, Asks::Create),
            (1, Asks::Status),
            (1, Asks::Plan),
        ]);
        match asks {
            Asks::Backfill => self.backfill().await,
            Asks::Verify => self.verify().await,
            Asks::Rotate => self.rotate().await,
            Asks::Reindex => {
                self.command(&["rotate", "--purpose", "blind_index", "--grace", "0"])
                    .await?;
                self.judged().await.map(drop)
            }
            Asks::Compromise => self.compromise(draw).await,
            Asks::Suspend => {
                self.of_key("suspend", &["active"], &["suspended"], draw)
                    .await
            }
            Asks::Resume => {
                self.of_key("resume", &["suspended"], &["active"], draw)
                    .await
            }
            Asks::Destroy => self.destroy(draw).await,
            Asks::Create => self.plainly(&["keys", "create"]).await,
            Asks::Status => self.plainly(&["status", "--check"]).await,
            Asks::Plan => self.plainly(&["plan"]).await,
        }
    }

    async fn plainly(&mut self, args: &[&str]) -> Result<(), Fault> {
        self.command(args).await?;
        self.judged().await.map(drop)
    }

    pub async fn backfill(&mut self) -> Result<(), Fault> {
        let done = self.command(&["backfill"]).await?;
        if done.code == 0 || done.code == 6 {
            self.note_labels().await;
        }
        self.sealed_well("backfill", &done).await
    }

    pub async fn verify(&mut self) -> Result<(), Fault> {
        let done = self.command(&["verify"]).await?;
        self.sealed_well("verify", &done).await
    }

    // Exit 0 of these two says that everything in the plan is sealed, and right.
    async fn sealed_well(&mut self, what: &str, done: &Done) -> Result<(), Fault> {
        if done.code == 0 {
            let found = self.look().await;
            let planned = self.planned();
            for kind in [&found.stale, &found.unsealed, &found.index] {
                if let Some(line) = Found::in_tables(kind, &planned).first() {
                    return Err(format!("{what} exits 0, but {line}"));
                }
            }
        }
        self.judged().await.map(drop)
    }

    async fn rotate(&mut self) -> Result<(), Fault> {
        let done = self.command(&["rotate"]).await?;
        let found = self.judged().await?;
        if done.code == 0 && done.json["outcome"] == "complete" {
            let from = done.json["from_key_ids"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let from = from.iter().filter_map(serde_json::Value::as_u64).collect();
            nothing_under("rotate is complete", &from, &found)?;
        }
        Ok(())
    }

    async fn compromise(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let states = ["active", "active", "deactivated", "suspended"];
        let state = *draw.one(&states).expect("states");
        let Some((id, _)) = self.key(&[state], draw).await else {
            return Ok(());
        };
        let key = id.to_string();
        let done = self
            .command(&["keys", "compromise", &key, "--reason", "trial"])
            .await?;
        let status = self.status_of(id).await;
        // A plan that cannot be read names no database.
        if status != "compromised" && done.code != 2 {
            return Err(format!(
                "keys compromise of a key that was {state} exits {}, and the key is {status}",
                done.code
            ));
        }
        let found = self.judged().await?;
        if done.code == 0 && done.json["outcome"] == "complete" {
            nothing_under(
                "keys compromise is complete",
                &[u64::from(id)].into(),
                &found,
            )?;
        }
        Ok(())
    }

    async fn of_key(
        &mut self,
        verb: &str,
        from: &[&str],
        to: &[&str],
        draw: &mut Draw,
    ) -> Result<(), Fault> {
        let Some((id, _)) = self.key(from, draw).await else {
            return Ok(());
        };
        let key = id.to_string();
        let done = self
            .command(&["keys", verb, &key, "--reason", "trial"])
            .await?;
        let status = self.status_of(id).await;
        if done.code == 0 && !to.contains(&status.as_str()) {
            return Err(format!("keys {verb} exits 0, and the key is {status}"));
        }
        self.judged().await.map(drop)
    }

    async fn destroy(&mut self, draw: &mut Draw) -> Result<(), Fault> {
        let mut states = vec!["deactivated", "compromised"];
        if draw.once_in(8) {
            states.extend(["active", "suspended"]);
        }
        let Some((id, before)) = self.key(&states, draw).await else {
            return Ok(());
        };
        let key = id.to_string();
        let args = [
            "keys",
            "destroy",
            &key,
            "--confirm",
            &key,
            "--reason",
            "trial",
        ];
        let done = self.command(&args).await?;
        let status = self.status_of(id).await;
        if (done.code == 0) != (status == "destroyed") {
            return Err(format!(
                "keys destroy of a key that was {before} exits {}, and the key is {status}",
                done.code
            ));
        }
        self.judged().await.map(drop)
    }

    // Keys have random ids: one is chosen by tenant and version.
    async fn key(&self, states: &[&str], draw: &mut Draw) -> Option<(u32, String)> {
        let sql = format!(
            "SELECT key_id, status FROM {} WHERE purpose = 'cell' ORDER BY tenant, version",
            self.source().own("encryption_keys")
        );
        let rows = self.run(&sql).await.unwrap_or_default();
        let keys: Vec<(u32, String)> = rows
            .into_iter()
            .filter_map(|row| Some((row[0].as_deref()?.parse().ok()?, row[1].clone()?)))
            .filter(|(_, status)| states.contains(&status.as_str()))
            .collect();
        draw.one(&keys).cloned()
    }

    async fn status_of(&self, id: u32) -> String {
        let keys = self.source().own("encryption_keys");
        let rows = self
            .run(&format!("SELECT status FROM {keys} WHERE key_id = {id}"))
            .await;
        rows.ok()
            .and_then(|rows| rows.into_iter().next()?.into_iter().next()?)
            .unwrap_or_default()
    }

    /// What holds after every command: no value without its key, none lost, and a stale seal is either told
    /// or mended by the next backfill.
    pub async fn judged(&mut self) -> Result<Found, Fault> {
        let found = self.look().await;
        if let Some(place) = found.dead.first() {
            return Err(format!("a sealed value without its key: {place}"));
        }
        if let Some(line) = found.lost.first() {
            return Err(format!("a value is lost: {line}"));
        }
        let Some(stale) = Found::all(&found.stale).into_iter().next() else {
            return Ok(found);
        };
        // Or it says that the plan cannot be read.
        if [2, 10].contains(&self.command(&["status", "--check"]).await?.code) {
            return Ok(found);
        }
        let done = self.command(&["backfill"]).await?;
        if done.code == 0 {
            self.note_labels().await;
        }
        let after = self.look().await;
        match Found::all(&after.stale).first() {
            Some(still) => Err(format!(
                "status --check exits 0, and the backfill after it {}, but {still}",
                done.code
            )),
            None if after.dead.is_empty() => Ok(after),
            None => Err(format!(
                "after the backfill that mended {stale}, a value has no key"
            )),
        }
    }
}

fn nothing_under(what: &str, keys: &BTreeSet<u64>, found: &Found) -> Result<(), Fault> {
    let left = found
        .under
        .iter()
        .find(|(_, id)| keys.contains(&u64::from(*id)));
    match left {
        Some((table, _)) => Err(format!(
            "{what}, but {table} has values under the key that was left"
        )),
        None => Ok(()),
    }
}
