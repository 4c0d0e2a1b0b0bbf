//! A grant of one's own: one struct, one builder line, and the metadata follows by itself. It keeps
//! its vouchers in the server's storage, and refuses with an error code of its own.
//! `cargo run -p grantor --example custom_grant`

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::{Clock, SystemClock},
    registry::{Actor, Client, ClientMetadata, ClientSecret},
    server::{
        Authorization, AuthorizationServer, Caller, ClientAuthRequirement, Context, Decision,
        Grant, GrantError, Refusal, Request,
    },
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, DEFAULT_TOKEN_QUOTA, MemoryStore, Put,
        Registries, StoreError,
    },
    types::{AuthMethod, ErrorCode, GrantType, Issuer, Rule, Scope},
};
use http_body_util::BodyExt;
use serde_json::Value;

/// Exchanges a voucher, once, for a token.
struct Voucher;

impl Voucher {
    const TYPE: GrantType = GrantType::from_static("https://as.example/grants/voucher");
    const KIND: ArtifactKind = ArtifactKind::new("voucher");
    const SPENT: ErrorCode = ErrorCode::from_static("voucher_spent");

    /// Hands out a voucher that is good for an hour.
    async fn hand_out(store: &MemoryStore, voucher: &str) -> Result<Put, StoreError> {
        let (key, now) = (ArtifactKey::of(Self::KIND, voucher), SystemClock.now());
        let artifact = Artifact::new(now, now.plus(Duration::from_secs(3600)));
        store.put(key, artifact, DEFAULT_TOKEN_QUOTA).await
    }
}

#[async_trait]
impl Grant for Voucher {
    fn grant_type(&self) -> GrantType {
        Self::TYPE
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        ClientAuthRequirement::confidential()
    }

    async fn authorize(
        &self,
        context: &Context,
        request: &Request,
        caller: &Caller,
        _decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        // A caller may also be public, or only named: this is one that proved itself.
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        let voucher = ArtifactKey::of(Self::KIND, request.required("voucher")?);
        match context.artifacts().take(voucher, context.now()).await? {
            Some(_) => Authorization::for_client(client.clone(), &Self::TYPE),
            None => Err(Refusal::new(Self::SPENT, Rule::Grant, "the voucher is spent").into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    register_kiosk(&store).await?;
    assert_eq!(Voucher::hand_out(&store, "spring-sale").await?, Put::Kept);
    let server = AuthorizationServer::builder(Issuer::parse("https://as.example")?)
        .store(store)
        .standard()
        .grant(Voucher) // the one line
        .build()?;

    let metadata = http::Request::get("/.well-known/oauth-authorization-server");
    let metadata = send(&server, metadata, "").await?;
    assert_eq!(metadata["grant_types_supported"][2], Voucher::TYPE.as_str());

    let form = "grant_type=https%3A%2F%2Fas.example%2Fgrants%2Fvoucher&voucher=spring-sale";
    let request = || {
        http::Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", "Basic a2lvc2s6c2VjcmV0") // kiosk:secret
    };
    let answer = send(&server, request(), form).await?;
    assert_eq!(answer["scope"], "catalogue");
    let answer = send(&server, request(), form).await?;
    assert_eq!(answer["error"], Voucher::SPENT.as_str());
    Ok(())
}

/// Registers the client `kiosk` for the voucher grant.
async fn register_kiosk(store: &MemoryStore) -> Result<(), Box<dyn Error>> {
    let method = AuthMethod::CLIENT_SECRET_BASIC;
    let mut kiosk = ClientMetadata::new("kiosk".parse()?, method, SystemClock.now());
    kiosk.grant_types = vec![Voucher::TYPE];
    kiosk.scope = Scope::parse("catalogue")?;
    let kiosk = Client::new(kiosk, vec![], vec![ClientSecret::digest("secret", None)])?;
    store
        .clients()
        .create(kiosk, &Actor::program("example"))
        .await?;
    Ok(())
}

async fn send(
    server: &AuthorizationServer,
    request: http::request::Builder,
    form: &str,
) -> Result<Value, Box<dyn Error>> {
    let response = server.respond(request.body(form.to_owned())?).await;
    let body = response.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
