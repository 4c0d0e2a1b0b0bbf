//! The claims of a JWT by type (RFC 7519 §4.1). No policy: whether a value is acceptable is for the caller to say.

use std::time::Duration;

use crate::{
    ClaimsError,
    json::{self, Object, Value},
};

/// The claims set of a JWT. A registered claim of the wrong type is refused when parsing, never taken for absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
    /// `aud`
    pub audience: Option<Audience>,
    /// `exp`
    pub expires: Option<NumericDate>,
    /// `nbf`
    pub not_before: Option<NumericDate>,
    /// `iat`
    pub issued_at: Option<NumericDate>,
    /// `jti`
    pub token_id: Option<String>,
    /// Every other claim.
    pub other: Object,
}

impl Claims {
    /// Reads a claims set.
    ///
    /// # Errors
    /// [`ClaimsError::Json`] unless the payload is one strict JSON object; [`ClaimsError::WrongType`].
    pub fn parse(payload: &[u8]) -> Result<Self, ClaimsError> {
        let mut other = json::parse_object(payload)?;
        let mut take = |name| other.remove(name);
        Ok(Self {
            issuer: string("iss", take("iss"))?,
            subject: string("sub", take("sub"))?,
            audience: Audience::parse(take("aud"))?,
            expires: NumericDate::parse("exp", take("exp"))?,
            not_before: NumericDate::parse("nbf", take("nbf"))?,
            issued_at: NumericDate::parse("iat", take("iat"))?,
            token_id: string("jti", take("jti"))?,
            other,
        })
    }
}

fn string(claim: &'static str, value: Option<Value>) -> Result<Option<String>, ClaimsError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ClaimsError::WrongType { claim, expected: "a string" }),
    }
}

/// `aud`: one string, or an array of strings (RFC 7519 §4.1.3). The form is kept, because profiles tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A plain string.
    One(String),
    /// An array, possibly empty.
    Many(Vec<String>),
}

impl Audience {
    fn parse(value: Option<Value>) -> Result<Option<Self>, ClaimsError> {
        let wrong_type = ClaimsError::WrongType { claim: "aud", expected: "a string or an array of strings" };
        match value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Self::One(text))),
            Some(Value::Array(values)) => values
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong_type),
                })
                .collect::<Result<_, _>>()
                .map(|values| Some(Self::Many(values))),
            Some(_) => Err(wrong_type),
        }
    }

    /// All values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// The sole value, whether a string or an array of exactly one.
    pub fn sole(&self) -> Option<&str> {
        match self.values() {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// Seconds since 1970-01-01T00:00:00Z, fractions allowed (RFC 7519 §2). Any finite JSON number is representable.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct NumericDate(f64);

impl NumericDate {
    fn parse(claim: &'static str, value: Option<Value>) -> Result<Option<Self>, ClaimsError> {
        let Some(value) = value else { return Ok(None) };
        match value.as_f64().filter(|seconds| seconds.is_finite()) {
            Some(seconds) => Ok(Some(Self(seconds))),
            None => Err(ClaimsError::WrongType { claim, expected: "a number of seconds since 1970" }),
        }
    }

    /// From whole and fractional seconds.
    pub fn from_seconds(seconds: f64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970, negative before.
    pub fn seconds(self) -> f64 {
        self.0
    }

    /// This date moved later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0 + duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Claims, ClaimsError> {
        Claims::parse(text.as_bytes())
    }

    #[test]
    fn wrong_types_are_never_absent() {
        let rows = ["1", "null", "true", "[]", "{}"];
        for claim in ["iss", "sub", "jti"] {
            for value in rows {
                let result = parse(&format!("{{\"{claim}\":{value}}}"));
                assert_eq!(result, Err(ClaimsError::WrongType { claim, expected: "a string" }), "{claim} {value}");
            }
        }
        for claim in ["exp", "nbf", "iat"] {
            for value in ["\"9999999999\"", "null", "true", "[]", "{}"] {
                let result = parse(&format!("{{\"{claim}\":{value}}}"));
                assert!(matches!(result, Err(ClaimsError::WrongType { .. })), "{claim} {value}");
            }
        }
        for value in ["1", "null", "{}", "[\"a\",1]", "[null]", "[[\"a\"]]"] {
            assert!(
                matches!(parse(&format!("{{\"aud\":{value}}}")), Err(ClaimsError::WrongType { claim: "aud", .. })),
                "{value}"
            );
        }
    }

    #[test]
    fn numeric_dates_keep_fractions_and_extremes() {
        let expires = |value: &str| parse(&format!("{{\"exp\":{value}}}")).expect("claims").expires.map(NumericDate::seconds);
        for (text, seconds) in [
            ("1731725141.5", 1731725141.5),
            ("1E+9", 1e9),
            ("-1", -1.0),
            ("-0", 0.0),
            ("18446744073709551616", 18446744073709551616.0),
            ("9223372036854775808", 9223372036854775808.0),
            ("1e308", 1e308),
            ("1e-400", 0.0),
        ] {
            assert_eq!(expires(text), Some(seconds), "{text}");
        }
        assert_eq!(parse(r#"{"exp":1e400}"#), Err(ClaimsError::Json(crate::JsonError::Syntax)));
    }

    #[test]
    fn an_audience_is_sole_as_a_string_or_an_array_of_one() {
        let sole = |text: &str| parse(text).expect("claims").audience.and_then(|audience| audience.sole().map(str::to_owned));
        assert_eq!(sole(r#"{"aud":"a"}"#), Some("a".to_owned()));
        assert_eq!(sole(r#"{"aud":["a"]}"#), Some("a".to_owned()));
        assert_eq!(sole(r#"{"aud":["a","a"]}"#), None);
        assert_eq!(sole(r#"{"aud":[]}"#), None);
    }

    proptest! {
        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Claims::parse(&input);
        }
    }
}
