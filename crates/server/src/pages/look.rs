//! How a browser sees pages: language and theme, by its wishes or by a choice that a cookie keeps. The
//! cookies prove nothing.

use http::{HeaderMap, HeaderValue, header};
use url::form_urlencoded;

use super::{Language, Site};

/// The parameters by which one chooses, on any page, and the cookies that keep it.
const LANGUAGE: &str = "lang";
const THEME: &str = "theme";
/// What a client that sends people here may say (OpenID Connect Core §3.1.2.1).
const UI_LOCALES: &str = "ui_locales";
const A_YEAR: u32 = 365 * 86_400;

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

impl Theme {
    /// As in `data-theme`, and in the cookie.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark]
            .into_iter()
            .find(|theme| theme.name() == name)
    }
}

/// Language and theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The language.
    pub language: Language,
    /// The theme; the browser's where nothing was chosen.
    pub theme: Option<Theme>,
}

impl Look {
    /// That of a request: what its query chooses, else what a cookie keeps, else what the browser
    /// likes. What makes no sense is no choice.
    pub fn of(headers: &HeaderMap, query: &str) -> Self {
        let chosen = Choice::of(query);
        let locales = || Language::of_list(&parameter(query, UI_LOCALES)?);
        let language = chosen
            .language
            .or_else(|| Language::of_tag(&cookie(headers, LANGUAGE)?))
            .or_else(locales)
            .or_else(|| Language::accepted(headers));
        let theme = chosen
            .theme
            .or_else(|| Theme::named(&cookie(headers, THEME)?));
        Self {
            language: language.unwrap_or_default(),
            theme,
        }
    }
}

/// What the query of a page chooses, which is kept from then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    language: Option<Language>,
    theme: Option<Theme>,
}

impl Choice {
    /// That of a query.
    pub fn of(query: &str) -> Self {
        Self {
            language: parameter(query, LANGUAGE).and_then(|tag| Language::of_tag(&tag)),
            theme: parameter(query, THEME).and_then(|name| Theme::named(&name)),
        }
    }

    /// The cookies that keep it.
    pub fn cookies(self, site: &Site) -> impl Iterator<Item = HeaderValue> {
        let secure = match site.takes_secure_cookies() {
            true => "; Secure",
            false => "",
        };
        let kept = [
            (LANGUAGE, self.language.map(Language::tag)),
            (THEME, self.theme.map(Theme::name)),
        ];
        kept.into_iter().filter_map(move |(name, value)| {
            let value = value?;
            let cookie = format!(
                "grantor-{name}={value}; Path=/; Max-Age={A_YEAR}; HttpOnly; SameSite=Lax{secure}"
            );
            Some(HeaderValue::from_str(&cookie).expect("our words are header text"))
        })
    }
}

/// What pages of people ask for in their queries. Nothing else that a stranger wrote into a link is
/// in a page (M163).
const OF_PAGES: [&str; 9] = [
    "t",
    "to",
    "token",
    "client",
    "client_id",
    "scope",
    "login_hint",
    "done",
    "remove",
];

/// The part of a query that pages of people ask for.
pub fn keeping(query: &str) -> String {
    let mut kept = form_urlencoded::Serializer::new(String::new());
    let pairs = form_urlencoded::parse(query.as_bytes());
    kept.extend_pairs(pairs.filter(|(name, _)| OF_PAGES.contains(&&**name)));
    kept.finish()
}

/// A page's address with another choice in its query.
pub fn choosing(path: &str, query: &str, name: &str, value: &str) -> String {
    let mut chosen = form_urlencoded::Serializer::new(String::new());
    for (known, kept) in form_urlencoded::parse(query.as_bytes()) {
        if known != name {
            chosen.append_pair(&known, &kept);
        }
    }
    chosen.append_pair(name, value);
    format!("{path}?{}", chosen.finish())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("grantor-")?.split_once('='));
    pairs
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use grantor::types::Issuer;

    use super::*;

    #[test]
    fn ma37_a_choice_is_one_of_ours_or_none() {
        let headers = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::COOKIE,
                HeaderValue::from_str(cookie).expect("header text"),
            );
            headers
        };
        let french = Look {
            language: Language::French,
            theme: Some(Theme::Dark),
        };
        let none = HeaderMap::new();
        assert_eq!(Look::of(&none, "lang=fr&theme=dark"), french);
        assert_eq!(
            Look::of(&none, "ui_locales=de+fr").language,
            Language::French
        );
        let kept = headers("a=b; grantor-lang=fr; grantor-theme=dark");
        assert_eq!(Look::of(&kept, ""), french);
        assert_eq!(Look::of(&kept, "lang=en").language, Language::English);
        let site = Site::of(&Issuer::parse("https://as.example").expect("an issuer"));
        for wrong in ["lang=../..", "theme=%22%3E%3C", "lang=fr%0d%0a", "lang=xx"] {
            assert_eq!(Look::of(&none, wrong).theme, None, "{wrong}");
            assert_eq!(
                Choice::of(wrong).cookies(&site).count(),
                usize::from(wrong.contains("lang=fr"))
            );
        }
    }
}
