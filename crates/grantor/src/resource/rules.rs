//! The rules an access token has to meet (RFC 9068 §4, RFC 7519 §4.1, RFC 8725 §3), one function
//! each. Each is pure: claims, expectation and time in, nothing or the broken rule out.

use std::time::Duration;

use grantor_jose::{Algorithm, Claims, Header, NumericDate, json::Value};

use super::{ValidatedToken, ValidationError};
use crate::types::Scope;

/// Claims that only tokens of another kind have: of an ID token (OpenID Connect Core 1.0 §3.1.3.6,
/// §3.3.2.11), a logout token (Back-Channel Logout 1.0 §2.4), a DPoP proof (RFC 9449 §4.2).
const FOREIGN_CLAIMS: [&str; 6] = ["at_hash", "c_hash", "s_hash", "events", "htm", "htu"];

/// What a JWT has to look like to be taken for an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenProfile {
    /// RFC 9068: `typ` is `at+jwt`; `iss`, `sub`, `aud`, `exp`, `iat`, `jti` and `client_id` are
    /// present. Nothing else that an issuer signs can be taken for an access token.
    #[default]
    Rfc9068,
    /// JWTs of servers that do not follow RFC 9068 (yet): Microsoft Entra ID, Keycloak without its
    /// `at+jwt` option, Okta, Duende IdentityServer, Spring Authorization Server, Cloud Foundry
    /// UAA, rauthy and many older ones. `typ` may also be `JWT` or absent; `iat` and `jti` may
    /// be absent. The client may be called `azp`, `appid` or `cid`, the scope `scp`; the scope may
    /// be a string or a list. One of subject and client has to be there: Duende and rauthy name
    /// only the client in a token that is for the client itself. Then
    /// [`ValidatedToken::subject`] is `None` and not the client's name, which may also be a user's
    /// (RFC 9068 §5).
    ///
    /// The price: nothing tells an access token from other JWTs of the same issuer but what is in
    /// the claims. An ID token whose `aud` is this resource passes, unless it has a claim that
    /// only ID tokens have. So the audience must not be the `client_id` of a client that people
    /// sign in to.
    PlainJwt,
}

/// What a validator accepts.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    /// This resource's names, its own first: a token for any of them is for it.
    pub(super) audiences: Vec<String>,
    pub(super) profile: TokenProfile,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) leeway: Duration,
    pub(super) scope: Scope,
}

impl Rules {
    /// Holds a JWT against every rule but the signature.
    pub(super) fn check(
        &self,
        header: &Header,
        claims: Claims,
        now: NumericDate,
    ) -> Result<ValidatedToken, ValidationError> {
        self.algorithm(header)?;
        self.typ(header)?;
        self.kind(&claims)?;
        let missing = |claim, absent: bool| {
            if absent {
                Err(ValidationError::MissingClaim(claim))
            } else {
                Ok(())
            }
        };
        missing("iss", claims.issuer.is_none())?;
        missing("aud", claims.audience.is_none())?;
        missing("exp", claims.expires.is_none())?;
        missing("sub", !self.names_somebody(&claims)?)?;
        if self.profile == TokenProfile::Rfc9068 {
            missing("iat", claims.issued_at.is_none())?;
            missing("jti", claims.token_id.as_deref().is_none_or(str::is_empty))?;
            missing("client_id", !claims.other.contains("client_id"))?;
        }
        self.present(claims, now)
    }

    /// Whether it is said whom the token is about: by `sub`, or in a plain JWT by the client alone.
    fn names_somebody(&self, claims: &Claims) -> Result<bool, ValidationError> {
        match (&claims.subject, self.profile) {
            (Some(subject), _) => Ok(!subject.is_empty()),
            (None, TokenProfile::Rfc9068) => Ok(false),
            (None, TokenProfile::PlainJwt) => Ok(self.client_claim(claims)?.is_some()),
        }
    }

    /// Holds an introspection answer about an active token against the rules: what is there has to
    /// be right (RFC 7662 §2.2).
    pub(super) fn check_active(
        &self,
        answer: Claims,
        now: NumericDate,
    ) -> Result<ValidatedToken, ValidationError> {
        let says = |member, meaning: &str| match answer.other.get(member) {
            None => Ok(()),
            Some(Value::String(text)) if text.eq_ignore_ascii_case(meaning) => Ok(()),
            Some(_) => Err(ValidationError::NotAnAccessToken(member)),
        };
        says("token_type", "Bearer")?;
        says("token_use", "access_token")?;
        self.kind(&answer)?;
        self.present(answer, now)
    }

    /// The rules about claims that are there.
    fn present(&self, claims: Claims, now: NumericDate) -> Result<ValidatedToken, ValidationError> {
        self.issuer(&claims)?;
        self.audience(&claims)?;
        self.times(&claims, now)?;
        let client_claim = self.client_claim(&claims)?;
        let scope = self.scope_of(&claims)?;
        Ok(ValidatedToken::new(claims, client_claim, scope))
    }

    /// RFC 8725 §3.1: the algorithm is a configured one.
    fn algorithm(&self, header: &Header) -> Result<(), ValidationError> {
        let got = header.algorithm();
        match self
            .algorithms
            .iter()
            .any(|accepted| accepted.is_same_as(got))
        {
            true => Ok(()),
            false => Err(ValidationError::Algorithm(got)),
        }
    }

    /// RFC 9068 §4, first step.
    fn typ(&self, header: &Header) -> Result<(), ValidationError> {
        let plain = self.profile == TokenProfile::PlainJwt
            && (header.typ().is_none() || header.typ_is("JWT"));
        match plain || header.typ_is("at+jwt") {
            true => Ok(()),
            false => Err(ValidationError::Type {
                got: header.typ().map(str::to_owned),
            }),
        }
    }

    /// RFC 8725 §3.12: no token of another kind, and none that is bound to a key.
    fn kind(&self, claims: &Claims) -> Result<(), ValidationError> {
        let foreign = |name: &str| FOREIGN_CLAIMS.into_iter().find(|claim| *claim == name);
        if let Some(claim) = claims.other.iter().find_map(|(name, _)| foreign(name)) {
            return Err(ValidationError::NotAnAccessToken(claim));
        }
        // Keycloak names the kind in a claim: Bearer, ID, Refresh, Offline, Logout.
        match claims.other.get("typ") {
            Some(Value::String(kind)) if !kind.eq_ignore_ascii_case("Bearer") => {
                Err(ValidationError::NotAnAccessToken("typ"))
            }
            _ if claims.other.contains("cnf") => Err(ValidationError::SenderConstrained),
            _ => Ok(()),
        }
    }

    fn issuer(&self, claims: &Claims) -> Result<(), ValidationError> {
        match &claims.issuer {
            Some(got) if *got != self.issuer => Err(ValidationError::Issuer {
                expected: self.issuer.clone(),
                got: got.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// RFC 9068 §4: this resource is in the list; others may be too.
    fn audience(&self, claims: &Claims) -> Result<(), ValidationError> {
        let Some(audience) = &claims.audience else {
            return Ok(());
        };
        match audience
            .values()
            .iter()
            .any(|value| self.audiences.iter().any(|name| value == name))
        {
            true => Ok(()),
            false => Err(ValidationError::Audience {
                expected: self.audiences.clone(),
                got: audience.values().iter().map(ToString::to_string).collect(),
            }),
        }
    }

    fn times(&self, claims: &Claims, now: NumericDate) -> Result<(), ValidationError> {
        let latest = now.plus(self.leeway);
        let ahead = |date: NumericDate| date.seconds() - now.seconds();
        if let Some(expires) = claims
            .expires
            .filter(|expires| now >= expires.plus(self.leeway))
        {
            return Err(ValidationError::Expired {
                seconds_ago: now.seconds() - expires.seconds(),
            });
        }
        if let Some(not_before) = claims.not_before.filter(|not_before| *not_before > latest) {
            return Err(ValidationError::NotYetValid {
                seconds_ahead: ahead(not_before),
            });
        }
        match claims.issued_at.filter(|issued| *issued > latest) {
            Some(issued) => Err(ValidationError::IssuedInFuture {
                seconds_ahead: ahead(issued),
            }),
            None => Ok(()),
        }
    }

    /// The claim that names the client.
    fn client_claim(&self, claims: &Claims) -> Result<Option<&'static str>, ValidationError> {
        let names: &[&'static str] = match self.profile {
            TokenProfile::Rfc9068 => &["client_id"],
            TokenProfile::PlainJwt => &["client_id", "azp", "appid", "cid"],
        };
        let found = names
            .iter()
            .find_map(|&name| Some((name, claims.other.get(name)?)));
        match found {
            None => Ok(None),
            Some((name, Value::String(client))) if !client.is_empty() => Ok(Some(name)),
            Some(_) => Err(ValidationError::MalformedClaim("client_id")),
        }
    }

    /// RFC 9068 §2.2.3; in a plain JWT also `scp`, and either as a list.
    fn scope_of(&self, claims: &Claims) -> Result<Scope, ValidationError> {
        let names: &[&'static str] = match self.profile {
            TokenProfile::Rfc9068 => &["scope"],
            TokenProfile::PlainJwt => &["scope", "scp"],
        };
        let found = names
            .iter()
            .find_map(|&name| Some((name, claims.other.get(name)?)));
        let Some((name, value)) = found else {
            return Ok(Scope::default());
        };
        let scope = match (value, self.profile) {
            (Value::String(text), _) => Scope::parse(text).ok(),
            (Value::Array(tokens), TokenProfile::PlainJwt) => scope_of_list(tokens),
            _ => None,
        };
        scope.ok_or(ValidationError::MalformedClaim(name))
    }

    /// RFC 6750 §3.1, last: the token is good, but not for this.
    pub(super) fn allows(
        &self,
        token: &ValidatedToken,
        needed: &Scope,
    ) -> Result<(), ValidationError> {
        match token.allows(needed) {
            true => Ok(()),
            false => Err(ValidationError::Scope {
                needed: needed.clone(),
                got: token.scope().clone(),
            }),
        }
    }
}

/// The scope, if each element is one token of it.
fn scope_of_list(tokens: &[Value]) -> Option<Scope> {
    let tokens: Option<Vec<&str>> = tokens
        .iter()
        .map(|token| {
            token
                .as_str()
                .filter(|token| !token.is_empty() && !token.contains(' '))
        })
        .collect();
    Scope::parse(&tokens?.join(" ")).ok()
}
