//! A row as a record of CSV (RFC 4180), as `COPY ... CSV HEADER` of PostgreSQL writes it: NULL is an empty
//! field without quotes, the empty text is `""`.
//! Fields that are not worked on keep their text.

use std::borrow::Cow;

use super::error::{ValuesError, no_column, not_a_row};
use super::row::{Cell, Given, MARK, Row};

/// The first record: the names of the columns.
pub struct Header {
    names: Vec<String>,
    /// Whether each row that is written ends with the code of its error.
    marks: bool,
}

/// A record under its header.
pub struct CsvRow<'a> {
    header: &'a Header,
    fields: Vec<Field<'a>>,
}

/// One field as it is written, and its text.
struct Field<'a> {
    raw: &'a str,
    text: Option<Cow<'a, str>>,
}

impl Header {
    /// Reads the header. Each of `needed` must be among its names.
    ///
    /// # Errors
    /// A name is missing, or there twice.
    pub fn read(record: &str, needed: &[&str], marks: bool) -> Result<Self, ValuesError> {
        let fields = fields(record)?;
        let names: Vec<String> = (fields.into_iter())
            .map(|field| field.text.unwrap_or_default().into_owned())
            .collect();
        if let Some(name) = needed
            .iter()
            .find(|name| !names.iter().any(|one| one == *name))
        {
            return Err(no_column(name));
        }
        let twice = |name: &&String| names.iter().filter(|one| one == name).count() > 1;
        match names.iter().find(twice) {
            Some(name) => Err(not_a_row(format!("it has the column {name} twice"))),
            None => Ok(Self { names, marks }),
        }
    }

    /// Appends the header of the output: `results` in the place of `source`.
    pub fn write(&self, source: &str, results: &[&str], out: &mut Vec<u8>) {
        let mut record = Output::begin(out);
        for name in &self.names {
            if name == source {
                results.iter().for_each(|name| record.text(Some(name)));
            } else if self.is_kept(name, results) {
                record.text(Some(name));
            }
        }
        if self.marks {
            record.text(Some(MARK));
        }
        record.end();
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It has another number of fields, or a quote that is out of place.
    pub fn row<'a>(&'a self, record: &'a str) -> Result<CsvRow<'a>, ValuesError> {
        let fields = fields(record)?;
        let (found, expected) = (fields.len(), self.names.len());
        match found == expected {
            true => Ok(CsvRow {
                header: self,
                fields,
            }),
            false => Err(not_a_row(format!(
                "it has {found} fields, and the header {expected}"
            ))),
        }
    }

    /// Appends the record of a line that is no row.
    pub fn write_mark(&self, source: &str, results: &[&str], code: &str, out: &mut Vec<u8>) {
        let mut record = Output::begin(out);
        for name in &self.names {
            let cells = match name == source {
                true => results.len(),
                false => usize::from(self.is_kept(name, results)),
            };
            (0..cells).for_each(|_| record.text(None));
        }
        record.text(Some(code));
        record.end();
    }

    /// Whether the output keeps a column, which is not the source.
    fn is_kept(&self, name: &str, results: &[&str]) -> bool {
        let is_result = results.contains(&name) || self.marks && name == MARK;
        !is_result
    }
}

impl Row for CsvRow<'_> {
    fn get(&self, column: &str) -> Result<Option<Given<'_>>, ValuesError> {
        let at = self.header.names.iter().position(|name| name == column);
        let field = at.and_then(|at| self.fields.get(at));
        Ok(field.map(|field| match &field.text {
            Some(text) => Given::Text(Cow::Borrowed(text)),
            None => Given::Null,
        }))
    }

    fn write(&self, source: &str, results: &[Cell], failed: Option<&str>, out: &mut Vec<u8>) {
        let names: Vec<&str> = results.iter().map(|(name, _)| name.as_str()).collect();
        let mut record = Output::begin(out);
        for (name, field) in self.header.names.iter().zip(&self.fields) {
            if name == source {
                for (_, text) in results {
                    record.text(text.as_ref().map(|text| text.as_str()));
                }
            } else if self.header.is_kept(name, &names) {
                record.raw(field.raw);
            }
        }
        if self.header.marks {
            record.text(failed);
        }
        record.end();
    }
}

/// The fields of a record, without its end of line.
fn fields(record: &str) -> Result<Vec<Field<'_>>, ValuesError> {
    let mut fields = Vec::new();
    let mut rest = record;
    loop {
        let (field, after) = match rest.starts_with('"') {
            true => quoted(rest)?,
            false => bare(rest)?,
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

fn bare(rest: &str) -> Result<(Field<'_>, &str), ValuesError> {
    let (raw, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
    if raw.contains('"') {
        return Err(not_a_row("it has a quote within a field without quotes"));
    }
    let text = (!raw.is_empty()).then_some(Cow::Borrowed(raw));
    Ok((Field { raw, text }, after))
}

fn quoted(rest: &str) -> Result<(Field<'_>, &str), ValuesError> {
    let body = &rest[1..];
    let mut from = 0;
    loop {
        let Some(at) = body[from..].find('"').map(|at| from + at) else {
            return Err(not_a_row("a quote is opened and not closed"));
        };
        if body[at + 1..].starts_with('"') {
            from = at + 2;
            continue;
        }
        let (text, after) = (&body[..at], &body[at + 1..]);
        if !(after.is_empty() || after.starts_with(',')) {
            return Err(not_a_row("a quoted field goes on after its quote"));
        }
        let text = match text.contains('"') {
            true => Cow::Owned(text.replace("\"\"", "\"")),
            false => Cow::Borrowed(text),
        };
        let raw = &rest[..at + 2];
        return Ok((
            Field {
                raw,
                text: Some(text),
            },
            after,
        ));
    }
}

/// A record that is being written.
struct Output<'a> {
    out: &'a mut Vec<u8>,
    fields: usize,
}

impl<'a> Output<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        Self { out, fields: 0 }
    }

    fn end(self) {
        self.out.push(b'\n');
    }

    fn raw(&mut self, raw: &str) {
        if self.fields > 0 {
            self.out.push(b',');
        }
        self.fields += 1;
        self.out.extend_from_slice(raw.as_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        self.raw("");
        let Some(text) = text else { return };
        let plain = |c: char| !matches!(c, ',' | '"' | '\n' | '\r');
        // `\.` alone would end a COPY.
        if !text.is_empty() && text.chars().all(plain) && text != "\\." {
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        self.out.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(byte);
        }
        self.out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn cells(names: [&str; 2], texts: [Option<&str>; 2]) -> Vec<Cell> {
        let text = |text: Option<&str>| text.map(|text| Zeroizing::new(text.to_owned()));
        names
            .iter()
            .zip(texts)
            .map(|(name, one)| ((*name).to_owned(), text(one)))
            .collect()
    }

    #[test]
    fn null_and_the_empty_text_are_told_apart_both_ways() {
        let header = Header::read("id,a,b,c", &["id", "a"], false).unwrap();
        let row = header.row("1,,\"\",\"x,\"\"y\"\"\nz\"").unwrap();
        assert!(row.get("a").unwrap() == Some(Given::Null));
        assert!(row.get("b").unwrap() == Some(Given::Text("".into())));
        assert!(row.get("c").unwrap() == Some(Given::Text("x,\"y\"\nz".into())));
        assert!(row.get("d").unwrap().is_none());
        let results = cells(["p", "q"], [None, Some("")]);
        let mut out = Vec::new();
        row.write("a", &results, None, &mut out);
        assert_eq!(out, b"1,,\"\",\"\",\"x,\"\"y\"\"\nz\"\n");
    }

    #[test]
    fn results_take_the_place_of_their_source_and_columns_of_their_names_go() {
        let header = Header::read("ssn,id,ssn_sealed", &["id"], true).unwrap();
        let mut out = Vec::new();
        header.write("ssn_sealed", &["ssn", "x"], &mut out);
        let row = header.row("old,7,sealed").unwrap();
        row.write(
            "ssn_sealed",
            &cells(["ssn", "x"], [Some("a\"b"), None]),
            None,
            &mut out,
        );
        row.write(
            "ssn_sealed",
            &cells(["ssn", "x"], [None, None]),
            Some("E0323"),
            &mut out,
        );
        header.write_mark("ssn_sealed", &["ssn", "x"], "E0155", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "id,ssn,x,phiseal_error\n7,\"a\"\"b\",,\n7,,,E0323\n,,,E0155\n"
        );
    }

    #[test]
    fn what_is_no_record_is_refused_and_not_repeated() {
        let header = Header::read("id,a", &[], false).unwrap();
        for record in ["123", "123,4,5", "123,\"4", "123,\"4\"5", "12\"3,4"] {
            let Err(refused) = header.row(record) else {
                panic!("{record} was read");
            };
            assert!(!refused.to_string().contains("123"), "{refused}");
        }
        assert!(Header::read("id,id", &[], false).is_err());
        assert!(Header::read("id,b", &["a"], false).is_err());
    }

    #[test]
    fn another_library_reads_what_is_written() {
        let texts = ["a,b", "a\"b", "a\r\nb", "", " x ", "\\."];
        for text in texts {
            let mut out = Vec::new();
            let mut record = Output::begin(&mut out);
            record.text(Some("1"));
            record.text(Some(text));
            record.end();
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(out.as_slice());
            let read = reader.records().next().unwrap().unwrap();
            assert_eq!(&read[1], text);
        }
    }
}
