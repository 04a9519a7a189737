//! Keys of tenants, blind indexes, padding, and the two forms of a sealed column.

use super::beside;
use crate::support::Fixture;
use std::collections::BTreeMap;

#[tokio::test]
async fn each_tenant_gets_its_own_keys_and_a_row_without_a_tenant_is_quarantined() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, clinic text, ssn text);
        INSERT INTO t SELECT i, 'k' || i % 3, '123-45-' || i FROM generate_series(1, 90) i;
        INSERT INTO t VALUES (91, NULL, 'x'), (92, '', 'y'), (93, 'k0', NULL);
        CREATE TABLE saved AS TABLE t;";
    let plan = "[[table]]\nname = \"public.t\"\ntenant_column = \"clinic\"\n\
        [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 128 }\n";
    let fixture = Fixture::postgres("tenants", sql, plan).await;
    let done = fixture.json_code(&["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&90.into(), &2.into())
    );
    let left = "SELECT count(*) FROM t WHERE id > 90 AND ssn_sealed IS NULL AND ssn_bidx IS NULL";
    assert_eq!(fixture.db().count(left).await, 3);
    fixture
        .db()
        .exec("DELETE FROM t WHERE id IN (91, 92); DELETE FROM saved WHERE id IN (91, 92)")
        .await;
    assert_eq!(
        fixture.expect_sealed("public.t", &["ssn"], "saved").await,
        90
    );
    let keys = fixture.keys().await;
    let mut active: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys
        .keys
        .values()
        .filter(|k| !k.tenant.is_empty() && k.status == "active")
    {
        *active.entry(&key.tenant).or_default() += 1;
    }
    assert_eq!(active, BTreeMap::from([("k0", 2), ("k1", 2), ("k2", 2)]));
    let ids = "SELECT count(DISTINCT substr(ssn_sealed, 3, 4)) FROM t";
    assert_eq!(fixture.db().count(ids).await, 3);
    fixture.json(&["quarantine", "retry"]).await;
    // A row moved to another tenant loses its seal and gets one under the other's key.
    fixture
        .db()
        .exec(
            "UPDATE t SET clinic = 'k9' WHERE id = 3; UPDATE saved SET clinic = 'k9' WHERE id = 3",
        )
        .await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_sealed"], 1);
    assert_eq!(
        fixture.expect_sealed("public.t", &["ssn"], "saved").await,
        90
    );
    assert_eq!(fixture.db().count(ids).await, 4);
}

#[tokio::test]
async fn blind_indexes_of_every_normaliser_and_width_are_what_the_format_says() {
    let names = ["exact", "trim", "caseless", "alnum", "digits"];
    let columns: Vec<String> = names.iter().map(|n| format!("{n} text")).collect();
    let values =
        "(VALUES ('  Straße 12 '), ('STRASSE 12'), (E'\\u00a0O''Brien-7\\t'), ('ﬁ ① ٣'), (''),
        ('---'), ('İstanbul'), ('é'), (E'e\\u0301'), ('123-45-6789'), ('1'), ('a2'), ('b3'), ('c4'),
        ('d5'), ('e6'), ('f7'), ('g8'), ('h9'), ('i10'), ('j11'), ('k12'), (NULL)) AS v(x)";
    let sql = format!(
        "CREATE TABLE t (id serial PRIMARY KEY, {});
         INSERT INTO t (exact, trim, caseless, alnum, digits) SELECT x, x, x, x, x FROM {values};
         CREATE TABLE saved AS TABLE t;",
        columns.join(", ")
    );
    let mut plan = "[[table]]\nname = \"public.t\"\n".to_owned();
    for (name, bits) in names.iter().zip([256, 128, 64, 33, 12]) {
        plan.push_str(&format!(
            "[[table.column]]\nname = \"{name}\"\nseal_into = \"{name}_s\"\n\
             blind_index = {{ column = \"{name}_b\", normalise = \"{name}\", bits = {bits} }}\n"
        ));
    }
    let fixture = Fixture::postgres("indexes", &sql, &plan).await;
    fixture.json(&["backfill"]).await;
    // The oracle makes each index again.
    assert_eq!(
        fixture.expect_sealed("public.t", &names, "saved").await,
        22 * 5
    );
    for (name, bytes) in names.iter().zip([32, 16, 8, 5, 2]) {
        let length = format!("SELECT count(*) FROM t WHERE octet_length({name}_b) <> {bytes}");
        assert_eq!(fixture.db().count(&length).await, 0, "{name}");
        let nothing = format!("SELECT count(*) FROM t WHERE {name}_b IS NULL AND {name} = '---'");
        let expected = i64::from(matches!(*name, "alnum" | "digits"));
        assert_eq!(fixture.db().count(&nothing).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_duplicate_in_a_unique_index_is_one_row_in_quarantine() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, mail text, note text);
        INSERT INTO t SELECT i, 'm' || i || '@x.org', 'n' FROM generate_series(1, 400) i;
        UPDATE t SET mail = 'M7@X.ORG' WHERE id = 300;";
    let plan = "[[table]]\nname = \"public.t\"\n[[table.column]]\nname = \"mail\"\n\
        seal_into = \"mail_sealed\"\n\
        blind_index = { column = \"mail_bidx\", normalise = \"caseless\", bits = 256, unique = true }\n";
    let fixture = Fixture::postgres("unique", sql, plan).await;
    let done = fixture.json_code(&["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&399.into(), &1.into()),
        "{done}"
    );
    let left = "SELECT string_agg(id::text, ',') FROM t WHERE mail_sealed IS NULL";
    assert!(matches!(
        fixture.db().scalar(left).await.as_deref(),
        Some("7" | "300")
    ));
    // Mended by the operator and tried again.
    fixture
        .db()
        .exec("UPDATE t SET mail = 'other@x.org' WHERE mail_sealed IS NULL")
        .await;
    fixture.json(&["quarantine", "retry"]).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(done["rows_sealed"], 1);
    assert_eq!(fixture.expect_sealed("public.t", &["mail"], "t").await, 400);
}

#[tokio::test]
async fn padding_hides_lengths_and_a_text_column_holds_the_text_form() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c bytea, b_sealed text, c_sealed text);
        INSERT INTO t SELECT i, repeat('x', i), repeat('é', i), decode(repeat('ff', i), 'hex')
            FROM generate_series(0, 70) i;
        CREATE TABLE saved AS TABLE t;";
    let plan = beside("public.t", &["a", "b", "c"]).replacen(
        "\"a_sealed\"\n",
        "\"a_sealed\"\npad_to = 32\n",
        1,
    );
    let plan = plan.replacen("\"c_sealed\"\n", "\"c_sealed\"\npad_to = 1\n", 1);
    let fixture = Fixture::postgres("forms", sql, &plan).await;
    fixture.json(&["backfill"]).await;
    assert_eq!(
        fixture
            .expect_sealed("public.t", &["a", "b", "c"], "saved")
            .await,
        71 * 3
    );
    let lengths = "SELECT count(DISTINCT octet_length(a_sealed)) FROM t";
    assert_eq!(fixture.db().count(lengths).await, 3); // 1 to 32, 33 to 64, 65 to 71 bytes with the 0x80
    let text = "SELECT count(*) FROM t WHERE b_sealed ~ '^ps1.5w[EF]' AND c_sealed ~ '^ps1.5w[IJ]'";
    assert_eq!(fixture.db().count(text).await, 71);
    assert_eq!(fixture.json(&["verify"]).await["values_verified"], 71 * 3);
    assert_eq!(fixture.json(&["backfill"]).await["rows_found"], 0);
}
