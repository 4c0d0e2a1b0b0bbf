//! JWT access tokens (RFC 9068 §2).

use std::collections::BTreeMap;

use grantor_jose::{json::Value, sign};
use serde::Serialize;

use super::Life;
use crate::{
    clock::UnixTime,
    server::{Approval, Context, IssueError, token_id::Claimed},
};

/// RFC 9068 §2.2
#[derive(Serialize)]
struct AccessTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
}

/// With claims that a trust has copied. None of them has a name that is reserved.
#[derive(Serialize)]
struct WithMore<'a> {
    #[serde(flatten)]
    claims: AccessTokenClaims<'a>,
    #[serde(flatten)]
    more: &'a BTreeMap<String, Value>,
}

pub(super) fn issue(
    context: &Context,
    approval: &Approval,
    life: Life,
) -> Result<String, IssueError> {
    let scope = approval.scope().to_string();
    let claimed = Claimed {
        client: approval.client().id().as_str(),
        subject: approval.subject().as_str(),
        audience: approval.audience(),
        scope: &scope,
        issued_at: life.issued_at.seconds(),
        expires_at: life.expires_at.seconds(),
        auth_time: approval.auth_time().map(UnixTime::seconds),
    };
    let jti = context.token_ids().seal(approval.origin(), &claimed);
    let claims = AccessTokenClaims {
        iss: context.identity().issuer().as_str(),
        sub: claimed.subject,
        aud: claimed.audience,
        client_id: claimed.client,
        iat: claimed.issued_at,
        exp: claimed.expires_at,
        jti,
        scope: claimed.scope,
        auth_time: claimed.auth_time,
    };
    let more = approval.limits().map(|limits| &limits.claims);
    let payload = match more.filter(|more| !more.is_empty()) {
        None => serde_json::to_vec(&claims),
        Some(more) => serde_json::to_vec(&WithMore { claims, more }),
    };
    let payload = payload.expect("claims of strings and numbers are JSON");
    let ring = context.signing_keys().key_ring();
    Ok(sign(ring.signing(), Some("at+jwt"), &payload)?)
}
