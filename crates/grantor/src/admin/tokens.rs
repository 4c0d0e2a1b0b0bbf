//! What operators see of tokens that are stored: opaque access tokens, and families of refresh
//! tokens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Issuers, Named, ServerTerms, TrustStores, document::time};
use crate::{
    clock::UnixTime,
    registry::{Mode, Trust, TrustedIssuer},
    server::{StoredKind, StoredToken, StoredTokens},
    storage::Artifacts,
    types::{ClientId, Name, Scope, SubjectId},
};

/// What a stored token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenKind {
    /// An opaque access token.
    AccessToken,
    /// All refresh tokens that follow from one authorization.
    RefreshTokens,
}

/// What is stored of a token. No token can be made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenDocument {
    /// What it is.
    pub kind: TokenKind,
    /// The client that has it.
    pub client: ClientId,
    /// Whom it is about.
    pub subject: SubjectId,
    /// What it allows.
    pub scope: Scope,
    /// The API that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The trust that gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Name>,
    /// Whether its trust and issuer let it be used now. Its client and its subject are not asked.
    pub in_force: bool,
    /// When it was issued, or the family began (RFC 3339).
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub issued_at: Option<UnixTime>,
    /// When it ends (RFC 3339).
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
}

/// Which tokens are asked for: those that are all of what is set here, at least one of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenFilter {
    /// Those given for JWTs of this issuer: its `iss` or its name.
    pub issuer: Option<String>,
    /// Those given by this trust.
    pub trust: Option<Name>,
    /// Those about this subject.
    pub subject: Option<SubjectId>,
}

/// The tokens of a server.
#[derive(Clone, Copy)]
pub struct IssuedTokens<'a> {
    artifacts: &'a dyn Artifacts,
    stores: TrustStores<'a>,
    terms: &'a ServerTerms,
    now: UnixTime,
}

impl<'a> IssuedTokens<'a> {
    /// Those of these artifacts and registries, at this time.
    pub fn new(
        artifacts: &'a dyn Artifacts,
        stores: TrustStores<'a>,
        terms: &'a ServerTerms,
        now: UnixTime,
    ) -> Self {
        Self {
            artifacts,
            stores,
            terms,
            now,
        }
    }

    /// At most `limit` tokens, the newest first. Of JWTs nothing is stored, nor is listed what
    /// clients have for themselves.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the issuer or the trust, [`Error::Store`]
    pub async fn list(
        &self,
        filter: &TokenFilter,
        limit: u32,
    ) -> Result<Vec<TokenDocument>, Error> {
        let mut found = self.of_trusts(filter, limit).await?;
        if let (Some(subject), None, None) = (&filter.subject, &filter.issuer, &filter.trust) {
            found.extend(self.of_subject(subject, limit).await?);
        }
        found.sort_by_key(|token| std::cmp::Reverse(token.issued_at));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn of_trusts(
        &self,
        filter: &TokenFilter,
        limit: u32,
    ) -> Result<Vec<TokenDocument>, Error> {
        let issuers = Issuers::new(self.stores, self.terms, self.now);
        let issuer = match &filter.issuer {
            Some(reference) => Some(issuers.find(reference).await?),
            None => None,
        };
        let trusts = match &filter.trust {
            Some(name) => {
                let trust = self.stores.trusts.get(name).await?;
                vec![trust.ok_or_else(|| Error::NotFound(Named::Trust(name.clone())))?]
            }
            None => self.stores.trusts.all().await?,
        };
        let stored = StoredTokens::new(self.artifacts, self.now);
        let is_wanted = |trust: &&Arc<Trust>| {
            let issuer = issuer.as_ref();
            issuer.is_none_or(|issuer| issuer.id == trust.issuer)
        };
        let mut found = Vec::new();
        for trust in trusts.iter().filter(is_wanted) {
            let tokens = stored.of_trust(trust.revision.number, limit).await?;
            if tokens.is_empty() {
                continue;
            }
            let issuer = self.stores.issuers.get(&trust.issuer).await?;
            let subject = filter.subject.as_ref();
            let tokens = tokens
                .into_iter()
                .filter(|token| subject.is_none_or(|subject| *subject == token.subject));
            found.extend(tokens.map(|token| {
                let in_force = issuer
                    .as_deref()
                    .is_some_and(|issuer| is_in_force(&token, trust, issuer));
                document(token, Some(trust.name.clone()), in_force)
            }));
        }
        Ok(found)
    }

    /// What is stored for a registered subject, but by no trust.
    async fn of_subject(
        &self,
        subject: &SubjectId,
        limit: u32,
    ) -> Result<Vec<TokenDocument>, Error> {
        let Some(subject) = self.stores.subjects.get(subject).await? else {
            return Ok(Vec::new());
        };
        let stored = StoredTokens::new(self.artifacts, self.now);
        let number = subject.revision.number;
        let mut found = stored.of_subject(number, limit).await?;
        for client in self.stores.clients.all().await? {
            let client = client.revision().number;
            found.extend(stored.refresh_families(client, number, limit).await?);
        }
        let found = found.into_iter();
        Ok(found.map(|token| document(token, None, true)).collect())
    }
}

/// Whether a token of this trust is in force, as introspection has it.
fn is_in_force(token: &StoredToken, trust: &Trust, issuer: &TrustedIssuer) -> bool {
    trust.mode == Mode::On && issuer.upholds_tokens_of(token.issued_at.seconds())
}

fn document(token: StoredToken, trust: Option<Name>, in_force: bool) -> TokenDocument {
    TokenDocument {
        kind: match token.kind {
            StoredKind::AccessToken => TokenKind::AccessToken,
            StoredKind::RefreshFamily => TokenKind::RefreshTokens,
        },
        client: token.client,
        subject: token.subject,
        scope: token.scope,
        audience: token.audience,
        trust,
        in_force,
        issued_at: Some(token.issued_at),
        expires_at: Some(token.expires_at),
    }
}
