//! Public keys of a client.

use grantor::{
    admin::{Error, KeyEntry, NewKeysDocument, PublicJwks, Warning},
    jose::Jwk,
    types::ClientId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create::made_for;
use crate::admin::{
    Administration, Answered, Input, NoQuery, Operation, Route, Segments as _, content::bodies,
};

const KEYS: &str = "/clients/{client}/keys";

bodies!(NewKeysDocument);

/// The public keys of a client.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClientKeys {
    /// Those that can be used.
    pub jwks: PublicJwks,
    /// Until when each works, by its name.
    pub keys: Vec<KeyEntry>,
}

/// Lists the public keys of a client.
pub struct ListKeys;

impl Operation for ListKeys {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ClientKeys;

    const ROUTE: Route = Route::get(KEYS, "list_client_keys", "Show the public keys of a client");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let client = admin.clients().get(&input.path).await?;
        let keys = ClientKeys {
            jwks: client.jwks,
            keys: client.keys,
        };
        Ok(Answered::at(keys, client.revision))
    }
}

/// Adds public keys to a client.
pub struct AddKeys;

/// Keys that were added.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct AddedKeys {
    /// Their names: `kid`, or else the thumbprint.
    pub added: Vec<String>,
    /// The private key of the pair that was made (a JWK), which is nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Value>,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Operation for AddKeys {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = NewKeysDocument;
    type Answer = AddedKeys;

    const ROUTE: Route = Route::create(
        KEYS,
        "add_client_keys",
        "Add public keys, or have a pair made whose private half is answered once",
    )
    .of_state();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (id, body) = (input.path, input.body);
        let brought = body.jwk.iter().flat_map(|one| one.keys());
        let mut added: Vec<_> = brought.chain(&body.jwks.keys).map(name_of).collect();
        let mut prepared = admin.clients().prepare_keys(&id, body.into()).await?;
        let (private_key, _) = made_for(prepared.key_file.take().as_ref());
        let kid = private_key.as_ref().and_then(|key| key["kid"].as_str());
        added.extend(kid.map(str::to_owned));
        let warnings = prepared.warnings.iter().map(with_remedy).collect();
        let client = admin.clients().make(prepared, admin.actor()).await?;
        let keys = AddedKeys {
            added,
            private_key,
            warnings,
        };
        Ok(Answered::at(keys, client.revision).placed(KEYS, &id.names()))
    }
}

/// What can be done about it is named by its command.
fn with_remedy(warning: &Warning) -> String {
    match warning {
        Warning::UnusedKey { client, .. } => {
            format!("{warning}; change that with: grantor client update {client} --signing-alg ALG")
        }
        _ => warning.to_string(),
    }
}

fn name_of(key: &Jwk) -> String {
    key.key_id().map_or_else(|| key.thumbprint(), str::to_owned)
}

/// Removes a public key of a client.
pub struct RemoveKey;

impl Operation for RemoveKey {
    type Path = (ClientId, String);
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        "/clients/{client}/keys/{name}",
        "remove_client_key",
        "Remove a public key: what it signed is refused from the next request on",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (id, name) = input.path;
        admin
            .clients()
            .remove_key(&id, &name, admin.actor())
            .await?;
        Ok(().into())
    }
}
