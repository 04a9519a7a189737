//! Our tables in SQLite: each refusal of their triggers and unique indexes.

use super::*;

const STATUSES: [&str; 6] = [
    "pre_active",
    "active",
    "suspended",
    "deactivated",
    "compromised",
    "destroyed",
];

/// NIST SP 800-57 Part 1, written down a second time.
const LEGAL: [(&str, &str); 12] = [
    ("pre_active", "active"),
    ("pre_active", "destroyed"),
    ("pre_active", "compromised"),
    ("active", "suspended"),
    ("active", "deactivated"),
    ("active", "compromised"),
    ("suspended", "active"),
    ("suspended", "deactivated"),
    ("suspended", "compromised"),
    ("deactivated", "compromised"),
    ("deactivated", "destroyed"),
    ("compromised", "destroyed"),
];

/// SQLITE_CONSTRAINT_TRIGGER: one of our triggers refused.
const REFUSED: &str = "1811";

#[tokio::test]
async fn every_change_of_key_status_is_legal_or_refused() {
    let mut conn = migrated().await;
    let mut id = 0;
    for from in STATUSES {
        for to in STATUSES {
            id += 1;
            key_at(&mut conn, id, from).await;
            let expected = match from == to || LEGAL.contains(&(from, to)) {
                true => Ok(1),
                false => Err(REFUSED.to_owned()),
            };
            // Kept on the way out of `destroyed`, so that the status alone is to blame.
            let statement = match from {
                "destroyed" => format!(
                    "UPDATE phiseal_encryption_keys SET status = '{to}' WHERE key_id = {id}"
                ),
                _ => to_status(id, to),
            };
            assert_eq!(run(&mut conn, statement).await, expected, "{from} to {to}");
            // Makes room for the next active key of the same tenant and purpose.
            run(
                &mut conn,
                "UPDATE phiseal_encryption_keys SET status = 'deactivated' WHERE status = 'active'",
            )
            .await
            .unwrap();
        }
    }
}

#[tokio::test]
async fn each_change_of_status_is_stamped_once_by_the_database() {
    let mut conn = migrated().await;
    run(&mut conn, new_key(1, "active")).await.unwrap();
    for status in [
        "suspended",
        "active",
        "deactivated",
        "compromised",
        "destroyed",
    ] {
        run(&mut conn, to_status(1, status)).await.unwrap();
        let stamps: String = one(
            &mut conn,
            "SELECT concat_ws(' ', iif(activated_at IS NULL, NULL, 'a'),
                 iif(deactivated_at IS NULL, NULL, 'd'), iif(compromised_at IS NULL, NULL, 'c'),
                 iif(destroyed_at IS NULL, NULL, 'x')) FROM phiseal_encryption_keys",
        )
        .await;
        let expected = match status {
            "deactivated" => "a d",
            "compromised" => "a d c",
            "destroyed" => "a d c x",
            _ => "a",
        };
        assert_eq!(stamps, expected, "after {status}");
    }
    for column in [
        "activated_at",
        "deactivated_at",
        "compromised_at",
        "destroyed_at",
    ] {
        let forged = format!("UPDATE phiseal_encryption_keys SET {column} = '1999'");
        assert_eq!(
            run(&mut conn, forged).await,
            Err(REFUSED.to_owned()),
            "{column}"
        );
    }
    run(&mut conn, new_key(2, "pre_active")).await.unwrap();
    let forged = "UPDATE phiseal_encryption_keys SET status = 'active', activated_at = '1999'
                  WHERE key_id = 2";
    assert_eq!(run(&mut conn, forged).await, Err(REFUSED.to_owned()));
}

#[tokio::test]
async fn a_key_keeps_its_identity_and_its_blob_until_destroyed() {
    let mut conn = migrated().await;
    run(&mut conn, new_key(1, "active")).await.unwrap();
    for change in [
        "key_id = 9",
        "tenant = 'x'",
        "purpose = 'blind_index'",
        "version = 9",
        "check_value = x'ff'",
        "created_at = '1999'",
        "created_by = 'x'",
        "wrapped_key = NULL",
        "status = 'destroyed'",
    ] {
        let statement = format!("UPDATE phiseal_encryption_keys SET {change}");
        assert_eq!(
            run(&mut conn, statement).await,
            Err(REFUSED.to_owned()),
            "{change}"
        );
    }
    let rewrap = "UPDATE phiseal_encryption_keys SET wrapped_key = x'e8', kek_ref = 'wk:1'";
    assert_eq!(run(&mut conn, rewrap).await, Ok(1));
    for status in ["deactivated", "destroyed"] {
        run(&mut conn, to_status(1, status)).await.unwrap();
    }
    assert_eq!(run(&mut conn, rewrap).await, Err(REFUSED.to_owned()));
}

#[tokio::test]
async fn a_key_is_born_pre_active_or_active_and_never_replaces_another() {
    let mut conn = migrated().await;
    for status in &STATUSES[2..] {
        assert_eq!(
            run(&mut conn, new_key(1, status)).await,
            Err(REFUSED.to_owned())
        );
    }
    run(&mut conn, new_key(1, "active")).await.unwrap();
    run(&mut conn, new_key(2, "pre_active")).await.unwrap();
    assert_eq!(
        run(&mut conn, new_key(3, "active")).await,
        Err(REFUSED.to_owned())
    );
    let over = new_key(1, "pre_active").replace("INSERT", "INSERT OR REPLACE");
    assert_eq!(run(&mut conn, over).await, Err(REFUSED.to_owned()));
    let over = to_status(2, "active").replace("UPDATE", "UPDATE OR REPLACE");
    assert_eq!(run(&mut conn, over).await, Err(REFUSED.to_owned()));
    assert_eq!(
        run(&mut conn, "DELETE FROM phiseal_encryption_keys").await,
        Err(REFUSED.to_owned())
    );
    let keys: i64 = one(&mut conn, "SELECT count(*) FROM phiseal_encryption_keys").await;
    assert_eq!(keys, 2);
}

#[tokio::test]
async fn rotation_history_is_never_deleted_nor_changed_once_finished() {
    let mut conn = migrated().await;
    rotated(&mut conn).await;
    let refused = Err(REFUSED.to_owned());
    let table = "phiseal_key_rotation_history";
    let counts = format!("UPDATE {table} SET rows_found = 7, run_id = 1");
    assert_eq!(run(&mut conn, counts.clone()).await, Ok(1));
    for change in [
        "from_key_id = 2",
        "reason = 'x'",
        "actor = 'x'",
        "started_at = '1999'",
        "run_id = 2",
    ] {
        let statement = format!("UPDATE {table} SET {change}");
        assert_eq!(run(&mut conn, statement).await, refused, "{change}");
    }
    let finish = format!(
        "UPDATE {table} SET finished_at = '2026-01-01T00:00:00.000Z', outcome = 'complete'"
    );
    assert_eq!(run(&mut conn, finish).await, Ok(1));
    assert_eq!(run(&mut conn, counts).await, refused);
    assert_eq!(
        run(&mut conn, format!("DELETE FROM {table}")).await,
        refused
    );
    let over = format!(
        "INSERT OR REPLACE INTO {table} (history_id, from_key_id, to_key_id, reason, actor)
         VALUES (1, 1, 2, 'x', 'x')"
    );
    assert_eq!(run(&mut conn, over).await, refused);
}

#[tokio::test]
async fn labels_are_never_changed_or_freed_nor_the_row_key_of_a_sealed_field() {
    let mut conn = migrated().await;
    run(&mut conn, new_field("declared")).await.unwrap();
    let table = "phiseal_encrypted_field_metadata";
    let refused = Err(REFUSED.to_owned());
    let retype = format!("UPDATE {table} SET key_types = '[\"t\"]'");
    assert_eq!(run(&mut conn, retype.clone()).await, Ok(1));
    run(&mut conn, format!("UPDATE {table} SET state = 'sealing'"))
        .await
        .unwrap();
    let statements = [
        retype.replace("\"t\"", "\"u\""),
        format!("UPDATE {table} SET column_label = 'x'"),
        format!("UPDATE {table} SET table_label = 'x'"),
        format!("DELETE FROM {table}"),
    ];
    for statement in statements {
        assert_eq!(
            run(&mut conn, statement.clone()).await,
            refused,
            "{statement}"
        );
    }
    let renamed = format!("UPDATE {table} SET column_name = 'social', key_columns = '[\"pid\"]'");
    assert_eq!(run(&mut conn, renamed).await, Ok(1));
}

#[tokio::test]
async fn the_audit_log_only_grows_and_its_head_stays() {
    let mut conn = migrated().await;
    run(&mut conn, new_entry("'2026-01-01T00:00:00.000Z'"))
        .await
        .unwrap();
    for statement in [
        "UPDATE phiseal_audit_log SET actor = 'x'",
        "DELETE FROM phiseal_audit_log",
        "DELETE FROM phiseal_audit_head",
        "INSERT OR REPLACE INTO phiseal_audit_log (entry_id, actor, action, subject, prev_mac, mac)
         VALUES (1, 'x', 'x', '{}', x'', x'')",
    ] {
        assert_eq!(
            run(&mut conn, statement).await,
            Err(REFUSED.to_owned()),
            "{statement}"
        );
    }
    assert_eq!(
        run(
            &mut conn,
            "UPDATE phiseal_audit_head SET entry_id = 1, mac = x'01'"
        )
        .await,
        Ok(1)
    );
}

#[tokio::test]
async fn one_unfinished_run_a_table_and_one_unresolved_quarantine_row_a_cell() {
    let mut conn = migrated().await;
    let begin = "INSERT INTO phiseal_runs (kind, table_label, digest, actor)
                 VALUES ('backfill', 'patients', 'd', 'test')";
    run(&mut conn, begin).await.unwrap();
    let unique = Err("2067".to_owned());
    assert_eq!(run(&mut conn, begin).await, unique);
    run(
        &mut conn,
        "UPDATE phiseal_runs SET state = 'done', finished_at = '2026'",
    )
    .await
    .unwrap();
    assert_eq!(run(&mut conn, begin).await, Ok(1));

    let bad =
        "INSERT INTO phiseal_quarantine (table_label, row_tag, key_sealed, key_id, step, reason)
               VALUES ('patients', '9f2c41d07a33b8e1', x'e7', 1, 'backfill', 'refused')";
    run(&mut conn, bad).await.unwrap();
    assert_eq!(run(&mut conn, bad).await, unique);
    run(
        &mut conn,
        "UPDATE phiseal_quarantine SET state = 'resolved'",
    )
    .await
    .unwrap();
    assert_eq!(run(&mut conn, bad).await, Ok(1));
}
