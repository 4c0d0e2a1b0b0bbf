//! What a JOSE header may say (RFC 7515 §4). Parameters that carry or point to keys are never read;
//! unknown ones are ignored.

use crate::{
    Algorithm, HeaderError,
    json::{self, Members},
};

/// The header parameters a verifier looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    typ: Option<String>,
}

impl Header {
    /// Reads a decoded header.
    ///
    /// # Errors
    /// [`HeaderError`], one variant per refusal.
    pub(crate) fn parse(input: &[u8]) -> Result<Self, HeaderError> {
        let header = json::members(input)?;
        refuse_what_changes_processing(&header)?;
        let algorithm = text(&header, "alg")?.ok_or(HeaderError::MissingAlgorithm)?;
        Ok(Self {
            algorithm: Algorithm::from_name(algorithm).ok_or(HeaderError::UnknownAlgorithm)?,
            key_id: text(&header, "kid")?.map(str::to_owned),
            typ: text(&header, "typ")?.map(str::to_owned),
        })
    }

    /// `alg`: what the token claims, to be agreed with, never to be obeyed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`, compared to the letter.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ` as sent.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Whether `typ` is this media type: without regard to case, `application/` implied where there
    /// is no slash (RFC 7515 §4.1.9).
    pub fn typ_is(&self, media_type: &str) -> bool {
        self.typ
            .as_deref()
            .is_some_and(|typ| bare(typ).eq_ignore_ascii_case(bare(media_type)))
    }
}

/// A header as it is sent, in base64url, and what it says.
#[derive(Debug)]
pub struct KnownHeader {
    segment: Box<str>,
    header: Header,
}

impl KnownHeader {
    /// Only what was read is known.
    pub(crate) fn new(segment: &str, header: Header) -> Self {
        Self {
            segment: segment.into(),
            header,
        }
    }

    /// What `segment` says, if it is this one.
    pub(crate) fn says(&self, segment: &str) -> Option<&Header> {
        (*self.segment == *segment).then_some(&self.header)
    }
}

/// A media type without the `application/` that may be left out.
fn bare(media_type: &str) -> &str {
    const IMPLIED: &str = "application/";
    match media_type.split_at_checked(IMPLIED.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(IMPLIED) => rest,
        _ => media_type,
    }
}

fn refuse_what_changes_processing(header: &Members<'_>) -> Result<(), HeaderError> {
    let refused = [
        ("crit", HeaderError::Critical),
        ("b64", HeaderError::UnencodedPayload),
        ("zip", HeaderError::Compressed),
        ("enc", HeaderError::Encrypted),
    ];
    if let Some((_, error)) = refused
        .into_iter()
        .find(|(name, _)| header.get(name).is_some())
    {
        return Err(error);
    }
    match text(header, "cty")? {
        Some(cty) if bare(cty).eq_ignore_ascii_case("jwt") => Err(HeaderError::Nested),
        _ => Ok(()),
    }
}

fn text<'h>(header: &'h Members<'_>, name: &'static str) -> Result<Option<&'h str>, HeaderError> {
    header.text(name, HeaderError::WrongType(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_alg_kid_and_typ_and_ignores_the_rest() {
        let header = Header::parse(br#"{"alg":"\u0052S256","kid":"1","typ":"JWT","jku":"https://evil.example","jwk":{},"x":1}"#);
        let header = header.expect("a plain header");
        assert_eq!(
            (header.algorithm(), header.key_id(), header.typ()),
            (Algorithm::Rs256, Some("1"), Some("JWT"))
        );
    }

    #[test]
    fn refuses_each_parameter_that_changes_processing() {
        let rows: [(&str, HeaderError); 21] = [
            (r#"{}"#, HeaderError::MissingAlgorithm),
            (r#"{"alg":null}"#, HeaderError::WrongType("alg")),
            (r#"{"alg":["RS256"]}"#, HeaderError::WrongType("alg")),
            (r#"{"alg":256}"#, HeaderError::WrongType("alg")),
            (r#"{"alg":"none"}"#, HeaderError::UnknownAlgorithm),
            (r#"{"alg":"nOnE"}"#, HeaderError::UnknownAlgorithm),
            (r#"{"alg":"RS256","kid":1}"#, HeaderError::WrongType("kid")),
            (
                r#"{"alg":"RS256","kid":null}"#,
                HeaderError::WrongType("kid"),
            ),
            (r#"{"alg":"RS256","typ":{}}"#, HeaderError::WrongType("typ")),
            (r#"{"alg":"RS256","crit":[]}"#, HeaderError::Critical),
            (
                r#"{"alg":"RS256","crit":["exp"],"exp":1}"#,
                HeaderError::Critical,
            ),
            (
                r#"{"alg":"RS256","b64":true}"#,
                HeaderError::UnencodedPayload,
            ),
            (
                r#"{"alg":"RS256","b64":false}"#,
                HeaderError::UnencodedPayload,
            ),
            (r#"{"alg":"RS256","zip":"DEF"}"#, HeaderError::Compressed),
            (r#"{"alg":"RS256","enc":"A128GCM"}"#, HeaderError::Encrypted),
            (r#"{"alg":"RS256","cty":"JWT"}"#, HeaderError::Nested),
            (
                r#"{"alg":"RS256","cty":"application/jwt"}"#,
                HeaderError::Nested,
            ),
            (
                r#"{"alg":"RS256","cty":"APPLICATION/Jwt"}"#,
                HeaderError::Nested,
            ),
            (r#"{"alg":"RS256","cty":1}"#, HeaderError::WrongType("cty")),
            (
                r#"{"alg":"none","alg":"RS256"}"#,
                HeaderError::Json(crate::JsonError::DuplicateMember),
            ),
            (r#"null"#, HeaderError::Json(crate::JsonError::NotAnObject)),
        ];
        for (text, error) in rows {
            assert_eq!(Header::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn typ_is_a_media_type() {
        for typ in [
            "client-authentication+jwt",
            "application/Client-Authentication+JWT",
        ] {
            let header = Header::parse(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#).as_bytes())
                .expect("a header");
            assert!(header.typ_is("client-authentication+jwt"), "{typ}");
            assert!(!header.typ_is("JWT"), "{typ}");
        }
    }
}
