//! Opaque access tokens: 256 random bits (RFC 6749 §10.10), recorded by digest.

use grantor_jose::{base64url_encode, crypto};

use super::Life;
use crate::{
    server::{Approval, Context, IssueError},
    storage::{OpaqueToken, Put, TokenDigest},
};

pub(super) async fn issue(
    context: &Context,
    approval: &Approval,
    life: Life,
) -> Result<String, IssueError> {
    let token = base64url_encode(crypto::random_bytes::<32>());
    let record = OpaqueToken {
        client: approval.client().id().clone(),
        subject: approval.subject().clone(),
        scope: approval.scope().clone(),
        audience: approval.audience().to_owned(),
        issued_at: life.issued_at,
        expires_at: life.expires_at,
        origin: Some(*approval.origin()),
    };
    match context
        .tokens
        .token_create(TokenDigest::of(&token), record, context.token_quota)
        .await?
    {
        Put::Kept => Ok(token),
        Put::OverQuota => Err(IssueError::OverQuota(context.token_quota)),
    }
}
