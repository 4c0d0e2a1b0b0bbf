//! What the templates show, as they show it: texts, all escaped by the templates.

use grantor::{
    registry::{Client, ScopeText},
    storage::{Registry, StoreError},
    types::{Description, Scope, ScopeToken},
};

use super::time::day;

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
    pub text: String,
    pub sensitive: bool,
}

impl ScopeView {
    pub fn of(name: &str, text: Option<&ScopeText>) -> Self {
        Self {
            name: name.to_owned(),
            text: text
                .and_then(|text| text.en.as_ref())
                .map_or(NO_TEXT, Description::as_str)
                .to_owned(),
            sensitive: text.is_some_and(|text| text.sensitive),
        }
    }

    /// Each scope with its text.
    pub async fn all(
        texts: &dyn Registry<ScopeText>,
        scope: &Scope,
    ) -> Result<Vec<Self>, StoreError> {
        let mut views = Vec::new();
        for name in scope.tokens() {
            let text = match ScopeToken::parse(name) {
                Ok(name) => texts.get(&name).await?,
                Err(_) => None,
            };
            views.push(Self::of(name, text.as_deref()));
        }
        Ok(views)
    }
}

const NO_TEXT: &str = "No description";

/// A record of a permission on a person's page.
pub struct RecordView {
    pub scopes: Vec<ScopeView>,
    pub when: &'static str,
    pub given: String,
    pub until: Option<String>,
    pub used: Option<String>,
}

/// When a client may act.
pub fn when(acts_when_absent: bool) -> &'static str {
    if acts_when_absent {
        "At any time, also when you are not here, until you withdraw it."
    } else {
        "Only while you use it."
    }
}
