//! Tests of what the guard allows under the engine's mark, of sealed values that are changed alone,
//! and of indexes that a sealer does not write.

use super::{ROW_1, ROW_2, SEAL_1B, beside, leaves, state};
use crate::store::Catalog;
use crate::store::UntrustedSeal;
use crate::store::change::Change;
use crate::store::sqlite::fixture::{ident, marked, table, with};

/// The engine's mark allows one kind of change of one table; the guard treats other changes as
/// without a mark.
#[tokio::test]
async fn the_engine_passes_with_the_change_that_it_marked_and_no_other() {
    const SEALED: &str = "1 'abc' 00 01";
    const SEAL: &str = "UPDATE t SET ssn_sealed = x'00' WHERE id = 1";
    const CLEAR: &str = "UPDATE t SET ssn = NULL WHERE id = 1";
    const WRITE: &str = "UPDATE t SET ssn = 'q' WHERE id = 1";
    for (change, label, sql, expected) in [
        (Change::Seal, "t", SEAL, SEALED),
        (
            Change::Seal,
            "t",
            "UPDATE t SET ssn_sealed = x'00', ssn = 'q' WHERE id = 1",
            "1 'q' - -",
        ),
        (
            Change::Seal,
            "t",
            "UPDATE t SET ssn_sealed = x'00', clinic = 'q' WHERE id = 1",
            "1 'abc' - -",
        ),
        (Change::Seal, "u", SEAL, ROW_1),
        (
            Change::Restore,
            "t",
            "UPDATE t SET ssn = 'q' WHERE id = 2",
            "2 'q' e70100000001aa 02",
        ),
        (Change::Restore, "t", WRITE, "1 'q' - -"),
        (Change::Restore, "t", SEAL, ROW_1),
        (Change::Clear, "t", CLEAR, "1 NULL e70100000001aa 01"),
        (Change::Clear, "t", WRITE, "1 'q' - -"),
        (Change::Clear, "u", CLEAR, "1 NULL - -"),
    ] {
        for recursive in [false, true] {
            let mut fixture = beside(recursive).await;
            let marked = marked(change, label);
            let sql = format!("{marked}; {sql}; DELETE FROM phiseal_guard_mark");
            fixture.exec(&sql).await.unwrap();
            let state = state(&mut fixture).await;
            assert!(state.iter().any(|row| row == expected), "{sql}: {state:?}");
        }
    }
}

/// Under the engine's mark, what a trigger writes into another guarded table is not treated as the
/// engine's or the guard's write.
#[tokio::test]
async fn what_a_trigger_writes_into_another_guarded_table_is_no_work_of_the_engine() {
    for recursive in [false, true] {
        let mut fixture = beside(recursive).await;
        fixture
            .exec("CREATE TABLE other (id INTEGER PRIMARY KEY, v TEXT)")
            .await
            .unwrap();
        let other = with(table("other", &["id"]), "v", "TEXT", true);
        fixture.store.prepare(&other).await.unwrap();
        let rows = "INSERT INTO other VALUES (1, 'x', x'01'), (2, 'x', x'02')";
        fixture.unguarded(rows).await;
        fixture
            .exec("CREATE TRIGGER copies AFTER UPDATE ON t BEGIN UPDATE other SET v = nullif('was ' || NEW.ssn, 'was abc') WHERE id = NEW.id; END")
            .await
            .unwrap();
        let sql = format!(
            "{}; UPDATE t SET ssn_sealed = x'00' WHERE id = 1; DELETE FROM phiseal_guard_mark; \
             UPDATE t SET ssn = 'y' WHERE id = 2",
            marked(Change::Seal, "t")
        );
        fixture.exec(&sql).await.unwrap();
        let seals = "SELECT quote(v) || quote(v_sealed) FROM other";
        assert_eq!(
            fixture.rows(seals).await,
            ["NULLNULL", "'was y'NULL"],
            "{recursive}"
        );
    }
}

/// By default an untrusted change of a sealed value alone is refused, with a code of its own. A
/// change of the plaintext too is not refused, and blanks the sealed value.
#[tokio::test]
async fn an_untrusted_change_of_the_seal_alone_is_refused_unless_the_plan_says_otherwise() {
    let mut fixture = beside(false).await;
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.tenant = Some(ident("clinic"));
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.on_untrusted_seal = Some(UntrustedSeal::Refuse);
    fixture.store.prepare(&table).await.unwrap();
    for change in [
        "ssn_sealed = NULL",
        "ssn_bidx = x'ff'",
        "ssn_sealed = x'00', other = 'p'",
    ] {
        let refused = fixture.exec(&format!("UPDATE t SET {change}")).await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("phiseal PS006: "), "{change}: {said}");
    }
    fixture
        .exec("UPDATE t SET ssn = 'new', ssn_sealed = x'00' WHERE id = 1; UPDATE t SET ssn_sealed = ssn_sealed, other = 'p'")
        .await
        .unwrap();
    assert_eq!(state(&mut fixture).await, ["1 'new' - -", ROW_2]);
    // A table without the setting leaves the guard's behaviour as it is.
    table.on_untrusted_seal = None;
    assert!(fixture.store.ddl(&table).await.unwrap().is_empty());
    table.on_untrusted_seal = Some(UntrustedSeal::Undo);
    fixture.store.prepare(&table).await.unwrap();
    table.on_untrusted_seal = None;
    assert!(fixture.store.ddl(&table).await.unwrap().is_empty());
    fixture
        .exec("UPDATE t SET ssn_sealed = NULL")
        .await
        .unwrap();
    assert_eq!(state(&mut fixture).await, ["1 'new' - -", ROW_2]);
}

/// If a sealer writes a value without its index, the old index is removed, since it belongs to the
/// old value. If it writes the index, equal or not, the index stays.
#[tokio::test]
async fn a_sealer_that_names_the_value_and_not_its_index_leaves_none() {
    for (set, index) in [
        (format!("ssn = 'n', ssn_sealed = {SEAL_1B}"), "-"),
        (
            format!("ssn = 'n', ssn_sealed = {SEAL_1B}, ssn_bidx = x'01'"),
            "01",
        ),
        (
            format!("ssn = 'n', ssn_bidx = x'01', ssn_sealed = {SEAL_1B}"),
            "01",
        ),
        (
            format!("ssn = 'n', ssn_sealed = {SEAL_1B}, ssn_bidx = x'07'"),
            "07",
        ),
        (
            format!("ssn = 'n', ssn_sealed = {SEAL_1B}, ssn_bidx = NULL"),
            "-",
        ),
    ] {
        let row = format!("1 'n' e70200000001bb {index}");
        // An earlier statement must have no effect on the next one.
        let sql = format!(
            "UPDATE t SET ssn_bidx = ssn_bidx WHERE id = 1; UPDATE t SET {set} WHERE id = 1"
        );
        leaves(true, &sql, &[&row, ROW_2]).await;
    }
}
