//! Operations behind one face, so that there can be a table of them.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    admin::{Expected, Rights},
    registry::Actor,
    server::Body,
};
use grantor_stores::aside;
use http::Response;
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::{
    Api, Content, Input, Me, Operation, Problem, Query, Route, Segments, Slug,
    answer::Rejected,
    openapi::{Described, Schemas},
    router::MediaTypes,
};

/// An operation, whichever it is.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Where it is.
    fn route(&self) -> Route;

    /// Largest body in octets, and of which media types; `None` for no body.
    fn body(&self) -> Option<(usize, MediaTypes)>;

    /// What is said of it in the OpenAPI document.
    fn describe(&self, schemas: &mut Schemas) -> Described;

    /// Does it.
    async fn answer(&self, api: &Arc<Api>, asked: Asked) -> Result<Response<Body>, Rejected>;
}

/// A request for an operation.
pub struct Asked {
    /// The names in the path.
    pub names: Vec<String>,
    /// The query.
    pub query: String,
    /// In which states the resource may be.
    pub expected: Expected,
    /// The body.
    pub body: Bytes,
    /// Its sender.
    pub caller: Me,
    /// The actor of what it changes.
    pub actor: Actor,
}

/// The handler of an operation.
pub struct Handles<O>(PhantomData<fn() -> O>);

impl<O: Operation> Handles<O> {
    /// That of this operation.
    pub fn boxed() -> Box<dyn Handler> {
        Box::new(Self(PhantomData))
    }
}

#[async_trait]
impl<O: Operation> Handler for Handles<O> {
    fn route(&self) -> Route {
        O::ROUTE
    }

    fn body(&self) -> Option<(usize, MediaTypes)> {
        let media_types = match O::Body::IS_PATCH {
            true => MediaTypes::Patch,
            false => MediaTypes::Json,
        };
        let largest = O::Body::LARGEST;
        (largest > 0).then_some((largest, media_types))
    }

    fn describe(&self, schemas: &mut Schemas) -> Described {
        Described::of::<O>(schemas)
    }

    async fn answer(&self, api: &Arc<Api>, asked: Asked) -> Result<Response<Body>, Rejected> {
        match O::ROUTE.is_long {
            true => apart::<O>(api.clone(), asked).await,
            false => done::<O>(api, asked).await,
        }
    }
}

/// How long anything may take that takes long, the wait for the caller's turn among it: then others
/// have theirs.
const LONGEST: Duration = Duration::from_secs(14);

/// Does what takes its time on a thread where no token waits for it.
async fn apart<O: Operation>(api: Arc<Api>, asked: Asked) -> Result<Response<Body>, Rejected> {
    let broken = || Problem::plain(Slug::Broken);
    let until = Instant::now() + LONGEST;
    let client = asked.caller.client.as_ref();
    let caller = client.map(ToString::to_string).unwrap_or_default();
    let turn = timeout_at(until, api.turns.take(&caller)).await;
    let turn = turn.map_err(|_| late("it was not its turn, and nothing was done: repeat"))?;
    let turn = turn.ok_or_else(broken)?;
    let here = Handle::current();
    let work = move || {
        let _turn = turn;
        here.block_on(async { timeout_at(until, done::<O>(&api, asked)).await })
    };
    let done = aside(work).await.map_err(|_| broken())?;
    done.map_err(|_| late("it took too long, and may have been done: look, then repeat"))?
}

fn late(detail: &str) -> Problem {
    Problem::new(Slug::Busy, detail)
}

async fn done<O: Operation>(api: &Api, asked: Asked) -> Result<Response<Body>, Rejected> {
    let nothing = || Problem::new(Slug::NotFound, "there is nothing of this name");
    let path = O::Path::of_names(&asked.names).ok_or_else(nothing)?;
    let Query {
        parameters: query,
        portion,
        overrides,
    } = Query::read(&asked.query, &O::ROUTE)?;
    let body = O::Body::read(&asked.body)?;
    let mut rights = Rights::of(asked.caller.role).expecting(asked.expected);
    if overrides {
        rights = rights.overriding();
    }
    let admin = api
        .administration(rights, asked.actor)
        .for_caller(asked.caller);
    let input = Input {
        path,
        query,
        portion,
        body,
    };
    let answered = O::run(&admin, input).await?;
    Ok(api.answer(&O::ROUTE, &asked.names, answered))
}
