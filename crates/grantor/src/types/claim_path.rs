//! Which claim of a JWT is meant: by its name, or further inside by a JSON pointer (RFC 6901).

use std::{borrow::Cow, fmt, sync::Arc};

use grantor_jose::{AudienceClaim, Claims, NumericDate, json::Value};
use serde::{Deserialize, Serialize, Serializer};

use super::display_text::is_unseen;

/// A claim, or a place inside one.
///
/// A text that begins with `/` is a JSON pointer: its segments are names of members or indexes of
/// lists, in which `~1` stands for `/` and `~0` for `~`. Every other text is the name of a claim, to
/// the letter, whatever is in it.
///
/// ```
/// use grantor::types::ClaimPath;
/// let path = ClaimPath::parse("/kubernetes.io/namespace")?;
/// assert_eq!(path.segments().collect::<Vec<_>>(), ["kubernetes.io", "namespace"]);
/// assert_eq!(ClaimPath::parse("/sub")?, ClaimPath::parse("sub")?);
/// # Ok::<(), grantor::types::ClaimPathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ClaimPath(Arc<str>);

/// Why a text is no [`ClaimPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimPathError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than [`ClaimPath::MAX_BYTES`] octets.
    #[error("is longer than {} octets", ClaimPath::MAX_BYTES)]
    TooLong,
    /// More than [`ClaimPath::MAX_SEGMENTS`].
    #[error("has more than {} segments", ClaimPath::MAX_SEGMENTS)]
    TooDeep,
    /// Characters that cannot be seen, or move others.
    #[error("contains control, direction or invisible characters")]
    Characters,
    /// `//`, or a `/` at the end.
    #[error("has an empty segment: a `/` inside a name is written `~1`")]
    EmptySegment,
    /// A `~` that is no escape.
    #[error("has a `~` that is neither `~0` (for `~`) nor `~1` (for `/`)")]
    Escape,
}

impl ClaimPath {
    /// Most octets.
    pub const MAX_BYTES: usize = 256;
    /// Most names and indexes, the claim's own name counting one.
    pub const MAX_SEGMENTS: usize = 8;

    /// Reads a name or a JSON pointer. A pointer of one segment is the same as that name.
    ///
    /// # Errors
    /// [`ClaimPathError`]
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        match text {
            "" => return Err(ClaimPathError::Empty),
            _ if text.len() > Self::MAX_BYTES => return Err(ClaimPathError::TooLong),
            _ if text.chars().any(is_unseen) => return Err(ClaimPathError::Characters),
            _ => (),
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self(text.into()));
        };
        let mut escapes = pointer.split('~').skip(1);
        if escapes.any(|after| !after.starts_with(['0', '1'])) {
            return Err(ClaimPathError::Escape);
        }
        let segments = pointer.split('/').map(unescaped);
        Self::of_segments(&segments.collect::<Vec<_>>())
    }

    /// The path of these names and indexes.
    ///
    /// # Errors
    /// [`ClaimPathError`], [`ClaimPathError::TooLong`] where it has more octets when it is written.
    pub fn of_segments<S: AsRef<str>>(segments: &[S]) -> Result<Self, ClaimPathError> {
        let written = match segments {
            [] => return Err(ClaimPathError::Empty),
            _ if segments.len() > Self::MAX_SEGMENTS => return Err(ClaimPathError::TooDeep),
            _ if segments.iter().any(|segment| segment.as_ref().is_empty()) => {
                return Err(ClaimPathError::EmptySegment);
            }
            [name] if !name.as_ref().starts_with('/') => name.as_ref().to_owned(),
            segments => segments.iter().fold(String::new(), |written, segment| {
                written + "/" + &segment.as_ref().replace('~', "~0").replace('/', "~1")
            }),
        };
        match written {
            written if written.len() > Self::MAX_BYTES => Err(ClaimPathError::TooLong),
            written if written.chars().any(is_unseen) => Err(ClaimPathError::Characters),
            written => Ok(Self(written.into())),
        }
    }

    /// The path as it is written: a name, or a pointer of two segments and more.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names and indexes, without escapes.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let pointer = self.0.strip_prefix('/');
        let name = pointer.is_none().then_some(Cow::Borrowed(&*self.0));
        let segments = pointer.map(|pointer| pointer.split('/').map(unescaped));
        name.into_iter().chain(segments.into_iter().flatten())
    }

    /// The name of the claim that this is, or is inside of.
    pub fn claim(&self) -> Cow<'_, str> {
        self.segments().next().unwrap_or_default()
    }

    /// What stands there, as it was sent: `aud` is a text or a list. `None` where there is nothing;
    /// a `null` is something.
    ///
    /// The times of a JWT are kept as numbers of seconds alone: a whole one is found as an integer,
    /// however it was written.
    pub fn find<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, Value>> {
        let mut segments = self.segments();
        let claim = claim(claims, &segments.next()?)?;
        segments.try_fold(claim, |value, segment| match value {
            Cow::Borrowed(value) => member(value, &segment).map(Cow::Borrowed),
            Cow::Owned(value) => member(&value, &segment).cloned().map(Cow::Owned),
        })
    }
}

/// The claim of a name.
pub(crate) fn claim<'c>(claims: &'c Claims, name: &str) -> Option<Cow<'c, Value>> {
    let text = |text: &str| Value::String(text.to_owned());
    Some(Cow::Owned(match name {
        "iss" => text(claims.issuer.as_ref()?),
        "sub" => text(claims.subject.as_ref()?),
        "jti" => text(claims.token_id.as_ref()?),
        "aud" => match claims.audience.as_ref()? {
            AudienceClaim::One(value) => text(value),
            AudienceClaim::Many(values) => values.iter().map(|value| text(value)).collect(),
        },
        "exp" => number(claims.expires?),
        "nbf" => number(claims.not_before?),
        "iat" => number(claims.issued_at?),
        _ => return claims.other.get(name).map(Cow::Borrowed),
    }))
}

fn number(time: NumericDate) -> Value {
    whole_seconds(time).map_or_else(|| time.seconds().into(), Value::from)
}

/// The seconds of a time that has no fraction, and is not beyond what an `f64` tells apart.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole, and far within the range of an i64"
)]
pub(crate) fn whole_seconds(time: NumericDate) -> Option<i64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let seconds = time.seconds();
    (seconds.fract() == 0.0 && seconds.abs() <= MOST).then_some(seconds as i64)
}

/// The member of an object, or of a list by its index (RFC 6901 §4).
fn member<'v>(value: &'v Value, segment: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(segment),
        Value::Array(members) => {
            let is_index = segment.bytes().all(|octet| octet.is_ascii_digit())
                && (segment.len() == 1 || !segment.starts_with('0'));
            members.get(segment.parse::<usize>().ok().filter(|_| is_index)?)
        }
        _ => None,
    }
}

fn unescaped(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, ClaimPathError> {
        Self::parse(&text)
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::str::FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        Self::parse(text)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const CLAIMS: &str = r#"{"iss":"https://ci.example/","sub":"s","aud":["a"],"exp":1750000300,"nbf":1.5,"iat":0,
        "jti":"j","n":20,"f":20.0,"none":null,"list":["x",{"y":1}],"kubernetes.io":{"pod":{"uid":"u"}},
        "https://sts.amazonaws.com/":{"aws_account":"1"},"/a":1,"a~b":{"c/d":2},"a~1":3,"":4}"#;

    fn find(path: &str) -> Option<Value> {
        let claims = Claims::parse(CLAIMS.as_bytes()).expect("claims");
        let path = ClaimPath::parse(path).expect(path);
        path.find(&claims).map(Cow::into_owned)
    }

    #[test]
    fn t036_claims_are_found_as_they_were_sent() {
        for (path, value) in [
            ("iss", json!("https://ci.example/")),
            ("/sub", json!("s")),
            ("aud", json!(["a"])),
            ("/aud/0", json!("a")),
            ("exp", json!(1_750_000_300)),
            ("nbf", json!(1.5)),
            ("iat", json!(0)),
            ("jti", json!("j")),
            ("n", json!(20)),
            ("f", json!(20.0)),
            ("none", Value::Null),
            ("/list/0", json!("x")),
            ("/list/1/y", json!(1)),
            ("kubernetes.io", json!({"pod": {"uid": "u"}})),
            ("/kubernetes.io/pod/uid", json!("u")),
            ("https://sts.amazonaws.com/", json!({"aws_account": "1"})),
            ("/https:~1~1sts.amazonaws.com~1/aws_account", json!("1")),
            ("/~1a", json!(1)),
            ("/a~0b/c~1d", json!(2)),
            // A name is taken to the letter.
            ("a~1", json!(3)),
            ("/a~01", json!(3)),
        ] {
            assert_eq!(find(path), Some(value), "{path}");
        }
        for path in [
            "missing",
            "ISS",
            "/iss/0",
            "/aud/1",
            "/aud/00",
            "/aud/-",
            "/list/+0",
            "/list/x",
            "/n/0",
            "/none/x",
            "kubernetes",
            "/kubernetes.io/pod/uid/x",
        ] {
            assert_eq!(find(path), None, "{path}");
        }
        let claims = Claims::parse(br#"{"aud":"a"}"#).expect("claims");
        let path = ClaimPath::parse("aud").expect("a path");
        assert_eq!(path.find(&claims).as_deref(), Some(&json!("a")));
        let sub = ClaimPath::parse("sub").expect("a path");
        assert_eq!(sub.find(&claims), None);
    }

    #[test]
    fn t036_what_is_no_path_is_refused_with_the_reason() {
        use ClaimPathError::*;
        let long = "a".repeat(ClaimPath::MAX_BYTES);
        assert!(ClaimPath::parse(&long).is_ok() && ClaimPath::parse("/a/b/c/d/e/f/g/h").is_ok());
        for (text, error) in [
            ("", Empty),
            (&format!("{long}a"), TooLong),
            ("a\nb", Characters),
            ("/a\u{200b}/b", Characters),
            ("/", EmptySegment),
            ("/a/", EmptySegment),
            ("//a", EmptySegment),
            ("/a~2b", Escape),
            ("/a~", Escape),
            ("/a/b/c/d/e/f/g/h/i", TooDeep),
        ] {
            assert_eq!(ClaimPath::parse(text), Err(error), "{text}");
        }
        let segments = ["~".repeat(200), "x".to_owned()];
        assert_eq!(
            ClaimPath::of_segments(&segments),
            Err(TooLong),
            "as it is written"
        );
        assert_eq!(ClaimPath::of_segments::<&str>(&[]), Err(Empty));
    }

    #[test]
    fn is_stored_as_its_text_and_checked_again() {
        let path: ClaimPath = serde_json::from_str(r#""/ref""#).expect("a path");
        assert_eq!(serde_json::to_string(&path).expect("JSON"), r#""ref""#);
        assert!(serde_json::from_str::<ClaimPath>(r#""/""#).is_err());
        assert_eq!(path.claim(), "ref");
    }

    proptest! {
        #[test]
        fn segments_are_read_as_they_were_written(segments in proptest::collection::vec("[a~/0-1é]{1,6}", 1..8)) {
            let path = ClaimPath::of_segments(&segments).expect("a path");
            prop_assert_eq!(path.segments().collect::<Vec<_>>(), segments);
            prop_assert_eq!(ClaimPath::parse(path.as_str()), Ok(path));
        }

        #[test]
        fn agrees_with_the_pointers_of_serde_json(pointer in "(/(list|0|1|y|a~0b|c~1d|kubernetes\\.io|pod|uid|n|01)){1,4}") {
            let whole: Value = serde_json::from_str(CLAIMS).expect("JSON");
            prop_assert_eq!(find(&pointer), whole.pointer(&pointer).cloned());
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}|(/[~01a]{0,3}){0,10}") {
            if let Ok(path) = ClaimPath::parse(&text) {
                let claims = Claims::parse(CLAIMS.as_bytes()).expect("claims");
                let _ = path.find(&claims);
            }
        }
    }
}
