//! What an authorization request says (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1, RFC 9101 §5,
//! OpenID Connect Core §3.1.2.1).

use super::{
    AuthorizationError, AuthorizationRequest, RedirectTarget,
    challenge::Challenge,
    request::{Prompt, Reply, Wanted},
    target,
};
use crate::{
    registry::ConsentPolicy,
    server::{Context, Decision, PolicyError, Request, policy},
    types::{GrantType, Scope},
};

/// Longest `state`, in octets.
const MAX_STATE_BYTES: usize = 2048;
/// Most octets that travel in a ticket. Encoded as one, they still fit into a query.
const MAX_TRAVELLING_BYTES: usize = 5 * 1024;
/// Most octets of a hint, which is left out beyond: it decides nothing.
const MAX_HINT_BYTES: usize = 255;

/// The query of a request, of which nothing is believed yet.
pub(super) struct AuthorizationForm<'r>(&'r Request);

impl<'r> AuthorizationForm<'r> {
    pub(super) fn of(request: &'r Request) -> Self {
        Self(request)
    }

    /// Where the answer goes, before anything else is looked at (RFC 6749 §4.1.2.1).
    pub(super) async fn target(
        &self,
        context: &Context,
        decision: &mut Decision,
    ) -> Result<RedirectTarget, AuthorizationError> {
        let (client, uri) = (self.0.query("client_id"), self.0.query("redirect_uri"));
        let target = RedirectTarget::find(context, client, uri, decision).await?;
        Ok(target.with_state(self.state().ok().flatten().map(str::to_owned)))
    }

    /// The request, if and only if it is one that can be asked for.
    pub(super) fn request(
        &self,
        context: &Context,
        target: RedirectTarget,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        use AuthorizationError as E;
        let query = |name| self.0.query(name);
        if !target.client().may_use(&GrantType::AUTHORIZATION_CODE) {
            return Err(E::NotAllowed);
        }
        if query("request").is_some() {
            return Err(E::RequestObject);
        }
        if let Some(uri) = query("request_uri") {
            return Err(E::RequestUri(uri.into()));
        }
        if query("registration").is_some() {
            return Err(E::Registration);
        }
        match query("response_type") {
            Some("code") => {}
            other => return Err(E::ResponseType(other.unwrap_or_default().into())),
        }
        match query("response_mode") {
            None | Some("query") => {}
            Some(other) => return Err(E::ResponseMode(other.into())),
        }
        let state = self.state()?.unwrap_or_default().len();
        let challenge = self.challenge()?;
        let resource = self.resource(context)?;
        let travelling = [resource.as_deref(), query("scope"), query("redirect_uri")];
        let octets = state
            + travelling
                .into_iter()
                .flatten()
                .map(str::len)
                .sum::<usize>();
        if octets > MAX_TRAVELLING_BYTES {
            return Err(E::TooLarge { octets });
        }
        let client = target.client().clone();
        let reply = Reply {
            target,
            challenge,
            resource,
        };
        AuthorizationRequest::new(client, Some(reply), self.wanted()?)
    }

    /// The request of a consent link: no client waits for its answer. Whatever else stands in the
    /// link is nothing to it.
    pub(super) async fn link(
        &self,
        context: &Context,
        decision: &mut Decision,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let client = target::client_of(context, self.0.query("client_id"), decision).await?;
        if client.metadata().consent != ConsentPolicy::Ask {
            return Err(AuthorizationError::AsksNobody);
        }
        let wanted = Wanted {
            scope: self.scope()?,
            login_hint: self.hint("login_hint"),
            ui_locales: self.hint("ui_locales"),
            ..Wanted::at(self.0.at())
        };
        AuthorizationRequest::new(client, None, wanted)
    }

    fn wanted(&self) -> Result<Wanted, AuthorizationError> {
        let prompt = self.0.query("prompt").map(Prompt::parse).transpose()?;
        let max_age = |text: &str| {
            let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number);
            number.ok_or_else(|| AuthorizationError::MaxAge(text.into()))
        };
        Ok(Wanted {
            scope: self.scope()?,
            prompt: prompt.unwrap_or_default(),
            max_age: self.0.query("max_age").map(max_age).transpose()?,
            login_hint: self.hint("login_hint"),
            ui_locales: self.hint("ui_locales"),
            ..Wanted::at(self.0.at())
        })
    }

    fn scope(&self) -> Result<Option<Scope>, AuthorizationError> {
        Ok(self.0.query("scope").map(policy::scope).transpose()?)
    }

    /// RFC 6749 appendix A.5
    fn state(&self) -> Result<Option<&'r str>, AuthorizationError> {
        let state = self.0.query("state");
        let fits = |state: &str| {
            state.len() <= MAX_STATE_BYTES
                && state.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        };
        match state {
            Some(state) if !fits(state) => Err(AuthorizationError::State {
                octets: state.len(),
            }),
            state => Ok(state),
        }
    }

    /// RFC 7636 §4.3
    fn challenge(&self) -> Result<Challenge, AuthorizationError> {
        let challenge = self.0.query("code_challenge").unwrap_or_default();
        let parsed = Challenge::parse(challenge).ok_or(AuthorizationError::Challenge {
            octets: challenge.len(),
        })?;
        match self.0.query("code_challenge_method").unwrap_or_default() {
            "S256" => Ok(parsed),
            other => Err(AuthorizationError::ChallengeMethod(other.into())),
        }
    }

    /// RFC 8707 §2.1
    fn resource(&self, context: &Context) -> Result<Option<String>, AuthorizationError> {
        let mut resources = self.0.queries("resource");
        match (resources.next(), resources.next()) {
            (_, Some(_)) => Err(PolicyError::SeveralResources.into()),
            (resource, None) => Ok(resource
                .map(|resource| policy::served(context, resource))
                .transpose()?),
        }
    }

    fn hint(&self, name: &str) -> Option<String> {
        let hint = self.0.query(name)?;
        let fits = hint.len() <= MAX_HINT_BYTES && !hint.chars().any(char::is_control);
        fits.then(|| hint.to_owned())
    }
}
