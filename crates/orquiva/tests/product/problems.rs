//! The page about problems is printed from the two tables that the answers come from, and has both languages whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use orquiva_core::{Code, Fault, Language};

/// Set, the page is written instead of compared.
const UPDATE: &str = "ORQUIVA_UPDATE_DOCS";

const HEAD: &str = "# Problems

<!-- Printed from the tables in crates/orquiva-core by the test `the_page_about_problems_is_printed_from_the_tables`;
     ORQUIVA_UPDATE_DOCS=1 writes it anew. -->

Every error of the API is `application/problem+json` (RFC 9457) with one of these codes. The `code` never changes; texts come
in Spanish or English by `Accept-Language`, and their wording may change. The token endpoint alone speaks as RFC 6749 §5.2 says.
";

const FIELDS: &str = "
## Fields and parameters

`invalid_fields`, `invalid_parameter` and `conflict` name all that is wrong at once in `errors`: `pointer` is a JSON pointer
into the body or the name of a parameter, `code` is one of these.

| code | what to do |
|---|---|
";

/// The page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let (english, spanish) = (Language::English, Language::Spanish);
        write!(
            page,
            "\n## {}\n\n{} · **{}** · {}\n\n{}\n\n{}\n",
            code.as_str(),
            code.status(),
            code.title(english),
            code.title(spanish),
            code.detail(english),
            code.detail(spanish),
        )
        .unwrap();
    }
    page.push_str(FIELDS);
    let mut faults: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (code, spanish, english) in Fault::ALL {
        faults.entry(code).or_default().push(format!("{english} · {spanish}").replace('|', "\\|"));
    }
    for (code, texts) in faults {
        writeln!(page, "| `{code}` | {} |", texts.join("<br>")).unwrap();
    }
    page
}

#[test]
fn the_page_about_problems_is_printed_from_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/problems.md");
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/problems.md is not what the tables say: {UPDATE}=1 cargo test -p orquiva --test product problems"
    );
}

#[test]
fn every_problem_and_every_fault_says_it_in_both_languages() {
    let mut codes = BTreeSet::new();
    for code in Code::ALL {
        assert!(codes.insert(code.as_str()), "{} stands for two things", code.as_str());
        assert!((400..600).contains(&code.status()), "{}", code.as_str());
        for text in [Code::title, Code::detail] {
            let (spanish, english) = (text(*code, Language::Spanish), text(*code, Language::English));
            assert!(!spanish.is_empty() && !english.is_empty() && spanish != english, "{}", code.as_str());
            assert!(
                !english.contains('«') && !spanish.contains('`'),
                "{}: quotes of the other",
                code.as_str()
            );
        }
        assert!(!code.title(Language::English).ends_with('.'), "{}: a title is no sentence", code.as_str());
    }
    // What is filled into one language is filled into the other.
    let parts = |text: &str| {
        let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        parts.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>()
    };
    for (code, spanish, english) in Fault::ALL {
        assert!(!spanish.is_empty() && !english.is_empty() && spanish != english, "{code}");
        assert_eq!(parts(spanish), parts(english), "{code}");
    }
    for code in codes.iter().chain(Fault::ALL.iter().map(|(code, _, _)| code).collect::<BTreeSet<_>>()) {
        assert!(code.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'), "{code}");
    }
}
