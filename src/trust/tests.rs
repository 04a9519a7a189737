//! Tests the rule on real files and folders. The tests that need other owners run only as root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::*;

const NOBODY: u32 = 65_534;

/// A folder with `sub/file`, both without weaknesses.
struct TestFolder(tempfile::TempDir);

impl TestFolder {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("sub")).unwrap();
        place.write("sub/file");
        set_mode(&place.path("sub"), 0o755);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str) {
        fs::write(self.path(name), "x").unwrap();
        set_mode(&self.path(name), 0o644);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refusal(path: &Path) -> Untrusted {
    match open(path) {
        Err(Refused::Untrusted(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn is_root() -> bool {
    user() == 0
}

#[test]
fn a_file_of_the_user_in_folders_of_the_user_and_root_is_opened() {
    let place = TestFolder::new();
    open(&place.path("sub/file")).unwrap();
    open(&place.path("sub/../sub/./file")).unwrap();
    open(Path::new("/etc/passwd")).unwrap();
}

#[test]
fn a_file_that_its_group_or_everybody_may_write_is_refused_with_the_command_that_mends_it() {
    for (mode, whom, command) in [
        (0o664, "its group", "chmod g-w"),
        (0o646, "everybody", "chmod o-w"),
        (0o666, "its group and everybody", "chmod go-w"),
    ] {
        let place = TestFolder::new();
        let path = place.path("sub/file");
        set_mode(&path, mode);
        let found = refusal(&path);
        let shown = path.display();
        assert_eq!(
            found.to_string(),
            format!("{shown} has mode {mode:04o}: {whom} may write to it")
        );
        let hint = found.hint();
        assert!(hint.contains(&format!("`{command} {shown}`")), "{hint}");
    }
}

#[test]
fn a_folder_on_the_way_that_others_may_write_is_refused_however_far_above() {
    let place = TestFolder::new();
    fs::create_dir(place.path("sub/deep")).unwrap();
    place.write("sub/deep/file");
    for mode in [0o777, 0o775, 0o757] {
        set_mode(&place.path("sub"), mode);
        let found = refusal(&place.path("sub/deep/file")).to_string();
        assert!(found.starts_with("the folder "), "{found}");
        assert!(found.contains("/sub has mode"), "{found}");
        assert!(check_folders(&place.path("sub/deep")).is_err());
    }
}

#[test]
fn in_a_sticky_folder_what_is_the_users_own_is_opened() {
    let place = TestFolder::new();
    set_mode(&place.path("sub"), 0o1777);
    open(&place.path("sub/file")).unwrap();
}

#[test]
fn a_link_counts_with_its_own_folder_and_with_that_of_its_target() {
    let place = TestFolder::new();
    fs::create_dir(place.path("links")).unwrap();
    symlink("../sub/file", place.path("links/link")).unwrap();
    symlink(place.path("links"), place.path("by")).unwrap();
    open(&place.path("by/link")).unwrap();
    for wide in ["links", "sub"] {
        set_mode(&place.path(wide), 0o777);
        let found = refusal(&place.path("by/link")).to_string();
        assert!(found.contains(&format!("/{wide} has mode 0777")), "{found}");
        set_mode(&place.path(wide), 0o755);
    }
    symlink("loop", place.path("loop")).unwrap();
    assert!(matches!(
        open(&place.path("loop")),
        Err(Refused::Unreadable(_))
    ));
}

#[test]
fn a_mounted_config_map_is_opened() {
    // As the kubelet lays it out: the file is a link into a folder that is a link.
    let place = TestFolder::new();
    fs::create_dir(place.path("..2026")).unwrap();
    place.write("..2026/plan");
    symlink("..2026", place.path("..data")).unwrap();
    symlink("..data/plan", place.path("plan")).unwrap();
    open(&place.path("plan")).unwrap();
}

#[test]
fn a_file_or_a_folder_of_another_user_is_refused_by_name() {
    if !is_root() {
        return;
    }
    for theirs in ["sub/file", "sub"] {
        let place = TestFolder::new();
        chown(place.path(theirs), Some(NOBODY), None).unwrap();
        let found = refusal(&place.path("sub/file"));
        let shown = place.path(theirs);
        let said = found.to_string();
        assert!(said.contains("belongs to nobody (uid 65534)"), "{said}");
        let hint = found.hint();
        assert!(
            hint.contains(&format!("chown root {}", shown.display())),
            "{hint}"
        );
    }
}

#[test]
fn a_link_of_another_user_in_a_sticky_folder_is_refused() {
    if !is_root() {
        return;
    }
    let place = TestFolder::new();
    fs::create_dir(place.path("tmp")).unwrap();
    set_mode(&place.path("tmp"), 0o1777);
    let link = place.path("tmp/link");
    symlink(place.path("sub/file"), &link).unwrap();
    open(&link).unwrap();
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).unwrap();
    assert!(refusal(&link).to_string().contains("the symbolic link"));
}

#[test]
fn what_root_owns_is_obeyed_but_holds_no_key_of_the_user() {
    let file = fs::metadata("/etc/passwd").unwrap();
    assert_eq!(Rule::OBEYED.broken(&file, 4711).next(), None);
    let broken: Vec<Broken> = Rule::SECRET.broken(&file, 4711).collect();
    assert_eq!(broken, [Broken::Owner(0), Broken::Mode(0o644)]);
}

#[test]
fn what_is_open_already_is_judged_by_itself() {
    use std::os::fd::AsRawFd;
    let (reader, _writer) = std::io::pipe().unwrap();
    open(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd()))).unwrap();
}

fn script(place: &TestFolder, name: &str) {
    place.write(name);
    set_mode(&place.path(name), 0o755);
}

fn search(entries: &[&Path]) -> Result<PathBuf, Refused> {
    let path = std::env::join_paths(entries).unwrap();
    program("file", Some(&path))
}

#[test]
fn a_program_is_found_along_path_and_taken_by_its_absolute_path() {
    let place = TestFolder::new();
    // The file in `sub` is not executable.
    fs::create_dir(place.path("bin")).unwrap();
    script(&place, "bin/file");
    let (sub, bin, gone) = (place.path("sub"), place.path("bin"), place.path("gone"));
    assert_eq!(search(&[&gone, &sub, &bin]).unwrap(), bin.join("file"));
    let whole = bin.join("file");
    assert_eq!(program(whole.to_str().unwrap(), None).unwrap(), whole);
    assert!(matches!(search(&[&sub]), Err(Refused::Unreadable(_))));
}

#[test]
fn a_program_that_others_could_have_written_is_refused() {
    let place = TestFolder::new();
    script(&place, "sub/file");
    set_mode(&place.path("sub/file"), 0o777);
    assert!(search(&[&place.path("sub")]).is_err());
    set_mode(&place.path("sub/file"), 0o755);
    set_mode(&place.path("sub"), 0o777);
    let refused = search(&[&place.path("sub")]).unwrap_err();
    assert!(matches!(refused, Refused::Untrusted(_)), "{refused:?}");
}

#[test]
fn a_folder_of_path_where_others_could_put_the_program_first_is_refused() {
    let place = TestFolder::new();
    script(&place, "sub/file");
    let sub = place.path("sub");
    let first = place.path("first");
    fs::create_dir(&first).unwrap();
    assert!(search(&[&first, &sub]).is_ok());
    set_mode(&first, 0o777);
    for before in [
        first.as_path(),
        Path::new("."),
        Path::new(""),
        Path::new("bin"),
    ] {
        let refused = search(&[before, &sub]).unwrap_err();
        assert!(matches!(refused, Refused::Untrusted(_)), "{before:?}");
    }
    // Folders that come after the program in PATH are not searched.
    assert!(search(&[&sub, &first]).is_ok());
    // Any user could create the folder `bin` here.
    set_mode(&first, 0o1777);
    assert!(search(&[&first.join("bin"), &sub]).is_err());
}

#[test]
fn a_path_with_a_control_character_or_a_quote_is_shown_harmlessly() {
    let place = TestFolder::new();
    let path = place.path("a'\u{1b}[2J\nb");
    fs::write(&path, "x").unwrap();
    set_mode(&path, 0o666);
    let found = refusal(&path);
    for said in [found.to_string(), found.hint()] {
        assert!(!said.contains(|c: char| c.is_control()), "{said:?}");
    }
    assert!(
        found.hint().contains(r"a'\''\u{1b}[2J\nb'"),
        "{}",
        found.hint()
    );
}
