//! The claims of a JWT by type (RFC 7519 §4.1). No policy: whether a value is acceptable is for the
//! caller to say.

use std::{borrow::Cow, time::Duration};

use smol_str::SmolStr;

use crate::{
    ClaimsError,
    json::{self, Gather, Node, Value},
};

/// The claims set of a JWT. A registered claim of the wrong type is refused when parsing, never
/// taken for absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// `iss`
    pub issuer: Option<SmolStr>,
    /// `sub`
    pub subject: Option<SmolStr>,
    /// `aud`
    pub audience: Option<AudienceClaim>,
    /// `exp`
    pub expires: Option<NumericDate>,
    /// `nbf`
    pub not_before: Option<NumericDate>,
    /// `iat`
    pub issued_at: Option<NumericDate>,
    /// `jti`
    pub token_id: Option<SmolStr>,
    /// Every other claim.
    pub other: OtherClaims,
}

impl Claims {
    /// Reads a claims set.
    ///
    /// # Errors
    /// [`ClaimsError::Json`] unless the payload is one strict JSON object;
    /// [`ClaimsError::WrongType`].
    pub fn parse(payload: &[u8]) -> Result<Self, ClaimsError> {
        let Reading { claims, wrong, .. } = json::gather(payload)?;
        wrong.map_or(Ok(claims), Err)
    }
}

/// Claims that are being read. One of a wrong type does not end that: what is not strict JSON is
/// refused for being so.
#[derive(Default)]
struct Reading {
    claims: Claims,
    /// What is wrong with the first claim of a wrong type.
    wrong: Option<ClaimsError>,
    /// A bit for each claim that has a field in [`Claims`] and has come, of whatever type.
    seen: u8,
    twice: bool,
}

impl Reading {
    fn put<T>(
        &mut self,
        bit: u32,
        value: Result<T, ClaimsError>,
        field: impl FnOnce(&mut Claims) -> &mut Option<T>,
    ) {
        self.twice |= self.seen & 1 << bit != 0;
        self.seen |= 1 << bit;
        match value {
            Ok(value) => *field(&mut self.claims) = Some(value),
            Err(error) => drop(self.wrong.get_or_insert(error)),
        }
    }
}

impl<'a> Gather<'a> for Reading {
    fn take(&mut self, name: Cow<'a, str>, node: Node<'a>) {
        match name.as_ref() {
            "iss" => self.put(0, string("iss", node), |claims| &mut claims.issuer),
            "sub" => self.put(1, string("sub", node), |claims| &mut claims.subject),
            "aud" => self.put(2, AudienceClaim::parse(node), |claims| &mut claims.audience),
            "exp" => self.put(3, NumericDate::parse("exp", node), |claims| {
                &mut claims.expires
            }),
            "nbf" => self.put(4, NumericDate::parse("nbf", node), |claims| {
                &mut claims.not_before
            }),
            "iat" => self.put(5, NumericDate::parse("iat", node), |claims| {
                &mut claims.issued_at
            }),
            "jti" => self.put(6, string("jti", node), |claims| &mut claims.token_id),
            _ => self.claims.other.0.push((name.into(), node.into())),
        }
    }

    fn has_duplicates(&self) -> bool {
        self.twice || json::has_duplicates(&self.claims.other.0)
    }
}

/// The claims that have no field in [`Claims`], in the order they were sent. They are few, so they
/// are a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OtherClaims(Vec<(SmolStr, Value)>);

impl OtherClaims {
    /// The claim of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Whether there is a claim of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

fn string(claim: &'static str, node: Node<'_>) -> Result<SmolStr, ClaimsError> {
    match node {
        Node::Text(text) => Ok(text.into()),
        _ => Err(ClaimsError::WrongType {
            claim,
            expected: "a string",
        }),
    }
}

/// `aud`: one string, or an array of strings (RFC 7519 §4.1.3). The form is kept, because profiles
/// tell them apart.
///
/// Complete: there is no third form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudienceClaim {
    /// A plain string.
    One(SmolStr),
    /// An array, possibly empty.
    Many(Vec<SmolStr>),
}

impl AudienceClaim {
    fn parse(node: Node<'_>) -> Result<Self, ClaimsError> {
        let text = |node| match node {
            Node::Text(text) => Ok(text.into()),
            _ => Err(ClaimsError::WrongType {
                claim: "aud",
                expected: "a string or an array of strings",
            }),
        };
        match node {
            Node::Array(nodes) => nodes
                .into_iter()
                .map(text)
                .collect::<Result<_, _>>()
                .map(Self::Many),
            node => text(node).map(Self::One),
        }
    }

    /// All values.
    pub fn values(&self) -> &[SmolStr] {
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

/// Seconds since 1970-01-01T00:00:00Z, fractions allowed (RFC 7519 §2). Any finite JSON number is
/// representable.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct NumericDate(f64);

impl NumericDate {
    fn parse(claim: &'static str, node: Node<'_>) -> Result<Self, ClaimsError> {
        let seconds = match node {
            Node::Scalar(value) => value.as_f64().filter(|seconds| seconds.is_finite()),
            _ => None,
        };
        seconds.map(Self).ok_or(ClaimsError::WrongType {
            claim,
            expected: "a number of seconds since 1970",
        })
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
                assert_eq!(
                    result,
                    Err(ClaimsError::WrongType {
                        claim,
                        expected: "a string"
                    }),
                    "{claim} {value}"
                );
            }
        }
        for claim in ["exp", "nbf", "iat"] {
            for value in ["\"9999999999\"", "null", "true", "[]", "{}"] {
                let result = parse(&format!("{{\"{claim}\":{value}}}"));
                assert!(
                    matches!(result, Err(ClaimsError::WrongType { .. })),
                    "{claim} {value}"
                );
            }
        }
        for value in ["1", "null", "{}", "[\"a\",1]", "[null]", "[[\"a\"]]"] {
            assert!(
                matches!(
                    parse(&format!("{{\"aud\":{value}}}")),
                    Err(ClaimsError::WrongType { claim: "aud", .. })
                ),
                "{value}"
            );
        }
    }

    #[test]
    fn numeric_dates_keep_fractions_and_extremes() {
        let expires = |value: &str| {
            parse(&format!("{{\"exp\":{value}}}"))
                .expect("claims")
                .expires
                .map(NumericDate::seconds)
        };
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
        assert_eq!(
            parse(r#"{"exp":1e400}"#),
            Err(ClaimsError::Json(crate::JsonError::Syntax))
        );
    }

    #[test]
    fn an_audience_is_sole_as_a_string_or_an_array_of_one() {
        let sole = |text: &str| {
            parse(text)
                .expect("claims")
                .audience
                .and_then(|audience| audience.sole().map(str::to_owned))
        };
        assert_eq!(sole(r#"{"aud":"a"}"#), Some("a".to_owned()));
        assert_eq!(sole(r#"{"aud":["a"]}"#), Some("a".to_owned()));
        assert_eq!(sole(r#"{"aud":["a","a"]}"#), None);
        assert_eq!(sole(r#"{"aud":[]}"#), None);
    }

    #[test]
    fn refuses_a_claim_that_comes_twice() {
        use crate::JsonError::DuplicateMember;
        let others: String = (0..17).map(|number| format!(",\"x{number}\":0")).collect();
        for (name, right, wrong) in [
            ("iss", "\"a\"", "1"),
            ("sub", "\"a\"", "1"),
            ("aud", "\"a\"", "1"),
            ("aud", "[\"a\"]", "[1]"),
            ("exp", "1", "\"a\""),
            ("nbf", "1", "\"a\""),
            ("iat", "1", "\"a\""),
            ("jti", "\"a\"", "1"),
            ("x", "1", "\"a\""),
        ] {
            assert!(
                parse(&format!("{{\"{name}\":{right}{others}}}")).is_ok(),
                "{name}"
            );
            let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            for second in [name, escaped.as_str()] {
                for (one, other) in [
                    (right, right),
                    (right, wrong),
                    (wrong, right),
                    (wrong, wrong),
                ] {
                    for between in ["", others.as_str()] {
                        let text = format!("{{\"{name}\":{one}{between},\"{second}\":{other}}}");
                        assert_eq!(
                            parse(&text),
                            Err(ClaimsError::Json(DuplicateMember)),
                            "{text}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn json_that_is_refused_is_refused_whatever_else_is_wrong() {
        let rows = [
            r#"{"iss":1,"x":0,"x":0}"#,
            r#"{"iss":1,"iss":1,"x":0,"x":0}"#,
            r#"{"iss":1,"x":}"#,
            r#"{"iss":1}x"#,
            r#"["iss"]"#,
            r#"["iss""#,
            "",
        ];
        for text in rows {
            let refusal = json::parse_object(text.as_bytes()).expect_err(text);
            assert_eq!(parse(text), Err(ClaimsError::Json(refusal)), "{text}");
        }
        assert!(matches!(
            parse(r#"{"iss":1,"sub":2,"x":0}"#),
            Err(ClaimsError::WrongType { claim: "iss", .. })
        ));
    }

    proptest! {
        #[test]
        fn is_as_strict_as_any_reader_of_objects(text in r#"[{}\[\]":,x ]{0,12}|\{("(iss|x|y)":[01],?){0,4}\}"#) {
            let refusal = json::parse_object(text.as_bytes()).err().map(ClaimsError::Json);
            prop_assert_eq!(parse(&text).err().filter(|error| matches!(error, ClaimsError::Json(_))), refusal);
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Claims::parse(&input);
        }
    }
}
