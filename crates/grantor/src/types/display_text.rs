//! Texts that registrations bring to pages: they must not pretend to be something else there (UTS
//! #36 §2, §3).

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::is_nfc;

/// Why a text is not shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisplayTextError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More characters than this.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// Characters that cannot be seen, or move others; white space at an end is a typing error.
    #[error(
        "contains control, direction or invisible characters, or white space at its start or end"
    )]
    Characters,
    /// Two spellings of one text.
    #[error("is not in normal form C of Unicode (NFC)")]
    NotNormal,
}

fn check(text: &str, most: usize) -> Result<(), DisplayTextError> {
    match text {
        "" => Err(DisplayTextError::Empty),
        _ if text.chars().nth(most).is_some() => Err(DisplayTextError::TooLong(most)),
        _ if text.chars().any(is_unseen) || text.trim() != text => {
            Err(DisplayTextError::Characters)
        }
        _ if !is_nfc(text) => Err(DisplayTextError::NotNormal),
        _ => Ok(()),
    }
}

/// Control characters, ends of lines, marks of direction, and what has no width (the property
/// Default_Ignorable_Code_Point of Unicode, and annotations).
pub(crate) fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

macro_rules! display_text {
    ($(#[$doc:meta])* $name:ident $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Most characters.
            pub const MAX_CHARACTERS: usize = $most;

            /// Takes a text in NFC without control, direction and invisible characters, and without
            /// white space at its ends. Kept to the letter.
            ///
            /// # Errors
            /// [`DisplayTextError`]
            pub fn parse(text: &str) -> Result<Self, DisplayTextError> {
                check(text, Self::MAX_CHARACTERS).map(|()| Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = DisplayTextError;

            fn try_from(text: String) -> Result<Self, DisplayTextError> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = DisplayTextError;

            fn from_str(text: &str) -> Result<Self, DisplayTextError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

display_text! {
    /// What a client is called on pages (`client_name`, RFC 7591 §2): 1 to 64 characters.
    DisplayName 64
}

display_text! {
    /// A sentence on pages about a client or a scope: 1 to 280 characters.
    Description 280
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c003_good_texts_are_kept_to_the_letter() {
        for text in [
            "B",
            "Billing",
            "Caf\u{e9} & <b>S\u{f6}hne</b>",
            "\u{8acb}\u{6c42}\u{66f8}",
            "\u{627}\u{644}\u{641}",
            &"\u{e4}".repeat(64),
        ] {
            let name = DisplayName::parse(text).expect("a name");
            assert_eq!(name.as_str(), text);
            assert_eq!(Description::parse(text).expect("a text").as_str(), text);
        }
        assert!(Description::parse(&"\u{e4}".repeat(280)).is_ok());
    }

    #[test]
    fn ca50_texts_that_pretend_are_refused() {
        use DisplayTextError::{Characters, Empty, NotNormal, TooLong};
        for (text, error) in [
            ("", Empty),
            (&*"\u{e4}".repeat(65), TooLong(64)),
            (" Billing", Characters),
            ("Billing\u{a0}", Characters),
            ("Bill\ning", Characters),
            ("Bill\0ing", Characters),
            ("Bill\u{85}ing", Characters),
            ("Bill\u{2028}ing", Characters),
            ("Bill\u{202e}ing", Characters),
            ("Bill\u{2066}ing", Characters),
            ("Bill\u{200f}ing", Characters),
            ("Bill\u{61c}ing", Characters),
            ("Bill\u{200b}ing", Characters),
            ("Bill\u{200d}ing", Characters),
            ("Bill\u{ad}ing", Characters),
            ("Bill\u{feff}ing", Characters),
            ("Bill\u{e0041}ing", Characters),
            ("Cafe\u{301}", NotNormal),
            ("\u{212b}", NotNormal),
        ] {
            assert_eq!(DisplayName::parse(text), Err(error), "{text:?}");
            let json = serde_json::to_string(text).expect("JSON");
            assert!(serde_json::from_str::<DisplayName>(&json).is_err());
        }
        assert_eq!(
            Description::parse(&"x".repeat(281)),
            Err(TooLong(Description::MAX_CHARACTERS))
        );
    }
}
