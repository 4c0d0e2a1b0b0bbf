//! How each kind of registration is written in a file: by what plans compare, and what exports
//! have.

use grantor_jose::json::{Object, Value};
use serde::Serialize;
use serde_json::json;

use super::{
    Kind,
    tables::{Table, Tables},
};
use crate::{
    admin::{
        ClientDocument, IssuerDocument, PermissionDocument, ScopeDocument, ServerTerms,
        SubjectDocument, TrustDocument, document::Document, time_text,
    },
    clock::UnixTime,
    registry::{
        Client, Permission, PermissionId, Resource, ResourceId as _, ScopeText, Subject, Trust,
        TrustedIssuer,
    },
    storage::{AnyChange, Change},
    types::{AuthMethod, Name, Needs},
};

/// The member that asks for a secret.
pub(super) const SECRET: &str = "secret";
/// Its value.
pub(super) const MAKE: &str = "make";

/// By what documents are written: the server, and the time that tells what has ended.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub terms: &'a ServerTerms,
    pub now: UnixTime,
}

/// A resource that files have.
pub(super) trait Filed: Resource {
    /// What it is read from.
    type Document: Document;

    const KIND: Kind;

    /// The members of its document that nobody writes.
    const READ_ONLY: &'static [&'static str];

    /// The members of its document that name it.
    const NAMED_BY: &'static [&'static str];

    /// The name in a document.
    fn name_of(document: &Self::Document) -> Self::Id;

    /// The name, in the members that name it.
    fn parts_of(name: &Self::Id) -> Vec<String> {
        vec![name.to_text()]
    }

    /// All that a file says of it, without what is null or an empty list.
    fn written(&self, context: &Context<'_>) -> Object;

    /// The same, managed so.
    #[must_use]
    fn managed(self, by: Option<Name>) -> Self;

    fn table(tables: &Tables) -> &Table<Self>;

    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;

    fn change(change: Change<Self>) -> AnyChange;
}

/// Where a kind of resource is kept among the tables of a plan.
macro_rules! kept_in {
    ($table:ident) => {
        fn table(tables: &Tables) -> &Table<Self> {
            &tables.$table
        }

        fn table_mut(tables: &mut Tables) -> &mut Table<Self> {
            &mut tables.$table
        }

        fn change(change: Change<Self>) -> AnyChange {
            change.into()
        }
    };
}

/// Whether a client of this method has a secret.
pub(super) fn has_secret(method: &AuthMethod) -> bool {
    method.needs().is_some_and(Needs::is_secret)
}

/// The members of a document that a file has.
fn members<R: Filed>(document: &impl Serialize) -> Object {
    let Ok(Value::Object(mut members)) = serde_json::to_value(document) else {
        return Object::new();
    };
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    members.retain(|name, value| !R::READ_ONLY.contains(&&**name) && !is_empty(value));
    members
}

impl Filed for Client {
    type Document = ClientDocument;

    const KIND: Kind = Kind::Client;
    const READ_ONLY: &'static [&'static str] = &["created_at", "secrets", "managed_by"];
    const NAMED_BY: &'static [&'static str] = &["client_id"];

    fn name_of(document: &ClientDocument) -> Self::Id {
        document.client_id.clone()
    }

    fn written(&self, context: &Context<'_>) -> Object {
        let document = ClientDocument::of(self, context.now);
        let mut members = members::<Self>(&document);
        if document.jwks.keys.is_empty() {
            members.remove("jwks");
        }
        let ends = document.ends();
        let end = |(name, end): (&String, &UnixTime)| json!({"name": name, "expires_at": time_text(*end)});
        match ends.is_empty() {
            true => drop(members.remove("keys")),
            false => drop(members.insert("keys".to_owned(), ends.iter().map(end).collect())),
        }
        if has_secret(&document.token_endpoint_auth_method) {
            members.insert(SECRET.to_owned(), MAKE.into());
        }
        members
    }

    fn managed(self, by: Option<Name>) -> Self {
        self.with_manager(by)
    }

    kept_in!(clients);
}

impl Filed for Subject {
    type Document = SubjectDocument;

    const KIND: Kind = Kind::Subject;
    const READ_ONLY: &'static [&'static str] = &["created_at", "managed_by"];
    const NAMED_BY: &'static [&'static str] = &["id"];

    fn name_of(document: &SubjectDocument) -> Self::Id {
        document.id.clone()
    }

    fn written(&self, _: &Context<'_>) -> Object {
        members::<Self>(&SubjectDocument::of(self))
    }

    fn managed(mut self, by: Option<Name>) -> Self {
        self.managed_by = by;
        self
    }

    kept_in!(subjects);
}

impl Filed for Permission {
    type Document = PermissionDocument;

    const KIND: Kind = Kind::Permission;
    const READ_ONLY: &'static [&'static str] =
        &["created_at", "last_used_at", "origin", "managed_by"];
    const NAMED_BY: &'static [&'static str] = &["client", "subject"];

    fn name_of(document: &PermissionDocument) -> Self::Id {
        PermissionId::by_operator(document.client.clone(), document.subject.clone())
    }

    fn parts_of(name: &PermissionId) -> Vec<String> {
        vec![name.client.to_string(), name.subject.to_string()]
    }

    fn written(&self, _: &Context<'_>) -> Object {
        members::<Self>(&PermissionDocument::of(self))
    }

    fn managed(mut self, by: Option<Name>) -> Self {
        self.managed_by = by;
        self
    }

    kept_in!(permissions);
}

impl Filed for ScopeText {
    type Document = ScopeDocument;

    const KIND: Kind = Kind::Scope;
    const READ_ONLY: &'static [&'static str] = &["managed_by"];
    const NAMED_BY: &'static [&'static str] = &["name"];

    fn name_of(document: &ScopeDocument) -> Self::Id {
        document.name.clone()
    }

    fn written(&self, _: &Context<'_>) -> Object {
        members::<Self>(&ScopeDocument::of(self))
    }

    fn managed(mut self, by: Option<Name>) -> Self {
        self.managed_by = by;
        self
    }

    kept_in!(scopes);
}

impl Filed for TrustedIssuer {
    type Document = IssuerDocument;

    const KIND: Kind = Kind::Issuer;
    const READ_ONLY: &'static [&'static str] = &[
        "created_at",
        "tokens_since",
        "shared_audiences",
        "managed_by",
    ];
    const NAMED_BY: &'static [&'static str] = &["iss"];

    fn name_of(document: &IssuerDocument) -> Self::Id {
        document.iss.clone()
    }

    fn written(&self, context: &Context<'_>) -> Object {
        let document = IssuerDocument::of(self, context.terms, context.now);
        let mut members = members::<Self>(&document);
        if let Some(Value::Object(keys)) = members.get_mut("keys") {
            let ended = document.keys.uploaded.iter().filter_map(|entry| {
                let end = time_text(entry.expires_at?);
                Some(json!({"name": entry.name, "expires_at": end}))
            });
            let ended: Vec<_> = ended.collect();
            match ended.is_empty() {
                true => drop(keys.remove("uploaded")),
                false => drop(keys.insert("uploaded".to_owned(), ended.into())),
            }
        }
        members
    }

    fn managed(mut self, by: Option<Name>) -> Self {
        self.managed_by = by;
        self
    }

    kept_in!(issuers);
}

impl Filed for Trust {
    type Document = TrustDocument;

    const KIND: Kind = Kind::Trust;
    const READ_ONLY: &'static [&'static str] = &["created_at", "managed_by"];
    const NAMED_BY: &'static [&'static str] = &["name"];

    fn name_of(document: &TrustDocument) -> Self::Id {
        document.name.clone()
    }

    fn written(&self, _: &Context<'_>) -> Object {
        members::<Self>(&TrustDocument::of(self))
    }

    fn managed(mut self, by: Option<Name>) -> Self {
        self.managed_by = by;
        self
    }

    kept_in!(trusts);
}
