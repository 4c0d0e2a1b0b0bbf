//! Passkeys at pages: what browsers are asked for, and what is made of their answers (C090 to
//! C093). The rules of the ceremonies are the library's, [`grantor::webauthn`].

mod challenge;
mod error;
mod last_use;

use std::sync::Arc;

use grantor::{
    clock::UnixTime,
    jose::base64url_encode,
    registry::{
        Actor, CredentialId, Operator, Passkey, PasskeyFilter, PasskeyKey, Password, Subject,
    },
    server::{Context, SealKind},
    storage::{Artifacts, Change, Registry, StoreError},
    types::{DisplayName, Issuer},
    webauthn::{Assertion, Expectation, Known, Registration, RelyingParty, cose_number},
};
use serde_json::{Value, json};

use self::challenge::Challenge;
pub use self::{challenge::Purpose, error::PasskeyError, last_use::LastUse};
use super::{Presence, Sessions};
use crate::pages::{BrowserSecret, Registries};

/// Most passkeys of a person.
pub const MOST: usize = 20;
/// Most tries to keep a use, where the passkey is used elsewhere at the same time.
const TRIES: usize = 8;

const USER_HANDLE: SealKind = SealKind::new("grantor:passkey-user");

/// Makes passkeys and takes them, at the pages of one origin. Cloning it shares everything.
#[derive(Clone)]
pub struct Passkeys {
    relying_party: RelyingParty,
    origin: String,
    registry: Registries,
}

/// A passkey that is to be registered.
pub struct New<'a> {
    /// For whom.
    pub subject: &'a Subject,
    /// What they call it.
    pub name: DisplayName,
    /// What the browser sent.
    pub sent: &'a str,
}

/// A page, at the browser that has it open.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub context: &'a Context,
    pub browser: &'a BrowserSecret,
}

/// A passkey that was made by the rules, and is not registered yet.
pub struct Checked<'a> {
    passkey: Passkey,
    counter: u32,
    subject: &'a Subject,
    challenge: Challenge,
}

/// A person who proved by a passkey to be there.
#[derive(Debug)]
pub struct Owner {
    pub subject: Subject,
    pub passkey: Arc<Passkey>,
}

/// A passkey, and when it was used.
#[derive(Debug)]
pub struct OwnPasskey {
    pub passkey: Arc<Passkey>,
    /// As far as it is remembered.
    pub used_at: Option<UnixTime>,
}

impl OwnPasskey {
    /// Those of a subject, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all(
        registry: &dyn Registry<Passkey>,
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<Vec<Self>, StoreError> {
        let mut passkeys = registry.all_of(&PasskeyFilter::of(&subject.id)).await?;
        passkeys.sort_by_key(|passkey| passkey.revision.number);
        let used = LastUse::all_of(artifacts, subject, now).await?;
        let own = passkeys.into_iter().map(|passkey| Self {
            used_at: used.get(&passkey.revision.number).copied(),
            passkey,
        });
        Ok(own.collect())
    }
}

impl Passkeys {
    /// Those of an issuer, at pages of this origin; `None` where browsers make none (DC8).
    pub fn at(issuer: &Issuer, origin: impl Into<String>, registry: Registries) -> Option<Self> {
        Some(Self {
            relying_party: RelyingParty::of(issuer)?,
            origin: origin.into(),
            registry,
        })
    }

    /// The passkeys of a subject.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn of(
        &self,
        context: &Context,
        subject: &Subject,
    ) -> Result<Vec<OwnPasskey>, StoreError> {
        let (passkeys, now) = (&*self.registry.passkeys, context.now());
        OwnPasskey::all(passkeys, context.artifacts(), subject, now).await
    }

    /// What a browser is asked for that is to make a passkey for this person:
    /// `PublicKeyCredentialCreationOptionsJSON` (WebAuthn §5.1.8).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn creation_options(
        &self,
        page: &Page<'_>,
        subject: &Subject,
    ) -> Result<Value, StoreError> {
        let known = self.passkeys_of(subject).await?;
        let known = known.iter().map(|passkey| {
            let id = passkey.credential.as_str();
            json!({"type": "public-key", "id": id})
        });
        Ok(self.asked_for(page, subject, known.collect()))
    }

    /// As [`Passkeys::creation_options`], where the passkeys that the person has end with the new
    /// one: it may be made where one of them is.
    pub fn recovery_options(&self, page: &Page<'_>, subject: &Subject) -> Value {
        self.asked_for(page, subject, Vec::new())
    }

    fn asked_for(&self, page: &Page<'_>, subject: &Subject, excluded: Vec<Value>) -> Value {
        let algorithms = PasskeyKey::ALGORITHMS.into_iter().filter_map(cose_number);
        let algorithms = algorithms.map(|alg| json!({"type": "public-key", "alg": alg}));
        let party = self.relying_party.id();
        json!({
            "rp": {"id": party, "name": party},
            "user": {
                "id": base64url_encode(user_handle(page.context, subject)),
                "name": subject.id,
                "displayName": subject.id,
            },
            "challenge": challenge::give_out(page, Purpose::Make),
            "pubKeyCredParams": algorithms.collect::<Vec<_>>(),
            "timeout": milliseconds(),
            "excludeCredentials": excluded,
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": true,
                "userVerification": "required",
            },
            "attestation": "none",
        })
    }

    /// Looks at the passkey that a browser has made for somebody. Nothing is changed.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub async fn check<'a>(
        &self,
        page: &Page<'_>,
        new: New<'a>,
    ) -> Result<Checked<'a>, PasskeyError> {
        let New {
            subject,
            name,
            sent,
        } = new;
        let registration = Registration::parse(sent.as_bytes())?;
        let challenge = Challenge::open(page, Purpose::Make, registration.challenge())?;
        let made = registration.verify(&self.expected(&challenge))?;
        if self.registry.passkeys.get(made.id()).await?.is_some() {
            return Err(PasskeyError::Taken);
        }
        let (id, key) = (made.id().clone(), made.key().clone());
        Ok(Checked {
            passkey: Passkey::new(subject.id.clone(), id, key, name, page.context.now()),
            counter: made.counter(),
            subject,
            challenge,
        })
    }

    /// Registers a passkey that was looked at, if the subject has this role in the same commit: with
    /// a first role all ends that it signed in with before.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub async fn register(
        &self,
        context: &Context,
        checked: Checked<'_>,
        role: Option<&Operator>,
        by: &Actor,
    ) -> Result<Arc<Passkey>, PasskeyError> {
        let Checked {
            passkey,
            counter,
            subject,
            challenge,
        } = checked;
        if self.passkeys_of(subject).await?.len() >= MOST {
            return Err(PasskeyError::TooMany);
        }
        challenge.use_up(context, subject).await?;
        let passkey = self.create(passkey, role, by).await?;
        let (artifacts, now) = (context.artifacts(), context.now());
        LastUse::begin(artifacts, &passkey, subject, counter, now).await?;
        Ok(passkey)
    }

    /// Registers the passkey that a browser has made for the person who is signed in there. Where the
    /// session has ended meanwhile, as by a recovery (C083), the passkey goes again.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub async fn make_in_session(
        &self,
        page: &Page<'_>,
        sessions: &Sessions,
        new: New<'_>,
        by: &Actor,
    ) -> Result<Arc<Passkey>, PasskeyError> {
        let subject = new.subject;
        let checked = self.check(page, new).await?;
        let role = self.registry.operators.get(&subject.id).await?;
        let registered = self.register(page.context, checked, role.as_deref(), by);
        let passkey = registered.await?;
        let session = sessions.find(page.context, page.browser, Presence::Person);
        let session = session.await?;
        let number = |subject: &Subject| subject.revision.number;
        let is_same = |session: &super::Session| number(&session.subject) == number(subject);
        if session.is_some_and(|session| is_same(&session)) {
            return Ok(passkey);
        }
        let passkeys = &self.registry.passkeys;
        match passkeys.delete(&passkey.credential, by).await {
            Ok(()) | Err(StoreError::Missing(_)) => {
                Err(PasskeyError::Overtaken("the session has ended"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn create(
        &self,
        passkey: Passkey,
        role: Option<&Operator>,
        by: &Actor,
    ) -> Result<Arc<Passkey>, PasskeyError> {
        let (id, subject) = (passkey.credential.clone(), passkey.subject.clone());
        let role = role.map(|role| role.revision);
        let changes = vec![
            Change::<Operator>::Expect(subject, role).into(),
            Change::Create(passkey).into(),
        ];
        match self.registry.batch.apply_all(changes, by).await {
            Ok(_) => {}
            Err(StoreError::Exists(_)) => return Err(PasskeyError::Taken),
            Err(StoreError::Conflict(_)) => {
                return Err(PasskeyError::Overtaken("the subject has another role"));
            }
            Err(error) => return Err(error.into()),
        }
        let created = self.registry.passkeys.get(&id).await?;
        created.ok_or(PasskeyError::Overtaken("the passkey was taken"))
    }

    async fn passkeys_of(&self, subject: &Subject) -> Result<Vec<Arc<Passkey>>, StoreError> {
        let of_subject = PasskeyFilter::of(&subject.id);
        self.registry.passkeys.all_of(&of_subject).await
    }

    /// What a browser is asked for that is to prove by a passkey who is there, whoever it is:
    /// `PublicKeyCredentialRequestOptionsJSON` (WebAuthn §5.1.8).
    pub fn request_options(&self, page: &Page<'_>, purpose: Purpose) -> Value {
        json!({
            "challenge": challenge::give_out(page, purpose),
            "timeout": milliseconds(),
            "rpId": self.relying_party.id(),
            "allowCredentials": [],
            "userVerification": "required",
        })
    }

    /// Who has proven to be there, for this purpose. A session that is begun on it lasts no longer
    /// than the passkey ([`Proof::passkey`](super::Proof::passkey)).
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub async fn prove(
        &self,
        page: &Page<'_>,
        purpose: Purpose,
        sent: &str,
    ) -> Result<Owner, PasskeyError> {
        let (context, now) = (page.context, page.context.now());
        let assertion = Assertion::parse(sent.as_bytes())?;
        let challenge = Challenge::open(page, purpose, assertion.challenge())?;
        let passkeys = &self.registry.passkeys;
        let passkey = passkeys.get(assertion.credential()).await?;
        let passkey = passkey.ok_or(PasskeyError::Unknown)?;
        let subject = context.subjects().subject(&passkey.subject).await?;
        let subject = subject.ok_or(PasskeyError::Unknown)?;
        let expected = self.expected(&challenge);
        let handle = user_handle(context, &subject);
        let proven = |counter| {
            let known = Known {
                key: &passkey.key,
                user_handle: &handle,
                counter,
            };
            assertion.verify(&expected, &known)
        };
        let artifacts = context.artifacts();
        let mut last = LastUse::of(artifacts, &passkey, now).await?;
        proven(last.counter)?;
        if !subject.enabled {
            return Err(PasskeyError::Disabled);
        }
        challenge.use_up(context, &subject).await?;
        for _ in 0..TRIES {
            let counter = proven(last.counter)?.counter();
            match last
                .followed_by(artifacts, &passkey, &subject, counter, now)
                .await
            {
                Ok(()) => return Ok(Owner { subject, passkey }),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            last = LastUse::of(artifacts, &passkey, now).await?;
        }
        Err(StoreError::Conflict("passkey").into())
    }

    /// As [`Passkeys::prove`], that this person is there, who is signed in.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub async fn confirm(
        &self,
        page: &Page<'_>,
        person: &Subject,
        sent: &str,
    ) -> Result<Owner, PasskeyError> {
        let owner = self.prove(page, Purpose::Confirm, sent).await?;
        match owner.subject.revision.number == person.revision.number {
            true => Ok(owner),
            false => Err(PasskeyError::OtherPerson),
        }
    }

    /// Removes a passkey of this person, if another way to sign in is left (C093).
    ///
    /// # Errors
    /// [`PasskeyError::Unknown`], also where it is another person's (CA31);
    /// [`PasskeyError::LastWay`]
    pub async fn remove(
        &self,
        subject: &Subject,
        id: &CredentialId,
        by: &Actor,
    ) -> Result<(), PasskeyError> {
        for _ in 0..TRIES {
            let own = self.passkeys_of(subject).await?;
            let (this, others): (Vec<_>, Vec<_>) = own
                .into_iter()
                .partition(|passkey| passkey.credential == *id);
            let this = this.first().ok_or(PasskeyError::Unknown)?;
            let gone = Change::<Passkey>::Delete(id.clone(), Some(this.revision));
            let mut changes = vec![gone.into()];
            // What is left has to be there when this one goes.
            let password = self.registry.passwords.get(&subject.id).await?;
            changes.push(match (password, others.first()) {
                (Some(password), _) => {
                    let (id, revision) = (subject.id.clone(), password.revision);
                    Change::<Password>::Expect(id, Some(revision)).into()
                }
                (None, Some(left)) => {
                    let (id, revision) = (left.credential.clone(), left.revision);
                    Change::<Passkey>::Expect(id, Some(revision)).into()
                }
                (None, None) => return Err(PasskeyError::LastWay),
            });
            match self.registry.batch.apply_all(changes, by).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict(_) | StoreError::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict("passkey").into())
    }

    fn expected<'a>(&'a self, challenge: &'a Challenge) -> Expectation<'a> {
        Expectation {
            challenge: &challenge.text,
            origin: &self.origin,
            relying_party: &self.relying_party,
        }
    }
}

/// How authenticators call a person: by nothing that tells who it is (WebAuthn §14.6.1), and never
/// as one of an earlier time, or of another server at the same host.
fn user_handle(context: &Context, subject: &Subject) -> [u8; 32] {
    let number = subject.revision.number.to_be_bytes();
    context.seals().tag(USER_HANDLE, &number)
}

/// How long a browser may take.
fn milliseconds() -> u64 {
    challenge::LIFETIME.as_secs() * 1000
}

#[cfg(test)]
mod tests;
