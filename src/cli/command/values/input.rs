//! Rows from stdin: cut into records by a thread of its own, a bounded number of them in memory.
//! Owns which format it is and where a record ends. What a record says is in `json_row` and `csv_row`.

use std::io::{self, BufRead, BufReader, Read};

use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Work;
use super::csv_row::Header;
use super::error::{ValuesError, not_a_row};
use super::json_row;
use super::row::Row;
use super::target::Target;

/// The most bytes of one record.
const RECORD_BYTES_MAX: usize = 64 << 20;
/// The most records and bytes of a batch; one more record may be in it.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;
/// How many batches wait.
const BATCHES: usize = 2;

/// A record, without its end of line.
pub struct Record {
    /// The line it begins on, from 1.
    pub line: u64,
    /// What it is.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Records in a row, all of one format.
pub struct Batch {
    pub is_csv: bool,
    pub records: Vec<Record>,
}

/// How rows are read and written.
pub enum Format {
    Json,
    /// The header, once it was read.
    Csv(Option<Header>),
}

/// Begins to read stdin.
pub fn start() -> mpsc::Receiver<Result<Batch, ValuesError>> {
    let (send, receive) = mpsc::channel(BATCHES);
    std::thread::spawn(move || read(io::stdin(), &send));
    receive
}

/// The whole of stdin, which is one value in UTF-8; one end of line at its end is not part of it.
///
/// # Errors
/// It cannot be read, is too long, or is not UTF-8.
pub fn whole() -> Result<Zeroizing<String>, ValuesError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = RECORD_BYTES_MAX as u64 + 1;
    let read = io::stdin().lock().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&error))?;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(too_long());
    }
    without_end(&mut bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| not_a_row("the value is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl Format {
    pub fn of(batch: &Batch) -> Self {
        match batch.is_csv {
            true => Self::Csv(None),
            false => Self::Json,
        }
    }

    /// Reads a record. The header of a CSV is no row: that of the output is appended to `out`.
    ///
    /// # Errors
    /// It is no row.
    pub fn read<'a>(
        &'a mut self,
        record: &'a Record,
        target: &Target,
        work: Work,
        marks: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<Box<dyn Row + 'a>>, ValuesError> {
        let header = match self {
            Self::Json => return Ok(Some(Box::new(json_row::read(&record.bytes)?))),
            Self::Csv(header) => header,
        };
        let text = std::str::from_utf8(&record.bytes).map_err(|_| not_a_row("it is not UTF-8"))?;
        match header {
            Some(header) => Ok(Some(Box::new(header.row(text)?))),
            None => {
                let read = Header::read(text, &target.needs(work), marks)?;
                read.write(target.source(work), &target.results(work), out);
                *header = Some(read);
                Ok(None)
            }
        }
    }

    /// Whether the header of a CSV is still missing: without it no row can be read.
    pub fn lacks_header(&self) -> bool {
        matches!(self, Self::Csv(None))
    }

    /// Appends a row that failed: without its value, and with the code of its error.
    pub fn write_failed(
        &self,
        record: &Record,
        target: &Target,
        work: Work,
        code: &str,
        out: &mut Vec<u8>,
    ) {
        let (source, names) = (target.source(work), target.results(work));
        let nothing: Vec<_> = names
            .iter()
            .map(|name| ((*name).to_owned(), None))
            .collect();
        match self {
            Self::Json => match json_row::read(&record.bytes) {
                Ok(row) => row.write(source, &nothing, Some(code), out),
                Err(_) => json_row::write_mark(code, out),
            },
            Self::Csv(Some(header)) => {
                let text = std::str::from_utf8(&record.bytes).unwrap_or_default();
                match header.row(text) {
                    Ok(row) => row.write(source, &nothing, Some(code), out),
                    Err(_) => header.write_mark(source, &names, code, out),
                }
            }
            Self::Csv(None) => {}
        }
    }
}

/// Cuts the input into batches of records. A batch goes on its way early if nothing more is there to be
/// read at once, so that a slow writer sees its rows come out.
fn read(input: impl Read, send: &mpsc::Sender<Result<Batch, ValuesError>>) {
    let mut reader = Reader {
        input: BufReader::with_capacity(BATCH_BYTES, input),
        line: 1,
        is_csv: false,
    };
    let mut more = reader.begin();
    while let Ok(true) = more {
        let mut records = Vec::new();
        let mut bytes = 0;
        loop {
            match reader.record() {
                Ok(Some(record)) => {
                    bytes += record.bytes.len();
                    records.push(record);
                }
                Ok(None) => more = Ok(false),
                Err(error) => more = Err(error),
            }
            let full = records.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES;
            if full || !matches!(more, Ok(true)) || reader.input.buffer().is_empty() {
                break;
            }
        }
        let is_csv = reader.is_csv;
        if !records.is_empty() && send.blocking_send(Ok(Batch { is_csv, records })).is_err() {
            return;
        }
    }
    if let Err(error) = more {
        // Nobody may be there to hear it.
        let _ = send.blocking_send(Err(error));
    }
}

struct Reader<R> {
    input: BufReader<R>,
    line: u64,
    is_csv: bool,
}

impl<R: Read> Reader<R> {
    /// Passes over a byte order mark and blank lines, and looks what begins; `false` at the end.
    fn begin(&mut self) -> Result<bool, ValuesError> {
        loop {
            let buffer = self.input.fill_buf().map_err(|error| unreadable(&error))?;
            let blank = match buffer {
                [] => return Ok(false),
                [0xef, 0xbb, 0xbf, ..] if self.line == 1 => 3,
                [b'\n' | b'\r' | b' ' | b'\t', ..] => 1,
                [first, ..] => {
                    self.is_csv = *first != b'{';
                    return Ok(true);
                }
            };
            self.line += u64::from(buffer.first() == Some(&b'\n'));
            self.input.consume(blank);
        }
    }

    /// The next record; blank ones are passed over.
    fn record(&mut self) -> Result<Option<Record>, ValuesError> {
        loop {
            let line = self.line;
            let mut bytes = Zeroizing::new(Vec::new());
            let ended = self.fill(&mut bytes)?;
            without_end(&mut bytes);
            if !bytes.is_empty() {
                return Ok(Some(Record { line, bytes }));
            }
            if ended {
                return Ok(None);
            }
        }
    }

    /// Appends what is left of a record; whether the input ended.
    fn fill(&mut self, bytes: &mut Zeroizing<Vec<u8>>) -> Result<bool, ValuesError> {
        let mut in_quotes = false;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(&error)),
            };
            if buffer.is_empty() {
                return Ok(true);
            }
            let mut end = None;
            for (at, byte) in buffer.iter().enumerate() {
                match byte {
                    b'"' if self.is_csv => in_quotes = !in_quotes,
                    b'\n' => {
                        self.line += 1;
                        if !in_quotes {
                            end = Some(at + 1);
                            break;
                        }
                    }
                    _ => {}
                }
            }
            let taken = end.unwrap_or(buffer.len());
            if bytes.len() + taken > RECORD_BYTES_MAX {
                return Err(too_long());
            }
            bytes.extend_from_slice(&buffer[..taken]);
            self.input.consume(taken);
            if end.is_some() {
                return Ok(false);
            }
        }
    }
}

/// Takes off one end of line.
fn without_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

fn unreadable(error: &io::Error) -> ValuesError {
    ValuesError::Input { kind: error.kind() }
}

fn too_long() -> ValuesError {
    ValuesError::Input {
        kind: io::ErrorKind::FileTooLarge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(input: &[u8]) -> (bool, Vec<(u64, String)>) {
        let (send, mut receive) = mpsc::channel(1000);
        read(input, &send);
        drop(send);
        let (mut is_csv, mut found) = (false, Vec::new());
        while let Some(batch) = receive.blocking_recv() {
            let batch = batch.unwrap();
            is_csv = batch.is_csv;
            found.extend(batch.records.into_iter().map(|record| {
                (
                    record.line,
                    String::from_utf8(record.bytes.to_vec()).unwrap(),
                )
            }));
        }
        (is_csv, found)
    }

    fn found(all: &[(u64, &str)]) -> Vec<(u64, String)> {
        all.iter()
            .map(|(line, text)| (*line, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn objects_are_cut_at_each_line_and_blank_lines_are_counted() {
        let input = b"\n{\"a\":\"\\\"\"}\r\n\n{\"a\":2}";
        let expected = found(&[(2, "{\"a\":\"\\\"\"}"), (4, "{\"a\":2}")]);
        assert_eq!(records(input), (false, expected));
        assert_eq!(records(b""), (false, Vec::new()));
        assert_eq!(records(b" \n\n"), (false, Vec::new()));
    }

    #[test]
    fn records_of_csv_may_go_over_several_lines() {
        let input = b"\xef\xbb\xbfid,a\r\n1,\"x\ny\"\"\n\"\n2,z\n";
        let expected = found(&[(1, "id,a"), (2, "1,\"x\ny\"\"\n\""), (5, "2,z")]);
        assert_eq!(records(input), (true, expected));
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_with_the_input() {
        let input = b"id,a\n1,\"x\n2,y\n";
        let expected = found(&[(1, "id,a"), (2, "1,\"x\n2,y")]);
        assert_eq!(records(input), (true, expected));
    }

    #[test]
    fn many_records_come_in_batches() {
        let input: String = (0..5000).map(|n| format!("{{\"a\":{n}}}\n")).collect();
        let (send, mut receive) = mpsc::channel(1000);
        read(input.as_bytes(), &send);
        drop(send);
        let mut sizes = Vec::new();
        while let Some(batch) = receive.blocking_recv() {
            sizes.push(batch.unwrap().records.len());
        }
        assert_eq!(sizes, [1000; 5]);
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let (send, mut receive) = mpsc::channel(10);
        let endless = io::repeat(b'x').take(RECORD_BYTES_MAX as u64 + 2);
        read(endless, &send);
        let refused = receive.blocking_recv().unwrap();
        assert!(matches!(refused, Err(ValuesError::Input { .. })));
    }
}
