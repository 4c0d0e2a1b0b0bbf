//! Operations of clients.

use grantor::{
    admin::{ClientDocument, ClientFilter, Error, NewClient, Prepared},
    credential::{Credential, KeyFile},
    jose::{Algorithm, json::Object},
    types::ClientId,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Administration, Answered, Content, Input, Listed, NoQuery, Operation, PatchOf, Problem, Route,
    Segments as _, content,
};

const CLIENT: &str = "/clients/{client}";

/// Lists clients.
pub struct ListClients;

impl Operation for ListClients {
    type Path = ();
    type Query = ClientFilter;
    type Body = ();
    type Answer = Listed<ClientDocument>;

    const ROUTE: Route = Route::list("/clients", "list_clients", "List clients, by name");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let clients = admin.clients();
        let after = portion.cursor();
        let page = clients.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

/// Registers a client.
pub struct CreateClient;

/// A client that is to be registered.
#[derive(Debug)]
pub struct ClientBody {
    /// What is registered.
    pub document: ClientDocument,
    /// Makes a key pair for this algorithm.
    pub generate: Option<Algorithm>,
}

/// A client that was registered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeClient {
    /// As it is registered.
    pub client: ClientDocument,
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
        let ClientBody { document, generate } = input.body;
        let mut new = NewClient::new(document);
        new.generate = generate;
        let prepared = new.prepare(admin.terms(), admin.now())?;
        made(admin, prepared).await
    }
}

/// Makes what was prepared, and answers what was made for it.
async fn made(
    admin: &Administration,
    mut prepared: Prepared,
) -> Result<Answered<MadeClient>, Error> {
    let warnings = prepared.warnings.iter().map(ToString::to_string).collect();
    let key_file = prepared.key_file.take();
    let client = admin.clients().make(prepared, admin.actor()).await?;
    let (private_key, client_secret) = match key_file {
        Some(key_file) => of_key_file(&key_file),
        None => (None, None),
    };
    let (revision, names) = (client.revision, client.client_id.names());
    let made = MadeClient {
        client,
        private_key,
        client_secret,
        warnings,
    };
    Ok(Answered::at(made, revision).placed(CLIENT, &names))
}

fn of_key_file(file: &KeyFile) -> (Option<Value>, Option<String>) {
    match &file.credential {
        Credential::PrivateKey(key) => {
            let jwk = serde_json::from_str(key.expose_json());
            (Some(jwk.expect("a JWK is JSON")), None)
        }
        Credential::Secret(secret) => (None, Some(secret.to_string())),
        _ => (None, None),
    }
}

/// The member with the algorithm of the key pair to make.
const GENERATE: &str = "generate";

impl Content for ClientBody {
    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut object: Object = content::object(octets)?;
        let generate = object.remove(GENERATE);
        let document = content::document(object);
        let generate = generate.map(|name| content::algorithm(GENERATE, &name));
        Ok(match (document, generate.transpose()) {
            (Ok(document), Ok(generate)) => Self { document, generate },
            (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem),
            (Err(one), Err(other)) => return Err(one.and(other)),
        })
    }

    fn to_json(&self) -> Option<String> {
        let mut document = serde_json::to_value(&self.document).ok()?;
        if let Some(algorithm) = self.generate {
            document[GENERATE] = algorithm.name().into();
        }
        Some(document.to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let mut schema = ClientDocument::json_schema(schemas);
        let generate = content::algorithm_schema("Makes a key pair for this algorithm.");
        schema
            .get_mut("properties")?
            .as_object_mut()?
            .insert(GENERATE.to_owned(), generate);
        Some(schema)
    }
}

/// Shows a client.
pub struct ShowClient;

impl Operation for ShowClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ClientDocument;

    const ROUTE: Route = Route::get(CLIENT, "show_client", "Show a client");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let client = admin.clients().get(&input.path).await?;
        let revision = client.revision;
        Ok(Answered::at(client, revision))
    }
}

/// Changes a client.
pub struct UpdateClient;

impl Operation for UpdateClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = PatchOf<ClientDocument>;
    type Answer = ClientDocument;

    const ROUTE: Route = Route::patch(
        CLIENT,
        "update_client",
        "Change members of a client; `enabled` is the switch",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let clients = admin.clients();
        let changed = clients.update(&input.path, &input.body.patch, admin.actor());
        let changed = changed.await?;
        let revision = changed.revision;
        Ok(Answered::at(changed, revision))
    }
}

/// Removes a client.
pub struct DeleteClient;

impl Operation for DeleteClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        CLIENT,
        "delete_client",
        "Remove a client with its keys, secrets and permissions",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.clients().delete(&input.path, admin.actor()).await?;
        Ok(().into())
    }
}
