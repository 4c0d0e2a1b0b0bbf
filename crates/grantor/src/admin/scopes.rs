//! What operators do with the catalogue of scopes.

use grantor_jose::json::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Conflict, Error, Named, document::Document, error::none_of, manager::fault_of_manager,
};
use crate::{
    registry::{Actor, Client, ClientFilter, Revision, ScopeFilter, ScopeText},
    storage::{Cursor, Page, Registry, StoreError},
    types::{ClientId, Description, Name, Scope, ScopeToken},
};

/// What people are shown of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScopeDocument {
    /// The scope.
    pub name: ScopeToken,
    /// What it allows, in English; null for no description.
    #[serde(default)]
    pub en: Option<Description>,
    /// The same in French.
    #[serde(default)]
    pub fr: Option<Description>,
    /// Whether it is marked, and granted for absent use only after a fresh authentication.
    #[serde(default)]
    pub sensitive: bool,
    /// Whether a person may leave it out.
    #[serde(default)]
    pub optional: bool,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

impl Document for ScopeDocument {
    fn least() -> Object {
        Object::from_iter([("name".to_owned(), json!("x"))])
    }
}

impl ScopeDocument {
    /// A scope without a description.
    pub fn new(name: ScopeToken) -> Self {
        Self::of(&ScopeText::new(name))
    }

    /// What is registered of this scope.
    pub fn of(text: &ScopeText) -> Self {
        Self {
            name: text.name.clone(),
            en: text.en.clone(),
            fr: text.fr.clone(),
            sensitive: text.sensitive,
            optional: text.optional,
            managed_by: text.managed_by.clone(),
            revision: text.revision,
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// The text in the place of this one. Its manager stays.
    fn successor_of(&self, before: &ScopeText) -> Result<ScopeText, Error> {
        let mut text = self.text(before.revision);
        text.managed_by = text.managed_by.or_else(|| before.managed_by.clone());
        let fault = fault_of_manager(&text.managed_by, &before.managed_by);
        none_of(Vec::from_iter(fault)).map(|()| text)
    }

    /// The text that it registers.
    pub(super) fn text(&self, revision: Revision) -> ScopeText {
        ScopeText {
            name: self.name.clone(),
            en: self.en.clone(),
            fr: self.fr.clone(),
            sensitive: self.sensitive,
            optional: self.optional,
            managed_by: self.managed_by.clone(),
            revision,
        }
    }
}

/// The catalogue of scopes of a registry.
#[derive(Clone, Copy)]
pub struct Scopes<'a> {
    registry: &'a dyn Registry<ScopeText>,
}

impl<'a> Scopes<'a> {
    /// That of this registry.
    pub fn new(registry: &'a dyn Registry<ScopeText>) -> Self {
        Self { registry }
    }

    /// At most `limit` scopes in the order of their names.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &ScopeFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<ScopeDocument>, Error> {
        let page = self.registry.page(filter, after, limit).await?;
        Ok(page.map(|text| ScopeDocument::of(&text)))
    }

    /// One scope.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, name: &ScopeToken) -> Result<ScopeDocument, Error> {
        let found = self.registry.get(name).await?;
        found
            .map(|text| ScopeDocument::of(&text))
            .ok_or_else(|| Error::NotFound(Named::Scope(name.clone())))
    }

    /// Puts a scope into the catalogue, in the place of what is there under its name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another manager than it has, [`Error::Conflict`], [`Error::Store`]
    pub async fn set(&self, document: &ScopeDocument, by: &Actor) -> Result<ScopeDocument, Error> {
        let replaced = self
            .registry
            .change(&document.name, by, |text: &ScopeText| {
                document.successor_of(text)
            });
        let set = match replaced.await {
            Err(Error::Store(StoreError::Missing(_))) => {
                none_of(Vec::from_iter(fault_of_manager(
                    &document.managed_by,
                    &None,
                )))?;
                let new = document.text(Revision::default());
                self.registry.create(new, by).await.map_err(Error::from)
            }
            replaced => replaced,
        };
        let set = set.map_err(|error| error.about(Named::Scope(document.name.clone())))?;
        Ok(ScopeDocument::of(&set))
    }

    /// Takes a scope out of the catalogue, if none of these clients may get it any more: people
    /// would be asked for it by its bare name, and nothing of it would be marked.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], [`Error::Store`]
    pub async fn delete(
        &self,
        name: &ScopeToken,
        clients: &dyn Registry<Client>,
        by: &Actor,
    ) -> Result<(), Error> {
        self.get(name).await?;
        if let Some(client) = first_with(clients, name).await? {
            let conflict = Conflict::ScopeInUse(name.clone(), client);
            return Err(Error::Conflict(conflict));
        }
        let deleted = self.registry.delete(name, by).await;
        deleted.map_err(|error| Error::from(error).about(Named::Scope(name.clone())))
    }

    /// Those tokens of a scope that people would be shown without a description.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn undescribed(&self, scope: &Scope) -> Result<Vec<ScopeToken>, Error> {
        let mut undescribed = Vec::new();
        for token in scope.tokens().filter_map(|one| ScopeToken::parse(one).ok()) {
            let found = self.registry.get(&token).await?;
            if found.is_none_or(|text| text.en.is_none() && text.fr.is_none()) {
                undescribed.push(token);
            }
        }
        Ok(undescribed)
    }

    /// Those tokens of a scope that are sensitive: no consent to them is implied.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn sensitive(&self, scope: &Scope) -> Result<Vec<ScopeToken>, Error> {
        let mut sensitive = Vec::new();
        for token in scope.tokens().filter_map(|one| ScopeToken::parse(one).ok()) {
            if self
                .registry
                .get(&token)
                .await?
                .is_some_and(|text| text.sensitive)
            {
                sensitive.push(token);
            }
        }
        Ok(sensitive)
    }
}

/// The first client that may get this scope, if there is one.
async fn first_with(
    clients: &dyn Registry<Client>,
    scope: &ScopeToken,
) -> Result<Option<ClientId>, Error> {
    let with_it = ClientFilter {
        scope: Some(scope.clone()),
        ..ClientFilter::default()
    };
    let mut after = None;
    loop {
        let page = clients.page(&with_it, after.as_ref(), 1).await?;
        if let Some(client) = page.items.first() {
            return Ok(Some(client.id().clone()));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        registry::ClientMetadata,
        storage::{MemoryStore, Registries as _},
        types::AuthMethod,
    };

    fn token(name: &str) -> ScopeToken {
        ScopeToken::parse(name).expect("a scope token")
    }

    fn read(text: &str) -> Result<ScopeDocument, Error> {
        ScopeDocument::parse(text.as_bytes())
    }

    #[tokio::test]
    async fn c005_a_scope_is_described_described_anew_and_taken_out() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let scopes = Scopes::new(store.scopes());
        let text = r#"{"name":"invoices:read","en":"Read your invoices","fr":null,"sensitive":true,"optional":false}"#;
        let document = read(text).expect("a document");
        assert_eq!(serde_json::to_string(&document).expect("JSON"), text);
        let set = scopes.set(&document, &by).await.expect("set");
        assert_eq!(json!(set), json!(document));
        let plain = ScopeDocument::new(token("invoices:read"));
        let set = scopes.set(&plain, &by).await.expect("set anew");
        assert_eq!(json!(set), json!(plain));
        assert_eq!(scopes.get(&plain.name).await.expect("there"), set);
        let page = scopes
            .page(&ScopeFilter::default(), None, 50)
            .await
            .expect("a page");
        assert_eq!(page.items, [set]);
        let delete = async || scopes.delete(&plain.name, store.clients(), &by).await;
        // As long as a client may get it, and no longer.
        let client = |scope: &str| {
            let id = ClientId::parse("billing").expect("a client id");
            let at = UnixTime::from_millis(0);
            let mut metadata = ClientMetadata::new(id, AuthMethod::NONE, at);
            metadata.scope = Scope::parse(scope).expect("a scope");
            Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
        };
        let with_it = client("other invoices:read");
        let made = store.clients().create(with_it, &by).await.expect("made");
        let in_use = delete().await.expect_err("a client has it");
        assert!(matches!(in_use, Error::Conflict(Conflict::ScopeInUse(..))));
        scopes.get(&plain.name).await.expect("it stays");
        let without = client("other invoices:read-all").with_revision(made.revision());
        store
            .clients()
            .replace(without, &by)
            .await
            .expect("changed");
        delete().await.expect("taken out");
        for error in [
            scopes.get(&plain.name).await.expect_err("taken out"),
            delete().await.expect_err("taken out"),
        ] {
            assert_eq!(
                error.to_string(),
                "scope invoices:read is not in the catalogue"
            );
        }
    }

    #[tokio::test]
    async fn c005_c037_what_is_undescribed_or_sensitive_is_named() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let scopes = Scopes::new(store.scopes());
        for text in [
            r#"{"name":"a","en":"Do a"}"#,
            r#"{"name":"b","sensitive":true}"#,
            r#"{"name":"c","fr":"Faire c","sensitive":true}"#,
        ] {
            let document = read(text).expect("a document");
            scopes.set(&document, &by).await.expect("set");
        }
        let scope = Scope::parse("a b c d").expect("a scope");
        let undescribed = scopes.undescribed(&scope).await.expect("read");
        assert_eq!(undescribed, [token("b"), token("d")]);
        let sensitive = scopes.sensitive(&scope).await.expect("read");
        assert_eq!(sensitive, [token("b"), token("c")]);
    }

    #[test]
    fn c005_what_is_wrong_in_a_document_is_named() {
        for (text, pointer) in [
            (r#"{"en":"Do a"}"#, "/name"),
            (r#"{"name":"a b"}"#, "/name"),
            (r#"{"name":"a","en":""}"#, "/en"),
            (r#"{"name":"a","fr":"x\u202ey"}"#, "/fr"),
            (r#"{"name":"a","sensitive":"yes"}"#, "/sensitive"),
            (r#"{"name":"a","de":"x"}"#, "/de"),
        ] {
            let Err(Error::Invalid(faults)) = read(text) else {
                panic!("{text}")
            };
            assert_eq!(faults[0].pointer, pointer, "{text}");
        }
    }
}
