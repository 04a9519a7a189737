//! Seals that no guard watched over: found, compared, mended; and no answer says before that all is well.

use super::*;

/// What ends the guard for a while and lets a plaintext change meanwhile, by the name of the trigger.
const AWAY: [(&str, &str); 3] = [
    (
        "disabled and enabled",
        "ALTER TABLE notes DISABLE TRIGGER ALL; UPDATE notes SET note = 'stale' WHERE id = 2;
         ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_i\"; ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
    ),
    (
        "disabled and forgotten",
        "ALTER TABLE notes DISABLE TRIGGER \"~phiseal_u\"; UPDATE notes SET note = 'stale' WHERE id = 2",
    ),
    (
        "dropped",
        "DROP TRIGGER \"~phiseal_u\" ON notes; UPDATE notes SET note = 'stale' WHERE id = 2",
    ),
];

#[tokio::test]
async fn a_guard_that_was_away_leaves_a_gap_that_the_next_backfill_closes() {
    for (what, sql) in AWAY {
        let fixture = notes("away", true).await;
        assert!(check(&fixture).await.0, "{what}");
        fixture.exec(sql).await;
        let (content, attention) = check(&fixture).await;
        assert!(
            !content && attention.contains("not compared"),
            "{what}: {attention}"
        );
        let done = fixture.backfill().await;
        assert_eq!(
            (&done["values_compared"], &done["values_mended"]),
            (&4.into(), &1.into()),
            "{what}"
        );
        all_sealed(&fixture, "public.notes").await;
        let (content, attention) = check(&fixture).await;
        assert!(content, "{what}: {attention}");
        // Nothing is compared twice.
        assert_eq!(fixture.backfill().await["values_compared"], 0, "{what}");
    }
}

#[tokio::test]
async fn the_same_trigger_made_again_from_its_own_text_leaves_a_gap() {
    let fixture = notes("again", true).await;
    let text = fixture
        .scalar("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '~phiseal_u'")
        .await
        .unwrap();
    fixture
        .exec(&format!(
            "DROP TRIGGER \"~phiseal_u\" ON notes; UPDATE notes SET note = 'stale' WHERE id = 3; {text};
             ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_u\""
        ))
        .await;
    assert!(!check(&fixture).await.0);
    assert_eq!(fixture.backfill().await["values_mended"], 1);
    all_sealed(&fixture, "public.notes").await;
}

#[tokio::test]
async fn in_sqlite_too() {
    for again in [false, true] {
        let fixture = notes("", false).await;
        let sql = fixture
            .scalar("SELECT sql FROM sqlite_schema WHERE name = '~phiseal_u_notes'")
            .await
            .unwrap();
        fixture
            .exec("DROP TRIGGER \"~phiseal_u_notes\"; UPDATE notes SET note = 'stale' WHERE id = 2")
            .await;
        if again {
            fixture.exec(&sql).await;
        }
        let (content, attention) = check(&fixture).await;
        assert!(
            !content && attention.contains("not compared"),
            "{attention}"
        );
        let done = fixture.backfill().await;
        assert_eq!(
            (&done["values_compared"], &done["values_mended"]),
            (&4.into(), &1.into())
        );
        all_sealed(&fixture, "notes").await;
        let (content, attention) = check(&fixture).await;
        assert!(content, "{attention}");
        // VACUUM moves everything, and changes no order of what guards.
        fixture.exec("VACUUM").await;
        let (content, attention) = check(&fixture).await;
        assert!(content, "{attention}");
    }
}

#[tokio::test]
async fn a_column_more_in_the_plan_opens_no_gap() {
    let fixture = notes("more", true).await;
    fixture
        .exec("ALTER TABLE notes ADD COLUMN phone text; UPDATE notes SET phone = '555' || id")
        .await;
    let more = format!(
        "{}[[table.column]]\nname = \"phone\"\nseal_into = \"phone_sealed\"\n",
        plan(BESIDE, "public.notes")
    );
    fixture.project.plan(&fixture.url(), &more);
    let done = fixture.backfill().await;
    assert_eq!(
        (&done["values_sealed"], &done["values_compared"]),
        (&4.into(), &0.into())
    );
    // Nor what a DBA runs beforehand.
    let fixture = notes("more_by_hand", true).await;
    fixture
        .exec("ALTER TABLE notes ADD COLUMN phone text; UPDATE notes SET phone = '555' || id")
        .await;
    fixture.project.plan(&fixture.url(), &more);
    let sql = run(&fixture, &["plan", "--sql"])
        .await
        .expect_code(0)
        .stdout;
    fixture.exec(&sql).await;
    let done = fixture.backfill().await;
    assert_eq!(
        (&done["values_sealed"], &done["values_compared"]),
        (&4.into(), &0.into())
    );
    assert!(check(&fixture).await.0);
}

#[tokio::test]
async fn what_verify_found_the_next_backfill_mends() {
    for postgres in [true, false] {
        let fixture = notes("verify_found", postgres).await;
        // A guard that lies: nobody sees that it was changed within its own transaction.
        let sql = match postgres {
            true => {
                "CREATE TABLE kept AS SELECT note_sealed FROM notes WHERE id = 1;
                 BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL phiseal.sealer = 'on';
                 UPDATE notes SET note = 'plain 4', note_sealed = (SELECT note_sealed FROM kept) WHERE id = 4; COMMIT"
            }
            false => {
                "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark (mark) VALUES ('sealer');
                 UPDATE notes SET note = 'plain x', note_sealed = (SELECT note_sealed FROM notes WHERE id = 1) WHERE id = 4;
                 DELETE FROM phiseal_mark; COMMIT"
            }
        };
        fixture.exec(sql).await;
        let failed = run(&fixture, &["verify", "--json"])
            .await
            .expect_code(6)
            .json();
        assert_eq!(failed["failed"], 1);
        let (content, attention) = check(&fixture).await;
        assert!(
            !content && attention.contains("not compared"),
            "{attention}"
        );
        let plain = fixture.scalar("SELECT note FROM notes WHERE id = 4").await;
        if plain.is_some() {
            assert_eq!(fixture.backfill().await["values_mended"], 1);
            run(&fixture, &["verify"]).await.expect_code(0);
        }
    }
}

#[tokio::test]
async fn a_rotation_seals_no_wrong_value_again() {
    let fixture = notes("rotate_stale", true).await;
    fixture
        .exec("ALTER TABLE notes DISABLE TRIGGER ALL; UPDATE notes SET note = 'stale' WHERE id = 2")
        .await;
    run(&fixture, &["rotate"]).await.expect_code(0);
    all_sealed(&fixture, "public.notes").await;
}

#[tokio::test]
async fn a_comparing_run_goes_on_where_it_was_killed() {
    let ddl = "CREATE TABLE notes (id INTEGER PRIMARY KEY, note text);
        INSERT INTO notes SELECT i, 'plain ' || i FROM generate_series(1, 60000) i;";
    let fixture = Fixture::postgres("compare_killed", ddl, &plan(BESIDE, "public.notes")).await;
    fixture.backfill().await;
    fixture
        .exec(
            "ALTER TABLE notes DISABLE TRIGGER ALL; UPDATE notes SET note = 'stale' WHERE id % 7 = 0;
             ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_i\"; ALTER TABLE notes ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
        )
        .await;
    let mut running = fixture.project.phiseal(&["backfill"]).spawn();
    let begun = "SELECT count(*)::text FROM phiseal.lanes JOIN phiseal.runs USING (run_id) WHERE runs.kind = 'compare' AND seq > 0";
    for _ in 0..600 {
        if fixture.scalar(begun).await.as_deref() != Some("0") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    running.signal(rustix::process::Signal::KILL);
    running.wait().await;
    let (content, _) = check(&fixture).await;
    assert!(!content);
    let done = fixture.backfill().await;
    assert!(done["values_mended"].as_u64().unwrap() <= 8571);
    let runs = fixture
        .scalar("SELECT count(*)::text FROM phiseal.runs WHERE kind = 'compare'")
        .await;
    assert_eq!(runs.as_deref(), Some("1"));
    all_sealed(&fixture, "public.notes").await;
    assert!(check(&fixture).await.0);
}

#[tokio::test]
async fn nothing_is_well_while_a_key_is_missing() {
    let fixture = notes("no_key", true).await;
    fixture
        .exec(
            "ALTER TABLE phiseal.encryption_keys DISABLE TRIGGER ALL;
             UPDATE phiseal.encryption_keys SET wrapped_key = NULL, status = 'destroyed' WHERE purpose = 'cell';
             ALTER TABLE phiseal.encryption_keys ENABLE TRIGGER ALL",
        )
        .await;
    run(&fixture, &["keys", "create", "--purpose", "cell"])
        .await
        .expect_code(0);
    let (code, _) = refused(&fixture, &["backfill"], 7).await;
    assert_eq!(code, "E0428");
}
