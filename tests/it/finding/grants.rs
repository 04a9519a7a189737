//! A right that is missing is named with the whole statement that gives it: run as they stand, these
//! statements are all that a role needs.

use super::{at, text};
use crate::backfill::beside;
use crate::support::database::Database;
use crate::support::{Fixture, Project, database};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, ssn text);
    INSERT INTO t VALUES (1, '123-45-6789');";
/// More rounds than there are kinds of rights.
const ROUNDS_MAX: usize = 6;

/// Every statement in a text.
fn statements(hint: &str) -> Vec<String> {
    hint.split("GRANT ")
        .skip(1)
        .map(|rest| {
            let end = rest.find(';').unwrap_or_else(|| panic!("no end: {hint}"));
            format!("GRANT {}", &rest[..end])
        })
        .collect()
}

/// Runs the command, and what its hints say as a superuser, until it works. All the statements.
async fn granted(db: &Database, project: &Project, args: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let done = at(project.dir(), args).run().await;
        if done.code() == Some(0) {
            return all;
        }
        let error = done.json()["error"].clone();
        let hint = text(&error, "hint");
        assert!(!error.to_string().contains("phiseal plan"), "{error}");
        assert!(
            text(&error, "message").contains("insufficient_privilege"),
            "{error}"
        );
        let found = statements(hint);
        assert!(!found.is_empty(), "{error}");
        for statement in &found {
            db.exec(statement).await;
        }
        all.extend(found);
    }
    panic!("{args:?} still lacks rights after {all:#?}");
}

#[tokio::test]
async fn a_command_that_reads_is_told_what_to_grant_until_it_works() {
    let fixture = Fixture::postgres("grants_read", TABLE, &beside("public.t", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    for command in [
        &["status"][..],
        &["keys", "list"],
        &["fields", "list"],
        &["runs", "list"],
    ] {
        let role = fixture.db().role("reader", "").await;
        let owner = format!("owner = {:?}", owner(&fixture).await);
        let project = Project::with_key(fixture.project.key_line());
        project.plan_text(&format!(
            "[database]\nurl = {:?}\n{owner}\n[keys]\nprovider = \"file\"\npath = \"wrapping.key\"\n",
            role.url
        ));
        let all = granted(fixture.db(), &project, command).await;
        assert!(
            all[0].starts_with("GRANT USAGE ON SCHEMA \"phiseal\" TO "),
            "{all:?}"
        );
        // Nothing that a reader does not need.
        let writes = |statement: &String| {
            ["INSERT", "UPDATE", "DELETE", "CREATE"]
                .iter()
                .any(|word| statement.contains(word))
        };
        assert!(!all.iter().any(writes), "{all:#?}");
    }
}

async fn owner(fixture: &Fixture) -> String {
    let sql = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'phiseal'";
    fixture.scalar(sql).await.unwrap()
}

#[tokio::test]
async fn preflight_names_each_right_with_its_statement_and_plan_does_not_point_to_itself() {
    let fixture = Fixture::postgres("grants_plan", TABLE, &beside("public.t", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    let role = fixture.db().role("Engine", "").await;
    let project = Project::with_key(fixture.project.key_line());
    let owner = owner(&fixture).await;
    let url = format!("{:?}\nowner = {owner:?}", role.url);
    project.plan_text(&format!(
        "[database]\nurl = {url}\n[keys]\nprovider = \"file\"\npath = \"wrapping.key\"\n{}",
        beside("public.t", &["ssn"])
    ));
    for _ in 0..ROUNDS_MAX {
        let done = at(project.dir(), &["plan"]).run().await;
        let said = done.json();
        let hints: Vec<String> = match said.get("error") {
            Some(error) => vec![text(error, "hint").to_owned()],
            None => {
                let refusals = said["refusals"].as_array().unwrap();
                let missing = refusals.iter().filter(|refusal| refusal["code"] == "E0217");
                missing
                    .map(|refusal| text(refusal, "hint").to_owned())
                    .collect()
            }
        };
        let all: Vec<String> = hints.iter().flat_map(|hint| statements(hint)).collect();
        assert!(!hints.concat().contains("phiseal plan`"), "{hints:?}");
        if all.is_empty() {
            let codes: Vec<&str> = said["refusals"]
                .as_array()
                .unwrap()
                .iter()
                .map(|refusal| text(refusal, "code"))
                .collect();
            assert!(!codes.contains(&"E0217"), "{said}");
            return;
        }
        for statement in &all {
            fixture.db().exec(statement).await;
        }
    }
    panic!("plan still names missing rights");
}

#[tokio::test]
async fn whoever_may_not_make_our_schema_is_told_the_statement_that_lets_him() {
    let db = database("grants_migrate").await;
    let role = db.role("migrator", "").await;
    let project = Project::new();
    project.plan(&role.url, "");
    let all = granted(&db, &project, &["migrate", "up"]).await;
    let expected = format!(
        "GRANT CREATE ON DATABASE \"{}\" TO \"{}\"",
        db.name(),
        role.name
    );
    assert_eq!(all, [expected]);
}
