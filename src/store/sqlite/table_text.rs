//! The text of a CREATE TABLE statement, as SQLite keeps it: cut into columns and constraints, so that
//! one of them can be changed and the rest stays as it was written.
//! Owns the cutting. `table_text/lexer.rs` finds the tokens, `table_text/column.rs` knows the parts of
//! a column's declaration.

pub(super) mod column;
mod lexer;

use std::ops::Range;

use crate::ident::Ident;
use crate::store::{Result, StoreError};
pub(super) use lexer::{Kind, Token, tokens};

/// A CREATE TABLE statement.
#[derive(Debug)]
pub(super) struct TableText {
    sql: String,
    /// Where the name of the table ends.
    name_end: usize,
    items: Vec<Item>,
}

/// A column or a constraint of the table.
#[derive(Debug)]
struct Item {
    place: Range<usize>,
    /// Where the next one begins, or the parenthesis that closes the list.
    next: usize,
    /// Where the comma before it is.
    comma: Option<usize>,
    what: What,
}

#[derive(Debug)]
enum What {
    Column {
        name: String,
        /// Where its declaration begins, behind its name.
        declaration: usize,
    },
    /// Constraints, which may follow one another without a comma.
    Constraints(Vec<Constraint>),
}

/// A constraint of the table, not of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constraint {
    place: Range<usize>,
    /// `UNIQUE`, `PRIMARY`, `CHECK`, `FOREIGN`.
    pub(super) kind: String,
    /// The names in its first parentheses.
    pub(super) names: Vec<String>,
}

const CONSTRAINTS: [&str; 4] = ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

impl TableText {
    /// Reads a statement.
    ///
    /// # Errors
    /// If it is none that this can read.
    pub(super) fn read(sql: &str) -> Result<Self> {
        read(sql).ok_or_else(|| StoreError::unexpected("the text of a table"))
    }

    /// The statement.
    #[cfg(test)]
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// The statement for a table of another name.
    pub(super) fn named(&self, name: &Ident) -> String {
        format!(
            "CREATE TABLE {} {}",
            name.quoted(),
            &self.sql[self.name_end..]
        )
    }

    /// The declaration of a column, without its name.
    pub(super) fn declaration(&self, column: &str) -> Option<&str> {
        let item = &self.items[self.at(column)?];
        let What::Column { declaration, .. } = item.what else {
            return None;
        };
        Some(self.sql[declaration..item.place.end].trim())
    }

    /// The columns, each with its declaration.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| match &item.what {
            What::Column { name, declaration } => {
                Some((name.as_str(), self.sql[*declaration..item.place.end].trim()))
            }
            What::Constraints(_) => None,
        })
    }

    /// The constraints of the table, each with its text.
    pub(super) fn constraints(&self) -> impl Iterator<Item = (&Constraint, &str)> {
        let all = self.items.iter().filter_map(|item| match &item.what {
            What::Column { .. } => None,
            What::Constraints(constraints) => Some(constraints),
        });
        all.flatten().map(|one| (one, &self.sql[one.place.clone()]))
    }

    /// The statement with another declaration of a column.
    pub(super) fn with_declaration(&self, column: &str, declaration: &str) -> Result<Self> {
        let item = self.at(column).map(|at| &self.items[at]);
        let Some(Item {
            place,
            what: What::Column {
                declaration: begin, ..
            },
            ..
        }) = item
        else {
            return Err(StoreError::missing("a column"));
        };
        Self::read(&format!(
            "{} {declaration}{}",
            &self.sql[..*begin],
            &self.sql[place.end..]
        ))
    }

    /// The statement without a column, and without the constraints UNIQUE and FOREIGN KEY that name it
    /// and the constraints CHECK that name it alone.
    pub(super) fn without(&self, column: &str) -> Result<Self> {
        let mut text =
            self.without_item(self.at(column).ok_or(StoreError::missing("a column"))?)?;
        while let Some(place) = text.constraint_of(column) {
            text = text.without_constraint(&place)?;
        }
        Ok(text)
    }

    /// The place of the first constraint that goes with a column.
    fn constraint_of(&self, column: &str) -> Option<Range<usize>> {
        let goes = |(one, _): &(&Constraint, &str)| match one.kind.as_str() {
            "UNIQUE" | "FOREIGN" => one.names.iter().any(|name| is(name, column)),
            "CHECK" => self.is_about_only(one, column),
            _ => false,
        };
        let mut found = self.constraints().filter(goes);
        found.next().map(|(one, _)| one.place.clone())
    }

    /// Whether a CHECK names a column, and no other one of the table.
    pub(super) fn is_about_only(&self, check: &Constraint, column: &str) -> bool {
        let others = self.columns().filter(|(name, _)| !is(name, column));
        let named = |one: &str| check.names.iter().any(|name| is(name, one));
        named(column) && !others.map(|(name, _)| name).any(named)
    }

    fn without_constraint(&self, place: &Range<usize>) -> Result<Self> {
        let alone = self.items.iter().position(|item| match &item.what {
            What::Constraints(all) => all.len() == 1 && all[0].place == *place,
            What::Column { .. } => false,
        });
        match alone {
            Some(at) => self.without_item(at),
            None => Self::read(&format!(
                "{} {}",
                &self.sql[..place.start],
                &self.sql[place.end..]
            )),
        }
    }

    fn without_item(&self, at: usize) -> Result<Self> {
        let item = &self.items[at];
        let is_last = at + 1 == self.items.len();
        let (from, to) = match (is_last, item.comma) {
            (true, Some(comma)) => (comma, item.place.end),
            _ => (item.place.start, item.next),
        };
        Self::read(&format!("{}{}", &self.sql[..from], &self.sql[to..]))
    }

    fn at(&self, column: &str) -> Option<usize> {
        self.items.iter().position(|item| match &item.what {
            What::Column { name, .. } => is(name, column),
            What::Constraints(_) => false,
        })
    }
}

/// SQLite ignores the case of ASCII letters in names.
fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn read(sql: &str) -> Option<TableText> {
    let tokens = tokens(sql)?;
    let open = tokens.iter().position(|token| token.is("("))?;
    if !tokens.first()?.is("CREATE") || !tokens.get(1)?.is("TABLE") || open < 3 {
        return None;
    }
    let mut items = Vec::new();
    let (mut begin, mut comma, mut depth) = (open + 1, None, 1_usize);
    for (at, token) in tokens.iter().enumerate().skip(open + 1) {
        match token.text(sql) {
            "(" if token.kind == Kind::Sign => depth += 1,
            ")" if token.kind == Kind::Sign => depth -= 1,
            _ => {}
        }
        let ends = depth == 0 || (depth == 1 && token.is(","));
        if !ends {
            continue;
        }
        let next = match depth {
            0 => token.place.start,
            _ => tokens.get(at + 1)?.place.start,
        };
        items.push(item(sql, tokens.get(begin..at)?, next, comma)?);
        if depth == 0 {
            return Some(TableText {
                sql: sql.to_owned(),
                name_end: tokens[open - 1].place.end,
                items,
            });
        }
        (begin, comma) = (at + 1, Some(token.place.start));
    }
    None
}

fn item(sql: &str, tokens: &[Token], next: usize, comma: Option<usize>) -> Option<Item> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let begins =
        |token: &Token| token.is("CONSTRAINT") || CONSTRAINTS.iter().any(|word| token.is(word));
    let what = match begins(first) {
        true => What::Constraints(constraints(sql, tokens)?),
        false => What::Column {
            name: first.name(sql),
            declaration: first.place.end,
        },
    };
    Some(Item {
        place: first.place.start..last.place.end,
        next,
        comma,
        what,
    })
}

/// Cuts constraints that follow one another, each with the name that it may have.
fn constraints(sql: &str, tokens: &[Token]) -> Option<Vec<Constraint>> {
    let mut begins: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    let mut named = None;
    for (at, token) in tokens.iter().enumerate() {
        match () {
            () if token.is("(") => depth += 1,
            () if token.is(")") => depth = depth.checked_sub(1)?,
            () if depth > 0 || named == Some(at) => {}
            () if token.is("CONSTRAINT") => {
                begins.push(at);
                named = Some(at + 1);
            }
            () if CONSTRAINTS.iter().any(|word| token.is(word)) => {
                let is_named = at >= 2 && named == Some(at - 1);
                if !is_named {
                    begins.push(at);
                }
            }
            () => {}
        }
    }
    let ends = begins.iter().skip(1).copied().chain([tokens.len()]);
    let all = begins.iter().zip(ends);
    all.map(|(begin, end)| constraint(sql, tokens.get(*begin..end)?))
        .collect()
}

fn constraint(sql: &str, tokens: &[Token]) -> Option<Constraint> {
    let kind = tokens
        .iter()
        .enumerate()
        .find(|(at, token)| {
            let is_name = *at == 1 && tokens[0].is("CONSTRAINT");
            !is_name && CONSTRAINTS.iter().any(|word| token.is(word))
        })
        .map(|(_, token)| token.text(sql).to_ascii_uppercase());
    let open = tokens.iter().position(|token| token.is("("));
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for token in tokens.iter().skip(open.unwrap_or(tokens.len())) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
        } else if token.kind != Kind::Sign {
            names.push(token.name(sql));
        }
        if depth == 0 {
            break;
        }
    }
    Some(Constraint {
        place: tokens.first()?.place.start..tokens.last()?.place.end,
        kind: kind.unwrap_or_default(),
        names,
    })
}

#[cfg(test)]
mod tests;
