//! Another wrapping key: every data key moves, no row is touched.

use super::{active, all_under, json, number, on_both};
use crate::support::Fixture;

on_both!(every_data_key_moves_and_no_row_is_touched, 50, rewrap);

async fn rewrap(fixture: Fixture) {
    json(&fixture, &["rotate"], 0).await;
    let key = active(&fixture, "cell").await;
    let new = fixture.project.dir().join("new.key");
    let path = new.display().to_string();
    fixture
        .project
        .phiseal(&["keys", "new-wrapping-key", &path])
        .run()
        .await
        .expect_code(0);
    let to = format!("file:{path}");
    let done = json(&fixture, &["keys", "rewrap", "--to", &to], 0).await;
    assert_eq!(done["keys_rewrapped"], 3, "{done}");
    assert_eq!(done["kind"], "rewrap");
    let keys = fixture.source().own("encryption_keys");
    let refs = format!("SELECT count(DISTINCT kek_ref) FROM {keys}");
    assert_eq!(number(&fixture, &refs).await, 1);
    let again = json(&fixture, &["keys", "rewrap", "--to", &to], 0).await;
    assert_eq!(again["outcome"], "nothing to do");
    // The plan still names the old one: said before any row is read.
    assert_eq!(
        json(&fixture, &["verify"], 7).await["error"]["code"],
        "E0421"
    );
    let plan = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
    let old = fixture.project.key_file().display().to_string();
    fixture.project.plan_text(&plan.replace(&old, &path));
    json(&fixture, &["keys", "check"], 0).await;
    json(&fixture, &["verify"], 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
    let history = format!(
        "SELECT count(*) FROM {} WHERE kind = 'rewrap' AND outcome = 'complete' AND rows_resealed = 3
            AND from_key_id IS NULL",
        fixture.source().own("key_rotation_history")
    );
    assert_eq!(number(&fixture, &history).await, 1);
    std::fs::copy(&path, &old).unwrap();
    all_under_line(&fixture, key, &path).await;
}

/// The oracle, with the new wrapping key.
async fn all_under_line(fixture: &Fixture, key: i64, path: &str) {
    let line = std::fs::read_to_string(path).unwrap();
    let keys = crate::oracle::Keys::load(fixture.source(), line.trim())
        .await
        .unwrap();
    let check = crate::oracle::FieldCheck::against(
        keys.field(super::label(fixture), "dob"),
        "saved",
        "dob",
    );
    let ledger = &mut crate::oracle::NonceLedger::default();
    let checked = keys.check(fixture.source(), &check, ledger).await;
    checked.expect_all_sealed();
    assert_eq!(
        checked
            .keys
            .keys()
            .map(|id| i64::from(*id))
            .collect::<Vec<_>>(),
        [key]
    );
}

on_both!(
    an_interrupted_rewrap_goes_on_with_both_wrapping_keys_in_the_plan,
    20,
    resumed
);

async fn resumed(fixture: Fixture) {
    json(&fixture, &["rotate"], 0).await;
    let path = fixture.project.dir().join("new.key").display().to_string();
    fixture
        .project
        .phiseal(&["keys", "new-wrapping-key", &path])
        .run()
        .await
        .expect_code(0);
    let to = format!("file:{path}");
    json(&fixture, &["keys", "rewrap", "--to", &to], 0).await;
    // As if it had stopped after some keys: one goes back, by the same command.
    let old = fixture.project.key_file().display().to_string();
    let plan = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
    let both = plan.replace(
        &format!("path = \"{old}\""),
        &format!("path = \"{path}\"\n[[keys.previous]]\nprovider = \"file\"\npath = \"{old}\""),
    );
    assert_ne!(both, plan);
    fixture.project.plan_text(&both);
    json(
        &fixture,
        &["keys", "rewrap", "--to", &format!("file:{old}")],
        0,
    )
    .await;
    // Under the previous one, everything still opens.
    json(&fixture, &["verify"], 0).await;
    all_under(&fixture, active(&fixture, "cell").await).await;
    json(&fixture, &["keys", "rewrap", "--to", &to], 0).await;
    json(&fixture, &["verify"], 0).await;
}

on_both!(
    a_wrapping_key_that_is_none_is_refused_and_nothing_is_changed,
    5,
    refused
);

async fn refused(fixture: Fixture) {
    for (to, code, exit) in [
        ("vault:x", "E0114", 2),
        ("file:/nowhere/at/all", "E0405", 7),
        ("env:PHISEAL_NOT_SET_AT_ALL", "E0410", 7),
    ] {
        let error = json(&fixture, &["keys", "rewrap", "--to", to], exit).await;
        assert_eq!(error["error"]["code"], code);
    }
    all_under(&fixture, active(&fixture, "cell").await).await;
}
