//! A command's output, into pipes, as JSON, and on a pseudo-terminal, and what must not be in it.

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;

use crate::support::phiseal::Finished;
use crate::support::{Fixture, Phiseal};

/// Everything a terminal acts on or a reader does not see, in a name short enough for PostgreSQL.
pub const EVIL: &str =
    "x\nFORGED\rFORGED\u{1b}]0;o\u{7}\u{1b}[2J\u{8}\u{9b}1m\u{202e}\u{200b}\u{2028}\"'";

/// How EVIL begins where it is shown.
const SHOWN: &str = r"x\nFORGED\rFORGED\u{1b}]0;o\u{7}";

/// The program in the fixture's folder.
pub struct Looked<'a>(&'a Fixture);

impl<'a> Looked<'a> {
    pub fn new(fixture: &'a Fixture) -> Self {
        Self(fixture)
    }

    /// Ends so, and all that comes out is clean, in each form. A command that changes something is
    /// refused the second time; that has to be clean as well.
    pub async fn clean(&self, args: &[&str], code: i32) -> String {
        let piped = self.phiseal(args).run().await;
        assert_eq!(piped.status.code(), Some(code), "{args:?}: {piped:?}");
        let shown = format!("{}{}", piped.stdout, piped.stderr);
        check(args, &shown, false);
        for more in [&["--json"][..], &["--log-format", "json"]] {
            let all = [args, more].concat();
            let run = self.phiseal(&all).env("PHISEAL_LOG", "debug").run().await;
            check(&all, &format!("{}{}", run.stdout, run.stderr), false);
        }
        check(args, &self.on_a_terminal(args).await.stdout, true);
        shown
    }

    /// The same, and something of others is shown, made harmless.
    pub async fn shows(&self, args: &[&str], code: i32) {
        let shown = self.clean(args, code).await;
        assert!(
            shown.contains(SHOWN),
            "{args:?}: nothing of others in {shown}"
        );
    }

    /// An error, which names what it is about.
    pub async fn fails(&self, args: &[&str]) {
        let run = self.phiseal(args).run().await;
        let code = run.status.code().unwrap_or_default();
        assert!(code > 0, "{args:?}: {run:?}");
        let shown = self.clean(args, code).await;
        assert!(shown.contains("error[E"), "{args:?}: {shown}");
    }

    /// SQL: as it is into a pipe, and not onto a terminal.
    pub async fn sql(&self, args: &[&str], name: &str) {
        let piped = self.phiseal(args).run().await.expect_code(0);
        assert!(
            piped.stdout.contains(&name.replace('"', "\"\"")),
            "{}",
            piped.stdout
        );
        let comments = piped.stdout.lines().filter(|line| line.starts_with("--"));
        comments.for_each(|comment| check(args, comment, false));
        let terminal = self.on_a_terminal(args).await;
        assert!(terminal.stdout.contains("error[E0536]"), "{terminal:?}");
        check(args, &terminal.stdout, true);
        let all = [args, &["--json"]].concat();
        let json = self.phiseal(&all).run().await.expect_code(0);
        check(&all, &json.stdout, false);
    }

    pub async fn json(&self, args: &[&str]) -> Value {
        let all = [args, &["--json"]].concat();
        self.phiseal(&all).run().await.expect_code(0).json()
    }

    fn phiseal(&self, args: &[&str]) -> Phiseal {
        let run = self.0.project.phiseal(args).env("USER", EVIL);
        run.env("DATABASE_URL", self.0.url())
    }

    /// Under a pseudo-terminal, stdout and stderr together.
    async fn on_a_terminal(&self, args: &[&str]) -> Finished {
        let words = [&[env!("CARGO_BIN_EXE_phiseal")], args].concat();
        let quoted: Vec<String> = words
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        let run = Phiseal::instead("script", ["-qec", &quoted.join(" "), "/dev/null"])
            .env("USER", EVIL)
            .env("TERM", "xterm")
            // The program's own colours would be taken for escapes of others.
            .env("NO_COLOR", "1")
            .env("DATABASE_URL", self.0.url())
            .env("SHELL", "/bin/sh")
            .cwd(self.0.project.dir())
            .run()
            .await;
        assert_eq!(run.status.signal(), None, "{args:?}: {run:?}");
        run
    }
}

fn check(args: &[&str], text: &str, on_a_terminal: bool) {
    if let Some(found) = line(text, on_a_terminal) {
        panic!("{args:?}: {found}\nin {text:?}");
    }
}

/// What of a text must not have come out. A progress bar may go back in its line, erase it and go up.
pub fn line(text: &str, on_a_terminal: bool) -> Option<String> {
    let mut rest = if on_a_terminal {
        without_the_bar(text)
    } else {
        text.to_owned()
    };
    if on_a_terminal {
        rest = rest.replace("\r\n", "\n");
    }
    if rest
        .split(['\n', '\r'])
        .any(|line| line.trim_start().starts_with("FORGED"))
    {
        return Some("a forged line".to_owned());
    }
    let acts = |c: char| {
        c != '\n'
            && !(on_a_terminal && c == '\r')
            && (c.is_control() || "\u{202e}\u{200b}\u{2028}".contains(c))
    };
    rest.chars().find(|c| acts(*c)).map(|c| format!("{c:?}"))
}

/// The text without the sequences that draw a progress bar.
fn without_the_bar(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';' && c != '?');
        let (parameters, last) = end
            .and_then(|end| Some((&after[..end], after[end..].chars().next()?)))
            .unwrap_or(("", '!'));
        let draws = matches!(
            (parameters, last),
            ("" | "2", 'K') | (_, 'A' | 'B') | ("?25", 'h' | 'l') | ("1", 'G')
        );
        if draws {
            rest = &after[parameters.len() + 1..];
        } else {
            out.push_str("\u{1b}[");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// An identifier in SQL.
pub fn sql_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A literal in SQL.
pub fn sql_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A string in TOML, which is one in JSON where nothing in it is a surrogate or a raw DEL.
pub fn toml(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
