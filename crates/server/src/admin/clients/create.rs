//! Registering a client.

use grantor::{
    admin::{ClientDocument, Error, Prepared, TrustDocument},
    credential::{Credential, KeyFile},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CLIENT, ClientBody, FederatedTrust, TwoSteps, consent_warnings};
use crate::admin::{
    Administration, Answered, Input, NoQuery, Operation, Route, Segments as _, look_alike,
};

/// Registers a client.
pub struct CreateClient;

/// A client that was registered.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MadeClient {
    /// As it is registered.
    pub client: ClientDocument,
    /// The trust by which it authenticates, where that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustDocument>,
    /// The private key that was made for it (a JWK), which is nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Value>,
    /// The secret that was made for it, which is nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Operation for CreateClient {
    type Path = ();
    type Query = NoQuery;
    type Body = ClientBody;
    type Answer = MadeClient;

    const ROUTE: Route = Route::create(
        "/clients",
        "create_client",
        "Register a client; a key pair or secret that is made is answered once",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        input.body.check()?;
        let ClientBody {
            document, trust, ..
        } = &input.body;
        match trust {
            Some(trust) => federated(admin, document.clone(), trust.clone()).await,
            None => {
                let prepared = Self::prepare(admin, input).await?;
                Self::finish(admin, prepared).await
            }
        }
    }
}

impl TwoSteps for CreateClient {
    async fn prepare(admin: &Administration, input: Input<Self>) -> Result<Prepared, Error> {
        let prepared = input.body.client().prepare(admin.terms(), admin.now())?;
        if let Some(id) = prepared.client_id() {
            admin.clients().check_free(id).await?;
        }
        Ok(prepared)
    }

    async fn finish(
        admin: &Administration,
        mut prepared: Prepared,
    ) -> Result<Answered<MadeClient>, Error> {
        let mut warnings: Vec<_> = prepared.warnings.iter().map(ToString::to_string).collect();
        if let Some(id) = prepared.client_id() {
            warnings.extend(look_alike::warning(&admin.store, id.as_str()).await?);
        }
        let key_file = prepared.key_file.take();
        let client = admin.clients().make(prepared, admin.actor()).await?;
        warnings.extend(consent_warnings(admin, &client).await?);
        let (private_key, client_secret) = made_for(key_file.as_ref());
        Ok(answered(MadeClient {
            client,
            trust: None,
            private_key,
            client_secret,
            warnings,
        }))
    }

    fn secret(answer: &MadeClient) -> Option<(&ClientDocument, &str)> {
        Some((&answer.client, answer.client_secret.as_deref()?))
    }
}

/// Makes a client without keys of its own, and the trust by which it authenticates.
async fn federated(
    admin: &Administration,
    document: ClientDocument,
    trust: FederatedTrust,
) -> Result<Answered<MadeClient>, Error> {
    admin.clients().check_free(&document.client_id).await?;
    let alike = look_alike::warning(&admin.store, document.client_id.as_str()).await?;
    let new = trust.client(document)?;
    let made = admin.trusts().create_federated(new, admin.actor()).await?;
    let client = made.client.ok_or_else(no_client)?;
    let mut warnings = Vec::from_iter(alike);
    warnings.extend(consent_warnings(admin, &client).await?);
    Ok(answered(MadeClient {
        client,
        trust: Some(made.trust),
        private_key: None,
        client_secret: None,
        warnings,
    }))
}

fn no_client() -> Error {
    grantor::admin::Fault::of_all("no client was made").into()
}

fn answered(made: MadeClient) -> Answered<MadeClient> {
    let (revision, names) = (made.client.revision, made.client.client_id.names());
    Answered::at(made, revision).placed(CLIENT, &names)
}

/// The private key or secret that was made.
pub(super) fn made_for(file: Option<&KeyFile>) -> (Option<Value>, Option<String>) {
    match file.map(|file| &file.credential) {
        Some(Credential::PrivateKey(key)) => {
            let jwk = serde_json::from_str(key.expose_json());
            (Some(jwk.expect("a JWK is JSON")), None)
        }
        Some(Credential::Secret(secret)) => (None, Some(secret.to_string())),
        _ => (None, None),
    }
}
