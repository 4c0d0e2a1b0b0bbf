//! Where a claim is: its name, or a JSON pointer to a member of it (RFC 6901).

use std::{borrow::Cow, fmt, sync::Arc};

use grantor_jose::{AudienceClaim, Claims, NumericDate, json::Value};
use serde::{Deserialize, Serialize, Serializer};

/// Why a text is no path of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimPathError {
    /// No characters, or a pointer to the whole.
    #[error("names no claim")]
    Empty,
    /// More than [`ClaimPath::MAX_BYTES`] octets.
    #[error("is longer than 256 octets")]
    TooLong,
    /// More than [`ClaimPath::MAX_SEGMENTS`] segments.
    #[error("has more than 8 segments")]
    TooDeep,
    /// A `~` that is neither `~0` nor `~1` (RFC 6901 §3).
    #[error("has a '~' that is neither '~0' for '~' nor '~1' for '/'")]
    Escape,
}

/// A claim's name, or a JSON pointer where the text begins with `/`:
/// `/kubernetes.io/namespace`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ClaimPath {
    text: Arc<str>,
    segments: Arc<[String]>,
}

impl ClaimPath {
    /// Most octets.
    pub const MAX_BYTES: usize = 256;
    /// Most segments.
    pub const MAX_SEGMENTS: usize = 8;

    /// Takes a name or a pointer.
    ///
    /// # Errors
    /// [`ClaimPathError`]
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ClaimPathError::TooLong);
        }
        let segments = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(unescaped)
                .collect::<Result<Vec<_>, _>>()?,
            None => vec![text.to_owned()],
        };
        match &*segments {
            [only] if only.is_empty() => Err(ClaimPathError::Empty),
            many if many.len() > Self::MAX_SEGMENTS => Err(ClaimPathError::TooDeep),
            _ => Ok(Self {
                text: text.into(),
                segments: segments.into(),
            }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The claim, or the member of it. Arrays have no members.
    pub fn find<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, Value>> {
        let (name, rest) = self.segments.split_first()?;
        let found = match claims.other.get(name) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(registered(claims, name)?),
        };
        rest.iter().try_fold(found, |found, segment| match found {
            Cow::Borrowed(value) => value.get(segment).map(Cow::Borrowed),
            Cow::Owned(_) => None,
        })
    }
}

/// A claim that has a field of its own.
fn registered(claims: &Claims, name: &str) -> Option<Value> {
    let text = |text: &Option<_>| {
        text.as_ref()
            .map(|text| Value::from(AsRef::<str>::as_ref(text)))
    };
    let date = |date: Option<NumericDate>| {
        let seconds = date?.seconds();
        let whole = seconds as i64;
        Some(match whole as f64 == seconds {
            true => Value::from(whole),
            false => Value::from(seconds),
        })
    };
    match name {
        "iss" => text(&claims.issuer),
        "sub" => text(&claims.subject),
        "jti" => text(&claims.token_id),
        "exp" => date(claims.expires),
        "nbf" => date(claims.not_before),
        "iat" => date(claims.issued_at),
        "aud" => Some(match claims.audience.as_ref()? {
            AudienceClaim::One(one) => Value::from(one.as_str()),
            AudienceClaim::Many(many) => many.iter().map(|one| one.as_str()).collect(),
        }),
        _ => None,
    }
}

fn unescaped(segment: &str) -> Result<String, ClaimPathError> {
    let mut parts = segment.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match part.as_bytes().first() {
            Some(b'0') => ('~', &part[1..]),
            Some(b'1') => ('/', &part[1..]),
            _ => return Err(ClaimPathError::Escape),
        };
        text.push(character);
        text.push_str(rest);
    }
    Ok(text)
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, ClaimPathError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        Self::parse(text)
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
