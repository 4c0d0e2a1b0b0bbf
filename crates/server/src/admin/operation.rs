//! One thing that operators do, whichever way they come. An operation says once where it is below
//! `/admin/v1`, what it needs, takes and answers, and does it. The router, the OpenAPI document,
//! remote commands and local ones are made from it.

use std::future::Future;

use grantor::{
    admin::Error,
    registry::{Revision, Role},
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::{Administration, Content, Parameters, Segments, path_of};

/// What operators do.
pub trait Operation: Sized + Send + Sync + 'static {
    /// What the path names.
    type Path: Segments;
    /// What the query says.
    type Query: Parameters;
    /// What the body holds.
    type Body: Content;
    /// What is answered.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Where it is, and what it needs.
    const ROUTE: Route;

    /// Does it, as far as the actor may.
    fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> impl Future<Output = Result<Answered<Self::Answer>, Error>> + Send;
}

/// What an operation is asked for.
#[derive(Debug)]
pub struct Input<O: Operation> {
    /// What the path names.
    pub path: O::Path,
    /// What the query says, apart from what is here.
    pub query: O::Query,
    /// Which part of a list.
    pub portion: Portion,
    /// What the body holds.
    pub body: O::Body,
}

impl<O: Operation> Input<O>
where
    O::Query: Default,
    O::Body: Default,
{
    /// Names the resource, and says nothing more.
    pub fn at(path: O::Path) -> Self {
        Self {
            path,
            query: O::Query::default(),
            portion: Portion::default(),
            body: O::Body::default(),
        }
    }
}

impl<O: Operation> Input<O> {
    /// The same with this query.
    #[must_use]
    pub fn asking(self, query: O::Query) -> Self {
        Self { query, ..self }
    }

    /// With a body.
    pub fn with(path: O::Path, body: O::Body) -> Self
    where
        O::Query: Default,
    {
        Self {
            path,
            query: O::Query::default(),
            portion: Portion::default(),
            body,
        }
    }
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Behind this cursor.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Of records: so that this many are left, where it is behind no cursor and before none.
    pub last: Option<u32>,
    /// Of records: before this cursor, where it is behind none.
    pub before: Option<String>,
}

impl Portion {
    /// Most that is answered at once.
    pub const MOST: u32 = 200;
    /// As much as is answered where nothing is said.
    pub const USUAL: u32 = 50;
}

impl Default for Portion {
    fn default() -> Self {
        Self {
            after: None,
            limit: Self::USUAL,
            last: None,
            before: None,
        }
    }
}

/// What an operation came to.
#[derive(Debug)]
pub struct Answered<T> {
    /// The document.
    pub document: T,
    /// The state of the resource, for its `ETag`.
    pub revision: Option<Revision>,
    /// Where the resource is below `/admin/v1`, if the request was not there.
    pub place: Option<String>,
}

impl<T> Answered<T> {
    /// About a resource in this state.
    pub fn at(document: T, revision: Revision) -> Self {
        Self {
            document,
            revision: Some(revision),
            place: None,
        }
    }

    /// About a resource that is there: a path template, and what stands in its braces.
    #[must_use]
    pub fn placed(self, template: &str, names: &[String]) -> Self {
        Self {
            place: Some(path_of(template, names)),
            ..self
        }
    }
}

/// About no resource of which there are states.
impl<T> From<T> for Answered<T> {
    fn from(document: T) -> Self {
        Self {
            document,
            revision: None,
            place: None,
        }
    }
}

/// The method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Verb {
    /// As HTTP has it.
    pub fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Where an operation is, and what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path below `/admin/v1`; names in braces stand for segments.
    pub path: &'static str,
    /// The least role.
    pub needs: Role,
    /// What it does, for people.
    pub summary: &'static str,
    /// What it is named in the OpenAPI document.
    pub id: &'static str,
    /// The status when it is done.
    pub success: StatusCode,
    /// Whether it answers in portions.
    pub is_list: bool,
    /// Whether these are records, which may be read from the end.
    pub is_record: bool,
    /// Whether it changes what is registered.
    pub is_change: bool,
    /// Whether what it changes has a state, which `If-Match` may name.
    pub has_state: bool,
    /// Whether it takes so long that tokens would wait for it.
    pub is_long: bool,
    /// Whether it is so much work that a caller may ask for it some times in a minute only.
    pub is_much_work: bool,
}

impl Route {
    const fn new(
        verb: Verb,
        path: &'static str,
        needs: Role,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            verb,
            path,
            needs,
            summary,
            id,
            success: StatusCode::OK,
            is_list: false,
            is_record: false,
            is_change: true,
            has_state: false,
            is_long: false,
            is_much_work: false,
        }
    }

    /// Shows something.
    pub const fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            is_change: false,
            ..Self::new(Verb::Get, path, Role::Reader, id, summary)
        }
    }

    /// Shows many, in portions.
    pub const fn list(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            is_list: true,
            ..Self::get(path, id, summary)
        }
    }

    /// Shows records, in portions.
    pub const fn records(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            is_record: true,
            ..Self::list(path, id, summary)
        }
    }

    /// Looks at what is sent, and changes nothing.
    pub const fn try_out(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            is_change: false,
            ..Self::new(Verb::Post, path, Role::Reader, id, summary)
        }
    }

    /// Makes something.
    pub const fn create(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            success: StatusCode::CREATED,
            ..Self::new(Verb::Post, path, Role::Editor, id, summary)
        }
    }

    /// Does something to a resource.
    pub const fn act(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Verb::Post, path, Role::Editor, id, summary)
    }

    /// Puts something in the place of what is there.
    pub const fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Verb::Put, path, Role::Editor, id, summary).of_state()
    }

    /// Changes members.
    pub const fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Verb::Patch, path, Role::Editor, id, summary).of_state()
    }

    /// Removes something.
    pub const fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Verb::Delete, path, Role::Editor, id, summary).of_state()
    }

    /// Changes what has a state.
    #[must_use]
    pub const fn of_state(self) -> Self {
        Self {
            has_state: true,
            ..self
        }
    }

    /// Changes what has none.
    #[must_use]
    pub const fn without_state(self) -> Self {
        Self {
            has_state: false,
            ..self
        }
    }

    /// Takes its time.
    #[must_use]
    pub const fn long(self) -> Self {
        Self {
            is_long: true,
            ..self
        }
    }

    /// For some times in a minute only.
    #[must_use]
    pub const fn sparingly(self) -> Self {
        Self {
            is_much_work: true,
            ..self
        }
    }

    /// For owners only.
    #[must_use]
    pub const fn for_owners(self) -> Self {
        Self {
            needs: Role::Owner,
            ..self
        }
    }
}
