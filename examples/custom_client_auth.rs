//! A client authentication method of one's own: one struct, one builder line.
//!
//! Workloads in a service mesh have proven their names to the sidecar that ends their TLS
//! connections. The program that embeds the server attaches that name to the request:
//!
//! ```text
//! cargo run -p grantor --example custom_client_auth
//! ```

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    clock::{Clock, SystemClock},
    registry::{Actor, Client, ClientMetadata},
    server::{
        AuthorizationServer, ClientAuthError, ClientAuthRequirement, ClientAuthentication,
        ClientCredentials, Context, Decision, Mechanism, Request,
    },
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer},
};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

/// The name that the workload at the other end has proven: an extension of the request.
#[derive(Clone)]
struct Workload(&'static str);

/// A client is the workload of its name.
struct MeshIdentity;

static METHODS: [AuthMethod; 1] = [AuthMethod::from_static("mesh_identity")];

#[async_trait]
impl ClientAuthentication for MeshIdentity {
    fn methods(&self) -> &[AuthMethod] {
        &METHODS
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Secret // A second mechanism beside it makes the request invalid.
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.extensions().get::<Workload>().is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let Some(Workload(name)) = request.extensions().get() else {
            return Err(ClientAuthError::Missing);
        };
        decision.claims_client(name);
        let client = context.client(name).await.map_err(ClientAuthError::Store)?;
        let client = client.ok_or_else(|| ClientAuthError::UnknownClient((*name).into()))?;
        // That it is enabled, and registered for this method, is checked for every method alike.
        Ok((client, METHODS[0].clone()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (store, actor) = (Arc::new(MemoryStore::new()), Actor::program("example"));
    for (name, enabled) in [("billing", true), ("retired", false)] {
        let (id, method) = (name.parse()?, METHODS[0].clone());
        let mut metadata = ClientMetadata::new(id, method, SystemClock.now());
        metadata.enabled = enabled;
        let client = Client::new(metadata, vec![], vec![])?;
        store.clients().create(client, &actor).await?;
    }
    let accepted = ClientAuthRequirement::confidential().accepting(METHODS[0].clone());
    let server = AuthorizationServer::builder(Issuer::parse("https://as.example")?)
        .store(store)
        .grant(ClientCredentials::with_client_auth(accepted))
        .client_auth(MeshIdentity) // the one line
        .build()?;

    let metadata = http::Request::get("/.well-known/oauth-authorization-server");
    let (_, metadata) = send(&server, metadata.body(Full::default())?).await?;
    let methods = &metadata["token_endpoint_auth_methods_supported"];
    assert_eq!(methods, &json!(["mesh_identity"]));

    let (status, answer) = send(&server, request(Some("billing"))?).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    for workload in [Some("unknown"), Some("retired"), None] {
        let (status, answer) = send(&server, request(workload)?).await?;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{workload:?}");
        assert_eq!(answer["error"], "invalid_client", "{workload:?}");
    }
    Ok(())
}

/// A request for a token, sent by this workload.
fn request(workload: Option<&'static str>) -> http::Result<http::Request<Full<Bytes>>> {
    let mut request = http::Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from("grant_type=client_credentials"))?;
    if let Some(name) = workload {
        request.extensions_mut().insert(Workload(name));
    }
    Ok(request)
}

async fn send(
    server: &AuthorizationServer,
    request: http::Request<Full<Bytes>>,
) -> Result<(StatusCode, Value), Box<dyn Error>> {
    let (parts, body) = server.respond(request).await.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((parts.status, serde_json::from_slice(&body)?))
}
