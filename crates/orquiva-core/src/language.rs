//! The two languages of every text that people read.

/// Spanish or English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Spanish.
    Spanish,
    /// English, also where a caller names neither.
    #[default]
    English,
}

impl Language {
    /// The best match for an `Accept-Language` header (RFC 9110 §12.5.4). Of two that weigh the same the one named
    /// first; English where neither is wanted. What is no language range, or has no weight of the grammar, counts
    /// as not there.
    pub fn accepted(header: &str) -> Self {
        let (mut spanish, mut english, mut any) = (None, None, None);
        for (place, range) in header.split(',').enumerate() {
            let mut parts = range.split(';').map(str::trim);
            let primary = parts.next().and_then(|tag| tag.split('-').next()).unwrap_or_default();
            let named = match primary {
                "*" => &mut any,
                es if es.eq_ignore_ascii_case("es") => &mut spanish,
                en if en.eq_ignore_ascii_case("en") => &mut english,
                _ => continue,
            };
            let Some(weight) = parts.next().map_or(Some(1000), weight).filter(|_| parts.next().is_none())
            else {
                continue;
            };
            // `es-MX;q=0.2, es` wants Spanish as much as the heaviest of its ranges.
            if named.is_none_or(|(known, _)| weight > known) {
                *named = Some((weight, place));
            }
        }
        let weight = |named: Option<(u16, usize)>| named.or(any).unwrap_or((0, usize::MAX));
        let ((es, es_place), (en, en_place)) = (weight(spanish), weight(english));
        match es > en || (es == en && es > 0 && es_place < en_place) {
            true => Self::Spanish,
            false => Self::English,
        }
    }

    /// Reads the tag.
    pub fn parse(tag: &str) -> Option<Self> {
        match tag {
            "es" => Some(Self::Spanish),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The tag for `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Spanish => "es",
            Self::English => "en",
        }
    }

    /// Picks one of two texts.
    pub fn pick<T>(self, spanish: T, english: T) -> T {
        match self {
            Self::Spanish => spanish,
            Self::English => english,
        }
    }
}

/// A weight in thousandths: `q=` and 0 to 1 with up to three decimals (RFC 9110 §12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let fits = name.eq_ignore_ascii_case("q")
        && matches!(whole, "0" | "1")
        && decimals.len() <= 3
        && decimals.bytes().all(|digit| digit.is_ascii_digit());
    let thousandths = format!("{whole}{decimals:0<3}").parse().ok().filter(|weight| *weight <= 1000);
    thousandths.filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightiest_of_our_languages_wins() {
        for (header, language) in [
            ("es-ES,es;q=0.9,en;q=0.8", Language::Spanish),
            ("en;q=0.2, es;q=0.3", Language::Spanish),
            ("fr, en;q=0.5", Language::English),
            ("*", Language::English),
            ("", Language::English),
            ("es;q=0", Language::English),
            ("es, en", Language::Spanish),
            ("en, es", Language::English),
            ("ES-mx;Q=0.9, en;q=0.85", Language::Spanish),
            ("en;q=0.1, es-MX;q=0.05, es;q=0.2", Language::Spanish),
            ("es-MX;q=0, es", Language::Spanish),
            ("en;q=0, *", Language::Spanish),
            ("es;q=0, *", Language::English),
            ("es;q=0.5, *;q=0.8", Language::English),
            ("en;q=0.5, *;q=0.8", Language::Spanish),
            ("es;q=0, en;q=0", Language::English),
            ("es;q=1.000, en;q=0.999", Language::Spanish),
            // No weights of the grammar: the range counts as not there.
            ("es;q=2, en;q=0.1", Language::English),
            ("es;q=NaN", Language::English),
            ("es;q=inf, en", Language::English),
            ("es;q=-1", Language::English),
            ("es;q=0.1234", Language::English),
            ("es;level=1", Language::English),
            ("español", Language::English),
            (";;,,=", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
