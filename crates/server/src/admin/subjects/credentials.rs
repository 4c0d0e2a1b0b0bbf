//! How people sign in.

use grantor::{
    admin::{Error, Named},
    clock::{UnixTime, rfc3339},
    registry::{CredentialId, Passkey, PasskeyFilter, Password},
    storage::{AnyChange, Batch as _, Change, Registries as _, StoreError},
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{find, open};
use crate::{
    admin::{Administration, Answered, Input, NoQuery, Operation, Route},
    person::{OpenSession, OwnPasskey},
};

const CREDENTIALS: &str = "/subjects/{subject}/credentials";

/// How a person signs in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Credentials {
    /// By a password, where there is one.
    pub password: Option<PasswordEntry>,
    /// By each of these.
    pub passkeys: Vec<PasskeyEntry>,
}

/// What is shown of a password.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PasswordEntry {
    /// When it was set (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub changed_at: UnixTime,
}

/// What is shown of a passkey.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PasskeyEntry {
    /// The id of its credential, in base64url.
    pub credential: String,
    /// What its owner calls it.
    pub name: String,
    /// The algorithm of its signatures.
    pub algorithm: String,
    /// When it was made (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub created_at: UnixTime,
    /// When it was last used, as far as it is remembered (RFC 3339).
    #[serde(default, with = "rfc3339::optional")]
    #[schemars(with = "Option<String>")]
    pub used_at: Option<UnixTime>,
}

impl From<&OwnPasskey> for PasskeyEntry {
    fn from(OwnPasskey { passkey, used_at }: &OwnPasskey) -> Self {
        Self {
            credential: passkey.credential.to_string(),
            name: passkey.name.to_string(),
            algorithm: passkey.key.algorithm().to_string(),
            created_at: passkey.created_at,
            used_at: *used_at,
        }
    }
}

/// Shows how a person signs in.
pub struct ShowCredentials;

impl Operation for ShowCredentials {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = Credentials;

    const ROUTE: Route = Route::get(
        CREDENTIALS,
        "show_credentials",
        "Show how a person signs in, without anything to sign in with",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find(admin, &input.path).await?;
        let password = admin.gate().passwords().get(&input.path).await?;
        let (passkeys, artifacts) = (admin.gate().passkeys(), &*admin.store.artifacts);
        let passkeys = OwnPasskey::all(passkeys, artifacts, &subject, admin.now()).await?;
        // Only what is one has one state.
        let revision = match (&password, &*passkeys) {
            (Some(password), []) => Some(password.revision),
            (None, [one]) => Some(one.passkey.revision),
            _ => None,
        };
        let document = Credentials {
            password: password.map(|password| PasswordEntry {
                changed_at: password.changed_at,
            }),
            passkeys: passkeys.iter().map(PasskeyEntry::from).collect(),
        };
        Ok(Answered {
            revision,
            ..document.into()
        })
    }
}

/// Takes all that a person signs in with.
pub struct DeleteCredentials;

impl Operation for DeleteCredentials {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        CREDENTIALS,
        "delete_credentials",
        "Take what a person signs in with, and end their sessions: an invitation lets them in again",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find(admin, &input.path).await?;
        let (gate, id) = (admin.gate(), &subject.id);
        let mut changes: Vec<AnyChange> = Vec::new();
        // One that cannot be read can be taken, too.
        if !matches!(gate.passwords().get(id).await, Ok(None)) {
            changes.push(Change::<Password>::Delete(id.clone(), None).into());
        }
        for passkey in gate.passkeys().all_of(&PasskeyFilter::of(id)).await? {
            let gone = Change::<Passkey>::Delete(passkey.credential.clone(), None);
            changes.push(gone.into());
        }
        let nothing = || Error::NotFound(Named::Credentials(id.clone()));
        if changes.is_empty() {
            return Err(nothing());
        }
        match gate.apply_all(changes, admin.actor()).await {
            Ok(_) => {}
            Err(StoreError::Missing(_)) => return Err(nothing()),
            Err(error) => return Err(error.into()),
        }
        // No session outlives what it was begun with.
        open::end_any::<OpenSession>(admin, &subject).await?;
        Ok(().into())
    }
}

/// Takes one passkey of a person.
pub struct DeletePasskey;

impl Operation for DeletePasskey {
    type Path = (SubjectId, CredentialId);
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        "/subjects/{subject}/credentials/{credential}",
        "delete_passkey",
        "Take one passkey of a person, and end the sessions that were begun with it",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (subject, credential) = input.path;
        find(admin, &subject).await?;
        let passkeys = admin.gate().passkeys();
        let found = passkeys.get(&credential).await?;
        let is_of_subject = found.is_some_and(|passkey| passkey.subject == subject);
        let deleted = match is_of_subject {
            true => passkeys.delete(&credential, admin.actor()).await,
            false => Err(StoreError::Missing("passkey")),
        };
        match deleted {
            Ok(()) => Ok(().into()),
            Err(StoreError::Missing(_)) => {
                Err(Error::NotFound(Named::Passkey(subject, credential)))
            }
            Err(error) => Err(error.into()),
        }
    }
}
