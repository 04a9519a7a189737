//! What an application does with sealed columns: open values, and find a row by its blind index.
//! Owns the comparison of every value with the student it was made from. Shares nothing with
//! `phiseal verify` but the opening itself; in-place plaintext is gone, so the students are made
//! again. Shows values only because all of them are made up.

use std::sync::Arc;

use rayon::prelude::*;

use super::school::{School, SealedStudent, Student};
use super::stage::Stage;
use super::story::INDENT;
use super::students::student;
use crate::cli::columns::{Column, Cut, table};
use crate::cli::screen;
use crate::crypto::{IndexSpec, Normaliser};
use crate::error::Fault;
use crate::keys::Keyring;
use crate::sealer::{Field, Opener, Plaintext, Sealer, ValueError};

/// Students in one page.
const PAGE: i64 = 5_000;
/// Characters of a value that are shown.
const SHOWN: usize = 44;

/// The four columns, as an application has them.
pub struct Reader {
    date_of_birth: Opener,
    ssn: Opener,
    ssn_index: Sealer,
    guardian_phone: Opener,
    medical_notes: Opener,
}

/// How many values were what they should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    pub identical: u64,
    pub failed: u64,
}

impl Compared {
    fn add(self, other: Self) -> Self {
        Self {
            identical: self.identical + other.identical,
            failed: self.failed + other.failed,
        }
    }
}

impl Reader {
    pub fn new(keyring: &Arc<Keyring>, table_label: &str) -> Result<Self, Fault> {
        let spec = IndexSpec::new(Normaliser::Digits, 256).map_err(|_| ValueError::NoBlindIndex)?;
        let opener = |column| Opener::new(Arc::clone(keyring), Field::new(table_label, column));
        let ssn = Field::new(table_label, "ssn").blind_index(spec);
        Ok(Self {
            date_of_birth: opener("date_of_birth"),
            ssn: opener("ssn"),
            ssn_index: Sealer::new(Arc::clone(keyring), ssn),
            guardian_phone: opener("guardian_phone"),
            medical_notes: opener("medical_notes"),
        })
    }

    /// Opens every value of every row and compares it, byte for byte, with what was written.
    pub async fn compare(&self, stage: &Stage, rows: i64) -> Result<Compared, Fault> {
        let mut school = stage.school().await?;
        let mut compared = Compared::default();
        let mut next = 1;
        loop {
            let page = school.page(next - 1, PAGE).await?;
            let Some(last) = page.last().map(|student| student.id) else {
                break;
            };
            let here = tokio::task::block_in_place(|| self.compare_page(next, last, &page));
            compared = compared.add(here);
            next = last + 1;
        }
        school.close().await;
        // Rows that are gone from the end.
        Ok(compared.add(self.compare_page(next, rows, &[])))
    }

    /// Compares the students `first..=last` with those of them that were found.
    fn compare_page(&self, first: i64, last: i64, page: &[SealedStudent]) -> Compared {
        (first..=last)
            .into_par_iter()
            .map(|id| {
                let found = page.binary_search_by_key(&id, |student| student.id);
                let found = found.ok().and_then(|at| page.get(at));
                self.compare_student(&student(id), found)
            })
            .reduce(Compared::default, Compared::add)
    }

    fn compare_student(&self, written: &Student, found: Option<&SealedStudent>) -> Compared {
        let opened = self.open(written.id, found);
        let mut compared = Compared::default();
        for ((_, _, opened), written) in opened.iter().zip(plain(written)) {
            match (written, opened) {
                (None, Opened::Nothing) => {}
                (Some(written), Opened::Value(opened)) if written == opened => {
                    compared.identical += 1;
                }
                _ => compared.failed += 1,
            }
        }
        let index = written
            .ssn
            .as_ref()
            .map(|ssn| self.ssn_index.blind_index("", ssn));
        let index = index.transpose().map(Option::flatten);
        let stored = found.and_then(|found| found.ssn_index.as_ref());
        if !index.is_ok_and(|index| index.as_ref() == stored) {
            compared.failed += 1;
        }
        compared
    }

    /// Column, what is stored, and what it opens to.
    fn open(&self, id: i64, found: Option<&SealedStudent>) -> [(&'static str, Stored, Opened); 4] {
        let bytes = |opener: &Opener, sealed: Option<&Vec<u8>>| {
            let opened = Opened::of(sealed.map(|sealed| opener.open("", id, sealed)));
            (Stored::Bytes(sealed.cloned()), opened)
        };
        let in_place = found.and_then(|found| found.guardian_phone.as_ref());
        let phone = in_place.map(|sealed| self.guardian_phone.open("", id, sealed.as_bytes()));
        let (date_of_birth, date_opened) = bytes(
            &self.date_of_birth,
            found.and_then(|found| found.date_of_birth.as_ref()),
        );
        let (ssn, ssn_opened) = bytes(&self.ssn, found.and_then(|found| found.ssn.as_ref()));
        let (notes, notes_opened) = bytes(
            &self.medical_notes,
            found.and_then(|found| found.medical_notes.as_ref()),
        );
        [
            ("date_of_birth", date_of_birth, date_opened),
            ("ssn", ssn, ssn_opened),
            (
                "guardian_phone",
                Stored::Text(in_place.cloned()),
                Opened::of(phone),
            ),
            ("medical_notes", notes, notes_opened),
        ]
    }

    /// One student, as stored and as opened.
    pub async fn show(&self, school: &mut School, id: i64) -> Result<String, Fault> {
        let page = school.page(id - 1, 1).await?;
        let rows: Vec<Vec<String>> = self
            .open(id, page.first())
            .into_iter()
            .map(|(column, stored, opened)| vec![column.to_owned(), stored.shown(), opened.shown()])
            .collect();
        let columns = [
            Column::always("COLUMN", Cut::Middle),
            Column::always("STORED", Cut::End),
            Column::always("OPENED", Cut::End),
        ];
        let width = screen::columns().map(|width| width.saturating_sub(INDENT.len()));
        Ok(table(&columns, &rows, width))
    }

    /// Finds a student by number, however it is typed: the query, and the rows it returns.
    pub async fn find(
        &self,
        school: &mut School,
        typed: &str,
    ) -> Result<(String, Vec<(i64, String, String)>), Fault> {
        let index = self.ssn_index.blind_index("", typed)?.unwrap_or_default();
        let sql = school.find_sql();
        let rows = school.find(&index).await?;
        let shown = shortened(&hex::encode(index), 16);
        Ok((format!("{sql}   -- $1 = {shown}"), rows))
    }
}

fn plain(student: &Student) -> [Option<&str>; 4] {
    [
        Some(&student.date_of_birth),
        student.ssn.as_deref(),
        student.guardian_phone.as_deref(),
        student.medical_notes.as_deref(),
    ]
}

enum Stored {
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
}

impl Stored {
    fn shown(&self) -> String {
        let (text, bytes) = match self {
            Self::Bytes(Some(sealed)) => (hex::encode(sealed), sealed.len()),
            Self::Text(Some(sealed)) => (sealed.clone(), sealed.len()),
            Self::Bytes(None) | Self::Text(None) => return "NULL".to_owned(),
        };
        format!("{} {bytes} bytes", shortened(&text, 22))
    }
}

enum Opened {
    Nothing,
    Value(String),
    Not,
}

impl Opened {
    fn of(opened: Option<Result<Plaintext, ValueError>>) -> Self {
        match opened.map(|opened| opened?.text().map(str::to_owned)) {
            None => Self::Nothing,
            Some(Ok(text)) => Self::Value(text),
            Some(Err(_)) => Self::Not,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Nothing => "NULL".to_owned(),
            Self::Value(value) => shortened(value, SHOWN),
            Self::Not => "does not open".to_owned(),
        }
    }
}

fn shortened(value: &str, chars: usize) -> String {
    match value.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// A student whom it is worth looking at: all four values, a name that is not plain ASCII.
pub fn model(rows: i64) -> Option<Student> {
    let full = |student: &Student| {
        let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        !student.first_name.is_ascii()
            && student.last_name.contains('\'')
            && student.ssn.as_deref().is_some_and(|ssn| ssn.contains('-'))
            && text(&student.guardian_phone)
            && text(&student.medical_notes)
    };
    (rows / 2..=rows).chain(1..=rows).map(student).find(full)
}
