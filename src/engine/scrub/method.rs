//! How each relation is rewritten.
//! Owns the choice, as a function of facts alone: it asks no server.

use crate::store::{Method, ScrubFacts, StoredRelation};

/// From this version on the server has REPACK (CONCURRENTLY).
const REPACK: i64 = 190_000;

/// A method, and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The method.
    pub method: Method,
    /// Why no better one, or that it was asked for.
    pub why: String,
}

/// Chooses a method, or checks the one that was asked for.
///
/// # Errors
/// Why the wished method cannot be used.
pub fn choose(
    wish: Option<Method>,
    facts: &ScrubFacts,
    relation: &StoredRelation,
) -> Result<Chosen, String> {
    if let Some(method) = wish {
        return match obstacle(method, facts, relation) {
            None => Ok(Chosen {
                method,
                why: "asked for".to_owned(),
            }),
            Some(why) => Err(why),
        };
    }
    if relation.whole_file {
        return Ok(Chosen {
            method: Method::Vacuum,
            why: "SQLite has no other way".to_owned(),
        });
    }
    let mut passed_over = Vec::new();
    for method in [Method::Repack, Method::PgRepack] {
        match obstacle(method, facts, relation) {
            None => {
                return Ok(Chosen {
                    method,
                    why: "nobody waits for it".to_owned(),
                });
            }
            Some(why) => passed_over.push(format!("no {method}: {why}")),
        }
    }
    Ok(Chosen {
        method: Method::VacuumFull,
        why: passed_over.join("; "),
    })
}

/// What prevents a method.
fn obstacle(method: Method, facts: &ScrubFacts, relation: &StoredRelation) -> Option<String> {
    let because = |why: &str| Some(why.to_owned());
    match method {
        Method::Vacuum => (!relation.whole_file).then(|| "it is of SQLite".to_owned()),
        _ if relation.whole_file => because("it is of PostgreSQL"),
        Method::VacuumFull => None,
        Method::Repack if facts.version_num < REPACK => {
            because("the server is older than version 19")
        }
        Method::Repack if !relation.permanent => because("the table is unlogged"),
        Method::PgRepack if facts.no_pg_repack.is_some() => facts.no_pg_repack.clone(),
        Method::Repack | Method::PgRepack if !relation.has_key => {
            because("the table has neither a primary key nor a replica identity")
        }
        Method::Repack | Method::PgRepack => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server of this version, with or without pg_repack.
    fn server(version_num: i64, pg_repack: bool) -> ScrubFacts {
        ScrubFacts {
            version_num,
            no_pg_repack: (!pg_repack).then(|| "not installed".to_owned()),
            ..ScrubFacts::default()
        }
    }

    fn table(permanent: bool, has_key: bool) -> StoredRelation {
        StoredRelation {
            permanent,
            has_key,
            ..StoredRelation::default()
        }
    }

    fn file() -> StoredRelation {
        StoredRelation {
            whole_file: true,
            ..StoredRelation::default()
        }
    }

    #[test]
    fn the_least_disturbing_method_that_is_possible_is_taken() {
        use Method::*;
        for (facts, relation, method) in [
            (server(190_000, false), table(true, true), Repack),
            (server(190_001, true), table(true, true), Repack),
            (server(190_000, true), table(false, true), PgRepack),
            (server(190_000, true), table(true, false), VacuumFull),
            (server(190_000, false), table(false, true), VacuumFull),
            (server(189_999, false), table(true, true), VacuumFull),
            (server(150_004, true), table(true, true), PgRepack),
            (server(150_004, true), table(true, false), VacuumFull),
            (server(130_000, false), table(true, true), VacuumFull),
            (server(3_050_000, false), file(), Vacuum),
        ] {
            let chosen = choose(None, &facts, &relation).unwrap();
            assert_eq!(chosen.method, method, "{facts:?} {relation:?}");
            assert!(!chosen.why.is_empty());
        }
    }

    #[test]
    fn a_method_that_is_not_possible_is_refused_with_its_reason() {
        use Method::*;
        for (wish, facts, relation, why) in [
            (
                Repack,
                server(180_000, true),
                table(true, true),
                Some("older"),
            ),
            (
                Repack,
                server(190_000, true),
                table(false, true),
                Some("unlogged"),
            ),
            (
                Repack,
                server(190_000, true),
                table(true, false),
                Some("primary key"),
            ),
            (
                PgRepack,
                server(190_000, false),
                table(true, true),
                Some("not installed"),
            ),
            (
                PgRepack,
                server(150_000, true),
                table(true, false),
                Some("primary key"),
            ),
            (
                Vacuum,
                server(150_000, true),
                table(true, true),
                Some("SQLite"),
            ),
            (
                VacuumFull,
                server(3_050_000, false),
                file(),
                Some("PostgreSQL"),
            ),
            (VacuumFull, server(190_000, true), table(true, true), None),
            (PgRepack, server(150_000, true), table(false, true), None),
            (Vacuum, server(3_050_000, false), file(), None),
        ] {
            let chosen = choose(Some(wish), &facts, &relation);
            match why {
                Some(why) => assert!(chosen.unwrap_err().contains(why), "{wish} {why}"),
                None => assert_eq!(chosen.unwrap().method, wish),
            }
        }
    }
}
