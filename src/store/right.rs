//! A right on an object of a PostgreSQL database, and the statement that gives it to a role.
//! Owns the form of GRANT: every name is quoted, so that a DBA can paste the statement as it stands.
//! Does not know who needs which right.

use std::fmt;

use crate::ident::TableName;
use crate::quote;

/// What a right is on, each name as the catalog spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Securable {
    /// A database.
    Database(String),
    /// A schema.
    Schema(String),
    /// Tables or views, at least one.
    Tables(Vec<TableName>),
    /// Columns of a table or a view.
    Columns(TableName, Vec<String>),
    /// A sequence.
    Sequence(TableName),
    /// A setting of the server, for a privilege such as `SET`.
    Parameter(&'static str),
}

impl Securable {
    /// One table or view.
    pub fn table(name: TableName) -> Self {
        Self::Tables(vec![name])
    }
}

/// One or more privileges on one object, or on several tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    privileges: Vec<String>,
    on: Securable,
}

impl Right {
    /// `privileges` are PostgreSQL's words, such as `SELECT`.
    pub fn new<P: Into<String>>(privileges: impl IntoIterator<Item = P>, on: Securable) -> Self {
        Self {
            privileges: privileges.into_iter().map(Into::into).collect(),
            on,
        }
    }

    /// What it is on.
    pub fn on(&self) -> &Securable {
        &self.on
    }

    /// Whether this privilege is among them.
    pub fn includes(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|one| one == privilege)
    }

    /// The same right with the privileges that `keep` accepts; `None` if it accepts none.
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Option<Self> {
        let kept = self.privileges.iter().filter(|one| keep(one)).cloned();
        let kept = Self::new(kept, self.on.clone());
        (!kept.privileges.is_empty()).then_some(kept)
    }

    /// The same rights in as few statements as possible: tables with the same privileges come
    /// together.
    pub fn together(rights: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut out: Vec<Self> = Vec::new();
        for right in rights {
            let same = out.iter_mut().find_map(|one| match &mut one.on {
                Securable::Tables(names) if one.privileges == right.privileges => Some(names),
                _ => None,
            });
            match (same, right.on) {
                (Some(names), Securable::Tables(more)) => names.extend(more),
                (_, on) => out.push(Self {
                    privileges: right.privileges,
                    on,
                }),
            }
        }
        out
    }

    /// The statement that gives the right to a role, with a semicolon:
    /// `GRANT SELECT, INSERT ON TABLE "phiseal"."runs" TO "engine";`.
    pub fn grant_to(&self, role: &str) -> String {
        let columns = match &self.on {
            Securable::Columns(_, columns) => {
                let quoted = columns.iter().map(|column| quote::identifier(column));
                format!(" ({})", quoted.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        };
        let privileges = self.privileges.iter().map(|one| format!("{one}{columns}"));
        let on = match &self.on {
            Securable::Database(name) => format!("DATABASE {}", quote::identifier(name)),
            Securable::Schema(name) => format!("SCHEMA {}", quote::identifier(name)),
            Securable::Tables(names) => {
                let quoted: Vec<String> = names.iter().map(TableName::quoted).collect();
                format!("TABLE {}", quoted.join(", "))
            }
            Securable::Columns(name, _) => format!("TABLE {}", name.quoted()),
            Securable::Sequence(name) => format!("SEQUENCE {}", name.quoted()),
            Securable::Parameter(name) => format!("PARAMETER {name}"),
        };
        format!(
            "GRANT {} ON {on} TO {};",
            privileges.collect::<Vec<_>>().join(", "),
            quote::identifier(role)
        )
    }
}

/// The statement that makes one role a member of another.
pub fn grant_membership(of: &str, to: &str) -> String {
    format!(
        "GRANT {} TO {};",
        quote::identifier(of),
        quote::identifier(to)
    )
}

/// For messages: `INSERT, UPDATE on phiseal.runs`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.privileges.join(", "))?;
        match &self.on {
            Securable::Database(name) => write!(f, " on database {}", label(name)),
            Securable::Schema(name) => write!(f, " on schema {}", label(name)),
            Securable::Tables(names) => {
                let labels: Vec<String> = names.iter().map(TableName::label).collect();
                write!(f, " on {}", labels.join(", "))
            }
            Securable::Columns(name, columns) => write!(f, " ({}) on {name}", columns.join(", ")),
            Securable::Sequence(name) => write!(f, " on sequence {name}"),
            Securable::Parameter(name) => write!(f, " on parameter {name}"),
        }
    }
}

fn label(name: &str) -> String {
    crate::ident::Ident::new(name).map_or_else(|_| quote::identifier(name), |name| name.label())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TableName {
        name.parse().unwrap()
    }

    #[test]
    fn a_statement_quotes_every_name_and_is_complete() {
        for (right, statement) in [
            (
                Right::new(
                    ["SELECT", "INSERT"],
                    Securable::table(table("phiseal.runs")),
                ),
                r#"GRANT SELECT, INSERT ON TABLE "phiseal"."runs" TO "en""gine";"#,
            ),
            (
                Right::new(
                    ["UPDATE", "SELECT"],
                    Securable::Columns(
                        table("public.\"A b\""),
                        vec!["x".to_owned(), "Y".to_owned()],
                    ),
                ),
                r#"GRANT UPDATE ("x", "Y"), SELECT ("x", "Y") ON TABLE "public"."A b" TO "en""gine";"#,
            ),
            (
                Right::new(["USAGE"], Securable::Schema("phi;seal".to_owned())),
                r#"GRANT USAGE ON SCHEMA "phi;seal" TO "en""gine";"#,
            ),
            (
                Right::new(["CONNECT"], Securable::Database("app".to_owned())),
                r#"GRANT CONNECT ON DATABASE "app" TO "en""gine";"#,
            ),
            (
                Right::new(["SET"], Securable::Parameter("session_replication_role")),
                r#"GRANT SET ON PARAMETER session_replication_role TO "en""gine";"#,
            ),
        ] {
            assert_eq!(right.grant_to("en\"gine"), statement);
        }
        assert_eq!(
            grant_membership("Own er", "me"),
            r#"GRANT "Own er" TO "me";"#
        );
    }

    #[test]
    fn a_message_quotes_only_names_that_need_it() {
        let own = Right::new(
            ["INSERT", "UPDATE"],
            Securable::table(table("phiseal.runs")),
        );
        assert_eq!(own.to_string(), "INSERT, UPDATE on phiseal.runs");
        let schema = Right::new(["USAGE"], Securable::Schema("My".to_owned()));
        assert_eq!(schema.to_string(), "USAGE on schema \"My\"");
    }

    #[test]
    fn what_a_reader_needs_is_part_of_what_is_missing() {
        let on = Securable::table(table("phiseal.runs"));
        let missing = Right::new(["SELECT", "INSERT"], on.clone());
        assert!(missing.includes("INSERT") && !missing.includes("UPDATE"));
        let reads = |privilege: &str| privilege == "SELECT";
        assert_eq!(
            missing.only(reads),
            Some(Right::new(["SELECT"], on.clone()))
        );
        assert_eq!(Right::new(["INSERT"], on).only(reads), None);
    }

    #[test]
    fn tables_with_the_same_privileges_come_into_one_statement() {
        let on = |privilege, name| Right::new([privilege], Securable::table(table(name)));
        let schema = Right::new(["SELECT"], Securable::Schema("s".to_owned()));
        let rights = [
            on("SELECT", "p.a"),
            on("UPDATE", "p.a"),
            schema,
            on("SELECT", "p.b"),
        ];
        let statements: Vec<String> = Right::together(rights)
            .iter()
            .map(|right| right.grant_to("me"))
            .collect();
        assert_eq!(
            statements,
            [
                r#"GRANT SELECT ON TABLE "p"."a", "p"."b" TO "me";"#,
                r#"GRANT UPDATE ON TABLE "p"."a" TO "me";"#,
                r#"GRANT SELECT ON SCHEMA "s" TO "me";"#,
            ]
        );
    }
}
