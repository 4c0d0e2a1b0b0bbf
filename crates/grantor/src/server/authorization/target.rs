//! Where the answer to an authorization request goes: a redirect URI of the client.

use std::sync::Arc;

use url::form_urlencoded::Serializer;

use super::{AuthorizationError, HandOver};
use crate::{
    registry::Client,
    server::{Context, Decision, Refusal, answer::public_description},
    types::RedirectUri,
};

/// A client, and a redirect URI that is registered for it. Holding one is the proof that an error
/// may go there (RFC 6749 §4.1.2.1).
#[derive(Clone, Debug)]
pub struct RedirectTarget {
    client: Arc<Client>,
    uri: String,
    state: Option<String>,
    passage: Passage,
}

/// How a browser gets to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// By a redirect.
    Redirect,
    /// By a page of ours: browsers hold redirects that a form starts against the form's page.
    Page,
}

impl RedirectTarget {
    /// The client that answers are for, if and only if it is registered and enabled and `uri` is one
    /// of its own.
    pub(super) async fn find(
        context: &Context,
        client: Option<&str>,
        uri: Option<&str>,
        decision: &mut Decision,
    ) -> Result<Self, AuthorizationError> {
        let client = client_of(context, client, decision).await?;
        let uri = uri.ok_or(AuthorizationError::NoRedirectUri)?;
        Self::of(client, uri)
    }

    /// This client's, if and only if it may be asked for.
    pub(super) fn of(client: Arc<Client>, uri: &str) -> Result<Self, AuthorizationError> {
        if !is_registered(&client, uri) {
            return Err(AuthorizationError::UnregisteredRedirectUri(uri.into()));
        }
        Ok(Self {
            client,
            uri: uri.to_owned(),
            state: None,
            passage: Passage::Redirect,
        })
    }

    /// Answers with this `state`.
    pub(super) fn with_state(self, state: Option<String>) -> Self {
        Self { state, ..self }
    }

    /// Goes there from behind a form.
    pub(super) fn behind_form(self) -> Self {
        Self {
            passage: Passage::Page,
            ..self
        }
    }

    /// The client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The redirect URI, as the request named it.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// `state`, as the request named it.
    pub(super) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether a program on the person's own machine is there (RFC 8252 §8.6).
    pub(super) fn is_native(&self) -> bool {
        RedirectUri::parse(&self.uri).is_ok_and(|uri| uri.is_native())
    }

    /// The way there with a code (RFC 6749 §4.1.2).
    pub(super) fn with_code(&self, context: &Context, code: &str) -> HandOver {
        self.answered(context, &[("code", code)])
    }

    /// The way there with an error (RFC 6749 §4.1.2.1).
    pub(super) fn with_error(
        &self,
        context: &Context,
        refusal: &Refusal,
        decision: &Decision,
    ) -> HandOver {
        let description = public_description(refusal, decision);
        let error = [
            ("error", refusal.code().as_str()),
            ("error_description", &*description),
        ];
        self.answered(context, &error)
    }

    /// `state` as it came, and who answers (RFC 9207 §2).
    fn answered(&self, context: &Context, parameters: &[(&str, &str)]) -> HandOver {
        let mut answer = Serializer::new(String::new());
        answer.extend_pairs(parameters);
        if let Some(state) = &self.state {
            answer.append_pair("state", state);
        }
        answer.append_pair("iss", context.identity().issuer().as_str());
        let separator = match self.uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        let url = format!("{}{separator}{}", self.uri, answer.finish());
        HandOver::new(url, &self.uri, self.passage)
    }
}

/// Whether a redirect URI is one of the client's.
pub(in crate::server) fn is_registered(client: &Client, uri: &str) -> bool {
    let registered = &client.metadata().redirect_uris;
    registered.iter().any(|registered| registered.matches(uri))
}

/// The client of this name, if and only if it is registered and enabled.
pub(super) async fn client_of(
    context: &Context,
    client: Option<&str>,
    decision: &mut Decision,
) -> Result<Arc<Client>, AuthorizationError> {
    let id = client.ok_or(AuthorizationError::NoClient)?;
    decision.claims_client(id);
    let client = context.client(id).await?;
    let client = client.ok_or_else(|| AuthorizationError::UnknownClient(id.into()))?;
    decision.claims_registered(&client);
    match client.metadata().enabled {
        true => Ok(client),
        false => Err(AuthorizationError::DisabledClient),
    }
}
