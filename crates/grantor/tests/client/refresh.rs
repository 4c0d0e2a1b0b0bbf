//! Sources that refresh by refresh token: the successor is kept before anything else is done with it,
//! and no token is used twice but for a lost answer.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{Asked, Double, answer, clock, key, refusal};
use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    client::{
        Builder, PrivateKeyJwt, RefreshToken, RefreshTokenInMemory, RefreshTokenStore,
        RefreshTokenStoreError, RetryPolicy, Server, TokenError, TokenSource, Wanted,
    },
    clock::ManualClock,
    jose::Algorithm,
    remote::{Fetch, FetchError, HttpFetch},
    types::GrantType,
};
use http::{Request, Response};
use serde_json::json;

/// Tries without waiting.
const AT_ONCE: RetryPolicy = RetryPolicy {
    tries: 3,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(2),
    timeout: Duration::from_secs(20),
};

/// Keeps a token, and fails when told to.
#[derive(Default)]
struct Row {
    token: Mutex<Option<RefreshToken>>,
    is_broken: AtomicBool,
}

impl Row {
    fn of(issuer: &str, text: &str) -> Arc<Self> {
        let row = Self::default();
        row.put(issuer, text);
        Arc::new(row)
    }

    fn put(&self, issuer: &str, text: &str) {
        *self.token.lock().expect("no panic") = Some(RefreshToken::new(issuer, text));
    }

    fn text(&self) -> String {
        let token = self.token.lock().expect("no panic");
        token.as_ref().expect("a token").expose().to_owned()
    }
}

#[async_trait]
impl RefreshTokenStore for Row {
    async fn load(&self) -> Result<Option<RefreshToken>, RefreshTokenStoreError> {
        Ok(self.token.lock().expect("no panic").clone())
    }

    async fn save(&self, token: &RefreshToken) -> Result<(), RefreshTokenStoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("the disk is full".into());
        }
        *self.token.lock().expect("no panic") = Some(token.clone());
        Ok(())
    }
}

/// A server that rotates: for `r-1` there is `r-2`. It refuses what is not in this store when it comes.
async fn rotating(kept: &Arc<Row>) -> Double {
    let kept = Arc::clone(kept);
    Double::start(move |_, asked: Asked| {
        let presented = asked.parameter("refresh_token").expect("a refresh token");
        let is_kept = kept.text() == presented;
        async move {
            let Some((name, number)) = presented.split_once('-').filter(|_| is_kept) else {
                return refusal(400, "invalid_grant");
            };
            let next = number.parse::<u32>().expect("a number") + 1;
            answer(200, &json!({
                "access_token": format!("a-{presented}"), "token_type": "Bearer", "expires_in": 60,
                "refresh_token": format!("{name}-{next}"),
            }))
        }
    })
    .await
}

fn builder(
    server: &Double,
    store: Arc<dyn RefreshTokenStore>,
    clock: &Arc<ManualClock>,
) -> Builder {
    let auth = PrivateKeyJwt::new("billing", key(Algorithm::Es256).1);
    let at = Server::at(&server.token_endpoint()).expect("a URL");
    TokenSource::refresh_token(at.with_issuer(&server.url), auth, store)
        .clock(clock.clone())
        .retry(AT_ONCE)
}

fn presented(server: &Double) -> Vec<String> {
    let asked = server.asked();
    let presented = asked.iter().map(|asked| asked.parameter("refresh_token"));
    presented
        .map(|text| text.expect("a refresh token"))
        .collect()
}

/// A server, a store that has its token `r-0`, and a source.
async fn world() -> (Double, Arc<Row>, Arc<ManualClock>, TokenSource) {
    let (row, clock) = (Arc::new(Row::default()), clock());
    let server = rotating(&row).await;
    row.put(&server.url, "r-0");
    let source = builder(&server, row.clone(), &clock)
        .build()
        .expect("a source");
    (server, row, clock, source)
}

async fn next(source: &TokenSource) -> Result<String, TokenError> {
    let token = source.token().await?;
    source.invalidate(&token);
    Ok(token.expose().to_owned())
}

#[tokio::test]
async fn each_refresh_keeps_the_successor_before_it_is_used() {
    let (server, row, clock, source) = world().await;
    for number in 0..3 {
        assert_eq!(
            next(&source).await.expect("a token"),
            format!("a-r-{number}")
        );
        assert_eq!(row.text(), format!("r-{}", number + 1));
        clock.advance(Duration::from_secs(11));
    }
    assert_eq!(presented(&server), ["r-0", "r-1", "r-2"]);
    let asked = server.last();
    assert_eq!(
        asked.parameter("grant_type").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(
        asked.jwt("client_assertion").claim("aud"),
        &json!(server.url)
    );
}

#[tokio::test]
async fn a_successor_that_cannot_be_kept_gives_no_token_and_is_kept_before_the_next_request() {
    let (server, row, clock, source) = world().await;
    row.is_broken.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let error = source.token().await.expect_err("nothing is kept");
        assert!(matches!(error, TokenError::RefreshTokenStore(_)), "{error}");
        clock.advance(Duration::from_secs(5));
    }
    assert_eq!(
        presented(&server),
        ["r-0"],
        "nothing that is not kept is sent"
    );
    row.is_broken.store(false, Ordering::SeqCst);
    assert_eq!(next(&source).await.expect("a token"), "a-r-1");
    assert_eq!(row.text(), "r-2");
}

#[tokio::test]
async fn a_new_sign_in_is_not_overwritten_by_what_could_not_be_kept() {
    let (server, row, clock, source) = world().await;
    row.is_broken.store(true, Ordering::SeqCst);
    source.token().await.expect_err("nothing is kept");
    row.is_broken.store(false, Ordering::SeqCst);
    row.put(&server.url, "new-0");
    clock.advance(Duration::from_secs(5));
    assert_eq!(next(&source).await.expect("a token"), "a-new-0");
    assert_eq!(row.text(), "new-1");
}

/// Loses so many answers.
struct Losing(HttpFetch, AtomicUsize);

#[async_trait]
impl Fetch for Losing {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let answer = self.0.fetch(request, limit).await?;
        let is_lost = self
            .1
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match is_lost {
            Ok(_) => Err(FetchError::TimedOut),
            Err(_) => Ok(answer),
        }
    }
}

/// C071
#[tokio::test]
async fn a_request_whose_answer_is_lost_is_made_again_with_the_same_token() {
    let (server, row, clock, _) = world().await;
    for (lost, sent) in [(2, 3), (3, 3)] {
        let fetch = Losing(HttpFetch::new().expect("a client"), AtomicUsize::new(lost));
        let source = builder(&server, row.clone(), &clock).fetch(Arc::new(fetch));
        let source = source.build().expect("a source");
        let before = (row.text(), server.count());
        let token = source.token().await;
        assert_eq!(token.is_ok(), lost < sent, "{token:?}");
        let sends = presented(&server).split_off(before.1);
        assert_eq!(sends, vec![before.0.clone(); sent]);
        assert_eq!(row.text() == before.0, token.is_err());
        clock.advance(Duration::from_secs(5));
        // Later too: what was kept is what is sent.
        next(&source).await.expect("a token");
    }
    let all = presented(&server);
    assert_eq!(all[all.len() - 1], "r-1", "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_make_one_request_and_different_wishes_one_after_the_other() {
    let (server, _, _, source) = world().await;
    let ask = |wanted: Wanted| {
        let source = source.clone();
        tokio::spawn(async move { source.token_for(wanted).await })
    };
    let same: Vec<_> = (0..50).map(|_| ask(Wanted::new())).collect();
    for caller in same {
        let token = caller.await.expect("no panic").expect("a token");
        assert_eq!(token.expose(), "a-r-0");
    }
    assert_eq!(server.count(), 1);
    let scope = |number| format!("scope-{number}").parse().expect("a scope");
    let different: Vec<_> = (0..10)
        .map(|number| ask(Wanted::new().scope(scope(number))))
        .collect();
    for caller in different {
        caller.await.expect("no panic").expect("a token");
    }
    let expected: Vec<_> = (0..11).map(|number| format!("r-{number}")).collect();
    assert_eq!(presented(&server), expected);
}

#[tokio::test]
async fn a_refresh_token_goes_to_its_own_server_only() {
    let (server, row, clock, source) = world().await;
    row.put("https://as.example", "r-0");
    let error = source.token().await.expect_err("another server's");
    assert!(matches!(error, TokenError::OtherIssuer { .. }), "{error}");
    assert_eq!(server.count(), 0);
    row.put(&server.url, "r-0");
    clock.advance(Duration::from_secs(5));
    source.token().await.expect("the control");

    let nameless = Server::at(&server.token_endpoint()).expect("a URL");
    let auth = PrivateKeyJwt::new("billing", key(Algorithm::Es256).1);
    let auth = auth.audience(grantor::client::Audience::TokenEndpoint);
    let nameless = TokenSource::refresh_token(nameless, auth, row).build();
    assert!(nameless.is_err(), "whose token it is cannot be told");
}

#[tokio::test]
async fn without_a_refresh_token_or_with_an_ended_one_the_person_has_to_be_asked() {
    let (server, _, clock, _) = world().await;
    let row = Arc::new(RefreshTokenInMemory::default());
    let source = builder(&server, row.clone(), &clock)
        .build()
        .expect("a source");
    let error = source.token().await.expect_err("nobody has signed in");
    assert!(matches!(error, TokenError::NoRefreshToken), "{error}");
    assert_eq!(server.count(), 0);
    let ended = RefreshToken::new(&server.url, "ended-0");
    row.save(&ended).await.expect("kept");
    clock.advance(Duration::from_secs(5));
    let error = source.token().await.expect_err("it has ended");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
    let kept = row.load().await.expect("a store");
    assert_eq!(kept, Some(ended), "a refusal changes nothing");
}

#[tokio::test]
async fn a_refresh_token_is_about_one_person() {
    let (server, _, _, source) = world().await;
    let error = source
        .token_for(Wanted::new().subject("bob"))
        .await
        .expect_err("one person");
    let TokenError::SubjectNotPossible(grant) = error else {
        unreachable!("{error}")
    };
    assert_eq!((grant, server.count()), (GrantType::REFRESH_TOKEN, 0));
}

#[tokio::test]
async fn a_server_that_does_not_rotate_is_sent_the_same_token() {
    let server = Double::tokens().await;
    let row = Row::of(&server.url, "r");
    let clock = clock();
    let source = builder(&server, row.clone(), &clock)
        .build()
        .expect("a source");
    for _ in 0..2 {
        next(&source).await.expect("a token");
        clock.advance(Duration::from_secs(11));
    }
    assert_eq!(presented(&server), ["r", "r"]);
    assert_eq!(row.text(), "r");
}

#[tokio::test]
async fn the_token_that_came_with_the_code_is_given_first() {
    let (server, row, clock, source) = world().await;
    let first = source.token().await.expect("a token");
    let source = builder(&server, row, &clock).holding(first.clone()).build();
    let source = source.expect("a source");
    assert_eq!(
        source.token().await.expect("a token").expose(),
        first.expose()
    );
    assert_eq!(server.count(), 1);
    clock.advance(Duration::from_secs(60));
    assert_eq!(source.token().await.expect("a token").expose(), "a-r-1");
}

#[test]
fn a_refresh_token_can_be_stored() {
    let token = RefreshToken::new("https://as.example", "secret");
    let stored = serde_json::to_string(&token).expect("JSON");
    assert_eq!(
        stored,
        r#"{"issuer":"https://as.example","refresh_token":"secret"}"#
    );
    assert_eq!(
        serde_json::from_str::<RefreshToken>(&stored).expect("the same"),
        token
    );
    assert!(!format!("{token:?}").contains("secret"));
}
