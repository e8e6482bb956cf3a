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
    /// The best match for an `Accept-Language` header (RFC 9110 §12.5.4); English where neither is named.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::default());
        for range in header.split(',') {
            let mut parts = range.trim().split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let language = match tag.split('-').next() {
                Some(primary) if primary.eq_ignore_ascii_case("es") => Self::Spanish,
                Some(primary) if primary.eq_ignore_ascii_case("en") => Self::English,
                Some(_) | None => continue,
            };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
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
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
