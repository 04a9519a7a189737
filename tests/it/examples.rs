//! The modules of docs/examples, which people copy into their applications: against the worked values, against
//! what the program seals, and against each other. They share no code with the program.

mod log;
mod refusals;
mod values;

use crate::oracle::vectors;
use crate::support::Fixture;
use crate::support::examples::{Application, languages};

#[tokio::test]
async fn every_module_makes_the_bytes_of_every_worked_value() {
    let all = vectors();
    let count = |name: &str| all[name].as_array().unwrap().len();
    for language in languages() {
        let done = language.over("tests/vectors/format1.json").await;
        assert_eq!(
            done,
            count("cells") + count("blind_indexes"),
            "{language:?}"
        );
    }
}

/// An application in each language.
fn applications(fixture: &Fixture) -> Vec<Application> {
    let start = |language: &_| Application::start(*language, fixture);
    languages().iter().map(start).collect()
}

/// `verify` finds nothing wrong, and opens as many values.
async fn verified(fixture: &Fixture, values: usize) {
    let done = fixture.json(&["verify"]).await;
    assert_eq!(
        (&done["failed"], &done["unsealed"]),
        (&0.into(), &0.into()),
        "{done}"
    );
    assert_eq!(done["values_verified"], values, "{done}");
}
