//! How people sign in.

use grantor::{
    admin::{Error, Named, time_text},
    storage::{Registries as _, StoreError},
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{find, open};
use crate::{
    admin::{Administration, Answered, Input, NoQuery, Operation, Route},
    person::OpenSession,
};

const CREDENTIALS: &str = "/subjects/{subject}/credentials";

/// How a person signs in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Credentials {
    /// By a password, where there is one.
    pub password: Option<PasswordEntry>,
}

/// What is shown of a password.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PasswordEntry {
    /// When it was set (RFC 3339).
    pub changed_at: String,
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
        find(admin, &input.path).await?;
        let found = admin.gate().passwords().get(&input.path).await?;
        let revision = found.as_ref().map(|password| password.revision);
        let password = found.map(|password| PasswordEntry {
            changed_at: time_text(password.changed_at),
        });
        Ok(Answered {
            revision,
            ..Credentials { password }.into()
        })
    }
}

/// Takes a person's password.
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
        let passwords = admin.gate().passwords();
        match passwords.delete(&input.path, admin.actor()).await {
            Ok(()) => {}
            Err(StoreError::Missing(_)) => {
                return Err(Error::NotFound(Named::Password(input.path)));
            }
            Err(error) => return Err(error.into()),
        }
        // No session outlives what it was begun with.
        open::end_any::<OpenSession>(admin, &subject).await?;
        Ok(().into())
    }
}
