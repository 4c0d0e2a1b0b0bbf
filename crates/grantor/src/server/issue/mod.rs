//! Issuing: an approval becomes an access token.

mod error;
mod jwt;
mod opaque;

use std::{fmt, time::Duration};

pub use error::IssueError;

use super::{Approval, Context, Decision, power, still, trust};
use crate::{clock::UnixTime, registry::TokenFormat, types::Scope};

/// An access token that was issued. `Debug` does not show it.
pub struct IssuedToken {
    // Not wiped: it is copied into a body that goes to the network.
    access_token: String,
    lifetime: Duration,
    scope: Scope,
    refresh_token: Option<RefreshToken>,
}

impl IssuedToken {
    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.access_token
    }

    /// How long it lives.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What it allows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// By what the client gets another one.
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// A refresh token (RFC 6749 §1.5). `Debug` does not show it.
pub struct RefreshToken(
    // Not wiped, as the access token is not.
    String,
);

impl RefreshToken {
    /// The token of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// When a token starts and ends.
#[derive(Clone, Copy)]
struct Life {
    issued_at: UnixTime,
    expires_at: UnixTime,
}

/// How long the token lives: as long as the server's do, unless it is for the admin API, or a trust
/// lays down less.
fn lifetime(context: &Context, approval: &Approval, now: UnixTime) -> Duration {
    let settings = context.settings().token_lifetime;
    let usual = match power::is_for_admin(context, approval.audience()) {
        true => settings.min(power::LIFETIME),
        false => settings,
    };
    let Some(limits) = approval.limits() else {
        return usual;
    };
    let to_end = limits.end.map(|end| end.since(now).unwrap_or_default());
    let least = [limits.lifetime, to_end]
        .into_iter()
        .flatten()
        .fold(usual, Duration::min);
    // Whole seconds, as `expires_in` has them; a JWT that ends within its leeway has one left.
    Duration::from_secs(least.as_secs().max(1))
}

/// What the token was approved under has not ended meanwhile.
async fn check_not_ended(context: &Context, approval: &Approval) -> Result<(), IssueError> {
    let (client, now) = (approval.client(), context.now().seconds());
    let trust = match approval.origin().trust() {
        Some(under) => trust::in_force(context, under, Some(now)).await?,
        None => None,
    };
    let registered = context.clients().client(client.id()).await?;
    let is_same = registered.is_some_and(|registered| {
        registered.metadata().enabled && registered.revision().number == client.revision().number
    });
    match trust.is_some() && is_same {
        true => Ok(()),
        false => Err(IssueError::Ended),
    }
}

/// Issues the token in the client's format. An opaque token is recorded before it is answered.
pub(super) async fn issue(
    context: &Context,
    mut approval: Approval,
    decision: &mut Decision,
) -> Result<IssuedToken, IssueError> {
    let issued_at = context.now();
    let lifetime = lifetime(context, &approval, issued_at);
    let life = Life {
        issued_at,
        expires_at: issued_at.plus(lifetime),
    };
    if approval.limits().is_some() {
        // A fetch of keys may have taken seconds.
        Box::pin(check_not_ended(context, &approval)).await?;
    }
    still::check(context, &approval, decision).await?;
    let access_token = match approval.client().metadata().token_format {
        TokenFormat::Jwt => jwt::issue(context, &approval, life)?,
        TokenFormat::Opaque => opaque::issue(context, &approval, life).await?,
    };
    decision.approved(&approval);
    Ok(IssuedToken {
        access_token,
        lifetime,
        scope: approval.scope().clone(),
        refresh_token: approval.take_refresh_token(),
    })
}
