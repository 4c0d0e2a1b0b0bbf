//! Revocation: a client gives back a token of its own (RFC 7009).

use async_trait::async_trait;

use super::{Endpoint, Metadata, Path, Route};
use crate::{
    registry::Client,
    server::{
        Answer, ClientAuthRequirement, Context, Decision, IssueError, Refusal, Request,
        access_token,
        refresh_family::{Place, RefreshFamily},
    },
    storage::{Ending, Put},
    types::member,
};

/// The revocation endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct RevocationEndpoint;

/// Every client authentication method is taken, `none` among them (RFC 7009 §2.1).
fn requirement() -> ClientAuthRequirement {
    ClientAuthRequirement {
        optional: false,
        ..ClientAuthRequirement::optional()
    }
}

#[async_trait]
impl Endpoint for RevocationEndpoint {
    fn route(&self) -> Route {
        Route::form("revocation", Path::Suffix("revoke"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        let methods = requirement().methods;
        metadata.endpoint(context, member::REVOCATION_ENDPOINT, "revoke", &methods);
    }

    /// Revokes the token, if and only if it is one of the caller's. Whether it was is not told: an
    /// unknown token, another client's and an expired one are answered alike (RFC 7009 §2.2).
    /// `token_type_hint` is not needed to find it.
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let caller = context
            .authenticate(request, &requirement(), decision)
            .await?;
        let token = request.required("token")?;
        if let Some(client) = caller.client() {
            match Place::of(context.seals(), token) {
                Some(place) => end_own(context, client, place, decision).await?,
                None => revoke_own(context, client, token, decision).await?,
            }
        }
        Ok(Answer::empty())
    }
}

/// Ends the family of a refresh token, one that was replaced among them, and with it the access
/// tokens that came of it (RFC 7009 §2.1). The permission stays.
async fn end_own(
    context: &Context,
    client: &Client,
    place: Place,
    decision: &mut Decision,
) -> Result<(), IssueError> {
    match RefreshFamily::find(context, place.family).await? {
        Some(family) if family.terms().are_of(client) => {
            decision.found_own_token();
            Ok(family.revoke(context).await?)
        }
        _ => Ok(()),
    }
}

async fn revoke_own(
    context: &Context,
    client: &Client,
    token: &str,
    decision: &mut Decision,
) -> Result<(), IssueError> {
    match access_token::find(context, token).await? {
        Some(token) if token.is_of(client) => {
            decision.found_own_token();
            let ending = Ending {
                owner: Some(client.revision().number),
                at: context.now(),
                until: token.end(),
            };
            match context
                .artifacts()
                .end_family(token.family(), ending, context.token_quota())
                .await?
            {
                Put::Kept => Ok(()),
                Put::OverQuota => Err(IssueError::OverQuota(context.token_quota())),
            }
        }
        _ => Ok(()),
    }
}
