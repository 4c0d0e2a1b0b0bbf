//! The languages of pages, and which of them a browser is answered in (M119).

use http::{HeaderMap, header};

/// A language in which every page can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its tag (RFC 5646), as in `lang` and in the cookie.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "Français",
        }
    }

    /// The other one: the choice that a page offers.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::French,
            Self::French => Self::English,
        }
    }

    /// The language of this tag, or of a region of it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next()?;
        Self::ALL
            .into_iter()
            .find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// The first one here of a list of tags, apart by spaces (`ui_locales`, OpenID Connect Core
    /// §3.1.2.1).
    pub fn of_list(tags: &str) -> Option<Self> {
        tags.split(' ').find_map(Self::of_tag)
    }

    /// The one that a browser likes best (RFC 9110 §12.5.4).
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let field = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        let ranges = field.split(',').filter_map(|range| {
            let (tag, weight) = match range.split_once(';') {
                Some((tag, weight)) => (tag, weight.trim().strip_prefix("q=")?.parse().ok()?),
                None => (range, 1.0_f32),
            };
            let language = Self::of_tag(tag)?;
            (weight > 0.0).then_some((language, weight))
        });
        // Of equals the first: `max_by` would take the last.
        let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn m119_a_browser_is_answered_in_the_language_it_likes_best_of_those_here() {
        for (field, expected) in [
            ("fr", Some(Language::French)),
            ("fr-CH, en;q=0.9", Some(Language::French)),
            ("de, en;q=0.4, fr;q=0.7", Some(Language::French)),
            ("EN-gb,fr", Some(Language::English)),
            ("fr;q=0, en;q=0.1", Some(Language::English)),
            ("de", None),
            ("", None),
            ("fr;q=much", None),
            ("../..", None),
        ] {
            let mut headers = HeaderMap::new();
            let field_value = HeaderValue::from_str(field).expect("header text");
            headers.insert(header::ACCEPT_LANGUAGE, field_value);
            assert_eq!(Language::accepted(&headers), expected, "{field}");
        }
        assert_eq!(Language::of_list("de fr-FR en"), Some(Language::French));
    }
}
