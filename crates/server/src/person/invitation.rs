//! Invitations: a link by which a person sets up how to sign in, once (C080, C081).

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    jose::{base64url_encode, crypto::random_bytes},
    registry::{Operator, Subject},
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, GroupId, Put, Spared, StoreError,
    },
    types::SubjectId,
};
use serde::{Deserialize, Serialize};

const INVITATION: ArtifactKind = ArtifactKind::new("grantor:invitation");

/// What becomes of earlier ways to sign in when an invitation is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierWays {
    /// They go on.
    GoOn,
    /// All of them end (C083).
    End,
}

/// What an invitation is for: a stored format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    pub subject: SubjectId,
    /// The subject's number: another of the same name is not meant.
    pub number: u64,
    /// Whether all earlier ways to sign in end when it is accepted (C083).
    pub recover: bool,
    /// The number of the role that the subject had when it was made.
    #[serde(default)]
    role: Option<u64>,
}

impl Invitation {
    /// Longest life of a link.
    pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

    /// The invitation of a subject with this role.
    pub fn new(subject: &Subject, role: Option<&Operator>, ways: EarlierWays) -> Self {
        Self {
            subject: subject.id.clone(),
            number: subject.revision.number,
            recover: ways == EarlierWays::End,
            role: role.map(|operator| operator.revision.number),
        }
    }

    /// Keeps it from now until then, and answers the token of its link, which is kept as a digest
    /// only. One that was made before ends.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn make(
        &self,
        artifacts: &dyn Artifacts,
        now: UnixTime,
        until: UnixTime,
    ) -> Result<String, StoreError> {
        let token = base64url_encode(random_bytes::<32>());
        let group = group_of(self.number);
        let artifact = Artifact::new(now, until)
            .in_group(Some(group))
            .holding(self);
        let key = key_of(&token);
        match artifacts.put(key, artifact, u64::MAX).await? {
            Put::Kept | Put::OverQuota => {}
        }
        let ending = Ending {
            owner: None,
            at: now,
            until,
        };
        artifacts
            .end_group(INVITATION, group, Spared::One(key), ending)
            .await?;
        Ok(token)
    }

    /// Whether it lets somebody in who has this role now: none, or the one that it was made for. An
    /// editor may have made one for a subject without a role, and nobody comes to power by it
    /// (M012).
    pub fn is_good_for(&self, role: Option<&Operator>) -> bool {
        role.is_none_or(|operator| self.role == Some(operator.revision.number))
    }

    /// The invitations of a subject that are open, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<Vec<(Self, Artifact)>, StoreError> {
        let group = group_of(subject.revision.number);
        let found = artifacts.list(INVITATION, &group, now, u32::MAX).await?;
        let found = found.into_iter();
        found
            .map(|(_, artifact)| Ok((artifact.read()?, artifact)))
            .collect()
    }

    /// Ends the invitations of a subject that are open.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_all(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let ending = Ending {
            owner: None,
            at: now,
            until: now.plus(Self::LONGEST),
        };
        let group = group_of(subject.revision.number);
        let ended = artifacts.end_group(INVITATION, group, Spared::Nothing, ending);
        ended.await
    }

    /// The invitation of a link, which is not used up by looking.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(
        artifacts: &dyn Artifacts,
        token: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, StoreError> {
        let found = artifacts.get(&key_of(token), now).await?;
        found.map(|artifact| artifact.read()).transpose()
    }

    /// Uses the invitation of a link up: exactly one caller gets it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn take(
        artifacts: &dyn Artifacts,
        token: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, StoreError> {
        let taken = artifacts.take(key_of(token), now).await?;
        taken.map(|artifact| artifact.read()).transpose()
    }
}

fn group_of(number: u64) -> GroupId {
    GroupId::of(&format!("invitations of subject {number}"))
}

fn key_of(token: &str) -> ArtifactKey {
    ArtifactKey::of(INVITATION, token)
}
