//! An access token, and the answer it comes in (RFC 6749 §5).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use grantor_jose::json::{self, Object, Value};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request};
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use super::{OAuthError, TokenError};
use crate::{
    clock::UnixTime,
    remote::checked_url,
    types::{ErrorCode, Scope},
};

/// How a token is used (RFC 6749 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// Whoever has it may use it (RFC 6750).
    Bearer,
    /// Bound to a key of the client (RFC 9449). Sources do not ask for one yet.
    Dpop,
    /// Another, in lower case: of use only to a program that knows it.
    Other(String),
}

impl TokenType {
    /// Reads the name without regard to case (RFC 6749 §5.1).
    pub fn parse(name: &str) -> Self {
        match name.to_ascii_lowercase() {
            name if name == "bearer" => Self::Bearer,
            name if name == "dpop" => Self::Dpop,
            name => Self::Other(name),
        }
    }

    /// The scheme of the `Authorization` header.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
            Self::Other(name) => name,
        }
    }
}

/// An access token. A clone is the same token; its text is wiped when the last one is dropped, and
/// `Debug` does not show it.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    secret: Zeroizing<String>,
    token_type: TokenType,
    scope: Option<Scope>,
    obtained: UnixTime,
    lifetime: Option<Duration>,
    members: Object,
    rejected: AtomicBool,
}

impl AccessToken {
    /// The token itself. It is the secret.
    pub fn expose(&self) -> &str {
        &self.0.secret
    }

    /// How it is used.
    pub fn token_type(&self) -> &TokenType {
        &self.0.token_type
    }

    /// Its scope, where the server says so; otherwise it is the scope that was asked for (RFC 6749
    /// §5.1).
    pub fn scope(&self) -> Option<&Scope> {
        self.0.scope.as_ref()
    }

    /// When it was asked for, by the source's clock: its life is counted from before the request.
    pub fn obtained(&self) -> UnixTime {
        self.0.obtained
    }

    /// When it ends, if the server says so.
    pub fn expires(&self) -> Option<UnixTime> {
        self.0
            .lifetime
            .map(|lifetime| self.0.obtained.plus(lifetime))
    }

    /// How long it lives from when it was asked for, if the server says so.
    pub fn lifetime(&self) -> Option<Duration> {
        self.0.lifetime
    }

    /// Another member of the answer: Salesforce's `instance_url`, for example. A `refresh_token` is
    /// not among them.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.get(name)
    }

    /// All other members of the answer.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .members
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value of the `Authorization` header, marked as sensitive.
    pub fn header_value(&self) -> HeaderValue {
        let value = Zeroizing::new(format!("{} {}", self.0.token_type.scheme(), self.expose()));
        let mut value =
            HeaderValue::from_str(&value).expect("an answer's token and type are visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// Puts the token on a request, in place of any `Authorization` header it has.
    pub fn authorize(&self, request: &mut request::Parts) {
        self.put_on(&mut request.headers);
    }

    /// As [`authorize`](Self::authorize), for requests of other libraries.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.insert(header::AUTHORIZATION, self.header_value());
    }

    /// An API refused it: its source hands it out no more. All clones know.
    pub(super) fn reject(&self) {
        self.0.rejected.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_rejected(&self) -> bool {
        self.0.rejected.load(Ordering::Relaxed)
    }
}

/// An `id_token` among the other members is a credential too.
impl Drop for Inner {
    fn drop(&mut self) {
        self.members
            .values_mut()
            .for_each(|value| wipe_text(Some(value)));
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token_type", &self.0.token_type)
            .field("scope", &self.0.scope)
            .field("expires", &self.expires())
            .finish_non_exhaustive()
    }
}

/// Largest answer of a token endpoint, in octets. No token longer than this fits into a header.
pub(super) const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// A token endpoint's answer.
pub(super) struct Answer {
    pub token: AccessToken,
    /// `refresh_token`
    pub refresh_token: Option<Zeroizing<String>>,
}

/// Reads a token endpoint's answer to a request made at `asked`.
pub(super) fn read(
    answer: Response<Bytes>,
    asked: UnixTime,
    accepted: &[TokenType],
) -> Result<Answer, TokenError> {
    let (parts, mut body) = answer.into_parts();
    let object = match parts.status {
        StatusCode::OK => is_json(&parts.headers).and_then(|()| Ok(json::parse_object(&body)?)),
        status if status.is_redirection() => Err(TokenError::Redirect(status)),
        status => return Err(refusal(status, &body)),
    };
    wipe(&mut body);
    let mut object = object?;
    if !object.contains_key("access_token") && object.contains_key("error") {
        return Err(refused(parts.status, object));
    }
    let token_type = TokenType::parse(&required(
        &mut object,
        "token_type",
        "a string of visible ASCII characters",
    )?);
    if !accepted.contains(&token_type) {
        return Err(TokenError::TokenType(token_type.scheme().to_owned()));
    }
    let secret = required(
        &mut object,
        "access_token",
        "a string of visible ASCII characters",
    )?;
    let scope = scope(object.remove("scope"))?;
    let lifetime = lifetime(object.remove("expires_in"))?;
    let refresh_token = match object.remove("refresh_token") {
        Some(Value::String(text)) if !text.is_empty() => Some(Zeroizing::new(text)),
        _ => None,
    };
    let inner = Inner {
        secret,
        token_type,
        scope,
        obtained: asked,
        lifetime,
        members: object,
        rejected: AtomicBool::new(false),
    };
    Ok(Answer {
        token: AccessToken(Arc::new(inner)),
        refresh_token,
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), TokenError> {
    let text = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let text = text.unwrap_or_else(|| "(none)".to_owned());
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(TokenError::ContentType(text))
    }
}

/// A required text that can stand in a header.
fn required(
    object: &mut Object,
    member: &'static str,
    expected: &'static str,
) -> Result<Zeroizing<String>, TokenError> {
    match object.remove(member) {
        Some(Value::String(text))
            if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Zeroizing::new(text))
        }
        mut other => {
            wipe_text(other.as_mut());
            Err(TokenError::Member { member, expected })
        }
    }
}

/// Separators are read as servers write them, or as a list of tokens; what is between has to be
/// scope tokens.
fn scope(value: Option<Value>) -> Result<Option<Scope>, TokenError> {
    let wrong = || TokenError::Member {
        member: "scope",
        expected: "a list of scope tokens",
    };
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(Value::Array(tokens)) => {
            let tokens: Option<Vec<&str>> = tokens.iter().map(Value::as_str).collect();
            tokens.ok_or_else(wrong)?.join(" ")
        }
        Some(_) => return Err(wrong()),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Scope::parse(&text).map(Some).map_err(|_| wrong())
}

/// `expires_in` is a whole number of seconds (RFC 6749 §5.1), however a server writes the number;
/// `null` says nothing. Text is refused: it might be read as another number by somebody else.
fn lifetime(value: Option<Value>) -> Result<Option<Duration>, TokenError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().or_else(|| value.as_f64().and_then(whole)) {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(TokenError::Member {
                member: "expires_in",
                expected: "a whole number of seconds",
            }),
        },
    }
}

/// The number, if it is whole and can be told from its neighbours.
fn whole(number: f64) -> Option<u64> {
    const LARGEST: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    let is_whole = number.fract() == 0.0 && (0.0..LARGEST).contains(&number);
    is_whole.then_some(number as u64)
}

fn refusal(status: StatusCode, body: &[u8]) -> TokenError {
    json::parse_object(body).map_or(TokenError::Status(status), |object| refused(status, object))
}

fn refused(status: StatusCode, mut object: Object) -> TokenError {
    let mut text = |name| match object.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let Some(code) = text("error") else {
        return TokenError::Status(status);
    };
    let link = text("consent_uri").filter(|_| code == ErrorCode::CONSENT_REQUIRED.as_str());
    let error = Arc::new(OAuthError {
        status,
        code,
        description: text("error_description"),
        uri: text("error_uri"),
    });
    match link.as_deref().and_then(consent_link) {
        Some(uri) => TokenError::ConsentRequired { uri, error },
        None => TokenError::Refused(error),
    }
}

/// Longest link that is passed on to a person, in octets.
const MAX_LINK_BYTES: usize = 8 * 1024;

/// A link that a person may be shown: no script, no other program, no plain text across a network.
fn consent_link(text: &str) -> Option<Url> {
    let url = checked_url(text).ok()?;
    (url.as_str().len() <= MAX_LINK_BYTES).then_some(url)
}

/// Wipes a body if nobody else holds it. The copies of the TLS library and the kernel are beyond
/// reach.
fn wipe(body: &mut Bytes) {
    if let Ok(mut body) = std::mem::take(body).try_into_mut() {
        body.as_mut().zeroize();
    }
}

fn wipe_text(value: Option<&mut Value>) {
    if let Some(Value::String(text)) = value {
        text.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Result<AccessToken, TokenError> {
        let answer = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(body.into());
        read(
            answer.expect("an answer"),
            UnixTime::from_millis(0),
            &[TokenType::Bearer],
        )
        .map(|answer| answer.token)
    }

    /// Every character that is no line to a terminal or a log.
    fn is_harmless(text: &str) -> bool {
        !text.chars().any(char::is_control)
    }

    #[test]
    fn a_clone_knows_that_the_token_was_refused() {
        let token = answer(200, r#"{"access_token":"a","token_type":"Bearer"}"#).expect("a token");
        let clone = token.clone();
        assert!(!clone.is_rejected());
        token.reject();
        assert!(clone.is_rejected());
    }

    #[test]
    fn a_refresh_token_is_not_kept() {
        let token = answer(
            200,
            r#"{"access_token":"a","token_type":"Bearer","refresh_token":"r","x":1}"#,
        )
        .expect("a token");
        assert_eq!(
            (token.member("refresh_token"), token.member("x")),
            (None, Some(&Value::from(1)))
        );
    }

    /// The link of a refusal, if a person may be shown it.
    fn link(code: &str, uri: &str) -> Option<String> {
        let body = serde_json::json!({"error": code, "consent_uri": uri});
        let error = answer(400, body.to_string()).expect_err("no token");
        assert_eq!(error.oauth_code(), Some(code));
        match error {
            TokenError::ConsentRequired { uri, .. } => Some(uri.into()),
            TokenError::Refused(_) => None,
            other => unreachable!("{other}"),
        }
    }

    #[test]
    fn consent_that_is_missing_comes_with_a_link_that_a_person_may_be_shown() {
        let good = "https://as.example/consent?client_id=billing&login_hint=alice%40example.com";
        assert_eq!(link("consent_required", good).as_deref(), Some(good));
        assert!(link("consent_required", "http://127.0.0.1:8080/consent").is_some());
        assert_eq!(link("invalid_grant", good), None, "another error's");
        let long = format!("https://as.example/{}", "x".repeat(MAX_LINK_BYTES));
        for bad in [
            "",
            "/consent",
            "http://as.example/consent",
            "javascript:alert(1)",
            "https://as.example@evil.example/",
            &long,
        ] {
            assert_eq!(link("consent_required", bad), None, "{bad}");
        }
        let without = answer(400, r#"{"error":"consent_required"}"#).expect_err("no token");
        assert!(matches!(without, TokenError::Refused(_)), "{without}");
    }

    #[test]
    fn a_link_is_one_line_to_a_terminal() {
        let uri = "https://as.example/a b\u{1b}[31m\u{202e}\n";
        let body = serde_json::json!({"error": "consent_required", "consent_uri": uri});
        let error = answer(400, body.to_string()).expect_err("no token");
        assert!(
            matches!(error, TokenError::ConsentRequired { .. }),
            "{error}"
        );
        let shown = error.to_string();
        assert!(shown.is_ascii() && is_harmless(&shown), "{shown}");
    }

    proptest! {
        #[test]
        fn any_body_is_a_token_for_a_header_or_a_harmless_error(body in proptest::collection::vec(any::<u8>(), 0..300), status in 200_u16..600) {
            match answer(status, body) {
                Ok(token) => prop_assert!(token.header_value().to_str().is_ok()),
                Err(error) => prop_assert!(is_harmless(&error.to_string())),
            }
        }

        #[test]
        fn any_members_are_a_token_for_a_header_or_a_harmless_error(
            token in "\\PC{0,20}|[!-~]{1,20}|.{0,5}",
            kind in "Bearer|bearer|.{0,5}",
            scope in "([!-~]{1,5} ){0,3}|.{0,5}",
            error in ".{0,400}",
            lifetime in any::<f64>(),
            status in 200_u16..600,
        ) {
            let granted = serde_json::json!({"access_token": token, "token_type": kind, "scope": scope, "expires_in": lifetime as u64});
            let refused = serde_json::json!({"error": error, "error_description": error, "error_uri": error});
            for body in [granted, refused] {
                match answer(status, body.to_string()) {
                    Ok(token) => prop_assert!(token.header_value().to_str().is_ok()),
                    Err(error) => prop_assert!(is_harmless(&error.to_string())),
                }
            }
        }
    }
}
