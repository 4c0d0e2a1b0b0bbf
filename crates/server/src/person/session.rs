//! Browser sessions: who signed in at a browser, until they sign out, leave it, are disabled, or
//! could not sign in so any more.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::UnixTime,
    registry::{Operator, Passkey, PasskeyFilter, Password, Revision, Subject},
    server::Context,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, GroupId, Put, Registry, Spared,
        StoreError,
    },
    types::SubjectId,
};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pages::BrowserSecret;

/// What a session opens. None opens what the other does (M165).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A person's own pages, and those of consent.
    Person,
    /// The console.
    Console,
}

impl SessionKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Person, Self::Console];

    fn artifact(self) -> ArtifactKind {
        const PERSON: ArtifactKind = ArtifactKind::new("grantor:session");
        const CONSOLE: ArtifactKind = ArtifactKind::new("grantor:console-session");
        match self {
            Self::Person => PERSON,
            Self::Console => CONSOLE,
        }
    }

    fn key_of(self, secret: &BrowserSecret) -> ArtifactKey {
        ArtifactKey::of(self.artifact(), secret.expose())
    }

    fn group_of(self, subject: &Subject) -> GroupId {
        let number = subject.revision.number;
        GroupId::of(&match self {
            Self::Person => format!("sessions of subject {number}"),
            Self::Console => format!("console sessions of subject {number}"),
        })
    }
}

/// Sessions of one person that are kept; the oldest end first.
const SESSIONS: u32 = 50;
/// The idle end is moved no more often than this.
const TOUCH: Duration = Duration::from_secs(60);

/// Who asks for a page in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Somebody who follows a link or sends a form.
    Person,
    /// A page, which renews itself although nobody may be there.
    Page,
}

impl Presence {
    /// What a request with these headers says. Browsers say `empty` of what a script fetches; where
    /// they say nothing, somebody is there.
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get("sec-fetch-dest") {
            Some(destination) if destination == "empty" => Self::Page,
            _ => Self::Person,
        }
    }
}

/// How long sessions last.
#[derive(Clone)]
pub struct Sessions {
    kind: SessionKind,
    idle: Duration,
    life: Duration,
    proofs: Proofs,
}

/// What a person proved who they are with, in the state that it had. A session lasts no longer than
/// that is so: the commit that takes what somebody signs in with, or puts another in its place,
/// ends the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A password.
    Password {
        /// Which password it is.
        number: u64,
        /// Which state of it.
        version: u64,
    },
    /// A passkey, whatever it is called meanwhile.
    Passkey {
        /// Which passkey it is.
        number: u64,
    },
    /// A link that was made on the machine, for the role that the subject had.
    Link {
        /// Which role it is.
        role: u64,
    },
}

/// Where it is looked up whether a proof holds.
#[derive(Clone)]
pub struct Proofs {
    pub passwords: Arc<dyn Registry<Password>>,
    pub passkeys: Arc<dyn Registry<Passkey>>,
    pub operators: Arc<dyn Registry<Operator>>,
}

impl Proof {
    /// A password in this state.
    pub fn password(revision: Revision) -> Self {
        let Revision {
            number, version, ..
        } = revision;
        Self::Password { number, version }
    }

    /// This passkey.
    pub fn passkey(passkey: &Passkey) -> Self {
        let number = passkey.revision.number;
        Self::Passkey { number }
    }

    /// A link for this role.
    pub fn link(role: &Operator) -> Self {
        Self::Link {
            role: role.revision.number,
        }
    }
}

impl Proofs {
    /// Whether a subject could still prove who it is so.
    async fn hold(&self, proof: Option<Proof>, subject: &SubjectId) -> Result<bool, StoreError> {
        Ok(match proof {
            Some(Proof::Password { number, version }) => {
                let password = self.passwords.get(subject).await?;
                password.map(|password| password.revision) == Some(Revision::new(number, version))
            }
            Some(Proof::Passkey { number }) => {
                let passkeys = self.passkeys.all_of(&PasskeyFilter::of(subject)).await?;
                let mut numbers = passkeys.iter().map(|passkey| passkey.revision.number);
                numbers.any(|passkey| passkey == number)
            }
            Some(Proof::Link { role }) => {
                let operator = self.operators.get(subject).await?;
                operator.map(|operator| operator.revision.number) == Some(role)
            }
            None => false,
        })
    }
}

/// Somebody who signed in at a browser, and is enabled.
#[derive(Clone, Debug)]
pub struct Session {
    pub subject: Subject,
    /// When they proved who they are.
    pub signed_in_at: UnixTime,
    /// With what.
    by: Option<Proof>,
}

/// Who does something grave proved no longer ago who they are: 5 minutes (C093, M112).
const FRESH: Duration = Duration::from_secs(5 * 60);

impl Session {
    /// By what the person proved who they are, in a word.
    pub fn method(&self) -> &'static str {
        match self.by {
            Some(Proof::Passkey { .. }) => "passkey",
            Some(Proof::Link { .. }) => "link",
            Some(Proof::Password { .. }) | None => "password",
        }
    }

    /// Whether the person proved a moment ago who they are.
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.signed_in_at.plus(FRESH)
    }
}

/// What operators see of a session.
#[derive(Debug)]
pub struct OpenSession {
    /// What it opens.
    pub kind: SessionKind,
    /// When the person proved who they are.
    pub signed_in_at: UnixTime,
    /// When it was last used, to the minute.
    pub used_at: UnixTime,
    /// When it ends if it is not used.
    pub expires_at: UnixTime,
    key: ArtifactKey,
}

impl OpenSession {
    /// The sessions of a subject: those of each kind, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<Vec<Self>, StoreError> {
        let mut open = Vec::new();
        for kind in SessionKind::ALL {
            let group = kind.group_of(subject);
            let found = artifacts
                .list(kind.artifact(), &group, now, SESSIONS)
                .await?;
            for (key, artifact) in found {
                let kept: Kept = artifact.read()?;
                open.push(Self {
                    kind,
                    signed_in_at: kept.signed_in_at,
                    used_at: kept.touched_at,
                    expires_at: artifact.expires_at,
                    key,
                });
            }
        }
        Ok(open)
    }

    /// Whether it is the one of the browser with this secret.
    pub fn is_of(&self, secret: &BrowserSecret) -> bool {
        self.key == self.kind.key_of(secret)
    }

    /// Ends the sessions of a subject, of every kind; none lives longer than `life`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_all(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
        life: Duration,
    ) -> Result<(), StoreError> {
        for kind in SessionKind::ALL {
            let ending = Ending {
                owner: None,
                at: now,
                until: now.plus(life),
            };
            let group = kind.group_of(subject);
            artifacts
                .end_group(kind.artifact(), group, Spared::Nothing, ending)
                .await?;
        }
        Ok(())
    }
}

/// What is kept of a session: a stored format.
#[derive(Serialize, Deserialize)]
struct Kept {
    subject: SubjectId,
    /// The subject's number: another of the same name is somebody else.
    number: u64,
    signed_in_at: UnixTime,
    touched_at: UnixTime,
    /// What it was begun with; a session of before that was kept is over.
    #[serde(default)]
    by: Option<Proof>,
}

impl Sessions {
    /// A session ends `idle` after it was last used, `life` after it began, and with what it was
    /// begun with.
    pub fn new(kind: SessionKind, idle: Duration, life: Duration, proofs: Proofs) -> Self {
        Self {
            kind,
            idle,
            life,
            proofs,
        }
    }

    /// Who is signed in at the browser with this secret. A disabled subject is nobody (C099), nor is
    /// one whose name is another's now (C055), or who could not sign in so any more. A page that
    /// renews itself is not a use: the session ends when nobody is there (M110).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(
        &self,
        context: &Context,
        secret: &BrowserSecret,
        presence: Presence,
    ) -> Result<Option<Session>, StoreError> {
        let (key, now) = (self.kind.key_of(secret), context.now());
        let Some(artifact) = context.artifacts().get(&key, now).await? else {
            return Ok(None);
        };
        let kept: Kept = artifact.read()?;
        let subject = context.subjects().subject(&kept.subject).await?;
        let is_same = |subject: &Subject| subject.enabled && subject.revision.number == kept.number;
        let Some(subject) = subject.filter(is_same) else {
            return Ok(None);
        };
        if !self.proofs.hold(kept.by, &kept.subject).await? {
            return Ok(None);
        }
        let (signed_in_at, by) = (kept.signed_in_at, kept.by);
        if presence == Presence::Person {
            self.touch(context, key, artifact, kept, now).await?;
        }
        Ok(Some(Session {
            subject,
            signed_in_at,
            by,
        }))
    }

    /// Moves the idle end. Whoever does it at the same time does it for all.
    async fn touch(
        &self,
        context: &Context,
        key: ArtifactKey,
        mut artifact: Artifact,
        kept: Kept,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        if now < kept.touched_at.plus(TOUCH) {
            return Ok(());
        }
        artifact.expires_at = self.end(kept.signed_in_at, now);
        let touched = artifact.holding(&Kept {
            touched_at: now,
            ..kept
        });
        match context.artifacts().replace(key, touched, now).await {
            Err(StoreError::Conflict(_) | StoreError::Missing(_)) => Ok(()),
            replaced => replaced,
        }
    }

    /// Begins a session of this subject, who has proved so who they are. The browser has another
    /// secret from now on (C098): a session under the one before ends.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin(
        &self,
        context: &Context,
        before: Option<&BrowserSecret>,
        subject: &Subject,
        by: Proof,
    ) -> Result<BrowserSecret, StoreError> {
        let session = Session {
            subject: subject.clone(),
            signed_in_at: context.now(),
            by: Some(by),
        };
        self.go_on(context, before, &session).await
    }

    /// Lets a session go on under another secret.
    async fn go_on(
        &self,
        context: &Context,
        before: Option<&BrowserSecret>,
        session: &Session,
    ) -> Result<BrowserSecret, StoreError> {
        let (secret, now) = (BrowserSecret::random(), context.now());
        let Session {
            subject,
            signed_in_at,
            by,
        } = session;
        let (group, signed_in_at) = (self.kind.group_of(subject), *signed_in_at);
        let kept = Kept {
            subject: subject.id.clone(),
            number: subject.revision.number,
            signed_in_at,
            touched_at: now,
            by: *by,
        };
        let artifact = Artifact::new(now, self.end(signed_in_at, now))
            .in_group(Some(group))
            .holding(&kept);
        let artifacts = context.artifacts();
        match artifacts
            .put(self.kind.key_of(&secret), artifact, u64::MAX)
            .await?
        {
            Put::Kept | Put::OverQuota => {}
        }
        if let Some(before) = before {
            artifacts.take(self.kind.key_of(before), now).await?;
        }
        let spared = Spared::Newest(SESSIONS);
        self.end_group(context, group, spared, now).await?;
        Ok(secret)
    }

    /// Ends the session at this browser, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn sign_out(
        &self,
        context: &Context,
        secret: &BrowserSecret,
    ) -> Result<(), StoreError> {
        let taken = context
            .artifacts()
            .take(self.kind.key_of(secret), context.now());
        taken.await.map(drop)
    }

    /// Ends all sessions of the person at this browser but this one, which goes on under another
    /// secret.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_others(
        &self,
        context: &Context,
        session: &Session,
    ) -> Result<BrowserSecret, StoreError> {
        let (artifacts, now) = (context.artifacts(), context.now());
        OpenSession::end_all(artifacts, &session.subject, now, self.life).await?;
        self.go_on(context, None, session).await
    }

    /// Ends all sessions of a subject, of every kind.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn end_all(&self, context: &Context, subject: &Subject) -> Result<(), StoreError> {
        let (artifacts, now) = (context.artifacts(), context.now());
        OpenSession::end_all(artifacts, subject, now, self.life).await
    }

    async fn end_group(
        &self,
        context: &Context,
        group: GroupId,
        spared: Spared,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let ending = Ending {
            owner: None,
            at: now,
            until: now.plus(self.life),
        };
        let artifacts = context.artifacts();
        artifacts
            .end_group(self.kind.artifact(), group, spared, ending)
            .await
            .map(drop)
    }

    fn end(&self, signed_in_at: UnixTime, now: UnixTime) -> UnixTime {
        now.plus(self.idle).min(signed_in_at.plus(self.life))
    }
}
