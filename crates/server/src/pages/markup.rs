//! Texts of others in pages: the one place where they become markup (M161).

use std::fmt::{self, Display, Write};

use askama::filters::{Escaper, Safe};
use grantor::types::is_hidden;

/// Markup that only this module makes: templates show it as it is.
pub type Markup = Safe<String>;

/// Escapes what has a meaning in HTML, in quoted attributes too, and makes visible what hides: control
/// characters, those that turn the direction of text, those without width. Line breaks and tabs stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, each) in text.char_indices() {
            let entity = match each {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\n' | '\t' => continue,
                each if is_hidden(each) => "",
                _ => continue,
            };
            to.write_str(&text[plain..at])?;
            match entity {
                "" => write!(to, "{}", each.escape_unicode())?,
                entity => to.write_str(entity)?,
            }
            plain = at + each.len_utf8();
        }
        to.write_str(&text[plain..])
    }
}

/// What may stand in a sentence of ours.
pub trait Part {
    /// As markup.
    fn part(&self) -> String;
}

/// A text, without more.
impl Part for &str {
    fn part(&self) -> String {
        let mut markup = String::with_capacity(self.len());
        Visible
            .write_escaped_str(&mut markup, self)
            .expect("a string takes any text");
        markup
    }
}

/// A name that people gave, whichever direction it is written in.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a>(pub &'a str);

impl Part for Named<'_> {
    fn part(&self) -> String {
        format!("<bdi>{}</bdi>", self.0.part())
    }
}

/// An identifier, or a piece of a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Coded<'a>(pub &'a str);

impl Part for Coded<'_> {
    fn part(&self) -> String {
        format!("<code>{}</code>", self.0.part())
    }
}

/// A link within these pages.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    to: &'a str,
    text: &'a str,
}

impl<'a> Link<'a> {
    /// A link to this path of ours, which says this.
    pub fn to(to: &'a str, text: &'a str) -> Self {
        Self { to, text }
    }
}

impl Part for Link<'_> {
    fn part(&self) -> String {
        format!("<a href=\"{}\">{}</a>", self.to.part(), self.text.part())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Part for $number {
            fn part(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers!(u16, u32, u64, usize, i64);

/// What is markup already.
impl Part for Markup {
    fn part(&self) -> String {
        self.0.clone()
    }
}

/// Something that can stand in a sentence, as markup by itself.
pub fn markup(part: impl Part) -> Markup {
    Safe(part.part())
}

/// Names that people gave, apart by commas.
pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Markup {
    let names: Vec<_> = names.into_iter().map(|name| Named(name).part()).collect();
    Safe(names.join(", "))
}

/// A drawing of ours, whose texts are escaped already.
pub fn drawing(svg: &impl Display) -> Markup {
    Safe(svg.to_string())
}

/// Texts of ours in all languages: for each a method, whose missing translation does not compile.
/// What stands in a sentence is an argument that is a [`Part`], and escaped here.
///
/// ```text
/// words! {
///     /// What the pages of clients say.
///     pub struct Words;
///     heading: "Clients", "Clients";
///     disable_it(name: Named<'_>): "Disable {name}?", "Désactiver {name} ?";
/// }
/// ```
macro_rules! words {
    (
        $(#[$about:meta])*
        $visibility:vis struct $words:ident;
        $($text:ident $(($($argument:ident: $kind:ty),+ $(,)?))?: $english:literal, $french:literal;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $words(pub $crate::pages::Language);

        impl $words {
            $($crate::pages::words!(@ $text [$($($argument: $kind),+)?] $english, $french);)*
        }
    };
    (@ $text:ident [] $english:literal, $french:literal) => {
        pub fn $text(self) -> &'static str {
            match self.0 {
                $crate::pages::Language::English => $english,
                $crate::pages::Language::French => $french,
            }
        }
    };
    (@ $text:ident [$($argument:ident: $kind:ty),+] $english:literal, $french:literal) => {
        pub fn $text(self, $($argument: $kind),+) -> $crate::pages::Markup {
            $(let $argument = $crate::pages::Part::part(&$argument);)+
            askama::filters::Safe(match self.0 {
                $crate::pages::Language::English => format!($english),
                $crate::pages::Language::French => format!($french),
            })
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Language;

    words! {
        /// Said in a test.
        struct Said;
        plain: "Clients", "Clients (fr)";
        of_name(name: Named<'_>, days: u64): "Disable {name} in {days} days?", "Dans {days} jours, désactiver {name} ?";
    }

    #[test]
    fn m161_a_text_of_others_is_text_in_every_sentence() {
        let name = Named("<b>\u{202e}x\"'&");
        let escaped = "<bdi>&lt;b&gt;\\u{202e}x&quot;&#39;&amp;</bdi>";
        let english = Said(Language::English);
        assert_eq!(
            english.of_name(name, 3).0,
            format!("Disable {escaped} in 3 days?")
        );
        let french = Said(Language::French);
        assert_eq!(
            french.of_name(name, 3).0,
            format!("Dans 3 jours, désactiver {escaped} ?")
        );
        assert_eq!(
            (english.plain(), french.plain()),
            ("Clients", "Clients (fr)")
        );
    }

    #[test]
    fn m161_lines_stay_lines_and_what_hides_is_seen() {
        assert_eq!("a\nb\tc\u{0}\u{200b}é".part(), "a\nb\tc\\u{0}\\u{200b}é");
    }
}
