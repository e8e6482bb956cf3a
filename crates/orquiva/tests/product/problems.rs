//! Every problem and every fault speaks both languages, whole.

use std::collections::BTreeSet;

use orquiva_core::{Code, Fault, Language};

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
