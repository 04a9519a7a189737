//! Where the plan file is: named by `--plan` or PHISEAL_PLAN, or else found in the working directory,
//! in a folder above it or in /etc/phiseal.
//! Owns the order of these places. Reads no file and does not judge who could have written it: a
//! file that is found is the one that is meant, and if it is not trusted, the command ends. To pass
//! over it would give the command another plan.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::args::{DEFAULT_PLAN, Global};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// The variable that names the plan file.
const VARIABLE: &str = "PHISEAL_PLAN";
/// The folder of the machine's plan file.
const SYSTEM: &str = "/etc/phiseal";

/// A plan file, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPlace {
    pub path: PathBuf,
    pub how: Found,
}

/// How a plan file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// `--plan` or the variable names it.
    Named,
    /// It is in the working directory.
    Here,
    /// It is in a folder above the working directory.
    Above,
    /// It is the machine's.
    System,
}

impl Found {
    /// Whether the user has neither named the file nor gone to its folder.
    pub fn is_elsewhere(self) -> bool {
        matches!(self, Self::Above | Self::System)
    }
}

/// The plan file that a command uses; `None` if there is none.
pub fn plan_place(global: &Global) -> Option<PlanPlace> {
    let variable = plan_of_variable();
    let here = std::env::current_dir().ok();
    candidates(global.plan.as_deref(), variable.as_deref(), here.as_deref())
        .into_iter()
        .find(|place| place.how == Found::Named || is_there(&place.path))
}

/// The plan file that the variable names.
pub fn plan_of_variable() -> Option<PathBuf> {
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty())?;
    Some(PathBuf::from(value))
}

/// The fault of a command that needs a plan file where there is none. `tables` says whether it needs the
/// tables that a plan names.
pub fn no_plan(tables: bool) -> Fault {
    let here = std::env::current_dir().ok();
    let folders: Vec<String> = candidates(None, None, here.as_deref())
        .iter()
        .filter_map(|place| match place.how {
            Found::Here => here.as_deref(),
            _ => place.path.parent(),
        })
        .map(|folder| Foreign(&folder.to_string_lossy()).to_string())
        .collect();
    Fault {
        code: "E0126",
        message: format!(
            "there is no plan file{}: {DEFAULT_PLAN} was looked for in {}",
            if tables { " that names the tables" } else { "" },
            folders.join(", ")
        ),
        hint: format!(
            "go to its folder, name it with --plan FILE or the variable {VARIABLE}, or have one \
             written by `phiseal init`{}",
            match tables {
                true => "",
                false =>
                    "; this command may need no more than the database: try --database-url URL",
            }
        ),
        exit: Exit::Usage,
    }
}

/// The places, in the order in which they are looked at. A name excludes every other place.
fn candidates(
    option: Option<&Path>,
    variable: Option<&Path>,
    here: Option<&Path>,
) -> Vec<PlanPlace> {
    let place = |path: PathBuf, how| PlanPlace { path, how };
    if let Some(named) = option.or(variable) {
        return vec![place(named.to_owned(), Found::Named)];
    }
    let above = here.into_iter().flat_map(Path::ancestors).skip(1);
    std::iter::once(place(PathBuf::from(DEFAULT_PLAN), Found::Here))
        .chain(above.map(|folder| place(folder.join(DEFAULT_PLAN), Found::Above)))
        .chain([place(Path::new(SYSTEM).join(DEFAULT_PLAN), Found::System)])
        .collect()
}

/// Whether something is there. What cannot be looked at counts as there, so that reading it says why.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(option: Option<&str>, variable: Option<&str>, here: Option<&str>) -> Vec<String> {
        candidates(
            option.map(Path::new),
            variable.map(Path::new),
            here.map(Path::new),
        )
        .into_iter()
        .map(|place| format!("{:?} {}", place.how, place.path.display()))
        .collect()
    }

    #[test]
    fn a_name_excludes_every_other_place_and_the_option_comes_before_the_variable() {
        let here = Some("/srv/app");
        assert_eq!(listed(Some("a"), Some("b"), here), ["Named a"]);
        assert_eq!(listed(None, Some("/b/c"), here), ["Named /b/c"]);
    }

    #[test]
    fn without_a_name_the_working_directory_comes_first_then_each_folder_above_and_then_etc() {
        assert_eq!(
            listed(None, None, Some("/srv/app/sub")),
            [
                "Here phiseal.toml",
                "Above /srv/app/phiseal.toml",
                "Above /srv/phiseal.toml",
                "Above /phiseal.toml",
                "System /etc/phiseal/phiseal.toml",
            ]
        );
        let root = ["Here phiseal.toml", "System /etc/phiseal/phiseal.toml"];
        assert_eq!(listed(None, None, Some("/")), root);
        assert_eq!(listed(None, None, None), root);
    }

    #[test]
    fn only_what_is_certainly_not_there_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DEFAULT_PLAN);
        assert!(!is_there(&path));
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(is_there(&path), "a link that leads nowhere");
        assert!(!is_there(&path.join("below")));
        assert!(is_there(&dir.path().join("a".repeat(300))), "no such name");
    }
}
