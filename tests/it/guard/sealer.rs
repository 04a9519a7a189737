//! Writers that seal values themselves, and rows whose plaintext is gone.

use super::{TABLE, all_sealed, blank, no_stale_seal, people, sealed_ssn};
use crate::oracle::{FieldCheck, NonceLedger};
use crate::support::{Fixture, marked};

fn trusted(sql: &str) -> String {
    format!("BEGIN; SET LOCAL phiseal.sealer = 'on'; {sql}; COMMIT")
}

async fn is_refused(fixture: &Fixture, sql: &str) {
    let before = fixture.db().rows("SELECT * FROM people ORDER BY id").await;
    let said = fixture.refusal(sql).await;
    let said = said.unwrap_or_else(|| panic!("{sql}: went through"));
    assert!(said.contains("phiseal"), "{sql}: {said}");
    assert!(!said.contains("0000000"), "a value in {said}");
    let after = fixture.db().rows("SELECT * FROM people ORDER BY id").await;
    assert!(before == after, "{sql}: changed something");
}

#[tokio::test]
async fn a_trusted_seal_is_kept_under_an_active_key_only() {
    let fixture = people("guard_sealer").await;
    let seal = sealed_ssn(&fixture, 1, "k1", "new").await;
    let set = |s: &str| {
        trusted(&format!(
            "UPDATE people SET ssn = 'new', ssn_sealed = {s} WHERE id = 1"
        ))
    };
    fixture.exec(&set(&seal)).await;
    assert_eq!(blank(&fixture, "ssn_sealed").await, "");
    // The blind index it left alone would be that of the old plaintext.
    assert_eq!(blank(&fixture, "ssn_bidx").await, "1");
    fixture
        .exec(&trusted("UPDATE people SET ssn = ssn || '' WHERE id = 1"))
        .await;
    let stored = "SELECT (ssn_sealed IS NOT NULL)::text FROM people WHERE id = 1";
    assert_eq!(fixture.scalar(stored).await.as_deref(), Some("true"));
    // Sealed while the key was active, and on its way when that ended.
    let seal = sealed_ssn(&fixture, 1, "k1", "newer").await;
    for status in ["deactivated", "compromised"] {
        fixture
            .exec(&format!(
                "UPDATE phiseal.encryption_keys SET status = '{status}' WHERE tenant = 'k1' AND purpose = 'cell'"
            ))
            .await;
        is_refused(&fixture, &set(&seal)).await;
        let insert = format!(
            "INSERT INTO people (id, clinic, ssn, ssn_sealed) VALUES (500, 'k1', 'x', {seal})"
        );
        is_refused(&fixture, &trusted(&insert)).await;
    }
    // An unknown key, another tenant's, and no envelope at all.
    let other = sealed_ssn(&fixture, 1, "k0", "new").await;
    for seal in [
        "'\\xe70100000001aabb'::bytea",
        &other,
        "'\\x'::bytea",
        "'\\x00'::bytea",
    ] {
        is_refused(&fixture, &set(seal)).await;
    }
}

#[tokio::test]
async fn a_trusted_seal_without_its_plaintext_clears_it_and_nothing_is_lost() {
    let fixture = people("guard_clears").await;
    let seal = sealed_ssn(&fixture, 2, "k0", "sealed by itself").await;
    fixture
        .exec(&trusted(&format!(
            "UPDATE people SET ssn_sealed = {seal} WHERE id = 2"
        )))
        .await;
    let gone = "SELECT count(*) FROM people WHERE ssn IS NULL AND ssn_sealed IS NOT NULL";
    assert_eq!(fixture.db().count(gone).await, 1);
    // The seal taken away while its plaintext stands: that stays, and is sealed again.
    fixture
        .exec(&trusted(
            "UPDATE people SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 3",
        ))
        .await;
    // An index written alone says nothing of the seal.
    fixture
        .exec(&trusted("UPDATE people SET ssn_bidx = NULL WHERE id = 4"))
        .await;
    let kept = "SELECT string_agg(ssn, ' ' ORDER BY id) FROM people WHERE id IN (3, 4)";
    let kept = fixture.scalar(kept).await;
    assert_eq!(kept.as_deref(), Some("000000003 000000004"));
    fixture
        .exec("UPDATE people SET ssn = ssn || '1' WHERE id = 4")
        .await;
    let insert = sealed_ssn(&fixture, 60, "k0", "never in plaintext").await;
    fixture
        .exec(&trusted(&format!(
            "INSERT INTO people (id, clinic, ssn_sealed) VALUES (60, 'k0', {insert})"
        )))
        .await;
    fixture.backfill().await;
    let keys = fixture.keys().await;
    let check = FieldCheck {
        field: keys.field(TABLE, "name"),
        plaintext: None,
    };
    let checked = keys
        .check(fixture.source(), &check, &mut NonceLedger::default())
        .await;
    assert!(checked.faults.is_empty(), "{:#?}", checked.faults);
    fixture.exec("DELETE FROM people WHERE ssn IS NULL").await;
    all_sealed(&fixture).await;
    assert_eq!(fixture.db().count("SELECT count(*) FROM people").await, 39);
}

#[tokio::test]
async fn untrusted_writers_lose_no_value_whose_plaintext_is_gone() {
    let fixture = people("guard_gone").await;
    fixture
        .exec(&marked(
            "clear",
            TABLE,
            "UPDATE people SET ssn = NULL WHERE id IN (5, 6)",
        ))
        .await;
    let sealed =
        "SELECT md5(string_agg(ssn_sealed::text, '' ORDER BY id)) FROM people WHERE id IN (5, 6)";
    let before = fixture.scalar(sealed).await;
    for sql in [
        "UPDATE people SET id = 205 WHERE id = 5",
        "UPDATE people SET clinic = 'k3' WHERE id = 5",
        "BEGIN; SET LOCAL session_replication_role = replica; UPDATE people SET id = 205 WHERE id = 5; COMMIT",
        "INSERT INTO people (id, clinic, ssn_sealed) SELECT 300, clinic, ssn_sealed FROM people WHERE id = 5",
    ] {
        is_refused(&fixture, sql).await;
    }
    fixture
        .exec("UPDATE people SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 5;
             UPDATE people SET ssn_sealed = (SELECT ssn_sealed FROM people WHERE id = 7) WHERE id = 6;
             UPDATE people SET name = 'other' WHERE id = 6")
        .await;
    assert_eq!(fixture.scalar(sealed).await, before);
    // A new plaintext is the last word.
    fixture
        .exec("UPDATE people SET ssn = 'new' WHERE id IN (5, 6)")
        .await;
    no_stale_seal(&fixture, "a new plaintext").await;
    all_sealed(&fixture).await;
}
