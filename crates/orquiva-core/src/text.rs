//! Texts as people write them: compared without regard to case, accents and doubled spaces.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The form under which two spellings of a name are the same: `ÁREA  Legal` and `area legal`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase));
    }
    folded
}

/// The closest of `known` to `text`, if one is close enough to be what was meant.
pub fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let asked = plain(text);
    let (distance, name) = known
        .into_iter()
        .map(|name| (steps(&asked, &plain(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + asked.len() / 4).then_some(name)
}

/// Letters and digits only, folded: `full_name` is as near to `fullName` as can be.
fn plain(text: &str) -> Vec<char> {
    fold(text).chars().filter(|letter| letter.is_alphanumeric()).take(64).collect()
}

/// How many letters of one text have to be changed, dropped or added to make the other (Levenshtein).
pub fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    steps(&letters(left), &letters(right))
}

/// Edit distance of Levenshtein.
fn steps(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_to_one() {
        assert_eq!(fold("  ÁREA   Legal "), "area legal");
        assert_eq!(fold("Operaciones"), fold("OPERACIÓNES"));
        assert_ne!(fold("Ventas"), fold("Venta"));
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = ["fullName", "firstName", "email", "department"];
        assert_eq!(nearest("full_name", known), Some("fullName"));
        assert_eq!(nearest("e-mail", known), Some("email"));
        assert_eq!(nearest("deparment", known), Some("department"));
        assert_eq!(nearest("salary", known), None);
    }
}
