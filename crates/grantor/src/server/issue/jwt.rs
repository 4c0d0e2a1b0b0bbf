//! JWT access tokens (RFC 9068 §2).

use grantor_jose::sign;
use serde::Serialize;

use super::Life;
use crate::server::{Approval, Context, IssueError};

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
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

pub(super) fn issue(context: &Context, approval: &Approval, life: Life) -> Result<String, IssueError> {
    let claims = AccessTokenClaims {
        iss: context.identity().issuer().as_str(),
        sub: approval.subject().as_str(),
        aud: approval.audience(),
        client_id: approval.client().id().as_str(),
        iat: life.issued_at.seconds(),
        exp: life.expires_at.seconds(),
        jti: context.token_ids.seal(approval.origin()),
        scope: approval.scope().to_string(),
    };
    let payload = serde_json::to_vec(&claims).expect("claims of strings and numbers are JSON");
    let ring = context.signing_keys.key_ring();
    Ok(sign(ring.signing(), Some("at+jwt"), &payload)?)
}
