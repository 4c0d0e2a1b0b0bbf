//! Operations behind one face, so that there can be a table of them.

use std::marker::PhantomData;

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{admin::Rights, registry::Actor, server::Body};
use http::{Response, request::Parts};
use schemars::SchemaGenerator;

use super::{
    Api, Caller, Content, Input, Operation, Problem, Query, Route, Segments, Slug,
    answer::Rejected, etag::expected, openapi::Described, router::MediaTypes,
};

/// An operation, whichever it is.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Where it is.
    fn route(&self) -> Route;

    /// Largest body in octets, and of which media types; `None` for no body.
    fn body(&self) -> Option<(usize, MediaTypes)>;

    /// What is said of it in the OpenAPI document.
    fn describe(&self, schemas: &mut SchemaGenerator) -> Described;

    /// Does it.
    async fn answer(&self, api: &Api, asked: Asked<'_>) -> Result<Response<Body>, Rejected>;
}

/// A request for an operation.
pub struct Asked<'r> {
    /// The names in the path.
    pub names: Vec<String>,
    /// The head.
    pub head: &'r Parts,
    /// The body.
    pub body: Bytes,
    /// Its sender.
    pub caller: &'r Caller,
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

    fn describe(&self, schemas: &mut SchemaGenerator) -> Described {
        Described::of::<O>(schemas)
    }

    async fn answer(&self, api: &Api, asked: Asked<'_>) -> Result<Response<Body>, Rejected> {
        let nothing = || Problem::new(Slug::NotFound, "there is nothing of this name");
        let path = O::Path::of_names(&asked.names).ok_or_else(nothing)?;
        let Query {
            parameters: query,
            portion,
            overrides,
        } = Query::read(asked.head.uri.query().unwrap_or_default(), &O::ROUTE)?;
        let body = O::Body::read(&asked.body)?;
        let mut rights = Rights::of(asked.caller.role).expecting(expected(&asked.head.headers)?);
        if overrides {
            rights = rights.overriding();
        }
        let admin = api
            .administration(rights, asked.actor)
            .for_caller(asked.caller.into());
        let input = Input {
            path,
            query,
            portion,
            body,
        };
        let answered = O::run(&admin, input).await?;
        Ok(api.answer(&O::ROUTE, &asked.names, answered))
    }
}
