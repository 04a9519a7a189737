//! Completions and the manual: they name every command, and the programs that read them accept them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli_docs::{page, pages, section};
use crate::support::{Phiseal, Project};

/// The words of every command that can be run.
async fn commands() -> Vec<Vec<String>> {
    let pages = pages().await.into_iter();
    let runs = pages.filter(|(_, page)| page.commands.is_empty());
    let commands: Vec<Vec<String>> = runs.map(|(path, _)| path).collect();
    assert!(commands.len() > 40);
    commands
}

/// Runs a program on a file, if it is there. Asserts that it has nothing to complain about.
fn accepted_by(program: &str, args: &[&str], file: &Path) {
    let ran = Command::new(program)
        .args(args)
        .arg(file)
        .stdin(Stdio::null())
        .output();
    let Ok(ran) = ran else {
        eprintln!("{program} is not there");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.is_empty(), "{program}: {said}");
}

#[tokio::test]
async fn completions_name_every_command_and_its_options() {
    let dir = tempfile::tempdir().unwrap();
    for (shell, args) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["-n"])] {
        let done = Phiseal::new(["completions", shell])
            .run()
            .await
            .expect_code(0);
        assert_eq!(done.stderr, "");
        let script = done.stdout;
        for word in commands().await.iter().flatten() {
            assert!(script.contains(word.as_str()), "{shell}: {word}");
        }
        let marks = if shell == "fish" { "" } else { "--" };
        for option in ["keep-going", "registered-only", "log-file"] {
            assert!(
                script.contains(&format!("{marks}{option}")),
                "{shell}: {option}"
            );
        }
        let file = dir.path().join(shell);
        fs::write(&file, &script).unwrap();
        accepted_by(shell, args, &file);
    }
    let json = Phiseal::new(["completions", "bash", "--json"]).run().await;
    let json = json.expect_code(0).json();
    assert_eq!(json["shell"], "bash");
    assert!(json["script"].as_str().unwrap().contains("phiseal"));
    Phiseal::new(["completions", "tcsh"])
        .run()
        .await
        .expect_code(2);
}

#[tokio::test]
async fn bash_completes_commands_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("phiseal.bash");
    let script = Phiseal::new(["completions", "bash"])
        .run()
        .await
        .expect_code(0);
    fs::write(&file, script.stdout).unwrap();
    // The name of the function stands in the last line of the script: complete -F NAME ... phiseal.
    let asked = r#"source "$0"
        name=$(complete -p phiseal | sed 's/.*-F \([^ ]*\).*/\1/')
        COMP_WORDS=(phiseal "${@}"); COMP_CWORD=$#
        "$name" phiseal "${COMP_WORDS[$#]}" "${COMP_WORDS[$#-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    let completed = |words: &[&str]| {
        let ran = Command::new("bash")
            .args(["-c", asked])
            .arg(&file)
            .args(words)
            .output();
        String::from_utf8(ran.unwrap().stdout).unwrap()
    };
    assert_eq!(completed(&["backf"]), "backfill\n");
    assert_eq!(completed(&["keys", "susp"]), "suspend\n");
    assert_eq!(completed(&["backfill", "--tab"]), "--table\n");
    assert_eq!(completed(&["demo", "--tab"]).trim(), "");
}

/// The text of a page without what roff escapes.
fn plain(page: &str) -> String {
    page.replace("\\-", "-")
        .replace("\\*(Aq", "'")
        .replace("\\fB", "")
        .replace("\\fR", "")
}

#[tokio::test]
async fn the_manual_names_every_command_and_every_exit_code() {
    let done = Phiseal::new(["man"]).run().await.expect_code(0);
    assert!(done.stdout.contains(".TH phiseal 1"), "{}", done.stdout);
    let text = plain(&done.stdout);
    for path in commands().await {
        let name = format!("\nphiseal {}\n", path.join(" "));
        assert!(text.contains(&name), "no {name:?} in the manual");
    }
    for row in section(&page(), "Exit codes").lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if let [_, number, meaning, _] = cells[..]
            && number.parse::<u8>().is_ok()
        {
            let entry = format!(".TP\n{number}\n{meaning}\n");
            assert!(text.contains(&entry), "no {entry:?} in the manual");
        }
    }
    let json = Phiseal::new(["man", "--json"]).run().await.expect_code(0);
    assert_eq!(
        plain(json.json()["page"].as_str().unwrap()).trim(),
        text.trim()
    );
}

#[tokio::test]
async fn a_page_for_each_command_is_written_once_and_can_be_read() {
    let project = Project::new();
    let done = project.phiseal(&["man", "--dir", "share/man1", "--json"]);
    let done = done.run().await.expect_code(0);
    let written = done.json()["written"].as_array().unwrap().clone();
    let dir = project.dir().join("share/man1");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), written.len());
    for (path, help) in pages().await {
        let name = ["phiseal".to_owned()].into_iter().chain(path.clone());
        let file = dir.join(format!("{}.1", name.collect::<Vec<_>>().join("-")));
        let text = plain(&fs::read_to_string(&file).unwrap());
        assert!(
            text.contains(".SH OPTIONS") || text.contains(".SH \"GLOBAL OPTIONS\""),
            "{file:?}"
        );
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES"] {
            assert!(
                text.contains(&format!(".SH {section}")),
                "{file:?}: {section}"
            );
        }
        for option in &help.options {
            assert!(text.contains(option), "{file:?}: {option}");
        }
        accepted_by("groff", &["-man", "-Tutf8", "-ww", "-z"], &file);
        accepted_by("man", &["-l", "--warnings", "-P", "true"], &file);
    }
    let again = project.phiseal(&["man", "--dir", "share/man1", "--json"]);
    let again = again.run().await.expect_code(2).json();
    assert_eq!(again["error"]["code"], "E0106");
}
