//! What no GRANT gives: what only the owner may do, what a plan has to say, what the grants show.

use super::{GRANTED_PARAMETERS, GrantRole, Granting, plain_columns};
use crate::foreign::Foreign;
use crate::quote;
use crate::store::right::{Right, Securable};

impl Granting<'_> {
    /// The notes for these roles, a sentence or two each.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = match self.role {
            GrantRole::Owner => self.for_owner(),
            GrantRole::Engine => self.for_engine(),
            GrantRole::Application => self.for_application(),
            GrantRole::Auditor => self.for_auditor(),
        };
        notes.extend(self.about_tables());
        notes
    }

    fn for_owner(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let own = &self.server.own_owner;
        if !own.is_empty() && self.to.iter().any(|to| to.as_str() != own) {
            notes.push(format!(
                "The schema {} belongs to the role {}. Only that role migrates it: be a member of it, with role = \
                 \"{}\" under [database] in the plan.",
                shown(self.schema.as_str()),
                shown(own),
                Foreign(own),
            ));
        }
        for one in self.tables {
            for relation in (one.facts.relations.iter()).filter(|one| one.owner_is_superuser) {
                notes.push(format!(
                    "{} belongs to the superuser {}. Give it to an ordinary role:\nALTER TABLE {} OWNER TO {};",
                    Foreign(&relation.name.label()),
                    shown(&relation.owner),
                    Foreign(&relation.name.quoted()),
                    self.to.first().map(|to| Foreign(&to.quoted()).to_string()).unwrap_or_default(),
                ));
            }
        }
        notes
    }

    fn for_engine(&self) -> Vec<String> {
        let mut notes = vec![
            self.trust(),
            "An engine that does not own the tables can make no columns, triggers or indexes. Before the first \
             backfill the owner runs the output of `phiseal plan --sql`; then print these grants again. Only the \
             owner can run: migrate, rotate --purpose blind_index, finalize, restore --drop-sealed, fields rebind \
             and forget, scrub."
                .to_owned(),
        ];
        for one in self.tables {
            let plain = plain_columns(one.table, one.facts);
            if plain.is_empty() {
                continue;
            }
            let mut note =
                "`phiseal restore` writes plaintext back, which these grants do not allow. For it:"
                    .to_owned();
            for to in self.to {
                for relation in &one.facts.relations {
                    let on = Securable::Columns(relation.name.clone(), plain.clone());
                    let grant = Right::new(["UPDATE"], on).grant_to(to.as_str());
                    note.push_str(&format!("\n{}", Foreign(&grant)));
                }
            }
            notes.push(note);
        }
        notes.push(
            "Not required: pg_monitor, to see how far standbys are behind; from PostgreSQL 15 on SET ON PARAMETER \
             log_parameter_max_length, to keep values out of the server's log."
                .to_owned(),
        );
        notes
    }

    fn for_application(&self) -> Vec<String> {
        vec![
            "An application that has SELECT, INSERT and UPDATE on a whole table needs no rights on its columns. No \
             function of phiseal has to be granted: the guard's triggers run for everybody who writes the table."
                .to_owned(),
        ]
    }

    fn for_auditor(&self) -> Vec<String> {
        vec![
            self.trust(),
            "`phiseal verify` also needs the wrapping key, and then records nothing in the database. Without the \
             key everything else works but `keys check` and `audit verify`."
                .to_owned(),
        ]
    }

    /// Who owns phiseal's schema could have its own code run by whoever reads it.
    fn trust(&self) -> String {
        format!(
            "In the plan of this role: owner = \"{}\" under [database], because phiseal's tables belong to another \
             role than the one that uses them. No `role` there.",
            Foreign(&self.server.own_owner)
        )
    }

    fn about_tables(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.tables.iter().any(|one| one.suppresses)
            && self.server.version_num < GRANTED_PARAMETERS
            && matches!(self.role, GrantRole::Owner | GrantRole::Engine)
        {
            notes
                .push("triggers = \"suppress\" needs a superuser before PostgreSQL 15.".to_owned());
        }
        for one in self.tables {
            let name = one.table.name.label();
            let name = Foreign(&name);
            if one.facts.row_security && matches!(self.role, GrantRole::Engine | GrantRole::Auditor)
            {
                notes.push(format!(
                    "Row security hides rows of {name}, and phiseal refuses to work on a part: a superuser gives the \
                     role BYPASSRLS (ALTER ROLE ... BYPASSRLS;)."
                ));
            }
            if one.facts.relations.len() > 1 && self.role != GrantRole::Application {
                notes.push(format!(
                    "A partition that is added to {name} later needs these grants, too: print them again."
                ));
            }
        }
        notes
    }
}

/// A role or schema for a sentence.
fn shown(name: &str) -> String {
    Foreign(&quote::identifier(name)).to_string()
}
