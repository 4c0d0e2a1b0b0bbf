//! What is stored of tokens, for operators who list it: opaque access tokens, and families of refresh
//! tokens. Of JWTs nothing is.

use super::{access_token::OpaqueToken, refresh_family, token_id::TokenOrigin};
use crate::{
    clock::UnixTime,
    storage::{ArtifactKind, Artifacts, GroupId, StoreError},
    types::{ClientId, Scope, SubjectId},
};

/// What a stored token is. Complete: these are what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredKind {
    /// An opaque access token.
    AccessToken,
    /// All refresh tokens that follow from one authorization.
    RefreshFamily,
}

/// What is stored of a token. No token can be made of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredToken {
    /// What it is.
    pub kind: StoredKind,
    /// The client that has it.
    pub client: ClientId,
    /// Whom it is about.
    pub subject: SubjectId,
    /// What it allows.
    pub scope: Scope,
    /// The API that it is for; none of refresh tokens.
    pub audience: Option<String>,
    /// When it was issued, or the family began.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Where an opaque token is listed: with its trust, or else with its subject; nowhere, if it is about
/// its client.
pub(super) fn group_of(origin: &TokenOrigin) -> Option<GroupId> {
    let trust = origin.trust.map(group_of_trust);
    trust.or_else(|| origin.subject.map(group_of_subject))
}

fn group_of_trust(number: u64) -> GroupId {
    GroupId::of(&format!("access tokens of trust {number}"))
}

fn group_of_subject(number: u64) -> GroupId {
    GroupId::of(&format!("access tokens for {number}"))
}

/// The stored tokens of these artifacts, as they are at this time.
#[derive(Clone, Copy)]
pub struct StoredTokens<'a> {
    artifacts: &'a dyn Artifacts,
    now: UnixTime,
}

impl<'a> StoredTokens<'a> {
    /// Those of these artifacts, at this time.
    pub fn new(artifacts: &'a dyn Artifacts, now: UnixTime) -> Self {
        Self { artifacts, now }
    }

    /// The opaque tokens that the trust with this number
    /// ([`Revision::number`](crate::registry::Revision::number)) gave: at most `limit`, the newest
    /// first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn of_trust(&self, trust: u64, limit: u32) -> Result<Vec<StoredToken>, StoreError> {
        self.access_tokens(group_of_trust(trust), limit).await
    }

    /// As [`StoredTokens::of_trust`], of those for the registered subject with this number, by no
    /// trust.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn of_subject(
        &self,
        subject: u64,
        limit: u32,
    ) -> Result<Vec<StoredToken>, StoreError> {
        self.access_tokens(group_of_subject(subject), limit).await
    }

    /// The families of refresh tokens that a client has for a subject, by their numbers: at most
    /// `limit`, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn refresh_families(
        &self,
        client: u64,
        subject: u64,
        limit: u32,
    ) -> Result<Vec<StoredToken>, StoreError> {
        let group = refresh_family::group(client, subject);
        let kind = ArtifactKind::REFRESH;
        let found = self.artifacts.list(kind, &group, self.now, limit).await?;
        let families = found.into_iter();
        families
            .map(|(_, artifact)| refresh_family::stored(&artifact))
            .collect()
    }

    async fn access_tokens(
        &self,
        group: GroupId,
        limit: u32,
    ) -> Result<Vec<StoredToken>, StoreError> {
        let kind = ArtifactKind::ACCESS_TOKEN;
        let found = self.artifacts.list(kind, &group, self.now, limit).await?;
        let tokens = found.into_iter();
        tokens
            .map(|(_, artifact)| {
                let token: OpaqueToken = artifact.read()?;
                Ok(StoredToken {
                    kind: StoredKind::AccessToken,
                    client: token.client,
                    subject: token.subject,
                    scope: token.scope,
                    audience: Some(token.audience),
                    issued_at: token.issued_at,
                    expires_at: token.expires_at,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Artifact, ArtifactKey, MemoryStore, Put};

    #[tokio::test]
    async fn an_opaque_token_is_listed_with_its_trust_or_else_with_its_subject() {
        let (store, now) = (MemoryStore::new(), UnixTime::from_millis(0));
        let own = TokenOrigin::of_client(1);
        let of_subject = TokenOrigin {
            subject: Some(7),
            ..own
        };
        let of_trust = TokenOrigin {
            trust: Some(9),
            ..of_subject
        };
        for (text, origin) in [("own", own), ("subject", of_subject), ("trust", of_trust)] {
            let token = OpaqueToken {
                client: ClientId::parse("billing").expect("a name"),
                subject: SubjectId::parse(text).expect("a name"),
                scope: Scope::default(),
                audience: "https://api.example".to_owned(),
                issued_at: now,
                expires_at: UnixTime::from_millis(1000),
                auth_time: None,
                origin: Some(origin),
            };
            let artifact = Artifact::new(now, token.expires_at)
                .in_group(group_of(&origin))
                .holding(&token);
            let key = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, text);
            assert_eq!(store.put(key, artifact, 10).await.expect("put"), Put::Kept);
        }
        let subjects = |found: Vec<StoredToken>| -> Vec<String> {
            let found = found.into_iter();
            found.map(|token| token.subject.to_string()).collect()
        };
        let stored = StoredTokens::new(&store, now);
        let of_trust = async |number| subjects(stored.of_trust(number, 10).await.expect("a list"));
        let of_subject =
            async |number| subjects(stored.of_subject(number, 10).await.expect("a list"));
        assert_eq!(of_trust(9).await, ["trust"]);
        assert_eq!(of_subject(7).await, ["subject"]);
        assert!(of_trust(7).await.is_empty() && of_subject(9).await.is_empty());
        let later = StoredTokens::new(&store, UnixTime::from_millis(1000));
        assert!(later.of_trust(9, 10).await.expect("a list").is_empty());
    }
}
