//! Reads what CHECK constraints ask for, where it is simple.
//! Owns the few shapes that are understood: a list of words, a bound, two columns in order. What
//! is not understood is left to the names of the columns, and in the end to the database.

/// One thing a constraint asks for; columns by their number.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// One of these words.
    OneOf(usize, Vec<String>),
    /// At least, or at most.
    Least(usize, f64),
    Most(usize, f64),
    /// The first before the second; `true` where they must differ.
    Ordered(usize, usize, bool),
    /// So many bytes.
    Bytes(usize, usize),
    /// At least one of these is there.
    Any(Vec<usize>),
    /// Both are there, or neither.
    Both(usize, usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

/// The clauses in `CHECK (...)` as the server writes it.
pub fn clauses(text: &str, column: impl Fn(&str) -> Option<usize>) -> Vec<Clause> {
    let tokens = simplified(&tokens(text));
    let mut clauses = Vec::new();
    // `a AND b` asks for both; in `a IS NULL OR b` what counts is b.
    for part in split(&tokens, &["and", "or"]) {
        clauses.extend(clause(part, &column));
    }
    clauses
}

fn clause(part: &[Token], column: &impl Fn(&str) -> Option<usize>) -> Vec<Clause> {
    use Token::{Sign, Text, Word};
    let named = |token: &Token| match token {
        Word(word) => column(word),
        _ => None,
    };
    let number = |token: &Token| match token {
        Word(word) | Text(word) => word.parse::<f64>().ok(),
        Sign(_) => None,
    };
    match part {
        [length, of, Sign(sign), size]
            if matches!(length, Word(w) if w == "octet_length" || w == "length") && sign == "=" =>
        {
            named(of)
                .zip(number(size))
                .map(|(of, size)| Clause::Bytes(of, size as usize))
                .into_iter()
                .collect()
        }
        [left, Sign(sign), Word(any), Word(array), rest @ ..]
            if sign == "=" && any == "any" && array == "array" =>
        {
            let words = rest.iter().filter_map(|token| match token {
                Text(text) => Some(text.clone()),
                _ => None,
            });
            named(left)
                .map(|left| Clause::OneOf(left, words.collect()))
                .into_iter()
                .collect()
        }
        [Word(nonnulls), of @ .., Sign(sign), least]
            if nonnulls == "num_nonnulls" && sign == ">=" && number(least) == Some(1.0) =>
        {
            vec![Clause::Any(of.iter().filter_map(named).collect())]
        }
        [
            left,
            Word(is),
            Word(null),
            Sign(sign),
            right,
            Word(also),
            Word(too),
        ] if [is, also].iter().all(|word| *word == "is")
            && [null, too].iter().all(|word| *word == "null")
            && sign == "=" =>
        {
            let both = named(left).zip(named(right));
            both.map(|(left, right)| Clause::Both(left, right))
                .into_iter()
                .collect()
        }
        [left, Sign(sign), right] => compared(left, sign, right, &named, &number),
        _ => Vec::new(),
    }
}

fn compared(
    left: &Token,
    sign: &str,
    right: &Token,
    named: &impl Fn(&Token) -> Option<usize>,
    number: &impl Fn(&Token) -> Option<f64>,
) -> Vec<Clause> {
    let strict = !sign.ends_with('=');
    let found = match (named(left), named(right), number(left), number(right)) {
        (Some(left), Some(right), ..) if sign.starts_with('<') => {
            Some(Clause::Ordered(left, right, strict))
        }
        (Some(left), Some(right), ..) if sign.starts_with('>') => {
            Some(Clause::Ordered(right, left, strict))
        }
        (Some(left), None, _, Some(bound)) if sign.starts_with('>') => {
            Some(Clause::Least(left, bound + f64::from(u8::from(strict))))
        }
        (Some(left), None, _, Some(bound)) if sign.starts_with('<') && sign != "<>" => {
            Some(Clause::Most(left, bound - f64::from(u8::from(strict))))
        }
        _ => None,
    };
    found.into_iter().collect()
}

/// Without parentheses, brackets, commas and casts: none of the shapes needs them.
fn simplified(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = tokens.iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            Token::Sign(sign) if sign == "::" => {
                // The type: one word or several, perhaps with a size.
                while let Some(Token::Word(word)) = rest.peek() {
                    let of_type = [
                        "text",
                        "character",
                        "varying",
                        "numeric",
                        "integer",
                        "bigint",
                        "smallint",
                        "double",
                        "precision",
                        "date",
                        "timestamp",
                        "time",
                        "with",
                        "without",
                        "zone",
                        "interval",
                        "real",
                    ];
                    if !of_type.contains(&word.as_str()) {
                        break;
                    }
                    rest.next();
                }
            }
            Token::Sign(sign) if ["(", ")", "[", "]", ","].contains(&sign.as_str()) => {}
            Token::Word(word) if word == "check" => {}
            other => out.push(other.clone()),
        }
    }
    out
}

fn split<'a>(tokens: &'a [Token], at: &[&str]) -> Vec<&'a [Token]> {
    tokens
        .split(|token| matches!(token, Token::Word(word) if at.contains(&word.as_str())))
        .collect()
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => {
                let mut word = String::new();
                while let Some(inner) = rest.next() {
                    if inner == c && rest.next_if_eq(&c).is_none() {
                        break;
                    }
                    word.push(inner);
                }
                out.push(if c == '"' {
                    Token::Word(word)
                } else {
                    Token::Text(word)
                });
            }
            c if c.is_alphanumeric()
                || c == '_'
                || c == '-' && rest.peek().is_some_and(char::is_ascii_digit) =>
            {
                let mut word = c.to_lowercase().to_string();
                while let Some(next) =
                    rest.next_if(|n| n.is_alphanumeric() || *n == '_' || *n == '.')
                {
                    word.push(next.to_ascii_lowercase());
                }
                out.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c if "<>=:!~".contains(c) => {
                let mut sign = c.to_string();
                while let Some(next) = rest.next_if(|n| "<>=:!~".contains(*n)) {
                    sign.push(next);
                }
                out.push(Token::Sign(sign));
            }
            other => out.push(Token::Sign(other.to_string())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Clause> {
        clauses(text, |name| {
            ["a", "b", "c"].iter().position(|known| *known == name)
        })
    }

    #[test]
    fn words_bounds_and_orders_are_understood() {
        assert_eq!(
            read(
                "CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'it''s'::character varying])::text[])))"
            ),
            [Clause::OneOf(0, vec!["x".to_owned(), "it's".to_owned()])]
        );
        assert_eq!(
            read("CHECK (((a >= (0)::numeric) AND (a <= (100)::numeric)))"),
            [Clause::Least(0, 0.0), Clause::Most(0, 100.0)]
        );
        assert_eq!(
            read("CHECK (((b IS NULL) OR (a IS NULL) OR (b >= a)))"),
            [Clause::Ordered(0, 1, false)]
        );
        assert_eq!(read("CHECK ((a < b))"), [Clause::Ordered(0, 1, true)]);
        assert_eq!(
            read("CHECK ((octet_length(c) = 32))"),
            [Clause::Bytes(2, 32)]
        );
        assert_eq!(read("CHECK ((a > 0))"), [Clause::Least(0, 1.0)]);
        assert_eq!(
            read("CHECK ((num_nonnulls(a, b) >= 1))"),
            [Clause::Any(vec![0, 1])]
        );
        assert_eq!(
            read("CHECK (((a IS NULL) = (b IS NULL)))"),
            [Clause::Both(0, 1)]
        );
    }

    #[test]
    fn what_is_not_understood_asks_for_nothing() {
        assert_eq!(read("CHECK ((a IS NOT NULL))"), []);
        assert_eq!(read("CHECK (((a)::text ~ '^[a-z]+$'::text))"), []);
        assert_eq!(read("CHECK ((a >= (b + '6 years'::interval)))"), []);
    }
}
