//! What a page of the console is. A page says once where it is and what it needs; the router, the
//! checks and the tests are made from that.

use std::{future::Future, marker::PhantomData};

use async_trait::async_trait;
use grantor::server::Body;
use http::Response;
use serde::de::DeserializeOwned;

use super::{Error, Notice, Route, Typed, Visit};
use crate::{admin::Segments, pages::BrowserSecret};

/// A page that shows something.
pub trait Page: Sized + Send + Sync + 'static {
    /// What the path names.
    type Path: Segments;
    /// The filter that the query is, apart from what every list understands ([`Visit::list`]).
    type Query: DeserializeOwned + Send;

    /// Where it is, and what it needs.
    const ROUTE: Route;

    /// Shows it.
    fn show(
        visit: &Visit,
        path: Self::Path,
        query: Self::Query,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send;
}

/// A page with a form that is sent to the same path.
pub trait Form: Sized + Send + Sync + 'static {
    /// What the path names.
    type Path: Segments;

    /// Where it is, and what it needs.
    const ROUTE: Route;
    /// The fields that hold something secret, and never come back.
    const SECRET: &'static [&'static str] = &[];
    /// The fields that an address may fill in. No others: a stranger's link would fill in a form that
    /// an operator sends as their own.
    const FROM_QUERY: &'static [&'static str] = &[];

    /// Shows the form: empty, with what the query fills in, or as it was typed with what is wrong.
    fn show(
        visit: &Visit,
        path: &Self::Path,
        typed: &Typed,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send;

    /// Does what the form asks for. After an error about its fields it is shown again.
    fn submit(
        visit: &Visit,
        path: &Self::Path,
        typed: &Typed,
    ) -> impl Future<Output = Result<Done, Error>> + Send;
}

/// What a form came to.
pub enum Done {
    /// On to another page of the console, which says what happened on top.
    Go(String, Notice),
    /// The same, with another secret for the browser (C098).
    GoAs(BrowserSecret, String, Notice),
    /// A page that is itself the answer: it shows something once (M115), or changed nothing.
    Answer(Response<Body>),
}

/// A page or form, whichever it is.
#[async_trait]
pub trait Leaf: Send + Sync {
    /// Where it is, and what it needs.
    fn route(&self) -> Route;

    /// The fields that never come back.
    fn secret(&self) -> &'static [&'static str];

    /// The fields that the query may fill in; of a page, it is a filter.
    fn query_fields(&self) -> Option<&'static [&'static str]>;

    /// Answers a GET. `typed` is what the query says.
    async fn get(
        &self,
        visit: &Visit,
        names: &[String],
        typed: &Typed,
    ) -> Result<Response<Body>, Error>;

    /// Answers a POST.
    async fn post(&self, visit: &Visit, names: &[String], typed: &Typed) -> Result<Done, Error>;
}

/// The leaf of a page.
pub struct PageLeaf<P>(PhantomData<fn() -> P>);

impl<P: Page> PageLeaf<P> {
    /// The leaf of this page.
    pub fn boxed() -> Box<dyn Leaf> {
        Box::new(Self(PhantomData))
    }
}

#[async_trait]
impl<P: Page> Leaf for PageLeaf<P> {
    fn route(&self) -> Route {
        P::ROUTE
    }

    fn secret(&self) -> &'static [&'static str] {
        &[]
    }

    fn query_fields(&self) -> Option<&'static [&'static str]> {
        None
    }

    async fn get(
        &self,
        visit: &Visit,
        names: &[String],
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let path = P::Path::of_names(names).ok_or(Error::NothingHere)?;
        let query = typed.filter().ok_or(Error::Filter)?;
        P::show(visit, path, query).await
    }

    async fn post(&self, _: &Visit, _: &[String], _: &Typed) -> Result<Done, Error> {
        Err(Error::NothingHere)
    }
}

/// The leaf of a form.
pub struct FormLeaf<F>(PhantomData<fn() -> F>);

impl<F: Form> FormLeaf<F> {
    /// The leaf of this form.
    pub fn boxed() -> Box<dyn Leaf> {
        Box::new(Self(PhantomData))
    }
}

#[async_trait]
impl<F: Form> Leaf for FormLeaf<F> {
    fn route(&self) -> Route {
        F::ROUTE
    }

    fn secret(&self) -> &'static [&'static str] {
        F::SECRET
    }

    fn query_fields(&self) -> Option<&'static [&'static str]> {
        Some(F::FROM_QUERY)
    }

    async fn get(
        &self,
        visit: &Visit,
        names: &[String],
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let path = F::Path::of_names(names).ok_or(Error::NothingHere)?;
        F::show(visit, &path, typed).await
    }

    async fn post(&self, visit: &Visit, names: &[String], typed: &Typed) -> Result<Done, Error> {
        let path = F::Path::of_names(names).ok_or(Error::NothingHere)?;
        F::submit(visit, &path, typed).await
    }
}
