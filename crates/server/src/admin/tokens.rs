//! The operation of tokens that are stored.

use grantor::{
    admin::{Error, Fault, IssuedTokens, TokenDocument, TokenFilter, TrustStores},
    types::{Name, SubjectId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Input, Listed, Operation, Route};

/// Lists what is stored of tokens.
pub struct ListTokens;

/// Which tokens are listed: those that are all of what is named, at least one of issuer, trust and
/// subject.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenQuery {
    /// Those given for JWTs of this issuer, by `iss` or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Those given by this trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Name>,
    /// Those about this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// Most tokens: 100 if left out, 10,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: Option<u32>,
}

impl TokenQuery {
    /// Tokens that are listed where nothing is said.
    pub const USUAL: u32 = 100;
    /// Most tokens that are listed.
    pub const MOST: u32 = 10_000;

    fn filter(self) -> Result<(TokenFilter, u32), Error> {
        let mut filter = TokenFilter::default();
        let limit = self.limit.unwrap_or(Self::USUAL);
        (filter.issuer, filter.trust, filter.subject) = (self.issuer, self.trust, self.subject);
        if filter.issuer.is_none() && filter.trust.is_none() && filter.subject.is_none() {
            return Err(Fault::of_all("name an issuer, a trust or a subject").into());
        }
        match (1..=Self::MOST).contains(&limit) {
            true => Ok((filter, limit)),
            false => Err(Fault::new("limit", "is not between 1 and 10000").into()),
        }
    }
}

impl Operation for ListTokens {
    type Path = ();
    type Query = TokenQuery;
    type Body = ();
    type Answer = Listed<TokenDocument>;

    const ROUTE: Route = Route::get(
        "/tokens",
        "list_tokens",
        "List what is stored of tokens, the newest first; of access tokens that are JWTs nothing is",
    )
    .long()
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (filter, limit) = input.query.filter()?;
        let stores = TrustStores::of(admin.gate());
        let (artifacts, terms) = (&*admin.store.artifacts, admin.terms());
        let tokens = IssuedTokens::new(artifacts, stores, terms, admin.now());
        let items = tokens.list(&filter, limit).await?;
        Ok(Listed { items, next: None }.into())
    }
}
