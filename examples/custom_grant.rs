//! A grant of one's own: one struct, one builder line, and the metadata follows by itself.
//!
//! A device that was given a voucher exchanges it for an access token, authenticated with its own
//! key as for any other grant:
//!
//! ```text
//! cargo run -p grantor --example custom_grant
//! ```

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    assertion::{CLIENT_ASSERTION_TYPE, CLIENT_AUTHENTICATION_TYP, NewAssertion},
    clock::{Clock, SystemClock},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, Client, ClientMetadata},
    server::{
        Authorization, AuthorizationServer, Caller, ClientAuthRequirement, Context, Decision,
        Grant, GrantError, Refusal, Request,
    },
    storage::{MemoryStore, Registries},
    types::{AuthMethod, GrantType, Issuer, Scope},
};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use url::form_urlencoded;

/// Exchanges a voucher for a token.
struct Voucher;

impl Voucher {
    const TYPE: GrantType = GrantType::from_static("https://as.example/grants/voucher");
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
        _context: &Context,
        request: &Request,
        caller: &Caller,
        _decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        match request.required("voucher")? {
            "spring-sale" => Authorization::for_client(client.clone(), &Self::TYPE),
            _ => Err(Refusal::invalid_grant("the voucher is not valid").into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    let key = register_kiosk(&store).await?;
    let server = AuthorizationServer::builder(Issuer::parse("https://as.example")?)
        .store(store)
        .standard()
        .grant(Voucher) // the one line
        .build()?;

    let metadata =
        http::Request::get("/.well-known/oauth-authorization-server").body(Full::default())?;
    let (_, metadata) = send(&server, metadata).await?;
    let grants = metadata["grant_types_supported"]
        .as_array()
        .ok_or("no grant types")?;
    assert!(
        grants.contains(&Voucher::TYPE.as_str().into()),
        "the metadata follows"
    );

    let (status, answer) = send(&server, voucher_request(&key, "spring-sale")?).await?;
    assert_eq!(
        (status, &answer["scope"]),
        (StatusCode::OK, &"catalogue".into())
    );
    assert!(answer["access_token"].is_string());

    let (status, answer) = send(&server, voucher_request(&key, "made-up")?).await?;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::BAD_REQUEST, &"invalid_grant".into())
    );
    Ok(())
}

/// Registers the client `kiosk` for the voucher grant, and answers its private key.
async fn register_kiosk(store: &MemoryStore) -> Result<PrivateJwk, Box<dyn Error>> {
    let key = PrivateJwk::generate(Algorithm::Es256)?;
    let mut kiosk = ClientMetadata::new(
        "kiosk".parse()?,
        AuthMethod::PRIVATE_KEY_JWT,
        SystemClock.now(),
    );
    kiosk.grant_types = vec![Voucher::TYPE];
    kiosk.scope = Scope::parse("catalogue")?;
    let public = VerificationKey::from_jwk(key.public())?;
    store
        .clients()
        .create(
            Client::new(kiosk, vec![public.into()], vec![])?,
            &Actor::program("example"),
        )
        .await?;
    Ok(key)
}

/// The request of the grant, authenticated by `private_key_jwt`.
fn voucher_request(
    key: &PrivateJwk,
    voucher: &str,
) -> Result<http::Request<Full<Bytes>>, Box<dyn Error>> {
    let assertion = NewAssertion {
        issuer: "kiosk",
        subject: "kiosk",
        audience: "https://as.example",
        lifetime: std::time::Duration::from_secs(60),
        typ: Some(CLIENT_AUTHENTICATION_TYP),
        claims: serde_json::Map::new(),
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", Voucher::TYPE.as_str())
        .append_pair("voucher", voucher)
        .append_pair("client_assertion_type", CLIENT_ASSERTION_TYPE)
        .append_pair(
            "client_assertion",
            &assertion.sign(&key.signing_key()?, SystemClock.now())?,
        )
        .finish();
    let request =
        http::Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
    Ok(request.body(Full::from(form))?)
}

async fn send(
    server: &AuthorizationServer,
    request: http::Request<Full<Bytes>>,
) -> Result<(StatusCode, Value), Box<dyn Error>> {
    let (parts, body) = server.respond(request).await.into_parts();
    Ok((
        parts.status,
        serde_json::from_slice(&body.collect().await?.to_bytes())?,
    ))
}
