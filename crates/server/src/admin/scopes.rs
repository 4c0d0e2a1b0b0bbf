//! Operations of the catalogue of scopes.

use grantor::{
    admin::{Document, Error, Fault, ScopeDocument, ScopeFilter},
    jose::json::Object,
    registry::ScopeText,
    storage::{Change, Registries as _},
    types::{Description, Name, ScopeToken},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Input, Listed, NoQuery, Operation, Route, content::bodies};

const SCOPE: &str = "/scopes/{name}";

bodies!(ScopeBody);

/// What is said of a scope.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeBody {
    /// The scope: as in the path, or left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ScopeToken>,
    /// What it allows, in English; null for no description.
    pub en: Option<Description>,
    /// The same in French.
    pub fr: Option<Description>,
    /// Whether it is marked, and granted for absent use only after a fresh authentication.
    pub sensitive: bool,
    /// Whether a person may leave it out.
    pub optional: bool,
    /// The name under which files say what it is: as it is, or left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl Document for ScopeBody {
    fn least() -> Object {
        Object::new()
    }
}

impl ScopeBody {
    fn document(self, name: ScopeToken) -> Result<ScopeDocument, Fault> {
        if self.name.is_some_and(|named| named != name) {
            return Err(Fault::new(
                "name",
                "is another one than in the path; leave it out",
            ));
        }
        let mut document = ScopeDocument::new(name);
        document.en = self.en;
        document.fr = self.fr;
        document.sensitive = self.sensitive;
        document.optional = self.optional;
        document.managed_by = self.managed_by;
        Ok(document)
    }
}

/// Lists scopes.
pub struct ListScopes;

impl Operation for ListScopes {
    type Path = ();
    type Query = ScopeFilter;
    type Body = ();
    type Answer = Listed<ScopeDocument>;

    const ROUTE: Route = Route::list(
        "/scopes",
        "list_scopes",
        "List the scopes that are described, by name",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let (scopes, after) = (admin.scopes(), portion.cursor());
        let page = scopes.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

/// Shows what is said of a scope.
pub struct ShowScope;

impl Operation for ShowScope {
    type Path = ScopeToken;
    type Query = NoQuery;
    type Body = ();
    type Answer = ScopeDocument;

    const ROUTE: Route = Route::get(SCOPE, "show_scope", "Show what is said of a scope");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let scope = admin.scopes().get(&input.path).await?;
        let revision = scope.revision;
        Ok(Answered::at(scope, revision))
    }
}

/// Says what a scope means.
pub struct PutScope;

impl Operation for PutScope {
    type Path = ScopeToken;
    type Query = NoQuery;
    type Body = ScopeBody;
    type Answer = ScopeDocument;

    const ROUTE: Route = Route::put(
        SCOPE,
        "put_scope",
        "Say what a scope means to people who are asked for it, in the place of what was said",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let document = input.body.document(input.path)?;
        let scope = admin.scopes().set(&document, admin.actor()).await?;
        let revision = scope.revision;
        Ok(Answered::at(scope, revision))
    }
}

/// Takes away what is said of a scope.
pub struct DeleteScope;

impl Operation for DeleteScope {
    type Path = ScopeToken;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        SCOPE,
        "delete_scope",
        "Take the description of a scope away, if no client may get the scope any more",
    )
    .long();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (scopes, gate) = (admin.scopes(), admin.gate());
        // Whoever may not delete it is told so, whether clients may get it or not.
        let deleted = Change::<ScopeText>::Delete(input.path.clone(), None);
        gate.may_apply(vec![deleted.into()]).await?;
        let clients = gate.clients();
        scopes.delete(&input.path, clients, admin.actor()).await?;
        Ok(().into())
    }
}
