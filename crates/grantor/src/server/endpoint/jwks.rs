//! The server's JWK Set: the public halves of its signing keys (RFC 7517 §5, RFC 8414 §2
//! `jwks_uri`).

use async_trait::async_trait;
use grantor_jose::Jwk;
use serde::Serialize;

use super::{Endpoint, Metadata, Path, Route};
use crate::{
    server::{Answer, Context, Decision, Refusal, Request},
    types::member,
};

/// The JWK Set.
#[derive(Clone, Copy, Debug, Default)]
pub struct JwkSetEndpoint;

#[derive(Serialize)]
struct Document<'a> {
    keys: &'a [Jwk],
}

#[async_trait]
impl Endpoint for JwkSetEndpoint {
    fn route(&self) -> Route {
        Route::document("jwks", Path::Suffix("jwks"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        metadata.set(
            member::JWKS_URI,
            context.identity().issuer().endpoint("jwks"),
        );
    }

    async fn answer(
        &self,
        context: &Context,
        _: &Request,
        _: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let ring = context.signing_keys().key_ring();
        Ok(Answer::document(&Document {
            keys: ring.published(),
        }))
    }
}
