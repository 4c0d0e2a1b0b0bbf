//! The authorization endpoint (RFC 6749 §3.1), and the consent page with its link: where people's
//! browsers come. What decides is [`advance`](crate::server::authorization::advance).

use async_trait::async_trait;
use http::Method;

use super::{Endpoint, Metadata, Path, Route};
use crate::{
    server::{
        Answer, Context, Decision, Refusal, Request,
        authorization::{self, AuthorizationRequest, SignedIn, advance},
        consent_link::CONSENT,
    },
    types::member,
};

/// The authorization endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuthorizationEndpoint;

#[async_trait]
impl Endpoint for AuthorizationEndpoint {
    fn route(&self) -> Route {
        Route::query("authorization", Path::Suffix("authorize"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        let url = context.identity().issuer().endpoint("authorize");
        metadata.set(member::AUTHORIZATION_ENDPOINT, url);
        metadata.set("response_types_supported", vec!["code"]);
        metadata.set("response_modes_supported", vec!["query"]);
        metadata.set(member::CODE_CHALLENGE_METHODS, vec!["S256"]);
        metadata.set(member::AUTHORIZATION_RESPONSE_ISS, true);
        metadata.set("prompt_values_supported", authorization::PROMPTS.to_vec());
    }

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let asked = AuthorizationRequest::read(context, request, decision).await?;
        let signed_in = signed_in(context, request).await;
        let signed_in = signed_in.map_err(|refusal| asked.refused(refusal))?;
        let step = advance(context, asked, signed_in.as_ref(), decision).await?;
        step.answer(context, request).await
    }

    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        authorization::refuse(context, request, refusal, decision).await
    }
}

/// The consent page: shown where a consent link or a ticket leads to it, and answered by its form.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsentEndpoint;

#[async_trait]
impl Endpoint for ConsentEndpoint {
    fn route(&self) -> Route {
        Route::page(CONSENT, Path::Suffix(CONSENT))
            .also_at(Path::Suffix("consent/decision"))
            .repeating(&["scope"])
    }

    /// Nothing: no client finds it by the metadata.
    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let signed_in = signed_in(context, request).await?;
        let signed_in = signed_in.as_ref();
        let step = match request.method() {
            &Method::POST => authorization::decide(context, request, signed_in, decision).await,
            _ => {
                let asked = match request.query("t") {
                    Some(t) => authorization::reopen(context, t, signed_in, decision).await,
                    None => AuthorizationRequest::read_link(context, request, decision).await,
                };
                advance(context, asked?, signed_in, decision).await
            }
        };
        step?.answer(context, request).await
    }
}

/// The person at the browser.
async fn signed_in(context: &Context, request: &Request) -> Result<Option<SignedIn>, Refusal> {
    authorization::signed_in(context, request).await
}
