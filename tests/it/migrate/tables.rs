//! Our own tables on PostgreSQL: each refusal of their triggers and unique indexes.

use super::*;

const STATUSES: [&str; 6] = [
    "pre_active",
    "active",
    "suspended",
    "deactivated",
    "compromised",
    "destroyed",
];

/// NIST SP 800-57 Part 1, written down once more.
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

#[tokio::test]
async fn every_change_of_key_status_is_legal_or_refused() {
    let db = migrated("migrate_transitions").await;
    let mut id = 0;
    for from in STATUSES {
        for to in STATUSES {
            id += 1;
            key_at(&db, id, from).await;
            let expected = match from == to || LEGAL.contains(&(from, to)) {
                true => Ok(()),
                false => refused(),
            };
            assert_eq!(
                run(&db, &to_status(id, to)).await,
                expected,
                "{from} to {to}"
            );
            // Makes room for the next active key of the same tenant and purpose.
            db.exec(
                "UPDATE phiseal.encryption_keys SET status = 'deactivated' WHERE status = 'active'",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn each_change_of_status_is_stamped_once_by_the_database() {
    let db = migrated("migrate_stamps").await;
    db.exec(&new_key(1, "active")).await;
    let stamps = "SELECT concat_ws(' ', 'a' || left(activated_at::text, 0),
                      'd' || left(deactivated_at::text, 0), 'c' || left(compromised_at::text, 0),
                      'x' || left(destroyed_at::text, 0)) FROM phiseal.encryption_keys";
    let first = "SELECT activated_at FROM phiseal.encryption_keys";
    let first_active = db.scalar(first).await;
    for (status, expected) in [
        ("suspended", "a"),
        ("active", "a"),
        ("deactivated", "a d"),
        ("compromised", "a d c"),
        ("destroyed", "a d c x"),
    ] {
        db.exec(&to_status(1, status)).await;
        assert_eq!(
            db.scalar(stamps).await.as_deref(),
            Some(expected),
            "{status}"
        );
    }
    assert_eq!(db.scalar(first).await, first_active);
    db.exec(&new_key(2, "pre_active")).await;
    for change in [
        "activated_at = now()",
        "deactivated_at = now()",
        "compromised_at = now()",
        "destroyed_at = now()",
        "status = 'active', activated_at = now()",
    ] {
        let forged = format!("UPDATE phiseal.encryption_keys SET {change} WHERE key_id = 2");
        assert_eq!(run(&db, &forged).await, refused(), "{change}");
    }
}

#[tokio::test]
async fn a_key_keeps_its_identity_and_its_blob_until_destroyed() {
    let db = migrated("migrate_identity").await;
    for status in &STATUSES[2..] {
        assert_eq!(run(&db, &new_key(1, status)).await, refused(), "{status}");
    }
    db.exec(&new_key(1, "active")).await;
    assert_eq!(
        run(&db, &new_key(2, "active")).await,
        Err("23505".to_owned())
    );
    for change in [
        "key_id = 9",
        "tenant = 'x'",
        "purpose = 'blind_index'",
        "version = 9",
        "check_value = '\\xff'",
        "created_at = now()",
        "created_by = 'x'",
        "wrapped_key = NULL",
        "status = 'destroyed'",
    ] {
        let statement = format!("UPDATE phiseal.encryption_keys SET {change}");
        assert_eq!(run(&db, &statement).await, refused(), "{change}");
    }
    let rewrap = "UPDATE phiseal.encryption_keys SET wrapped_key = '\\xe8', kek_ref = 'wk:1'";
    assert_eq!(run(&db, rewrap).await, Ok(()));
    for status in ["deactivated", "destroyed"] {
        db.exec(&to_status(1, status)).await;
    }
    assert_eq!(run(&db, rewrap).await, refused());
}

#[tokio::test]
async fn rotation_history_is_never_changed_once_finished() {
    let db = migrated("migrate_history").await;
    rotated(&db).await;
    let counts = "UPDATE phiseal.key_rotation_history SET rows_found = 7, run_id = 1";
    assert_eq!(run(&db, counts).await, Ok(()));
    for change in [
        "from_key_id = 2",
        "reason = 'x'",
        "actor = 'x'",
        "started_at = now()",
        "run_id = 2",
    ] {
        let statement = format!("UPDATE phiseal.key_rotation_history SET {change}");
        assert_eq!(run(&db, &statement).await, refused(), "{change}");
    }
    db.exec("UPDATE phiseal.key_rotation_history SET finished_at = now(), outcome = 'complete'")
        .await;
    assert_eq!(run(&db, counts).await, refused());
}

#[tokio::test]
async fn a_sealed_field_keeps_its_labels_and_its_row_key() {
    let db = migrated("migrate_fields").await;
    db.exec(&new_field("declared")).await;
    let retype = "UPDATE phiseal.encrypted_field_metadata SET key_types = '[\"t\"]'";
    assert_eq!(run(&db, retype).await, Ok(()));
    db.exec("UPDATE phiseal.encrypted_field_metadata SET state = 'sealing'")
        .await;
    for change in [
        "key_types = '[\"u\"]'",
        "column_label = 'x'",
        "table_label = 'x'",
    ] {
        let statement = format!("UPDATE phiseal.encrypted_field_metadata SET {change}");
        assert_eq!(run(&db, &statement).await, refused(), "{change}");
    }
    let renamed = "UPDATE phiseal.encrypted_field_metadata SET column_name = 'social'";
    assert_eq!(run(&db, renamed).await, Ok(()));
}

#[tokio::test]
async fn what_must_be_kept_is_neither_deleted_nor_truncated_even_by_the_replica_role() {
    let db = migrated("migrate_kept").await;
    rotated(&db).await;
    db.exec(&new_field("declared")).await;
    db.exec(&new_entry("now()")).await;
    for table in [
        "encryption_keys",
        "key_rotation_history",
        "encrypted_field_metadata",
        "audit_log",
        "audit_head",
    ] {
        for role in ["origin", "replica"] {
            for statement in ["DELETE FROM", "TRUNCATE"] {
                let statement = format!(
                    "BEGIN; SET LOCAL session_replication_role = {role}; {statement} phiseal.{table}"
                );
                let mut conn = db.connection().await;
                let error = sqlx::raw_sql(AssertSqlSafe(statement.clone()))
                    .execute(&mut conn)
                    .await
                    .unwrap_err();
                let code = error.as_database_error().unwrap().code().unwrap();
                // The server itself refuses to truncate what a foreign key points to.
                let pointed_to = ["encryption_keys", "key_rotation_history"];
                let by_server = code == "0A000" && pointed_to.contains(&table);
                assert!(code == "PS001" || by_server, "{code}: {statement}");
            }
        }
    }
    for table in ["encryption_keys", "key_rotation_history"] {
        let statement = format!("TRUNCATE phiseal.{table} CASCADE");
        assert_eq!(run(&db, &statement).await, refused(), "{table}");
    }
    assert_eq!(
        run(&db, "UPDATE phiseal.audit_log SET actor = 'x'").await,
        refused()
    );
    assert_eq!(
        run(&db, "UPDATE phiseal.audit_head SET entry_id = 1").await,
        Ok(())
    );
}

#[tokio::test]
async fn one_unfinished_run_a_table_and_one_unresolved_quarantine_row_a_cell() {
    let db = migrated("migrate_unique").await;
    let begin = "INSERT INTO phiseal.runs (kind, table_label, digest, actor)
                 VALUES ('backfill', 'public.patients', 'd', 'test')";
    db.exec(begin).await;
    assert_eq!(run(&db, begin).await, Err("23505".to_owned()));
    db.exec("UPDATE phiseal.runs SET state = 'done', finished_at = now()")
        .await;
    assert_eq!(run(&db, begin).await, Ok(()));
    let bad =
        "INSERT INTO phiseal.quarantine (table_label, row_tag, key_sealed, key_id, step, reason)
               VALUES ('public.patients', '9f2c41d07a33b8e1', '\\xe7', 1, 'backfill', 'refused')";
    db.exec(bad).await;
    assert_eq!(run(&db, bad).await, Err("23505".to_owned()));
    db.exec("UPDATE phiseal.quarantine SET state = 'resolved'")
        .await;
    assert_eq!(run(&db, bad).await, Ok(()));
}
