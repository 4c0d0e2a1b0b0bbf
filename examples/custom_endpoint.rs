//! An endpoint of one's own: one struct, one builder line. It is in the metadata, its name is in
//! decisions and fit for metrics, and its refusals are like any other's.
//!
//! ```text
//! cargo run -p grantor --example custom_endpoint
//! ```

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use grantor::{
    clock::{Clock, SystemClock},
    registry::{Actor, Client, ClientMetadata, ClientSecret},
    server::{
        Answer, AuthorizationServer, ClientAuthRequirement, Context, Decision, DecisionLog,
        Endpoint, Metadata, Outcome, Path, Refusal, Request, Route,
    },
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer, Scope},
};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// Tells a client what it is registered for.
struct WhoAmI;

#[async_trait]
impl Endpoint for WhoAmI {
    fn route(&self) -> Route {
        Route::form("whoami", Path::Suffix("whoami"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        let methods = ClientAuthRequirement::confidential().methods;
        metadata.endpoint(context, "whoami_endpoint", "whoami", &methods);
    }

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let requirement = ClientAuthRequirement::confidential();
        let caller = context
            .authenticate(request, &requirement, decision)
            .await?;
        let scope = caller.client().map(|client| &client.metadata().scope);
        let body = json!({"scope": scope});
        Ok(Answer::json(StatusCode::OK, &body))
    }
}

#[derive(Clone, Default)]
struct Remembered(Arc<Mutex<Vec<Decision>>>);

impl DecisionLog for Remembered {
    fn record(&self, decision: &Decision) {
        let mut decisions = self.0.lock().expect("nothing panics while it is held");
        decisions.push(decision.clone());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (store, decisions) = (Arc::new(MemoryStore::new()), Remembered::default());
    let method = AuthMethod::CLIENT_SECRET_POST;
    let mut kiosk = ClientMetadata::new("kiosk".parse()?, method, SystemClock.now());
    kiosk.scope = Scope::parse("catalogue")?;
    let kiosk = Client::new(kiosk, vec![], vec![ClientSecret::digest("secret", None)])?;
    store
        .clients()
        .create(kiosk, &Actor::program("example"))
        .await?;
    let server = AuthorizationServer::builder(Issuer::parse("https://as.example")?)
        .store(store)
        .standard()
        .endpoint(WhoAmI) // the one line
        .decisions(decisions.clone())
        .build()?;
    assert_eq!(server.endpoint_name("/whoami"), Some("whoami"));

    let metadata = http::Request::get("/.well-known/oauth-authorization-server");
    let metadata = send(&server, metadata, "").await?;
    assert_eq!(metadata["whoami_endpoint"], "https://as.example/whoami");

    let request = || {
        let form = "application/x-www-form-urlencoded";
        http::Request::post("/whoami").header("content-type", form)
    };
    let good = "client_id=kiosk&client_secret=secret";
    let answer = send(&server, request(), good).await?;
    assert_eq!(answer["scope"], "catalogue");
    let answer = send(&server, request(), "client_id=kiosk&client_secret=wrong").await?;
    assert_eq!(answer["error"], "invalid_client");

    let decisions = decisions.0.lock().expect("nothing panics while it is held");
    let [granted, refused] = &decisions[..] else {
        return Err("each request is a decision, and the metadata is none".into());
    };
    assert_eq!(granted.endpoint, "whoami");
    assert!(matches!(granted.outcome, Outcome::Granted));
    assert!(matches!(refused.outcome, Outcome::Refused { .. }));
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
