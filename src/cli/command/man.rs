//! `phiseal man`: the manual, made from the same arguments as the help.
//! Owns what the manual says besides: all commands on the first page, exit codes, files, examples.

use std::path::Path;

use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use crate::cli::args::{self, GROUPS, Man};
use crate::cli::new_file;
use crate::cli::output::Output;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;

/// Anybody may read a manual.
const MODE: u32 = 0o644;

const EXITS: &[(Exit, &str)] = &[
    (Exit::Done, "done; nothing to do"),
    (Exit::Bug, "a fault of the program"),
    (Exit::Usage, "wrong usage, or a wrong plan file"),
    (Exit::Refused, "refused by preflight"),
    (Exit::Unreachable, "database unreachable, or lost for good"),
    (
        Exit::Interrupted,
        "interrupted (SIGINT, SIGTERM); run it again to resume",
    ),
    (
        Exit::Unverified,
        "verification failed, or rows are left in quarantine",
    ),
    (Exit::Keys, "trouble with keys"),
    (
        Exit::Held,
        "held by another run; or a process did not answer `pause` or `resume` in time",
    ),
    (
        Exit::NotConverging,
        "applications write faster than phiseal encrypts",
    ),
    (
        Exit::Attention,
        "`status --check`: something is due, overdue, or needs attention",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "phiseal.toml",
        "The plan file, in the working directory or the nearest folder above it, unless --plan or PHISEAL_PLAN \
         names another: the database, the provider of the wrapping key, and the tables and columns to encrypt.",
    ),
    (
        "/etc/phiseal/phiseal.toml",
        "The plan file where no other is found.",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("PHISEAL_PLAN", "The plan file, where --plan names none."),
    (
        "PHISEAL_LOG",
        "What is logged, such as `info` or `phiseal=debug`. The default is `warn`. --verbose goes before it.",
    ),
    (
        "NO_COLOR, CLICOLOR_FORCE, CLICOLOR",
        "Whether output is coloured, where --color does not say.",
    ),
];

/// Prints the page of the program, or writes all pages into a directory.
///
/// # Errors
/// E0106 if a page exists, E0108 if one cannot be written.
pub fn run(args: &Man, output: Output) -> Result<Exit, Fault> {
    // The pages show the options that `-h` leaves out, too.
    let mut root = args::command()
        .disable_help_subcommand(true)
        .mut_args(|arg| arg.hide_short_help(false));
    root.build();
    let Some(dir) = &args.dir else {
        let page = first_page(&root);
        output.verbatim(&json!({ "page": page }), &page);
        return Ok(Exit::Done);
    };
    new_file::make_dir(dir)?;
    let mut written = Vec::new();
    write(dir, "phiseal.1", &first_page(&root), &mut written)?;
    for (path, command) in below(&root, "") {
        let name = format!("phiseal-{}.1", path.replace(' ', "-"));
        write(dir, &name, &page(&path, &command), &mut written)?;
    }
    let text = format!(
        "wrote {} to {}",
        counted(written.len(), "page"),
        Foreign(&dir.to_string_lossy())
    );
    output.result(&json!({ "written": written }), &text);
    Ok(Exit::Done)
}

fn write(dir: &Path, name: &str, page: &str, written: &mut Vec<String>) -> Result<(), Fault> {
    new_file::write(&dir.join(name), MODE, page.as_bytes())?;
    written.push(name.to_owned());
    Ok(())
}

/// All commands below this one, each with its words behind `phiseal`.
fn below(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    for command in command.get_subcommands() {
        let path = format!("{path} {}", command.get_name());
        let path = path.trim_start();
        found.push((path.to_owned(), command.clone()));
        found.extend(below(command, path));
    }
    found
}

/// The page of the program, which names every command.
fn first_page(root: &clap::Command) -> String {
    let mut commands = Roff::new();
    for (heading, names) in GROUPS {
        commands.control("SS", [*heading]);
        for command in names.iter().filter_map(|name| root.find_subcommand(name)) {
            let name = command.get_name();
            match command.has_subcommands() {
                true => list(&mut commands, below(command, name)),
                false => list(&mut commands, vec![(name.to_owned(), command.clone())]),
            }
        }
    }
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in EXITS {
        entry(&mut more, &exit.number().to_string(), meaning);
    }
    for (heading, entries) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        more.control("SH", [heading]);
        for (name, meaning) in entries {
            entry(&mut more, name, meaning);
        }
    }
    examples(&mut more, "");
    rendered(root, &commands, &more)
}

/// The page of one command.
fn page(path: &str, command: &clap::Command) -> String {
    let mut commands = Roff::new();
    list(&mut commands, below(command, path));
    let mut more = Roff::new();
    examples(&mut more, path);
    more.control("SH", ["SEE ALSO"]);
    more.text([bold("phiseal"), roman("(1)")]);
    rendered(command, &commands, &more)
}

fn list(roff: &mut Roff, commands: Vec<(String, clap::Command)>) {
    for (path, command) in commands {
        let about = command.get_about().map(ToString::to_string);
        entry(roff, &format!("phiseal {path}"), &about.unwrap_or_default());
    }
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}

fn examples(roff: &mut Roff, path: &str) {
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in args::examples_of(path) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// A page with the list of commands before the options and `more` behind them.
fn rendered(command: &clap::Command, commands: &Roff, more: &Roff) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let page = Page::new(command.clone().override_usage(usage))
        .source(concat!("phiseal ", env!("CARGO_PKG_VERSION")))
        .manual("phiseal");
    let mut text = Vec::new();
    // Writing into memory cannot fail.
    let _ = page.render_title(&mut text);
    let _ = page.render_name_section(&mut text);
    let _ = page.render_synopsis_section(&mut text);
    let _ = page.render_description_section(&mut text);
    if command.has_subcommands() {
        let mut heading = Roff::new();
        heading.control("SH", ["COMMANDS"]);
        let _ = heading.to_writer(&mut text);
        let _ = commands.to_writer(&mut text);
    }
    let _ = page.render_options_section(&mut text);
    let _ = more.to_writer(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
