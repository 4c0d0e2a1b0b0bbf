//! Names in paths: one percent-encoded segment, or `~` and base64url of its UTF-8, which every
//! proxy leaves alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use grantor::{
    registry::CredentialId,
    types::{ClientId, Name, ScopeToken, SubjectId},
};
use percent_encoding::percent_decode_str;

/// What stands for names in a path, in order.
pub trait Segments: Sized + Send + Sync + 'static {
    /// The names of these texts; `None` where there can be nothing of such a name.
    fn of_names(names: &[String]) -> Option<Self>;

    /// The texts of these names.
    fn names(&self) -> Vec<String>;
}

/// The name that a segment stands for.
pub fn name_of(segment: &str) -> Option<String> {
    match segment.strip_prefix('~') {
        Some(encoded) => String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok(),
        None => Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned()),
    }
}

/// A segment that stands for a name: the name itself where nothing in it needs encoding.
pub fn segment_of(name: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._@".contains(&octet);
    // Beside names, the pages of the console have one for what is new.
    let reads_otherwise = matches!(name, "" | "." | ".." | "new");
    match name.bytes().all(is_plain) && !reads_otherwise {
        true => name.to_owned(),
        false => encoded(name),
    }
}

/// The segment that stands for a name whatever it is.
fn encoded(name: &str) -> String {
    format!("~{}", URL_SAFE_NO_PAD.encode(name))
}

/// A path with these names in the places of those in braces.
pub fn path_of(template: &str, names: &[String]) -> String {
    path_by(template, names, segment_of)
}

/// The same, whose names are none of the words that stand in other paths.
pub fn encoded_path_of(template: &str, names: &[String]) -> String {
    path_by(template, names, encoded)
}

fn path_by(template: &str, names: &[String], segment: fn(&str) -> String) -> String {
    let mut names = names.iter();
    let parts = template
        .split('/')
        .map(|part| match part.strip_prefix('{') {
            Some(_) => names.next().map(|name| segment(name)).unwrap_or_default(),
            None => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("/")
}

impl Segments for () {
    fn of_names(_: &[String]) -> Option<Self> {
        Some(())
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A name that is not read further.
impl Segments for String {
    fn of_names(names: &[String]) -> Option<Self> {
        names.first().cloned()
    }

    fn names(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

macro_rules! one_name {
    ($($name:ty),*) => {$(
        impl Segments for $name {
            fn of_names(names: &[String]) -> Option<Self> {
                Self::parse(names.first()?).ok()
            }

            fn names(&self) -> Vec<String> {
                vec![self.to_string()]
            }
        }
    )*};
}

one_name!(ClientId, SubjectId, ScopeToken, Name, CredentialId);

impl<A: Segments, B: Segments> Segments for (A, B) {
    fn of_names(names: &[String]) -> Option<Self> {
        let (first, rest) = names.split_at_checked(1)?;
        Some((A::of_names(first)?, B::of_names(rest)?))
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.0.names();
        names.extend(self.1.names());
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m005_every_name_is_found_again_by_both_forms() {
        for name in [
            "billing",
            "a b",
            "a/b",
            "a:b",
            "é",
            "..",
            ".",
            "",
            "~x",
            "a%2Fb",
            "x@y.example",
        ] {
            assert_eq!(name_of(&segment_of(name)).as_deref(), Some(name));
            let encoded = format!("~{}", URL_SAFE_NO_PAD.encode(name));
            assert_eq!(name_of(&encoded).as_deref(), Some(name));
        }
        assert_eq!(name_of("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(name_of("a%252Fb").as_deref(), Some("a%2Fb"));
        assert_eq!(segment_of("x@y.example"), "x@y.example");
        for wrong in ["~/", "~a b", "%ff", "~_w"] {
            assert_eq!(name_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn m005_names_take_the_places_of_a_path() {
        let names = ["a/b".to_owned(), "alice".to_owned()];
        assert_eq!(
            path_of("/permissions/{client}/{subject}", &names),
            "/permissions/~YS9i/alice"
        );
        assert_eq!(path_of("/clients", &[]), "/clients");
    }
}
