//! The pages of help: the groups of commands on the first one, the examples on each, colours, and
//! `--table` where it means something.
//! Owns which commands take `--table`. All pages fit 80 columns.

use std::ffi::OsString;
use std::fmt::Write;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use super::Cli;

/// The examples of each page: behind its command in brackets, lines that say what an example does
/// (`# ...`) and lines to type.
const EXAMPLES: &str = include_str!("examples.txt");

/// The columns of the smallest terminal.
const COLUMNS: usize = 80;

const HEADER: Style = Style::new().bold();
const LITERAL: Style = AnsiColor::Cyan.on_default().bold();

const STYLES: Styles = Styles::styled()
    .header(HEADER)
    .usage(HEADER)
    .literal(LITERAL)
    .placeholder(AnsiColor::Cyan.on_default());

/// The commands of the first page by what they are for, in the order in which they are used.
pub const GROUPS: &[(&str, &[&str])] = &[
    (
        "Set up",
        &["demo", "init", "migrate", "grants", "completions", "man"],
    ),
    (
        "Encrypt",
        &["plan", "bench", "backfill", "verify", "seal", "open"],
    ),
    ("Keys", &["keys", "rotate"]),
    ("Remove the plaintext", &["finalize", "scrub", "restore"]),
    (
        "Watch and control",
        &[
            "status",
            "pause",
            "resume",
            "speed",
            "runs",
            "fields",
            "quarantine",
        ],
    ),
    ("Audit", &["audit"]),
];

/// The commands that take `--table`, each with the commands below it, and what it means there.
const TABLES: &[(&str, &str)] = &[
    ("init", "A table to look at (repeatable)"),
    ("plan", OF_THE_PLAN),
    ("grants", OF_THE_PLAN),
    ("bench", OF_THE_PLAN),
    ("backfill", OF_THE_PLAN),
    ("verify", OF_THE_PLAN),
    ("finalize", OF_THE_PLAN),
    ("restore", OF_THE_PLAN),
    ("scrub", OF_THE_PLAN),
    ("pause", OF_RUNS),
    ("resume", OF_RUNS),
    ("speed", OF_RUNS),
    ("status", OF_THE_PLAN),
    ("runs list", OF_THE_PLAN),
    ("quarantine", OF_THE_PLAN),
    ("open", "The table of the rows, by name or label"),
    ("seal", "The table of the rows, by name or label"),
];
const OF_THE_PLAN: &str = "Only this table of the plan, by name or label (repeatable)";
const OF_RUNS: &str =
    "Only the runs of this table, by its label in `phiseal fields list` (repeatable)";

/// All commands and options, with their help.
pub fn command() -> Command {
    let mut command = Cli::command()
        .styles(STYLES)
        .max_term_width(COLUMNS)
        .disable_help_flag(true)
        .after_help("`phiseal COMMAND --help` explains a command, with examples.")
        .arg(help_option());
    for (path, help) in TABLES {
        command = at(command, path, |command| command.arg(table_option(help)));
    }
    for (path, lines) in examples() {
        let text = examples_text(lines);
        command = at(command, path, |command| command.after_long_help(text));
    }
    let groups = groups_text(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}\
         {HEADER}Global options:{HEADER:#}\n{{options}}{{after-help}}"
    ))
}

/// Reads the arguments, of which the first is the name of the program.
///
/// # Errors
/// What clap returns instead of arguments: a page of help, the version, or a mistake.
pub fn parse(arguments: &[OsString]) -> Result<Parsed, clap::Error> {
    // `--table` may also stand before the command. No page of help shows this one.
    let anywhere = table_option("").hide(true);
    let mut command = command().arg(anywhere);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.global.table = tables(arguments);
    let mut names = Vec::new();
    let mut below = &matches;
    while let Some((name, matches)) = below.subcommand() {
        names.push(name);
        below = matches;
    }
    let at = names
        .iter()
        .try_fold(&command, |at, name| at.find_subcommand(name));
    Ok(Parsed {
        cli,
        takes_table: at
            .into_iter()
            .flat_map(Command::get_arguments)
            .any(|arg| arg.get_id() == TABLE && !arg.is_hide_set()),
        command: names.join(" "),
    })
}

/// Arguments that clap understood.
pub struct Parsed {
    pub cli: Cli,
    /// The command, such as `keys list`.
    pub command: String,
    /// Whether `--table` means anything to it.
    pub takes_table: bool,
}

const TABLE: &str = "table";

/// Every value of `--table`, on whichever side of the command: clap would give those of one side only.
/// It has read the same arguments without an error.
fn tables(arguments: &[OsString]) -> Vec<String> {
    let mut found = Vec::new();
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let mut words = words.take_while(|word| word != "--");
    while let Some(word) = words.next() {
        if word == "--table" {
            found.extend(words.next().map(String::from));
        } else if let Some(name) = word.strip_prefix("--table=") {
            found.push(name.to_owned());
        }
    }
    found
}

fn table_option(help: &'static str) -> Arg {
    Arg::new(TABLE)
        .long(TABLE)
        .value_name("T")
        .action(ArgAction::Append)
        .global(true)
        .help(help)
}

fn help_option() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .global(true)
        .help_heading("Global options")
        .help("Print help: -h a summary, --help all of it with examples")
        .display_order(100)
}

/// Changes the command that `path` names: words with spaces between, none for the program itself.
fn at(command: Command, path: &str, change: impl FnOnce(Command) -> Command) -> Command {
    match path.split_once(' ') {
        _ if path.is_empty() => change(command),
        None => command.mut_subcommand(path, change),
        Some((name, rest)) => command.mut_subcommand(name, |below| at(below, rest, change)),
    }
}

/// The commands under the headings of their groups.
fn groups_text(command: &Command) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (heading, names) in GROUPS {
        let _ = writeln!(text, "{HEADER}{heading}:{HEADER:#}");
        for command in names
            .iter()
            .filter_map(|name| command.find_subcommand(name))
        {
            let about = command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            let name = command.get_name();
            let _ = writeln!(text, "  {LITERAL}{name:width$}{LITERAL:#}  {about}");
        }
        text.push('\n');
    }
    text
}

/// The path of each command that has examples, and their lines.
fn examples() -> impl Iterator<Item = (&'static str, std::str::Lines<'static>)> {
    EXAMPLES.split("[phiseal").skip(1).filter_map(|page| {
        let (path, lines) = page.split_once("]\n")?;
        Some((path.trim_start(), lines.trim_end().lines()))
    })
}

/// The lines of the examples of a command, named by its words behind `phiseal`.
pub fn examples_of(path: &str) -> Vec<&'static str> {
    let page = examples().find(|(of, _)| *of == path);
    page.map(|(_, lines)| lines.collect()).unwrap_or_default()
}

fn examples_text<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = format!("{HEADER}Examples:{HEADER:#}");
    let mut space = "";
    for line in lines {
        if line.starts_with('#') {
            let _ = write!(text, "{space}\n  {line}");
            space = "\n";
        } else {
            let _ = write!(text, "\n  {LITERAL}{line}{LITERAL:#}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_first_page_is_in_one_group() {
        let command = Cli::command();
        for name in command.get_subcommands().map(Command::get_name) {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name));
            assert_eq!(groups.count(), 1, "{name}");
        }
    }

    /// The words of a line as a shell takes them, of the commands in it.
    fn commands(line: &str) -> Vec<Vec<OsString>> {
        let line = line.replace("\"$(cat /mnt/elsewhere/head)\"", "HEAD");
        let commands = line.split(" && ").map(|command| {
            let command = command.split(['>', '<', '|']).next().unwrap_or_default();
            let parts = command.split('"').enumerate();
            let words = parts.flat_map(|(number, part)| match number % 2 {
                0 => part.split_whitespace().map(OsString::from).collect(),
                _ => vec![OsString::from(part)],
            });
            words.collect()
        });
        commands.collect()
    }

    #[test]
    fn every_example_is_understood() {
        assert!(examples().count() > 40);
        for (path, lines) in examples() {
            for line in lines.filter(|line| !line.starts_with('#')) {
                for words in commands(line) {
                    assert_eq!(words[0], "phiseal", "{line}");
                    if let Err(error) = parse(&words) {
                        panic!("{path}: {line}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn tables_are_gathered_from_both_sides_of_the_command() {
        let words = |line: &str| -> Vec<OsString> { line.split(' ').map(OsString::from).collect() };
        let both = parse(&words("phiseal --table a backfill --table=b")).unwrap();
        assert_eq!(both.cli.global.table, ["a", "b"]);
        assert!(both.takes_table);
        let inner = parse(&words("phiseal quarantine --table a retry -- --table")).unwrap();
        assert_eq!(inner.cli.global.table, ["a"]);
        assert!(inner.takes_table);
        let keys = parse(&words("phiseal keys list --table a")).unwrap();
        assert_eq!(keys.command, "keys list");
        assert!(!keys.takes_table);
    }
}
