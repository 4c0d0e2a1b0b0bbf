//! The token on each request of a `reqwest_middleware` client.

use std::convert::Infallible;

use async_trait::async_trait;
use http::{Extensions, StatusCode, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::{AccessError, ApiAccess, Origin};

#[async_trait]
impl Middleware for ApiAccess {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let is_for_api = self.covers(Origin::of_url(request.url()).as_ref());
        if !is_for_api || request.headers().contains_key(header::AUTHORIZATION) {
            return next.run(request, extensions).await;
        }
        let token = self
            .token()
            .await
            .map_err(|error| Error::middleware(AccessError::<Infallible>::Token(error)))?;
        let again = request.try_clone();
        token.put_on(request.headers_mut());
        let answer = next.clone().run(request, extensions).await?;
        // After a redirect to elsewhere, the answer is not the API's.
        let is_of_api = self.covers(Origin::of_url(answer.url()).as_ref());
        if !is_of_api || answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.invalidate(&token);
        let Some(mut request) = again else {
            return Ok(answer);
        };
        let Some(token) = self.other_than(&token).await else {
            return Ok(answer);
        };
        drop(answer);
        token.put_on(request.headers_mut());
        next.run(request, extensions).await
    }
}
