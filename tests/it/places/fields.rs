//! `fields list`, `forget` and `rebind`.

use super::*;

async fn rebinds_a_rebuilt_table(postgres: bool) {
    let ground = notes("rebuilt", postgres).await;
    // What frameworks do where ALTER TABLE cannot: a copy that takes the name.
    let kind = if postgres { "bytea" } else { "BLOB" };
    ground
        .exec(&format!(
            "CREATE TABLE notes_new (id INTEGER PRIMARY KEY, note text NOT NULL, note_sealed {kind});
             INSERT INTO notes_new SELECT id, note, note_sealed FROM notes;"
        ))
        .await;
    let label = if postgres { "public.notes" } else { "notes" };
    let to_new = |table: &str| {
        vec![
            "fields".to_owned(),
            "rebind".to_owned(),
            label.to_owned(),
            "--to".to_owned(),
            named(&ground, table),
            "--reason".to_owned(),
            "rebuilt".to_owned(),
        ]
    };
    let args = to_new("notes_new");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // While the old one holds sealed values there would be two.
    let (code, text) = refused(&ground, &args, 3).await;
    assert_eq!(code, "E0255", "{text}");
    ground
        .exec("DROP TABLE notes; ALTER TABLE notes_new RENAME TO notes")
        .await;
    let (code, text) = refused(&ground, &["backfill"], 3).await;
    assert_eq!(code, "E0241", "{text}");
    let (content, attention) = check(&ground).await;
    assert!(!content && attention.contains("rebind"), "{attention}");
    let args = to_new("notes");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // Every value is compared first.
    ground
        .exec("UPDATE notes SET note = 'changed' WHERE id = 1")
        .await;
    let (code, _) = refused(&ground, &args, 6).await;
    assert_eq!(code, "E0256");
    ground
        .exec("UPDATE notes SET note = 'plain 1' WHERE id = 1")
        .await;
    run(&ground, &args).await.expect_code(0);
    ground.backfill().await;
    run(&ground, &["verify"]).await.expect_code(0);
    all_sealed(&ground, label).await;
    let (content, attention) = check(&ground).await;
    assert!(content, "{attention}");
    run(&ground, &["rotate"]).await.expect_code(0);
    run(&ground, &["audit", "verify"]).await.expect_code(0);
}

#[tokio::test]
async fn a_rebuilt_table_is_bound_to_its_label_in_postgresql() {
    rebinds_a_rebuilt_table(true).await;
}

#[tokio::test]
async fn a_rebuilt_table_is_bound_to_its_label_in_sqlite() {
    rebinds_a_rebuilt_table(false).await;
}

#[tokio::test]
async fn fields_are_forgotten_once_nothing_of_them_is_found() {
    for postgres in [true, false] {
        let ground = notes("forgotten", postgres).await;
        let label = if postgres { "public.notes" } else { "notes" };
        let forget = ["fields", "forget", label, "--reason", "the study is over"];
        let (code, _) = refused(&ground, &forget, 3).await;
        assert_eq!(code, "E0254");
        let (code, _) = refused(
            &ground,
            &["fields", "forget", "public.nothing", "--reason", "x"],
            2,
        )
        .await;
        assert_eq!(code, "E0253");
        ground.exec("DROP TABLE notes").await;
        let (content, attention) = check(&ground).await;
        assert!(!content && attention.contains("is gone"), "{attention}");
        run(&ground, &forget).await.expect_code(0);
        let (content, attention) = check(&ground).await;
        assert!(content, "{attention}");
        let fields = run(&ground, &["fields", "list", "--json"])
            .await
            .expect_code(0)
            .json();
        assert_eq!(fields[0]["state"], "forgotten");
        // A new table of that name begins anew.
        ground.exec(NOTES).await;
        assert_eq!(ground.backfill().await["values_sealed"], 4);
        run(&ground, &["verify"]).await.expect_code(0);
        all_sealed(&ground, label).await;
    }
}
