//! The parts of a column's declaration: its type, then its constraints.

use super::lexer::{Token, tokens};

/// One part of a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Part<'a> {
    /// The first word of the constraint, in capitals: `NOT`, `DEFAULT` …; empty for the type.
    pub(in crate::store::sqlite) kind: String,
    /// Its text, with the name that a constraint may have.
    pub(in crate::store::sqlite) text: &'a str,
}

const CONSTRAINTS: [&str; 10] = [
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
];

/// The parts of a declaration; `None` if it is more than one, or no whole one.
pub(in crate::store::sqlite) fn parts(declaration: &str) -> Option<Vec<Part<'_>>> {
    let tokens = tokens(declaration)?;
    let mut begins = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(token) = tokens.get(at) {
        if token.is(";") || (depth == 0 && token.is(",")) {
            return None;
        }
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 && token.is("CONSTRAINT") {
            let kind = tokens.get(at + 2).map(word_of).unwrap_or_default();
            begins.push((at, kind));
            // The name, and the first word of the constraint.
            let has_next = tokens.get(at + 2).is_some_and(takes_next) && !opens(&tokens, at + 3);
            at += 2 + usize::from(has_next);
        } else if depth == 0 && is_constraint(&tokens, at) {
            begins.push((at, word_of(token)));
            at += usize::from(takes_next(token) && !opens(&tokens, at + 1));
        } else if depth == 0 && token.is("SET") {
            // ON DELETE SET NULL
            at += 1;
        }
        at += 1;
    }
    if depth > 0 {
        return None;
    }
    Some(cut(declaration, &tokens, &begins))
}

fn is_constraint(tokens: &[Token], at: usize) -> bool {
    let is_not_deferrable =
        tokens[at].is("NOT") && tokens.get(at + 1).is_some_and(|next| next.is("DEFERRABLE"));
    let continues = at > 0 && tokens[at - 1].is("NOT") && tokens[at].is("NULL")
        || at > 0 && tokens[at - 1].is("ALWAYS");
    !is_not_deferrable && !continues && CONSTRAINTS.iter().any(|word| tokens[at].is(word))
}

/// Whether the token after this one is a name or a value, whatever its word.
fn takes_next(token: &Token) -> bool {
    token.is("DEFAULT") || token.is("COLLATE") || token.is("REFERENCES")
}

fn opens(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.is("("))
}

fn word_of(token: &Token) -> String {
    let found = CONSTRAINTS.iter().find(|word| token.is(word));
    found.map(|word| (*word).to_owned()).unwrap_or_default()
}

fn cut<'a>(text: &'a str, tokens: &[Token], begins: &[(usize, String)]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let of_type = begins.first().map_or(tokens.len(), |(at, _)| *at);
    let ends = begins.iter().skip(1).map(|(at, _)| *at);
    let whole = [(0, String::new(), of_type)].into_iter().chain(
        begins
            .iter()
            .zip(ends.chain([tokens.len()]))
            .map(|((at, kind), end)| (*at, kind.clone(), end)),
    );
    for (begin, kind, end) in whole {
        if let (Some(first), Some(last)) = (tokens.get(begin), tokens[..end].last())
            && begin < end
        {
            parts.push(Part {
                kind,
                text: &text[first.place.start..last.place.end],
            });
        }
    }
    parts
}

/// The declaration without NOT NULL and without a default; `None` if it has neither.
pub(in crate::store::sqlite) fn nullable(declaration: &str) -> Option<String> {
    let parts = parts(declaration)?;
    let stays = |part: &&Part<'_>| !matches!(part.kind.as_str(), "NOT" | "DEFAULT");
    let kept: Vec<&str> = parts.iter().filter(stays).map(|part| part.text).collect();
    (kept.len() < parts.len()).then(|| kept.join(" "))
}

/// Whether two declarations consist of the same tokens, however their names are quoted.
pub(in crate::store::sqlite) fn is_same(one: &str, other: &str) -> bool {
    let words = |text: &str| {
        let tokens = tokens(text)?;
        let word = |token: &Token| (token.text(text).starts_with('\''), token.name(text));
        Some(tokens.iter().map(word).collect::<Vec<_>>())
    };
    words(one) == words(other)
}
