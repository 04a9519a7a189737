//! Reads the arguments. What is no command to run is a page to print, or a mistake to explain.
//! Owns the words for mistakes. They say all that clap knows: which argument is missing, what a
//! misspelled word may have meant, which values an option takes, and how the command is used.
//! Always holds: what a user typed is shown harmlessly, and never what follows `://`, which may be a
//! password.

mod other_words;

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{self, Command, Parsed};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// What the arguments ask for.
pub enum Asked {
    /// A command.
    Command(Box<Parsed>),
    /// A page of help, or the version: to stdout.
    Page(StyledStr),
}

/// Reads the arguments, of which the first is the name of the program.
///
/// # Errors
/// E0101 if clap does not understand them; E0116 or E0122 where `--table` means nothing.
pub fn read(arguments: &[OsString]) -> Result<Asked, Fault> {
    let error = match args::parse(arguments) {
        Ok(parsed) => return checked(parsed),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion => Ok(Asked::Page(error.render())),
        _ => Err(explained(&error, &command_of(arguments))),
    }
}

/// Refuses what clap cannot: it may stand on either side of the command.
fn checked(parsed: Parsed) -> Result<Asked, Fault> {
    let global = &parsed.cli.global;
    let name = format!("phiseal {}", parsed.command);
    if !parsed.takes_table && !global.table.is_empty() {
        return Err(without_tables(&parsed.cli.command, &name));
    }
    if global.quiet && global.verbose > 0 {
        return Err(Fault {
            code: "E0101",
            message: "--quiet cannot be used together with --verbose".to_owned(),
            hint: format!("leave one of them out; see `{name} --help`"),
            exit: Exit::Usage,
        });
    }
    Ok(Asked::Command(Box::new(parsed)))
}

/// Refuses `--table` where it means nothing.
fn without_tables(command: &Command, name: &str) -> Fault {
    let message = format!("`{name}` does not take --table");
    match command {
        Command::Keys(_) | Command::Rotate(_) => Fault {
            code: "E0116",
            message: format!("{message}: a key encrypts values of all tables"),
            hint: "leave it out; `phiseal rotate --tenant` rotates the keys of one tenant"
                .to_owned(),
            exit: Exit::Usage,
        },
        _ => Fault {
            code: "E0122",
            message,
            hint: format!("leave it out; see `{name} --help`"),
            exit: Exit::Usage,
        },
    }
}

/// The value of an option wherever it stands, even if the arguments cannot be understood.
pub fn value_of<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        if word == option {
            return words.next();
        }
        let value = word.strip_prefix(option);
        if let Some(value) = value.and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

/// The command that the arguments name, as far as they name one.
fn command_of(arguments: &[OsString]) -> clap::Command {
    let mut root = args::command();
    root.build();
    let mut at = &root;
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if takes_a_value(at, &word) {
            words.next();
        } else if let Some(found) = at.find_subcommand(word.as_ref())
            && word != "help"
        {
            at = found;
        }
    }
    at.clone()
}

/// Whether the word is an option of the command whose value is the next word.
fn takes_a_value(command: &clap::Command, word: &str) -> bool {
    let Some(name) = word.strip_prefix("--") else {
        return false;
    };
    command
        .get_arguments()
        .any(|arg| arg.get_long() == Some(name) && arg.get_action().takes_values())
}

/// The fault that says what is wrong, how the command is used, and what was meant.
fn explained(error: &clap::Error, command: &clap::Command) -> Fault {
    let name = command.get_bin_name().unwrap_or("phiseal");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    Fault {
        code: "E0101",
        message: format!("{}\nusage: {usage}", mistake(error, name)),
        hint: answered(error, name)
            .or_else(|| similar(error, name))
            .unwrap_or_else(|| format!("see `{name} --help`")),
        exit: Exit::Usage,
    }
}

/// What is wrong, in one line.
fn mistake(error: &clap::Error, command: &str) -> String {
    let text = |kind| error.get(kind).map(typed).unwrap_or_default();
    let arg = text(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::MissingRequiredArgument => match strings(error, ContextKind::InvalidArg) {
            [one] => format!("the argument {one} is missing"),
            several => format!("these arguments are missing: {}", several.join(", ")),
        },
        ErrorKind::MissingSubcommand => {
            let commands = strings(error, ContextKind::ValidSubcommand).iter();
            let commands = commands.filter(|name| *name != "help");
            let commands: Vec<&str> = commands.map(String::as_str).collect();
            format!("`{command}` needs a command: {}", commands.join(", "))
        }
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            match command {
                "phiseal" => format!("there is no command `{word}`"),
                group => format!("`{group}` has no command `{word}`"),
            }
        }
        ErrorKind::UnknownArgument if arg.starts_with('-') => {
            format!("`{command}` has no option {arg}")
        }
        ErrorKind::UnknownArgument => format!("`{command}` does not take the argument '{arg}'"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong_value(error, &arg),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            prior if prior == arg => format!("{arg} was given twice"),
            prior => format!("{arg} cannot be used together with {prior}"),
        },
        _ => {
            // What remains has no words of the user's that matter: clap's own first line.
            let said = error.render().to_string();
            let first = said.lines().next().unwrap_or_default();
            cut(first.trim_start_matches("error: "))
        }
    }
}

/// A value that an option does not take, and which values it does.
fn wrong_value(error: &clap::Error, arg: &str) -> String {
    let value = error.get(ContextKind::InvalidValue).map(typed);
    let what = match value.as_deref() {
        None | Some("") => format!("{arg} needs a value"),
        Some(value) => format!("{arg} cannot be '{value}'"),
    };
    let possible = strings(error, ContextKind::ValidValue);
    if !possible.is_empty() {
        return format!("{what}; possible values: {}", possible.join(", "));
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{what}: {}", Foreign(&source.to_string())),
        None => what,
    }
}

/// The answer to a word or option of another program or version.
fn answered(error: &clap::Error, command: &str) -> Option<String> {
    let word = |kind| error.get(kind).map(ToString::to_string);
    let answer = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            other_words::command(command, &word(ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::UnknownArgument => other_words::option(command, &word(ContextKind::InvalidArg)?),
        _ => None,
    };
    answer.map(str::to_owned)
}

/// What a misspelled word may have meant.
fn similar(error: &clap::Error, command: &str) -> Option<String> {
    let commands = strings(error, ContextKind::SuggestedSubcommand).iter();
    let commands: Vec<String> = commands.map(|name| format!("`{command} {name}`")).collect();
    let others = [ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let others = others.into_iter().find_map(|kind| error.get(kind));
    let meant = match commands.is_empty() {
        true => others?.to_string(),
        false => commands.join(" or "),
    };
    Some(format!(
        "did you mean {meant}? otherwise see `{command} --help`"
    ))
}

/// The texts of a piece of context that has several.
fn strings(error: &clap::Error, kind: ContextKind) -> &[String] {
    match error.get(kind) {
        Some(ContextValue::Strings(several)) => several,
        Some(ContextValue::String(one)) => std::slice::from_ref(one),
        _ => &[],
    }
}

fn typed(value: &ContextValue) -> String {
    cut(&value.to_string())
}

/// A text that a user typed: harmless, and of a URL only the scheme.
fn cut(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) => format!("{}://...", Foreign(scheme)),
        None => Foreign(text).to_string(),
    }
}
