//! What is known about a token that was accepted.

use std::{fmt, sync::Arc};

use grantor_jose::{AudienceClaim, Claims, NumericDate, SmolStr, json::Value};

use crate::{clock::UnixTime, types::Scope};

/// An access token that a [`Validator`](super::Validator) has accepted: holding one is the proof.
/// Cheap to clone.
///
/// `Debug` shows whom it is about, and not the claims. The token itself is not kept.
#[derive(Clone)]
pub struct ValidatedToken(Arc<Inner>);

struct Inner {
    claims: Claims,
    /// The claim that names the client.
    client_claim: Option<&'static str>,
    scope: Scope,
}

impl ValidatedToken {
    /// Only the rules make one.
    pub(super) fn new(claims: Claims, client_claim: Option<&'static str>, scope: Scope) -> Self {
        Self(Arc::new(Inner {
            claims,
            client_claim,
            scope,
        }))
    }

    /// `sub`: whom the token is about (RFC 9068 §2.2); the client itself where nobody else is
    /// involved. Unique within the issuer. Always there with
    /// [`TokenProfile::Rfc9068`](super::TokenProfile); a plain JWT may name the
    /// [client](Self::client_id) alone, and an introspection answer may leave it out (RFC 7662
    /// §2.2).
    pub fn subject(&self) -> Option<&str> {
        self.0.claims.subject.as_deref()
    }

    /// `client_id`: who asked for the token (RFC 9068 §2.2). Always there with
    /// [`TokenProfile::Rfc9068`](super::TokenProfile).
    pub fn client_id(&self) -> Option<&str> {
        self.claim(self.0.client_claim?)?.as_str()
    }

    /// `scope`: what the token allows (RFC 9068 §2.2.3). Empty where it says nothing.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// Whether the token allows all of `needed`.
    pub fn allows(&self, needed: &Scope) -> bool {
        needed.is_subset(&self.0.scope)
    }

    /// `iss`: who issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.0.claims.issuer.as_deref()
    }

    /// `aud`: for whom it is; this resource is among them.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.0
            .claims
            .audience
            .iter()
            .flat_map(AudienceClaim::values)
            .map(SmolStr::as_str)
    }

    /// `jti`: the name of this one token, for logs.
    pub fn token_id(&self) -> Option<&str> {
        self.0.claims.token_id.as_deref()
    }

    /// `iat`
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.0.claims.issued_at.map(UnixTime::from_date_rounded_up)
    }

    /// `exp`; only an introspection answer may leave it out.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.date_of_expiry().map(UnixTime::from_date_rounded_up)
    }

    /// Any other claim, or member of the introspection answer: `groups`, `roles`, `entitlements`
    /// (RFC 9068 §2.2.3.1), `acr`, or whatever the authorization server adds.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.other.get(name)
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    pub(super) fn date_of_expiry(&self) -> Option<NumericDate> {
        self.0.claims.expires
    }
}

impl fmt::Debug for ValidatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ValidatedToken");
        shown
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("scope", self.scope());
        shown.finish_non_exhaustive()
    }
}
