//! What the templates show, as they show it: texts, all escaped by the templates.

use grantor::{
    registry::{Client, ScopeText},
    storage::{Registry, StoreError},
    types::{Scope, ScopeToken},
};

use super::{Language, Markup, time::day};

/// A client on a page. Its id is always beside its name (C003).
pub struct ClientView {
    pub name: String,
    pub id: String,
    pub since: String,
    pub description: Option<String>,
    pub homepage: Option<String>,
}

impl ClientView {
    pub fn of(client: &Client) -> Self {
        let metadata = client.metadata();
        Self {
            name: metadata.shown_name().to_owned(),
            id: metadata.id.to_string(),
            since: day(metadata.created_at),
            description: metadata.description.as_ref().map(ToString::to_string),
            homepage: metadata.homepage.as_ref().map(ToString::to_string),
        }
    }
}

/// A scope on a page: what it means, and its name.
pub struct ScopeView {
    pub name: String,
    /// What somebody wrote about it, in the language of the page.
    pub text: Option<String>,
    pub sensitive: bool,
}

impl ScopeView {
    /// In this language; in the other one, where nobody wrote it in this.
    pub fn of(name: &str, text: Option<&ScopeText>, language: Language) -> Self {
        let written = text.and_then(|text| match language {
            Language::English => text.en.as_ref().or(text.fr.as_ref()),
            Language::French => text.fr.as_ref().or(text.en.as_ref()),
        });
        Self {
            name: name.to_owned(),
            text: written.map(ToString::to_string),
            sensitive: text.is_some_and(|text| text.sensitive),
        }
    }

    /// Each scope with its text.
    pub async fn all(
        texts: &dyn Registry<ScopeText>,
        scope: &Scope,
        language: Language,
    ) -> Result<Vec<Self>, StoreError> {
        let mut views = Vec::new();
        for name in scope.tokens() {
            let text = match ScopeToken::parse(name) {
                Ok(name) => texts.get(&name).await?,
                Err(_) => None,
            };
            views.push(Self::of(name, text.as_deref(), language));
        }
        Ok(views)
    }
}

/// A record of a permission on a person's page.
pub struct RecordView {
    pub scopes: Vec<ScopeView>,
    /// Whether the client may act while the person is not there.
    pub absent: bool,
    pub given: Markup,
    pub until: Option<String>,
    pub used: Option<String>,
}
