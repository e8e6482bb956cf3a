//! Finding people by the beginnings of words, whatever their case and accents: the words of a person, and those
//! of a search.

use std::collections::BTreeSet;

use crate::employee::Profile;
use crate::text::fold;

/// Most characters of a word that count.
const LONGEST: usize = 128;

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that begin so, folded.
    pub words: BTreeSet<String>,
    /// An e-mail that begins so, in lower case.
    pub addresses: BTreeSet<String>,
}

impl Search {
    /// Reads a search: runs of letters and digits are words; what has an `@` in it is the beginning of an e-mail.
    pub fn parse(query: &str) -> Self {
        let (addresses, words): (Vec<_>, Vec<_>) =
            query.split_whitespace().partition(|chunk| chunk.contains('@'));
        Self {
            words: words.into_iter().flat_map(|chunk| plain(&fold(chunk))).collect(),
            addresses: addresses.into_iter().map(str::to_lowercase).collect(),
        }
    }

    /// How many words and addresses there are.
    pub fn len(&self) -> usize {
        self.words.len() + self.addresses.len()
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The words that find a person: those of the names and of the e-mail's local part.
pub fn words_of(profile: &Profile) -> BTreeSet<String> {
    let Profile { full_name, first_name, last_name, second_last_name, preferred_name, email, .. } = profile;
    let local = email.as_str().rsplit_once('@').map_or("", |(local, _)| local);
    [first_name, last_name, second_last_name, preferred_name]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain([full_name.as_str(), local])
        .flat_map(|text| plain(&fold(text)))
        .collect()
}

/// The form by which names are put in order: `Álvaro` beside `alvaro`.
pub fn name_key(full_name: &str) -> String {
    cut(fold(full_name).chars())
}

/// The form under which two spellings of a place are the same.
pub fn location_key(location: &str) -> String {
    fold(location)
}

/// The runs of letters and digits of a folded text.
fn plain(folded: &str) -> Vec<String> {
    let runs = folded.split(|letter: char| !letter.is_alphanumeric());
    runs.filter(|run| !run.is_empty()).map(|run| cut(run.chars())).collect()
}

fn cut(letters: impl Iterator<Item = char>) -> String {
    letters.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::employee::{Email, NewEmployee};
    use proptest::prelude::*;
    use serde_json::json;

    fn named(name: &str, email: &str) -> Profile {
        let today = crate::Date::parse("2026-01-01").expect("a day");
        let new = NewEmployee::parse(&json!({ "fullName": name, "email": email }), today);
        new.expect("a valid hire").profile
    }

    fn finds(query: &str, profile: &Profile) -> bool {
        let (words, email) = (words_of(profile), profile.email.key());
        let asked = Search::parse(query);
        !asked.is_empty()
            && asked.words.iter().all(|asked| words.iter().any(|word| word.starts_with(asked)))
            && asked.addresses.iter().all(|asked| email.starts_with(asked))
    }

    #[test]
    fn people_are_found_as_one_would_type() {
        let pepa = named("María-José Ñíguez O'Neill", "mj.niguez@acme.test");
        for query in [
            "maria",
            "JOSE",
            "jose maria",
            "ÑÍG",
            "nig mar",
            "o'neill",
            "neil",
            "mj.nig",
            "MJ.Niguez@acme",
            "mj.niguez@acme.test",
        ] {
            assert!(finds(query, &pepa), "{query}");
        }
        for query in ["ria", "maria x", "acme", "@acme", "niguez@", "…", "🌻"] {
            assert!(!finds(query, &pepa), "{query}");
        }
    }

    #[test]
    fn a_person_has_few_words() {
        let words: Vec<_> = words_of(&named("Ana Ruiz", "ana.ruiz@acme.test")).into_iter().collect();
        assert_eq!(words, ["ana", "ruiz"]);
    }

    proptest! {
        #[test]
        fn a_beginning_of_any_word_finds_its_owner(name in "\\PC{1,60}", at in any::<prop::sample::Index>(), length in 1_usize..20) {
            let name = name.trim();
            prop_assume!(!name.is_empty());
            let today = crate::Date::parse("2026-01-01").expect("a day");
            let hire = NewEmployee::parse(&json!({ "fullName": name, "email": "x@acme.test" }), today);
            prop_assume!(hire.is_ok(), "some letters are in no name");
            let profile = hire.expect("a valid hire").profile;
            let runs: Vec<&str> = name
                .split_whitespace()
                .filter(|run| !run.contains('@'))
                .collect();
            prop_assume!(!runs.is_empty());
            let beginning: String = runs[at.index(runs.len())].chars().take(length).collect();
            prop_assume!(!Search::parse(&beginning).is_empty());
            prop_assert!(finds(&beginning, &profile), "{beginning:?} finds {name:?}");
            prop_assert!(finds(&beginning.to_uppercase(), &profile) || !beginning.is_ascii());
        }

        #[test]
        fn whatever_is_asked_has_words_without_space_or_case(query in "\\PC{0,80}") {
            for word in Search::parse(&query).words {
                prop_assert!(!word.is_empty() && !word.contains(' ') && word.chars().count() <= LONGEST);
            }
        }
    }

    #[test]
    fn an_address_is_found_by_its_beginning() {
        let address = Email::parse("josé.o+hr@compañía.es").expect("an address");
        assert!(finds("JOSÉ.o+hr@comp", &named("X", address.as_str())));
    }
}
