//! docs/CLI.md against the program: what the page names exists, and what exists is named.

use crate::support::Phiseal;
use std::collections::BTreeSet;
use std::path::Path;

/// What one `--help` page names.
pub struct Help {
    pub commands: Vec<String>,
    pub options: BTreeSet<String>,
    text: String,
}

async fn help(path: &[String]) -> Help {
    let arguments = path.iter().cloned().chain(["--help".to_owned()]);
    let text = Phiseal::new(arguments).run().await.expect_code(0).stdout;
    let mut commands = Vec::new();
    let mut options = BTreeSet::new();
    // Every other heading is one of a group of commands.
    let no_commands = ["", "Arguments", "Options", "Global options", "Examples"];
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') && line.ends_with(':') {
            section = line.trim_end_matches(':');
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        // Descriptions that wrap are indented deeper.
        let is_entry = line.starts_with("  ") && !line.starts_with("   ");
        if is_entry && !no_commands.contains(&section) {
            commands.push(first.to_owned());
        }
        if section.ends_with("ptions") && line.trim_start().starts_with('-') {
            let named = line.split([' ', ',']).filter(|word| word.starts_with("--"));
            // `--verbose...` may be given several times.
            options.extend(named.map(|option| option.trim_end_matches('.').to_owned()));
        }
    }
    commands.retain(|name| name != "help");
    Help {
        commands,
        options,
        text,
    }
}

/// Every page of help, from the first one on: the words of the command, and the page.
pub async fn pages() -> Vec<(Vec<String>, Help)> {
    let mut found = Vec::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let page = help(&path).await;
        for command in &page.commands {
            open.push(path.iter().cloned().chain([command.clone()]).collect());
        }
        found.push((path, page));
    }
    found
}

/// Every command that is run as it stands, with its options.
async fn program() -> Vec<(String, BTreeSet<String>)> {
    let pages = pages().await.into_iter();
    pages
        .filter(|(_, page)| page.commands.is_empty())
        .map(|(path, page)| (format!("phiseal {}", path.join(" ")), page.options))
        .collect()
}

pub fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CLI.md");
    std::fs::read_to_string(path).unwrap()
}

pub fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let begin = page
        .find(&format!("\n## {title}\n"))
        .expect("no such section")
        + 1;
    let rest = &page[begin..];
    let end = rest[1..].find("\n## ").map_or(rest.len(), |at| at + 1);
    &rest[..end]
}

/// The command of each row of the table of commands, with the row.
fn documented(page: &str) -> Vec<(String, String)> {
    section(page, "Commands")
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("| `phiseal ")?;
            let (command, _) = rest.split_once('`')?;
            Some((format!("phiseal {command}"), line.to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn every_command_of_the_program_is_in_the_page_and_every_one_in_the_page_is_in_the_program() {
    let page = page();
    let program: BTreeSet<String> = program().await.into_iter().map(|(name, _)| name).collect();
    let documented: BTreeSet<String> = documented(&page)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        program.len() > 15,
        "the help was not understood: {program:?}"
    );
    assert_eq!(program, documented);
}

#[tokio::test]
async fn every_option_stands_in_the_row_of_its_command_and_none_that_is_not_there() {
    let page = page();
    let documented = documented(&page);
    let common: BTreeSet<String> = section(&page, "Options")
        .lines()
        .filter(|line| line.starts_with("| `-"))
        .flat_map(options_named)
        .collect();
    for (command, options) in program().await {
        let row = &documented
            .iter()
            .find(|(name, _)| *name == command)
            .unwrap_or_else(|| panic!("{command} is not in docs/CLI.md"))
            .1;
        // The last cell: the sentences before it may speak of options of every command.
        let own = row.rsplit('|').nth(1).unwrap_or_default();
        let own: BTreeSet<String> = options_named(own).into_iter().collect();
        let missing: Vec<_> = options
            .iter()
            .filter(|option| !common.contains(*option) && !own.contains(*option))
            .collect();
        assert!(missing.is_empty(), "{command}: not documented: {missing:?}");
        let unknown: Vec<_> = own.difference(&options).collect();
        assert!(
            unknown.is_empty(),
            "{command}: not in the program: {unknown:?}"
        );
    }
}

#[tokio::test]
async fn every_page_of_help_has_examples_and_fits_80_columns() {
    let pages = pages().await;
    assert!(pages.len() > 40, "the help was not understood");
    for (path, page) in pages {
        let name = ["phiseal".to_owned()].into_iter().chain(path.clone());
        let name = name.collect::<Vec<_>>().join(" ");
        let (_, examples) = page
            .text
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{name} has no examples"));
        let examples: Vec<&str> = examples
            .lines()
            .filter(|line| line.starts_with("  phiseal"))
            .collect();
        assert!((1..=3).contains(&examples.len()), "{name}: {examples:?}");
        if page.commands.is_empty() {
            let own = examples.iter().any(|line| line.contains(&name));
            assert!(own, "{name}: {examples:?}");
        }
        let short = path.iter().cloned().chain(["-h".to_owned()]);
        let short = Phiseal::new(short).run().await.expect_code(0).stdout;
        assert!(!short.contains("Examples:"), "{name}");
        assert!(short.len() < page.text.len(), "{name}");
        for line in page.text.lines().chain(short.lines()) {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            assert_eq!(line, line.trim_end(), "{name}");
        }
    }
}

fn options_named(text: &str) -> Vec<String> {
    text.split('`')
        .filter(|word| word.starts_with("--"))
        .filter_map(|word| word.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let numbers: BTreeSet<u8> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "))
        .filter_map(|(_, number)| number.trim_end_matches(',').parse().ok())
        .collect();
    let page = page();
    let rows: BTreeSet<u8> = section(&page, "Exit codes")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    assert!(!numbers.is_empty(), "src/error.rs was not understood");
    assert_eq!(numbers, rows);
}
