//! The house rules that no compiler checks: who may import whom, what a statement names, how long a file grows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms, and which of them each may import.
const ROOMS: &[(&str, &[&str])] = &[
    ("orquiva-core", &[]),
    ("orquiva-store", &["orquiva-core"]),
    ("orquiva-people", &["orquiva-core", "orquiva-store"]),
    ("orquiva-delivery", &["orquiva-core", "orquiva-store", "orquiva-people"]),
    ("orquiva-web", &["orquiva-core", "orquiva-store", "orquiva-people"]),
    ("orquiva-console", &["orquiva-core", "orquiva-store", "orquiva-people", "orquiva-web"]),
    (
        "orquiva",
        &[
            "orquiva-core",
            "orquiva-store",
            "orquiva-people",
            "orquiva-delivery",
            "orquiva-web",
            "orquiva-console",
        ],
    ),
];

/// Statements over companies' rows that belong to no company: whose they are, and why they may.
const ACROSS_COMPANIES: &[(&str, &str, &str)] = &[
    ("chain.rs", "is_waited_for", "every node serves all companies"),
    ("chain.rs", "waiting", "every node serves all companies"),
    ("client.rs", "find", "the token endpoint and the operator know only the client's id"),
    ("event.rs", "ends", "one statement for all companies that someone listens to"),
    ("event.rs", "newest", "a server that starts falls behind no event, whoever's it is"),
    ("expiry.rs", "oldest", "housekeeping"),
    ("employee.rs", "due", "the scheduler serves all companies"),
    ("event.rs", "unrouted", "the router serves all companies"),
    ("idempotency.rs", "forget", "housekeeping"),
    ("import.rs", "claim", "every node works at the imports of all companies"),
    ("invitation.rs", "find", "whoever is invited knows only the link"),
    ("lane.rs", "claim", "the worker serves all companies"),
    ("lane.rs", "next_due", "the worker serves all companies"),
    ("lane.rs", "take_back", "the worker serves all companies"),
    ("lane.rs", "take_back_of", "a server takes back what it held, whoever's it is"),
    ("log.rs", "companies", "housekeeping"),
    ("member.rs", "companies", "whoever signs in chooses among their companies"),
    ("progress.rs", "due", "the worker serves all companies"),
    ("tally.rs", "forget", "housekeeping"),
    ("token.rs", "revoked", "a node remembers the revoked tokens of all companies"),
    ("token.rs", "forget", "housekeeping"),
    ("usage.rs", "forget", "housekeeping"),
    ("webhook.rs", "public_keys", "a receiver knows only the endpoint's id"),
];

/// Most lines of a file, its unit tests not counted.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every file under `folder` with one of these endings, but for what is built or fetched.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if !["target", "node_modules", ".git", "orquiva-data"].contains(&name.as_str()) {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A source without its comments and unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn rooms_import_downwards_only() {
    for (room, allowed) in ROOMS {
        let manifest = read(&root().join(format!("crates/{room}/Cargo.toml")));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines().filter(|line| line.starts_with("orquiva")) {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&name), "{room} may not import {name}");
        }
    }
    let rooms = std::fs::read_dir(root().join("crates")).unwrap().count();
    assert_eq!(rooms, ROOMS.len(), "every room has its place in the order");
}

/// The path of a module in its crate, `lib` for the root.
fn module_of(source: &Path, file: &Path) -> String {
    let inner = file.strip_prefix(source).unwrap().with_extension("");
    inner.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::")
}

/// The paths that a source names after `crate::` and `super::`, groups spread out: `a::{b, c}` is `a::b` and `a::c`.
fn paths(text: &str, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    for (start, base) in [("crate::", ""), ("super::", parent)] {
        for (at, _) in text.match_indices(start) {
            let rest = &text[at + start.len()..];
            let end = rest.find(';').unwrap_or(rest.len()).min(rest.find('(').unwrap_or(rest.len()));
            let mut spread = Vec::new();
            spread_out(&rest[..end], "", &mut spread);
            found.extend(
                spread.into_iter().map(|path| if base.is_empty() { path } else { format!("{base}::{path}") }),
            );
        }
    }
    found
}

/// Spreads out the groups of an import and returns how many bytes of `text` were read.
fn spread_out(text: &str, base: &str, found: &mut Vec<String>) -> usize {
    let mut path = base.to_owned();
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        at += letter.len_utf8();
        match letter {
            '{' => {
                loop {
                    at += spread_out(&text[at..], &path, found);
                    match text[at..].chars().next() {
                        Some(',') => at += 1,
                        _ => break,
                    }
                }
                return at + 1;
            }
            ',' | '}' => {
                at -= 1;
                break;
            }
            ' ' | '\n' if path == base => {}
            letter if letter.is_alphanumeric() || letter == '_' || letter == ':' => path.push(letter),
            _ => break,
        }
    }
    if path != base {
        found.push(path);
    }
    at
}

#[test]
fn groups_of_an_import_are_spread_out() {
    let text = "use crate::field::{self, Fault, deep::{A, B}};\nuse crate::{Date, time::Clock};\nlet x = crate::merge::merge(1);";
    let expected = [
        "field::self",
        "field::Fault",
        "field::deep::A",
        "field::deep::B",
        "Date",
        "time::Clock",
        "merge::merge",
    ];
    assert_eq!(paths(text, "employee"), expected);
    assert_eq!(paths("use super::names;", "api::employees"), ["api::names"]);
}

#[test]
fn modules_never_import_each_other_in_a_circle() {
    for (room, _) in ROOMS {
        let source = root().join("crates").join(room).join("src");
        let files = files(&source, &[".rs"]);
        let modules: BTreeSet<_> = files.iter().map(|file| module_of(&source, file)).collect();
        let known = |path: &str| {
            let mut path = path.to_owned();
            while !modules.contains(&path) {
                path = path.rsplit_once("::").map(|(parent, _)| parent.to_owned())?;
            }
            Some(path)
        };
        // What the root hands on counts as an import of its own module.
        let mut handed_on = BTreeMap::new();
        let lib = code(&read(&source.join("lib.rs")));
        for import in lib.split(';').filter_map(|part| part.trim().split("pub use ").nth(1)) {
            let mut spread = Vec::new();
            spread_out(import, "", &mut spread);
            for path in spread {
                let name = path.rsplit("::").next().unwrap().to_owned();
                handed_on.extend(known(&path).map(|module| (name, module)));
            }
        }
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in &files {
            let module = module_of(&source, file);
            for path in paths(&code(&read(file)), &module) {
                let first = path.split("::").next().unwrap();
                let target = known(&path)
                    .or_else(|| handed_on.get(first).cloned())
                    .unwrap_or_else(|| "lib".to_owned());
                if target != module {
                    imports.entry(module.clone()).or_default().insert(target);
                }
            }
        }
        assert!(room == &"orquiva-core" || !imports.is_empty(), "{room} has imports");
        for module in &modules {
            if let Some(circle) = circle(module, &imports, &mut Vec::new()) {
                panic!("{room}: {circle}");
            }
        }
    }
}

/// The circle that leads from `module` back to itself.
fn circle(
    module: &str,
    imports: &BTreeMap<String, BTreeSet<String>>,
    way: &mut Vec<String>,
) -> Option<String> {
    if way.first().is_some_and(|first| first == module) {
        return Some(format!("{} → {module}", way.join(" → ")));
    }
    if way.iter().any(|passed| passed == module) {
        return None; // a circle further down, which is found from there
    }
    way.push(module.to_owned());
    let found = imports.get(module).into_iter().flatten().find_map(|next| circle(next, imports, way));
    way.pop();
    found
}

/// Every string of a source, with the name of the function that it stands in.
fn strings(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut function = String::new();
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        if text[at..].starts_with("fn ") {
            function = text[at + 3..].split(['(', '<']).next().unwrap().to_owned();
        }
        at += letter.len_utf8();
        if letter == '\'' && text[at..].starts_with("\"'") {
            at += 2; // a quotation mark as a letter
        } else if letter == '"' {
            let mut end = at;
            while !text[end..].starts_with('"') {
                end += if text[end..].starts_with('\\') {
                    2
                } else {
                    text[end..].chars().next().unwrap().len_utf8()
                };
            }
            found.push((function.clone(), text[at..end].to_owned()));
            at = end + 1;
        }
    }
    found
}

#[test]
fn a_statement_over_a_companys_rows_names_the_company() {
    let schema: String = files(&root().join("migrations"), &[".sql"]).iter().map(|file| read(file)).collect();
    let tables: Vec<_> = schema
        .split("create table ")
        .skip(1)
        .filter(|table| table.split(");").next().unwrap().contains("company_id text not null"))
        .map(|table| table.split([' ', '(']).next().unwrap().to_owned())
        .collect();
    assert!(tables.len() >= 11, "{tables:?}");
    let mut exceptions: BTreeSet<_> =
        ACROSS_COMPANIES.iter().map(|(file, function, _)| (*file, *function)).collect();
    let mut checked = 0;
    for file in files(&root().join("crates/orquiva-store/src"), &[".rs"]) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        for (function, text) in strings(&code(&read(&file))) {
            let statement = ["select ", "insert ", "update ", "delete ", "with "]
                .iter()
                .any(|verb| text.starts_with(verb));
            let words: BTreeSet<_> =
                text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
            if !statement || !tables.iter().any(|table| words.contains(table.as_str())) {
                continue;
            }
            checked += 1;
            let named = match text.starts_with("insert ") {
                true => text.contains("(company_id, "),
                // One for many rows names each one's own.
                false => ["company_id = $", "company_id = each.company_id"]
                    .iter()
                    .any(|named| text.contains(named)),
            };
            let excepted =
                ACROSS_COMPANIES.iter().any(|(file, owner, _)| *file == name && *owner == function);
            exceptions.retain(|(file, owner)| *file != name || *owner != function);
            assert!(named || excepted, "{name}, `{function}`: a statement without company_id: {text}");
        }
    }
    assert!(checked > 30, "only {checked} statements were found");
    assert!(exceptions.is_empty(), "these are exceptions no more: {exceptions:?}");
}

#[test]
fn a_handler_writes_through_the_one_way_that_knows_keys_and_dry_runs() {
    let mut writing = 0;
    for file in files(&root().join("crates/orquiva-web/src/api"), &[".rs"]) {
        let code: String = code(&read(&file)).split_whitespace().collect();
        let shown = file.file_name().unwrap().display();
        assert!(!code.contains("store.write"), "{shown} writes past `App::write`");
        writing += code.matches("app.write(").count() + code.matches("app.add(").count();
    }
    assert!(writing > 0, "handlers write through `app.write`");
}

#[test]
fn files_stay_short_and_clean() {
    let root = root();
    let own = Path::new(file!()).file_name().unwrap();
    for file in ["crates", "bench", "xtask"].iter().flat_map(|folder| files(&root.join(folder), &[".rs"])) {
        let text = read(&file);
        let shown = file.strip_prefix(&root).unwrap().display();
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{shown} has {lines} lines: look for the missing noun");
        assert!(text.starts_with("//! "), "{shown} does not say what it is");
        if file.file_name() != Some(own) {
            for forbidden in ["todo!(", "unimplemented!(", "#[allow(", "#![allow(", "unsafe {", "unsafe fn"] {
                assert!(!text.contains(forbidden), "{shown} has {forbidden}");
            }
        }
    }
}

#[test]
fn no_machines_path_is_committed() {
    let root = root();
    let endings = [".rs", ".toml", ".md", ".sql", ".json", ".mjs", ".js", ".yml", ".lock", "run", ".npmrc"];
    let own = Path::new(file!()).file_name();
    for file in files(&root, &endings).iter().filter(|file| file.file_name() != own) {
        let text = read(file);
        for path in ["/home/", "/root/", "/work/", "/Users/"] {
            assert!(!text.contains(path), "{} names {path}", file.strip_prefix(&root).unwrap().display());
        }
        assert!(
            !file.ends_with("package-lock.json") || !text.contains("\"resolved\""),
            "the lock file has download addresses"
        );
    }
}

#[test]
fn the_dependencies_stay_few() {
    let locked = read(&root().join("Cargo.lock")).matches("[[package]]").count();
    // Some twenty of them are for systems that nobody builds for here: a lock file has all.
    assert!(locked <= 325, "{locked} packages are locked");
}
