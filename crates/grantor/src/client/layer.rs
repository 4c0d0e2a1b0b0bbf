//! The token on each request of a tower service that speaks [`http::Request`].

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode, header};
use http_body_util::{
    Empty, Full,
    combinators::{BoxBody, UnsyncBoxBody},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{AccessError, ApiAccess, Origin};

/// A request body that may be sent a second time, after an answer 401. Implement it for a body type
/// of your own.
pub trait Resend: Sized {
    /// The same body once more; `None` if it can be sent once only. Then a 401 is passed on.
    fn resend(&self) -> Option<Self>;
}

macro_rules! by_clone {
    ($($body:ty),*) => {$(
        impl Resend for $body {
            fn resend(&self) -> Option<Self> {
                Some(self.clone())
            }
        }
    )*};
}

by_clone!((), Bytes, String, Vec<u8>, &'static str, &'static [u8]);

impl<D: Clone> Resend for Full<D> {
    fn resend(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<D> Resend for Empty<D> {
    fn resend(&self) -> Option<Self> {
        Some(Self::new())
    }
}

/// Nobody knows what is inside.
impl<D: Buf, E> Resend for BoxBody<D, E> {
    fn resend(&self) -> Option<Self> {
        None
    }
}

/// Nobody knows what is inside.
impl<D: Buf, E> Resend for UnsyncBoxBody<D, E> {
    fn resend(&self) -> Option<Self> {
        None
    }
}

/// A service whose requests carry the token of an [`ApiAccess`], which makes it as a [`Layer`].
///
/// Only requests with an absolute URI can be told to be the API's: a service that is bound to one
/// host and takes paths gets its layer further out, where requests still say where they go.
///
/// ```
/// use bytes::Bytes;
/// use grantor::client::{ApiAccess, TokenSource};
/// use http::{Request, Response};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// async fn call<S>(http: S, source: TokenSource) -> Result<(), Box<dyn std::error::Error>>
/// where
///     S: Service<Request<Bytes>, Response = Response<Bytes>, Error = std::io::Error> + Clone + Send + 'static,
///     S::Future: Send,
/// {
///     let mut api = ApiAccess::new(source, "https://api.example".parse()?).layer(http);
///     let answer = api.call(Request::get("https://api.example/invoices").body(Bytes::new())?).await?;
///     assert!(answer.status().is_success());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Authorized<S> {
    http: S,
    access: ApiAccess,
}

impl<S> Layer<S> for ApiAccess {
    type Service = Authorized<S>;

    fn layer(&self, http: S) -> Authorized<S> {
        Authorized {
            http,
            access: self.clone(),
        }
    }
}

impl<S, B, A> Service<Request<B>> for Authorized<S>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Resend + Send + 'static,
    A: Send + 'static,
{
    type Response = Response<A>;
    type Error = AccessError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(context).map_err(AccessError::Http)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready takes the request, and its clone the next.
        let clone = self.http.clone();
        let http = mem::replace(&mut self.http, clone);
        let access = self.access.clone();
        Box::pin(authorized(http, access, request))
    }
}

async fn authorized<S, B, A>(
    mut http: S,
    access: ApiAccess,
    request: Request<B>,
) -> Result<Response<A>, AccessError<S::Error>>
where
    S: Service<Request<B>, Response = Response<A>>,
    B: Resend,
{
    let is_for_api = access.covers(Origin::of_uri(request.uri()).as_ref());
    if !is_for_api || request.headers().contains_key(header::AUTHORIZATION) {
        return http.call(request).await.map_err(AccessError::Http);
    }
    let token = access.token().await.map_err(AccessError::Token)?;
    let (mut parts, body) = request.into_parts();
    let again = body.resend().map(|body| (parts.clone(), body));
    token.authorize(&mut parts);
    let answer = http
        .call(Request::from_parts(parts, body))
        .await
        .map_err(AccessError::Http)?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    access.invalidate(&token);
    let Some((mut parts, body)) = again else {
        return Ok(answer);
    };
    let Some(token) = access.other_than(&token).await else {
        return Ok(answer);
    };
    drop(answer);
    token.authorize(&mut parts);
    poll_fn(|context| http.poll_ready(context))
        .await
        .map_err(AccessError::Http)?;
    http.call(Request::from_parts(parts, body))
        .await
        .map_err(AccessError::Http)
}
