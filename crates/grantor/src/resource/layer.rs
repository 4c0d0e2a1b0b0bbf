//! The guard as tower middleware.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;

use super::BearerLayer;

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Bearer<S> {
        Bearer {
            guard: self.clone(),
            inner,
        }
    }
}

/// A service behind a [`BearerLayer`].
#[derive(Clone, Debug)]
pub struct Bearer<S> {
    guard: BearerLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Bearer<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let guard = self.guard.clone();
        // The one that is ready goes, a new one stays.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let token = match guard.authorize(request.headers()).await {
                Ok(token) => token,
                Err(rejection) => return Ok(rejection.into_response()),
            };
            if let Some(credentials) = request.headers_mut().get_mut(header::AUTHORIZATION) {
                credentials.set_sensitive(true);
            }
            request.extensions_mut().insert(token);
            inner.call(request).await
        })
    }
}
