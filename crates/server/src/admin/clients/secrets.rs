//! Secrets of a client, which the server makes and answers once.

use grantor::{
    admin::{ClientDocument, Error, NewSecretDocument, Prepared},
    types::ClientId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::create::made_for;
use crate::admin::{
    Administration, Answered, Input, NoQuery, Operation, Route, Segments as _, content::bodies,
};

const SECRETS: &str = "/clients/{client}/secrets";

bodies!(NewSecretDocument);

/// An operation that makes a secret. On the machine of the database the secret is handed over
/// between its two steps, so that none is registered that is lost.
pub trait TwoSteps: Operation {
    /// Checks what is asked for, and makes the secret.
    fn prepare(
        admin: &Administration,
        input: Input<Self>,
    ) -> impl Future<Output = Result<Prepared, Error>> + Send;

    /// Registers it.
    fn finish(
        admin: &Administration,
        prepared: Prepared,
    ) -> impl Future<Output = Result<Answered<Self::Answer>, Error>> + Send;

    /// The secret that was made, and for whom.
    fn secret(answer: &Self::Answer) -> Option<(&ClientDocument, &str)>;
}

/// Makes a new secret for a client.
pub struct MakeSecret;

/// A secret that was made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MadeSecret {
    /// The client as it is registered now.
    pub client: ClientDocument,
    /// The secret, which is nowhere else.
    pub client_secret: String,
}

impl Operation for MakeSecret {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = NewSecretDocument;
    type Answer = MadeSecret;

    const ROUTE: Route = Route::create(
        SECRETS,
        "make_client_secret",
        "Make a new secret, which is answered once; the ones before end at once, or after an overlap",
    )
    .of_state();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let prepared = Self::prepare(admin, input).await?;
        Self::finish(admin, prepared).await
    }
}

impl TwoSteps for MakeSecret {
    async fn prepare(admin: &Administration, input: Input<Self>) -> Result<Prepared, Error> {
        let clients = admin.clients();
        clients.prepare_secret(&input.path, input.body.into()).await
    }

    async fn finish(
        admin: &Administration,
        mut prepared: Prepared,
    ) -> Result<Answered<MadeSecret>, Error> {
        let (_, secret) = made_for(prepared.key_file.take().as_ref());
        let client = admin.clients().make(prepared, admin.actor()).await?;
        let (revision, names) = (client.revision, client.client_id.names());
        let made = MadeSecret {
            client,
            client_secret: secret.unwrap_or_default(),
        };
        Ok(Answered::at(made, revision).placed(SECRETS, &names))
    }

    fn secret(answer: &MadeSecret) -> Option<(&ClientDocument, &str)> {
        Some((&answer.client, &answer.client_secret))
    }
}

/// Removes a secret of a client.
pub struct RemoveSecret;

impl Operation for RemoveSecret {
    type Path = (ClientId, String);
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        "/clients/{client}/secrets/{name}",
        "remove_client_secret",
        "Remove a secret, by its name in `secrets` of the client",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (id, name) = input.path;
        let clients = admin.clients();
        clients.remove_secret(&id, &name, admin.actor()).await?;
        Ok(().into())
    }
}
