//! `docs/security/asvs.md` says where each requirement of OWASP ASVS is met and tested: what it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How the page calls the source of a crate.
const ROOMS: &[&str] = &["core", "store", "people", "delivery", "web", "console"];

/// Requirements of levels 1 and 2 in ASVS 5.0.0.
const REQUIREMENTS: usize = 253;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The file that the page means, from the root of the repository.
fn file(name: &str) -> String {
    match name.split_once('/') {
        Some((room, rest)) if ROOMS.contains(&room) => format!("crates/orquiva-{room}/src/{rest}"),
        Some(_) | None => name.to_owned(),
    }
}

/// The names of all functions in the sources under `folder`.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn what_the_page_on_asvs_names_is_there() {
    let page = std::fs::read_to_string(root().join("docs/security/asvs.md")).unwrap();
    let mut known = BTreeSet::new();
    functions(&root().join("crates"), &mut known);
    let (mut files, mut tests) = (0, 0);
    for name in page.split('`').skip(1).step_by(2) {
        let is_test = name.matches('_').count() > 2 && !name.contains(['/', '.']);
        if is_test {
            assert!(known.contains(name), "there is no test `{name}`");
            tests += 1;
        } else if !name.contains('…') && name.rsplit('/').next().unwrap().contains('.') {
            assert!(root().join(file(name)).is_file(), "there is no file `{name}`");
            files += 1;
        }
    }
    assert!(files > 100 && tests > 100, "{files} files and {tests} tests are named");
}

#[test]
fn the_page_on_asvs_has_each_requirement_once_and_counts_right() {
    let page = std::fs::read_to_string(root().join("docs/security/asvs.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| row.contains('.'));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split(" | ").collect()).collect();
    let place =
        |row: &Vec<&str>| -> Vec<u32> { row[0].split('.').map(|part| part.parse().unwrap()).collect() };
    let places: Vec<_> = rows.iter().map(place).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "in order, and none twice");
    assert_eq!(places.len(), REQUIREMENTS);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *counts.entry(row[3]).or_default() += 1;
        assert!(row[3] == "met" || row[4].trim_matches(['|', ' ']).len() > 3, "{}: why not?", row[0]);
    }
    let of = |state: &str| counts.get(state).copied().unwrap_or_default();
    let told = format!(
        "Of {REQUIREMENTS} requirements {} are met, {} partly, {} not yet, and {} are about things that are not here.",
        of("met"),
        of("partly"),
        of("not met"),
        of("not applicable")
    );
    assert!(page.split_whitespace().collect::<Vec<_>>().join(" ").contains(&told), "{told}");
}
