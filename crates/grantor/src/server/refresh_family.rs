//! Refresh tokens (RFC 6749 §1.5): the record of an authorization, and the tokens that stand for it
//! one after the other (RFC 9700 §4.14.2).
//!
//! A token is family ‖ counter ‖ tag. So the store holds nothing that one could be made of, and a
//! successor is the same whoever asks for it how often.

use std::time::Duration;

use grantor_jose::{base64url_decode, base64url_encode, crypto::constant_time_eq};
use serde::{Deserialize, Serialize};

use super::{
    Context, IssueError, RefreshToken, SealKind, Seals, StoredKind, StoredToken, TokenFamily,
};
use crate::{
    clock::UnixTime,
    registry::{Client, PermissionNumbers},
    storage::{Artifact, ArtifactKey, ArtifactKind, Ending, GroupId, Put, Spared, StoreError},
    types::{AuthMethod, ClientId, Scope, SubjectId},
};

/// How many families a client may have for a subject: of more, those that began first end.
const MOST_OF_A_PAIR: u32 = 50;
/// How long any access token may live.
const LONGEST_ACCESS: Duration = Duration::from_secs(86_400);

/// Which token of its family a text is. Holding one is the proof that this server made the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) family: TokenFamily,
    counter: u32,
}

impl Place {
    /// The place of this text, if it is a refresh token of this server at all.
    pub(super) fn of(seals: &Seals, text: &str) -> Option<Self> {
        let octets = base64url_decode(text)?;
        let (family, rest) = octets.split_first_chunk()?;
        let (counter, tag) = rest.split_first_chunk()?;
        let place = Self {
            family: TokenFamily::from_bytes(*family),
            counter: u32::from_be_bytes(*counter),
        };
        constant_time_eq(&place.tag(seals), tag).then_some(place)
    }

    fn token(&self, seals: &Seals) -> RefreshToken {
        RefreshToken::new(base64url_encode(
            [&self.octets()[..], &self.tag(seals)].concat(),
        ))
    }

    fn tag(&self, seals: &Seals) -> [u8; 32] {
        seals.tag(SealKind::REFRESH_TOKEN, &self.octets())
    }

    fn octets(&self) -> [u8; 20] {
        let mut octets = [0; 20];
        octets[..16].copy_from_slice(self.family.as_bytes());
        octets[16..].copy_from_slice(&self.counter.to_be_bytes());
        octets
    }
}

/// What a family's tokens stand for, which does not change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Terms {
    /// The client, and which registration of that name.
    pub(super) client: (ClientId, u64),
    /// How it authenticated. Tokens that only a client with a key could use stay so.
    pub(super) method: AuthMethod,
    /// The person, and which registration of that name.
    pub(super) subject: (SubjectId, u64),
    pub(super) scope: Scope,
    pub(super) resource: Option<String>,
    /// When the person signed in.
    pub(super) auth_time: UnixTime,
    /// The permissions that let the client act when the person is not there.
    pub(super) records: PermissionNumbers,
    pub(super) began_at: UnixTime,
}

impl Terms {
    pub(super) fn are_of(&self, client: &Client) -> bool {
        let (id, number) = &self.client;
        id == client.id() && *number == client.revision().number
    }

    fn group(&self) -> GroupId {
        group(self.client.1, self.subject.1)
    }
}

/// What is kept of a family: a stored format.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Document {
    terms: Terms,
    /// Which token is the one to use next.
    counter: u32,
    /// Since when.
    since: UnixTime,
}

/// What a client and a subject, by their numbers, have together.
pub(super) fn group(client: u64, subject: u64) -> GroupId {
    GroupId::of(&format!("refresh tokens of {client} for {subject}"))
}

/// What is stored of a family, as operators see it.
///
/// # Errors
/// [`StoreError::Failed`] if the artifact is no family.
pub(super) fn stored(kept: &Artifact) -> Result<StoredToken, StoreError> {
    let Document { terms, .. } = kept.read()?;
    Ok(StoredToken {
        kind: StoredKind::RefreshFamily,
        client: terms.client.0,
        subject: terms.subject.0,
        scope: terms.scope,
        audience: None,
        issued_at: kept.created_at,
        expires_at: kept.expires_at,
    })
}

/// How a token stands to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is to be used next.
    Current,
    /// It was used, its successor was not: whoever has lost the answer gets that again.
    Repeatable,
    /// It was used, and so was its successor; or it comes too late.
    Reused,
}

/// A family that is there.
#[derive(Debug)]
pub(super) struct RefreshFamily {
    family: TokenFamily,
    kept: Artifact,
    document: Document,
}

fn key(family: TokenFamily) -> ArtifactKey {
    ArtifactKey::of(ArtifactKind::REFRESH, &family.to_string())
}

impl RefreshFamily {
    /// Begins a family, and answers its first token.
    ///
    /// # Errors
    /// [`IssueError::OverQuota`] if the client has as many as it may have.
    pub(super) async fn begin(
        context: &Context,
        family: TokenFamily,
        terms: Terms,
    ) -> Result<RefreshToken, IssueError> {
        let (artifacts, quota) = (context.artifacts(), context.token_quota());
        let (now, owner, group) = (terms.began_at, terms.client.1, terms.group());
        let document = Document {
            terms,
            counter: 0,
            since: now,
        };
        let kept = Artifact::new(now, document.end(context))
            .owned_by(Some(owner))
            .in_family(Some(family.id()))
            .in_group(Some(group))
            .holding(&document);
        match artifacts.put(key(family), kept, quota).await? {
            Put::Kept => {}
            Put::OverQuota => return Err(IssueError::OverQuota(quota)),
        }
        let spared = Spared::Newest(MOST_OF_A_PAIR);
        let ending = ending(context, now);
        artifacts
            .end_group(ArtifactKind::REFRESH, group, spared, ending)
            .await?;
        Ok(Place { family, counter: 0 }.token(context.seals()))
    }

    /// Ends all that a client has for a subject.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn end_all(
        context: &Context,
        client: u64,
        subject: u64,
    ) -> Result<(), StoreError> {
        let (kind, group) = (ArtifactKind::REFRESH, group(client, subject));
        let ending = ending(context, context.now());
        let ended = context
            .artifacts()
            .end_group(kind, group, Spared::Nothing, ending);
        ended.await.map(drop)
    }

    /// The family, if it has not ended.
    pub(super) async fn find(
        context: &Context,
        family: TokenFamily,
    ) -> Result<Option<Self>, StoreError> {
        let kept = context.artifacts().get(&key(family), context.now()).await?;
        let Some(kept) = kept else {
            return Ok(None);
        };
        Ok(Some(Self {
            family,
            document: kept.read()?,
            kept,
        }))
    }

    pub(super) fn name(&self) -> TokenFamily {
        self.family
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.document.terms
    }

    /// Since when its current token is.
    pub(super) fn since(&self) -> UnixTime {
        self.document.since
    }

    /// When it ends by itself, if it is not used before.
    pub(super) fn end(&self) -> UnixTime {
        self.kept.expires_at
    }

    /// How a token of it stands.
    pub(super) fn standing(&self, context: &Context, place: Place) -> Standing {
        let Document { counter, since, .. } = self.document;
        let in_time = || match self.terms().method == AuthMethod::NONE {
            // Anybody who finds one can present it.
            true => context.now() <= since.plus(context.settings().refresh_retry),
            false => true,
        };
        match place.counter {
            current if current == counter => Standing::Current,
            previous if previous.checked_add(1) == Some(counter) && in_time() => {
                Standing::Repeatable
            }
            _ => Standing::Reused,
        }
    }

    /// The current token is used: its successor takes its place.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another request was first; [`StoreError::Missing`] if the family
    /// has ended.
    pub(super) async fn advance(&mut self, context: &Context) -> Result<(), StoreError> {
        if context.settings().profile.rotates_refresh_tokens() {
            self.document.counter = self.document.counter.saturating_add(1);
        }
        self.document.since = context.now();
        self.kept.expires_at = self.document.end(context);
        let kept = self.kept.clone().holding(&self.document);
        let artifacts = context.artifacts();
        artifacts
            .replace(key(self.family), kept, context.now())
            .await
    }

    /// The token to use next.
    pub(super) fn token(&self, context: &Context) -> RefreshToken {
        let place = Place {
            family: self.family,
            counter: self.document.counter,
        };
        place.token(context.seals())
    }

    /// Ends it, and every access token that came of it. A quota bounds how many begin.
    pub(super) async fn revoke(&self, context: &Context) -> Result<(), StoreError> {
        let (artifacts, ending) = (context.artifacts(), ending(context, self.end()));
        let family = self.family.id();
        artifacts
            .end_family(family, ending, u64::MAX)
            .await
            .map(drop)
    }
}

impl Document {
    /// When it ends, if it is not used again.
    fn end(&self, context: &Context) -> UnixTime {
        let settings = context.settings();
        let idle = self.since.plus(settings.refresh_idle);
        idle.min(self.terms.began_at.plus(settings.refresh_lifetime))
    }
}

/// The end, now, of a family that would have lasted until then, and of all access tokens that came
/// of it.
pub(super) fn ending(context: &Context, until: UnixTime) -> Ending {
    let at = context.now();
    Ending {
        owner: None,
        at,
        until: until
            .max(at.plus(context.settings().refresh_idle))
            .max(at.plus(LONGEST_ACCESS)),
    }
}
