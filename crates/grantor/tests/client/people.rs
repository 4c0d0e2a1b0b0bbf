//! Our client of the code grant with our server, in one process: a person at a browser, and a job.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    client::{
        AnswerError, CodeClient, JwtBearer, PrivateKeyJwt, RefreshTokenInMemory,
        RefreshTokenStore as _, Server, TokenError, TokenSource,
    },
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, ConsentPolicy, Subject},
    remote::{Fetch, FetchError},
    server::AuthorizationServer,
    storage::Registries as _,
    types::{AuthMethod, ErrorCode, GrantType},
};
use grantor_testkit::{Browser, CALLBACK, ISSUER, Page, Sessions, World, metadata};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use url::Url;

use crate::support::key;

/// Reaches the server without a network; loses the next answer when told to.
struct Wire(AuthorizationServer, AtomicBool);

#[async_trait]
impl Fetch for Wire {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        _: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let (parts, body) = self.0.respond(request.map(Full::new)).await.into_parts();
        let body = body.collect().await;
        let body = body.map_err(|error| FetchError::Transport(error.into()))?;
        match self.1.swap(false, Ordering::SeqCst) {
            true => Err(FetchError::TimedOut),
            false => Ok(Response::from_parts(parts, body.to_bytes())),
        }
    }
}

struct Place {
    world: World,
    sessions: Sessions,
    wire: Arc<Wire>,
    key: PrivateJwk,
}

impl Place {
    /// A server that knows anna, and the client `app`, which asks people.
    async fn new() -> Self {
        let (world, sessions) = World::with_people(|builder| builder);
        let (key, _) = key(Algorithm::Es256);
        let mut app = metadata("app", AuthMethod::PRIVATE_KEY_JWT);
        app.grant_types = vec![
            GrantType::AUTHORIZATION_CODE,
            GrantType::REFRESH_TOKEN,
            GrantType::JWT_BEARER,
        ];
        app.redirect_uris = vec![CALLBACK.parse().expect("a redirect URI")];
        app.consent = ConsentPolicy::Ask;
        let public = VerificationKey::from_jwk(key.public()).expect("a key");
        world.register(app, vec![public.into()], vec![]).await;
        let anna = Subject::new("anna".parse().expect("a subject"));
        let by = Actor::program("test");
        let created = world.store.subjects().create(anna, &by).await;
        created.expect("a new name");
        let wire = Arc::new(Wire(world.server.clone(), AtomicBool::new(false)));
        Self {
            world,
            sessions,
            wire,
            key,
        }
    }

    fn server() -> Server {
        Server::discover(ISSUER).expect("a URL")
    }

    fn signer(&self) -> grantor::client::LocalKey {
        grantor::client::LocalKey::new(&self.key).expect("a signer")
    }

    fn client(&self) -> CodeClient {
        let auth = PrivateKeyJwt::new("app", self.signer());
        let callback = CALLBACK.parse().expect("a redirect URI");
        let client = CodeClient::builder(Self::server(), "app", callback, auth)
            .fetch(self.wire.clone())
            .clock(self.world.clock.clone());
        client.build().expect("a client")
    }

    /// Anna's browser goes to `url`, and she answers what she is asked.
    async fn answers(&self, url: &Url, decision: &str) -> Page {
        let browser = Browser {
            world: &self.world,
            sessions: self.sessions.clone(),
            session: "annas".to_owned(),
        };
        browser.sign_in("anna", 0);
        let mut page = browser.get(url.as_str()).await;
        if let Some(place) = page.leads_to() {
            page = browser.get(place.as_str()).await;
        }
        browser.answer(&page, &[("decision", decision)]).await
    }

    /// The query with which the browser comes back to the client.
    async fn comes_back(&self, url: &Url, decision: &str) -> String {
        let page = self.answers(url, decision).await;
        let callback = page.leads_to().expect("the way back");
        callback.query().expect("an answer").to_owned()
    }
}

/// C105
#[tokio::test]
async fn a_job_gets_a_link_and_after_a_yes_its_token() {
    let place = Place::new().await;
    let job = JwtBearer::new("app", place.signer()).subject("anna");
    let source = || {
        let source = TokenSource::jwt_bearer(Place::server(), job.clone())
            .fetch(place.wire.clone())
            .clock(place.world.clock.clone())
            .scope("read".parse().expect("a scope"));
        source.build().expect("a source")
    };
    let error = source().token().await.expect_err("nobody was asked");
    let TokenError::ConsentRequired { uri, error } = error else {
        unreachable!("{error}")
    };
    assert_eq!(error.code, "consent_required");
    assert!(
        uri.as_str().starts_with(&format!("{ISSUER}/consent?")),
        "{uri}"
    );
    // On to a page of the server's own: no client waits.
    let led = place.answers(&uri, "allow").await.leads_to();
    assert!(led.is_some_and(|led| led.as_str().starts_with(&format!("{ISSUER}/consent?"))));
    source().token().await.expect("a token");
}

#[tokio::test]
async fn a_person_says_yes_or_no_and_the_client_is_told() {
    let place = Place::new().await;
    let client = place.client();
    let asked = async || {
        let request = client.request().scope("read".parse().expect("a scope"));
        request.start().await.expect("a request")
    };
    let no = asked().await;
    let answer = no.pending.answer(&place.comes_back(&no.url, "deny").await);
    let Err(AnswerError::Refused(refusal)) = answer else {
        unreachable!("{answer:?}")
    };
    assert_eq!(refusal.code, ErrorCode::ACCESS_DENIED);
    let yes = asked().await;
    let query = place.comes_back(&yes.url, "allow").await;
    let foreign = no.pending.answer(&query).expect_err("another request's");
    assert_eq!(foreign, AnswerError::State);
    let code = || yes.pending.answer(&query).expect("a code");
    let redeemed = client.redeem(code()).await.expect("a token");
    let scope = redeemed.token.scope().map(ToString::to_string);
    assert_eq!(scope.as_deref(), Some("read"));
    let error = client.redeem(code()).await.expect_err("used before");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}

/// C071
#[tokio::test]
async fn a_lost_answer_signs_nobody_out_and_an_old_refresh_token_does() {
    let place = Place::new().await;
    let client = place.client();
    let asked = client.request().start().await.expect("a request");
    let query = place.comes_back(&asked.url, "allow").await;
    let code = asked.pending.answer(&query).expect("a code");
    let redeemed = client.redeem(code).await.expect("a token");
    let first = redeemed.refresh_token.expect("a refresh token");
    let kept = Arc::new(RefreshTokenInMemory::new(first.clone()));
    let source = || client.tokens(kept.clone()).build().expect("a source");
    for _ in 0..3 {
        place.wire.1.store(true, Ordering::SeqCst);
        source().token().await.expect("a token at the second try");
        assert!(!place.wire.1.load(Ordering::SeqCst), "an answer was lost");
    }
    kept.save(&first).await.expect("kept");
    let error = source().token().await.expect_err("used long ago");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}
