//! `fields list`, `forget` and `rebind`.

use super::*;

async fn rebinds_a_rebuilt_table(postgres: bool) {
    let fixture = notes("rebuilt", postgres).await;
    // What frameworks do where ALTER TABLE cannot: a copy that takes the name.
    let kind = if postgres { "bytea" } else { "BLOB" };
    fixture
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
            named(&fixture, table),
            "--reason".to_owned(),
            "rebuilt".to_owned(),
        ]
    };
    let args = to_new("notes_new");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // While the old one holds sealed values there would be two.
    let (code, text) = refused(&fixture, &args, 3).await;
    assert_eq!(code, "E0255", "{text}");
    fixture
        .exec("DROP TABLE notes; ALTER TABLE notes_new RENAME TO notes")
        .await;
    let (code, text) = refused(&fixture, &["backfill"], 3).await;
    assert_eq!(code, "E0241", "{text}");
    let (content, attention) = check(&fixture).await;
    assert!(!content && attention.contains("rebind"), "{attention}");
    let args = to_new("notes");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // Every value is compared first.
    fixture
        .exec("UPDATE notes SET note = 'changed' WHERE id = 1")
        .await;
    let (code, _) = refused(&fixture, &args, 6).await;
    assert_eq!(code, "E0256");
    fixture
        .exec("UPDATE notes SET note = 'plain 1' WHERE id = 1")
        .await;
    run(&fixture, &args).await.expect_code(0);
    fixture.backfill().await;
    run(&fixture, &["verify"]).await.expect_code(0);
    all_sealed(&fixture, label).await;
    let (content, attention) = check(&fixture).await;
    assert!(content, "{attention}");
    run(&fixture, &["rotate"]).await.expect_code(0);
    run(&fixture, &["audit", "verify"]).await.expect_code(0);
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
        let fixture = notes("forgotten", postgres).await;
        let label = if postgres { "public.notes" } else { "notes" };
        let unasked = ["fields", "forget", label, "--reason", "the study is over"];
        let forget = [&unasked[..], &["--yes"]].concat();
        let (code, _) = refused(&fixture, &unasked, 3).await;
        assert_eq!(code, "E0254");
        let (code, _) = refused(
            &fixture,
            &["fields", "forget", "public.nothing", "--reason", "x"],
            2,
        )
        .await;
        assert_eq!(code, "E0253");
        fixture.exec("DROP TABLE notes").await;
        let (content, attention) = check(&fixture).await;
        assert!(!content && attention.contains("is gone"), "{attention}");
        let (code, said) = refused(&fixture, &unasked, 2).await;
        assert_eq!(code, "E0618");
        assert!(said.contains(&format!("{label}.note")), "{said}");
        let (content, _) = check(&fixture).await;
        assert!(!content);
        run(&fixture, &forget).await.expect_code(0);
        let (content, attention) = check(&fixture).await;
        assert!(content, "{attention}");
        let fields = run(&fixture, &["fields", "list", "--json"])
            .await
            .expect_code(0)
            .json();
        assert_eq!(fields[0]["state"], "forgotten");
        // A new table of that name begins anew.
        fixture.exec(NOTES).await;
        assert_eq!(fixture.backfill().await["values_sealed"], 4);
        run(&fixture, &["verify"]).await.expect_code(0);
        all_sealed(&fixture, label).await;
    }
}
