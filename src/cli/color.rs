//! Whether output has colours, and which.
//! Owns the decision. `--color` goes first, then NO_COLOR, CLICOLOR_FORCE and CLICOLOR, then whether
//! the stream is a terminal that shows colours. Text that is coloured here is already harmless.

use std::borrow::Cow;
use std::ffi::OsString;

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Green.on_default().bold();

/// What `--color` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also in files and pipes
    Always,
    /// Nowhere
    Never,
}

impl When {
    /// Whether a stream gets colours.
    pub fn holds(self, is_terminal: bool) -> bool {
        self.decided(is_terminal, |name| std::env::var_os(name))
    }

    fn decided(self, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if set("NO_COLOR").is_some() => false,
            Self::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Self::Auto if set("CLICOLOR").is_some_and(|value| value == "0") => false,
            Self::Auto => is_terminal && set("TERM").is_some_and(|term| term != "dumb"),
        }
    }
}

/// The lines with what begins them coloured: `error[E0101]:`, `warning[E0214]:`, `hint:`.
pub fn painted(lines: &str) -> Cow<'_, str> {
    let painted: Vec<Cow<'_, str>> = lines.split('\n').map(line).collect();
    match painted.iter().all(|line| matches!(line, Cow::Borrowed(_))) {
        true => Cow::Borrowed(lines),
        false => Cow::Owned(painted.join("\n")),
    }
}

fn line(line: &str) -> Cow<'_, str> {
    let text = line.trim_start();
    let space = &line[..line.len() - text.len()];
    let style = match text {
        _ if text.starts_with("error[") || text.starts_with("refused[") => ERROR,
        _ if text.starts_with("warning[") || text.starts_with("warning:") => WARNING,
        _ if text.starts_with("hint:") => HINT,
        _ => return Cow::Borrowed(line),
    };
    let begin = match text.split_once(']') {
        Some((begin, rest)) if !begin.contains(':') => {
            begin.len() + 1 + usize::from(rest.starts_with(':'))
        }
        _ => text.find(':').map_or(0, |at| at + 1),
    };
    let (begin, rest) = text.split_at(begin);
    Cow::Owned(format!("{space}{style}{begin}{style:#}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_environment_and_that_before_the_terminal() {
        type Case = (When, bool, &'static [(&'static str, &'static str)], bool);
        let cases: &[Case] = &[
            (When::Auto, true, &[("TERM", "xterm")], true),
            (When::Auto, false, &[("TERM", "xterm")], false),
            (When::Auto, true, &[("TERM", "dumb")], false),
            (When::Auto, true, &[], false),
            (
                When::Auto,
                true,
                &[("TERM", "xterm"), ("NO_COLOR", "1")],
                false,
            ),
            (
                When::Auto,
                true,
                &[("TERM", "xterm"), ("NO_COLOR", "")],
                true,
            ),
            (When::Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (When::Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (
                When::Auto,
                true,
                &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
                false,
            ),
            (
                When::Auto,
                true,
                &[("TERM", "xterm"), ("CLICOLOR", "0")],
                false,
            ),
            (When::Always, false, &[("NO_COLOR", "1")], true),
            (
                When::Never,
                true,
                &[("TERM", "xterm"), ("CLICOLOR_FORCE", "1")],
                false,
            ),
        ];
        for (when, is_terminal, variables, colored) in cases {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(
                when.decided(*is_terminal, variable),
                *colored,
                "{when:?} {is_terminal} {variables:?}"
            );
        }
    }

    #[test]
    fn only_what_begins_a_line_is_coloured() {
        let plain = "backfill public.t: error[E0101]: x";
        assert_eq!(painted(plain), plain);
        for (text, begin) in [
            ("error[E0101]: a: b]", "error[E0101]:"),
            ("  hint: see `x[1]`", "hint:"),
            ("warning[E0533] a: b", "warning[E0533]"),
            ("warning: key 1 is due", "warning:"),
        ] {
            let shown = painted(text);
            let (styled, rest) = shown.split_once("\u{1b}[0m").unwrap();
            let (_, last) = styled.rsplit_once("\u{1b}[").unwrap();
            let (_, coloured) = last.split_once('m').unwrap();
            assert!(text.ends_with(rest), "{shown:?}");
            assert_eq!(coloured, begin, "{shown:?}");
        }
        let two = painted("error[E0101]: x\nusage: y\nhint: z").into_owned();
        assert_eq!(two.matches("\u{1b}[0m").count(), 2);
        assert!(two.contains("\nusage: y\n"), "{two:?}");
    }
}
