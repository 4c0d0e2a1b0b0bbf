//! Opaque access tokens: 256 random bits (RFC 6749 §10.10), recorded by digest.

use grantor_jose::{base64url_encode, crypto};

use super::Life;
use crate::{
    server::{
        Approval, Context, IssueError,
        access_token::{OpaqueToken, key_of},
        stored_token,
    },
    storage::{Artifact, Put},
};

pub(super) async fn issue(
    context: &Context,
    approval: &Approval,
    life: Life,
) -> Result<String, IssueError> {
    let token = base64url_encode(crypto::random_bytes::<32>());
    let origin = approval.origin();
    let record = OpaqueToken {
        client: approval.client().id().clone(),
        subject: approval.subject().clone(),
        scope: approval.scope().clone(),
        audience: approval.audience().to_owned(),
        issued_at: life.issued_at,
        expires_at: life.expires_at,
        auth_time: approval.auth_time(),
        origin: Some(*origin),
    };
    let artifact = Artifact::new(life.issued_at, life.expires_at)
        .owned_by(Some(origin.client))
        .in_family(origin.family.map(|family| family.id()))
        .in_group(stored_token::group_of(origin))
        .holding(&record);
    match context
        .artifacts()
        .put(key_of(&token), artifact, context.token_quota())
        .await?
    {
        Put::Kept => Ok(token),
        Put::OverQuota => Err(IssueError::OverQuota(context.token_quota())),
    }
}
