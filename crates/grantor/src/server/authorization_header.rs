//! The Authorization header of a request, strictly read (RFC 6749 §2.3.1, RFC 7617 §2).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::{FormError, form::decode};

/// What the Authorization header of a request said.
#[non_exhaustive]
#[derive(Default)]
pub enum AuthorizationHeader {
    /// There was none.
    #[default]
    Absent,
    /// Well-formed Basic credentials, form-decoded once.
    Basic {
        /// The client identifier.
        id: String,
        /// The client secret.
        secret: Zeroizing<String>,
    },
    /// Another scheme, or Basic credentials that cannot be read; why.
    Unreadable(&'static str),
}

impl AuthorizationHeader {
    /// Reads the header.
    ///
    /// # Errors
    /// [`FormError::DuplicateAuthorization`]
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, FormError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self::Absent),
            (Some(_), Some(_)) => Err(FormError::DuplicateAuthorization),
            (Some(value), None) => Ok(basic(value.as_bytes()).unwrap_or_else(Self::Unreadable)),
        }
    }
}

fn basic(value: &[u8]) -> Result<AuthorizationHeader, &'static str> {
    let value = std::str::from_utf8(value).map_err(|_| "not ASCII")?;
    let (scheme, credentials) = value
        .split_once(' ')
        .ok_or("no credentials after the scheme")?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("the scheme is not Basic");
    }
    let decoded = Zeroizing::new(
        STANDARD
            .decode(credentials.trim_matches(' '))
            .map_err(|_| "not base64")?,
    );
    let text = std::str::from_utf8(&decoded).map_err(|_| "not UTF-8")?;
    let (id, secret) = text
        .split_once(':')
        .ok_or("no colon between id and secret")?;
    let field = |text| decode(text).map_err(|_| "not form-encoded");
    Ok(AuthorizationHeader::Basic {
        id: field(id)?.to_string(),
        secret: field(secret)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded_once() {
        let read = |text: &str| basic(format!("basic {}", STANDARD.encode(text)).as_bytes());
        let Ok(AuthorizationHeader::Basic { id, secret }) = read("a%3Ab+c:p%25%2B:%C3%A9") else {
            panic!("credentials")
        };
        assert_eq!((id.as_str(), secret.as_str()), ("a:b c", "p%+:é"));
        assert!(matches!(read("a%zz:b"), Err("not form-encoded")));
        assert!(matches!(read("ab"), Err("no colon between id and secret")));
        for header in [
            "Basic",
            "Bearer abc",
            "Basic a b",
            "Basic\tYTpi",
            "Basic YTp",
            "Basic a, Basic b",
        ] {
            assert!(basic(header.as_bytes()).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = basic(&value);
        }
    }
}
