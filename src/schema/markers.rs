//! Files in which both ways stand: how other tools mark where each begins.
//! Owns the marks. What is none, and only looks like one, is named by its line: run as it is, such a
//! file would undo what it does. A mark fills its line, and the line is a comment; what stands
//! behind SQL, in a string, or in a function's body marks nothing.
//!
//! | tool | up | down |
//! | --- | --- | --- |
//! | sql-migrate | `-- +migrate Up` | `-- +migrate Down` |
//! | goose | `-- +goose Up` | `-- +goose Down` |
//! | micrate | `-- +micrate Up` | `-- +micrate Down` |
//! | dbmate | `-- migrate:up` | `-- migrate:down` |
//! | rambler | `-- rambler up` | `-- rambler down` |
//! | node-pg-migrate | `-- Up Migration` | `-- Down Migration` |
//! | Play | `# --- !Ups` | `# --- !Downs` |
//! | tern | what stands before | `---- create above / drop below ----` |
//! | MyBatis Migrations | what stands before | `--//@UNDO` |

use super::script::{CommentLine, comment_lines};

/// A tool that keeps both ways in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    SqlMigrate,
    Goose,
    Micrate,
    Dbmate,
    Rambler,
    NodePgMigrate,
    Play,
    Tern,
    MyBatis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Up(Tool),
    Down(Tool),
    /// It looks like the mark of a way back, and is none that is known.
    Doubtful,
}

/// Why a file's ways cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum MarkFault {
    #[error(
        "line {line} looks as if the way back began there, and is no mark that is known: move what \
         follows to a .down.sql, or word the comment otherwise"
    )]
    Doubtful { line: usize },
    #[error(
        "line {line} marks a way that an earlier line marks already, or marks it for another tool"
    )]
    Again { line: usize },
    #[error("line {line} is SQL before the mark of the way up, so it belongs to neither way")]
    Before { line: usize },
    #[error("line {line} begins another way, in a file that is the way back by its name")]
    InDown { line: usize },
}

/// The parts of a file. Each has line ends in place of what is not its own before it, so that lines
/// keep their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways {
    pub up: String,
    /// `None` where the file holds one way only.
    pub down: Option<String>,
}

/// Takes a file apart that is the way up by its name.
pub(super) fn split(text: &str) -> Result<Option<Ways>, MarkFault> {
    let comments = comment_lines(text);
    let mut marks: Vec<(CommentLine<'_>, bool, Tool)> = Vec::new();
    for comment in &comments.lines {
        let line = comment.line;
        match mark(comment.text) {
            None => {}
            // Where nothing follows, nothing would be run.
            Some(Mark::Doubtful) if comment.statements_before == comments.statements => {}
            Some(Mark::Doubtful) => return Err(MarkFault::Doubtful { line }),
            Some(found @ (Mark::Up(tool) | Mark::Down(tool))) => {
                let is_up = matches!(found, Mark::Up(_));
                let fits = |(_, up, other): &(_, bool, Tool)| *up != is_up && *other == tool;
                if !marks.iter().all(fits) {
                    return Err(MarkFault::Again { line });
                }
                marks.push((*comment, is_up, tool));
            }
        }
    }
    let Some((first, first_is_up, tool)) = marks.first().copied() else {
        return Ok(None);
    };
    let marked_up = marks.iter().any(|(_, up, _)| *up);
    if marked_up && first.statements_before > 0 {
        let line = comments.first_statement.unwrap_or(1);
        return Err(MarkFault::Before { line });
    }
    let second = marks.get(1).map_or(text.len(), |(mark, _, _)| mark.begin);
    let parts = (
        part(text, first.begin, second),
        part(text, second, text.len()),
    );
    let (up, down) = match (first_is_up, marked_up) {
        (true, _) => (
            text[..second].to_owned(),
            (second < text.len()).then_some(parts.1),
        ),
        (false, true) => (parts.1, Some(parts.0)),
        (false, false) => (text[..first.begin].to_owned(), Some(parts.0)),
    };
    // Play writes a semicolon that ends no statement twice.
    let plain = |text: String| match tool {
        Tool::Play => text.replace(";;", ";"),
        _ => text,
    };
    Ok(Some(Ways {
        up: plain(without_hash_lines(up)),
        down: down.map(without_hash_lines).map(plain),
    }))
}

/// Looks at a file that is the way back by its name: a mark at its head says the same once more.
pub(super) fn check_down(text: &str) -> Result<(), MarkFault> {
    let comments = comment_lines(text);
    for comment in &comments.lines {
        let line = comment.line;
        let follows = comment.statements_before < comments.statements;
        match mark(comment.text) {
            Some(Mark::Up(_)) if follows => return Err(MarkFault::InDown { line }),
            Some(Mark::Down(_) | Mark::Doubtful) if follows && comment.statements_before > 0 => {
                return Err(MarkFault::InDown { line });
            }
            _ => {}
        }
    }
    Ok(())
}

fn part(text: &str, begin: usize, end: usize) -> String {
    let lines = text[..begin].matches('\n').count();
    "\n".repeat(lines) + &text[begin..end]
}

/// A line that begins with `#` is a comment to Play alone.
fn without_hash_lines(text: String) -> String {
    if !text.contains('#') {
        return text;
    }
    let marks = comment_lines(&text);
    let mut out = text.clone();
    for comment in marks.lines.iter().rev().filter(|c| c.text.starts_with('#')) {
        let at = comment.begin + text[comment.begin..].find('#').unwrap_or_default();
        out.replace_range(at..at + comment.text.len(), "");
    }
    out
}

/// What a line of comment says, with its `--`, `#` or `/* */`.
fn mark(comment: &str) -> Option<Mark> {
    let lower = comment.trim().to_ascii_lowercase();
    let is_line = !lower.starts_with("/*");
    let bare = lower.trim_start_matches(['-', '#', ' ', '\t']);
    let bare = bare.trim_end_matches(['-', ' ', '\t', '\r']);
    let words: Vec<&str> = bare.split_ascii_whitespace().collect();
    let known = match is_line {
        // MyBatis takes any such comment that holds the word, `//@UNDOnt` in OpenSRP's scripts among them.
        true if bare.starts_with("//") && bare.contains("@undo") => Some(Mark::Down(Tool::MyBatis)),
        true => known(&words),
        false => None,
    };
    match known {
        Some(found) => Some(found),
        None if names_a_tool(&words) || looks_like_one(&lower) => Some(Mark::Doubtful),
        None => None,
    }
}

fn known(words: &[&str]) -> Option<Mark> {
    let way = |word: &str, tool| match word {
        "up" => Some(Mark::Up(tool)),
        "down" => Some(Mark::Down(tool)),
        _ => None,
    };
    match *words {
        ["+migrate", word] | ["+migrate", word, "notransaction"] => way(word, Tool::SqlMigrate),
        ["+goose", word] => way(word, Tool::Goose),
        ["+micrate", word] => way(word, Tool::Micrate),
        ["rambler", word] => way(word, Tool::Rambler),
        [word, "migration"] => way(word, Tool::NodePgMigrate),
        ["create", "above", "/", "drop", "below"] => Some(Mark::Down(Tool::Tern)),
        ["@undo"] => Some(Mark::Down(Tool::MyBatis)),
        ["!ups"] => Some(Mark::Up(Tool::Play)),
        ["!downs"] => Some(Mark::Down(Tool::Play)),
        [word, ref options @ ..] if options.iter().all(|option| option.contains(':')) => {
            way(word.strip_prefix("migrate:")?, Tool::Dbmate)
        }
        _ => None,
    }
}

/// Whether a tool would take the line for a command of its own, and one that is not known here.
fn names_a_tool(words: &[&str]) -> bool {
    match *words {
        [
            "+goose" | "+migrate" | "+micrate",
            "statementbegin" | "statementend",
        ]
        | ["+goose", "no", "transaction"]
        | ["+goose", "envsub", "off"] => false,
        ["+goose" | "+migrate" | "+micrate", ..] => true,
        // node-pg-migrate asks for the first two words only.
        ["up" | "down", "migration", ..] | ["rambler", "up" | "down", ..] | ["rambler", _] => true,
        [word, ..] => {
            word.len() > "migrate:".len() && word.starts_with("migrate:") || names_a_way_back(word)
        }
        [] => false,
    }
}

/// `@down`, `//@rollback`, `!Downs`, and such a word with a few letters more or a slip of the finger at its end.
fn names_a_way_back(word: &str) -> bool {
    const LETTERS_MORE: usize = 3;
    let word = word.trim_start_matches('/');
    let Some(name) = word.strip_prefix(['@', '!', '+']) else {
        return false;
    };
    BACK.iter()
        .any(|back| name.starts_with(back) && name.len() <= back.len() + LETTERS_MORE)
}

/// Words of a way back; with the others alone they make a heading.
const BACK: [&str; 16] = [
    "down",
    "downs",
    "downgrade",
    "downward",
    "downwards",
    "undo",
    "undos",
    "rollback",
    "rollbacks",
    "revert",
    "reverts",
    "reverse",
    "backward",
    "backwards",
    "unapply",
    "teardown",
];

const BESIDES: [&str; 38] = [
    "migration",
    "migrations",
    "migrate",
    "script",
    "scripts",
    "sql",
    "section",
    "part",
    "step",
    "steps",
    "begin",
    "begins",
    "start",
    "starts",
    "here",
    "below",
    "above",
    "up",
    "way",
    "back",
    "the",
    "to",
    "this",
    "is",
    "for",
    "notransaction",
    "no",
    "transaction",
    "false",
    "true",
    "statement",
    "statements",
    "commands",
    "block",
    "changes",
    "change",
    "goose",
    "micrate",
];

fn looks_like_one(lower: &str) -> bool {
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let back = |word: &&str| BACK.contains(word);
    let heading = words.len() <= 6
        && words.iter().any(back)
        && words
            .iter()
            .all(|word| back(word) || BESIDES.contains(word));
    let split = ["create", "drop", "above", "below", "up", "down"];
    let parting = words.contains(&"drop")
        && words.contains(&"below")
        && words.iter().all(|word| split.contains(word));
    heading || parting
}

#[cfg(test)]
mod tests;
