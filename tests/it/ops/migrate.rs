//! `phiseal migrate`.

use serde_json::json;

use super::on_both;
use crate::support::Fixture;

on_both!(
    migrate_goes_up_and_down,
    migrate_keeps_young_audit,
    migrate_refuses_what_it_cannot_do
);

async fn migrate_goes_up_and_down(fixture: Fixture) {
    let fixture = fixture.planned();
    let pending = fixture.ask(&["migrate", "status"], 0).await;
    assert_eq!(pending.as_array().unwrap().len(), 11);
    assert_eq!(
        pending[0],
        json!({"version": 1, "name": "keys", "state": "pending", "applied_at": null})
    );

    let up = ["migrate", "up"];
    assert_eq!(
        fixture.ask(&["migrate", "up", "--to", "2"], 0).await,
        json!({"applied": [1, 2]})
    );
    assert_eq!(
        fixture.ask(&up, 0).await,
        json!({"applied": [3, 4, 5, 6, 7, 8, 9, 10, 11]})
    );
    assert_eq!(fixture.ask(&up, 0).await, json!({"applied": []}));
    let again = fixture.run(&up).await.expect_code(0);
    assert_eq!(again.stdout, "nothing to apply\n");

    let applied = fixture.ask(&["migrate", "status"], 0).await;
    for migration in applied.as_array().unwrap() {
        assert_eq!(migration["state"], "applied");
        assert!(migration["applied_at"].as_str().unwrap().ends_with('Z'));
    }
    let text = fixture
        .run(&["migrate", "status"])
        .await
        .expect_code(0)
        .stdout;
    assert!(text.starts_with("VERSION  NAME"), "{text}");

    let down = ["migrate", "down"];
    assert_eq!(fixture.ask(&down, 0).await, json!({"undone": [11]}));
    let all = ["migrate", "down", "--to", "0"];
    assert_eq!(
        fixture.ask(&all, 0).await,
        json!({"undone": [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]})
    );
    assert_eq!(fixture.ask(&all, 0).await, json!({"undone": []}));
}

async fn migrate_keeps_young_audit(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    assert_eq!(fixture.refused(&["migrate", "down"], 3).await, "E0704");
    let status = fixture.ask(&["migrate", "status"], 0).await;
    assert_eq!(status[4]["state"], "applied");
}

async fn migrate_refuses_what_it_cannot_do(fixture: Fixture) {
    // No plan file yet.
    assert_eq!(fixture.refused(&["migrate", "up"], 2).await, "E0754");
    let fixture = fixture.planned();
    let beyond = ["migrate", "up", "--to", "99"];
    assert_eq!(fixture.refused(&beyond, 2).await, "E0703");
    assert_eq!(
        fixture.ask(&["migrate", "status"], 0).await[0]["state"],
        "pending"
    );
}
