//! The tests of a form as SQL. Owns what is the same in both databases; every text in it is quoted by the dialect.

use super::{Form, Test};

/// How a database matches texts.
pub(crate) trait FormDialect {
    /// Whether `text` looks like a picture, as [`Test::Like`] says.
    fn like(&self, text: &str, picture: &str) -> String;

    /// Whether `text` has only characters of the set, and at least one.
    fn only(&self, text: &str, set: &str) -> String;

    /// The day so many years before today, as `YYYY-MM-DD`.
    fn years_ago(&self, years: u32) -> String;
}

/// The counts of one column, whose text is `text`: values, different values, and those of each form.
pub(crate) fn columns(dialect: &impl FormDialect, text: &str) -> Vec<String> {
    let all = [format!("count({text})"), format!("count(DISTINCT {text})")];
    let forms = Form::ALL.iter().map(|form| {
        let passes = condition(dialect, text, form.test());
        format!("count(*) FILTER (WHERE {passes})")
    });
    all.into_iter().chain(forms).collect()
}

fn condition(dialect: &impl FormDialect, text: &str, test: &Test) -> String {
    let length = |text: &str| format!("length({text})");
    let others = || length(&without_digits(text));
    let between =
        |count: String, least: &u32, most: &u32| format!("({count} BETWEEN {least} AND {most})");
    let joined = |tests: &[Test], word: &str| {
        let parts: Vec<String> = (tests.iter())
            .map(|test| condition(dialect, text, test))
            .collect();
        format!("({})", parts.join(word))
    };
    match test {
        Test::Like(picture) => dialect.like(text, picture),
        Test::Only(set) => dialect.only(text, set),
        Test::Digits(least, most) => {
            between(format!("{} - {}", length(text), others()), least, most)
        }
        Test::Others(least, most) => between(others(), least, most),
        Test::Length(least, most) => between(length(text), least, most),
        Test::Has(character, least, most) => {
            let without = length(&format!("replace({text}, '{character}', '')"));
            between(format!("{} - {without}", length(text)), least, most)
        }
        Test::DayBefore(years) => format!(
            "({} AND substr({text}, 1, 10) BETWEEN '1900-01-01' AND {})",
            dialect.like(text, "9999-99-99*"),
            dialect.years_ago(*years)
        ),
        Test::Not(test) => format!("(NOT {})", condition(dialect, text, test)),
        Test::All(tests) => joined(tests, " AND "),
        Test::Any(tests) => joined(tests, " OR "),
    }
}

fn without_digits(text: &str) -> String {
    (0..10).fold(text.to_owned(), |inner, digit| {
        format!("replace({inner}, '{digit}', '')")
    })
}
